"""WebDAV, as much of it as reads an address book: requests, within limits."""

from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, NamedTuple
from xml.etree import ElementTree as ET

import aiohttp
from yarl import URL

from screener.books.contact import BookError
from screener.books.multistatus import Multistatus, Resource
from screener.domain.inert import inert

MOST_REDIRECTS: Final = 5
_CONNECT_SECONDS: Final = 10.0
_SILENT_SECONDS: Final = 20.0
_PIECE: Final = 1 << 16
_REDIRECTS: Final = frozenset({301, 302, 307, 308})
_ABSENT: Final = frozenset({404, 405, 410, 501})

Account = tuple[str, str]  # user and password


class Limits(NamedTuple):
    """How long one request may take, in seconds, and how large its answer may be, in bytes."""

    seconds: float = 60.0
    largest: int = 32 << 20


USUAL: Final = Limits()


class NotThereError(BookError):
    """The server has nothing of this kind at this address."""


class TooLargeError(BookError):
    """The answer is larger than the limit."""


class Dav:
    """One server, and the account there.

    Its password goes to that server alone, and never in clear where the address is one of TLS.
    """

    def __init__(
        self, http: aiohttp.ClientSession, url: URL, account: Account, largest: int
    ) -> None:
        self._http = http
        self._url = url
        self._largest = largest
        user, password = account
        self._authorization = "Basic " + b64encode(f"{user}:{password}".encode()).decode("ascii")

    async def ask(self, method: str, url: URL, depth: int, body: str) -> list[Resource]:
        """Return what the server says of the resources at an address; BookError if it does not."""
        for _ in range(MOST_REDIRECTS):
            self._trust(url)
            async with self._answer(method, url, depth, body) as answer:
                if answer.status not in _REDIRECTS:
                    return await _resources(answer, url, self._largest)
                url = url.join(URL(answer.headers.get("Location", "")))
        raise BookError(f"redirects more than {MOST_REDIRECTS} times")

    @asynccontextmanager
    async def _answer(
        self, method: str, url: URL, depth: int, body: str
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        headers = {
            "Authorization": self._authorization,
            "Content-Type": 'application/xml; charset="utf-8"',
            "Depth": str(depth),
            "Accept-Encoding": "identity",
        }
        async with self._http.request(
            method, url, data=body.encode(), headers=headers, allow_redirects=False
        ) as answer:
            yield answer

    def _trust(self, url: URL) -> None:
        """Raise BookError where the password must not go."""
        home, host = self._url.host or "", url.host or ""
        # Large providers keep each account on a machine of its own, beside the one that is known.
        siblings = home.count(".") > 1 and host.endswith("." + home.partition(".")[2])
        safe = url.scheme == "https" or url.scheme == self._url.scheme == "http"
        beside = siblings and url.scheme == "https" and not home.replace(".", "").isdigit()
        same_door = host == home and (url.scheme != self._url.scheme or url.port == self._url.port)
        if not (safe and (same_door or beside)):
            raise BookError(
                f"sends us on to {inert(str(url), 100)}, where the password must not go"
            )


def client(seconds: float) -> aiohttp.ClientSession:
    """Return a client whose requests take so long at most; to be used as ``async with``."""
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(
            total=seconds, connect=_CONNECT_SECONDS, sock_read=_SILENT_SECONDS
        ),
        auto_decompress=False,  # nothing small becomes large here
        cookie_jar=aiohttp.DummyCookieJar(),
    )


async def _resources(answer: aiohttp.ClientResponse, url: URL, largest: int) -> list[Resource]:
    if answer.status == 401:
        raise BookError("refuses user and password")
    if answer.status in _ABSENT:
        raise NotThereError(f"has nothing at {inert(url.path, 100)} ({answer.status})")
    if answer.status != 207:
        raise BookError(
            f"answers {answer.status} at {inert(url.path, 100)}, and not as CardDAV does"
        )
    seen = Multistatus(url)
    parser = seen.parser()
    length = 0
    try:
        async for piece in answer.content.iter_chunked(_PIECE):
            length += len(piece)
            if length > largest:
                raise TooLargeError(f"answers with more than {largest / (1 << 20):g} MB")
            parser.feed(piece)
        parser.close()
    except ET.ParseError as error:
        raise BookError(f"answers with what is no XML: {error}") from error
    return seen.resources
