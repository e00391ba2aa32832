"""The service's store: calls go on whatever befalls the database, and nothing good is replaced."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from structlog.testing import capture_logs

from screener.domain.lists import ListName
from screener.store.damage import copy_of, damage, log_of, set_aside
from screener.store.database import Store, StoreError, WrongFileError, open_store
from screener.store.keeping import keep_store
from screener.store.wal import is_broken
from tests.unit.test_store import (
    ENDED,
    ENTRY,
    SOON,
    as_somebody_else,
    locked_by_another_process,
    numbered,
    stored,
)

LOOK = 0.05
CALLS = 300  # several dozen pages

contents, overwrite, protect, names = Path.read_bytes, Path.write_bytes, Path.chmod, os.listdir


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "screener.db"


@asynccontextmanager
async def kept(path: Path) -> AsyncIterator[Store]:
    async with keep_store(path, patience=0.3, look=LOOK) as store:
        yield store


async def filled(path: Path) -> None:
    """Leave a database with calls and an entry on the allow list, as an earlier service did."""
    async with kept(path) as store:
        await store.lists.put(ENTRY)
        for number in range(CALLS):
            store.calls.keep(numbered(number))
        assert await store.calls.flush(SOON)
        await until(lambda: b"+81312345678" in contents(copy_of(path)))


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(SOON):
        while not condition():  # noqa: ASYNC110  (a file tells nobody that it changed)
            await asyncio.sleep(0.01)


async def refusal(path: Path) -> str:
    """Return the one line with which a command is refused."""
    with pytest.raises(StoreError) as refused:
        async with open_store(path, patience=0.3) as store:
            await store.calls.newest(CALLS)
    line = str(refused.value)
    assert line.isprintable()
    return line


def checkpoint(path: Path) -> None:
    """Have all that was committed in the file itself, as after a quiet while."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def poke(path: Path, at: int, garbage: bytes) -> None:
    """Overwrite in place, as a failing disk would: whoever has the file open sees it too."""
    with path.open("r+b") as file:
        file.seek(at)
        file.write(garbage)


