"""The proxy between a client and a server that answers every command."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from lab.ports import Address
from lab.proxy import Fate, Proxy, Said

COMMAND = {"type": "RESTRequest", "request_id": "1", "uri": "channels"}
ANSWER = {"type": "RESTResponse", "request_id": "1", "status_code": 200}


class Far:
    """The other end; keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[object] = []
        self.closed = asyncio.Event()

    async def talk(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            self.told.append(message.json())
            await socket.send_json(ANSWER)
        self.closed.set()
        return socket


@asynccontextmanager
async def through_a_proxy() -> AsyncIterator[tuple[Proxy, Far, aiohttp.ClientWebSocketResponse]]:
    far = Far()
    app = web.Application()
    app.router.add_get("/", far.talk)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    _, port = runner.addresses[0][:2]
    async with (
        Proxy(Address("127.0.0.1", port)) as proxy,
        aiohttp.ClientSession() as http,
        http.ws_connect(proxy.url) as socket,
    ):
        yield proxy, far, socket
    await runner.cleanup()


async def test_everything_said_is_seen_in_order_and_passed_on() -> None:
    seen: list[Said] = []

    def watch(said: Said) -> Fate:
        seen.append(said)
        return Fate.PASSED

    async with through_a_proxy() as (proxy, far, socket):
        proxy.watch = watch
        await socket.send_json(COMMAND)
        assert await socket.receive_json(timeout=5) == ANSWER
    assert far.told == [COMMAND]
    assert seen == [Said(False, COMMAND), Said(True, ANSWER)]


async def test_a_refused_command_is_answered_500_and_never_arrives() -> None:
    async with through_a_proxy() as (proxy, far, socket):
        proxy.refusing = True
        await socket.send_json(COMMAND)
        answer = await socket.receive_json(timeout=5)
        assert (answer["request_id"], answer["status_code"]) == ("1", 500)
        proxy.mend()
        await socket.send_json(COMMAND)
        assert await socket.receive_json(timeout=5) == ANSWER
    assert far.told == [COMMAND]


async def test_while_it_stalls_nothing_passes_and_then_all_of_it() -> None:
    async with through_a_proxy() as (proxy, far, socket):
        proxy.stall()
        await socket.send_json(COMMAND)
        with pytest.raises(TimeoutError):
            await socket.receive_json(timeout=0.05)
        assert far.told == []
    async with through_a_proxy() as (proxy, far, socket):
        proxy.stall()
        await socket.send_json(COMMAND)
        proxy.flow()
        assert await socket.receive_json(timeout=5) == ANSWER


async def test_stalled_connections_are_no_hindrance_to_a_new_one() -> None:
    async with through_a_proxy() as (proxy, far, socket), aiohttp.ClientSession() as http:
        proxy.stall_present()
        await socket.send_json(COMMAND)
        async with http.ws_connect(proxy.url) as another:
            await another.send_json(COMMAND)
            assert await another.receive_json(timeout=5) == ANSWER
        assert far.told == [COMMAND]
        proxy.flow()
        assert await socket.receive_json(timeout=5) == ANSWER


async def test_a_delay_holds_in_both_directions() -> None:
    async with through_a_proxy() as (proxy, _, socket):
        proxy.delay = 0.05
        begun = asyncio.get_running_loop().time()
        await socket.send_json(COMMAND)
        await socket.receive_json(timeout=5)
        assert asyncio.get_running_loop().time() - begun >= 0.1


async def test_a_reset_is_noticed_on_both_sides() -> None:
    async with through_a_proxy() as (proxy, far, socket):
        proxy.reset()
        assert (await socket.receive(timeout=5)).type in {
            aiohttp.WSMsgType.CLOSED,
            aiohttp.WSMsgType.ERROR,
        }
        async with asyncio.timeout(5):
            await far.closed.wait()


async def test_a_client_left_hanging_is_told_nothing() -> None:
    async with through_a_proxy() as (proxy, far, socket):
        proxy.leave_screener_hanging()
        async with asyncio.timeout(5):
            await far.closed.wait()
        with pytest.raises(TimeoutError):
            await socket.receive(timeout=0.05)
