"""The household's lists: whole books come and go, dialled numbers are learnt, nobody's are lost."""

import asyncio
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from screener.domain.lists import Entry, ListName
from screener.store.database import Store, StoreError, open_store

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
YESTERDAY = NOW - timedelta(days=1)
CLINIC, SON, SHOP = "+81312345678", "+4930123456", "+81335810000"
BOOK = "book home"


def entry(number: str, note: str = "", origin: str = BOOK, **changed: object) -> Entry:
    made = Entry(list_name=ListName.ALLOW, number=number, note=note, origin=origin, added_at=NOW)
    return replace(made, **changed)  # type: ignore[arg-type]


def by_number(*entries: Entry) -> dict[str, Entry]:
    return {each.number: each for each in entries}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "screener.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    async with open_store(path) as opened:
        yield opened


async def put(store: Store, entries: Iterable[Entry]) -> None:
    for each in entries:
        await store.lists.put(each)


# --- books ----------------------------------------------------------------------------------------


async def test_a_book_takes_the_place_of_its_former_self_and_of_nothing_else(store: Store) -> None:
    other = entry(SHOP, origin="book shops")
    await put(store, [other])
    first = by_number(entry(CLINIC, "clinic"), entry(SON, "son"))
    change = await store.lists.replace_origin(BOOK, first, NOW)
    assert (change.added, change.changed, change.removed, change.unchanged) == (2, 0, 0, 0)
    second = by_number(entry(SON, "Taro", added_at=LATER), entry("+81612345678", added_at=LATER))
    change = await store.lists.replace_origin(BOOK, second, LATER)
    assert (change.added, change.changed, change.removed, change.unchanged) == (1, 1, 1, 0)
    since_first = replace(second[SON], added_at=NOW)
    assert await store.lists.current() == by_number(*second.values(), since_first, other)


async def test_a_book_without_changes_changes_nothing(store: Store) -> None:
    await store.lists.replace_origin(BOOK, by_number(entry(CLINIC)), NOW)
    before = await store.lists.current()
    again = by_number(entry(CLINIC, added_at=LATER))
    change = await store.lists.replace_origin(BOOK, again, LATER)
    assert (change.unchanged, change.added + change.changed + change.removed) == (1, 0)
    assert await store.lists.current() is before


@pytest.mark.parametrize("list_name", [ListName.ALLOW, ListName.SCREEN, ListName.BLOCK])
async def test_what_the_household_put_on_a_list_itself_stays_and_is_told(
    store: Store, list_name: ListName
) -> None:
    own = entry(CLINIC, "never again", origin="household", list_name=list_name)
    await put(store, [own])
    change = await store.lists.replace_origin(BOOK, by_number(entry(CLINIC, "clinic")), LATER)
    assert (change.added, change.kept) == (0, [own])
    await store.lists.replace_origin(BOOK, {}, LATER)
    assert await store.lists.current() == by_number(own)


async def test_what_has_expired_or_was_only_dialled_makes_place_for_a_book(store: Store) -> None:
    expired = entry(SON, origin="household", list_name=ListName.BLOCK, expires_at=YESTERDAY)
    await put(store, [entry(CLINIC, origin="dialled"), expired])
    book = by_number(entry(CLINIC, "clinic"), entry(SON, "son"))
    change = await store.lists.replace_origin(BOOK, book, NOW)
    assert (change.added, change.kept) == (2, [])
    assert await store.lists.current() == book


async def test_entries_are_added_only_where_nothing_stands(store: Store) -> None:
    own = entry(CLINIC, "clinic", origin="household")
    same = entry(SHOP, "shop")
    await put(store, [own, same, entry(SON, origin="dialled")])
    blocked = entry(CLINIC, origin="household", list_name=ListName.BLOCK)
    added = [blocked, same, entry(SON, "son"), entry("DE", origin="household")]
    change = await store.lists.add(by_number(*added), NOW)
    assert change == (2, 0, 0, 1, [own])
    assert await store.lists.current() == by_number(own, *added[1:])


async def test_a_book_that_cannot_be_written_as_a_whole_changes_nothing(
    store: Store, path: Path
) -> None:
    await store.lists.replace_origin(BOOK, by_number(entry(CLINIC)), NOW)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON list_entries WHEN NEW.number = '+8190900'"
            " BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )
    many = by_number(*(entry(f"+8190{number}") for number in range(901)))
    with pytest.raises(StoreError, match="refused"):
        await store.lists.replace_origin(BOOK, many, NOW)
    assert await store.lists.current() == by_number(entry(CLINIC))


PUTTER = """
import asyncio, sys
from datetime import UTC, datetime
from pathlib import Path
from screener.domain.lists import Entry, ListName
from screener.store.database import open_store

async def main():
    async with open_store(Path(sys.argv[1])) as store:
        print("ready", flush=True)
        sys.stdin.readline()
        for number in range(40):
            await store.lists.put(Entry(
                list_name=ListName.BLOCK, number=f"+8190{number}", note="", origin="household",
                added_at=datetime.now(UTC),
            ))

asyncio.run(main())
"""


