"""A compiled list: one block of bytes with a checksum, looked up where it lies.

Sorted 64-bit keys, beside each the number of its note and its day; the notes are read only when
one is asked for. A million numbers take 14 MB, and nothing is built of them when they are loaded.
"""

import hashlib
import json
import struct
import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Final, Literal

from screener.domain.lists import Entry, ListName
from screener.shared.errors import Damaged
from screener.shared.keys import (
    MOST_DIGITS,
    midnight,
    number_key,
    number_of,
    pattern_key,
    pattern_of,
)

# The byte order is part of the mark: a file from another kind of machine is compiled again.
MAGIC: Final = b"FRAUD-1" + sys.byteorder[:1].encode()
_FIXED: Final = struct.Struct("=8sI32s")  # mark, length of the head, SHA-256 of all that follows


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusals:
    """How many entries one limit refused, and the first of them."""

    count: int
    examples: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What is known of a compiled list as a whole. Times are ISO 8601 with zone.

    ``dated`` is when its source says that it was made, ``taken_at`` when it was compiled here.
    ``lengths`` are those of what patterns fix, the longest first.
    ``digest`` stands for the source's content, ``terms`` for the settings it was compiled under.
    ``since`` and ``full_at`` belong to lists that come in increments: how far this one has come,
    and when it last came whole.
    """

    name: str
    version: str
    source: str
    dated: str
    taken_at: str
    digest: str
    terms: str
    numbers: int
    patterns: int
    notes: int
    note_bytes: int
    lengths: Sequence[int] = ()
    doubled: int = 0
    malformed: int = 0
    faults: Sequence[str] = ()
    refused: Mapping[str, Refusals] = field(default_factory=dict)
    signature: str = ""
    etag: str = ""
    last_modified: str = ""
    since: int | None = None
    full_at: str = ""

    @property
    def count(self) -> int:
        """How many entries the list has."""
        return self.numbers + self.patterns


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Entries side by side: keys in ascending order, beside each its note and its day."""

    keys: "array[int]"  # Q
    notes: "array[int]"  # I
    days: "array[int]"  # H


def compile_list(head: Head, numbers: Columns, patterns: Columns, notes: Sequence[bytes]) -> bytes:
    """Return a list as one block of bytes; ``head`` says how many there are of each."""
    # Found here and not when it is read: that happens beside an event loop.
    lengths = sorted({len(str(key >> 6)) - 1 for key in patterns.keys}, reverse=True)
    head = replace(head, lengths=lengths)
    ends = array("I", [0])
    for note in notes:
        ends.append(ends[-1] + len(note))
    text = json.dumps(asdict(head)).encode()
    text += b" " * (-(len(text) + _FIXED.size) % 8)
    follows = b"".join(
        [text, numbers.keys.tobytes(), patterns.keys.tobytes()]
        + [part.tobytes() for part in (numbers.notes, patterns.notes, ends)]
        + [part.tobytes() for part in (numbers.days, patterns.days)]
        + list(notes)
    )
    return _FIXED.pack(MAGIC, len(text), hashlib.sha256(follows).digest()) + follows


class FraudList:
    """One version of a shared list, as the policy asks it (domain.lists.SharedList)."""

    def __init__(self, content: bytes) -> None:
        """Read a compiled list; raises Damaged."""
        view = memoryview(content)
        self.head = head = _head(view)
        at = _FIXED.size + _FIXED.unpack_from(view)[1]

        def part(kind: Literal["Q", "I", "H", "B"], length: int) -> "memoryview[int]":
            nonlocal at
            begin, at = at, at + length * struct.calcsize("=" + kind)
            return view[begin:at].cast(kind)

        self._numbers = part("Q", head.numbers)
        pattern_keys = part("Q", head.patterns)
        self._number_notes = part("I", head.numbers)
        self._pattern_notes = part("I", head.patterns)
        self._note_ends = part("I", head.notes + 1)
        self._number_days = part("H", head.numbers)
        self._pattern_days = part("H", head.patterns)
        self._notes = part("B", head.note_bytes)
        if at != len(view):
            raise Damaged("its length is not what its head says")
        self._patterns = dict(zip(pattern_keys, range(head.patterns), strict=True))

    @property
    def name(self) -> str:
        """What the list is called in the settings."""
        return self.head.name

    @property
    def version(self) -> str:
        """Which state of the list this is."""
        return self.head.version

    def find(self, key: str) -> Entry | None:
        """Return the most exact entry that covers a caller's ``list_key``."""
        plus = key[:1] == "+"
        digits = key[1:] if plus else key
        if not (digits.isascii() and digits.isdigit()) or len(digits) > MOST_DIGITS:
            return None
        wanted = number_key(key)
        at = bisect_left(self._numbers, wanted)
        if at < len(self._numbers) and self._numbers[at] == wanted:
            return self._entry(key, self._number_notes[at], self._number_days[at])
        for length in self.head.lengths:
            if length >= len(digits):
                continue
            for free in (len(digits) - length, 0):
                found = self._patterns.get(pattern_key(digits[:length], free, plus=plus))
                if found is not None:
                    return self._pattern_entry(found, digits[:length], free, plus=plus)
        return None

    def rows(self) -> Iterator[tuple[int, int, str]]:
        """Yield the key, day and note of every number, in the order of their keys."""
        for key, note, day in zip(
            self._numbers, self._number_notes, self._number_days, strict=True
        ):
            yield key, day, self._note(note)

    def pattern_rows(self) -> Iterator[tuple[int, int, str]]:
        """Yield the key, day and note of every pattern, in the order of their keys."""
        for key, at in self._patterns.items():
            yield key, self._pattern_days[at], self._note(self._pattern_notes[at])

    def entries(self) -> Iterator[Entry]:
        """Yield every entry: patterns first, then numbers."""
        for key, day, note in self.pattern_rows():
            yield self._made(pattern_of(key), note, day)
        for key, day, note in self.rows():
            yield self._made(number_of(key), note, day)

    def _pattern_entry(self, at: int, digits: str, free: int, *, plus: bool) -> Entry:
        pattern = ("+" if plus else "") + digits + ("#" * free or "*")
        return self._entry(pattern, self._pattern_notes[at], self._pattern_days[at])

    def _entry(self, number: str, note: int, day: int) -> Entry:
        return self._made(number, self._note(note), day)

    def _made(self, number: str, note: str, day: int) -> Entry:
        return Entry(
            list_name=ListName.FRAUD,
            number=number,
            note=note,
            origin=self.head.name,
            added_at=midnight(day),
            version=self.head.version,
        )

    def _note(self, at: int) -> str:
        return bytes(self._notes[self._note_ends[at] : self._note_ends[at + 1]]).decode()


def _head(view: memoryview) -> Head:
    """Return the head of a compiled list whose checksum is right."""
    if len(view) < _FIXED.size:
        raise Damaged("it is cut off")
    mark, length, digest = _FIXED.unpack_from(view)
    if mark != MAGIC:
        raise Damaged("it is not a compiled list of this version and machine")
    if hashlib.sha256(view[_FIXED.size :]).digest() != digest:
        raise Damaged("its checksum is wrong")
    try:
        table = json.loads(bytes(view[_FIXED.size : _FIXED.size + length]))
        refused = {name: Refusals(**each) for name, each in table.pop("refused").items()}
        return Head(**table, refused=refused)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Damaged("its head cannot be read") from error


def taken_at(head: Head) -> datetime:
    """Return when a list was compiled here."""
    return datetime.fromisoformat(head.taken_at)
