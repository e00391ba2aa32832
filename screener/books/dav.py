"""WebDAV, as much of it as reads an address book: properties of resources, within limits."""

from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, NoReturn
from xml.etree import ElementTree as ET

import aiohttp
from yarl import URL

from screener.books.contact import BookError
from screener.domain.inert import inert

DAV: Final = "{DAV:}"
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


@dataclass(slots=True)
class Property:
    """One property: its text, and the elements in it with theirs."""

    text: str = ""
    inside: list[tuple[str, str]] = field(default_factory=list)

    def hrefs(self) -> list[str]:
        """Return the addresses in it."""
        return [text.strip() for tag, text in self.inside if tag == f"{DAV}href" and text.strip()]


@dataclass(slots=True)
class Resource:
    """Something on the server: its address as the server writes it, and the properties it has."""

    found_at: URL
    href: str = ""
    properties: dict[str, Property] = field(default_factory=dict)

    @property
    def url(self) -> URL:
        """The whole address; ValueError if it is none."""
        return self.found_at.join(URL(self.href, encoded=True))

    def is_a(self, kind: str) -> bool:
        """Tell whether it is of this type, such as an address book."""
        types = self.properties.get(f"{DAV}resourcetype", Property())
        return any(tag == kind for tag, _ in types.inside)


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
    seen = _Multistatus(url)
    parser = ET.XMLParser(target=seen)  # noqa: S314  (refuses what could make little into much)
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


class _Multistatus:
    """What a parser tells of an answer, gathered into resources."""

    def __init__(self, url: URL) -> None:
        self.resources: list[Resource] = []
        self._url = url
        self._path: list[str] = []
        self._texts: list[list[str]] = []
        self._properties: dict[str, Property] = {}
        self._status = ""

    def doctype(self, *_: Any) -> NoReturn:
        """Refuse entities: an answer of CardDAV has none, and a bomb is made of them."""
        raise BookError("answers with a document type, as CardDAV never does")

    def start(self, tag: str, _: dict[str, str]) -> None:
        """Note that an element begins."""
        self._path.append(tag)
        self._texts.append([])
        if tag == f"{DAV}response":
            self.resources.append(Resource(found_at=self._url))
        elif tag == f"{DAV}propstat":
            self._properties, self._status = {}, ""

    def data(self, text: str) -> None:
        """Take text of the element that is open."""
        if self._texts:
            self._texts[-1].append(text)

    def end(self, tag: str) -> None:
        """Take the element that ends."""
        text = "".join(self._texts.pop())
        self._path.pop()
        parent = self._path[-1:] and self._path[-1]
        if parent == f"{DAV}response" and tag == f"{DAV}href":
            self.resources[-1].href = text.strip()
        elif parent == f"{DAV}propstat" and tag == f"{DAV}status":
            self._status = text
        elif parent == f"{DAV}response" and tag == f"{DAV}propstat":
            if " 200" in self._status:
                self.resources[-1].properties |= self._properties
        elif parent == f"{DAV}prop":
            self._properties.setdefault(tag, Property()).text = text
        elif f"{DAV}prop" in self._path:
            position = self._path.index(f"{DAV}prop") + 1
            self._properties.setdefault(self._path[position], Property()).inside.append((tag, text))

    def close(self) -> None:
        """Nothing is left to do."""
