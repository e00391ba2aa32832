"""The household's own lists, kept in the database: whom it allows, has warned, and blocks."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

import structlog
from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from screener.domain.lists import DIALLED, Entry, ListName, patterns_covering
from screener.store.entries import (
    Change,
    Entries,
    adding,
    find,
    replacing,
    revision_of,
    write,
)
from screener.store.file import StoreError, StoreFile
from screener.store.tables import list_entries

log = structlog.stdlib.get_logger(__name__)

_OF_HOUSEHOLD = (ListName.ALLOW, ListName.SCREEN, ListName.BLOCK)
_RENEWED = timedelta(days=1)  # a number that is dialled daily is not written daily


class _Known(NamedTuple):
    """The lists as they were last read, and how often they had changed by then."""

    revision: int
    entries: Entries


class HouseholdLists:
    """The household's lists; a number, a pattern or a country stands on one of them or on none."""

    def __init__(self, file: StoreFile, last_known: Entries | None = None) -> None:
        self._file = file
        # Never the number of a revision: whatever is on disk goes before it.
        self._known = None if last_known is None else _Known(-1, last_known)
        self._reading: asyncio.Task[_Known] | None = None
        self._failing = False

    async def put(self, entry: Entry) -> Entry | None:
        """Write an entry in place of what the household had for its number, and return that.

        ValueError for an entry of a shared list, StoreError if it could not be written.
        """
        if entry.list_name not in _OF_HOUSEHOLD:
            raise ValueError(f"the household has no {entry.list_name} list")

        async def work(connection: AsyncConnection) -> Entry | None:
            before = await find(connection, _of(entry.number))
            await write(connection, [entry], [])
            return before.get(entry.number)

        return await self._file.write(work)

    async def remove(self, number: str) -> Entry | None:
        """Take a number off the household's lists and return the entry; StoreError as ``put``."""

        async def work(connection: AsyncConnection) -> Entry | None:
            before = await find(connection, _of(number))
            await write(connection, [], list(before))
            return before.get(number)

        return await self._file.write(work)

    async def replace_origin(self, origin: str, entries: Entries, now: datetime) -> Change:
        """Put these entries, all of this origin, in place of what is there of it; StoreError.

        As a whole or not at all. A number that stands there otherwise stays as it is, unless that
        has expired or was only learnt from dialling. An entry that is there already keeps its date.
        """

        async def work(connection: AsyncConnection) -> Change:
            before = await find(connection, select(list_entries))
            # In a thread, so that a very large book holds up no call.
            new = await asyncio.to_thread(replacing, origin, before, entries, now)
            await write(connection, new.written, new.gone)
            return new.change

        return await self._file.write(work)

    async def add(self, entries: Entries, now: datetime) -> Change:
        """Write entries whose number is on no list; StoreError. As a whole or not at all.

        A number that stands there otherwise stays as it is, unless that has expired.
        """

        async def work(connection: AsyncConnection) -> Change:
            before = await find(connection, select(list_entries))
            new = await asyncio.to_thread(adding, before, entries, now)
            await write(connection, new.written, new.gone)
            return new.change

        return await self._file.write(work)

    async def learn(self, number: str, at: datetime, days: int) -> bool:
        """Allow a number that the household dialled, for so many days, 0 for ever; StoreError.

        True if it was written. Nothing is where the household has an entry of its own for the
        number, or a pattern that covers it. Dialled again, a number's days begin again.
        """
        learnt = Entry(
            list_name=ListName.ALLOW,
            number=number,
            note="",
            origin=DIALLED,
            added_at=at,
            expires_at=at + timedelta(days=days) if days else None,
        )

        async def work(connection: AsyncConnection) -> bool:
            found = await find(connection, _of(*patterns_covering(number)))
            there = [each for each in found.values() if each.holds(at)]
            if any(each.origin != DIALLED or not _renews(learnt, each) for each in there):
                return False
            since = there[0].added_at if there else at
            await write(connection, [replace(learnt, added_at=since)], [])
            return True

        return await self._file.write(work)

    async def sweep(self, expired_before: datetime) -> int:
        """Forget the entries that expired before a moment, and return how many; StoreError."""

        async def work(connection: AsyncConnection) -> int:
            query = select(list_entries).where(list_entries.c.expires_at < expired_before)
            old = list(await find(connection, query))
            await write(connection, [], old)
            return len(old)

        return await self._file.write(work)

    async def current(self) -> Entries:
        """Return the entries of all lists as they are now, expired ones too, by ``number``.

        Never waits long for a locked or failing database: then the lists as they were last read
        count, and the log says so once. StoreError only if they were never read.
        """
        try:
            known = await self._newest()
        except StoreError as error:
            if self._known is None:
                raise
            if not self._failing:
                log.warning("lists cannot be read, the last known count", problem=str(error))
            self._failing = True
            return self._known.entries
        self._failing = False
        return known.entries

    @property
    def last_known(self) -> Entries:
        """The entries as they were last read, at once; none if they never were."""
        return {} if self._known is None else self._known.entries

    async def close(self) -> None:
        """Stop reading."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    async def _newest(self) -> _Known:
        revision = await self._file.user_version()
        if self._known is not None and self._known.revision == revision:
            return self._known
        known = await self._read_once()
        # What was joined may have begun before the change.
        return known if known.revision == revision else await self._read_once()

    async def _read_once(self) -> _Known:
        """Read the lists, or join whoever reads them; the reading outlives who gives up waiting."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read(), name="household lists")
            # Whoever gave up waiting does not ask how it ended.
            self._reading.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(self._reading)

    async def _read(self) -> _Known:
        self._known = await self._file.read(_read, seconds=0)
        return self._known


def _of(*numbers: str) -> Select[tuple[object, ...]]:
    return select(list_entries).where(list_entries.c.number.in_(numbers))


async def _read(connection: AsyncConnection) -> _Known:
    revision = await revision_of(connection)
    found = await find(connection, select(list_entries))
    return _Known(revision, MappingProxyType(found))


def _renews(learnt: Entry, there: Entry) -> bool:
    """Tell whether dialling again is worth writing down."""
    if learnt.expires_at is None or there.expires_at is None:
        return learnt.expires_at is not there.expires_at
    return learnt.expires_at - there.expires_at >= _RENEWED
