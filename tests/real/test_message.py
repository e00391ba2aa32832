"""A message left with the screener, on a real Asterisk: heard, kept, and written down."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from lab.asterisk import TOP, Asterisk
from lab.listen import RATE, Sound, heard, load, tone, tone_share
from lab.ports import Address
from lab.process import until
from lab.rtp import Ear, ear
from lab.scenario import Caller, Handset
from lab.screener import Screener, Tables
from lab.sipp import calling, handset

VOICE, TONE = 440.0, 1000.0
SELLER = "0120123456"
SILENCE_ENDS = 4  # seconds, by the dialplan


@pytest_asyncio.fixture
async def screener(asterisk: Asterisk) -> AsyncIterator[Screener]:
    """A screener that lets sellers leave a message of 20 seconds at most."""
    settings: Tables = {"callers": {"toll_free": "message"}, "call": {"message_seconds": 20}}
    async with Screener(asterisk, settings=settings) as running:
        yield running


def prompt(asterisk: Asterisk, name: str) -> Sound:
    return load(TOP / "prompts" / asterisk.language / f"{name}.wav")[0]


def talk(asterisk: Asterisk, seconds: float) -> Sound:
    """Return the sound of a caller who hears the prompt out, speaks so long, and then listens."""
    waits = len(prompt(asterisk, "message")) + RATE // 2
    return np.concatenate([np.zeros(waits), tone(VOICE, seconds), np.zeros(30 * RATE)])


def place_of_sound(asterisk: Asterisk) -> Address:
    return Address(asterisk.place.trunk, asterisk.place.media_port(asterisk.place.trunk))


async def speaking(asterisk: Asterisk, seconds: float) -> None:
    """Wait until so much of a message is on the disk."""

    def enough() -> bool | None:
        live = (asterisk.recordings / "live").glob("*.raw")
        return any(raw.stat().st_size >= seconds * 32_000 for raw in live) or None

    await until(enough, 20, f"{seconds:g} s of a message")


def check_kept(call: dict[str, Any], seconds: float) -> None:
    """The caller's words lie in the recording, on their side, and the tone does not."""
    assert call["disposition"] == "message"
    left, right = load(Path(call["recording"]["path"]))
    said = left[RATE : int(seconds * RATE)]
    assert tone_share(said, VOICE) > 0.9
    assert tone_share(left, TONE) < 0.1
    assert float(np.max(np.abs(right))) < 0.01


def check_asked(asterisk: Asterisk, at_caller: Ear) -> None:
    """The prompt was heard to its end, and its end was the tone."""
    _, sound = at_caller.heard()
    asked = heard(sound, prompt(asterisk, "message"))
    assert asked.in_full
    end = int(asked.end * RATE)
    assert tone_share(sound[end - RATE * 4 // 10 : end], TONE) > 0.6


async def test_a_caller_leaves_a_message_and_the_telephone_stays_silent(
    asterisk: Asterisk, screener: Screener
) -> None:
    """They hear the tone, speak, fall silent, and are thanked."""
    here = place_of_sound(asterisk)
    async with (
        handset(asterisk.place, Handset(), asterisk.handset_password) as phone,
        ear(here, says=talk(asterisk, 4)) as at_caller,
        calling(asterisk.place, Caller(number=SELLER, hears_at=here.port)) as caller,
    ):
        (leg,) = await caller.finished(40)
        assert phone.invited() == []
    (call,) = await screener.ended_calls(1)
    assert leg.ended_by_us is False
    check_asked(asterisk, at_caller)
    assert heard(at_caller.heard()[1], prompt(asterisk, "message_kept")).in_full
    assert (call["verdict"], call["ended_by"], call["warned"]) == ("message", "screener", False)
    assert (call["rang_at"], call["answered_at"]) == (None, None)
    check_kept(call, 4)
    assert not list((asterisk.recordings / "live").glob(f"{call['id']}.*"))


async def test_a_caller_who_hangs_up_when_all_is_said_has_left_a_message(
    asterisk: Asterisk, screener: Screener
) -> None:
    here = place_of_sound(asterisk)
    asked = len(prompt(asterisk, "message")) / RATE
    patience = int((asked + 3.5) * 1000)
    who = Caller(number=SELLER, hears_at=here.port, hangs_up_after=patience)
    async with ear(here, says=talk(asterisk, 10)), calling(asterisk.place, who) as caller:
        await caller.finished(40)
    (call,) = await screener.ended_calls(1)
    assert call["ended_by"] == "caller"
    check_kept(call, 2.5)


async def test_a_caller_who_says_nothing_leaves_no_message(
    asterisk: Asterisk, screener: Screener
) -> None:
    here = place_of_sound(asterisk)
    async with (
        ear(here, says=np.zeros(60 * RATE)) as at_caller,
        calling(asterisk.place, Caller(number=SELLER, hears_at=here.port)) as caller,
    ):
        await caller.finished(40)
    (call,) = await screener.ended_calls(1)
    check_asked(asterisk, at_caller)
    assert (call["disposition"], call["ended_by"]) == ("no_message", "screener")


async def test_a_caller_who_hangs_up_in_the_prompt_was_not_asked_to_the_end(
    asterisk: Asterisk, screener: Screener
) -> None:
    who = Caller(number=SELLER, hangs_up_after=3000)
    async with calling(asterisk.place, who) as caller:
        await caller.finished()
    (call,) = await screener.ended_calls(1)
    assert (call["disposition"], call["ended_by"]) == ("abandoned_before_message", "caller")
    assert call["recording"] is None


@pytest.mark.parametrize("back", ["while they speak", "when all is over"])
async def test_a_message_outlives_the_screener(
    asterisk: Asterisk, screener: Screener, back: str
) -> None:
    """kill -9 in the message: it is taken to its end, and the next screener has it in the log."""
    here = place_of_sound(asterisk)
    async with (
        ear(here, says=talk(asterisk, 6)) as at_caller,
        calling(asterisk.place, Caller(number=SELLER, hears_at=here.port)) as caller,
    ):
        await speaking(asterisk, 1.0)
        await screener.kill()
        if back == "while they speak":
            await screener.start()
        (leg,) = await caller.finished(40)
        if back == "when all is over":
            await asterisk.idle()
            await screener.start()
    (call,) = await screener.ended_calls(1)
    assert leg.ended_by_us is False
    assert heard(at_caller.heard()[1], prompt(asterisk, "message_kept")).in_full
    assert (call["verdict"], call["ended_by"]) == ("message", "screener")
    check_kept(call, 6)
