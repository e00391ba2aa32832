"""Everything that can happen to a call, at every single moment of it.

The moments are not listed by hand: an undisturbed call is recorded first, and every command,
answer and event in it is a moment before and a moment after.
"""

import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from screener.audio.recording import Recordings
from screener.domain.call_record import CallRecord, Disposition, EndedBy
from screener.store.database import Store
from tests.fake.asterisk import FakeAsterisk
from tests.fake.people import Caller, Handset
from tests.fake.screening import (
    CALL_LIMITS,
    FRAUDSTER,
    FRIEND,
    POLICE,
    SELLER,
    STRANGER,
    Screening,
)
from tests.fake.wire import Trick


@dataclass(frozen=True, kw_only=True)
class Kind:
    """Who calls, and what the household or the caller does then."""

    number: str = STRANGER
    handset: Handset = Handset.ANSWERS
    window: bool = False
    speaks: bool = True


KINDS = {
    "stranger, household ends": Kind(),
    "stranger, caller ends": Kind(handset=Handset.ANSWERS_AND_CALLER_ENDS),
    "stranger, nobody answers": Kind(handset=Handset.NOBODY),
    "stranger, no handset": Kind(handset=Handset.UNREGISTERED),
    "friend": Kind(number=FRIEND),
    "friend, busy": Kind(number=FRIEND, handset=Handset.BUSY),
    "fraudster": Kind(number=FRAUDSTER),
    "seller leaves a message": Kind(number=SELLER),
    "seller says nothing": Kind(number=SELLER, speaks=False),
    "police": Kind(number=POLICE),
    "stranger in the window": Kind(window=True, handset=Handset.ANSWERS_AND_CALLER_ENDS),
    "stranger in the window, nobody answers": Kind(window=True, handset=Handset.NOBODY),
}
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
NOT_REACHED = {
    "NOANSWER": Disposition.UNANSWERED,
    "BUSY": Disposition.BUSY,
    "CHANUNAVAIL": Disposition.UNREACHABLE,
}


FAILED_OPEN = Disposition.FAILED_OPEN


class Line:
    """Calls of one kind, one after the other, each disturbed at another moment."""

    def __init__(self, screening: Screening, kind: Kind) -> None:
        self.screening = screening
        self.asterisk = screening.asterisk
        self.kind = kind

    def caller_hangs_up(self) -> None:
        self.asterisk.callers[-1].hangs_up()

    def caller_makes_way(self) -> None:
        self.asterisk.makes_way(self.asterisk.callers[-1])

    async def call(
        self,
        at: Mapping[int, Callable[[], None]] | None = None,
        tricks: Mapping[int, Trick] | None = None,
    ) -> Caller:
        """Let one call happen, from the first event to the last trace of it."""
        self.asterisk.fresh()
        self.asterisk.at.update(at or {})
        self.asterisk.tricks.update(tricks or {})
        caller = begin(self.asterisk, self.kind)
        await self.screening.finished()
        return caller

    def row(self, caller: Caller) -> CallRecord | None:
        assert self.asterisk.held == []
        row = self.screening.rows().get(caller.id)
        assert row is None or row.ended_at, "the row is open"
        return row


def begin(asterisk: FakeAsterisk, kind: Kind) -> Caller:
    caller = asterisk.offer(kind.number, handset=kind.handset, window=kind.window)
    caller.speaks = kind.speaks
    return caller


@asynccontextmanager
async def line(
    store: Store, recordings: Recordings, kind: Kind, version: str = "22.10.1"
) -> AsyncIterator[Line]:
    async with FakeAsterisk(version, claim_seconds=0.2) as asterisk:
        screening = Screening(asterisk, store, recordings)
        async with screening.at_work():
            yield Line(screening, kind)


def is_for_help(caller: Caller) -> bool:
    return caller.window or caller.number == POLICE


def warned(caller: Caller) -> bool:
    return bool({"warning", "warning from the dialplan"} & set(caller.heard))


def truth(caller: Caller) -> tuple[Disposition, set[EndedBy]]:
    """Tell what became of a call, and who may have ended it, from what people did and heard."""
    by = {EndedBy.CALLER} if caller.hung_up else set()
    by |= {EndedBy.SCREENER} if caller.ended_by_us else set()
    by |= set() if caller.was_held else {EndedBy.NETWORK}  # hung up before we could listen
    left_message = Disposition.MESSAGE if caller.speaks else Disposition.NO_MESSAGE
    fates = (
        (caller.gave_way, Disposition.GAVE_WAY),
        (caller.number == FRAUDSTER, Disposition.BLOCKED),
        (caller.message_taken, left_message),
        (caller.number == SELLER, Disposition.ABANDONED_BEFORE_MESSAGE),
        (caller.picked_up, Disposition.ANSWERED),
        (
            caller.came_back or (is_for_help(caller) and caller.dialstatus),
            NOT_REACHED.get(caller.dialstatus, Disposition.ANSWERED),
        ),
        (
            caller.was_called or (is_for_help(caller) and caller.rung_at),
            Disposition.ABANDONED_RINGING,
        ),
        ("warning" in caller.heard, Disposition.ABANDONED_AFTER_WARNING),
        (caller.state == "Up", Disposition.ABANDONED_IN_WARNING),
        (True, Disposition.ABANDONED_BEFORE_WARNING),
    )
    fate = next(disposition for so, disposition in fates if so)
    if fate is Disposition.GAVE_WAY:
        by = {EndedBy.HOUSEHOLD}
    if fate is Disposition.ANSWERED:
        by = {EndedBy.HOUSEHOLD if caller.came_back else EndedBy.CALLER}
        by |= {EndedBy.HOUSEHOLD} if caller.household_hung_up else set()
    return fate, by


