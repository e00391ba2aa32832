"""A file of people and their numbers, of any kind, as entries of the household's lists."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from screener.books import table, vcard
from screener.books.contact import (
    MOST_NUMBERS,
    OF_BOOK,
    BookError,
    Contact,
    Faults,
    Progress,
    Source,
    one_line,
)
from screener.books.entry import allowed, exported, number_of
from screener.books.lines import byte_lines, encoding_of
from screener.domain.inert import inert
from screener.domain.lists import Entry
from screener.domain.numbers import Country

LARGEST_BOOK: Final = 200_000  # numbers


@dataclass(slots=True)
class Book:
    """What came out of an address book: entries by number, how many people, what was left out.

    ``exported`` tells that it is an export of the screener, whose entries keep list and origin.
    ``mended`` numbers had lost their first 0, ``repeated`` ones came more than once.
    """

    entries: dict[str, Entry] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    exported: bool = False
    contacts: int = 0
    without_number: int = 0
    repeated: int = 0
    mended: int = 0


def origin_of(name: str) -> str:
    """Return the origin of a book's entries; ValueError for a name that is not fit to be shown."""
    if not name or one_line(name) != name:
        raise ValueError("a book's name is 1 to 200 visible characters")
    return OF_BOOK + name


def read_book(path: Path, source: Source, progress: Progress) -> Book:
    """Return what a file of vCards or CSV holds; BookError if it cannot be read or is no book.

    Memory is bounded by the numbers in it. ``progress`` is told of the bytes as they are read.
    """
    shown = inert(str(path), 200)
    book = Book()
    try:
        if not path.is_file():
            raise BookError("is no file")
        with path.open("rb") as file:
            return collect(_contacts(file, source.country, book.faults, progress), book, source)
    except BookError as error:
        raise BookError(f"{shown} {error}") from None
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        raise BookError(f"{shown} cannot be read: {said}") from error


def legacy_encoding(country: Country) -> str:
    """Return what people of this country saved text in before there was Unicode."""
    return "cp932" if country.code == "JP" else "cp1252"


def _contacts(
    file: IO[bytes], country: Country, faults: Faults, progress: Progress
) -> Iterator[Contact]:
    legacy = legacy_encoding(country)
    start = file.read(4096).replace(b"\0", b"").upper()  # without what UTF-16 puts between
    file.seek(0)
    if b"BEGIN:VCARD" in start:
        return vcard.cards(byte_lines(file, progress), faults, legacy)
    encoding = encoding_of(file, legacy)
    return table.rows(byte_lines(file, progress), encoding, faults)


def collect(contacts: Iterable[Contact], book: Book, source: Source) -> Book:
    """Put people into a book, and return it; BookError without a number, or with far too many.

    A number that comes more than once is noted under the first name that comes with it.
    """
    for contact in contacts:
        book.contacts += 1
        book.without_number += not contact.numbers
        if book.contacts == 1:
            book.exported = contact.stamp is not None
        if len(contact.numbers) > MOST_NUMBERS:
            book.faults.add(contact.place, f"more than {MOST_NUMBERS} numbers, left out")
            continue
        for text in contact.numbers:
            try:
                entry = _entry(contact, text, book, source)
            except ValueError as error:
                book.faults.add(contact.place, str(error))
                continue
            book.repeated += entry.number in book.entries
            book.entries.setdefault(entry.number, entry)
        if len(book.entries) > LARGEST_BOOK:
            raise BookError(f"has more than {LARGEST_BOOK} numbers, as no household's has")
    if not book.entries:
        why = f": {book.faults.first[0]}" if book.faults.first else ""
        raise BookError(f"holds no telephone number that a caller could show{why}")
    return book


def _entry(contact: Contact, text: str, book: Book, source: Source) -> Entry:
    if book.exported is not (contact.stamp is not None):
        raise ValueError("a file is an export of the screener as a whole, or not at all")
    if contact.stamp is not None:
        return exported(contact, contact.stamp, text, source.country)
    read = number_of(text, source.country)
    book.mended += read.mended
    return allowed(contact, read.number, source)
