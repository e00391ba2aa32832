"""The fake Asterisk's web server: ARI over HTTP and WebSocket."""

import asyncio
import base64
import json
import re
from contextlib import suppress
from typing import Self

from aiohttp import WSMsgType, web

from tests.fake.wire import Answer, Command, Json, Line, Wire


class Door(Wire):
    """The sockets that the wire goes through."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._awake.set()
        self.drop()
        await self._runner.cleanup()

    async def _serve(  # noqa: PLR0911  (a table)
        self, request: web.Request
    ) -> web.StreamResponse:
        if request.path == "/ari/asterisk/info":
            self.attempts.append(asyncio.get_running_loop().time())
            self._changed.set()
        if self.unreachable:
            assert request.transport
            request.transport.abort()
            return web.Response()
        await self._awake.wait()
        if self.page is not None:
            return web.Response(text=self.page, content_type="text/html")
        if self.status_to_all is not None:
            return web.Response(status=self.status_to_all, text="<html>no</html>")
        expected = base64.b64encode(f"screener:{self.password}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {expected}":
            return web.json_response({"message": "Authentication required"}, status=401)
        path = request.path.removeprefix("/ari/")
        if path == "events":
            return await self._listen(request)
        if path == "asterisk/info":
            return web.json_response({"system": {"version": self.version}})
        if path.endswith("/eventFilter"):
            wanted = (await request.json())["allowed"]
            self._filters[path.split("/")[1]] = {each["type"] for each in wanted}
            return web.json_response({"name": path.split("/")[1]})
        given: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        command = Command(request.method, path, dict(request.query), "HTTP")
        self._perform(command, lambda answer: None if given.done() else given.set_result(answer))
        status, body = await given
        await self._awake.wait()
        if body is None:
            return web.Response(status=status)
        return web.json_response(body, status=status)

    async def _listen(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=False, timeout=0.1)
        await socket.prepare(request)
        assert request.transport
        line = Line(socket, request.transport, request.query["app"])
        for other in self.lines:
            if other.application == line.application:
                self.tell(line.application, {"type": "ApplicationReplaced"})
                other.replaced = True
        self.lines.append(line)
        self.connections[line.application] += 1
        self._say(f"** {line.application} connected")
        writer = asyncio.create_task(self._write(line))
        try:
            async for message in socket:
                if message.type is WSMsgType.PING and self._awake.is_set():
                    await socket.pong(message.data)
                elif message.type is WSMsgType.PONG:
                    line.pongs.pop(bytes(message.data), asyncio.Event()).set()
                elif message.type is WSMsgType.TEXT and self.rest_over_websocket:
                    self._receive(line, json.loads(message.data))
        finally:
            writer.cancel()
            self._cut(line)
        return socket

    @property
    def numbers(self) -> tuple[int, ...]:
        return tuple(int(number) for number in re.findall(r"\d+", self.version)[:3])

    @property
    def rest_over_websocket(self) -> bool:
        return self.numbers >= (22, 4) or (20, 14) <= self.numbers < (21,)

    def _receive(self, line: Line, request: Json) -> None:
        number = request["request_id"]
        query = {each["name"]: each["value"] for each in request["query_strings"]}

        def answer(given: Answer) -> None:
            status, body = given
            answer = {"type": "RESTResponse", "request_id": number, "status_code": status}
            text = json.dumps(body) if body is not None else ""
            if self.unkind:
                line.outgoing.put_nowait(json.dumps({"type": "RESTResponse", "request_id": number}))
            line.outgoing.put_nowait(json.dumps({**answer, "message_body": text}))

        command = Command(request["method"], request["uri"], query, "WebSocket", line.application)
        self._perform(command, answer)

    async def _write(self, line: Line) -> None:
        while True:
            text = await line.outgoing.get()
            await self._awake.wait()
            with suppress(ConnectionError):
                await line.socket.send_str(text)
            line.outgoing.task_done()