@pytest.mark.parametrize("version", ["22.10.1", "20.9.1"])
@pytest.mark.parametrize("slowly", [False, True], ids=["at once", "slowly"])
@every_kind
async def test_a_caller_who_hangs_up_at_any_moment_leaves_one_true_row_and_nothing_else(
    store: Store,
    recordings: Recordings,
    *,
    kind: Kind,
    slowly: bool,
    version: str,
) -> None:
    """No task, no inbox, no held channel; and the row says how far the call had come."""
    async with line(store, recordings, kind, version) as calls:
        asterisk = calls.asterisk
        asterisk.hangup_takes_time = slowly
        await calls.call()
        moments = list(asterisk.moments)
        assert len(moments) > 2
        for number_of_moment, moment in enumerate(moments):
            caller = await calls.call(at={number_of_moment: calls.caller_hangs_up})
            told = f"hung up {moment}\n{asterisk.story()}"
            assert asterisk.moments[number_of_moment] == moment, told
            row = calls.row(caller)
            assert row is not None or not caller.was_held, told
            if row:
                disposition, by = truth(caller)
                assert row.disposition is disposition, told
                assert row.ended_by in by, told
                assert row.warned is warned(caller), told
                # The dialplan alone knows when the handset was called, not when it rang.
                unseen = is_for_help(caller) and caller.rung_at
                assert (row.rang_at is not None) is caller.rang or unseen, told
                assert (row.answered_at is not None) is caller.picked_up, told


@every_kind
async def test_a_call_that_gives_way_at_any_moment_is_not_said_to_be_the_callers_doing(
    store: Store, recordings: Recordings, kind: Kind
) -> None:
    """Its channel is needed for an emergency call; a talk goes on."""
    async with line(store, recordings, kind) as calls:
        asterisk = calls.asterisk
        await calls.call()
        for number_of_moment, moment in enumerate(list(asterisk.moments)):
            caller = await calls.call(at={number_of_moment: calls.caller_makes_way})
            told = f"gave way {moment}\n{asterisk.story()}"
            row = calls.row(caller)
            assert row or not caller.gave_way, told
            if caller.gave_way:
                assert row, told
                assert (row.disposition, row.ended_by) == (Disposition.GAVE_WAY, EndedBy.HOUSEHOLD)
            elif row:
                assert row.disposition is truth(caller)[0], told


TRICKS = {
    "refused": Trick.REFUSE,
    "lost on the way there": Trick.SWALLOW,
    "done, its answer lost": Trick.MUTE,
}


def check_undamaged(row: CallRecord, caller: Caller) -> None:
    """Compare a row with what happened; after a fault it may know less, and never more."""
    assert row.warned <= warned(caller)
    assert (row.rang_at is not None) <= caller.rang
    assert (row.answered_at is not None) <= caller.picked_up
    seen = truth(caller)[0]
    # Out of our sight the dialplan sees a ring to its end, and tells.
    possible = {seen, NOT_REACHED.get(caller.dialstatus, seen)}
    assert row.disposition in possible | (set() if is_for_help(caller) else {FAILED_OPEN})


@pytest.mark.parametrize("version", ["22.10.1", "20.9.1"])
@pytest.mark.parametrize("trick", TRICKS)
@every_kind
async def test_whichever_command_fails_the_call_goes_back_to_the_dialplan(
    store: Store, recordings: Recordings, *, kind: Kind, trick: str, version: str
) -> None:
    """One command after the other: the telephone rings, and the row says what happened."""
    async with line(store, recordings, kind, version) as calls:
        asterisk = calls.asterisk
        undisturbed = await calls.call()
        commands = [str(command) for command in asterisk.commands]
        for number_of_command, command in enumerate(commands):
            caller = await calls.call(tricks={number_of_command: TRICKS[trick]})
            told = f"{command}: {trick}\n{asterisk.story()}"
            assert str(asterisk.commands[number_of_command]) == command, told
            row = calls.row(caller)
            done = trick == "done, its answer lost"
            if "claim" in command:
                # The dialplan has a call that was not claimed, and tells of it afterwards.
                assert row or not caller.came_back, told
                assert row is None or (row.disposition is Disposition.FAILED_OPEN) is not done, told
                assert done or caller.been_in[0] == "without-screener/s", told
                assert not done or caller.been_in == undisturbed.been_in, told
                continue
            assert row, told
            check_undamaged(row, caller)
            if command.startswith("DELETE"):
                # Over is over: turned away by us, or else by the dialplan.
                rung_out = [f"{each.split('/')[0]}/over" for each in undisturbed.been_in[-1:]]
                way_out = rung_out or ["without-screener/s", "ring/recorded"]
                expected = undisturbed.been_in + ([] if done else way_out)
                assert caller.been_in[: len(expected)] == expected, told
                continue
            if caller.message_taken:
                assert row.disposition is truth(caller)[0] or "continue" in command, told
                assert caller.heard[-1].startswith("message_kept") or caller.ended_by_us, told
                continue
            assert caller.rang is (kind.handset is not Handset.UNREGISTERED), told
            if is_for_help(caller):
                continue
            after_ring = "no_answer" in command or "busy" in command
            assert done or row.disposition is Disposition.FAILED_OPEN, told
            assert caller.been_in[-1] == "ring/over" or not after_ring, told


