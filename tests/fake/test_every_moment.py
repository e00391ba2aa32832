"""Everything that can happen to a call, at every single moment of it.

The moments are not listed by hand: an undisturbed call is recorded first, and every command,
answer and event in it is a moment before and a moment after.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import pytest

from screener.audio.recording import Recordings
from screener.domain.call_record import CallRecord, Disposition, EndedBy
from screener.store.database import Store
from tests.fake.asterisk import FakeAsterisk
from tests.fake.people import Caller, Handset
from tests.fake.screening import FRAUDSTER, FRIEND, STRANGER, Screening
from tests.fake.wire import Trick

CALLS = [
    pytest.param(STRANGER, Handset.ANSWERS, id="stranger, household ends"),
    pytest.param(STRANGER, Handset.ANSWERS_AND_CALLER_ENDS, id="stranger, caller ends"),
    pytest.param(STRANGER, Handset.NOBODY, id="stranger, nobody answers"),
    pytest.param(STRANGER, Handset.UNREGISTERED, id="stranger, no handset"),
    pytest.param(FRIEND, Handset.ANSWERS, id="friend"),
    pytest.param(FRIEND, Handset.BUSY, id="friend, busy"),
    pytest.param(FRAUDSTER, Handset.ANSWERS, id="fraudster"),
]
NOT_REACHED = {
    "NOANSWER": Disposition.UNANSWERED,
    "BUSY": Disposition.BUSY,
    "CHANUNAVAIL": Disposition.UNREACHABLE,
}


class Line:
    """Calls of one kind, one after the other, each disturbed at another moment."""

    def __init__(self, screening: Screening, number: str, handset: Handset) -> None:
        self.screening = screening
        self.asterisk = screening.asterisk
        self.number, self.handset = number, handset

    def caller_hangs_up(self) -> None:
        self.asterisk.callers[-1].hangs_up()

    async def call(
        self,
        at: Mapping[int, Callable[[], None]] | None = None,
        tricks: Mapping[int, Trick] | None = None,
    ) -> Caller:
        """Let one call happen, from the first event to the last trace of it."""
        self.asterisk.fresh()
        self.asterisk.at.update(at or {})
        self.asterisk.tricks.update(tricks or {})
        caller = self.asterisk.offer(self.number, handset=self.handset)
        await self.screening.finished()
        return caller

    def row(self, caller: Caller) -> CallRecord | None:
        assert self.asterisk.held == []
        row = self.screening.rows().get(caller.id)
        assert row is None or row.ended_at, "the row is open"
        return row


@asynccontextmanager
async def line(
    store: Store, recordings: Recordings, number: str, handset: Handset, version: str = "22.10.1"
) -> AsyncIterator[Line]:
    async with FakeAsterisk(version, claim_seconds=0.2) as asterisk:
        screening = Screening(asterisk, store, recordings)
        async with screening.at_work():
            yield Line(screening, number, handset)


def truth(caller: Caller) -> tuple[Disposition, set[EndedBy]]:
    """Tell what became of a call, and who may have ended it, from what people did and heard."""
    by = {EndedBy.CALLER} if caller.hung_up else set()
    by |= {EndedBy.SCREENER} if caller.ended_by_us else set()
    by |= set() if caller.was_held else {EndedBy.NETWORK}  # hung up before we could listen
    fates = (
        (caller.number == FRAUDSTER, Disposition.BLOCKED),
        (caller.picked_up, Disposition.ANSWERED),
        (caller.came_back, NOT_REACHED.get(caller.dialstatus, Disposition.ANSWERED)),
        (caller.was_called, Disposition.ABANDONED_RINGING),
        ("warning" in caller.heard, Disposition.ABANDONED_AFTER_WARNING),
        (caller.state == "Up", Disposition.ABANDONED_IN_WARNING),
        (True, Disposition.ABANDONED_BEFORE_WARNING),
    )
    fate = next(disposition for so, disposition in fates if so)
    if fate is Disposition.ANSWERED:
        by = {EndedBy.HOUSEHOLD if caller.came_back else EndedBy.CALLER}
    return fate, by


@pytest.mark.parametrize("version", ["22.10.1", "20.9.1"])
@pytest.mark.parametrize("slowly", [False, True], ids=["at once", "slowly"])
@pytest.mark.parametrize(("number", "handset"), CALLS)
async def test_a_caller_who_hangs_up_at_any_moment_leaves_one_true_row_and_nothing_else(
    store: Store,
    recordings: Recordings,
    *,
    number: str,
    handset: Handset,
    slowly: bool,
    version: str,
) -> None:
    """No task, no inbox, no held channel; and the row says how far the call had come."""
    async with line(store, recordings, number, handset, version) as calls:
        asterisk = calls.asterisk
        asterisk.hangup_takes_time = slowly
        await calls.call()
        moments = list(asterisk.moments)
        assert len(moments) > 10
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
                assert row.warned is ("warning" in caller.heard), told
                assert (row.rang_at is not None) is caller.rang, told
                assert (row.answered_at is not None) is caller.picked_up, told


TRICKS = {
    "refused": Trick.REFUSE,
    "lost on the way there": Trick.SWALLOW,
    "done, its answer lost": Trick.MUTE,
}


def check_undamaged(row: CallRecord, caller: Caller) -> None:
    """Compare a row with what happened; after a fault it may know less, and never more."""
    assert row.warned <= ("warning" in caller.heard)
    assert (row.rang_at is not None) <= caller.rang
    assert (row.answered_at is not None) <= caller.picked_up
    assert row.disposition in {Disposition.FAILED_OPEN, truth(caller)[0]}


@pytest.mark.parametrize("version", ["22.10.1", "20.9.1"])
@pytest.mark.parametrize("trick", TRICKS)
@pytest.mark.parametrize(("number", "handset"), CALLS)
async def test_whichever_command_fails_the_call_goes_back_to_the_dialplan(
    store: Store, recordings: Recordings, *, number: str, handset: Handset, trick: str, version: str
) -> None:
    """One command after the other: the telephone rings, and the row says what happened."""
    async with line(store, recordings, number, handset, version) as calls:
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
                rung_out = bool(undisturbed.been_in)
                way_out = ["ring/over"] if rung_out else ["without-screener/s", "ring/recorded"]
                expected = undisturbed.been_in + ([] if done else way_out)
                assert caller.been_in[: len(expected)] == expected, told
                continue
            assert caller.rang is (handset is not Handset.UNREGISTERED), told
            after_ring = "no_answer" in command or "busy" in command
            assert done or row.disposition is Disposition.FAILED_OPEN, told
            assert caller.been_in[-1] == "ring/over" or not after_ring, told


@pytest.mark.parametrize("version", ["22.10.1", "20.9.1"])
@pytest.mark.parametrize(("number", "handset"), CALLS)
async def test_a_connection_that_breaks_at_any_moment_strands_no_call(
    store: Store, recordings: Recordings, number: str, handset: Handset, version: str
) -> None:
    """It comes back at once; whatever was missed, the row is closed and the telephone rang."""
    async with line(store, recordings, number, handset, version) as calls:
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


@pytest.mark.parametrize("version", ["22.10.1", "20.9.1"])
@pytest.mark.parametrize(("number", "handset"), CALLS)
async def test_a_screener_that_stops_at_any_moment_hands_its_calls_back(
    store: Store, recordings: Recordings, number: str, handset: Handset, version: str
) -> None:
    """The next screener on the same database closes the row, truthfully."""
    async with FakeAsterisk(version, claim_seconds=0.2) as asterisk:
        async with Screening(asterisk, store, recordings).at_work() as screening:
            asterisk.fresh()
            undisturbed = asterisk.offer(number, handset=handset)
            await screening.finished()
            moments = list(asterisk.moments)
        for number_of_moment, moment in enumerate(moments):
            async with Screening(asterisk, store, recordings).at_work() as screening:
                asterisk.fresh()
                asterisk.at[number_of_moment] = screening.is_cancelled
                caller = asterisk.offer(number, handset=handset)
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
