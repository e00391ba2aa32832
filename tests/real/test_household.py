"""What a household wishes is what its callers meet, on the wire and in the log."""

from pathlib import Path
from typing import Any

import pytest

from lab.asterisk import Asterisk
from lab.scenario import Caller, Handset
from lab.screener import Screener, Tables
from lab.sipp import calling, handset

SON_IN_GERMANY = Caller(number="+493012345678")
AMERICAN = Caller(number="+18005551234")
WITHHELD = Caller(number="anonymous", name="Anonymous")
TAKES_IT = Handset(answers_after=200, hangs_up_after=200)


async def called(
    asterisk: Asterisk, screener: Screener, who: Caller
) -> tuple[int | None, int, dict[str, Any]]:
    """Call once; return the caller's final status, how often it rang, and the row of the log."""
    already = len(await screener.calls())
    async with (
        handset(asterisk.place, TAKES_IT, asterisk.handset_password) as phone,
        calling(asterisk.place, who) as caller,
    ):
        (leg,) = await caller.finished()
        rung = len(phone.invited())
    rows = await screener.ended_calls(already + 1)
    return leg.outcome, rung, rows[0]


async def test_an_exception_for_a_country_warns_and_rings_and_its_neighbour_is_refused(
    asterisk: Asterisk, screener: Screener
) -> None:
    await screener.must("screen", "+49", "--note", "our son")
    outcome, rung, row = await called(asterisk, screener, SON_IN_GERMANY)
    assert (outcome, rung) == (200, 1)
    assert (row["verdict"], row["rule"], row["warned"]) == ("screen", "screen_list", True)
    assert row["entry"]["note"] == "our son"
    outcome, rung, row = await called(asterisk, screener, AMERICAN)
    assert (outcome, rung, row["reason"]) == (403, 0, "international")


async def test_who_only_watches_hears_everybody_at_once_and_reads_what_would_have_been(
    asterisk: Asterisk, quick_prompts: Path
) -> None:
    settings: Tables = {"profile": "watch_only", "prompts": {"directory": str(quick_prompts)}}
    async with Screener(asterisk, settings=settings) as screener:
        outcome, rung, row = await called(asterisk, screener, AMERICAN)
        assert (outcome, rung) == (200, 1)
        assert (row["verdict"], row["instead_of"], row["warned"]) == ("pass", "block", False)
        assert row["recording"] is None
        assert "pass (block)" in " ".join((await screener.must("calls")).split())


async def test_a_rule_against_withheld_numbers_waits_for_the_first_number_on_the_line(
    asterisk: Asterisk, quick_prompts: Path
) -> None:
    """Before that, the line may have no caller ID at all; the doctor says so."""
    settings: Tables = {
        "callers": {"withheld": "block"},
        "prompts": {"directory": str(quick_prompts)},
    }
    async with Screener(asterisk, settings=settings) as screener:
        outcome, rung, row = await called(asterisk, screener, WITHHELD)
        assert (outcome, rung, row["instead_of"]) == (200, 1, "block")
        said = await screener.command("doctor", "--json")
        assert "0398765432: the rule for withheld is not enforced there" in said.out
        await called(asterisk, screener, AMERICAN)
        outcome, rung, row = await called(asterisk, screener, WITHHELD)
        assert (outcome, rung, row["instead_of"]) == (403, 0, None)
        said = await screener.command("doctor", "--json")
        assert "is not enforced" not in said.out


@pytest.mark.parametrize(
    ("number", "verdict", "rung"), [("+18005551234", "screen", 1), ("3", "screen", 1)]
)
async def test_as_the_box_everybody_is_warned_and_an_extension_too_if_one_wishes(
    asterisk: Asterisk, quick_prompts: Path, number: str, verdict: str, rung: int
) -> None:
    settings: Tables = {
        "profile": "as_the_box",
        "callers": {"internal": "screen"},
        "prompts": {"directory": str(quick_prompts)},
    }
    async with Screener(asterisk, settings=settings) as screener:
        outcome, times, row = await called(asterisk, screener, Caller(number=number))
    assert (outcome, times, row["verdict"], row["warned"]) == (200, rung, verdict, True)
