"""Whole calls, told as the people on the line live them, against a fake Asterisk."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from screener.audio.recording import Recordings
from screener.domain.call_record import CallRecord, Disposition, EndedBy
from screener.domain.policy import Verdict
from screener.store.database import Store
from tests.fake.asterisk import FakeAsterisk
from tests.fake.people import Handset
from tests.fake.screening import (
    FOREIGNER,
    FRAUDSTER,
    FRIEND,
    SELLER,
    STANDARD,
    STRANGER,
    Screening,
)

CALLS = {
    "a stranger is answered, the household hangs up": (
        STRANGER,
        Handset.ANSWERS,
        (Verdict.SCREEN, Disposition.ANSWERED, EndedBy.HOUSEHOLD),
        ["warning"],
        ["ring/recorded"],
    ),
    "a stranger is answered and hangs up": (
        STRANGER,
        Handset.ANSWERS_AND_CALLER_ENDS,
        (Verdict.SCREEN, Disposition.ANSWERED, EndedBy.CALLER),
        ["warning"],
        ["ring/recorded"],
    ),
    "a stranger whom nobody answers is told so": (
        STRANGER,
        Handset.NOBODY,
        (Verdict.SCREEN, Disposition.UNANSWERED, EndedBy.SCREENER),
        ["warning", "no_answer"],
        ["ring/recorded"],
    ),
    "a stranger hears that the line is busy": (
        STRANGER,
        Handset.BUSY,
        (Verdict.SCREEN, Disposition.BUSY, EndedBy.SCREENER),
        ["warning", "busy"],
        ["ring/recorded"],
    ),
    "a stranger calls a handset that is unplugged": (
        STRANGER,
        Handset.UNREGISTERED,
        (Verdict.SCREEN, Disposition.UNREACHABLE, EndedBy.SCREENER),
        ["warning", "no_answer"],
        ["ring/recorded"],
    ),
    "a friend is put through at once": (
        FRIEND,
        Handset.ANSWERS,
        (Verdict.PASS, Disposition.ANSWERED, EndedBy.HOUSEHOLD),
        [],
        ["ring/unrecorded"],
    ),
    "a friend whom nobody answers hears the network say so": (
        FRIEND,
        Handset.NOBODY,
        (Verdict.PASS, Disposition.UNANSWERED, EndedBy.SCREENER),
        [],
        ["ring/unrecorded"],
    ),
    "a fraudster is turned away": (
        FRAUDSTER,
        Handset.ANSWERS,
        (Verdict.BLOCK, Disposition.BLOCKED, EndedBy.SCREENER),
        [],
        [],
    ),
    "a seller leaves a message": (
        SELLER,
        Handset.ANSWERS,
        (Verdict.MESSAGE, Disposition.MESSAGE, EndedBy.SCREENER),
        ["message", "message_kept"],
        ["message/for"],
    ),
    "a foreigner is turned away": (
        FOREIGNER,
        Handset.ANSWERS,
        (Verdict.BLOCK, Disposition.BLOCKED, EndedBy.SCREENER),
        [],
        [],
    ),
}


def outcome(row: CallRecord) -> tuple[Verdict, Disposition | None, EndedBy | None]:
    return row.decision.verdict, row.disposition, row.ended_by


@pytest.mark.parametrize("early", [True, False], ids=["unkind order", "kind order"])
@pytest.mark.parametrize("version", ["22.10.1", "20.9.1", "21.4.0", "22.5.2"])
@pytest.mark.parametrize("call", CALLS)
async def test_every_verdict_comes_to_its_disposition(
    store: Store, recordings: Recordings, call: str, version: str, early: bool
) -> None:
    """With every generation of ARI: events before answers and after, by WebSocket and by HTTP."""
    number, handset, expected, heard, been_in = CALLS[call]
    async with FakeAsterisk(version) as asterisk:
        asterisk.early = early
        async with Screening(asterisk, store, recordings).at_work() as screening:
            caller = asterisk.offer(number, handset=handset)
            row = await screening.row(caller)
            await caller.over()
    assert outcome(row) == expected, asterisk.story()
    assert (caller.heard, caller.been_in) == (heard, been_in), asterisk.story()
    assert row.warned is ("warning" in heard)
    assert (row.rang_at is not None) is caller.rang
    assert (row.answered_at is not None) is caller.picked_up
    assert row.line == "0398765432"
    assert row.caller.given == number
    assert row.ended_at
    assert row.ended_at >= (row.answered_at or row.rang_at or row.started_at) >= row.started_at
    await store.calls.flush(5)
    assert await store.calls.get(caller.id) == row


async def test_a_call_told_by_hand(
    asterisk: FakeAsterisk, store: Store, recordings: Recordings
) -> None:
    """The warning is heard to its end before the handset rings, and people take their time."""
    async with Screening(asterisk, store, recordings).at_work() as screening:
        caller = asterisk.offer(handset=Handset.BY_HAND)
        caller.listens = False
        await caller.hears("warning")
        await caller.handset_rings()
        assert screening.rows()[caller.id].warned
        caller.handset_answers()
        await asterisk.until(lambda: screening.rows()[caller.id].answered_at, "it is answered")
        caller.handset_hangs_up()
        row = await screening.row(caller)
    assert outcome(row) == (Verdict.SCREEN, Disposition.ANSWERED, EndedBy.HOUSEHOLD)


# ---- messages -----------------------------------------------------------------------------------


async def test_what_a_caller_says_after_the_tone_is_kept_for_as_long_as_is_set(
    asterisk: FakeAsterisk, store: Store, recordings: Recordings
) -> None:
    """The telephone does not ring, and nobody is warned."""
    async with Screening(asterisk, store, recordings).at_work() as screening:
        caller = asterisk.offer(SELLER)
        row = await screening.row(caller)
    assert row.recording
    assert row.recording.seconds == 1
    assert not row.warned
    assert (row.rang_at, row.answered_at) == (None, None)
    assert caller.seconds == 60
    assert not recordings.live(caller.id).exists()


async def test_a_caller_who_says_nothing_leaves_no_message(
    asterisk: FakeAsterisk, store: Store, recordings: Recordings
) -> None:
    """The recording is kept all the same: somebody may have spoken very softly."""
    async with Screening(asterisk, store, recordings).at_work() as screening:
        caller = asterisk.offer(SELLER)
        caller.speaks = False
        row = await screening.row(caller)
    assert outcome(row) == (Verdict.MESSAGE, Disposition.NO_MESSAGE, EndedBy.SCREENER)
    assert caller.heard == ["message", "message_kept"]
    assert row.recording


async def test_a_caller_who_hangs_up_when_all_is_said_has_left_a_message(
    asterisk: FakeAsterisk, store: Store, recordings: Recordings
) -> None:
    async with Screening(asterisk, store, recordings).at_work() as screening:
        caller = asterisk.offer(SELLER, handset=Handset.BY_HAND)
        await asterisk.until(lambda: caller.message_taken, "the caller speaks")
        caller.hangs_up()
        row = await screening.row(caller)
    assert outcome(row) == (Verdict.MESSAGE, Disposition.MESSAGE, EndedBy.CALLER)


@pytest.mark.parametrize("version", ["22.10.1", "20.9.1"])
async def test_where_the_dialplan_takes_no_messages_the_telephone_rings(
    store: Store, recordings: Recordings, version: str
) -> None:
    async with FakeAsterisk(version) as asterisk:
        asterisk.takes_messages = False
        async with Screening(asterisk, store, recordings).at_work() as screening:
            caller = asterisk.offer(SELLER)
            row = await screening.row(caller)
    assert caller.been_in == ["without-screener/s", "ring/recorded"], asterisk.story()
    assert outcome(row) == (Verdict.MESSAGE, Disposition.FAILED_OPEN, EndedBy.HOUSEHOLD)
    assert row.answered_at


async def test_a_message_is_taken_to_its_end_without_the_screener(
    asterisk: FakeAsterisk, store: Store, recordings: Recordings
) -> None:
    """It dies while the caller speaks; the next one finds the row, the recording and the end."""
    async with Screening(asterisk, store, recordings).at_work() as screening:
        caller = asterisk.offer(SELLER, handset=Handset.BY_HAND)
        await asterisk.until(lambda: caller.message_taken, "the caller speaks")
    asterisk.drop()
    caller.message_ends()
    await caller.over()
    assert caller.heard == ["message", "message_kept from the dialplan"], asterisk.story()
    async with Screening(asterisk, store, recordings).at_work() as following:
        row = await following.row(caller)
    assert outcome(row) == (Verdict.MESSAGE, Disposition.MESSAGE, EndedBy.SCREENER)
    assert row.recording
    assert screening.rows()[caller.id].ended_at is None


async def test_a_new_screener_takes_leave_of_a_caller_who_still_speaks(
    asterisk: FakeAsterisk, store: Store, recordings: Recordings
) -> None:
    async with Screening(asterisk, store, recordings).at_work():
        caller = asterisk.offer(SELLER, handset=Handset.BY_HAND)
        await asterisk.until(lambda: caller.message_taken, "the caller speaks")
    async with Screening(asterisk, store, recordings).at_work() as following:
        caller.message_ends()
        row = await following.row(caller)
    assert caller.heard == ["message", "message_kept"], asterisk.story()
    assert outcome(row) == (Verdict.MESSAGE, Disposition.MESSAGE, EndedBy.SCREENER)


@pytest.mark.parametrize("jump", [timedelta(days=1), timedelta(days=-1)], ids=["on", "back"])
async def test_a_clock_that_jumps_by_a_day_in_a_call_harms_neither_call_nor_row(
    asterisk: FakeAsterisk, store: Store, recordings: Recordings, jump: timedelta
) -> None:
    """The times of the row are in order and seconds apart, as they were for the people."""
    moved = timedelta()
    screening = Screening(asterisk, store, recordings, now=lambda: datetime.now(UTC) + moved)
    async with screening.at_work():
        caller = asterisk.offer(STRANGER, handset=Handset.BY_HAND)
        await caller.handset_rings()
        moved = jump
        caller.handset_answers()
        await asterisk.until(lambda: caller.picked_up, "they talk")
        moved = -jump
        caller.handset_hangs_up()
        row = await screening.row(caller)
    assert row.disposition is Disposition.ANSWERED
    assert row.rang_at
    assert row.answered_at
    assert row.ended_at
    assert row.started_at <= row.rang_at <= row.answered_at <= row.ended_at
    assert row.ended_at - row.started_at < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("number", "recorded"), [(FRIEND, True), (STRANGER, False), (FOREIGNER, False)]
)
async def test_nobody_is_recorded_unwarned_but_those_whom_the_household_knows(
    asterisk: FakeAsterisk, store: Store, recordings: Recordings, number: str, recorded: bool
) -> None:
    """Though who only watches lets everybody ring at once, and known callers are recorded."""
    watching = replace(STANDARD, enforced=False)
    async with Screening(
        asterisk, store, recordings, household=watching, record_known=True
    ).at_work() as screening:
        caller = asterisk.offer(number, handset=Handset.ANSWERS)
        row = await screening.row(caller)
    assert row.decision.verdict is Verdict.PASS
    assert caller.been_in == ["ring/recorded" if recorded else "ring/unrecorded"]
