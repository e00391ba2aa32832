"""Calls that a dead screener held, handed back by `screener release`, as a unit file does it."""

from pathlib import Path

from lab.asterisk import TOP, Asterisk
from lab.listen import heard, load, tone, tone_share
from lab.ports import Address
from lab.rtp import ear
from lab.scenario import Caller, Handset
from lab.screener import Screener
from lab.sipp import calling, handset


async def test_released_from_the_warning_it_rings_at_once_and_is_warned_before_they_talk(
    asterisk: Asterisk,
) -> None:
    """kill -9 of all that could act. Judged from the sound at both ends, with the real warning."""
    place = asterisk.place
    caller_ear = Address(place.trunk, place.media_port(place.trunk))
    handset_ear = Address(place.handset, place.media_port(place.handset))
    household = Handset(answers_after=200, hangs_up_after=12_000, hears_at=handset_ear.port)
    async with (
        Screener(asterisk) as screener,
        ear(caller_ear, says=tone(440, 60)) as at_caller,
        ear(handset_ear, says=tone(620, 60)) as at_handset,
        handset(place, household, asterisk.handset_password) as phone,
        calling(place, Caller(hears_at=caller_ear.port)) as caller,
    ):
        await caller.sees(200)
        await screener.logged_calls(1)
        await screener.kill()
        said = await screener.must("release")
        (rang,) = await phone.sees("INVITE", seconds=1)
        (leg,) = await caller.finished(40)
        assert await screener.must("release") == "no calls handed back\n"
        await screener.start()
        (call,) = await screener.ended_calls(1)
    assert said == "1 call handed back\n"
    assert leg.outcome == 200
    warning = load(TOP / "prompts" / asterisk.language / "warning.wav")[0]
    began, in_ear = at_caller.heard()
    assert heard(in_ear[int((rang - began) * 8_000) :], warning).share > 0.9
    assert tone_share(in_ear[-8_000:], 620) > 0.9
    assert heard(at_handset.heard()[1], warning).share > 0.9
    recording = load(Path(call["recording"]["path"]))
    assert 2 < len(recording[0]) / 8000 < 5  # what they said to each other, and nothing before
    assert call["disposition"] == "failed_open"


async def test_released_over_the_head_of_a_screener_that_lives_its_row_says_so(
    asterisk: Asterisk,
) -> None:
    """The screener follows the call to its end, as if it had let it go itself."""
    household = Handset(answers_after=200, hangs_up_after=11_000)
    async with (
        Screener(asterisk) as screener,
        handset(asterisk.place, household, asterisk.handset_password) as phone,
        calling(asterisk.place, Caller()) as caller,
    ):
        await caller.sees(200)
        assert await screener.must("release") == "1 call handed back\n"
        await phone.sees("INVITE", seconds=1)
        await caller.finished(40)
        (call,) = await screener.ended_calls(1)
    assert (call["disposition"], call["ended_by"]) == ("failed_open", "household")
    assert call["rang_at"] < call["answered_at"] < call["ended_at"]
    assert call["warned"]


async def test_where_no_call_is_held_release_says_so(asterisk: Asterisk) -> None:
    """Also after a talk that goes on, and where no screener has ever been."""
    screener = Screener(asterisk)
    assert (await screener.command("release")).out == "no calls handed back\n"


async def test_release_without_asterisk_is_one_line_and_exit_2(asterisk: Asterisk) -> None:
    """Nobody there, somebody else there, and a password that is not ours."""
    for changed, complaint in (
        ({"url": "http://127.0.0.1:9"}, "Asterisk at http://127.0.0.1:9 cannot be reached"),
        ({"password": "guessed"}, "Asterisk answers 401"),
        ({"url": f"{asterisk.ari_url}/elsewhere"}, "is not Asterisk"),
    ):
        said = await Screener(asterisk, settings={"asterisk": changed}).command("release")
        assert (said.exit_code, said.out) == (2, "")
        (line,) = said.err.splitlines()
        assert complaint in line
