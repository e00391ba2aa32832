"""Shared lists for tests: sources, terms and updates with everything said that matters."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from screener.domain.numbers import country
from screener.shared.compiled import FraudList
from screener.shared.fetch import Patience
from screener.shared.formats import Format
from screener.shared.job import Job, Source, Terms
from screener.shared.limits import Limits
from screener.shared.shelf import Shelf
from screener.shared.update import Agree, Outcome, update

JP = country("JP")
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HEADER = "number,source,date,note\n"


def terms(**changes: Any) -> Terms:
    """The terms of these tests; limits and all others by their names."""
    limits = {
        name: changes.pop(name)
        for name in ("country", "shortest", "shortest_domestic", "own", "allowed")
        if name in changes
    }
    return Terms(
        limits=Limits(**{"country": JP, "shortest": 4, "shortest_domestic": 9, **limits}),
        **{
            "largest_change": 50,
            "smallest_change": 100,
            "most_bytes": 1_000_000,
            "most_numbers": 100_000,
            "patience": Patience(total=5, stalled=0.3),
            **changes,
        },
    )


def yes(_change: str) -> bool:
    return True


def no(_change: str) -> bool:
    return False


async def updated(
    shelf: Shelf,
    place: str | Path,
    kind: Format = Format.CSV,
    *,
    agree: Agree = no,
    now: datetime = NOW,
    under: Terms | None = None,
    **source: Any,
) -> Outcome:
    """Update the list of a shelf from a place."""
    origin = Source(name="test", place=str(place), format=kind, **source)
    return await update(Job(source=origin, terms=under or terms(), now=now), shelf, agree)


def current(shelf: Shelf) -> FraudList:
    """The list that counts, which must be there and whole."""
    found, complaint = shelf.current()
    assert not complaint
    assert found is not None
    return found


def numbers(shelf: Shelf) -> list[str]:
    """All entries of the list that counts, in its order."""
    return [entry.number for entry in current(shelf).entries()]


def csv_of(numbers: Sequence[str]) -> str:
    """Plain CSV with these numbers."""
    return HEADER + "".join(f"{number},made up,2026-11-22,\n" for number in numbers)


def many(count: int) -> list[str]:
    """So many numbers that are nobody's in Japan."""
    return [f"+1800555{number:04}" for number in range(count)]
