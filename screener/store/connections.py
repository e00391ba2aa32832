"""The connections to the SQLite file: to read, to write, and to see whether the lists changed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiosqlite
from sqlalchemy import URL, Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

_ONE_TRY = 0.25  # seconds that SQLite waits itself, so that nothing holds a thread for longer
_POOL_WAIT = 5.0  # seconds for one of our own connections to become free


@dataclass(eq=False, slots=True)
class Connections:
    """The connections to a file; ``inode`` says which it was that they were made to."""

    reading: AsyncEngine
    writing: AsyncEngine
    watch: aiosqlite.Connection
    inode: tuple[int, int]
    users: int = 0
    retired: bool = False

    @asynccontextmanager
    async def in_use(self) -> AsyncIterator[None]:
        """Keep the connections from being closed for good as long as one of them is in use."""
        self.users += 1
        try:
            yield
        finally:
            self.users -= 1
            if self.retired and not self.users:
                await self.reading.dispose()

    async def close(self) -> None:
        """Close all connections, those in use when they no longer are."""
        self.retired = True
        await self.watch.close()
        if not self.users:
            await self.reading.dispose()


async def connect(path: Path) -> Connections:
    """Connect to a database that is there; raises sqlite3.Error or OSError."""
    watch = aiosqlite.connect(path, timeout=_ONE_TRY, isolation_level=None)
    try:
        await watch
        inode = inode_of(path)
    except BaseException:
        await watch.close()
        raise
    opened = create_async_engine(
        URL.create("sqlite+aiosqlite", database=str(path)),
        connect_args={"timeout": _ONE_TRY},
        pool_size=4,
        max_overflow=0,
        pool_timeout=_POOL_WAIT,
    )
    event.listen(opened.sync_engine, "connect", _connected)
    event.listen(opened.sync_engine, "begin", _begin)
    return Connections(opened, opened.execution_options(begin="IMMEDIATE"), watch, inode)


def inode_of(path: Path) -> tuple[int, int]:
    """Return which file lies there, for one that was renamed or deleted stays open; 0 for none."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_dev, found.st_ino


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
