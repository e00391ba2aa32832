"""Fetches a list over HTTP: limited in time and size, and never led to a private host."""

import asyncio
import contextlib
import ipaddress
import socket
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from screener.domain.inert import inert
from screener.shared.errors import ListError, too_large

MOST_REDIRECTS: Final = 5
_PIECE: Final = 1 << 16
# NAT64 and 6to4: an IPv4 address within, private ones too.
_LEADING_ELSEWHERE: Final = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "2002::/16")))
_MOVED: Final = {301, 302, 303, 307, 308}

Progress = Callable[[int, int | None], None]
"""Told how many bytes have come, and of how many, None where the server does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a list may take, in seconds: in all, and without a single byte coming."""

    total: float = 900.0
    stalled: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to fetch: at most so many bytes; the headers go to the host of the URL only."""

    url: str
    most: int
    headers: Mapping[str, str] = field(default_factory=dict)
    patience: Patience = field(default_factory=Patience)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What came; ``unchanged`` where the server said that there is nothing new."""

    unchanged: bool = False
    etag: str = ""
    last_modified: str = ""


def _unwatched(_come: int, _of: int | None) -> None:
    """Show no progress."""


async def fetch(request: Request, into: Path, progress: Progress = _unwatched) -> Fetched:
    """Write what a URL holds into a file.

    A redirect is followed to public hosts by https only, whatever the URL itself is. ListError
    where the answer is late, too large, cut off, or no list.
    """
    patience = request.patience
    try:
        async with asyncio.timeout(patience.total):
            return await _follow(request, into, progress)
    except aiohttp.ServerTimeoutError:
        raise ListError(f"nothing came for {patience.stalled:g} seconds") from None
    except TimeoutError:
        raise ListError(f"took longer than {patience.total:g} seconds") from None
    except aiohttp.ClientPayloadError:
        raise ListError("is cut off: the server sent less than it announced") from None
    except (aiohttp.ClientError, zlib.error, ValueError) as error:
        raise ListError(f"cannot be fetched: {inert(str(error), 150)}") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise ListError(f"cannot be fetched: {inert(reason, 150)}") from None


async def _follow(request: Request, into: Path, progress: Progress) -> Fetched:
    url = URL(request.url)
    for hop in range(MOST_REDIRECTS + 1):
        headers = {} if hop else request.headers
        async with _asked(url, headers, request.patience, public=hop > 0) as response:
            if response.status in _MOVED:
                url = _next(url, response.headers.get("Location", ""))
                continue
            if response.status == 304 and not hop:
                return Fetched(unchanged=True)
            if response.status != 200:
                reason = inert(response.reason or "", 60)
                raise ListError(f"cannot be fetched: the server answers {response.status} {reason}")
            await _save(response, into, request.most, progress)
            return Fetched(
                etag=response.headers.get("ETag", "")[:200],
                last_modified=response.headers.get("Last-Modified", "")[:100],
            )
    raise ListError(f"is redirected more than {MOST_REDIRECTS} times")


@contextlib.asynccontextmanager
async def _asked(
    url: URL, headers: Mapping[str, str], patience: Patience, *, public: bool
) -> AsyncIterator[aiohttp.ClientResponse]:
    limits = aiohttp.ClientTimeout(
        total=None, sock_connect=patience.stalled, sock_read=patience.stalled
    )
    resolver = _Public() if public else None
    async with (
        aiohttp.TCPConnector(resolver=resolver) as connector,
        aiohttp.ClientSession(
            connector=connector, timeout=limits, auto_decompress=False, trust_env=False
        ) as client,
        client.get(
            url,
            headers={"User-Agent": "landline-screener", "Accept-Encoding": "gzip", **headers},
            allow_redirects=False,
        ) as response,
    ):
        yield response


async def _save(
    response: aiohttp.ClientResponse, into: Path, most: int, progress: Progress
) -> None:
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in {"identity", "", "gzip", "x-gzip"}:
        raise ListError(f"comes packed in a way nobody asked for: {inert(encoding, 40)}")
    unpack = zlib.decompressobj(wbits=31) if "gzip" in encoding else None
    come = written = 0
    if (response.content_length or 0) > most:
        raise ListError(too_large(most))
    with into.open("wb") as file:
        async for piece in response.content.iter_chunked(_PIECE):
            come += len(piece)
            progress(come, response.content_length)
            packed = piece
            while packed:
                out = unpack.decompress(packed, _PIECE) if unpack else packed
                packed = unpack.unconsumed_tail if unpack else b""
                written += file.write(out)
                if written > most:
                    raise ListError(too_large(most))
    if unpack and not unpack.eof:
        raise ListError("is cut off: its end is missing")


def _next(url: URL, location: str) -> URL:
    """Return where a redirect leads; ListError unless it is https to a host that may be public."""
    try:
        target = url.join(URL(location))
        host = target.host or ""
    except ValueError:
        host = ""
    if not host or target.scheme != "https":
        raise ListError(f"is redirected to {inert(location, 80)}: only https is followed")
    with contextlib.suppress(ValueError):
        _must_be_public(ipaddress.ip_address(host))
    return target.with_user(None)


def _must_be_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    mapped = getattr(address, "ipv4_mapped", None)
    within = any(address in each for each in _LEADING_ELSEWHERE if each.version == address.version)
    if within or not (mapped or address).is_global or address.is_multicast:
        raise ListError(f"is redirected to {address}, which is no public address")


class _Public(AbstractResolver):
    """Resolves names, but not to this machine or its neighbours, whatever the name says."""

    def __init__(self) -> None:
        self._names = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._names.resolve(host, port, family)
        for each in found:
            _must_be_public(ipaddress.ip_address(each["host"].partition("%")[0]))
        return found

    async def close(self) -> None:
        await self._names.close()