@asynccontextmanager
async def another_program(path: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PUTTER, str(path)),
        cwd=Path(__file__).parents[2],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_a_sync_and_a_command_that_write_at_once_both_arrive(
    store: Store, path: Path
) -> None:
    book = by_number(*(entry(f"+8180{number}") for number in range(500)))
    async with another_program(path) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        await process.stdout.readline()
        process.stdin.write(b"\n")
        for _ in range(10):
            await store.lists.replace_origin(BOOK, {}, NOW)
            await store.lists.replace_origin(BOOK, book, NOW)
        assert await asyncio.wait_for(process.wait(), 30) == 0
    found = await store.lists.current()
    assert len(found) == 540
    assert sum(each.list_name is ListName.BLOCK for each in found.values()) == 40


async def test_a_very_large_book_holds_up_no_call(store: Store) -> None:
    book = by_number(*(entry(f"+8190{number:06}") for number in range(20_000)))
    waits: list[float] = []

    async def other_calls() -> None:
        while True:
            start = time.perf_counter()
            await asyncio.sleep(0)
            waits.append(time.perf_counter() - start)

    calls = asyncio.create_task(other_calls())
    await store.lists.replace_origin(BOOK, book, NOW)
    assert await store.lists.current() == book
    calls.cancel()
    # The garbage collector has its moments, on this machine or that.
    assert sorted(waits)[-10] < 0.05


async def test_who_gives_up_waiting_for_long_lists_finds_them_the_next_time(store: Store) -> None:
    book = by_number(*(entry(f"+8190{number:06}") for number in range(20_000)))
    await store.lists.replace_origin(BOOK, book, NOW)
    gave_up = 0
    while True:
        try:
            async with asyncio.timeout(0.02):
                found = await store.lists.current()
            break
        except TimeoutError:
            gave_up += 1
            assert gave_up < 500, "the reading begins anew whenever somebody gives up"
    assert found == book
    assert gave_up


# --- numbers that the household dialled -----------------------------------------------------------


async def test_a_number_that_the_household_dials_is_known_from_then_on(store: Store) -> None:
    assert await store.lists.learn(CLINIC, NOW, days=0)
    assert await store.lists.learn(SON, NOW, days=30)
    assert await store.lists.current() == by_number(
        entry(CLINIC, origin="dialled"),
        entry(SON, origin="dialled", expires_at=NOW + timedelta(days=30)),
    )


async def test_dialled_again_a_number_is_known_for_longer_and_since_the_first_time(
    store: Store,
) -> None:
    assert await store.lists.learn(SON, NOW, days=30)
    assert not await store.lists.learn(SON, NOW + timedelta(hours=1), days=30)
    assert await store.lists.learn(SON, LATER, days=30)
    again = entry(SON, origin="dialled", expires_at=LATER + timedelta(days=30))
    assert await store.lists.current() == by_number(again)
    assert await store.lists.learn(SON, LATER, days=0)
    assert await store.lists.current() == by_number(replace(again, expires_at=None))


@pytest.mark.parametrize(
    "own",
    [
        entry(CLINIC, origin="household", list_name=ListName.BLOCK),
        entry(CLINIC),
        entry("+8131*", origin="household", list_name=ListName.BLOCK),
        entry("+8131#######", origin="household", list_name=ListName.SCREEN),
    ],
    ids=lambda own: f"{own.list_name} {own.number}",
)
async def test_dialling_changes_nothing_that_the_household_said_of_a_number(
    store: Store, own: Entry
) -> None:
    await put(store, [own])
    assert not await store.lists.learn(CLINIC, LATER, days=0)
    assert await store.lists.current() == by_number(own)


async def test_a_pattern_of_another_length_does_not_keep_a_number_from_being_learnt(
    store: Store,
) -> None:
    await put(store, [entry("+8131######", origin="household", list_name=ListName.BLOCK)])
    assert await store.lists.learn(CLINIC, NOW, days=0)


async def test_an_entry_that_has_expired_does_not_keep_a_number_from_being_learnt(
    store: Store,
) -> None:
    await put(store, [entry(CLINIC, origin="household", expires_at=YESTERDAY)])
    assert await store.lists.learn(CLINIC, NOW, days=0)
    assert await store.lists.current() == by_number(entry(CLINIC, origin="dialled"))


# --- what has expired -----------------------------------------------------------------------------


async def test_what_has_expired_stays_until_it_is_swept(store: Store) -> None:
    expired = entry(CLINIC, expires_at=YESTERDAY)
    lasting = entry(SON)
    await put(store, [expired, lasting])
    assert await store.lists.current() == by_number(expired, lasting)
    assert await store.lists.sweep(YESTERDAY) == 0
    assert await store.lists.sweep(NOW) == 1
    assert await store.lists.current() == by_number(lasting)
