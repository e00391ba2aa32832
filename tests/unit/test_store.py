"""The store: what it was given comes back, whoever locks, kills or mistreats the database."""

import asyncio
import os
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import AsyncConnection
from structlog.testing import capture_logs

from screener.domain.call_record import CallRecord, Disposition, EndedBy, Recording
from screener.domain.caller import Caller, NumberClass
from screener.domain.lists import Entry, ListName
from screener.domain.policy import Decision, Rule, Verdict
from screener.store.database import StoreError, migrations, open_store
from screener.store.file import open_file
from screener.store.tables import REVISION, metadata

TOKYO = timezone(timedelta(hours=9))
NOON = datetime(2026, 11, 3, 12, 0, 0, 123456, tzinfo=TOKYO)
SOON = 10.0  # seconds, more than any machine needs

ENTRY = Entry(
    list_name=ListName.ALLOW,
    number="+81312345678",
    note="clinic",
    origin="household",
    added_at=NOON,
)
BEGUN = CallRecord(
    id="call-1",
    line="0398765432",
    caller=Caller(
        given="03-1234-5678",
        name="Clinic",
        e164="+81312345678",
        number_class=NumberClass.FIXED_LINE,
    ),
    decision=Decision(verdict=Verdict.PASS, rule=Rule.ALLOW_LIST, reason="on_allow_list"),
    started_at=NOON,
)
ENDED = replace(
    BEGUN,
    decision=replace(BEGUN.decision, entry=ENTRY),
    warned=True,
    rang_at=NOON + timedelta(seconds=8),
    answered_at=NOON + timedelta(seconds=12),
    ended_at=NOON + timedelta(seconds=75),
    ended_by=EndedBy.HOUSEHOLD,
    disposition=Disposition.ANSWERED,
    recording=Recording(path=Path("recordings/call-1.flac"), seconds=63.25, sha256="ab" * 32),
)
STRANGE_TEXTS = [
    "",
    'O\'Brien "Bob" \\ ;--',
    "'); DROP TABLE calls; --",
    "first\nsecond\r\nthird\x85\u2028",
    "a\x00b",
    "x" * 10_000,
    "👵🏻📞",
    "\ud800",
    "caf\udce9",
    "${SHELL(rm)} [bold]%s{}",
]


# Under a name of their own, since these tests may block while nothing else runs.
contents, overwrite, protect, status = Path.read_bytes, Path.write_bytes, Path.chmod, Path.stat


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "screener.db"


def numbered(number: int) -> CallRecord:
    started_at = NOON + timedelta(seconds=number)
    return replace(BEGUN, id=f"call-{number}", started_at=started_at)


def named(name: str) -> CallRecord:
    return replace(BEGUN, caller=replace(BEGUN.caller, name=name))


