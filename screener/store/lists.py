"""The household's own lists, kept in the database: whom it allows, has warned, and blocks."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import structlog
from sqlalchemy import Row, delete, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from screener.domain.lists import Entry, ListName
from screener.store.file import StoreError, StoreFile
from screener.store.tables import list_entries

log = structlog.stdlib.get_logger(__name__)

_Entries = Mapping[str, Entry]
_OF_HOUSEHOLD = (ListName.ALLOW, ListName.SCREEN, ListName.BLOCK)


class _Known(NamedTuple):
    """The lists as they were last read, and how often they had changed by then."""

    revision: int
    entries: _Entries


class HouseholdLists:
    """The household's lists; a number, a pattern or a country stands on one of them or on none."""

    def __init__(self, file: StoreFile) -> None:
        self._file = file
        self._known: _Known | None = None
        self._failing = False

    async def put(self, entry: Entry) -> Entry | None:
        """Write an entry in place of what the household had for its number, and return that.

        ValueError for an entry of a shared list, StoreError if it could not be written.
        """
        if entry.list_name not in _OF_HOUSEHOLD:
            raise ValueError(f"the household has no {entry.list_name} list")
        values = {
            "number": entry.number,
            "list_name": str(entry.list_name),
            "note": entry.note,
            "origin": entry.origin,
            "added_at": entry.added_at,
            "expires_at": entry.expires_at,
        }
        upsert = insert(list_entries).values(values)
        upsert = upsert.on_conflict_do_update(index_elements=["number"], set_=values)

        async def work(connection: AsyncConnection) -> Entry | None:
            before = await _find(connection, entry.number)
            await connection.execute(upsert)
            await _count_change(connection)
            return before

        return await self._file.write(work)

    async def remove(self, number: str) -> Entry | None:
        """Take a number off the household's lists and return the entry; StoreError as ``put``."""

        async def work(connection: AsyncConnection) -> Entry | None:
            before = await _find(connection, number)
            if before is not None:
                await connection.execute(
                    delete(list_entries).where(list_entries.c.number == number)
                )
                await _count_change(connection)
            return before

        return await self._file.write(work)

    async def current(self) -> _Entries:
        """Return the entries of all lists as they are now, expired ones too, by ``number``.

        Never waits long for a locked or failing database: then the lists as they were last read
        count, and the log says so once. StoreError only if they were never read.
        """
        try:
            if self._known is None or self._known.revision != await self._file.user_version():
                self._known = await self._file.read(_read, seconds=0)
        except StoreError as error:
            if self._known is None:
                raise
            if not self._failing:
                log.warning("lists cannot be read, the last known count", problem=str(error))
            self._failing = True
        else:
            self._failing = False
        return self._known.entries


async def _read(connection: AsyncConnection) -> _Known:
    revision = await _revision(connection)
    rows = await connection.execute(select(list_entries))
    found = {entry.number: entry for entry in map(_entry, rows)}
    return _Known(revision, MappingProxyType(found))


async def _revision(connection: AsyncConnection) -> int:
    """Return how often the lists changed.

    SQLite's user_version serves as the counter: it is part of every transaction, free for the
    application, and unlike data_version it stays put while the call log is written.
    """
    return int((await connection.exec_driver_sql("PRAGMA user_version")).scalar_one())


async def _count_change(connection: AsyncConnection) -> None:
    # It must not grow beyond 31 bits, and only has to differ.
    following = (await _revision(connection) + 1) % 2**31
    await connection.exec_driver_sql(f"PRAGMA user_version = {following}")


async def _find(connection: AsyncConnection, number: str) -> Entry | None:
    rows = await connection.execute(select(list_entries).where(list_entries.c.number == number))
    row = rows.first()
    return None if row is None else _entry(row)


def _entry(row: Row[tuple[object, ...]]) -> Entry:
    values = row._asdict()
    return Entry(**{**values, "list_name": ListName(values["list_name"])})
