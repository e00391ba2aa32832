"""Two screeners on one Asterisk and one database: they share the calls, and one stands in."""

import json
import signal
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.asterisk import Asterisk
from lab.listen import RATE, load, save, tone, tone_share
from lab.process import until
from lab.scenario import Caller, Handset
from lab.screener import Screener
from lab.sipp import calling, handset

RINGS_WITHIN = 3.0  # seconds after a fault
SELLER = "0120123456"
TONES = (440.0, 620.0)


def beside(first: Screener, prompts: Path, **settings: Any) -> Screener:
    """Make a second screener on the Asterisk and the database of another."""
    return Screener(
        first.asterisk,
        settings={
            "prompts": {"directory": str(prompts)},
            **settings,
            "asterisk": {"application": "screener-2"},
            "database": {"path": str(first.directory / "screener.db")},
        },
    )


@asynccontextmanager
async def two(
    asterisk: Asterisk, prompts: Path, **settings: Any
) -> AsyncIterator[tuple[Screener, Screener]]:
    quick = {"prompts": {"directory": str(prompts)}, **settings}
    async with (
        Screener(asterisk, settings=quick) as first,
        beside(first, prompts, **settings) as second,
    ):
        yield first, second


def seen(screener: Screener, event: str) -> set[str]:
    """Return the calls of which a screener has logged something."""
    return {entry["call"] for entry in screener.log() if entry.get("event") == event}


async def has_it(
    pair: tuple[Screener, Screener], *, warned: bool = False
) -> tuple[Screener, Screener]:
    """Wait until one of two has the one call there is, on disk; return that one, and the other."""
    database = pair[0].directory / "screener.db"

    def look() -> str | None:
        with closing(sqlite3.connect(database)) as opened:
            rows = opened.execute("SELECT screener FROM calls WHERE warned >= ?", [warned])
            return next((str(owner) for (owner,) in rows), None)

    owner = await until(look, 20, "one of two has the call")
    return (pair[1], pair[0]) if owner == "screener-2" else pair


def both_speak(tmp_path: Path) -> tuple[Path, Path]:
    caller, household = (tone(hertz, 30) for hertz in TONES)
    return save(tmp_path / "caller.ulaw", caller), save(tmp_path / "handset.ulaw", household)


def check_recording(call: dict[str, Any], seconds: float) -> None:
    """Check that a recording is as long as the talk, with both voices to its end."""
    assert call["recording"]["seconds"] > seconds
    voices = load(Path(call["recording"]["path"]))
    for voice, hertz in zip(voices, TONES, strict=True):
        assert tone_share(voice[-8000:], hertz) > 0.9


async def recorded(screener: Screener) -> dict[str, Any]:
    """Wait until the one call there is has ended and its recording is finished."""
    await screener.ended_calls(1)

    def finished() -> bool | None:
        return True if not list((screener.asterisk.recordings / "live").iterdir()) else None

    await until(finished, 20, "the recording is finished")
    (call,) = await screener.calls()
    return call


async def test_two_screeners_share_the_calls_and_each_call_has_one_row(
    asterisk: Asterisk, quick_prompts: Path
) -> None:
    """And who asks whether calls are screened hears of both, and of one that is gone."""
    place = asterisk.place
    async with (
        two(asterisk, quick_prompts) as pair,
        handset(place, Handset(hangs_up_after=500), asterisk.handset_password),
    ):
        async with calling(place, Caller(), calls=10) as callers:
            legs = await callers.finished(60)
        calls = await pair[0].ended_calls(10, seconds=20)
        await until(
            lambda: sum(len(seen(each, "call_ended")) for each in pair) == 10 or None,
            10,
            "ten ends are logged",
        )
        taken = [len(seen(screener, "call_ended")) for screener in pair]
        both = await pair[0].must("ready")
        await pair[0].kill()
        one = await pair[1].must("ready")
        findings = json.loads((await pair[0].command("doctor", "--json")).out)
    assert [leg.outcome for leg in legs] == [200] * 10
    assert len({call["id"] for call in calls}) == len(calls) == 10
    assert {call["disposition"] for call in calls} == {"answered"}
    assert 0 not in taken
    assert list((asterisk.recordings / "live").iterdir()) == []
    assert both.startswith("healthy: 2 screeners are connected")
    assert one.startswith("healthy: a screener is connected")
    details = [each["detail"] for each in findings if each["subject"] == "screener"]
    assert details == ["not running: screener-2 has the calls"]


