"""The formats in which others publish lists: each turned into rows, bad rows told by their place.

Read from their publishers' pages: Saracroche's patterns (github.com/cbouvat/saracroche-ios),
PhoneBlock's API (github.com/haumacher/phoneblock, GET /api/blocklist), the complaints of the US
Federal Trade Commission ("Do Not Call Reported Calls Data", one CSV a working day).
"""

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

from screener.domain.inert import inert
from screener.shared.canonical import Canonical, north_american
from screener.shared.errors import ListError
from screener.shared.json_stream import elements
from screener.shared.keys import day_of
from screener.shared.opened import lines, opened


class Format(StrEnum):
    """The formats by the names they have in the settings."""

    CSV = "csv"
    SARACROCHE = "saracroche"
    PHONEBLOCK = "phoneblock"
    FTC = "ftc"


class Row(NamedTuple):
    """One entry of a list; ``gone`` where an increment takes it back."""

    place: str
    number: str
    day: int
    note: str
    gone: bool = False


class Fault(NamedTuple):
    """A row that cannot be understood."""

    place: str
    why: str


@dataclass(kw_only=True)
class Reading:
    """How a file is read, and what it says of itself; ``version`` is known once it is read."""

    canonical: Canonical
    most_bytes: int
    least_reports: int
    version: str = ""
    others: dict[str, str | int] = field(default_factory=dict)


COLUMNS: Final = ("number", "source", "date", "note")
_FTC_NUMBER, _FTC_DATE, _FTC_SUBJECT = "Company_Phone_Number", "Created_Date", "Subject"
_PATTERN = re.compile(r"\+?([1-9][0-9]{0,14})(#{0,15})")
_LONGEST_VERSION: Final = 60  # characters
_RATINGS: Final = {
    "B_MISSED": "unwanted",
    "C_PING": "hangs up at once",
    "D_POLL": "poll",
    "E_ADVERTISING": "advertising",
    "F_GAMBLE": "gambling or prize",
    "G_FRAUD": "fraud",
}


def rows(path: Path, kind: Format, reading: Reading) -> Iterator[Row | Fault]:
    """Yield the rows of a file. ListError where it is not such a list, or cannot be read."""
    yield from _READERS[kind](path, reading)


def _csv_rows(path: Path, reading: Reading) -> Iterator[Row | Fault]:
    """Read ``number,source,date,note`` with a heading, or one bare column of numbers.

    The date is ISO 8601 or empty; empty lines and lines that begin with ``#`` count for nothing.
    """
    columns: Sequence[str] | None = None
    for number, line in _lines_that_count(path, reading):
        place = f"line {number}"
        try:
            fields = _fields(line)
            if columns is None:
                columns = _columns(fields)
                if columns == fields:
                    continue
            if len(fields) != len(columns):
                raise ValueError(f"{len(fields)} fields where {len(columns)} are expected")
            row = dict(zip(columns, fields, strict=True))
            note = ": ".join(filter(None, [row.get("source"), row.get("note")]))
            entry = reading.canonical(row["number"])
            yield Row(place, entry, day_of(row.get("date", "")), note)
        except (ValueError, csv.Error) as error:
            yield Fault(place, inert(str(error), 200))
    if columns is None:
        raise ListError(f"does not begin with the line {','.join(COLUMNS)}: it is empty")


def _columns(fields: Sequence[str]) -> Sequence[str]:
    """Return the columns that the first line announces, or the one column where it does not."""
    if "number" in fields and set(fields) <= set(COLUMNS) and len(set(fields)) == len(fields):
        return fields
    if len(fields) == 1 and ";" not in fields[0] and "<" not in fields[0]:
        return ("number",)
    raise ListError(f"does not begin with the line {','.join(COLUMNS)}")


