"""The dialplan alone, without a screener: what the ward's recorder box does."""

from pathlib import Path

import pytest

from lab.asterisk import TOP, Asterisk
from lab.listen import heard, load, tone, tone_share
from lab.ports import Address
from lab.rtp import ear
from lab.scenario import Caller, Handset
from lab.sipp import calling, handset


def recordings(asterisk: Asterisk) -> set[Path]:
    """Return the recordings that no screener has taken in."""
    return set((asterisk.recordings / "live").glob("*.raw"))


CALLER_TONE, HANDSET_TONE = 440.0, 620.0


async def test_without_a_screener_the_caller_is_warned_in_full_then_recorded_and_rung(
    asterisk: Asterisk,
) -> None:
    """The first INVITE to the handset leaves after the last sound of the warning was heard."""
    place = asterisk.place
    before = recordings(asterisk)
    caller_ear = Address(place.trunk, place.media_port(place.trunk))
    handset_ear = Address(place.handset, place.media_port(place.handset))
    async with (
        ear(caller_ear, says=tone(CALLER_TONE, 20)) as at_caller,
        ear(handset_ear, says=tone(HANDSET_TONE, 20)) as at_handset,
        handset(
            place,
            Handset(answers_after=300, hangs_up_after=2000, hears_at=handset_ear.port),
            asterisk.handset_password,
        ) as phone,
        calling(place, Caller(hears_at=caller_ear.port)) as caller,
    ):
        (call,) = await caller.finished(30)
        (ringing,) = phone.invited()

    warning = load(TOP / "prompts" / asterisk.language / "warning.wav")[0]
    began, sound = at_caller.heard()
    result = heard(sound, warning)
    assert result.in_full
    assert result.likeness > 0.9
    assert began + result.end <= ringing.at
    assert call.outcome == 200

    (recording,) = recordings(asterisk) - before
    left, right = load(recording, channels=2)
    assert 1.5 < len(left) / 8000 < 3.5
    assert tone_share(left[-8000:], CALLER_TONE) > 0.9
    assert tone_share(right[-8000:], HANDSET_TONE) > 0.9
    assert tone_share(at_handset.heard()[1], CALLER_TONE) > 0.9


@pytest.mark.parametrize("number", ["110", "118", "119"])
async def test_emergency_services_ring_at_once_unwarned_and_unrecorded(
    asterisk: Asterisk, number: str
) -> None:
    """The caller's line is not even answered before the handset is."""
    before = recordings(asterisk)
    household = Handset(answers_after=200, hangs_up_after=200)
    async with (
        handset(asterisk.place, household, asterisk.handset_password) as phone,
        calling(asterisk.place, Caller(number=number)) as caller,
    ):
        (call,) = await caller.finished()
        (rung,) = phone.legs()

    invited, answered = call.at("INVITE"), call.at(200)
    rang = rung.at("INVITE")
    assert invited is not None
    assert answered is not None
    assert rang is not None
    assert rang - invited < 1.0  # also on a machine with much else to do
    assert answered - rang > 0.15  # the handset rings 0.2 s
    assert recordings(asterisk) == before
