"""One connection to Asterisk: events come in by WebSocket, requests go out by it or by HTTP."""

import asyncio
import base64
import itertools
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp

from screener.ari.errors import NoAri, Refused, TooOld, Unreachable, request_failed
from screener.ari.events import EVENT_TYPES
from screener.ari.limits import Limits
from screener.ari.pulse import texts

OLDEST: Final = (20,)
# REST over the event WebSocket came with 20.14, 22.4 and every 23 (Asterisk's UPGRADE notes).
_REST_OVER_WEBSOCKET: Final = {20: 14, 22: 4}


def parse_version(text: str) -> tuple[int, ...]:
    """Return the numbers of ``22.10.1+dfsg``, ``certified-20.7-cert3``, …; empty if none."""
    found = re.search(r"\d+(?:\.\d+)*", text)
    return tuple(int(number) for number in found.group().split(".")) if found else ()


def rest_over_websocket(version: tuple[int, ...]) -> bool:
    """Tell whether an Asterisk of this version takes requests over the event WebSocket."""
    if len(version) < 2:
        return False
    major, minor = version[:2]
    return major > max(_REST_OVER_WEBSOCKET) or minor >= _REST_OVER_WEBSOCKET.get(major, 10**6)


class Connection:
    """Requests out, events in, until it breaks. Made by ``connect``.

    A request raises Unreachable when the answer does not come within ``limits.request`` seconds.
    """

    def __init__(
        self,
        http: aiohttp.ClientSession,
        websocket: aiohttp.ClientWebSocketResponse,
        version: str,
        limits: Limits,
    ) -> None:
        self.version: Final = version
        self._http = http
        self._websocket = websocket
        self._limits = limits
        self._over_websocket = rest_over_websocket(parse_version(version))
        self._numbers = itertools.count(1)
        self._answers: dict[str, asyncio.Future[dict[str, Any]]] = {}

    async def request(self, method: str, path: str, **query: str) -> Any:
        """Send one request and return the JSON that Asterisk answered, None where empty."""
        name = f"{method} {path}"
        try:
            async with asyncio.timeout(self._limits.request):
                if self._over_websocket:
                    status, body = await self._by_websocket(method, path, query)
                else:
                    status, body = await self._by_http(method, path, query)
        except TimeoutError:
            limit = self._limits.request
            raise Unreachable(f"Asterisk gave no answer to {name} within {limit:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise Unreachable(f"the connection broke under {name}: {error}") from error
        if status >= 400:
            raise request_failed(name, status, body)
        return json.loads(body) if body else None

    async def events(self) -> AsyncGenerator[dict[str, Any], None]:
        """Yield Asterisk's events as they come; ends when the connection does. One reader only."""
        try:
            async for text in texts(self._websocket, self._limits):
                try:
                    parsed = json.loads(text)
                except ValueError:
                    continue
                if not isinstance(parsed, dict):
                    continue
                if parsed.get("type") == "RESTResponse":
                    answer = self._answers.get(str(parsed.get("request_id")))
                    if answer and not answer.done() and isinstance(parsed.get("status_code"), int):
                        answer.set_result(parsed)
                else:
                    yield parsed
        finally:
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(Unreachable("the connection to Asterisk was lost"))

    async def _by_websocket(self, method: str, path: str, query: dict[str, str]) -> tuple[int, str]:
        if self._websocket.closed:
            raise Unreachable("the connection to Asterisk was lost")
        number = str(next(self._numbers))
        self._answers[number] = asyncio.get_running_loop().create_future()
        try:
            await self._websocket.send_json(
                {
                    "type": "RESTRequest",
                    "request_id": number,
                    "method": method,
                    "uri": path,
                    "query_strings": [{"name": k, "value": v} for k, v in query.items()],
                }
            )
            answer = await self._answers[number]
        finally:
            del self._answers[number]
        return int(answer["status_code"]), str(answer.get("message_body") or "")

    async def _by_http(self, method: str, path: str, query: dict[str, str]) -> tuple[int, str]:
        async with self._http.request(method, f"ari/{path}", params=query) as answer:
            return answer.status, await answer.text()


@asynccontextmanager
async def connect(
    url: str, application: str, user: str, password: str, limits: Limits
) -> AsyncIterator[Connection]:
    """Connect to Asterisk at ``url`` (http://host:port) as ``application``.

    Raises Unreachable, Refused or TooOld. Broadcast calls are offered to the application from
    here on; whatever arrives before ``events`` is read waits there.
    """
    async with http_client(url, user, password) as http:
        version = await ask_version(http, url, user, limits.connect)
        query = {"app": application, "subscribeAll": "false"}
        try:
            async with asyncio.timeout(limits.connect):
                websocket = await http.ws_connect(
                    "ari/events",
                    params=query,
                    autoping=False,  # every sign of life is to be seen
                    timeout=aiohttp.ClientWSTimeout(ws_close=limits.goodbye),
                )
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unreachable(f"Asterisk at {url} opened no event WebSocket: {error}") from error
        async with websocket:
            await _hear_only(http, application, limits.connect)
            yield Connection(http, websocket, version, limits)


async def _hear_only(http: aiohttp.ClientSession, application: str, seconds: float) -> None:
    """Ask Asterisk for the events we read and no others: nine of the sixty of a call.

    It is a saving, not a need: an Asterisk that will not (before 16.3) is listened to all the same.
    """
    path = f"ari/applications/{application}/eventFilter"
    # The filter holds for answers to requests, too.
    wanted = {"allowed": [{"type": kind} for kind in (*EVENT_TYPES, "RESTResponse")]}
    try:
        async with asyncio.timeout(seconds), http.put(path, json=wanted):
            pass
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise Unreachable(f"Asterisk stopped answering: {error}") from error


def http_client(url: str, user: str, password: str) -> aiohttp.ClientSession:
    """Return a client for ARI's web server; the password goes into a header, never into a URL."""
    credentials = base64.b64encode(f"{user}:{password}".encode()).decode()
    return aiohttp.ClientSession(
        f"{url.rstrip('/')}/",  # http.conf may set a prefix
        headers={"Authorization": f"Basic {credentials}"},
        timeout=aiohttp.ClientTimeout(total=None),  # each use has a limit of its own
    )


async def ask_version(
    http: aiohttp.ClientSession, url: str, user: str, seconds: float = Limits().connect
) -> str:
    """Ask Asterisk which release it is, and so find out whether it lets us in.

    Raises Unreachable, Refused or TooOld.
    """
    try:
        async with asyncio.timeout(seconds), http.get("ari/asterisk/info") as answer:
            if answer.status in {401, 403}:
                raise Refused(f"Asterisk at {url} refuses user {user}: wrong user or password")
            if answer.status == 404:
                raise NoAri(f"what answers at {url} is no Asterisk with ARI enabled")
            if answer.status >= 400:
                raise Unreachable(f"Asterisk at {url} answers {answer.status} to everything")
            version = str((await answer.json(content_type=None))["system"]["version"])
    except TimeoutError:
        raise Unreachable(f"Asterisk at {url} does not answer") from None
    except (aiohttp.ClientError, OSError) as error:
        raise Unreachable(f"Asterisk at {url} cannot be reached: {error}") from error
    except (ValueError, KeyError, TypeError):
        raise NoAri(f"what answers at {url} is not Asterisk") from None
    numbers = parse_version(version)
    if numbers and numbers < OLDEST:
        raise TooOld(f"Asterisk {version} is too old: {OLDEST[0]} or later is needed")
    return version