def _ftc_rows(path: Path, reading: Reading) -> Iterator[Row | Fault]:
    """Read complaints, one a line: the number complained about, when, and what it was about."""
    columns: Sequence[str] | None = None
    for number, line in _lines_that_count(path, reading):
        place = f"line {number}"
        try:
            fields = _fields(line)
            if columns is None:
                columns = fields
                if not {_FTC_NUMBER, _FTC_DATE} <= set(columns):
                    raise ListError(f"does not begin with the columns {_FTC_NUMBER},{_FTC_DATE}")
                continue
            if len(fields) != len(columns):
                raise ValueError(f"{len(fields)} fields where {len(columns)} are expected")
            row = dict(zip(columns, fields, strict=True))
            entry = north_american(row[_FTC_NUMBER])
            yield Row(place, entry, day_of(row[_FTC_DATE]), row.get(_FTC_SUBJECT, ""))
        except (ValueError, csv.Error) as error:
            yield Fault(place, inert(str(error), 200))
    if columns is None:
        raise ListError(f"does not begin with the columns {_FTC_NUMBER},{_FTC_DATE}: it is empty")


def _saracroche_rows(path: Path, reading: Reading) -> Iterator[Row | Fault]:
    """Read patterns: country code and digits, a ``#`` for each digit that may be any."""
    with opened(path, reading.most_bytes) as file:
        found = elements(file, "patterns", reading.others)
        for number, element in enumerate(found, start=1):
            place = f"entry {number}"
            pattern = element.get("pattern") if isinstance(element, dict) else None
            if not isinstance(element, dict) or not isinstance(pattern, str):
                yield Fault(place, "no pattern in it")
            elif (match := _PATTERN.fullmatch(pattern.strip())) is None:
                yield Fault(place, f"not a pattern: {inert(pattern, 40)}")
            elif element.get("action", "block") == "block":
                note = str(element.get("name") or element.get("operator_name") or "")
                yield Row(place, f"+{match[1]}{match[2]}", 0, note)
    reading.version = inert(str(reading.others.get("version") or ""), _LONGEST_VERSION)


def _phoneblock_rows(path: Path, reading: Reading) -> Iterator[Row | Fault]:
    """Read numbers with their votes; with too few of them a number is taken out again."""
    with opened(path, reading.most_bytes) as file:
        found = elements(file, "numbers", reading.others)
        for number, element in enumerate(found, start=1):
            place = f"entry {number}"
            try:
                if not isinstance(element, dict) or not isinstance(element.get("phone"), str):
                    raise ValueError("no phone in it")
                votes, rating = element.get("votes"), element.get("rating")
                if not isinstance(votes, int):
                    raise ValueError("votes are not a number")
                entry = reading.canonical(element["phone"])
                if entry[-1] in "*#" or entry.isalpha():
                    raise ValueError(f"not a number: {inert(entry, 40)}")
            except ValueError as error:
                yield Fault(place, inert(str(error), 200))
            else:
                spam = votes >= max(reading.least_reports, 1) and rating != "A_LEGITIMATE"
                note = _RATINGS.get(str(rating), "")
                yield Row(place, entry, 0, note, gone=not spam)
    version = reading.others.get("version")
    reading.version = inert(str(version), _LONGEST_VERSION) if isinstance(version, int) else ""


def _lines_that_count(path: Path, reading: Reading) -> Iterator[tuple[int, str]]:
    for number, line in lines(path, reading.most_bytes):
        if line and not line.startswith("#") and not line.isspace():
            yield number, line


def _fields(line: str) -> list[str]:
    """Split one line; a quote left open ends with it instead of swallowing the rest of the file."""
    if '"' not in line:
        return [field.strip() for field in line.split(",")]
    (fields,) = csv.reader([line], strict=True)
    return [field.strip() for field in fields]


_READERS: Final[dict[Format, Callable[[Path, Reading], Iterator[Row | Fault]]]] = {
    Format.CSV: _csv_rows,
    Format.FTC: _ftc_rows,
    Format.SARACROCHE: _saracroche_rows,
    Format.PHONEBLOCK: _phoneblock_rows,
}
