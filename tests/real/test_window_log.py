"""Calls that ring past the screener come into its log as what they were, whenever it runs."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from lab.asterisk import Asterisk
from lab.listen import save, tone
from lab.process import until
from lab.request import Request, sound_offer
from lab.scenario import Caller, Handset, Moment
from lab.screener import Screener, Tables
from lab.sip import telephone
from lab.sipp import calling, handset

STRANGER, FROM_ABROAD = Caller(number="0451234567"), Caller(number="+18005551234")
LONG_LIMIT = 40  # seconds for the log to tell of a call


async def dials(asterisk: Asterisk, number: str) -> None:
    """Let the household dial; the telephone company takes the call and is busy."""
    place = asterisk.place
    invite = Request(
        method="INVITE", uri=f"sip:{number}@{place.sip}", from_=f"<sip:handset@{place.sip}>",
        body=sound_offer(place.handset, 30_000),
    )  # fmt: skip
    async with (
        telephone(place.trunk_contact, place.sip),
        telephone(place.sip_port(place.handset), place.sip) as household,
    ):
        await household.ask(invite, password=asterisk.handset_password, seconds=15)
    await asterisk.idle()


async def call(asterisk: Asterisk, who: Caller, household: Handset) -> None:
    """Let somebody call the household, to the end of it."""
    async with (
        handset(asterisk.place, household, asterisk.handset_password),
        calling(asterisk.place, who) as caller,
    ):
        await caller.finished(40)
    await asterisk.idle()


async def log_of(screener: Screener, complete: Callable[[list[dict[str, Any]]], bool]) -> Any:
    """Return the call log, oldest first, once it is complete and its files are gone."""
    live = screener.asterisk.recordings / "live"
    async with asyncio.timeout(LONG_LIMIT):
        while True:
            calls = (await screener.calls())[::-1]
            if complete(calls) and not any(live.iterdir()):
                return calls


def settings(prompts: Path) -> Tables:
    return {"prompts": {"directory": str(prompts)}}


@pytest.mark.parametrize("screener_is", ["up", "down"])
async def test_after_a_call_for_help_the_log_tells_of_every_call_as_it_was(
    own_asterisk: Asterisk, quick_prompts: Path, screener_is: str
) -> None:
    """Answered, abandoned, unanswered, and by whom; unwarned, unrecorded, nothing left behind."""
    asterisk = own_asterisk
    screener = Screener(asterisk, settings=settings(quick_prompts))

    async def everything() -> None:
        await dials(asterisk, "119")
        await call(asterisk, STRANGER, Handset(hangs_up_after=1500))
        leaves = Caller(number=FROM_ABROAD.number, hangs_up_after=1500)
        await call(asterisk, leaves, Handset())
        gives_up = Caller(number="0661234567", hangs_up_after=800, counted_from=Moment.RINGING)
        await call(asterisk, gives_up, Handset(answers_after=None))
        await call(asterisk, Caller(number="110"), Handset(refuses_with=486))

    async def told() -> list[dict[str, Any]]:
        def complete(calls: list[dict[str, Any]]) -> bool:
            return len(calls) == 4 and all(each["ended_at"] for each in calls)

        found: list[dict[str, Any]] = await log_of(screener, complete)
        assert (await screener.logs("emergency_window_opened"))["until"]
        return found

    calls = await around(screener, screener_is, everything, told)
    assert [(each["rule"], each["disposition"], each["ended_by"]) for each in calls] == [
        ("emergency_window", "answered", "household"),
        ("emergency_window", "answered", "caller"),
        ("emergency_window", "abandoned_ringing", "caller"),
        ("emergency", "busy", "screener"),
    ]
    for each in calls:
        assert (each["verdict"], each["warned"], each["recording"]) == ("pass", False, None)
    for each in calls[:2]:
        assert each["started_at"] <= each["rang_at"] < each["answered_at"] < each["ended_at"]


async def around(
    screener: Screener,
    screener_is: str,
    everything: Callable[[], Awaitable[None]],
    told: Callable[[], Awaitable[list[dict[str, Any]]]],
) -> list[dict[str, Any]]:
    """Let everything happen with the screener up, or before it starts; return what it tells."""
    if screener_is == "down":
        await everything()
    async with screener:
        if screener_is == "up":
            await everything()
        return await told()


async def test_a_call_of_the_time_without_a_screener_is_in_the_log_with_its_recording(
    own_asterisk: Asterisk, quick_prompts: Path, tmp_path: Path
) -> None:
    """The dialplan warned, recorded and rang: the next screener knows all of it."""
    voice = save(tmp_path / "voice.ulaw", tone(440, 5))
    who = Caller(number=STRANGER.number, speaks=voice)
    async with Screener(own_asterisk, settings=settings(quick_prompts)) as screener:
        await screener.stop()
        await call(own_asterisk, who, Handset(hangs_up_after=1500, speaks=voice))
        await screener.start()
        (row,) = await log_of(screener, lambda calls: bool(calls and calls[0]["recording"]))
    assert (row["verdict"], row["disposition"]) == ("screen", "failed_open")
    assert (row["warned"], row["ended_by"]) == (True, "household")
    assert row["started_at"] <= row["rang_at"] < row["answered_at"] < row["ended_at"]
    assert Path(row["recording"]["path"]).name.endswith(f"{row['id']}.wav")


async def test_a_call_that_gave_way_to_one_for_help_is_not_said_to_be_the_callers_doing(
    own_asterisk: Asterisk, quick_prompts: Path
) -> None:
    """It is ended in the middle of its warning, and the log says why."""
    place = own_asterisk.place
    async with Screener(own_asterisk) as screener:
        async with calling(place, STRANGER) as caller:
            await caller.sees(200)
            await dials_on_a_full_trunk(own_asterisk)
            (leg,) = await caller.finished(20)
        (row,) = await log_of(
            screener, lambda calls: [each["disposition"] for each in calls] == ["gave_way"]
        )
    assert leg.ended_by_us is False
    assert (row["verdict"], row["ended_by"], row["warned"]) == ("screen", "household", False)


async def dials_on_a_full_trunk(asterisk: Asterisk) -> None:
    """Let the household dial 119; the company refuses the first try and takes another."""
    place = asterisk.place
    tries: list[int] = []

    def answer(request: Any) -> int:
        if request.method == "INVITE":
            tries.append(503 if not tries else 480)
            return tries[-1]
        return 200

    invite = Request(
        method="INVITE", uri=f"sip:119@{place.sip}", from_=f"<sip:handset@{place.sip}>",
        body=sound_offer(place.handset, 30_000),
    )  # fmt: skip
    async with (
        telephone(place.trunk_contact, place.sip, answer),
        telephone(place.sip_port(place.handset), place.sip) as household,
    ):
        await household.ask(invite, password=asterisk.handset_password, seconds=15)


async def test_who_was_dialled_rings_at_once_when_they_call_back(
    own_asterisk: Asterisk, quick_prompts: Path
) -> None:
    """But not the police's own number, nor one that the household blocked."""
    async with Screener(own_asterisk, settings=settings(quick_prompts)) as screener:
        await screener.must("block", "0312349009")
        await dials(own_asterisk, "0312349009")
        await dials(own_asterisk, STRANGER.number)
        await screener.logs("number_learnt")
        await call(own_asterisk, STRANGER, Handset(hangs_up_after=300))
        (row,) = await log_of(screener, lambda calls: bool(calls and calls[0]["ended_at"]))
        assert (row["verdict"], row["rule"]) == ("pass", "dialled")
        assert row["entry"]["origin"] == "dialled"
        await call(own_asterisk, Caller(number="0312349009"), Handset())
        await until(lambda: _blocked(screener) or None, LONG_LIMIT, "the blocked call")


def _blocked(screener: Screener) -> bool:
    return any(each.get("disposition") == "blocked" for each in screener.log())
