"""The dialplan takes a message by itself: it asks, records, ends, with or without a screener."""

from collections.abc import AsyncIterator

import aiohttp
import numpy as np
import pytest
import pytest_asyncio

from lab.asterisk import Asterisk
from lab.listen import RATE, Sound, heard, load, save, tone, tone_share
from lab.ports import Address, own_place
from lab.rtp import ear
from lab.scenario import Caller
from lab.sipp import calling

SHORT, LONG = "0300000001", "0300000002"
LINES = f"""
[lines]
exten => {SHORT},1,Set(MESSAGE_SECONDS=3)
 same => n,Goto(message,s,1)
exten => {LONG},1,Set(MESSAGE_SILENCE=2)
 same => n,Goto(message,s,1)
"""
RISING, FALLING = tone(600, 0.5), tone(900, 0.5)
ASKED = np.concatenate([RISING, FALLING])  # stands for the prompt, its end for the tone
KEPT = np.concatenate([FALLING, RISING])
SPOKEN = 440.0


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def one(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Asterisk]:
    """An Asterisk where every call to one of two lines is a message."""
    site, prompts = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("prompts")
    (site / "extensions.conf").write_text(LINES)
    (prompts / "ja").mkdir()
    save(prompts / "ja" / "message.wav", ASKED)
    save(prompts / "ja" / "message_kept.wav", KEPT)
    settings = {"ASTERISK_SITE": str(site), "ASTERISK_SCREENING_SECONDS": "2"}
    with own_place() as place:
        async with Asterisk(place, prompts=prompts, settings=settings) as running:
            yield running


@pytest_asyncio.fixture
async def asterisk(one: Asterisk) -> AsyncIterator[Asterisk]:
    """The same, without what an earlier call left."""
    for file in (one.recordings / "live").iterdir():
        file.unlink()
    yield one
    await one.idle()


class Spoken:
    """What a caller heard, what was recorded, and what is told of the call."""

    def __init__(self, asterisk: Asterisk, at_caller: Sound) -> None:
        live = asterisk.recordings / "live"
        (raw,), (details,) = live.glob("*.raw"), live.glob("*.cdr")
        self.left, self.right = load(raw, channels=2)
        self.heard = at_caller
        self.details = details.read_text()

    @property
    def seconds(self) -> float:
        """How long the recording is."""
        return len(self.left) / RATE


async def leave_message(
    asterisk: Asterisk, to: str, says: Sound, hangs_up_after: int | None = None
) -> Spoken:
    """Call a line, and say something from the first sound of the prompt on."""
    place = asterisk.place
    here = Address(place.trunk, place.media_port(place.trunk))
    who = Caller(to=to, hears_at=here.port, hangs_up_after=hangs_up_after)
    async with ear(here, says=says) as at_caller, calling(place, who) as caller:
        (leg,) = await caller.finished(20)
        assert leg.outcome == 200
        assert leg.ended_by_us is (hangs_up_after is not None)
    await asterisk.idle()
    return Spoken(asterisk, at_caller.heard()[1])


def talk(seconds: float) -> Sound:
    """Return the sound of somebody who waits for the tone, speaks so long, and falls silent."""
    # 1 s of the prompt, and a little.
    return np.concatenate([np.zeros(int(1.2 * RATE)), tone(SPOKEN, seconds), np.zeros(20 * RATE)])


async def test_a_message_ends_with_silence_and_the_caller_hears_that_it_is_kept(
    asterisk: Asterisk,
) -> None:
    """Recorded in stereo from the tone on, the caller left; the prompt is not in it."""
    message = await leave_message(asterisk, LONG, talk(3))
    assert heard(message.heard, ASKED).in_full
    assert heard(message.heard, KEPT).in_full
    # 3 s of speech and 2 s of silence.
    assert 4.5 < message.seconds < 6.5
    assert tone_share(message.left[: 3 * RATE], SPOKEN) > 0.8
    assert float(np.max(np.abs(message.right))) < 0.01
    assert "&message=1&" in message.details
    assert message.details.endswith("&hung_up_by=\n")


async def test_a_message_without_end_is_ended_by_its_limit(asterisk: Asterisk) -> None:
    """After MESSAGE_SECONDS, however much is still being said."""
    message = await leave_message(asterisk, SHORT, talk(20))
    assert 2.8 < message.seconds < 3.3
    assert heard(message.heard, KEPT).in_full


async def test_what_was_said_before_the_caller_hung_up_is_kept(asterisk: Asterisk) -> None:
    """To the last third of a second, and the details say who hung up."""
    message = await leave_message(asterisk, LONG, talk(20), hangs_up_after=3500)
    said = tone_share(message.left[RATE:], SPOKEN)
    assert said > 0.95
    assert message.seconds > 1.6  # 3.5 s less the prompt, and half a second for the first sound
    assert not heard(message.heard, KEPT).in_full
    assert "&message=1&" in message.details
    assert message.details.endswith("&hung_up_by=caller\n")


async def test_a_caller_who_sends_no_sound_does_not_keep_the_line(asterisk: Asterisk) -> None:
    """No packet at all is silence too."""
    async with calling(asterisk.place, Caller(to=LONG)) as caller:
        (leg,) = await caller.finished(12)
    assert leg.ended_by_us is False


async def test_the_screener_gets_the_call_back_and_one_that_hangs_loses_it(
    asterisk: Asterisk,
) -> None:
    """The caller hears that the message is kept, two seconds later, from the dialplan."""
    events = f"{asterisk.ari_url}/ari/events?app=screener&api_key=screener:{asterisk.ari_password}"
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(events) as hanging_screener,
    ):
        message = await leave_message(asterisk, SHORT, talk(20))
        first = await hanging_screener.receive_json(timeout=5)
        while first["type"] != "StasisStart":
            first = await hanging_screener.receive_json(timeout=5)
    assert first["args"] == ["message"]
    kept = heard(message.heard, KEPT)
    assert kept.in_full
    assert kept.start > 1 + 3 + 1.5


async def test_a_message_that_cannot_be_written_still_ends(asterisk: Asterisk) -> None:
    """With a file where the directory should be."""
    live = asterisk.recordings / "live"
    live.rename(live.with_name("elsewhere"))
    live.touch()
    try:
        async with calling(asterisk.place, Caller(to=SHORT)) as caller:
            (leg,) = await caller.finished(12)
        assert leg.ended_by_us is False
        await asterisk.idle()
    finally:
        live.unlink()
        live.with_name("elsewhere").rename(live)
