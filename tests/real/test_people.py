"""Whole calls, told as the people on the line live them, and judged by what they hear."""

from pathlib import Path

from lab.asterisk import TOP, Asterisk
from lab.listen import Sound, heard, load, tone, tone_share
from lab.outside import Outside
from lab.screener import Screener

CALLER, HOUSEHOLD = tone(440, 8), tone(620, 8)


def prompt(name: str) -> Sound:
    """Return a prompt as it lies in the repository."""
    return load(TOP / "prompts" / "ja" / f"{name}.wav")[0]


async def test_a_stranger_is_warned_then_rung_and_both_are_recorded_on_their_own_channel(
    asterisk: Asterisk, outside: Outside
) -> None:
    """The warning is heard in full before the telephone rings; then the two hear each other."""
    async with Screener(asterisk) as screener:
        caller = await outside.call("0312345678", "TANAKA")
        answered = await caller.is_answered()
        handset = await outside.rings()
        warning = await caller.hears(prompt("warning"))
        await handset.answers()
        await handset.is_answered()
        await handset.says(HOUSEHOLD)
        await caller.says(CALLER)
        await handset.listens(2)
        await caller.hangs_up()
        assert await handset.is_over() == 16
        (call,) = await screener.ended_calls(1)

    assert handset.began_at - answered > warning.end - 0.1
    assert tone_share(caller.heard()[-8000:], 620) > 0.9
    assert tone_share(handset.heard()[-8000:], 440) > 0.9
    assert (call["disposition"], call["ended_by"], call["warned"]) == ("answered", "caller", True)
    left, right = load(Path(call["recording"]["path"]))
    assert tone_share(left[-8000:], 440) > 0.9
    assert tone_share(right[-8000:], 620) > 0.9


async def test_a_known_caller_hears_no_warning(asterisk: Asterisk, outside: Outside) -> None:
    """The line is not even answered before the household answers."""
    async with Screener(asterisk) as screener:
        await screener.must("allow", "0312345678")
        caller = await outside.call("0312345678")
        handset = await outside.rings()
        await handset.answers()
        await caller.is_answered()
        await handset.says(HOUSEHOLD)
        await caller.listens(3)
        await handset.hangs_up()
        await caller.is_over()
        (call,) = await screener.ended_calls(1)
    assert tone_share(caller.heard(), 620) > 0.9
    assert (call["disposition"], call["ended_by"]) == ("answered", "household")
    assert (call["warned"], call["recording"]) == (False, None)


async def test_without_a_screener_a_caller_whom_nobody_answers_is_told_so(
    asterisk: Asterisk, outside: Outside
) -> None:
    """Busy at the household: the caller heard the warning, then that nobody can come."""
    caller = await outside.call("0312345678")
    handset = await outside.rings()
    await handset.hangs_up("busy")
    await caller.is_over()
    warning, regret = (heard(caller.heard(), prompt(name)) for name in ("warning", "no_answer"))
    assert warning.in_full
    assert regret.in_full
    assert warning.end <= regret.start
