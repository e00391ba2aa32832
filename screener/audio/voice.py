"""Whether a caller said anything in a finished recording."""

import asyncio
import sys
import wave
from array import array
from typing import Final

from screener.audio.recording import CHANNELS, RATE_HZ
from screener.domain.call_record import Recording

# A word or two, so that neither a cough nor the click of hanging up makes a message.
LEAST_VOICE_S: Final = 0.5
QUIETEST_DBFS: Final = -45.0  # the noise of a line is at -60 and below, soft speech at -35
_PIECE_S: Final = 0.05


async def caller_speaks(recording: Recording) -> bool:
    """Tell whether the caller's side, the left one, is louder than a line's noise for a while.

    Raises OSError where the recording cannot be read.
    """
    return await asyncio.to_thread(_speaks, recording)


def _speaks(recording: Recording) -> bool:
    quietest = (32768 * 10 ** (QUIETEST_DBFS / 20)) ** 2  # power of a sample
    loud_s = 0.0
    with wave.open(str(recording.path), "rb") as sound:
        while frames := sound.readframes(int(_PIECE_S * RATE_HZ)):
            samples = array("h", frames)
            if sys.byteorder == "big":
                samples.byteswap()
            caller = samples[::CHANNELS]
            if sum(sample * sample for sample in caller) > quietest * len(caller):
                loud_s += _PIECE_S
            if loud_s >= LEAST_VOICE_S:
                return True
    return False