def halve(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def remove(path: Path) -> None:
    path.unlink()


DAMAGES: dict[str, Callable[[Path], None]] = {
    "header": lambda path: poke(path, 0, b"\xa5" * 100),
    "schema": lambda path: poke(path, 100, b"\xa5" * 3996),
    "middle": lambda path: poke(path, 8192, b"\xa5" * (path.stat().st_size - 20_000)),
    "truncated": halve,
    "zeroed": lambda path: poke(path, 0, b"\0" * path.stat().st_size),
    "text": lambda path: poke(path, 0, b"not a database\n" * 400),
}
LOSSES: dict[str, Callable[[Path], None]] = {
    "missing": remove,
    "zero length": lambda path: os.truncate(path, 0),
}


def told(logged: list[Any], event: str) -> list[Any]:
    return [each for each in logged if each["event"] == event]


@pytest.mark.parametrize("kind", DAMAGES)
async def test_a_damaged_database_is_put_aside_at_start_with_its_name_printed(
    path: Path, kind: str
) -> None:
    """Not a byte of it changes; the lists are there again, and calls are written."""
    await filled(path)
    DAMAGES[kind](path)
    before = contents(path)
    assert "screener run puts it aside" in await refusal(path)
    assert contents(path) == before
    with capture_logs() as logged:
        async with kept(path) as store:
            assert await store.lists.current() == {ENTRY.number: ENTRY}
            store.calls.keep(ENDED)
            assert await store.calls.flush(SOON)
            assert await store.calls.newest(5) == [ENDED]
    (lost,) = told(logged, "database_lost")
    assert lost["log_level"] == "error"
    assert contents(Path(lost["kept_as"])) == before
    assert [str(each) for each in set_aside(path)] == [lost["kept_as"]]
    (begun,) = told(logged, "database_begun_anew")
    assert begun["entries_on_lists"] == 1
    async with open_store(path) as opened:
        assert await opened.calls.newest(5) == [ENDED]


@pytest.mark.parametrize("kind", LOSSES)
async def test_a_database_that_is_gone_is_begun_anew_with_the_lists_and_said_so(
    path: Path, kind: str
) -> None:
    await filled(path)
    LOSSES[kind](path)
    assert "is gone" in await refusal(path)
    with capture_logs() as logged:
        async with kept(path) as store:
            assert await store.lists.current() == {ENTRY.number: ENTRY}
            assert await store.calls.newest(5) == []
    assert told(logged, "database_begun_anew")
    assert set_aside(path) == []


@pytest.mark.parametrize("kind", [*DAMAGES, *LOSSES])
async def test_whatever_happens_to_the_file_while_it_runs_every_later_call_is_written(
    path: Path, kind: str
) -> None:
    """The lists hold all the time; a damaged file is put aside, or written whole again."""
    await filled(path)
    with capture_logs() as logged:
        async with kept(path) as store:
            store.calls.keep(numbered(CALLS))
            assert await store.calls.flush(SOON)
            checkpoint(path)
            (DAMAGES | LOSSES)[kind](path)
            async with asyncio.timeout(SOON):
                while not (told(logged, "database_begun_anew") or _is_whole(path)):
                    # Until something reads the damaged place nothing shows, nor is anything lost.
                    store.calls.keep(replace(ENDED, id="meanwhile"))
                    await _newest(store)
                    assert ENTRY.number in await store.lists.current()
            for number in range(5):
                store.calls.keep(replace(ENDED, id=f"later-{number}"))
            assert await store.calls.flush(SOON)
            assert ENTRY.number in await store.lists.current()
    async with open_store(path) as opened:
        found = {record.id for record in await opened.calls.newest(1000)}
        assert await opened.lists.current() == {ENTRY.number: ENTRY}
    assert found >= {f"later-{number}" for number in range(5)}
    kept_as = {each["kept_as"] for each in told(logged, "database_lost")} - {"nothing"}
    assert {str(each) for each in set_aside(path)} == kept_as


def _is_whole(path: Path) -> bool:
    """Whether what SQLite still knew has mended the file, as it does with what it had read."""
    with suppress(sqlite3.Error, OSError):
        if path.exists() and path.stat().st_size:  # a look would make one
            checkpoint(path)
            return damage(path, 0.3) is None
    return False


async def _newest(store: Store) -> None:
    try:
        await store.calls.newest(1000)
    except StoreError as error:
        assert str(error).isprintable()  # noqa: PT017  (most of the times it can be read)


async def test_a_good_database_is_never_put_aside(path: Path) -> None:
    await filled(path)
    with capture_logs() as logged:
        for _ in range(3):
            async with kept(path) as store:
                assert len(await store.calls.newest(1000)) == CALLS
    assert logged == []
    assert sorted(names(path.parent)) == ["screener.db", "screener.db.lists.json"]


async def test_a_first_start_is_nothing_to_be_said(path: Path) -> None:
    with capture_logs() as logged:
        async with kept(path) as store:
            assert await store.lists.current() == {}
    assert logged == []


@pytest.mark.parametrize("content", [b"number,source,date,note\n" * 500, b"[call]\nring = 3\n"])
async def test_somebody_elses_file_is_neither_put_aside_nor_changed(
    path: Path, content: bytes
) -> None:
    path.parent.mkdir()
    overwrite(path, content)
    with pytest.raises(WrongFileError, match="name another file"):
        async with kept(path):
            pass
    assert contents(path) == content
    assert names(path.parent) == [path.name]


async def test_a_newer_or_foreign_database_stops_the_service_and_stays(path: Path) -> None:
    await stored(path, ENDED)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(WrongFileError, match="newer screener"):
        async with kept(path):
            pass
    with pytest.raises(WrongFileError, match="Is a directory"):
        async with kept(path.parent):
            pass


# --- SQLite's write-ahead log ---------------------------------------------------------------------


async def killed(path: Path) -> None:
    """Leave database and write-ahead log as a kill -9 does, with calls in the log only."""
    there = path.with_name("running.db")
    async with kept(there) as store:
        await store.lists.put(ENTRY)
        await until(lambda: b"+81312345678" in contents(copy_of(there)))
        checkpoint(there)
        for number in range(6):
            store.calls.keep(numbered(number))
            assert await store.calls.flush(SOON)
        for ending in ("", "-wal", ".lists.json"):
            shutil.copy(f"{there}{ending}", f"{path}{ending}")


async def test_a_whole_log_left_by_a_kill_is_read_and_nothing_is_put_aside(path: Path) -> None:
    path.parent.mkdir()
    await killed(path)
    assert not is_broken(log_of(path))
    with capture_logs() as logged:
        async with kept(path) as store:
            assert len(await store.calls.newest(10)) == 6
    assert logged == []


async def test_a_commit_half_written_in_a_power_cut_is_no_damage(path: Path) -> None:
    path.parent.mkdir()
    await killed(path)
    os.truncate(log_of(path), log_of(path).stat().st_size - 1000)
    assert not is_broken(log_of(path))
    async with kept(path) as store:
        assert len(await store.calls.newest(10)) == 5


@pytest.mark.parametrize("at", [0, 20, 5000, 40_000])
async def test_of_a_damaged_log_a_copy_is_kept_and_what_can_be_read_is_read(
    path: Path, at: int
) -> None:
    path.parent.mkdir()
    await killed(path)
    poke(log_of(path), at, b"\xa5" * 64)
    before = contents(log_of(path))
    with capture_logs() as logged:
        async with kept(path) as store:
            assert len(await store.calls.newest(10)) < 6
            assert await store.lists.current() == {ENTRY.number: ENTRY}
    (damaged,) = told(logged, "database_log_damaged")
    assert contents(Path(damaged["kept_as"])) == before


async def test_a_log_whose_database_is_gone_is_put_aside_and_not_deleted(path: Path) -> None:
    path.parent.mkdir()
    await killed(path)
    remove(path)
    before = contents(log_of(path))
    with capture_logs() as logged:
        async with kept(path) as store:
            assert await store.lists.current() == {ENTRY.number: ENTRY}
    (lost,) = told(logged, "database_lost")
    assert contents(log_of(Path(lost["kept_as"]))) == before


# --- the copy of the household's lists ------------------------------------------------------------


async def test_the_copy_follows_the_lists_and_is_for_nobody_else_to_read(path: Path) -> None:
    """Also what another process, the command line, puts on them."""
    async with kept(path) as store:
        await until(copy_of(path).exists)
        async with open_store(path) as command:
            await command.lists.put(replace(ENTRY, list_name=ListName.BLOCK, note="\ud800"))
        await until(lambda: b'"block"' in contents(copy_of(path)))
        await store.lists.remove(ENTRY.number)
        await until(lambda: contents(copy_of(path)) == b"[]")
        assert copy_of(path).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'[{"list": "x"}]', b"\xff", b"[[]]"])
