"""Many calls, two screeners, and everything around a call that can be missing or late."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from screener.audio.recording import Recordings
from screener.calls.limits import Limits
from screener.domain.call_record import CallRecord, Disposition, EndedBy
from screener.domain.lists import Lists
from screener.store.database import Store, StoreError
from tests.fake.asterisk import FakeAsterisk
from tests.fake.people import Caller, Handset
from tests.fake.screening import ARI_LIMITS, CALL_LIMITS, FRAUDSTER, FRIEND, SELLER, Screening


def claims(asterisk: FakeAsterisk) -> list[str]:
    return [command.application for command in asterisk.commands if "claim" in command.path]


async def answered(screening: Screening, caller: Caller) -> None:
    await screening.asterisk.until(
        lambda: (row := screening.rows().get(caller.id)) and row.answered_at, "they talk"
    )


# ---- many calls ---------------------------------------------------------------------------------


async def test_calls_that_come_together_are_each_screened_for_themselves(
    asterisk: FakeAsterisk, store: Store, recordings: Recordings
) -> None:
    async with Screening(asterisk, store, recordings, max_calls=60).at_work() as screening:
        kinds = list(Handset)[:5]
        callers = [asterisk.offer(f"03123400{n:02}", handset=kinds[n % 5]) for n in range(10, 60)]
        rows = [await screening.row(caller) for caller in callers]
    by_kind = {
        Handset.ANSWERS: Disposition.ANSWERED,
        Handset.ANSWERS_AND_CALLER_ENDS: Disposition.ANSWERED,
        Handset.NOBODY: Disposition.UNANSWERED,
        Handset.BUSY: Disposition.BUSY,
        Handset.UNREGISTERED: Disposition.UNREACHABLE,
    }
    for caller, row in zip(callers, rows, strict=True):
        assert row.disposition is by_kind[caller.handset], asterisk.story()
        assert row.caller.given == caller.number


async def test_more_calls_than_allowed_go_the_dialplans_way(
    asterisk: FakeAsterisk, store: Store, recordings: Recordings
) -> None:
    """Even when they come in one burst; and the log says that they did."""
    async with Screening(asterisk, store, recordings, max_calls=2).at_work() as screening:
        callers = [asterisk.offer(handset=Handset.BY_HAND) for _ in range(5)]
        for caller in callers:
            await caller.handset_rings()
        assert len(claims(asterisk)) == 2
        screened = [caller for caller in callers if caller.been_in == ["ring/recorded"]]
        assert len(screened) == 2
        for caller in callers:
            caller.nobody_comes()
        rows = {caller.id: await screening.row(caller) for caller in callers}
    for caller in callers:
        if caller in screened:
            assert rows[caller.id].disposition is Disposition.UNANSWERED
        else:
            assert caller.been_in == ["without-screener/s", "ring/recorded"]
            assert rows[caller.id].disposition is Disposition.FAILED_OPEN


@pytest.mark.parametrize("version", ["22.10.1", "20.9.1"])
async def test_a_screener_that_drains_finishes_its_calls_and_takes_no_more(
    store: Store, recordings: Recordings, version: str
) -> None:
    """Talks are not waited for: they need no screener."""
    async with FakeAsterisk(version) as asterisk:
        async with Screening(asterisk, store, recordings).at_work() as screening:
            talking = asterisk.offer(handset=Handset.BY_HAND)
            await talking.handset_rings()
            talking.handset_answers()
            await answered(screening, talking)
            listening = asterisk.offer(handset=Handset.BY_HAND)
            listening.listens = False
            await asterisk.until(lambda: listening.state == "Up", "it is answered")
            draining = asyncio.create_task(screening.switchboard.drain(30))
            late = asterisk.offer(handset=Handset.BY_HAND)
            await late.handset_rings()
            assert late.been_in[0] == "without-screener/s", asterisk.story()
            assert not draining.done()
            await listening.hears("warning")
            listening.listens = True
            await draining
            await listening.handset_rings()
            assert listening.been_in == ["ring/recorded"]
        assert await store.calls.flush(5)
        open_rows = {row.id for row in await store.calls.unfinished()}
        assert {talking.id, listening.id} <= open_rows
        async with Screening(asterisk, store, recordings).at_work() as following:
            talking.handset_hangs_up()
            listening.nobody_comes()
            late.nobody_comes()
            for caller in (talking, listening, late):
                await caller.over()
            await asterisk.until(lambda: following.is_ready, "all is done")
        rows = following.rows()
        assert rows[talking.id].disposition is Disposition.ANSWERED
        assert rows[talking.id].ended_by is EndedBy.HOUSEHOLD
        assert rows[listening.id].disposition is Disposition.UNANSWERED
        assert rows[late.id].disposition is Disposition.FAILED_OPEN


async def test_draining_ends_when_its_time_is_over(
    asterisk: FakeAsterisk, store: Store, recordings: Recordings
) -> None:
    """The call that still listens is handed back on stopping, and rings."""
    async with Screening(asterisk, store, recordings).at_work() as screening:
        caller = asterisk.offer(handset=Handset.BY_HAND)
        caller.listens = False
        await asterisk.until(lambda: caller.state == "Up", "it is answered")
        await screening.switchboard.drain(0.05)
        await screening.stops()
    await caller.handset_rings()
    assert caller.been_in == ["without-screener/s", "ring/recorded"]


# ---- two screeners ------------------------------------------------------------------------------


async def test_of_two_screeners_one_has_the_call_and_the_other_does_nothing(
    asterisk: FakeAsterisk, store: Store, recordings: Recordings
) -> None:
    async with two(asterisk, store, recordings) as (first, other):
        asterisk.fresh()
        caller = asterisk.offer()
        await asterisk.until(lambda: len(claims(asterisk)) == 2, "both claim")
        await caller.over()
        winner, loser = (first, other) if caller.id in first.rows() else (other, first)
        await winner.row(caller)
        await asterisk.until(lambda: loser.idle, "the loser has forgotten the call")
    assert loser.kept == []
    assert winner.rows()[caller.id].disposition is Disposition.ANSWERED
    tried = [c for c in asterisk.commands if c.application == loser.application]
    assert {str(c) for c in tried if "channels" in c.path or "events" in c.path} == {
        "POST events/claim"
    }


@asynccontextmanager
async def two(
    asterisk: FakeAsterisk, store: Store, recordings: Recordings
) -> AsyncIterator[tuple[Screening, Screening]]:
    limits = replace(CALL_LIMITS, let_go=0.05)
    first = Screening(asterisk, store, recordings, "screener", call_limits=limits)
    other = Screening(asterisk, store, recordings, "screener-2", call_limits=limits)
    async with first.at_work(), other.at_work():
        yield first, other


async def had_by(first: Screening, other: Screening, caller: Caller) -> tuple[Screening, Screening]:
    """Wait until one of the two has decided on a call; return that one, and the other."""
    await first.asterisk.until(
        lambda: caller.id in first.rows() or caller.id in other.rows(), "one has the call"
    )
    return (first, other) if caller.id in first.rows() else (other, first)


async def test_calls_of_a_screener_that_dies_in_the_warning_ring_and_are_written_by_the_other(
    asterisk: FakeAsterisk, store: Store, recordings: Recordings
) -> None:
    async with two(asterisk, store, recordings) as pair:
        caller = asterisk.offer(handset=Handset.BY_HAND)
        caller.listens = False
        await asterisk.until(lambda: caller.state == "Up", "it is answered")
        dying, other = await had_by(*pair, caller)
        assert await store.calls.flush(5)
        await dying.dies()
        await caller.handset_rings()
        assert caller.been_in[0] == "without-screener/released", asterisk.story()
        caller.listens = True
        caller.nobody_comes()
        row = await other.row(caller)
    assert (row.disposition, row.screener) == (Disposition.FAILED_OPEN, other.application)
    assert await store.calls.flush(5)
    assert await store.calls.unfinished() == []


@pytest.mark.parametrize("talking", [False, True], ids=["ringing", "talking"])
async def test_calls_of_a_screener_that_dies_later_go_on_and_come_back_to_the_other(
    asterisk: FakeAsterisk, store: Store, recordings: Recordings, *, talking: bool
) -> None:
    async with two(asterisk, store, recordings) as pair:
        caller = asterisk.offer(handset=Handset.BY_HAND)
        await caller.handset_rings()
        dying, other = await had_by(*pair, caller)
        if talking:
            caller.handset_answers()
            await answered(dying, caller)
        assert await store.calls.flush(5)
        await dying.dies()
        await asterisk.until(lambda: caller.id in other.switchboard._calls, "it is taken over")
        if talking:
            caller.handset_hangs_up()
        else:
            caller.nobody_comes()
        row = await other.row(caller)
    fate = Disposition.ANSWERED if talking else Disposition.UNANSWERED
    assert (row.disposition, row.screener) == (fate, other.application), asterisk.story()
    assert caller.been_in == ["ring/recorded"]
    assert dying.rows()[caller.id].ended_at is None


async def test_a_message_whose_screener_died_is_thanked_for_by_the_other(
    asterisk: FakeAsterisk, store: Store, recordings: Recordings
) -> None:
    async with two(asterisk, store, recordings) as pair:
        caller = asterisk.offer(SELLER, handset=Handset.BY_HAND)
        await asterisk.until(lambda: caller.message_taken, "they speak")
        dying, other = await had_by(*pair, caller)
        assert await store.calls.flush(5)
        await dying.dies()
        caller.message_ends()
        row = await other.row(caller)
    assert row.disposition is Disposition.MESSAGE, asterisk.story()
    assert caller.heard[-1] == "message_kept"
    assert row.recording


async def test_a_call_that_comes_back_to_a_new_screener_of_its_name_is_let_go_by_the_other(
    asterisk: FakeAsterisk, store: Store, recordings: Recordings
) -> None:
    """Whoever has it in hand has its row."""
    async with two(asterisk, store, recordings) as pair:
        caller = asterisk.offer(handset=Handset.BY_HAND)
        await caller.handset_rings()
        dying, other = await had_by(*pair, caller)
        assert await store.calls.flush(5)
        await dying.dies()
        await asterisk.until(lambda: caller.id in other.switchboard._calls, "it is taken over")
        again = Screening(asterisk, store, recordings, dying.application)
        async with again.at_work():
            caller.nobody_comes()
            row = await again.row(caller)
            await asterisk.until(lambda: other.idle, "the other has let it go")
    assert (row.disposition, row.screener) == (Disposition.UNANSWERED, dying.application)
    assert caller.heard == ["warning", "no_answer"], asterisk.story()
    assert caller.id not in other.rows()
    assert await store.calls.flush(5)
    assert await store.calls.get(caller.id) == row


async def test_a_call_that_comes_back_while_its_screener_has_no_connection_is_seen_to_by_the_other(
    asterisk: FakeAsterisk, store: Store, recordings: Recordings
) -> None:
    """The one that has lost it lives, so nothing was taken over before."""
    async with two(asterisk, store, recordings) as pair:
        caller = asterisk.offer(handset=Handset.BY_HAND)
        await caller.handset_rings()
        deaf, other = await had_by(*pair, caller)
        deaf.is_cut_off()
        await asyncio.wait([deaf.reader])
        caller.nobody_comes()
        row = await other.row(caller)
        assert deaf.rows()[caller.id].ended_at is None
    assert (row.disposition, row.screener) == (Disposition.UNANSWERED, other.application)
    assert caller.heard == ["warning", "no_answer"], asterisk.story()
    assert await store.calls.flush(5)
    assert await store.calls.get(caller.id) == row


async def test_what_the_other_screener_has_in_hand_is_left_alone(
    asterisk: FakeAsterisk, store: Store, recordings: Recordings
) -> None:
    """By stock-taking, by release, and by the reader of call details."""
    async with two(asterisk, store, recordings) as pair:
        callers = [asterisk.offer(handset=Handset.BY_HAND) for _ in range(6)]
        for caller in callers:
            await caller.handset_rings()
        asterisk.drop()
        await asterisk.until(lambda: all(each.has_taken_stock for each in pair), "stock is taken")
        for caller in callers:
            caller.nobody_comes()
        await asterisk.until(lambda: all(each.idle for each in pair), "all is done")
    for caller in callers:
        keepers = [each for each in pair if caller.id in each.rows()]
        assert len(keepers) == 1, asterisk.story()
        row = keepers[0].rows()[caller.id]
        assert (row.disposition, row.screener) == (
            Disposition.UNANSWERED,
            keepers[0].application,
        )


# ---- what is missed, late or missing ------------------------------------------------------------


async def test_a_warning_whose_end_is_never_told_does_not_hold_the_call(
    asterisk: FakeAsterisk, store: Store, recordings: Recordings
) -> None:
    limits = replace(CALL_LIMITS, playback_slack=0.1)
    async with Screening(asterisk, store, recordings, call_limits=limits).at_work() as screening:
        caller = asterisk.offer()
        caller.listens = False
        row = await screening.row(caller)
    assert caller.been_in == ["without-screener/s", "ring/recorded"], asterisk.story()
    assert row.disposition is Disposition.FAILED_OPEN
    assert row.answered_at
    assert row.warned is (caller.heard == ["warning from the dialplan"])


async def test_a_warning_that_cannot_be_played_does_not_keep_the_telephone_from_ringing(
    asterisk: FakeAsterisk, store: Store, recordings: Recordings
) -> None:
    asterisk.prompts_play = False
    async with Screening(asterisk, store, recordings).at_work() as screening:
        caller = asterisk.offer()
        row = await screening.row(caller)
    assert caller.been_in == ["ring/recorded"], asterisk.story()
    assert (row.disposition, row.warned) == (Disposition.ANSWERED, False)


async def test_a_talk_over_a_gap_is_not_cut_and_is_written_down_as_answered(
    asterisk: FakeAsterisk, store: Store, recordings: Recordings
) -> None:
    """The handset was answered in the gap, and the caller hung up long after it."""
    async with Screening(asterisk, store, recordings).at_work() as screening:
        caller = asterisk.offer(handset=Handset.BY_HAND)
        await caller.handset_rings()
        asterisk.unreachable = True
        asterisk.drop()
        caller.handset_answers()
        await asterisk.until(lambda: caller.picked_up, "the handset is answered")
        asterisk.unreachable = False
        await answered(screening, caller)
        assert caller.is_there
        caller.hangs_up()
        row = await screening.row(caller)
    assert (row.disposition, row.ended_by) == (Disposition.ANSWERED, EndedBy.CALLER)


async def test_a_call_that_rang_out_in_a_gap_is_told_so_afterwards(
    store: Store, recordings: Recordings
) -> None:
    """Its StasisStart was sent to a connection that was no more; where it stands tells."""
    async with (
        FakeAsterisk("20.9.1") as asterisk,
        Screening(asterisk, store, recordings).at_work() as screening,
    ):
        caller = asterisk.offer(handset=Handset.BY_HAND)
        await caller.handset_rings()
        asterisk.goes_deaf()
        caller.nobody_comes()
        await asterisk.until(lambda: caller.came_back, "it is in Stasis again")
        asterisk.drop()
        row = await screening.row(caller)
    assert row.disposition is Disposition.UNANSWERED, asterisk.story()
    assert caller.heard == ["warning", "no_answer"]


async def test_an_end_that_nobody_told_is_noticed_by_looking(
    asterisk: FakeAsterisk, store: Store, recordings: Recordings
) -> None:
    """No row stays open for ever because one event was missed; the dialplan knows who ended it."""
    limits = replace(CALL_LIMITS, look=0.1)
    async with Screening(asterisk, store, recordings, call_limits=limits).at_work() as screening:
        caller = asterisk.offer(handset=Handset.BY_HAND)
        await caller.handset_rings()
        caller.handset_answers()
        await answered(screening, caller)
        caller.subscribed.clear()
        caller.hangs_up()
        row = await screening.row(caller)
    assert (row.disposition, row.ended_by) == (Disposition.ANSWERED, EndedBy.CALLER)


async def test_a_restart_of_asterisk_closes_every_row(
    asterisk: FakeAsterisk, store: Store, recordings: Recordings
) -> None:
    async with Screening(asterisk, store, recordings).at_work() as screening:
        talking, ringing, listening = (asterisk.offer(handset=Handset.BY_HAND) for _ in range(3))
        await talking.handset_rings()
        await ringing.handset_rings()
        talking.handset_answers()
        await answered(screening, talking)
        listening = asterisk.offer(handset=Handset.BY_HAND)
        listening.listens = False
        await asterisk.until(lambda: listening.state == "Up", "it is answered")
        asterisk.restarts()
        rows = [await screening.row(caller) for caller in (talking, ringing, listening)]
    assert [row.disposition for row in rows] == [
        Disposition.ANSWERED,
        Disposition.FAILED_OPEN,
        Disposition.FAILED_OPEN,
    ]
    assert [row.ended_by for row in rows][:2] == [None, None]


async def test_an_asterisk_that_hangs_gets_its_calls_handed_back_when_it_wakes(
    asterisk: FakeAsterisk, store: Store, recordings: Recordings
) -> None:
    ari_limits = replace(ARI_LIMITS, ping=0.1, silence=0.3, connect=0.2, request=0.2)
    screening = Screening(asterisk, store, recordings, ari_limits=ari_limits)
    async with screening.at_work():
        caller = asterisk.offer(handset=Handset.BY_HAND)
        caller.listens = False
        await asterisk.until(lambda: caller.state == "Up", "it is answered")
        asterisk.falls_silent()
        await asterisk.until(lambda: len(asterisk.attempts) > 2, "it is missed")
        asterisk.wakes_up()
        await caller.handset_rings()
        assert caller.been_in[0] == "without-screener/s", asterisk.story()
        caller.hangs_up()
        row = await screening.row(caller)
    assert row.disposition is Disposition.FAILED_OPEN


@pytest.mark.parametrize("number", [FRIEND, FRAUDSTER])
async def test_lists_that_cannot_be_had_let_the_telephone_ring(
    asterisk: FakeAsterisk, store: Store, recordings: Recordings, number: str
) -> None:
    async def broken() -> Lists:
        raise RuntimeError("a fault in our own code")

    screening = Screening(asterisk, store, recordings, lists=broken)
    async with screening.at_work():
        caller = asterisk.offer(number)
        await caller.over()
        await asterisk.until(lambda: screening.idle, "nothing is left of it")
    assert caller.been_in[:2] == ["without-screener/s", "ring/recorded"], asterisk.story()


async def test_stopping_while_a_call_is_being_handed_back_hands_it_back(
    asterisk: FakeAsterisk, store: Store, recordings: Recordings
) -> None:
    """Asterisk refuses everything for a while, and just then the screener is told to stop."""
    async with Screening(asterisk, store, recordings).at_work() as screening:
        caller = asterisk.offer(handset=Handset.BY_HAND)
        caller.listens = False
        await asterisk.until(lambda: caller.state == "Up", "it is answered")
        asterisk.status_to_all = 500
        caller.playback_ends("failed")
        refused = "POST channels/ID/continue"
        await asterisk.until(
            lambda: [str(command) for command in asterisk.commands].count(refused) > 2,
            "it is refused again and again",
        )
        screening.is_cancelled()
        asterisk.status_to_all = None
        await caller.handset_rings()
        await asterisk.until(screening.taking.done, "the screener stops")
    assert caller.been_in == ["without-screener/s", "ring/recorded"], asterisk.story()


# ---- rows and recordings ------------------------------------------------------------------------


async def test_a_recording_that_cannot_be_finished_is_tried_again_at_the_next_start(
    asterisk: FakeAsterisk, store: Store, recordings: Recordings
) -> None:
    """Until then the row is truthful without it, and what was recorded is kept."""
    async with Screening(asterisk, store, recordings).at_work() as screening:
        caller = asterisk.offer(handset=Handset.BY_HAND)
        await caller.handset_rings()
        raw = recordings.live(caller.id)
        raw.write_bytes(b"\1\2\3\4" * 8000)
        in_the_way = recordings.finished(screening.rows()[caller.id]).parent
        in_the_way.write_text("not a directory")
        caller.nobody_comes()
        row = await screening.row(caller)
        another = await screening.row(asterisk.offer())
    assert (row.disposition, row.recording) == (Disposition.UNANSWERED, None)
    assert another.disposition is Disposition.ANSWERED
    assert raw.exists()
    in_the_way.unlink()
    async with Screening(asterisk, store, recordings).at_work() as following:
        await asterisk.until(lambda: not raw.exists() and following.idle, "it is finished")
    row = following.rows()[caller.id]
    assert (row.disposition, row.ended_by) == (Disposition.UNANSWERED, EndedBy.SCREENER)
    assert row.recording
    assert row.recording.seconds == 1
    assert await store.calls.flush(5)
    assert await store.calls.get(caller.id) == row


async def test_rows_left_open_by_a_crash_are_closed_as_late_as_their_last_sound(
    asterisk: FakeAsterisk, store: Store, recordings: Recordings
) -> None:
    async with Screening(asterisk, store, recordings).at_work() as screening:
        caller = asterisk.offer(handset=Handset.BY_HAND)
        await caller.handset_rings()
        caller.handset_answers()
        await answered(screening, caller)
        recordings.live(caller.id).write_bytes(b"\1\2\3\4" * 8000)
        last_sound = recordings.recorded_until(screening.rows()[caller.id])
    asterisk.restarts()
    async with Screening(asterisk, store, recordings).at_work() as following:
        row = await following.row(caller)
    assert (row.disposition, row.ended_by) == (Disposition.ANSWERED, None)
    assert row.ended_at == last_sound
    assert row.recording


async def test_a_database_that_fails_at_the_start_is_asked_again(
    asterisk: FakeAsterisk, store: Store, recordings: Recordings
) -> None:
    asked = 0

    async def failing() -> list[CallRecord]:
        nonlocal asked
        asked += 1
        if asked < 3:
            raise StoreError("database is locked")
        return []

    async with Screening(asterisk, store, recordings, unfinished=failing).at_work() as screening:
        row = await screening.row(asterisk.offer())
    assert asked == 3
    assert row.disposition is Disposition.ANSWERED


async def test_stock_that_asterisk_refuses_is_taken_again(
    store: Store, recordings: Recordings
) -> None:
    """A call that an earlier screener left in Stasis is not left there."""
    limits = Limits(let_go=0.05)
    async with FakeAsterisk() as asterisk:
        async with Screening(asterisk, store, recordings, call_limits=limits).at_work() as dying:
            caller = asterisk.offer(handset=Handset.BY_HAND)
            caller.listens = False
            await asterisk.until(lambda: caller.state == "Up", "it is answered")
            asterisk.falls_silent()
            await dying.stops()
        asterisk.drop()
        asterisk.wakes_up()
        assert asterisk.held == [caller]
        asterisk.fresh()
        asterisk.refuses_next("channels", 2)
        async with Screening(asterisk, store, recordings).at_work() as following:
            await caller.handset_rings()
            caller.hangs_up()
            row = await following.row(caller)
    assert row.disposition is Disposition.FAILED_OPEN, asterisk.story()


async def test_a_held_call_does_not_wait_for_a_database_that_cannot_be_read(
    store: Store, recordings: Recordings
) -> None:
    """A call that an earlier screener left in Stasis rings, though its row is not to be had."""
    rang = False

    async def failing() -> list[CallRecord]:
        if not rang:
            raise StoreError("database is locked")
        return []

    async def row(call_id: str) -> CallRecord | None:
        await failing()
        return await store.calls.get(call_id)

    limits = Limits(let_go=0.05)
    async with FakeAsterisk() as asterisk:
        async with Screening(asterisk, store, recordings, call_limits=limits).at_work() as dying:
            caller = asterisk.offer(handset=Handset.BY_HAND)
            caller.listens = False
            await asterisk.until(lambda: caller.state == "Up", "it is answered")
            asterisk.falls_silent()
            await dying.stops()
        asterisk.drop()
        asterisk.wakes_up()
        assert asterisk.held == [caller]
        following = Screening(asterisk, store, recordings, unfinished=failing, row_on_disk=row)

        async def rings() -> None:
            nonlocal rang
            await caller.handset_rings()
            rang = True

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(rings())
            async with following.at_work():
                assert rang, asterisk.story()
                caller.hangs_up()
                await following.finished()