@pytest.mark.parametrize("alone", [False, True], ids=["all of it", "the worker alone"])
async def test_a_call_in_the_warning_of_a_killed_screener_rings_within_three_seconds(
    asterisk: Asterisk, tmp_path: Path, *, alone: bool
) -> None:
    """Without its supervisor only the other screener can act; with it, both do, and it rings once.

    The row is closed by one of them.
    """
    place = asterisk.place
    caller_speaks, household_speaks = both_speak(tmp_path)
    household = Handset(answers_after=200, hangs_up_after=12_000, speaks=household_speaks)
    async with (
        two(asterisk, asterisk.prompts) as pair,
        handset(place, household, asterisk.handset_password) as phone,
        calling(place, Caller(speaks=caller_speaks)) as caller,
    ):
        await caller.sees(200)
        dying, other = await has_it(pair)
        at = time.time()
        if alone:
            dying.send_to_worker(signal.SIGKILL)
        else:
            await dying.kill()
        (rang, *_) = await phone.sees("INVITE", seconds=10)
        (leg,) = await caller.finished(40)
        assert len(phone.invited()) == 1
        call = await recorded(other)
    assert rang - at < RINGS_WITHIN
    assert leg.outcome == 200
    assert (call["disposition"], call["ended_by"]) == ("failed_open", "household")
    check_recording(call, 2)


@pytest.mark.parametrize("again", [False, True], ids=["gone", "started again"])
@pytest.mark.parametrize("talking", [False, True], ids=["ringing", "talking"])
async def test_a_call_goes_on_when_its_screener_is_killed_and_the_other_closes_its_row(
    asterisk: Asterisk, quick_prompts: Path, tmp_path: Path, *, talking: bool, again: bool
) -> None:
    """Nothing is heard of it; and it does not matter whether a new one of its name is there."""
    place = asterisk.place
    caller_speaks, household_speaks = both_speak(tmp_path)
    household = Handset(
        answers_after=200 if talking else 4000, hangs_up_after=6000, speaks=household_speaks
    )
    async with (
        two(asterisk, quick_prompts) as pair,
        handset(place, household, asterisk.handset_password) as phone,
        calling(place, Caller(speaks=caller_speaks)) as caller,
    ):
        dying, other = await has_it(pair, warned=True)
        await phone.sees("ACK" if talking else "INVITE")
        await dying.kill()
        await other.logs("screener_gone")
        if again:
            await dying.start()
        (leg,) = await caller.finished(40)
        assert len(phone.invited()) == 1
        call = await recorded(other)
        if not again:
            await other.logs("call_ended")
    assert leg.outcome == 200
    assert (call["disposition"], call["ended_by"]) == ("answered", "household")
    assert call["warned"]
    check_recording(call, 4)


async def test_nobody_answers_a_call_whose_screener_was_killed_and_the_other_says_so(
    asterisk: Asterisk, quick_prompts: Path
) -> None:
    place = asterisk.place
    async with (
        two(asterisk, quick_prompts, call={"ring_seconds": 5}) as pair,
        handset(place, Handset(answers_after=None), asterisk.handset_password) as phone,
        calling(place, Caller()) as caller,
    ):
        dying, other = await has_it(pair, warned=True)
        await phone.sees("INVITE")
        await dying.kill()
        (leg,) = await caller.finished(40)
        await other.logs("call_ended")
        (call,) = await other.ended_calls(1)
    assert leg.outcome == 200  # it was answered, to be warned
    assert (call["disposition"], call["ended_by"]) == ("unanswered", "screener")


async def test_a_message_whose_screener_is_killed_is_kept_by_the_other(
    asterisk: Asterisk, quick_prompts: Path, tmp_path: Path
) -> None:
    place = asterisk.place
    prompt = load(asterisk.prompts / asterisk.language / "message.wav")[0]
    said = np.concatenate([tone(440, len(prompt) / RATE + 4), np.zeros(30 * RATE)])
    voice = save(tmp_path / "voice.ulaw", said)
    settings = {"callers": {"toll_free": "message"}, "call": {"message_seconds": 20}}
    async with (
        two(asterisk, quick_prompts, **settings) as pair,
        calling(place, Caller(number=SELLER, speaks=voice)) as caller,
    ):
        await caller.sees(200)
        dying, other = await has_it(pair)
        await dying.kill()
        (leg,) = await caller.finished(40)
        call = await recorded(other)
    assert leg.outcome == 200
    assert (call["disposition"], call["ended_by"]) == ("message", "screener")


async def test_a_second_screener_that_comes_and_goes_under_load_costs_no_call(
    asterisk: Asterisk, quick_prompts: Path
) -> None:
    """Stopped in order, killed, and started again while calls come in."""
    place = asterisk.place
    quick = {"prompts": {"directory": str(quick_prompts)}}
    household = Handset(answers_after=100, hangs_up_after=400)
    async with (
        Screener(asterisk, settings=quick) as first,
        beside(first, quick_prompts) as second,
        handset(place, household, asterisk.handset_password),
        calling(place, Caller(), calls=40, per_second=3) as callers,
    ):
        await first.logged_calls(3)
        await second.stop()
        await second.start()
        await second.kill()
        await second.start()
        legs = await callers.finished(90)
        calls = await first.ended_calls(40, seconds=30)
    assert [leg.outcome for leg in legs] == [200] * 40
    assert len({call["id"] for call in calls}) == len(calls) == 40
    fates = {call["disposition"] for call in calls}
    assert fates <= {"answered", "failed_open"}
    assert sum(call["disposition"] == "failed_open" for call in calls) <= 4