async def test_without_a_copy_everybody_is_screened_and_the_log_says_so(
    path: Path, content: bytes
) -> None:
    await filled(path)
    overwrite(copy_of(path), content)
    DAMAGES["header"](path)
    with capture_logs() as logged:
        async with kept(path) as store:
            assert await store.lists.current() == {}
    (begun,) = told(logged, "database_begun_anew")
    assert begun["entries_on_lists"] == 0
    assert "who is on none is screened" in begun["advice"]


# --- databases that cannot be used for a while ----------------------------------------------------


async def test_a_database_locked_at_start_is_waited_for_with_the_lists_last_known(
    path: Path,
) -> None:
    """Longer than the patience; calls are kept, and written when the lock is gone."""
    await filled(path)
    with closing(sqlite3.connect(path)) as connection:
        # Outside of WAL an exclusive lock keeps readers out, too.
        connection.execute("PRAGMA journal_mode=DELETE")
    with capture_logs() as logged:
        async with locked_by_another_process(path):
            keeping = kept(path)
            store = await keeping.__aenter__()
            store.calls.keep(ENDED)
            assert await store.lists.current() == {ENTRY.number: ENTRY}
            assert not await store.calls.flush(1.5)
        assert await store.calls.flush(SOON)
        await until(lambda: told(logged, "database_usable_again"))
        assert await store.calls.get(ENDED.id) == ENDED
        await keeping.__aexit__(None, None, None)
    (unusable,) = told(logged, "database_unusable")
    assert "locked" in unusable["problem"]
    assert set_aside(path) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, of 1 MB: a tmpfs, which root can mount."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "screener-test", str(place)]
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    subprocess.run(mount, check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk: Path) -> Path:
    """Leave not a byte free; return what to delete for room."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            return ballast


async def test_a_disk_that_fills_up_while_it_runs_delays_the_log_and_loses_nothing(
    small_disk: Path,
) -> None:
    path = small_disk / "screener.db"
    with capture_logs() as logged:
        async with kept(path) as store:
            store.calls.keep(ENDED)
            assert await store.calls.flush(SOON)
            ballast = fill(small_disk)
            for number in range(400):
                store.calls.keep(numbered(number))
            assert not await store.calls.flush(1.0)
            assert await store.calls.get(ENDED.id) == ENDED
            ballast.unlink()
            assert await store.calls.flush(SOON)
            assert len(await store.calls.newest(1000)) == 400
    (failing,) = told(logged, "call log cannot be written, trying on")
    assert "full" in failing["problem"]
    assert set_aside(path) == []


@pytest.mark.parametrize("there", [True, False])
async def test_a_disk_full_at_start_is_waited_for(small_disk: Path, *, there: bool) -> None:
    path = small_disk / "screener.db"
    if there:
        await filled(path)
    ballast = fill(small_disk)
    with capture_logs() as logged:
        async with kept(path) as store:
            store.calls.keep(ENDED)
            assert bool(await store.lists.current()) == there
            assert not await store.calls.flush(0.8)
            ballast.unlink()
            assert await store.calls.flush(SOON)
            await until(lambda: told(logged, "database_usable_again"))
            assert len(await store.calls.newest(1000)) == (CALLS if there else 1)
            assert bool(await store.lists.current()) == there
    assert told(logged, "database_unusable")
    assert not told(logged, "database_lost")


async def test_a_directory_that_cannot_be_written_to_is_waited_for() -> None:
    with TemporaryDirectory() as folder:
        place = Path(folder)
        path = place / "screener.db"
        protect(place, 0o555)
        with as_somebody_else(), capture_logs() as logged:
            async with kept(path) as store:
                store.calls.keep(ENDED)
                assert not await store.calls.flush(0.5)
                assert await store.lists.current() == {}
    assert "Permission denied" in told(logged, "database_unusable")[0]["problem"]
    assert told(logged, "call records are lost")[0]["calls"] == [ENDED.id]
