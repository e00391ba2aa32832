"""The household's lists as a file: vCard for telephones, CSV for spreadsheets."""

import codecs
import csv
import io
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Final

from screener.books import table, vcard
from screener.books.contact import BookError, Stamp, one_line
from screener.domain.inert import inert
from screener.domain.lists import Entry
from screener.domain.numbers import Country, written

Writer = Callable[[Iterable[Entry], Country], Iterator[str]]


def write_book(path: Path, entries: Iterable[Entry], country: Country) -> None:
    """Write entries to a file for nobody else to read, as a whole or not at all.

    The ending of its name says how: ``.vcf`` or ``.csv``. BookError if it cannot be written.
    """
    shown = inert(str(path), 200)
    writer = WRITERS.get(path.suffix.casefold())
    if writer is None:
        raise BookError(f"{shown} ends neither in .vcf nor in .csv: one of them says what to write")
    try:
        descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=path.suffix)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace", newline="") as file:
                file.writelines(writer(entries, country))
            Path(draft).replace(path)
        except BaseException:
            Path(draft).unlink()
            raise
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        raise BookError(f"{shown} cannot be written: {said}") from error


def cards(entries: Iterable[Entry], country: Country) -> Iterator[str]:
    """Yield vCards, one a person: whoever has the same name, list, origin and times."""
    for (name, stamp, _), same in groupby(_ordered(entries), key=_person):
        numbers = [entry.number for entry in same]
        yield from vcard.card_lines(name or written(numbers[0], country=country), numbers, stamp)


def rows(entries: Iterable[Entry], _: Country) -> Iterator[str]:
    """Yield a table with headings, in UTF-8 with the mark by which spreadsheets know it."""
    line = io.StringIO()
    writer = csv.writer(line)
    yield codecs.BOM_UTF8.decode()
    for cells in (table.OWN, *map(_cells, _ordered(entries))):
        writer.writerow(cells)
        yield line.getvalue()
        line.seek(0)
        line.truncate()


WRITERS: Final[dict[str, Writer]] = {".vcf": cards, ".csv": rows}


def _ordered(entries: Iterable[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: (_person(entry), entry.number))


def _cells(entry: Entry) -> list[str]:
    name, stamp, _ = _person(entry)
    return table.row(name, entry.number, stamp)


def _person(entry: Entry) -> tuple[str, Stamp, str]:
    """Return what tells two cards apart; entries without a name are never one person's."""
    name = one_line(entry.note)
    since, expires = (_text(moment) for moment in (entry.added_at, entry.expires_at))
    stamp = Stamp(str(entry.list_name), one_line(entry.origin), since, expires)
    return name, stamp, "" if name else entry.number


def _text(moment: datetime | None) -> str:
    return "" if moment is None else moment.isoformat()
