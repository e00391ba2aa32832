"""Whether a caller said something is judged from their side of the recording alone."""

import random
import wave
from array import array
from collections.abc import Iterable
from itertools import repeat
from pathlib import Path

import pytest

from screener.audio.voice import caller_speaks
from screener.domain.call_record import Recording

RATE = 8000
SPEECH, SOFT, NOISE = 0.1, 0.012, 0.001  # of full scale


def recording(directory: Path, caller: Iterable[int], household: Iterable[int]) -> Recording:
    samples = array("h", [each for both in zip(caller, household, strict=False) for each in both])
    path = directory / "recording.wav"
    with wave.open(str(path), "wb") as sound:
        sound.setparams((2, 2, RATE, 0, "NONE", ""))
        sound.writeframes(samples.tobytes())
    return Recording(path=path, seconds=len(samples) / 2 / RATE, sha256="")


def sound(level: float, seconds: float) -> list[int]:
    """Return noise of that level; a voice is as irregular."""
    chance = random.Random(1)  # noqa: S311  (the same noise each time)
    return [round(chance.gauss(0, level) * 32767) for _ in range(int(seconds * RATE))]


@pytest.mark.parametrize(
    ("caller", "speaks"),
    [
        (sound(SPEECH, 3), True),
        (sound(SOFT, 3), True),
        (sound(NOISE, 5) + sound(SPEECH, 0.6) + sound(NOISE, 5), True),
        ((sound(SPEECH, 0.2) + sound(NOISE, 1)) * 4, True),
        (sound(NOISE, 10), False),
        (sound(NOISE, 5) + sound(SPEECH, 0.1) + sound(NOISE, 5), False),
        ([0] * RATE, False),
        ([], False),
    ],
    ids=["speech", "soft", "late", "in pieces", "line noise", "a click", "silence", "nothing"],
)
async def test_a_word_or_two_make_a_message_and_noise_does_not(
    tmp_path: Path, caller: list[int], speaks: bool
) -> None:
    assert await caller_speaks(recording(tmp_path, caller, repeat(0))) is speaks


async def test_what_the_other_side_says_is_no_message(tmp_path: Path) -> None:
    assert not await caller_speaks(recording(tmp_path, repeat(0), sound(SPEECH, 3)))


async def test_a_recording_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        await caller_speaks(Recording(path=tmp_path / "nowhere.wav", seconds=1, sha256=""))
