"""The running service's lists: replaced when another version counts, whoever made it count."""

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from screener.shared.formats import Format
from screener.shared.job import Source
from screener.shared.lists import FraudLists, Standing
from screener.shared.watch import Watch
from tests.unit.listmaking import NOW, csv_of, many, terms, updated

LIMIT = 20  # seconds


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "numbers.csv"
    file.write_text(csv_of(many(3)))
    return file


@pytest.fixture
def known(tmp_path: Path, file: Path) -> FraudLists:
    source = Source(name="test", place=str(file), format=Format.CSV)
    return FraudLists(tmp_path / "lists", [source], terms())


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(LIMIT):
        while not true():  # noqa: ASYNC110  (files change in other processes, which tell nobody)
            await asyncio.sleep(0.01)


async def test_another_version_is_read_without_a_restart(known: FraudLists, file: Path) -> None:
    watch = Watch(known)
    await watch.look()
    (before,) = watch.lists
    assert before.head.count == 3
    watching = asyncio.create_task(watch.run(look_seconds=0.01))
    file.write_text(csv_of(many(4)))
    await updated(known.shelf("test"), file)
    await until(lambda: watch.lists[0].head.count == 4)
    await updated(known.shelf("test"), file)
    with known.shelf("test").locked():
        file.write_text(csv_of(many(5)))
    await updated(known.shelf("test"), file)
    await until(lambda: watch.lists[0].head.count == 5)
    assert before.find("+18005550000"), "a verdict under way keeps the list it began with"
    watching.cancel()


async def test_a_version_that_cannot_be_read_leaves_the_one_in_memory(
    known: FraudLists, file: Path
) -> None:
    watch = Watch(known)
    await updated(known.shelf("test"), file)
    await watch.look()
    for path in known.shelf("test").directory.glob("*.list"):
        path.write_bytes(b"rubbish")
    (known.shelf("test").directory / "current").touch()
    await watch.look()
    assert watch.lists[0].find("+18005550000")


@pytest.mark.parametrize(
    "damage",
    [
        {"checked_at": "yesterday"},
        {"checked_at": "2026-11-22T12:00:00"},
        {"tried_at": 7},
        {"file": None},
    ],
    ids=str,
)
async def test_a_pointer_that_says_nonsense_keeps_no_list_from_counting(
    known: FraudLists, file: Path, damage: dict[str, object]
) -> None:
    shelf = known.shelf("test")
    await updated(shelf, file)
    pointer = shelf.directory / "current"
    pointer.write_text(json.dumps(json.loads(pointer.read_text()) | damage))
    watch = Watch(known)
    await watch.look()
    assert watch.lists[0].head.count == 3
    assert not known.standing("test", NOW).too_old(NOW)
    assert known.due("test", NOW, timedelta(hours=1))


async def test_a_pointer_too_deep_to_be_read_counts_as_none(known: FraudLists, file: Path) -> None:
    await updated(known.shelf("test"), file)
    (known.shelf("test").directory / "current").write_text("[" * 200_000)
    watch = Watch(known)
    await watch.look()
    assert watch.lists[0].head.count == 3


class OneUnreadable(FraudLists):
    """Lists of which one fails as nobody foresaw."""

    def standing(self, name: str, now: datetime) -> Standing:
        if name == "unreadable":
            raise ArithmeticError(name)
        return super().standing(name, now)


async def test_a_list_that_fails_as_nobody_foresaw_keeps_the_others_from_nothing(
    tmp_path: Path, file: Path
) -> None:
    sources = [
        Source(name=name, place=str(file), format=Format.CSV) for name in ("unreadable", "test")
    ]
    watch = Watch(OneUnreadable(tmp_path / "lists", sources, terms()))
    await watch.look()
    assert [each.head.name for each in watch.lists] == ["test"]


async def test_updates_are_started_beside_the_service(known: FraudLists, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    code = f"open({str(mark)!r}, 'a').write('x'); print('[]')"
    watch = Watch(known, [sys.executable, "-c", code])
    watching = asyncio.create_task(watch.run(look_seconds=1, update_seconds=0.01))
    await until(lambda: mark.exists() and len(mark.read_text()) > 1)
    watching.cancel()


async def test_an_update_that_hangs_ends_with_the_service(
    known: FraudLists, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    code = f"import os, time; open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    watch = Watch(known, [sys.executable, "-c", code])
    watching = asyncio.create_task(watch.run(look_seconds=1))
    await until(lambda: mark.exists() and mark.read_text())
    watching.cancel()
    await asyncio.wait([watching])
    assert not Path(f"/proc/{mark.read_text()}").exists()


@pytest.mark.parametrize("end", ["raise SystemExit('no settings')", "print('rubbish')", "1"])
async def test_after_an_update_that_fails_the_next_is_started(
    known: FraudLists, tmp_path: Path, end: str
) -> None:
    mark = tmp_path / "mark"
    watch = Watch(known, [sys.executable, "-c", f"open({str(mark)!r}, 'a').write('x'); {end}"])
    watching = asyncio.create_task(watch.run(look_seconds=1, update_seconds=0.01))
    await until(lambda: mark.exists() and len(mark.read_text()) > 1)
    assert not watching.done()
    watching.cancel()


async def test_an_update_that_cannot_be_started_is_no_trouble_to_the_service(
    known: FraudLists,
) -> None:
    watch = Watch(known, ["/nonexistent"])
    watching = asyncio.create_task(watch.run(look_seconds=0.01, update_seconds=0.01))
    await watch.look()
    (known.shelf("test").directory).mkdir(parents=True)
    await updated(known.shelf("test"), known.sources["test"].place)
    await until(lambda: watch.lists)
    assert not watching.done()
    watching.cancel()


def test_a_url_is_due_only_every_so_often(tmp_path: Path) -> None:
    source = Source(name="test", place="https://lists.example.org/", format=Format.CSV)
    known = FraudLists(tmp_path, [source, replace(source, name="file", place="x")], terms())
    day = timedelta(days=1)
    assert known.due("test", NOW, day)
    assert known.due("file", NOW, day)
    shelf = known.shelf("test")
    with shelf.locked():
        shelf.point(tried_at=NOW.isoformat())
    assert not known.due("test", NOW + timedelta(minutes=10), day), "a source is not hammered"
    assert known.due("test", NOW + timedelta(hours=1), day)
    with shelf.locked():
        shelf.point(checked_at=NOW.isoformat())
    assert not known.due("test", NOW + timedelta(hours=23), day)
    assert known.due("test", NOW + day, day)
    with shelf.locked():
        shelf.point(held=True)
    assert not known.due("test", NOW + 9 * day, day), "a list that was rolled back waits for a yes"
