"""Calls that the dialplan carried alone come into the log all the same, and as what they were."""

import itertools
import os
import re
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from screener.audio.recording import Recordings
from screener.domain.call_record import CallRecord, Disposition, EndedBy
from screener.domain.policy import Rule, Verdict
from screener.store.database import Store, StoreError
from tests.fake.asterisk import FakeAsterisk
from tests.fake.people import Caller, Handset
from tests.fake.screening import FRIEND, POLICE, SELLER, STRANGER, Screening


@pytest.fixture
def live(asterisk: FakeAsterisk, recordings: Recordings) -> Path:
    asterisk.live = recordings.live_directory
    return recordings.live_directory


async def carried(asterisk: FakeAsterisk, number: str = STRANGER) -> Caller:
    """Let somebody call while no screener runs, and wait until that is over."""
    caller = asterisk.offer(number)
    await caller.over()
    return caller


def stop_at(screening: Screening, step: int) -> None:
    """Have the screener stop when it does its next but so many-th step with the call log."""
    steps = itertools.count()
    screening.on_step = lambda: screening.is_cancelled() if next(steps) == step else None


def over(screening: Screening) -> bool:
    return screening.taking.done() or screening.idle


def outgoing(live: Path, number: str, **told: str) -> Path:
    """Leave what the dialplan tells of a call of the household's own."""
    values = {"direction": "outgoing", "number": number, "began": "1", "ended": "2", **told}
    file = live / f"{number.strip('#*')}.1.cdr"
    file.write_text("&".join(f"{key}={value}" for key, value in values.items()) + "\n")
    return file


# ---- with no screener ---------------------------------------------------------------------------


async def test_a_call_of_the_time_without_a_screener_is_in_the_log_when_one_starts(
    asterisk: FakeAsterisk, store: Store, recordings: Recordings, live: Path
) -> None:
    """When it came, that it was warned and answered, who ended it, and the recording."""
    caller = await carried(asterisk)
    (live / f"{caller.id}.raw").write_bytes(b"\1\2\3\4" * 8000)
    async with Screening(asterisk, store, recordings).at_work() as screening:
        row = await screening.row(caller)
    assert caller.heard == ["warning from the dialplan"]
    assert (row.disposition, row.ended_by) == (Disposition.FAILED_OPEN, EndedBy.HOUSEHOLD)
    assert (row.decision.verdict, row.line, row.warned) == (Verdict.SCREEN, "0398765432", True)
    assert row.rang_at
    assert row.answered_at
    assert row.ended_at
    assert row.started_at <= row.rang_at <= row.ended_at <= datetime.now(UTC)
    assert row.recording
    assert row.recording.seconds == 1
    assert list(live.iterdir()) == []
    assert await store.calls.get(caller.id) == row


@pytest.mark.parametrize(("number", "window"), [(POLICE, False), (STRANGER, True), (SELLER, True)])
@pytest.mark.parametrize("screener", ["up", "down"])
@pytest.mark.parametrize(
    ("handset", "disposition", "by"),
    [
        (Handset.ANSWERS, Disposition.ANSWERED, EndedBy.HOUSEHOLD),
        (Handset.ANSWERS_AND_CALLER_ENDS, Disposition.ANSWERED, EndedBy.CALLER),
        (Handset.NOBODY, Disposition.UNANSWERED, EndedBy.SCREENER),
        (Handset.UNREGISTERED, Disposition.UNREACHABLE, EndedBy.SCREENER),
    ],
)
async def test_calls_for_help_are_written_down_as_what_they_were(
    asterisk: FakeAsterisk,
    store: Store,
    recordings: Recordings,
    live: Path,
    *,
    number: str,
    window: bool,
    screener: str,
    handset: Handset,
    disposition: Disposition,
    by: EndedBy,
) -> None:
    """Unwarned, unrecorded, never failed: they are the dialplan's by right."""
    screening = Screening(asterisk, store, recordings)
    if screener == "down":
        caller = asterisk.offer(number, handset=handset, window=window)
        await caller.over()
    async with screening.at_work():
        if screener == "up":
            caller = asterisk.offer(number, handset=handset, window=window)
        row = await screening.row(caller)
    rule = Rule.EMERGENCY if number == POLICE else Rule.EMERGENCY_WINDOW
    assert (row.decision.verdict, row.decision.rule) == (Verdict.PASS, rule)
    assert (row.disposition, row.ended_by) == (disposition, by)
    assert (row.warned, row.recording) == (False, None)
    assert caller.been_in[0] == "ring/unrecorded"
    assert (row.rang_at is not None) is caller.rang
    assert (row.answered_at is not None) is caller.picked_up
    assert list(live.iterdir()) == []


