"""The store: the database opened, brought to the newest schema, and closed with nothing lost."""

import asyncio
import errno
import os
import secrets
import sqlite3
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from screener.domain.inert import inert
from screener.store.call_log import CallLog
from screener.store.damage import is_gone
from screener.store.entries import Entries, write
from screener.store.file import StoreError, StoreFile, WrongFileError, gone, open_file, trouble
from screener.store.lists import HouseholdLists
from screener.store.tables import REVISION

if TYPE_CHECKING:
    from alembic.config import Config

__all__ = ["Store", "StoreError", "WrongFileError", "open_store"]

PATIENCE = 5.0  # seconds
# What no waiting mends: a directory, a path below a file, a name that is too long.
_OF_THE_NAME = {errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG}
_MIGRATIONS = Path(__file__).with_name("migrations")


@dataclass(frozen=True, slots=True)
class Store:
    """What the database holds."""

    calls: CallLog
    lists: HouseholdLists


@asynccontextmanager
async def open_store(path: Path, patience: float = PATIENCE) -> AsyncIterator[Store]:
    """Open the database, creating it and bringing its schema up to date where needed.

    StoreError if it cannot be used: unreadable, corrupt, locked, gone, of another program, or
    written by a newer screener; the file is then as it was. On leaving, what the call log still
    keeps is written, everything is closed, and nothing is left running. ``patience`` is how many
    seconds opening, reading, writing and closing each wait for a database that another locks.
    """

    async def prepare() -> None:
        if is_gone(path):
            raise gone(path)
        await make_ready(path, patience)

    async with open_file(path, patience, prepare) as file:
        await file.open()
        async with store_in(file, patience) as store:
            # So that the first call finds them, whatever happens to the file from now on.
            await store.lists.current()
            await store.calls.recall()
            yield store


@asynccontextmanager
async def store_in(
    file: StoreFile, patience: float, last_known: Entries | None = None
) -> AsyncIterator[Store]:
    """Have the store of a file; in the end all that the call log keeps is written, or named.

    ``last_known`` are the household's lists until the file can be read.
    """
    store = Store(calls=CallLog(file), lists=HouseholdLists(file, last_known))
    writing = asyncio.create_task(store.calls.write_on(), name="call log")
    try:
        yield store
    finally:
        await store.calls.flush(patience)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        store.calls.report_lost()
        await store.lists.close()


async def make_ready(path: Path, patience: float, begin_with: Entries | None = None) -> bool:
    """Create the database where there is none, and bring its schema up to date.

    True if it was created, with these entries on the household's lists. StoreError as
    ``open_store`` raises it, WrongFileError where trying again is of no use.
    """
    revision = await asyncio.to_thread(_examine, path, patience)

    async def work(connection: AsyncConnection) -> None:
        await connection.run_sync(_migrate)
        if revision is None:
            await write(connection, list((begin_with or {}).values()), [])
            # The count of changes begins anywhere: nobody takes these lists for others they know.
            await connection.exec_driver_sql(f"PRAGMA user_version = {secrets.randbelow(2**30)}")

    if revision != REVISION:
        async with open_file(path, patience) as file:
            await file.write(work)
    return revision is None


def migrations(connection: Connection | None = None) -> "Config":
    """Return Alembic's configuration for the steps shipped here, to be run on this connection."""
    # Imported late: only a new or an old database needs it, and it takes its time.
    from alembic.config import Config  # noqa: PLC0415

    # Alembic would keep the output of the moment in which it was imported.
    config = Config(stdout=sys.stdout)
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _migrate(connection: Connection) -> None:
    """Run the steps that are missing now, in the open transaction: another process may be first."""
    from alembic import command  # noqa: PLC0415

    command.upgrade(migrations(connection), "head")


def _examine(path: Path, patience: float) -> str | None:
    """Return the revision of the schema, None for a new file; changes nothing that is there."""
    name = inert(str(path))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The call log is nobody else's business.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK, 0o600)
        with os.fdopen(descriptor, "rb") as file:
            regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    except ValueError as error:
        raise WrongFileError(f"database {name} cannot be opened for writing: {error}") from error
    except OSError as error:
        kind = WrongFileError if error.errno in _OF_THE_NAME else StoreError
        raise kind(f"database {name} cannot be opened for writing: {error.strerror}") from error
    if not regular:
        raise WrongFileError(f"database {name} is not a file; name another one")
    try:
        return _revision(path, patience)
    except sqlite3.Error as error:
        raise trouble(path, error) from error


def _revision(path: Path, patience: float) -> str | None:
    # Read-only, so that even the write-ahead log of a file that is not for us stays as it is.
    address = f"file:{quote(os.fsencode(path.absolute()))}?mode=ro"
    with closing(sqlite3.connect(address, uri=True, timeout=patience)) as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
        if not tables:
            return None
        if "alembic_version" not in tables:
            raise WrongFileError(
                f"database {inert(str(path))} is of another program; name another file"
            )
        ((revision,),) = connection.execute("SELECT version_num FROM alembic_version")
    if revision != REVISION and not _is_older(revision):
        raise WrongFileError(
            f"database {inert(str(path))} was written by a newer screener "
            f"(schema {inert(str(revision), 40)}); update the screener or name another file"
        )
    return str(revision)


def _is_older(revision: str) -> bool:
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    steps = ScriptDirectory.from_config(migrations()).walk_revisions()
    return revision in {step.revision for step in steps}