@pytest.mark.parametrize("version", ["22.10.1", "20.9.1"])
@every_kind
async def test_a_connection_that_breaks_at_any_moment_strands_no_call(
    store: Store, recordings: Recordings, kind: Kind, version: str
) -> None:
    """It comes back at once; whatever was missed, the row is closed and the telephone rang."""
    async with line(store, recordings, kind, version) as calls:
        asterisk = calls.asterisk
        undisturbed = await calls.call()
        moments = list(asterisk.moments)
        for number_of_moment, moment in enumerate(moments):
            caller = await calls.call(at={number_of_moment: asterisk.drop})
            told = f"broken {moment}\n{asterisk.story()}"
            assert asterisk.moments[number_of_moment] == moment, told
            row = calls.row(caller)
            if row is None:
                assert not caller.was_held or not calls.screening.ari, told
            else:
                check_undamaged(row, caller)
            assert caller.rang or not undisturbed.rang, told
            assert caller.picked_up or not undisturbed.picked_up, told
            assert caller.rang or caller.message_taken or not undisturbed.message_taken, told


@pytest.mark.parametrize("version", ["22.10.1", "20.9.1"])
@every_kind
async def test_a_screener_that_stops_at_any_moment_hands_its_calls_back(
    store: Store, recordings: Recordings, kind: Kind, version: str
) -> None:
    """The next screener on the same database closes the row, truthfully."""
    async with FakeAsterisk(version, claim_seconds=0.2) as asterisk:
        async with Screening(asterisk, store, recordings).at_work() as screening:
            asterisk.fresh()
            undisturbed = begin(asterisk, kind)
            await screening.finished()
            moments = list(asterisk.moments)
        for number_of_moment, moment in enumerate(moments):
            async with Screening(asterisk, store, recordings).at_work() as screening:
                asterisk.fresh()
                asterisk.at[number_of_moment] = screening.is_cancelled
                caller = begin(asterisk, kind)
                await asterisk.until(screening.taking.done, "the screener stops")
                told = f"stopped {moment}\n{asterisk.story()}"
                assert screening.has_let_go, told
                assert all(held.came_back for held in asterisk.held), told
                decided = caller.id in screening.rows()
            assert await store.calls.flush(5)
            async with Screening(asterisk, store, recordings).at_work() as following:
                await following.finished()
                assert await store.calls.flush(5)
            told = f"stopped {moment}\n{asterisk.story()}"
            row = await store.calls.get(caller.id)
            assert await store.calls.unfinished() == [], told
            assert row or not decided, told
            if row:
                check_undamaged(row, caller)
            assert caller.rang or not undisturbed.rang, told


@pytest.mark.parametrize(
    "kind",
    [
        "stranger, household ends",
        "stranger, nobody answers",
        "friend, busy",
        "seller leaves a message",
        "police",
    ],
)
async def test_a_screener_that_dies_at_any_moment_leaves_its_calls_to_the_other(
    store: Store, recordings: Recordings, kind: str
) -> None:
    """They share the calls; no telephone is silent for it, and each row is closed, truthfully."""
    async with (
        FakeAsterisk(claim_seconds=0.2) as asterisk,
        Screening(asterisk, store, recordings, "screener-2").at_work() as other,
    ):
        asterisk.offered_to = re.compile("^screener$")
        async with Screening(asterisk, store, recordings).at_work() as screening:
            asterisk.fresh()
            undisturbed = begin(asterisk, KINDS[kind])
            await screening.finished()
            moments = list(asterisk.moments)
        limits = replace(CALL_LIMITS, let_go=0.05)
        for number_of_moment, moment in enumerate(moments):
            dying = Screening(asterisk, store, recordings, call_limits=limits)
            async with dying.at_work():
                asterisk.fresh()
                asterisk.at[number_of_moment] = dying.is_cut_off
                caller = begin(asterisk, KINDS[kind])
                await asterisk.until(dying.reader.done, "the screener dies")
                await dying.dies()
                await other.finished()
            told = f"died {moment}\n{asterisk.story()}"
            assert asterisk.held == [], told
            assert await store.calls.flush(5)
            row = await store.calls.get(caller.id)
            assert await store.calls.unfinished() == [], told
            assert row, told
            check_undamaged(row, caller)
            assert caller.rang or not undisturbed.rang, told
            assert caller.rang or caller.message_taken or not undisturbed.message_taken, told