async def test_a_caller_who_was_gone_before_anybody_asked_just_hung_up(
    asterisk: FakeAsterisk, store: Store, recordings: Recordings
) -> None:
    """Nothing had broken by then."""
    asterisk.offered_to = re.compile("^nobody$")
    async with Screening(asterisk, store, recordings).at_work() as screening:
        caller = asterisk.offer()
        caller.hangs_up()
        row = await screening.row(caller)
    assert (row.disposition, row.ended_by) == (
        Disposition.ABANDONED_BEFORE_WARNING,
        EndedBy.CALLER,
    )
    assert row.decision.verdict is Verdict.SCREEN


async def test_a_friend_whom_the_dialplan_had_to_warn_is_written_down_as_a_friend(
    asterisk: FakeAsterisk, store: Store, recordings: Recordings, live: Path
) -> None:
    caller = await carried(asterisk, FRIEND)
    async with Screening(asterisk, store, recordings).at_work() as screening:
        row = await screening.row(caller)
    assert row.decision.rule is Rule.ALLOW_LIST
    assert (row.disposition, row.warned) == (Disposition.FAILED_OPEN, True)


async def test_many_calls_of_a_long_time_without_a_screener_keep_no_new_call_waiting(
    store: Store, recordings: Recordings
) -> None:
    live = recordings.live_directory
    async with FakeAsterisk(claim_seconds=0.01) as asterisk:
        asterisk.live = live
        carried_alone = [await carried(asterisk) for _ in range(20)]
        async with Screening(asterisk, store, recordings, max_calls=1).at_work() as screening:
            caller = asterisk.offer()
            row = await screening.row(caller)
            rows = [await screening.row(each) for each in carried_alone]
    assert row.disposition is Disposition.ANSWERED
    assert {each.disposition for each in rows} == {Disposition.FAILED_OPEN}
    assert list(live.iterdir()) == []


# ---- the household's own calls ------------------------------------------------------------------


async def test_the_screener_hears_whom_the_household_calls(
    asterisk: FakeAsterisk, store: Store, recordings: Recordings, live: Path
) -> None:
    """And nothing of that is in the log of incoming calls."""
    files = [outgoing(live, "0451234567", dialled="1"), outgoing(live, "1*2", dialled="")]
    screening = Screening(asterisk, store, recordings)
    async with screening.at_work():
        await asterisk.until(lambda: not any(file.exists() for file in files), "they are read")
    assert screening.dialled == ["0451234567"]
    assert screening.kept == []


