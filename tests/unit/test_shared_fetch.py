"""Fetching: from a server that is slow, cut off, too large, or leads somewhere else."""

import asyncio
import gzip
import socket
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from yarl import URL

from screener.shared import fetch as fetching
from screener.shared.errors import ListError
from screener.shared.fetch import Fetched, Patience, Request, fetch

LIST = b"+18005550000\n" * 1000
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[str]:
    """A web server on loopback that gives this answer to everything; yields its address."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def raw_server(content: bytes, *, stays: bool = False) -> AsyncIterator[str]:
    """A server that sends these bytes whatever is asked, and hangs up, or else stays silent."""
    done = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(content)
        await writer.drain()
        if stays:
            await done.wait()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/list"
        done.set()


async def fetched(url: str, into: Path, most: int = 1_000_000, *, stalled: float = 15.0) -> Fetched:
    patience = Patience(total=20, stalled=stalled)
    return await fetch(Request(url=url, most=most, patience=patience), into)


async def refused(url: str, into: Path, most: int = 1_000_000, *, stalled: float = 15.0) -> str:
    with pytest.raises(ListError) as raised:
        await fetched(url, into, most, stalled=stalled)
    said = str(raised.value)
    assert said.isprintable()
    return said


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "fetched"


async def test_what_a_url_holds_is_saved_with_what_spares_the_next_time(into: Path) -> None:
    come: list[tuple[int, int | None]] = []

    async def answer(request: web.Request) -> web.Response:
        assert request.headers["User-Agent"] == "landline-screener"
        return web.Response(body=LIST, headers={"ETag": '"7"', "Last-Modified": "yesterday"})

    async with server(answer) as address:
        request = Request(url=f"{address}/list.csv", most=1_000_000)
        found = await fetch(request, into, lambda done, of: come.append((done, of)))
    assert found == Fetched(etag='"7"', last_modified="yesterday")
    assert into.read_bytes() == LIST
    assert come[-1] == (len(LIST), len(LIST))


async def test_nothing_new_is_no_trouble(into: Path) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=304 if request.headers["If-None-Match"] == '"7"' else 200)

    async with server(answer) as address:
        headers = {"If-None-Match": '"7"'}
        found = await fetch(Request(url=address, most=10, headers=headers), into)
    assert found.unchanged
    assert not into.exists()


async def test_what_comes_packed_is_unpacked_and_a_bomb_is_refused(into: Path) -> None:
    body = LIST

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=gzip.compress(body), headers={"Content-Encoding": "gzip"})

    async with server(answer) as address:
        await fetched(address, into)
        assert into.read_bytes() == LIST
        body = b"0" * 50_000_000
        assert "is larger than 1000000 bytes" in await refused(address, into)
        assert into.stat().st_size < 2_000_000


async def test_what_is_packed_in_another_way_is_refused(into: Path) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=zlib.compress(LIST), headers={"Content-Encoding": "deflate"})

    async with server(answer) as address:
        assert "packed in a way nobody asked for: deflate" in await refused(address, into)


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "not announced"])
async def test_what_is_too_large_is_refused(into: Path, announced: bool) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if announced:
            response.content_length = 50_000_000
        await response.prepare(request)
        try:
            for _ in range(1000):
                await response.write(b"0" * 50_000)
        except ConnectionError:
            pass
        return response

    async with server(answer) as address:
        assert "is larger than 100000 bytes" in await refused(address, into, most=100_000)
        assert announced or into.stat().st_size < 1_000_000


@pytest.mark.parametrize("status", [403, 404, 429, 500])
async def test_a_refusal_is_told_with_its_status(into: Path, status: int) -> None:
    async with raw_server(f"HTTP/1.1 {status} go \u202e away\r\n\r\n".encode()) as url:
        assert f"the server answers {status} go \\u202e away" in await refused(url, into)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n+1800",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n+1800\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n+1800",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n"
        + gzip.compress(LIST)[:-9],
    ],
    ids=["length", "chunks", "in a chunk", "gzip"],
)
async def test_what_is_cut_off_is_noticed(into: Path, head: bytes) -> None:
    async with raw_server(head) as url:
        assert "is cut off" in await refused(url, into)


@pytest.mark.parametrize(
    "said",
    [b"", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n+1800"],
    ids=["at once", "in the head", "in the list"],
)
async def test_a_server_that_stalls_is_left(into: Path, said: bytes) -> None:
    async with raw_server(said, stays=True) as url:
        assert "nothing came for 0.3 seconds" in await refused(url, into, stalled=0.3)


async def test_a_server_that_trickles_is_left_when_the_time_is_up(into: Path) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"1")
            await asyncio.sleep(0.01)

    async with server(answer) as address:
        patience = Patience(total=0.3, stalled=0.2)
        with pytest.raises(ListError, match=r"took longer than 0\.3 seconds"):
            await fetch(Request(url=address, most=1_000_000, patience=patience), into)


@pytest.mark.parametrize(
    "content", [b"", b"\x00" * 50, b"SSH-2.0-x\r\n", b"HTTP/1.1 999999 \r\n\r\n"]
)
async def test_what_is_no_web_server_is_told_on_one_line(into: Path, content: bytes) -> None:
    async with raw_server(content) as url:
        assert await refused(url, into)


async def test_a_server_that_is_not_there_is_told_on_one_line(into: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        assert "cannot be fetched" in await refused(url, into)


@pytest.mark.parametrize(
    ("location", "complaint"),
    [
        ("http://127.0.0.1:1/list", "only https is followed"),
        ("/elsewhere", "only https is followed"),
        ("file:///etc/passwd", "only https is followed"),
        ("", "only https is followed"),
        ("http://[", "only https is followed"),
        ("https://127.0.0.1/list", "127.0.0.1, which is no public address"),
        ("https://[::1]/list", "::1, which is no public address"),
        ("https://[::ffff:127.0.0.1]/list", "which is no public address"),
        ("https://[64:ff9b::7f00:1]/list", "which is no public address"),
        ("https://[2002:7f00:1::]/list", "which is no public address"),
        ("https://192.168.0.1/list", "which is no public address"),
        ("https://169.254.169.254/latest", "which is no public address"),
        ("https://0.0.0.0/list", "which is no public address"),
        ("https://localhost/list", "which is no public address"),
        ("https://LOCALHOST/list", "which is no public address"),
        ("https://127.1/list", "not a canonical IPv4 address"),
        ("https://2130706433/list", "not a canonical IPv4 address"),
        ("https://0x7f.1/list", "which is no public address"),
    ],
)
async def test_no_redirect_leads_to_this_machine_or_its_neighbours(
    into: Path, location: str, complaint: str
) -> None:
    asked = 0

    async def answer(_: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return web.Response(status=302, headers={"Location": location})

    async with server(answer) as address:
        assert complaint in await refused(address, into)
    assert asked == 1


def test_a_redirect_to_a_public_host_is_followed_without_what_was_meant_for_the_first() -> None:
    url = fetching._next(URL("http://nas.lan/list"), "https://user@lists.example.org/new?x=1")
    assert url == URL("https://lists.example.org/new?x=1")
