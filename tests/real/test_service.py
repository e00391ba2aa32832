"""The service beside a real Asterisk: how it starts, what it refuses, how it ends."""

import json
from pathlib import Path

import pytest

from lab.asterisk import Asterisk
from lab.ports import Place
from lab.scenario import Caller, Handset
from lab.screener import Screener, Tables, fraud_list
from lab.sipp import calling, handset


async def test_a_missing_prompt_is_named_at_start_and_the_call_still_rings(
    asterisk: Asterisk, tmp_path: Path
) -> None:
    """Nobody can be warned, which the log says; the telephone rings and the call is recorded."""
    settings: Tables = {"prompts": {"directory": str(tmp_path / "nothing")}}
    async with (
        Screener(asterisk, settings=settings) as screener,
        handset(asterisk.place, Handset(hangs_up_after=300), asterisk.handset_password) as phone,
        calling(asterisk.place, Caller()) as caller,
    ):
        await caller.finished()
        assert len(phone.invited()) == 1
        (call,) = await screener.ended_calls(1)
        faults = [event["fault"] for event in screener.log() if event["event"] == "prompt_unusable"]
    assert (call["disposition"], call["warned"]) == ("answered", False)
    assert any("warning.wav is missing" in fault for fault in faults)


async def test_a_refused_password_is_one_line_and_exit_2(asterisk: Asterisk) -> None:
    """Trying again would not help, so it does not."""
    screener = Screener(asterisk, settings={"asterisk": {"password": "guessed"}})
    said = await screener.command("run")
    assert said.exit_code == 2
    complaint = said.err.splitlines()[-1]
    assert "refuses user screener" in complaint
    assert "Traceback" not in said.err
    assert "guessed" not in said.err


async def test_the_doctor_tells_what_answers_without_being_ari(
    place: Place, asterisk: Asterisk
) -> None:
    """Asterisk's web server answers 404 below a prefix that it does not have."""
    screener = Screener(asterisk, settings={"asterisk": {"url": f"http://{place.ari}/elsewhere"}})
    said = await screener.command("doctor", "--json")
    assert said.exit_code == 1
    assert "no Asterisk with ARI enabled" in said.out


async def test_the_doctor_sees_a_running_screener_and_finds_nothing_wrong(
    asterisk: Asterisk, screener: Screener
) -> None:
    """Every part is looked at, and the exit code is 0."""
    findings = json.loads(await screener.must("doctor", "--json"))
    assert {finding["subject"] for finding in findings} == {
        "calls", "Asterisk", "ARI", "screener", "database", "caller ID", "fraud list", "prompts",
        "disk",
    }  # fmt: skip
    assert all(finding["ok"] for finding in findings)


@pytest.mark.parametrize(
    ("settings", "subject"),
    [
        ({"asterisk": {"password": "guessed"}}, "ARI"),
        ({"asterisk": {"url": "http://127.0.0.1:9"}}, "Asterisk"),
        ({"prompts": {"directory": "/nonexistent"}}, "prompts"),
        ({"recordings": {"directory": "/nonexistent"}}, "disk"),
        ({"lists": {"fraud": [fraud_list(Path("/nonexistent.csv"))]}}, "fraud list"),
        ({"database": {"path": "/proc/screener.db"}}, "database"),
        ({}, "screener"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_the_doctor_names_what_is_wrong_and_what_to_do(
    asterisk: Asterisk, settings: Tables, subject: str
) -> None:
    """One finding for the part, with advice, and exit code 1."""
    said = await Screener(asterisk, settings=settings).command("doctor", "--json")
    assert said.exit_code == 1
    wrong = {finding["subject"]: finding for finding in json.loads(said.out) if not finding["ok"]}
    assert subject in wrong
    assert wrong[subject]["advice"]


@pytest.mark.parametrize(("key", "value"), [("country", "DE"), ("language", "en")])
async def test_the_doctor_sees_that_asterisk_was_told_otherwise(
    asterisk: Asterisk, key: str, value: str
) -> None:
    """Else the dialplan would know the emergency numbers of another country."""
    said = await Screener(asterisk, settings={key: value}).command("doctor", "--json")
    details = [each["detail"] for each in json.loads(said.out) if not each["ok"]]
    assert any(f"for {key.upper()}" in each and each.endswith(value) for each in details)


async def test_a_second_screener_of_the_same_name_makes_the_first_say_so_and_stop(
    asterisk: Asterisk, screener: Screener
) -> None:
    """The first would be deaf otherwise; the second takes the calls."""
    async with Screener(asterisk) as second:
        assert await screener.process.ended(10) == 2
        assert "another screener" in screener.process.tail()
        await second.must("doctor")


async def test_readiness_tells_healthy_from_degraded_from_down(asterisk: Asterisk) -> None:
    """Screened, rung by Asterisk alone, taken by nobody: each its word and its exit code."""
    async with Screener(asterisk) as screener:
        healthy = await screener.command("ready")
        await screener.stop()
        degraded = await screener.command("ready")
        refused = await Screener(asterisk, settings={"asterisk": {"password": "x"}}).command(
            "ready"
        )
    nobody = Screener(asterisk, settings={"asterisk": {"url": "http://127.0.0.1:9"}})
    down = await nobody.command("ready", "--json")
    said = (healthy, degraded, refused, down)
    assert [each.exit_code for each in said] == [0, 1, 1, 2]
    assert healthy.out.startswith("healthy: a screener is connected to Asterisk ")
    assert degraded.out.startswith("degraded: no screener is connected")
    assert "refuses user screener" in refused.out
    assert json.loads(down.out)["state"] == "down"
    assert not any(each.err for each in said)
