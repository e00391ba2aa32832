"""The doctor's look at an Asterisk that others have set up."""

import pytest

from lab.asterisk import TOP
from screener.ari.probe import Probe
from screener.audio import prompts
from screener.checkup import SLACK_SECONDS, check_asterisk
from screener.doctor import Finding


async def wrong(screening_seconds: str, longest_prompt: float = 9.0) -> list[Finding]:
    """Return what the doctor finds wrong with an Asterisk of that limit."""

    async def ask() -> Probe:
        return Probe("22.10.1", True, {"SCREENING_SECONDS": screening_seconds})

    return [each for each in await check_asterisk(ask, {}, longest_prompt) if not each.ok]


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
