"""An address book on a CardDAV server, such as the household's telephones keep in step with."""

import asyncio
import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final
from xml.sax.saxutils import escape

import aiohttp
from yarl import URL

from screener.books import vcard
from screener.books.book import Book, collect, legacy_encoding
from screener.books.contact import BookError, Contact, Faults, Source
from screener.books.dav import USUAL, Dav, Limits, NotThereError, TooLargeError, client
from screener.books.lines import byte_lines
from screener.books.multistatus import (
    ADDRESS_BOOK,
    CARD,
    COLLECTION,
    HOME_SET,
    PRINCIPAL,
    VERSION,
    Property,
    Resource,
)
from screener.domain.inert import inert
from screener.domain.lists import ListName
from screener.domain.numbers import Country

SYNC_SECONDS: Final = 600.0  # for all of it
_AT_ONCE: Final = 50  # cards in one request; with photos they are large
_HEAD: Final = '<?xml version="1.0" encoding="utf-8"?>\n'
_SPACES: Final = 'xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"'
_WHAT_IT_IS: Final = (
    f"{_HEAD}<propfind {_SPACES}><prop><resourcetype/><current-user-principal/>"
    "<C:addressbook-home-set/></prop></propfind>"
)
_VERSIONS: Final = f"{_HEAD}<propfind {_SPACES}><prop><resourcetype/><getetag/></prop></propfind>"
_WELL_KNOWN: Final = "/.well-known/carddav"

_Known = dict[str, tuple[str, list[Contact]]]  # by address: the version, and who is on the card


class CardDavBook:
    """All address books at an address: a server's, an account's, or one book.

    What was read is remembered, so that reading again asks only for what has changed.
    """

    def __init__(
        self,
        url: str,
        user: str,
        password: Callable[[], str],
        *,
        origin: str,
        limits: Limits = USUAL,
    ) -> None:
        self.origin = origin
        self._url = URL(url)
        self._user = user
        self._password = password
        self._limits = limits
        self._known: _Known = {}

    async def read(self, country: Country, now: datetime) -> Book:
        """Return the book as it is now; BookError, naming the server, if that cannot be had.

        ``password`` is asked every time, and may raise BookError.
        """
        book, source = Book(), Source(self.origin, country, now)
        try:
            async with asyncio.timeout(SYNC_SECONDS), client(self._limits.seconds) as http:
                account = (self._user, self._password())
                dav = Dav(http, self._url, account, self._limits.largest)
                contacts = await self._contacts(dav, book, source)
            return await asyncio.to_thread(collect, contacts, book, source)
        except TimeoutError:
            said = "takes too long to answer"
        except (BookError, aiohttp.ClientError, ValueError) as error:
            said = inert(str(error), 200)
        raise BookError(f"address book {inert(str(self._url), 200)}: {said}")

    async def _contacts(self, dav: Dav, book: Book, source: Source) -> list[Contact]:
        now: _Known = {}
        for place in await _books(dav, self._url):
            versions = await _versions(dav, place)
            old = {
                href: self._known[href]
                for href, version in versions.items()
                if version and self._known.get(href, ("", []))[0] == version
            }
            now |= old
            changed = [href for href in versions if href not in old]
            for start in range(0, len(changed), _AT_ONCE):
                batch = changed[start : start + _AT_ONCE]
                for href, card in await _cards(dav, place, batch, book.faults):
                    people = await asyncio.to_thread(_people, href, card, book.faults, source)
                    now[href] = (versions[href], people)
        self._known = now
        return [person for href in sorted(now) for person in now[href][1]]


async def _books(dav: Dav, url: URL) -> list[URL]:
    """Return where the address books are; BookError if there is none."""
    starts = [url.with_path(_WELL_KNOWN), url] if url.path in {"", "/"} else [url]
    for start in starts:
        try:
            found = await dav.ask("PROPFIND", start, 0, _WHAT_IT_IS)
        except NotThereError:
            continue
        for resource in found[:1]:
            if resource.is_a(ADDRESS_BOOK):
                return [resource.url]
            homes = _home_set(resource) or await _home_set_of_principal(dav, resource)
            inside = [
                each for home in homes for each in await dav.ask("PROPFIND", home, 1, _WHAT_IT_IS)
            ]
            if books := [each.url for each in inside if each.is_a(ADDRESS_BOOK)]:
                return list(dict.fromkeys(books))
    raise BookError("there is no address book there; give the address of the book itself")


def _home_set(resource: Resource) -> list[URL]:
    homes = resource.properties.get(HOME_SET, Property())
    return [resource.url.join(URL(href, encoded=True)) for href in homes.hrefs()]


async def _home_set_of_principal(dav: Dav, resource: Resource) -> list[URL]:
    principals = resource.properties.get(PRINCIPAL, Property())
    for href in principals.hrefs()[:1]:
        principal = resource.url.join(URL(href, encoded=True))
        for found in (await dav.ask("PROPFIND", principal, 0, _WHAT_IT_IS))[:1]:
            return _home_set(found)
    return []


async def _versions(dav: Dav, book: URL) -> dict[str, str]:
    """Return the address of every card with its version, "" where the server does not tell."""
    found = await dav.ask("PROPFIND", book, 1, _VERSIONS)
    cards = [each for each in found if not each.is_a(COLLECTION)]
    return {each.href: each.properties.get(VERSION, Property()).text for each in cards}


async def _cards(
    dav: Dav, book: URL, hrefs: Sequence[str], faults: Faults
) -> list[tuple[str, str]]:
    """Return the cards at these addresses; one that is too large is a fault and left out.

    BookError where the server says nothing of a card, or fails at it: whoever is on it is still in
    the book, and must not be taken off the allow list.
    """
    wanted = "".join(f"<href>{escape(href)}</href>" for href in hrefs)
    body = (
        f"{_HEAD}<C:addressbook-multiget {_SPACES}><prop><C:address-data/></prop>"
        f"{wanted}</C:addressbook-multiget>"
    )
    try:
        found = await dav.ask("REPORT", book, 1, body)
    except TooLargeError as error:
        if len(hrefs) == 1:
            faults.add(_place(hrefs[0]), f"the server {error} for it")
            return []
        middle = len(hrefs) // 2
        halves = (hrefs[:middle], hrefs[middle:])
        return [card for half in halves for card in await _cards(dav, book, half, faults)]
    asked = set(hrefs)
    cards = [
        (each.href, each.properties[CARD].text)
        for each in found
        if each.href in asked and CARD in each.properties
    ]
    gone = {each.href for each in found if each.absent}
    if missing := asked - gone - {href for href, _ in cards}:
        raise BookError(f"does not answer for {len(missing)} of {len(asked)} cards it has")
    return cards


def _people(href: str, card: str, faults: Faults, source: Source) -> list[Contact]:
    """Return who is on a card; what the screener exported of another list than allow is nobody."""
    lines = byte_lines(io.BytesIO(card.encode("utf-8", "replace")), lambda _: None)
    place, people, found = _place(href), list[Contact](), Faults()
    try:
        for person in vcard.cards(lines, found, legacy_encoding(source.country)):
            if person.stamp is None or person.stamp.list_name == ListName.ALLOW:
                people.append(replace(person, place=place, stamp=None))
            else:
                which = inert(person.stamp.list_name, 20)
                faults.add(place, f"was exported from the {which} list, and is left out")
    except BookError as error:
        faults.add(place, str(error))
    for fault in found.first:
        faults.add(place, fault.partition(": ")[2])
    return people


def _place(href: str) -> str:
    return f"card {inert(URL(href, encoded=True).name, 80)}"
