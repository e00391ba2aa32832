"""Asterisk's own database: whatever is left of it, Asterisk starts and keeps what it is told."""

import asyncio
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lab.asterisk import Asterisk
from lab.ports import own_place


@pytest.fixture
def state() -> Iterator[Path]:
    """A directory for Asterisk's state, with a short path."""
    directory = Path(tempfile.mkdtemp(prefix="ast-"))
    (directory / "lib").mkdir()
    yield directory
    shutil.rmtree(directory)


def lost_but_for_its_log(database: Path) -> None:
    """Leave what is left when a killed Asterisk's database is removed: a log begun once more."""
    old = database.with_name("old.sqlite3")
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE astdb(key VARCHAR(256), value VARCHAR(256))")
        for number in range(1500):
            connection.execute("INSERT INTO astdb VALUES(?, ?)", (f"/old/{number}", "x" * 200))
        shutil.copy(f"{old}-wal", f"{database}-wal")
    old.unlink()


def no_database(database: Path) -> None:
    """Leave a file that is no database."""
    database.write_bytes(bytes(65_536))


@pytest.mark.parametrize("left", [lost_but_for_its_log, no_database])
async def test_on_whatever_is_left_asterisk_begins_a_database_that_lasts(
    state: Path, left: Callable[[Path], None]
) -> None:
    database = state / "lib" / "astdb.sqlite3"
    await asyncio.to_thread(left, database)
    with own_place() as place:
        async with Asterisk(place, directory=state) as asterisk:
            await asterisk.cli("database put emergency home 2000000000")
            assert "malformed" not in asterisk.process.log()
            assert (left is no_database) == ("is kept as" in asterisk.process.log())
            await asterisk.stop()
            await asterisk.start()
            assert "2000000000" in await asterisk.cli("database get emergency home")
    assert len(list(database.parent.glob("*.damaged-*"))) == (left is no_database)
