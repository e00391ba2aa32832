"""The shared list of fraud numbers, read from a CSV file that anyone can edit."""

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from screener.domain.inert import inert
from screener.domain.lists import Entry, ListName, patterns_covering
from screener.store.file import StoreError

COLUMNS = ["number", "source", "date", "note"]


@dataclass(frozen=True, slots=True)
class FraudList:
    """The numbers of the list, and what is wrong with the lines that were left out."""

    entries: Mapping[str, Entry]
    faults: list[str]
    name: str = "fraud list"
    version: str = ""

    def find(self, key: str) -> Entry | None:
        """Return the most exact entry that covers a caller."""
        return next(
            (self.entries[each] for each in patterns_covering(key) if each in self.entries), None
        )


def read_fraud_list(path: Path, parse: Callable[[str], str]) -> FraudList:
    """Return the fraud list of a file: UTF-8, the header ``number,source,date,note``, a line each.

    ``parse`` turns the number into the form that lists use, or raises ValueError. The date is
    ISO 8601 or empty. Empty lines and lines that begin with ``#`` count for nothing; a malformed
    one, or a number seen before, is left out and told with its line. StoreError if the file
    cannot be read or is not such a list.
    """
    lines = _lines(path)
    _, header = next(lines, (0, ""))
    if [column.strip() for column in header.split(",")] != COLUMNS:
        raise StoreError(
            f"fraud list {inert(str(path))} does not begin with the line {','.join(COLUMNS)}"
        )
    entries: dict[str, Entry] = {}
    faults: list[str] = []
    for number, line in lines:
        try:
            entry = _entry(line, path, parse)
            if entry.number in entries:
                raise ValueError(f"{inert(entry.number)} stands here twice")
        except (ValueError, csv.Error) as error:
            faults.append(f"line {number}: {inert(str(error), 200)}")
        else:
            entries[entry.number] = entry
    return FraudList(entries=entries, faults=faults)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines that count, each with its number, counted from 1."""
    name = inert(str(path))
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise StoreError(f"fraud list {name} cannot be read: {error.strerror}") from error
    except UnicodeError as error:
        raise StoreError(f"fraud list {name} is not UTF-8; save it as CSV in UTF-8") from error
    except ValueError as error:
        raise StoreError(f"fraud list {name} cannot be read: {error}") from error
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip() and not line.startswith("#"):
            yield number, line


def _fields(line: str) -> list[str]:
    """Split one line; a quote left open ends with it instead of swallowing the rest of the file."""
    (fields,) = csv.reader([line], strict=True)
    return [field.strip() for field in fields]


def _entry(line: str, path: Path, parse: Callable[[str], str]) -> Entry:
    fields = _fields(line)
    if len(fields) != len(COLUMNS):
        raise ValueError(f"{len(fields)} fields where {len(COLUMNS)} are expected")
    number, source, added, note = fields
    return Entry(
        list_name=ListName.FRAUD,
        number=parse(number),
        note=": ".join(filter(None, [source, note])),
        origin=path.name,
        added_at=_midnight(added) if added else None,
    )


def _midnight(day: str) -> datetime:
    try:
        found = date.fromisoformat(day)
    except ValueError:
        raise ValueError(f"not a date: {day}; write it as 2026-11-30") from None
    return datetime(found.year, found.month, found.day, tzinfo=UTC)
