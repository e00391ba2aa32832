"""What every kind of address book is read into: people with their numbers, and what was wrong."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from screener.domain.numbers import Country

LONGEST_NAME = 200  # characters of a name that are kept
MOST_NUMBERS = 100  # of one person
MOST_FAULTS = 1000  # faults told one by one; the others are only counted
OF_BOOK = "book "  # what the origin of a book's entries begins with
WIDE_SPACE = "\u3000"

Progress = Callable[[int], None]  # told how many bytes were read since it was told last


class BookError(Exception):
    """An address book that cannot be read or written; str() says on one line which and why."""


class Source(NamedTuple):
    """Whose book is read, with which country's numbers, and when; ``origin`` as entries have it."""

    origin: str
    country: Country
    now: datetime


class Stamp(NamedTuple):
    """What the screener's own export says of an entry, as it stands in the file."""

    list_name: str
    origin: str
    since: str
    expires: str


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody in an address book. ``place`` says where, as ``line 12``; numbers are as written.

    ``stamp`` is what an export of the screener says beside name and number, None in other books.
    """

    place: str
    name: str
    numbers: tuple[str, ...]
    stamp: Stamp | None = None


@dataclass(slots=True)
class Faults:
    """What was wrong in a book: how often, and where for the first of them."""

    total: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, place: str, fault: str) -> None:
        """Count a fault, and keep it with its place unless there are very many already."""
        self.total += 1
        if len(self.first) < MOST_FAULTS:
            self.first.append(f"{place}: {fault}")


def one_line(text: str) -> str:
    """Return a name as it is kept: visible characters on one line, at most ``LONGEST_NAME``."""
    # Normal names are short; what follows need not read ten megabytes to cut them.
    read = text[: 8 * LONGEST_NAME]
    seen = "".join(c if c.isprintable() or c == WIDE_SPACE else " " for c in read)
    return re.sub(" +", " ", seen).strip()[:LONGEST_NAME].strip()
