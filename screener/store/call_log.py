"""The call log: what became of every call, kept without ever making a call wait."""

import asyncio
from contextlib import suppress
from itertools import islice
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Select, select, true
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from screener.domain.call_record import CallRecord, Disposition
from screener.domain.caller import WITHOUT_NUMBER
from screener.store.file import StoreError, StoreFile, UnstorableError
from screener.store.rows import record_of, row_of
from screener.store.tables import calls

log = structlog.stdlib.get_logger(__name__)

_LINGER = 0.05  # seconds in which further states of calls join the same commit
_RETRY = 0.5  # seconds between tries while the database cannot be written
_BATCH = 200  # calls in one commit
_MOST_PENDING = 10_000  # calls kept in memory while the database cannot be written

_insert = insert(calls)
# What another screener has taken over, nobody else overwrites.
_UPSERT = _insert.on_conflict_do_update(
    index_elements=["id"],
    set_={column.name: _insert.excluded[column.name] for column in calls.c if column.name != "id"},
    where=calls.c.screener.in_(["", _insert.excluded.screener]),
)
_NEWEST_FIRST = select(calls).order_by(calls.c.started_at.desc(), calls.c.id.desc())


class CallLog:
    """The rows of the call log, one a call, the newest state of each.

    What is kept is on disk some 50 ms later; a SIGKILL loses no more than that.
    """

    def __init__(self, file: StoreFile) -> None:
        self._file = file
        self._pending: dict[str, CallRecord] = {}  # by call id, the longest waiting first
        self._since: dict[str, int] = {}  # the number of the first state that waits, likewise
        self._kept = 0
        self._wanted = asyncio.Event()
        self._hurry = asyncio.Event()
        self._progress = asyncio.Event()
        self._failing = False
        self._dropping = False
        self._showing: set[str] = set()  # the lines on which a caller showed a number

    def keep(self, record: CallRecord) -> None:
        """Have this state of a call written soon, in place of an earlier one; never waits or fails.

        While the database is locked or failing the newest state of each call waits in memory. To
        be called in the event loop that opened the store.
        """
        self._kept += 1
        if record.caller.number_class not in WITHOUT_NUMBER:
            self._showing.add(record.line)
        self._pending[record.id] = record
        self._since.setdefault(record.id, self._kept)
        if len(self._pending) > _MOST_PENDING:
            self._forget(next(iter(self._pending)))
            if not self._dropping:
                log.error("too many call records wait to be written, the oldest are lost")
            self._dropping = True
        self._wanted.set()

    async def flush(self, seconds: float) -> bool:
        """Wait until all that was kept so far is on disk, so many seconds at most; True if it is.

        What is kept meanwhile is not waited for: on a busy day that would never end.
        """
        wanted = self._kept
        if self._pending:
            self._hurry.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._waits(wanted):
                    self._progress.clear()
                    await self._progress.wait()
        return not self._waits(wanted)

    async def newest(self, limit: int) -> list[CallRecord]:
        """Return at most so many calls on disk, the last to start first; StoreError if it cannot.

        As with ``get`` and ``unfinished``, what ``keep`` was given last may not be there yet.
        """
        return await self._read(_NEWEST_FIRST.limit(max(limit, 0)))

    async def get(self, call_id: str) -> CallRecord | None:
        """Return the call with this id, None if there is none; StoreError if it cannot be read."""
        found = await self._read(select(calls).where(calls.c.id == call_id))
        return found[0] if found else None

    async def unfinished(self) -> list[CallRecord]:
        """Return the calls without an end, newest first; StoreError if they cannot be read."""
        return await self._read(_NEWEST_FIRST.where(calls.c.ended_at.is_(None)))

    async def take_over(self, gone: str, by: str) -> None:
        """Make the open rows of one that is gone those of another; StoreError if it fails."""
        await self._hand_over((calls.c.screener == gone) & calls.c.ended_at.is_(None), by)

    async def take(self, call_id: str, by: str) -> None:
        """Make the row of a call that of another screener; StoreError if it fails."""
        await self._hand_over(calls.c.id == call_id, by)

    def shows_numbers(self, line: str | None = None) -> bool:
        """Tell whether any caller on a line, or on any, was ever seen with a number."""
        return bool(self._showing) if line is None else line in self._showing

    async def recall(self) -> None:
        """Learn from the rows which lines show numbers; StoreError if they cannot be read."""
        self._showing |= await self._lines(calls.c.caller_class.not_in(WITHOUT_NUMBER))

    async def lines(self) -> list[str]:
        """Return the lines that had calls; StoreError if they cannot be read."""
        return sorted(await self._lines(true()))

    async def lines_without_numbers(self) -> list[str]:
        """Return the lines that had calls, none with a number; StoreError if it cannot be read.

        Of a call that nobody here saw it may not be known whether it showed one.
        """
        seen = calls.c.disposition.is_distinct_from(Disposition.FAILED_OPEN)
        return sorted(await self._lines(seen) - self._showing)

    async def write_on(self) -> None:
        """Write what is kept, for ever; the store runs this beside everything else."""
        while True:
            await self._wanted.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(_LINGER):
                    await self._hurry.wait()
            batch = list(islice(self._pending.values(), _BATCH))
            try:
                await self._write(batch)
            except StoreError as error:
                if not self._failing:
                    log.error("call log cannot be written, trying on", problem=str(error))
                self._failing = True
                await asyncio.sleep(_RETRY)
            else:
                self._written(batch)

    def report_lost(self) -> None:
        """Say in the log which calls were kept and are not on disk, when nobody will try again."""
        if self._pending:
            log.error("call records are lost", calls=list(self._pending))

    async def _hand_over(self, which: ColumnElement[bool], by: str) -> None:
        async def work(connection: AsyncConnection) -> None:
            await connection.execute(calls.update().where(which).values(screener=by))

        await self._file.write(work)

    async def _lines(self, which: ColumnElement[bool]) -> set[str]:
        async def work(connection: AsyncConnection) -> set[str]:
            query = select(calls.c.line).where(which).distinct()
            return {row.line for row in await connection.execute(query)}

        return await self._file.read(work)

    async def _read(self, query: Select[Any]) -> list[CallRecord]:
        async def work(connection: AsyncConnection) -> list[CallRecord]:
            return [record_of(row) for row in await connection.execute(query)]

        return await self._file.read(work)

    async def _write(self, batch: list[CallRecord]) -> None:
        """Commit these records; one that no database would take is left out, and logged."""

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(_UPSERT, [row_of(record) for record in batch])

        try:
            await self._file.write(work, seconds=0)
        except Exception as error:
            if isinstance(error, StoreError) and not isinstance(error, UnstorableError):
                raise
            if len(batch) > 1:
                for record in batch:
                    await self._write([record])
            else:
                log.exception("call record cannot be stored", call=batch[0].id)

    def _written(self, batch: list[CallRecord]) -> None:
        for record in batch:
            # A newer state may have come meanwhile; that one still waits.
            if self._pending.get(record.id) is record:
                self._forget(record.id)
        if self._failing:
            log.info("call log is written again")
        self._failing = self._dropping = False
        if not self._pending:
            self._wanted.clear()
            self._hurry.clear()
        self._progress.set()

    def _forget(self, call_id: str) -> None:
        del self._pending[call_id], self._since[call_id]

    def _waits(self, number: int) -> bool:
        """Tell whether a state up to this number still waits; the first waits the longest."""
        return next(iter(self._since.values()), number + 1) <= number
