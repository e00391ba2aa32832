"""Gathers the rows of a list: sorted, each entry once, in memory that grows little with them."""

import heapq
from array import array
from collections.abc import Iterator
from itertools import repeat
from typing import Final

from screener.domain.inert import inert
from screener.shared.compiled import Columns, FraudList
from screener.shared.errors import ListError
from screener.shared.keys import (
    MOST_DIGITS,
    MOST_FIXED,
    MOST_FREE,
    number_key,
    pattern_key,
    split_pattern,
)

MOST_PATTERNS: Final = 100_000
LONGEST_NOTE: Final = 160  # bytes
MOST_NOTE_BYTES: Final = 16_000_000
_RUN: Final = 300_000  # entries that are sorted at a time

# Beside its key an entry is one number of 64 bits: how often it came, whether it is gone, its day
# and its note. What comes more often than 15 bits can say is counted no further.
_NOTE_BITS, _DAY_BITS, _GONE_BITS = 32, 16, 1
_GONE: Final = 1 << (_NOTE_BITS + _DAY_BITS)
_ONCE: Final = _GONE << _GONE_BITS
_OFTEN: Final = 0x7FFF * _ONCE
_Run = tuple["array[int]", "array[int]"]  # keys in ascending order, and what stands beside each


class Gatherer:
    """Takes rows in any order; of several for one number the last counts."""

    def __init__(self, most_numbers: int) -> None:
        self._most = most_numbers
        self._numbers: dict[int, int] = {}
        self._patterns: dict[int, int] = {}
        self._runs: list[_Run] = []
        self._notes: dict[bytes, int] = {b"": 0}
        self._note_bytes = 0
        self.doubled = 0

    def begin_with(self, before: FraudList) -> None:
        """Take over the entries of a list, to be changed by what is added."""
        for key, day, note in before.rows():
            self._put(key, self._beside(day, note, gone=False))
        for key, day, note in before.pattern_rows():
            self._patterns[key] = self._beside(day, note, gone=False)

    def add(self, entry: str, day: int, note: str, *, gone: bool = False) -> None:
        """Add a number or a pattern, or take it out where it is gone.

        Raises ValueError for what a compiled list cannot hold, ListError where it grows too long.
        """
        beside = self._beside(day, note, gone=gone)
        if entry[-1] not in "*#":
            if len(entry) > MOST_DIGITS + 1:
                raise ValueError(f"more than {MOST_DIGITS} digits")
            self._put(number_key(entry), beside)
            return
        digits, free, plus = split_pattern(entry)
        if not 0 < len(digits) <= MOST_FIXED or free > MOST_FREE:
            raise ValueError("a pattern that is too long")
        self._patterns[pattern_key(digits, free, plus=plus)] = beside
        if len(self._patterns) > MOST_PATTERNS:
            raise ListError(f"more than {MOST_PATTERNS} patterns")

    def numbers(self, least: int) -> Columns:
        """Return the numbers that came at least so often and are not gone."""
        self._end_run()
        found = _columns()
        for key, beside in self._merged():
            times = beside // _ONCE
            self.doubled += times - 1
            if times >= least:
                _append(found, key, beside)
            if len(found.keys) > self._most:
                raise ListError(f"more than {self._most} numbers (see [lists] most_numbers)")
        return found

    def patterns(self) -> Columns:
        """Return the patterns that are not gone."""
        found = _columns()
        for key, beside in sorted(self._patterns.items()):
            _append(found, key, beside)
        return found

    @property
    def notes(self) -> list[bytes]:
        """All notes, in the order in which the entries count them."""
        return list(self._notes)

    def _beside(self, day: int, note: str, *, gone: bool) -> int:
        return _ONCE + gone * _GONE + (day << _NOTE_BITS) + self._note(note)

    def _note(self, note: str) -> int:
        text = (note if note.isprintable() else inert(note)).encode(errors="replace")
        if len(text) > LONGEST_NOTE:
            text = text[: LONGEST_NOTE - 3].decode(errors="ignore").encode() + "…".encode()
        at = self._notes.get(text)
        if at is None:
            if self._note_bytes + len(text) > MOST_NOTE_BYTES:
                return 0
            self._note_bytes += len(text)
            at = self._notes[text] = len(self._notes)
        return at

    def _put(self, key: int, beside: int) -> None:
        before = self._numbers.get(key)
        self._numbers[key] = beside if before is None else _later(before, beside)
        if len(self._numbers) >= _RUN:
            self._end_run()

    def _end_run(self) -> None:
        keys = array("Q", sorted(self._numbers))
        self._runs.append((keys, array("Q", map(self._numbers.__getitem__, keys))))
        self._numbers.clear()

    def _merged(self) -> Iterator[tuple[int, int]]:
        """Yield each key once, in ascending order; where runs share one, the last run counts."""
        rows = heapq.merge(*(zip(run[0], repeat(at), run[1]) for at, run in enumerate(self._runs)))
        last, kept = -1, 0
        for key, _, beside in rows:
            if key == last:
                kept = _later(kept, beside)
                continue
            if last >= 0:
                yield last, kept
            last, kept = key, beside
        if last >= 0:
            yield last, kept


def _columns() -> Columns:
    return Columns(keys=array("Q"), notes=array("I"), days=array("H"))


def _append(columns: Columns, key: int, beside: int) -> None:
    if not beside & _GONE:
        columns.keys.append(key)
        columns.notes.append(beside & ((1 << _NOTE_BITS) - 1))
        columns.days.append(beside >> _NOTE_BITS & ((1 << _DAY_BITS) - 1))


def _later(before: int, after: int) -> int:
    """Return what counts of two rows for one number: the later, and how often both came."""
    times = before // _ONCE + after // _ONCE
    return after % _ONCE + min(times * _ONCE, _OFTEN)