async def test_a_call_for_help_that_opens_the_window_is_said_in_the_log(
    asterisk: FakeAsterisk,
    store: Store,
    recordings: Recordings,
    live: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = outgoing(live, "119", emergency="1", dialled="1", window_until="3600")
    async with Screening(asterisk, store, recordings).at_work():
        await asterisk.until(lambda: not file.exists(), "it is read")
    said = [line for line in capsys.readouterr().out.splitlines() if "emergency_window" in line]
    assert len(said) == 1
    assert "emergency_window_opened" in said[0]
    assert "1970-01-01T01:00:00+00:00" in said[0]


# ---- what can go wrong --------------------------------------------------------------------------


async def test_a_file_that_makes_no_sense_is_not_in_the_way_of_the_others(
    asterisk: FakeAsterisk, store: Store, recordings: Recordings, live: Path
) -> None:
    (live / "0.0.cdr").mkdir()
    (live / "0.1.cdr").write_text("direction=sideways\n")
    os.utime(live / "0.1.cdr", (1, 1))
    caller = await carried(asterisk)
    async with Screening(asterisk, store, recordings).at_work() as screening:
        row = await screening.row(caller)
    assert row.disposition is Disposition.FAILED_OPEN
    assert sorted(each.name for each in live.iterdir()) == [
        "0.0.cdr.unreadable",
        "0.1.cdr.unreadable",
    ]


async def test_details_outlive_a_call_log_that_cannot_be_written(
    asterisk: FakeAsterisk, store: Store, recordings: Recordings, live: Path
) -> None:
    """They are dropped only when the log on disk says it all."""
    caller = await carried(asterisk)
    asked = 0

    async def failing(call_id: str) -> CallRecord | None:
        nonlocal asked
        asked += 1
        if asked < 5:
            assert [each.name for each in live.iterdir()] == [f"{caller.id}.cdr"]
            raise StoreError("database is locked")
        assert await store.calls.flush(5)
        return await store.calls.get(call_id)

    async with Screening(asterisk, store, recordings, row_on_disk=failing).at_work() as screening:
        row = await screening.row(caller)
    assert row.disposition is Disposition.FAILED_OPEN
    assert list(live.iterdir()) == []


async def test_a_row_that_the_call_log_never_takes_is_not_written_for_ever(
    asterisk: FakeAsterisk, store: Store, recordings: Recordings, live: Path
) -> None:
    caller = await carried(asterisk)

    async def nothing(_: str) -> None:
        return None

    screening = Screening(asterisk, store, recordings, row_on_disk=nothing)
    async with screening.at_work():
        await asterisk.until(lambda: screening.idle, "it is given up")
    assert [each.name for each in live.iterdir()] == [f"{caller.id}.cdr.unreadable"]


async def test_a_screener_that_dies_over_the_details_leaves_them_to_the_next(
    asterisk: FakeAsterisk, store: Store, recordings: Recordings, live: Path
) -> None:
    """Whenever it dies: the row is the same, and there is one."""
    asterisk.unkind = False
    caller = await carried(asterisk)
    details = (live / f"{caller.id}.cdr").read_bytes()
    rows: list[CallRecord] = []
    for moment in range(6):
        (live / f"{caller.id}.cdr").write_bytes(details)
        (live / f"{caller.id}.raw").write_bytes(b"\1\2\3\4" * 8000)
        screening = Screening(asterisk, store, recordings)
        stop_at(screening, moment)
        async with screening.at_work():
            await asterisk.until(partial(over, screening), "it stops or is done")
        async with Screening(asterisk, store, recordings).at_work() as following:
            await asterisk.until(lambda: not any(live.iterdir()), "all is written up")
            await asterisk.until(partial(over, following), "nothing is left of it")
        assert await store.calls.flush(5)
        row = await store.calls.get(caller.id)
        assert row
        rows.append(row)
    assert {(row.disposition, row.ended_by) for row in rows} == {
        (Disposition.FAILED_OPEN, EndedBy.HOUSEHOLD)
    }
    assert all(row.recording and row.recording.seconds == 1 for row in rows)
    assert await store.calls.newest(10) == rows[-1:]


# ---- Asterisk itself died -----------------------------------------------------------------------


async def test_a_talk_that_died_with_asterisk_and_of_which_nobody_told_is_written_down(
    asterisk: FakeAsterisk, store: Store, recordings: Recordings, live: Path
) -> None:
    """From its recording alone: when it came, how long they talked, that it was not screened."""
    lost = "1700000000.7"
    raw = live / f"{lost}.raw"
    raw.write_bytes(b"\1\2\3\4" * 8000 * 3)
    os.utime(raw, (1_700_000_060, 1_700_000_060))
    async with Screening(asterisk, store, recordings).at_work() as screening:
        await asterisk.until(lambda: lost in screening.rows() and not any(live.iterdir()), "a row")
        await screening.finished()
    row = await store.calls.get(lost)
    assert row
    assert row.started_at == datetime.fromtimestamp(1_700_000_000, UTC)
    assert row.answered_at == datetime.fromtimestamp(1_700_000_057, UTC)
    assert row.ended_at == datetime.fromtimestamp(1_700_000_060, UTC)
    assert (row.disposition, row.ended_by, row.warned) == (Disposition.FAILED_OPEN, None, False)
    assert (row.caller.given, row.line) == ("", "unknown")
    assert row.recording
    assert (row.recording.seconds, row.recording_is_whole) == (3, True)


async def test_a_talk_that_goes_on_is_not_taken_for_one_that_died(
    asterisk: FakeAsterisk, store: Store, recordings: Recordings, live: Path
) -> None:
    """Its recording lies there and its details do not, but it has a channel."""
    talking = asterisk.offer(STRANGER, handset=Handset.BY_HAND)
    await talking.handset_rings()
    talking.handset_answers()
    (live / f"{talking.id}.raw").write_bytes(b"\1\2\3\4" * 8000)
    async with Screening(asterisk, store, recordings).at_work() as screening:
        talking.handset_hangs_up()
        row = await screening.row(talking)
    assert (row.caller.given, row.ended_by) == (STRANGER, EndedBy.HOUSEHOLD)