@asynccontextmanager
async def another_process(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a Python program beside the test, with pipes to talk to it; gone in the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        *arguments,
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


LOCKER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.readline()
connection.execute("COMMIT")
connection.close()
"""


@asynccontextmanager
async def locked_by_another_process(path: Path) -> AsyncIterator[None]:
    async with another_process(LOCKER, str(path)) as process:
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), SOON) == b"locked\n"
        yield


@contextmanager
def database(path: Path) -> Iterator[sqlite3.Connection]:
    """Reach into the database file from outside, as another program might."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


@contextmanager
def as_somebody_else() -> Iterator[None]:
    """Give up root's rights for a moment: nothing is forbidden to root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


async def stored(path: Path, *records: CallRecord) -> list[CallRecord]:
    """Keep records, close the store, open it again, and return what is in it."""
    async with open_store(path) as store:
        for record in records:
            store.calls.keep(record)
    async with open_store(path) as store:
        return await store.calls.newest(1000)


# --- the call log ---------------------------------------------------------------------------------


@pytest.mark.parametrize("record", [BEGUN, ENDED])
async def test_every_field_of_a_call_comes_back(path: Path, record: CallRecord) -> None:
    assert await stored(path, record) == [record]


async def test_times_come_back_aware_and_in_utc(path: Path) -> None:
    (record,) = await stored(path, ENDED)
    assert record.started_at.tzinfo is UTC
    assert record.ended_at is not None
    assert record.ended_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize("verdict", Verdict)
@pytest.mark.parametrize("ended_by", EndedBy)
async def test_every_verdict_and_end_can_be_stored(
    path: Path, verdict: Verdict, ended_by: EndedBy
) -> None:
    decision = replace(BEGUN.decision, verdict=verdict)
    record = replace(BEGUN, decision=decision, ended_by=ended_by)
    assert await stored(path, record) == [record]


async def test_every_class_rule_disposition_and_list_can_be_stored(path: Path) -> None:
    records = [
        *[replace(BEGUN, id=c, caller=replace(BEGUN.caller, number_class=c)) for c in NumberClass],
        *[replace(BEGUN, id=r, decision=replace(BEGUN.decision, rule=r)) for r in Rule],
        *[replace(BEGUN, id=d, disposition=d) for d in Disposition],
        *[
            replace(
                BEGUN,
                id=name,
                decision=replace(BEGUN.decision, entry=replace(ENTRY, list_name=name)),
            )
            for name in ListName
        ],
    ]
    unique = {record.id: record for record in records}
    assert {record.id: record for record in await stored(path, *records)} == unique


@pytest.mark.parametrize("text", STRANGE_TEXTS, ids=range(len(STRANGE_TEXTS)))
async def test_any_text_comes_back_as_it_was_in_every_field(path: Path, text: str) -> None:
    record = replace(
        ENDED,
        id=f"id {text}",
        line=text,
        caller=replace(ENDED.caller, given=text, name=text),
        decision=replace(ENDED.decision, reason=text, entry=replace(ENTRY, note=text, origin=text)),
    )
    async with open_store(path) as store:
        store.calls.keep(record)
        assert await store.calls.flush(SOON)
        assert await store.calls.get(record.id) == record


async def test_a_recording_keeps_its_path_as_given_even_if_it_is_no_utf8(path: Path) -> None:
    for given_path in ["recordings/a b'c.flac", "/var/spool/é.flac", os.fsdecode(b"r/\xff.flac")]:
        recording = Recording(path=Path(given_path), seconds=1.0, sha256="00")
        (record,) = await stored(path, replace(ENDED, recording=recording))
        assert record.recording == recording


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.text(st.characters(), max_size=50), min_size=1, max_size=8))
def test_arbitrary_names_come_back(path: Path, names: list[str]) -> None:
    records = {f"call-{i}": replace(named(name), id=f"call-{i}") for i, name in enumerate(names)}

    async def back() -> dict[str, CallRecord]:
        return {record.id: record for record in await stored(path, *records.values())}

    assert records.items() <= asyncio.run(back()).items()


async def test_a_later_state_replaces_the_earlier_one(path: Path) -> None:
    async with open_store(path) as store:
        store.calls.keep(BEGUN)
        assert await store.calls.flush(SOON)
        assert await store.calls.unfinished() == [BEGUN]
        store.calls.keep(ENDED)
        assert await store.calls.flush(SOON)
        assert await store.calls.newest(10) == [ENDED]
        assert await store.calls.unfinished() == []


async def test_of_many_states_kept_at_once_the_last_one_counts(path: Path) -> None:
    states = [replace(BEGUN, line=str(number)) for number in range(500)]
    assert await stored(path, *states) == [states[-1]]


async def test_calls_come_newest_first_and_no_more_than_asked_for(path: Path) -> None:
    async with open_store(path) as store:
        for number in (2, 0, 3, 1):
            store.calls.keep(numbered(number))
        assert await store.calls.flush(SOON)
        found = await store.calls.newest(3)
        assert [record.id for record in found] == ["call-3", "call-2", "call-1"]
        assert await store.calls.newest(0) == []
        assert await store.calls.newest(-1) == []


async def test_what_is_kept_meanwhile_does_not_hold_a_flush_up(path: Path) -> None:
    async with open_store(path) as store:
        store.calls.keep(ENDED)
        flushing = asyncio.create_task(store.calls.flush(SOON))
        later = 0
        while not flushing.done():
            later += 1
            store.calls.keep(replace(ENDED, id=f"later-{later}"))
            await asyncio.sleep(0.001)  # the calls of a busy day
        assert flushing.result()
        assert await store.calls.get(ENDED.id) == ENDED


async def test_a_call_that_is_not_there_is_none(path: Path) -> None:
    async with open_store(path) as store:
        assert await store.calls.get("call-1") is None
        assert await store.calls.newest(5) == []
        assert await store.calls.flush(0)


async def test_more_calls_than_fit_one_commit_all_arrive(path: Path) -> None:
    found = await stored(path, *(numbered(number) for number in range(450)))
    assert {record.id for record in found} == {f"call-{number}" for number in range(450)}


async def test_a_locked_database_holds_nobody_up_and_the_row_arrives_afterwards(
    path: Path,
) -> None:
    with capture_logs() as logged:
        async with open_store(path) as store:
            async with locked_by_another_process(path):
                start = time.perf_counter()
                store.calls.keep(BEGUN)
                store.calls.keep(ENDED)
                assert time.perf_counter() - start < 0.2
                assert not await store.calls.flush(1.2)  # several tries long
                assert await store.calls.newest(1) == []
            assert await store.calls.flush(SOON)
            assert await store.calls.newest(1) == [ENDED]
    assert [(each["log_level"], each["event"]) for each in logged] == [
        ("error", "call log cannot be written, trying on"),
        ("info", "call log is written again"),
    ]
    assert "locked" in logged[0]["problem"]


async def test_memory_for_calls_that_cannot_be_written_is_bounded_the_newest_stay(
    path: Path,
) -> None:
    with capture_logs() as logged:
        async with open_store(path) as store:
            for number in range(10_003):
                store.calls.keep(numbered(number))
            assert await store.calls.flush(SOON)
            found = await store.calls.newest(20_000)
    assert [record.id for record in found] == [f"call-{n}" for n in range(10_002, 2, -1)]
    assert [each["event"] for each in logged] == [
        "too many call records wait to be written, the oldest are lost"
    ]


async def test_closing_a_locked_database_ends_in_time_and_names_what_is_lost(path: Path) -> None:
    with capture_logs() as logged:
        async with open_store(path, patience=0.3) as store:
            locked = locked_by_another_process(path)
            await locked.__aenter__()
            store.calls.keep(BEGUN)
            start = time.perf_counter()
        spent = time.perf_counter() - start
        await locked.__aexit__(None, None, None)
    assert spent < 3
    assert logged[-1]["event"] == "call records are lost"
    assert logged[-1]["calls"] == ["call-1"]


async def test_a_record_that_cannot_be_stored_does_not_stop_the_others(path: Path) -> None:
    without_zone = replace(numbered(1), started_at=datetime(2026, 11, 3))  # noqa: DTZ001
    with capture_logs() as logged:
        found = await stored(path, numbered(0), without_zone, numbered(2))
    assert {record.id for record in found} == {"call-0", "call-2"}
    assert [(each["event"], each["call"]) for each in logged] == [
        ("call record cannot be stored", "call-1")
    ]


async def test_a_record_that_the_database_refuses_does_not_stop_the_others(path: Path) -> None:
    async with open_store(path):
        pass
    with database(path) as connection:
        connection.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON calls WHEN NEW.id = 'call-1' "
            "BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )
    with capture_logs():
        found = await stored(path, numbered(0), numbered(1), numbered(2))
    assert {record.id for record in found} == {"call-0", "call-2"}


WRITER = """
import asyncio, sys
from dataclasses import replace
from pathlib import Path
from screener.store.database import open_store
from tests.unit.test_store import numbered

async def main():
    async with open_store(Path(sys.argv[1])) as store:
        for number in range(100_000):
            store.calls.keep(numbered(number))
            assert await store.calls.flush(10)
            print(number, flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("rows", [1, 7, 40])
async def test_a_killed_process_loses_no_row_that_was_on_disk(path: Path, rows: int) -> None:
    acknowledged: list[int] = []
    async with another_process(WRITER, str(path)) as process:
        assert process.stdout is not None
        while len(acknowledged) < rows:
            line = await asyncio.wait_for(process.stdout.readline(), SOON)
            acknowledged.append(int(line))
        process.send_signal(signal.SIGKILL)
        rest = await process.stdout.read()
    acknowledged += [int(line) for line in rest.splitlines()]
    async with open_store(path) as store:
        found = {record.id for record in await store.calls.newest(100_000)}
    assert {f"call-{number}" for number in acknowledged} <= found


async def test_nothing_is_left_running_after_closing(path: Path) -> None:
    threads, tasks = threading.active_count(), len(asyncio.all_tasks())
    async with open_store(path) as store:
        store.calls.keep(BEGUN)
        await store.calls.newest(1)
    await asyncio.get_running_loop().shutdown_default_executor()
    assert threading.active_count() == threads
    assert len(asyncio.all_tasks()) == tasks


async def test_an_error_of_the_program_itself_passes_through_and_the_log_is_written(
    path: Path,
) -> None:
    async def fails_after_a_call() -> None:
        async with open_store(path) as store:
            store.calls.keep(BEGUN)
            raise KeyError

    with pytest.raises(KeyError):
        await fails_after_a_call()
    async with open_store(path) as store:
        assert await store.calls.newest(1) == [BEGUN]


# --- the household's lists ------------------------------------------------------------------------


async def test_an_entry_replaces_whatever_the_household_had_for_the_number(path: Path) -> None:
    blocked = replace(ENTRY, list_name=ListName.BLOCK, note="no more", added_at=None)
    async with open_store(path) as store:
        assert await store.lists.current() == {}
        assert await store.lists.put(ENTRY) is None
        assert await store.lists.current() == {ENTRY.number: ENTRY}
        assert await store.lists.put(blocked) == ENTRY
        assert await store.lists.current() == {ENTRY.number: blocked}
        assert await store.lists.remove(ENTRY.number) == blocked
        assert await store.lists.remove(ENTRY.number) is None
        assert await store.lists.current() == {}


@pytest.mark.parametrize("text", STRANGE_TEXTS, ids=range(len(STRANGE_TEXTS)))
async def test_a_note_of_any_text_comes_back(path: Path, text: str) -> None:
    entry = replace(ENTRY, note=text, origin=text)
    async with open_store(path) as store:
        await store.lists.put(entry)
    async with open_store(path) as store:
        assert await store.lists.current() == {ENTRY.number: entry}


async def test_a_shared_list_is_not_the_households_to_change(path: Path) -> None:
    async with open_store(path) as store:
        with pytest.raises(ValueError, match="the household has no fraud list"):
            await store.lists.put(replace(ENTRY, list_name=ListName.FRAUD))


async def test_lists_handed_out_cannot_be_changed_by_who_gets_them(path: Path) -> None:
    async with open_store(path) as store:
        await store.lists.put(ENTRY)
        found = await store.lists.current()
        with pytest.raises(TypeError):
            found["3"] = ENTRY  # type: ignore[index]


PUTTER = """
import asyncio, sys
from pathlib import Path
from screener.store.database import open_store
from tests.unit.test_store import ENTRY

async def main():
    async with open_store(Path(sys.argv[1])) as store:
        await store.lists.put(ENTRY)

asyncio.run(main())
"""


async def test_what_another_process_puts_counts_from_the_next_look_on(path: Path) -> None:
    async with open_store(path) as store:
        assert await store.lists.current() == {}
        async with another_process(PUTTER, str(path)) as process:
            assert await asyncio.wait_for(process.wait(), SOON) == 0
        assert await store.lists.current() == {ENTRY.number: ENTRY}


async def test_lists_are_read_again_only_after_a_change_of_them(path: Path) -> None:
    async with open_store(path) as store:
        await store.lists.put(ENTRY)
        before = await store.lists.current()
        store.calls.keep(BEGUN)
        assert await store.calls.flush(SOON)
        after = await store.lists.current()
        assert after is before


async def test_looking_at_unchanged_lists_is_cheap(path: Path) -> None:
    async with open_store(path) as store:
        for number in range(100):
            await store.lists.put(replace(ENTRY, number=f"+8131234{number:04}"))
        await store.lists.current()
        start = time.process_time()
        for _ in range(100):
            await store.lists.current()
        assert (time.process_time() - start) / 100 < 0.002


async def test_many_looks_and_changes_at_once_agree_in_the_end(path: Path) -> None:
    entries = {n: replace(ENTRY, number=n) for n in (str(number) for number in range(30))}
    async with open_store(path) as store, asyncio.TaskGroup() as group:
        for entry in entries.values():
            group.create_task(store.lists.put(entry))
            group.create_task(store.lists.current())
    async with open_store(path) as store:
        assert await store.lists.current() == entries


async def test_lists_that_cannot_be_read_count_as_they_were_last_known(path: Path) -> None:
    async with open_store(path) as store:
        await store.lists.put(ENTRY)
        known = await store.lists.current()
        with database(path) as connection:
            connection.execute("UPDATE list_entries SET list_name = 'no such list'")
            connection.execute("PRAGMA user_version = 1000")
        with capture_logs() as logged:
            assert await store.lists.current() == known
            assert await store.lists.current() == known
        assert len(logged) == 1
        assert "no such list" in logged[0]["problem"]
        assert store.lists.last_known == known
    with pytest.raises(StoreError, match="holds a row that cannot be read"):
        async with open_store(path):
            pass


async def test_a_change_waits_for_a_lock_and_gives_up_on_one_line(path: Path) -> None:
    async with open_store(path, patience=0.3) as store:
        async with locked_by_another_process(path):
            with pytest.raises(StoreError, match=r"^database .* is locked by another program"):
                await store.lists.put(ENTRY)
            assert await store.lists.current() == {}
        await store.lists.put(ENTRY)
        assert await store.lists.current() == {ENTRY.number: ENTRY}


# --- files that cannot be used --------------------------------------------------------------------


async def refusal(path: Path) -> str:
    """Return the one line with which opening is refused."""
    with pytest.raises(StoreError) as refused:
        async with open_store(path, patience=0.3):
            pass
    line = str(refused.value)
    assert line.isprintable()
    return line


async def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(path: Path) -> None:
    path.parent.mkdir()
    overwrite(path, b"number,source,date,note\n" * 500)
    before = contents(path)
    assert "file is not a database" in await refusal(path)
    assert contents(path) == before
    assert list(path.parent.iterdir()) == [path]


async def test_a_corrupt_database_is_refused_and_left_as_it_is(path: Path) -> None:
    await stored(path, *(numbered(number) for number in range(200)))
    whole = contents(path)
    overwrite(path, whole[:100] + b"\xa5" * (len(whole) - 100))
    before = contents(path)
    assert "cannot be used" in await refusal(path)
    assert contents(path) == before


async def test_a_database_of_a_newer_screener_is_refused_and_left_as_it_is(path: Path) -> None:
    await stored(path, ENDED)
    with database(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    before = contents(path)
    assert "written by a newer screener (schema 9999)" in await refusal(path)
    assert contents(path) == before


async def test_a_database_of_another_program_is_refused_and_left_as_it_is(path: Path) -> None:
    path.parent.mkdir()
    with database(path) as connection:
        connection.execute("CREATE TABLE photos (id INTEGER)")
    before = contents(path)
    assert "is of another program" in await refusal(path)
    assert contents(path) == before


async def test_a_directory_is_refused(tmp_path: Path) -> None:
    assert "cannot be opened for writing: Is a directory" in await refusal(tmp_path)


async def test_a_path_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot be opened for writing" in await refusal(tmp_path / "file" / "screener.db")


@pytest.mark.parametrize("name", ["a\nb", "\x00", "n" * 300, "\x1b[31m"])
async def test_a_strange_name_is_refused_or_used_and_never_breaks_the_line(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / name / "x"
    if name in {"\x00", "n" * 300}:
        assert "cannot be opened for writing" in await refusal(path)
    else:
        path.mkdir(parents=True)
        assert "Is a directory" in await refusal(path)


async def test_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "is not a file" in await refusal(tmp_path / "pipe")


@pytest.mark.parametrize("mode", [0o000, 0o444])
async def test_a_file_without_permission_is_refused(mode: int) -> None:
    with TemporaryDirectory() as folder:
        protect(Path(folder), 0o755)
        path = Path(folder) / "screener.db"
        await stored(path, ENDED)
        protect(path, mode)
        with as_somebody_else():
            assert "cannot be opened for writing: Permission denied" in await refusal(path)


async def test_a_locked_new_file_is_refused_after_some_patience(path: Path) -> None:
    path.parent.mkdir()
    async with locked_by_another_process(path):
        assert "is locked by another program" in await refusal(path)


async def test_a_call_of_an_unknown_kind_is_told_on_one_line(path: Path) -> None:
    await stored(path, ENDED)
    with database(path) as connection:
        connection.execute("UPDATE calls SET verdict = 'no such\nverdict'")
    async with open_store(path) as store:
        with pytest.raises(StoreError, match="holds a row that cannot be read") as refused:
            await store.calls.newest(1)
    assert str(refused.value).isprintable()


async def test_a_new_database_is_for_nobody_else_to_read(path: Path) -> None:
    async with open_store(path):
        assert status(path).st_mode & 0o077 == 0


async def test_an_empty_file_becomes_a_database(path: Path) -> None:
    path.parent.mkdir()
    overwrite(path, b"")
    assert await stored(path, BEGUN) == [BEGUN]


async def test_two_processes_can_open_a_new_database_at_once(path: Path) -> None:
    async with (
        another_process(PUTTER, str(path)) as first,
        another_process(PUTTER, str(path)) as second,
    ):
        assert await asyncio.wait_for(first.wait(), SOON) == 0
        assert await asyncio.wait_for(second.wait(), SOON) == 0
    async with open_store(path) as store:
        assert await store.lists.current() == {ENTRY.number: ENTRY}


async def test_what_is_committed_survives_a_power_cut(path: Path) -> None:
    async def pragmas(connection: AsyncConnection) -> list[object]:
        names = ("journal_mode", "synchronous")
        found = [await connection.exec_driver_sql(f"PRAGMA {name}") for name in names]
        return [each.scalar_one() for each in found]

    async with open_store(path), open_file(path, patience=1) as file:
        assert await file.write(pragmas) == ["wal", 2]  # 2 is FULL


# --- the schema -----------------------------------------------------------------------------------


async def test_the_steps_from_an_empty_file_lead_to_the_tables_of_the_program(path: Path) -> None:
    async with open_store(path):
        pass
    database = create_engine(f"sqlite:///{path}")
    with database.connect() as connection:
        command.check(migrations(connection))
    database.dispose()


def test_the_newest_step_is_the_one_the_program_expects() -> None:
    assert ScriptDirectory.from_config(migrations()).get_current_head() == REVISION


async def test_the_steps_can_be_taken_back_and_made_again(path: Path) -> None:
    async with open_store(path):
        pass
    database = create_engine(f"sqlite:///{path}")
    with database.begin() as connection:
        command.downgrade(migrations(connection), "base")
        for table in metadata.tables:
            assert not database.dialect.has_table(connection, table)
        command.upgrade(migrations(connection), "head")
    database.dispose()
    assert await stored(path, ENDED) == [ENDED]
