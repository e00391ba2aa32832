"""Rows of the household's lists: read and written in parts, and what many at once will change."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Row, Select, bindparam, delete
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from screener.domain.lists import DIALLED, Entry, ListName
from screener.store.tables import list_entries

Entries = Mapping[str, Entry]

_PART = 250  # rows between two looks at what else there is to do; a call waits no longer

_insert = insert(list_entries)
_UPSERT = _insert.on_conflict_do_update(
    index_elements=["number"],
    set_={each.name: _insert.excluded[each.name] for each in list_entries.c},
)
_DELETE = delete(list_entries).where(list_entries.c.number == bindparam("gone"))


class Change(NamedTuple):
    """What became of many entries that were to be written at once.

    ``kept`` are those that stood there already, of somebody else, and stay as they are.
    """

    added: int
    changed: int
    removed: int
    unchanged: int
    kept: Sequence[Entry]


class Difference(NamedTuple):
    """What is to be written, what to be deleted, and how that is told."""

    written: Sequence[Entry]
    gone: Sequence[str]
    change: Change


def replacing(origin: str, before: Entries, entries: Entries, now: datetime) -> Difference:
    """Return what puts a book in place of its former self; a pure function, and a slow one."""
    fresh, kept, changed = [], [], []
    for entry in entries.values():
        there = before.get(entry.number)
        if there is None or not there.holds(now) or there.origin == DIALLED:
            fresh.append(entry)
        elif there.origin != origin:
            kept.append(there)
        elif replace(there, added_at=entry.added_at) != entry:
            changed.append(replace(entry, added_at=there.added_at))
    gone = [n for n, each in before.items() if each.origin == origin and n not in entries]
    same = len(entries) - len(fresh) - len(changed) - len(kept)
    change = Change(len(fresh), len(changed), len(gone), same, kept)
    return Difference([*fresh, *changed], gone, change)


def adding(before: Entries, entries: Entries, now: datetime) -> Difference:
    """Return what adds entries without touching others; a pure function, and a slow one."""
    fresh, kept = [], []
    for number, entry in entries.items():
        there = before.get(number)
        if there == entry:
            continue
        if there is None or not there.holds(now) or there.origin == DIALLED != entry.origin:
            fresh.append(entry)
        else:
            kept.append(there)
    same = len(entries) - len(fresh) - len(kept)
    return Difference(fresh, [], Change(len(fresh), 0, 0, same, kept))


async def find(connection: AsyncConnection, query: Select[tuple[object, ...]]) -> dict[str, Entry]:
    """Return the entries that a query finds, by what they cover, however many there are."""
    found = {}
    async with connection.stream(query) as rows:
        async for part in rows.partitions(_PART):
            for entry in map(_entry, part):
                found[entry.number] = entry
    return found


async def write(connection: AsyncConnection, entries: Sequence[Entry], gone: Sequence[str]) -> None:
    """Write entries in place of others for their numbers, and delete those of other numbers."""
    for start in range(0, len(entries), _PART):
        part = entries[start : start + _PART]
        await connection.execute(_UPSERT, [_row(entry) for entry in part])
    for start in range(0, len(gone), _PART):
        part_gone = gone[start : start + _PART]
        await connection.execute(_DELETE, [{"gone": number} for number in part_gone])
    if entries or gone:
        await _count_change(connection)


async def revision_of(connection: AsyncConnection) -> int:
    """Return how often the lists changed.

    SQLite's user_version serves as the counter: it is part of every transaction, free for the
    application, and unlike data_version it stays put while the call log is written.
    """
    return int((await connection.exec_driver_sql("PRAGMA user_version")).scalar_one())


async def _count_change(connection: AsyncConnection) -> None:
    # It must not grow beyond 31 bits, and only has to differ.
    following = (await revision_of(connection) + 1) % 2**31
    await connection.exec_driver_sql(f"PRAGMA user_version = {following}")


def _row(entry: Entry) -> dict[str, object]:
    return {
        "number": entry.number,
        "list_name": str(entry.list_name),
        "note": entry.note,
        "origin": entry.origin,
        "added_at": entry.added_at,
        "expires_at": entry.expires_at,
    }


def _entry(row: Row[tuple[object, ...]]) -> Entry:
    values = row._asdict()
    return Entry(**{**values, "list_name": ListName(values["list_name"])})
