"""The SQLite file: opened with care, read and written in short transactions, errors on one line."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy.exc import DatabaseError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from screener.domain.inert import inert
from screener.store.connections import Connections, connect, inode_of
from screener.store.damage import is_damage, was_ours

Answer = TypeVar("Answer")

_PAUSE = 0.02  # seconds between two tries


class StoreError(Exception):
    """The database or a list cannot be used; ``str()`` says on one line what is wrong with it."""


class UnstorableError(StoreError):
    """What was to be written is itself at fault; trying again is of no use."""


class WrongFileError(StoreError):
    """What the path names is no database of ours and never was; trying again is of no use."""


class StoreFile:
    """One SQLite database in WAL mode, synchronous FULL: what is committed survives a power cut.

    ``prepare`` is awaited before the file is opened, and again before it is opened anew: when it
    is no longer where it was, or SQLite found it damaged. What it raises is raised here.
    """

    def __init__(
        self, path: Path, patience: float, prepare: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self.path = path
        self._address = path.absolute()
        self._patience = patience
        self._prepare = prepare
        self._opened: Connections | None = None
        self._opening: asyncio.Task[Connections] | None = None
        self._damaged = False

    async def read(
        self, work: Callable[[AsyncConnection], Awaitable[Answer]], seconds: float | None = None
    ) -> Answer:
        """Return what ``work`` finds in one snapshot of the database; StoreError if it cannot.

        While the database is locked it is tried again for so many seconds, by default as many as
        the file was opened with.
        """
        try:
            opened = await self.open()
            async with opened.in_use():
                return await self._patiently(opened.reading, work, seconds)
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
        opened = await self.open()
        async with opened.in_use():
            return await self._patiently(opened.writing, work, seconds)

    async def user_version(self) -> int:
        """Return SQLite's number that is free for the application; StoreError if it cannot.

        Costs a tenth of a ``read``: one statement on a connection of its own, no transaction. It
        waits for nothing: a file that is not open, or no longer that file, is for others to open.
        """
        if self._opened is None:
            raise StoreError(f"database {inert(str(self.path))} is not open")
        try:
            ((number,),) = await self._opened.watch.execute_fetchall("PRAGMA user_version")
        except (sqlite3.Error, ValueError) as error:
            self._note_damage(error)
            raise trouble(self.path, error) from error
        return int(number)

    async def open(self) -> Connections:
        """Open the file, if it is not open as it should be; StoreError if that cannot be."""
        if self._opened and not self._damaged and self._opened.inode == inode_of(self._address):
            return self._opened
        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(self._open(), name="opening the database")
            # Whoever gave up waiting does not ask how it ended.
            self._opening.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(self._opening)

    async def close(self) -> None:
        """Close all connections."""
        if self._opening is not None:
            await asyncio.gather(self._opening, return_exceptions=True)
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.close()

    async def _open(self) -> Connections:
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.close()
        if self._prepare is not None:
            await self._prepare()
        try:
            self._opened = await connect(self._address)
        except (sqlite3.Error, OSError) as error:
            raise trouble(self.path, error) from error
        self._damaged = False
        return self._opened

    async def _patiently(
        self,
        database: AsyncEngine,
        work: Callable[[AsyncConnection], Awaitable[Answer]],
        seconds: float | None,
    ) -> Answer:
        clock = asyncio.get_running_loop()
        last_try = clock.time() + (self._patience if seconds is None else seconds)
        while True:
            try:
                async with database.begin() as connection:
                    return await work(connection)
            except (SQLAlchemyError, sqlite3.Error) as error:
                if not _is_locked(error) or clock.time() >= last_try:
                    self._note_damage(error)
                    raise trouble(self.path, error) from error
            await asyncio.sleep(_PAUSE)

    def _note_damage(self, error: Exception) -> None:
        self._damaged |= is_damage(getattr(error, "orig", None) or error)


@asynccontextmanager
async def open_file(
    path: Path, patience: float, prepare: Callable[[], Awaitable[None]] | None = None
) -> AsyncIterator[StoreFile]:
    """Have a database at hand, to be opened when it is needed, and close it in the end."""
    file = StoreFile(path, patience, prepare)
    try:
        yield file
    finally:
        await file.close()


def gone(path: Path) -> StoreError:
    """Return the error that says on one line that there was a database and now is none."""
    return StoreError(
        f"database {inert(str(path))} is gone: put a copy of it in its place, "
        "or let screener run begin a fresh one"
    )


def trouble(path: Path, error: Exception) -> StoreError:
    """Return the error that says on one line what is wrong with the database and what to do."""
    reason = getattr(error, "orig", None) or error
    name = inert(str(path))
    if _is_locked(error):
        return StoreError(f"database {name} is locked by another program; stop that and try again")
    said = inert(str(reason).split("\n", 1)[0], 200)
    if is_damage(reason):
        if not was_ours(path):
            return WrongFileError(f"database {name} cannot be used: {said}; name another file")
        return StoreError(
            f"database {name} cannot be used: {said}; it is damaged: "
            "screener run puts it aside and begins a fresh one"
        )
    if isinstance(error, sqlite3.Error | OperationalError | PoolTimeoutError) or (
        type(error) is DatabaseError
    ):
        return StoreError(
            f"database {name} cannot be used: {said}; "
            "check the file, its permissions and the disk, or name another file"
        )
    return UnstorableError(f"database {name} refuses what was to be written: {said}")


def _is_locked(error: Exception) -> bool:
    code = getattr(getattr(error, "orig", None) or error, "sqlite_errorcode", 0)
    # The low byte of an extended code is its kind.
    return code & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
