"""The ARI client against a fake Asterisk that drops, refuses, hangs and starts again."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from itertools import pairwise

import pytest
from structlog.testing import capture_logs

from screener.ari import Ari, Conflict, NoAri, NotFound, Refused, RequestFailed, TooOld, Unreachable
from screener.ari.connection import parse_version, rest_over_websocket
from screener.ari.events import (
    CallBroadcast,
    ChannelDestroyed,
    ChannelHangupRequest,
    ConnectionLost,
    Event,
    Reconnected,
    StasisEnd,
    StasisStart,
)
from screener.ari.limits import Limits
from screener.ari.probe import probe
from tests.fake.asterisk import FakeAsterisk
from tests.fake.wire import Trick

QUICK = Limits(request=0.3, connect=0.5, boot=0.0, first_delay=0.01, longest_delay=0.05)


def client(asterisk: FakeAsterisk, limits: Limits = QUICK, application: str = "screener") -> Ari:
    return Ari(asterisk.url, application, "screener", asterisk.password, limits)


@asynccontextmanager
async def connected(asterisk: FakeAsterisk, limits: Limits = QUICK) -> AsyncIterator[Ari]:
    """Connect, and leave nothing running."""
    ari = client(asterisk, limits)
    reading = asyncio.create_task(ari.run())
    try:
        assert await next_event(ari.arrivals) == Reconnected("")
        yield ari
    finally:
        reading.cancel()
        await asyncio.wait([reading])


async def next_event(inbox: "asyncio.Queue[Event]") -> Event:
    async with asyncio.timeout(5):
        return await inbox.get()


@pytest.mark.parametrize(
    ("version", "by"),
    [
        ("22.10.1+dfsg+~cs6.17.60671434-1", "WebSocket"),
        ("22.4.0", "WebSocket"),
        ("22.3.0", "HTTP"),
        ("21.9.0", "HTTP"),
        ("20.14.0", "WebSocket"),
        ("20.9.1", "HTTP"),
        ("23.0.0", "WebSocket"),
        ("certified-20.7-cert3", "HTTP"),
    ],
)
async def test_commands_go_by_websocket_where_asterisk_takes_them_there(
    version: str, by: str
) -> None:
    """Otherwise by HTTP; and a number that a caller sent changes no path."""
    async with FakeAsterisk(version) as asterisk, connected(asterisk) as ari:
        assert await ari.channels.list() == []
        with pytest.raises(NotFound):
            await ari.channels.get("a/b?c#d")
        assert {command.by for command in asterisk.commands} == {by}
        assert ari.version == version
    assert rest_over_websocket(parse_version(version)) is (by == "WebSocket")


@pytest.mark.parametrize("version", ["22.10.1", "20.9.1"])
async def test_what_asterisk_refuses_is_a_small_tree_of_errors(version: str) -> None:
    """404, 409, 500, and 422 for listening to a channel that is no more."""
    async with FakeAsterisk(version) as asterisk, connected(asterisk) as ari:
        with pytest.raises(NotFound):
            await ari.channels.answer("nobody")
        with pytest.raises(NotFound):
            await ari.applications.subscribe("nobody")
        with pytest.raises(NotFound):
            await ari.events.claim("nobody")
        caller = asterisk.offer()
        if asterisk.has_broadcast:
            with pytest.raises(Conflict):
                await ari.channels.answer(caller.id)
        assert await ari.channels.variable(caller.id, "DIALSTATUS") is None
        asterisk.tricks[len(asterisk.commands)] = Trick.REFUSE
        with pytest.raises(RequestFailed) as failed:
            await ari.channels.hangup(caller.id, 16)
        assert failed.value.status == 500
        assert "\n" not in str(failed.value)
        await ari.channels.hangup(caller.id, 16)
        with pytest.raises(NotFound):
            await ari.channels.get(caller.id)


@pytest.mark.parametrize("version", ["22.10.1", "20.9.1"])
async def test_answers_that_come_out_of_order_reach_whoever_asked(version: str) -> None:
    async with FakeAsterisk(version) as asterisk, connected(asterisk) as ari:
        caller = asterisk.offer("0312345678")
        asterisk.tricks[len(asterisk.commands)] = Trick.LATE
        async with asyncio.TaskGroup() as tasks:
            late = tasks.create_task(ari.channels.get(caller.id))
            await asterisk.until(lambda: not asterisk.tricks, "the first command is there")
            soon = tasks.create_task(ari.channels.list())
        assert late.result() == soon.result()[0]
        assert late.result().number == "0312345678"


@pytest.mark.parametrize("version", ["22.10.1", "20.9.1"])
async def test_an_answer_that_does_not_come_is_not_waited_for_longer_than_the_limit(
    version: str,
) -> None:
    async with FakeAsterisk(version) as asterisk, connected(asterisk) as ari:
        asterisk.tricks[0] = Trick.SWALLOW
        with pytest.raises(Unreachable, match=r"no answer to GET channels within 0\.3 s"):
            await ari.channels.list()
        assert await ari.channels.list() == []


@pytest.mark.parametrize("version", ["22.10.1", "20.9.1"])
async def test_requests_in_flight_fail_at_once_when_the_connection_breaks(version: str) -> None:
    patient = Limits(request=60, first_delay=0.01, longest_delay=0.05)
    async with FakeAsterisk(version) as asterisk, connected(asterisk, patient) as ari:
        asterisk.tricks.update({0: Trick.SWALLOW, 1: Trick.SWALLOW})
        async with asyncio.timeout(5):
            asking = [asyncio.create_task(ari.channels.list()) for _ in range(2)]
            await asterisk.until(lambda: not asterisk.tricks, "both commands are there")
            asterisk.drop()
            for answer in await asyncio.gather(*asking, return_exceptions=True):
                assert isinstance(answer, Unreachable), asterisk.story()


async def test_everything_about_a_channel_comes_into_its_inbox_in_order() -> None:
    """Through noise and repetition, with the gap in its place; the rest comes to arrivals."""
    async with FakeAsterisk() as asterisk, connected(asterisk) as ari:
        caller = asterisk.offer("0312345678", "Taro", "0398765432")
        offered = await next_event(ari.arrivals)
        assert isinstance(offered, CallBroadcast)
        assert offered.channel.variables["LINE"] == "0398765432"
        assert (offered.channel.number, offered.channel.caller_name) == ("0312345678", "Taro")
        with ari.inbox(caller.id) as inbox:
            await ari.events.claim(caller.id)
            asterisk.drop()
            await asterisk.until(lambda: asterisk.connections["screener"] == 2, "it is back")
            caller.hangs_up()
            seen: list[type[Event]] = []
            while not (seen and seen[-1] is ChannelDestroyed):
                event = await next_event(inbox)
                if isinstance(event, CallBroadcast):
                    continue  # its repetition
                if not (seen and seen[-1] is type(event)):
                    seen.append(type(event))
        assert seen == [
            StasisStart,
            ConnectionLost,
            Reconnected,
            ChannelHangupRequest,
            StasisEnd,
            ChannelHangupRequest,
            ChannelDestroyed,
        ], asterisk.story()


async def test_it_reconnects_with_growing_and_jittered_delays_and_no_busy_loop() -> None:
    """The longest delay is kept to, and no two waits are alike."""
    limits = Limits(first_delay=0.02, longest_delay=0.16)
    async with FakeAsterisk() as asterisk, connected(asterisk, limits):
        asterisk.unreachable = True
        asterisk.attempts.clear()
        with capture_logs() as logged:
            asterisk.drop()
            began = asyncio.get_running_loop().time()
            # aiohttp asks once more by itself where a server hangs up without a word.
            await asterisk.until(lambda: len(asterisk.attempts) >= 16, "it tries on")
        announced = [line["next_try_seconds"] for line in logged if "next_try_seconds" in line]
        assert announced[:4] == [0.04, 0.08, 0.16, 0.16]
        assert set(announced[4:]) == {0.16}
        # Eight tries: what a wait may be at its shortest is half of what was announced.
        assert asterisk.attempts[-1] - began >= sum([0.02, 0.04, 0.08, *[0.16] * 5]) / 2 * 0.9
        waits = [later - sooner for sooner, later in pairwise(asterisk.attempts)]
        long = [wait for wait in waits if wait > 0.06]
        assert max(long) - min(long) > 0.001, "no jitter"
        asterisk.unreachable = False
        await asterisk.until(lambda: asterisk.lines, "it is back")


async def test_a_connection_that_breaks_at_once_again_and_again_is_not_hurried_after() -> None:
    limits = Limits(first_delay=0.01, longest_delay=0.08)
    async with FakeAsterisk() as asterisk, connected(asterisk, limits):
        asterisk.attempts.clear()
        for number in range(2, 8):
            asterisk.drop()
            back = partial(asterisk.has_connected, "screener", number)
            await asterisk.until(back, "it is back")
        assert asterisk.attempts[-1] - asterisk.attempts[-2] >= 0.04 * 0.9


async def test_requests_without_a_connection_fail_at_once() -> None:
    async with FakeAsterisk() as asterisk:
        ari = client(asterisk)
        assert ari.version is None
        with pytest.raises(Unreachable, match="no connection"):
            await ari.channels.list()


async def test_a_wrong_password_is_refused_and_not_tried_again() -> None:
    async with FakeAsterisk() as asterisk:
        ari = Ari(asterisk.url, "screener", "screener", "guessed", QUICK)
        with pytest.raises(Refused, match="refuses user screener"):
            await ari.run()
        assert len(asterisk.attempts) == 1


async def test_an_asterisk_that_is_too_old_is_named() -> None:
    async with FakeAsterisk("18.26.4") as asterisk:
        with pytest.raises(TooOld, match=r"18\.26\.4 is too old: 20"):
            await client(asterisk).run()


@pytest.mark.parametrize("page", ["<html>It works!</html>", "{}", "[]", "null", '"22"'])
async def test_a_web_server_that_is_no_asterisk_is_refused(page: str) -> None:
    async with FakeAsterisk() as asterisk:
        asterisk.page = page
        with pytest.raises(NoAri, match="is not Asterisk"):
            await client(asterisk).run()


async def test_a_server_without_ari_is_refused_after_the_time_a_start_takes() -> None:
    async with FakeAsterisk() as asterisk:
        asterisk.status_to_all = 404
        with pytest.raises(NoAri, match="no Asterisk with ARI enabled"):
            await client(asterisk).run()


@pytest.mark.parametrize("status", [404, 503])
async def test_an_asterisk_that_restarts_is_waited_for(status: int) -> None:
    """Before its modules are loaded its web server says 404, then 503 (seen with 22.10.1)."""
    limits = Limits(boot=5.0, first_delay=0.01, longest_delay=0.05)
    async with FakeAsterisk() as asterisk, connected(asterisk, limits) as ari:
        asterisk.status_to_all = status
        asterisk.restarts()
        assert await next_event(ari.arrivals) == ConnectionLost("")
        asterisk.attempts.clear()
        await asterisk.until(lambda: len(asterisk.attempts) > 2, "it asks again")
        asterisk.status_to_all = None
        assert await next_event(ari.arrivals) == Reconnected("")


async def test_another_screener_of_the_same_name_ends_this_one() -> None:
    async with FakeAsterisk() as asterisk:
        first = asyncio.create_task(client(asterisk).run())
        await asterisk.until(lambda: asterisk.lines, "the first is connected")
        async with connected(asterisk):
            with pytest.raises(Refused, match="another screener"):
                await first


async def test_a_connection_on_which_nothing_happens_is_kept() -> None:
    """Also when our own event loop stood still for longer than the silence that is suffered."""
    limits = Limits(ping=0.05, silence=0.15)
    async with FakeAsterisk() as asterisk, connected(asterisk, limits) as ari:
        with capture_logs() as logged:
            for _ in range(3):
                await asyncio.sleep(0.5)  # not for something to happen: nothing does
                time.sleep(0.5)  # noqa: ASYNC251
            assert await ari.channels.list() == []
        assert logged == []
        assert asterisk.connections["screener"] == 1


async def test_a_connection_that_is_only_half_there_is_noticed_by_its_heartbeat() -> None:
    """An Asterisk that takes everything and says nothing: dropped, then tried again in vain."""
    limits = Limits(
        request=0.2, connect=0.2, ping=0.1, silence=0.3, first_delay=0.01, longest_delay=0.05
    )
    async with FakeAsterisk() as asterisk, connected(asterisk, limits) as ari:
        asterisk.attempts.clear()
        asterisk.falls_silent()
        assert await next_event(ari.arrivals) == ConnectionLost("")
        await asterisk.until(lambda: asterisk.attempts, "it tries to come back")
        with pytest.raises(Unreachable):
            await ari.channels.list()
        asterisk.wakes_up()
        assert await next_event(ari.arrivals) == Reconnected("")
        assert await ari.channels.list() == []


async def test_stopping_does_not_wait_for_an_asterisk_that_hangs() -> None:
    limits = Limits(request=0.1, silence=60)
    async with FakeAsterisk() as asterisk:
        ari = client(asterisk, limits)
        reading = asyncio.create_task(ari.run())
        await next_event(ari.arrivals)
        asterisk.falls_silent()
        reading.cancel()
        async with asyncio.timeout(2):
            await asyncio.wait([reading])


async def test_a_look_from_outside_says_whether_a_screener_is_there() -> None:
    async with FakeAsterisk() as asterisk:
        who = (asterisk.url, "screener", asterisk.password)
        assert (await probe(*who)).applications == frozenset()
        async with connected(asterisk):
            found = await probe(*who)
        assert (found.version, found.applications) == ("22.10.1", frozenset({"screener"}))
