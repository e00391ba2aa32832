"""The doctor's look at an Asterisk that others have set up."""

from pathlib import Path

import pytest

from lab.asterisk import TOP
from screener.ari.probe import Probe
from screener.audio import prompts
from screener.checkup import SLACK_SECONDS, check_asterisk, check_disk
from screener.doctor import Finding
from screener.readiness import readiness

OURS = "screener"


async def wrong(screening_seconds: str, longest_prompt: float = 9.0) -> list[Finding]:
    """Return what the doctor finds wrong with an Asterisk of that limit."""

    async def ask() -> Probe:
        return Probe("22.10.1", frozenset({OURS}), {"SCREENING_SECONDS": screening_seconds})

    found = await check_asterisk(ask, {}, longest_prompt, lambda _: [OURS], OURS)
    return [each for each in found if not each.ok]


async def asterisk() -> Probe:
    return Probe("22.10.1", frozenset({OURS, "screener-2"}))


@pytest.mark.parametrize(
    ("taking", "word"),
    [
        ([], "degraded: no screener is connected"),
        ([OURS], "healthy: a screener is connected to Asterisk 22.10.1"),
        ([OURS, "screener-2"], "healthy: 2 screeners are connected to Asterisk 22.10.1: screener,"),
        (["screener-2"], "healthy: a screener is connected"),
    ],
)
async def test_calls_are_screened_as_long_as_one_screener_lives(
    taking: list[str], word: str
) -> None:
    """Not as long as Asterisk knows its name: it knows the dead ones' as well."""
    assert str(await readiness(asterisk, lambda _: taking)).startswith(word)


@pytest.mark.parametrize(
    ("taking", "detail"),
    [
        ([], "not running: Asterisk warns, records and rings"),
        (["screener-2"], "not running: screener-2 has the calls"),
        ([OURS], "connected"),
        ([OURS, "screener-2"], "connected, beside screener-2"),
    ],
)
async def test_the_doctor_says_whether_the_screener_that_was_meant_is_there(
    taking: list[str], detail: str
) -> None:
    found = await check_asterisk(asterisk, {}, 9.0, lambda _: taking, OURS)
    (finding,) = [each for each in found if each.subject == "screener"]
    assert finding.detail == detail
    assert finding.ok is bool(not finding.advice) is (OURS in taking)


@pytest.mark.parametrize(
    ("theirs", "ours", "fine"),
    [
        ("screener", "screener", True),
        ("screener", "screener-2", True),
        ("house-1", "house-1-3", True),
        ("screener", "screener-two", False),
        ("screener-2", "screener", False),
        ("a.b", "acb", False),
    ],
)
async def test_a_name_to_which_asterisk_offers_no_calls_is_found(
    theirs: str, ours: str, *, fine: bool
) -> None:
    async def ask() -> Probe:
        return Probe("22.10.1", frozenset(), {"APPLICATION": theirs})

    found = await check_asterisk(ask, {}, 9.0, lambda _: [ours], ours)
    wrong = [each for each in found if not each.ok]
    assert fine is not any(f"offers its calls to {theirs}" in each.detail for each in wrong)


@pytest.mark.parametrize("seconds", ["13", "60", "", "soon"])
async def test_a_limit_that_any_prompt_fits_in_is_fine_and_so_is_another_dialplan(
    seconds: str,
) -> None:
    assert await wrong(seconds) == []


@pytest.mark.parametrize(
    ("seconds", "why"),
    [("12", "takes calls away after 12 s, and a prompt lasts 9.0 s"), ("61", "for 61 s")],
)
async def test_a_limit_too_short_for_the_prompts_or_too_long_for_a_caller_is_found(
    seconds: str, why: str
) -> None:
    (finding,) = await wrong(seconds)
    assert why in finding.detail
    assert "ASTERISK_SCREENING_SECONDS to 13 " in finding.advice


async def test_a_long_prompt_of_ones_own_may_have_a_long_limit() -> None:
    assert await wrong("80", longest_prompt=76.0) == []


@pytest.mark.parametrize("language", ["ja", "en"])
async def test_our_own_prompts_fit_in_the_limit_that_asterisk_is_started_with(
    language: str,
) -> None:
    start = (TOP / "config" / "asterisk" / "start").read_text()
    default = float(start.partition("ASTERISK_SCREENING_SECONDS:=")[2].partition("}")[0])
    there = TOP / "prompts"
    held = [prompts.seconds(there, language, prompt) for prompt in prompts.WHILE_HELD]
    assert max(held) + SLACK_SECONDS <= default < 20


def test_the_doctor_says_so_when_nothing_is_recorded_for_want_of_room(tmp_path: Path) -> None:
    (finding,) = check_disk(tmp_path, reserve_mb=10_000_000)
    assert not finding.ok
    assert finding.detail.startswith("nothing is recorded: ")
    (finding,) = check_disk(tmp_path, reserve_mb=0)
    assert "free for recordings" in finding.detail
