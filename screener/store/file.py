"""The SQLite file: opened with care, read and written in short transactions, errors on one line."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite
from sqlalchemy import URL, Connection, event
from sqlalchemy.exc import DatabaseError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from screener.domain.inert import inert

Answer = TypeVar("Answer")

_ONE_TRY = 0.25  # seconds that SQLite waits itself, so that nothing holds a thread for longer
_POOL_WAIT = 5.0  # seconds for one of our own connections to become free
_PAUSE = 0.02  # seconds between two tries


class StoreError(Exception):
    """The database or a list cannot be used; ``str()`` says on one line what is wrong with it."""


class UnstorableError(StoreError):
    """What was to be written is itself at fault; trying again is of no use."""


class StoreFile:
    """One SQLite database in WAL mode, synchronous FULL: what is committed survives a power cut."""

    def __init__(self, path: Path, watch: aiosqlite.Connection, patience: float) -> None:
        self.path = path
        self._patience = patience
        engine = create_async_engine(
            URL.create("sqlite+aiosqlite", database=str(path.absolute())),
            connect_args={"timeout": _ONE_TRY},
            pool_size=4,
            max_overflow=0,
            pool_timeout=_POOL_WAIT,
        )
        event.listen(engine.sync_engine, "connect", _connected)
        event.listen(engine.sync_engine, "begin", _begin)
        self._reading = engine
        self._writing = engine.execution_options(begin="IMMEDIATE")
        self._watch = watch

    async def read(
        self, work: Callable[[AsyncConnection], Awaitable[Answer]], seconds: float | None = None
    ) -> Answer:
        """Return what ``work`` finds in one snapshot of the database; StoreError if it cannot.

        While the database is locked it is tried again for so many seconds, by default as many as
        the file was opened with.
        """
        try:
            return await self._patiently(self._reading, work, seconds)
        except (LookupError, TypeError, ValueError) as error:
            # A row that this program did not write: an unknown word, a time that is none.
            raise StoreError(
                f"database {inert(str(self.path))} holds a row that cannot be read: "
                f"{inert(str(error), 200)}"
            ) from error

    async def write(
        self, work: Callable[[AsyncConnection], Awaitable[Answer]], seconds: float | None = None
    ) -> Answer:
        """Do ``work`` and commit it as a whole, or not at all; otherwise as ``read``."""
        return await self._patiently(self._writing, work, seconds)

    async def user_version(self) -> int:
        """Return SQLite's number that is free for the application; StoreError if it cannot.

        Costs a tenth of a ``read``: one statement on a connection of its own, no transaction.
        """
        try:
            ((number,),) = await self._watch.execute_fetchall("PRAGMA user_version")
        except (sqlite3.Error, ValueError) as error:
            raise trouble(self.path, error) from error
        return int(number)

    async def dispose(self) -> None:
        """Close the connections for reading and writing."""
        await self._reading.dispose()

    async def _patiently(
        self,
        engine: AsyncEngine,
        work: Callable[[AsyncConnection], Awaitable[Answer]],
        seconds: float | None,
    ) -> Answer:
        clock = asyncio.get_running_loop()
        last_try = clock.time() + (self._patience if seconds is None else seconds)
        while True:
            try:
                async with engine.begin() as connection:
                    return await work(connection)
            except (SQLAlchemyError, sqlite3.Error) as error:
                if not _is_locked(error) or clock.time() >= last_try:
                    raise trouble(self.path, error) from error
            await asyncio.sleep(_PAUSE)


@asynccontextmanager
async def open_file(path: Path, patience: float) -> AsyncIterator[StoreFile]:
    """Open a database that is there, and close all its connections in the end."""
    try:
        watch = await _connect(path)
    except sqlite3.Error as error:
        raise trouble(path, error) from error
    try:
        file = StoreFile(path, watch, patience)
        try:
            yield file
        finally:
            await file.dispose()
    finally:
        await watch.close()


def trouble(path: Path, error: Exception) -> StoreError:
    """Return the error that says on one line what is wrong with the database and what to do."""
    reason = getattr(error, "orig", None) or error
    name = inert(str(path))
    if _is_locked(error):
        return StoreError(f"database {name} is locked by another program; stop that and try again")
    said = inert(str(reason).split("\n", 1)[0], 200)
    if isinstance(error, sqlite3.Error | OperationalError | PoolTimeoutError) or (
        type(error) is DatabaseError
    ):
        return StoreError(
            f"database {name} cannot be used: {said}; "
            "check the file, its permissions and the disk, or name another file"
        )
    return UnstorableError(f"database {name} refuses what was to be written: {said}")


def _connect(path: Path) -> aiosqlite.Connection:
    return aiosqlite.connect(path.absolute(), timeout=_ONE_TRY, isolation_level=None)


def _is_locked(error: Exception) -> bool:
    code = getattr(getattr(error, "orig", None) or error, "sqlite_errorcode", 0)
    # The low byte of an extended code is its kind.
    return code & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def _connected(connection: Any, _record: object) -> None:
    """Prepare a new connection; one that cannot be is closed, or its thread would stay for ever."""
    try:
        # No transactions of the driver's own: the store says where they begin.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
    except BaseException:
        connection.close()
        raise


def _begin(connection: Connection) -> None:
    """Begin; what will write takes the lock first, so that it cannot fail half-way."""
    kind = connection.get_execution_options().get("begin", "DEFERRED")
    connection.exec_driver_sql(f"BEGIN {kind}")
