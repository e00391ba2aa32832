"""What a WebDAV server answers: resources and their properties, however it is written."""

from dataclasses import dataclass, field
from typing import Any, Final, NoReturn
from xml.etree import ElementTree as ET

from yarl import URL

from screener.books.contact import BookError

DAV: Final = "{DAV:}"
CARDDAV: Final = "{urn:ietf:params:xml:ns:carddav}"
RESOURCE_TYPE: Final = f"{DAV}resourcetype"
VERSION: Final = f"{DAV}getetag"
PRINCIPAL: Final = f"{DAV}current-user-principal"
HOME_SET: Final = f"{CARDDAV}addressbook-home-set"
CARD: Final = f"{CARDDAV}address-data"
PROPERTIES: Final = frozenset({RESOURCE_TYPE, VERSION, PRINCIPAL, HOME_SET, CARD})
"""What is asked for, and all that is read of an answer."""
COLLECTION: Final = f"{DAV}collection"
ADDRESS_BOOK: Final = f"{CARDDAV}addressbook"

MOST_RESOURCES: Final = 100_000  # in one answer; no household has as many cards
_DEEPEST: Final = 50  # elements in one another
_MOST_INSIDE: Final = 100  # elements in a property


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
    """Something on the server: its address as the server writes it, and the properties it has.

    ``absent``: the server says that it, or a property asked for, is not there.
    """

    found_at: URL
    href: str = ""
    absent: bool = False
    properties: dict[str, Property] = field(default_factory=dict)

    @property
    def url(self) -> URL:
        """The whole address; ValueError if it is none."""
        return self.found_at.join(URL(self.href, encoded=True))

    def is_a(self, kind: str) -> bool:
        """Tell whether it is of this type, such as an address book."""
        types = self.properties.get(RESOURCE_TYPE, Property())
        return any(tag == kind for tag, _ in types.inside)


class Multistatus:
    """What a parser tells of an answer, gathered into resources."""

    def __init__(self, url: URL) -> None:
        self.resources: list[Resource] = []
        self._url = url
        self._path: list[str] = []
        self._texts: list[list[str]] = []
        self._properties: dict[str, Property] = {}
        self._status = ""

    def parser(self) -> ET.XMLParser:
        """Return a parser that tells all it reads to this."""
        return ET.XMLParser(target=self)  # noqa: S314  (doctype refuses what S314 warns of)

    def doctype(self, *_: Any) -> NoReturn:
        """Refuse entities: an answer of CardDAV has none, and a bomb is made of them."""
        raise BookError("answers with a document type, as CardDAV never does")

    def start(self, tag: str, _: dict[str, str]) -> None:
        """Note that an element begins."""
        self._path.append(tag)
        self._texts.append([])
        if len(self._path) > _DEEPEST or len(self.resources) > MOST_RESOURCES:
            raise BookError("answers with more than an address book is")
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
        elif parent == f"{DAV}response" and tag == f"{DAV}status":
            self._note_absence(text)
        elif parent == f"{DAV}propstat" and tag == f"{DAV}status":
            self._status = text
            self._note_absence(text)
        elif parent == f"{DAV}response" and tag == f"{DAV}propstat":
            if " 200" in self._status:
                self.resources[-1].properties |= self._properties
        elif f"{DAV}prop" in self._path:
            self._take(self._path[self._path.index(f"{DAV}prop") + 1 :], tag, text)

    def _note_absence(self, status: str) -> None:
        if " 404" in status or " 410" in status:
            self.resources[-1].absent = True

    def _take(self, outer: list[str], tag: str, text: str) -> None:
        """Take a property, or what is in one."""
        name = outer[0] if outer else tag
        if name not in PROPERTIES:
            return
        found = self._properties.setdefault(name, Property())
        if not outer:
            found.text = text
        elif len(found.inside) < _MOST_INSIDE:
            found.inside.append((tag, text))

    def close(self) -> None:
        """Nothing is left to do."""
