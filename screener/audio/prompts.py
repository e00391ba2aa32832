"""The recorded prompts a caller hears: where they are, how long they last, what is wrong."""

import warnings
import wave
from enum import StrEnum
from pathlib import Path
from typing import Final

with warnings.catch_warnings():
    # It looks for ffmpeg, which WAV does not need, and for a module that Python gave up in 3.13,
    # for which audioop-lts stands in.
    warnings.simplefilter("ignore")
    from pydub import AudioSegment

# Asterisk's format_wav refuses every other shape in a file named .wav: silence for the caller.
RATE_HZ: Final = 8000
SHAPE: Final = "8000 Hz, 16 bit, mono"
SHORTEST_S: Final = 0.5
QUIETEST_PEAK_DBFS: Final = -40.0  # speech below it is lost in the noise of a line
LENGTH_IF_UNREADABLE_S: Final = 30.0  # longer than any prompt, so that a limit never cuts one off


class Prompt(StrEnum):
    """What can be said to a caller; the value is the name of the file without `.wav`."""

    WARNING = "warning"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    MESSAGE = "message"
    MESSAGE_KEPT = "message_kept"


# Played by the screener, to a call in its hands; the dialplan plays the other.
WHILE_HELD: Final = (Prompt.WARNING, Prompt.NO_ANSWER, Prompt.BUSY, Prompt.MESSAGE_KEPT)


class _UnusableError(Exception):
    """A file Asterisk could not play; the text says what it is and what to do."""


def media(directory: Path, language: str, prompt: Prompt) -> str:
    """Give the ARI media URI: Asterisk wants an absolute path and adds the extension itself."""
    return f"sound:{_path(directory, language, prompt).with_suffix('').absolute()}"


def seconds(directory: Path, language: str, prompt: Prompt) -> float:
    """Tell how long the prompt lasts, for a limit on playing it; 30.0 if that cannot be read.

    Reads the whole file (about 1 ms): ask once, not for every caller.
    """
    try:
        return float(_sound(_path(directory, language, prompt)).duration_seconds)
    except _UnusableError:
        return LENGTH_IF_UNREADABLE_S


def faults(directory: Path, language: str) -> list[str]:
    """Say what is wrong with each bad prompt of a language, and what to do: one sentence each.

    An empty list means that a caller will hear all of them. Never raises, whatever lies there.
    """
    found = []
    for prompt in Prompt:
        path = _path(directory, language, prompt)
        try:
            sound = _sound(path)
            if sound.duration_seconds < SHORTEST_S:
                raise _UnusableError(f"lasts less than {SHORTEST_S} seconds: record it again")
            if sound.max_dBFS < QUIETEST_PEAK_DBFS:
                raise _UnusableError("is silent (peak below -40 dBFS): record it again, louder")
        except _UnusableError as why:
            found.append(f"{path} {why}.")
    return found


def _path(directory: Path, language: str, prompt: Prompt) -> Path:
    return directory / language / f"{prompt}.wav"


def _sound(path: Path) -> AudioSegment:
    try:
        if not path.exists():
            raise _UnusableError(f"is missing: put a WAV file there ({SHAPE})")
        if not path.is_file():  # opening a pipe would wait for ever
            raise _UnusableError(f"is not a file: put a WAV file there ({SHAPE})")
        with wave.open(str(path), "rb") as recording:
            rate, width = recording.getframerate(), recording.getsampwidth()
            channels, frames = recording.getnchannels(), recording.getnframes()
            if (rate, width, channels) != (RATE_HZ, 2, 1):
                raise _UnusableError(
                    f"has {rate} Hz, {8 * width} bit, {channels} channel(s): convert it to {SHAPE}"
                )
            # Asked of the disk before reading, because a header may promise gigabytes.
            if frames * width > path.stat().st_size:
                raise _UnusableError("is cut short, the header promises more: copy it again")
            samples = recording.readframes(frames)
    except (wave.Error, EOFError):
        raise _UnusableError(f"is not a WAV file of plain PCM: convert it to {SHAPE}") from None
    except OSError as why:
        raise _UnusableError(f"cannot be read ({why.strerror}): see to its permissions") from None
    return AudioSegment(samples, sample_width=2, frame_rate=RATE_HZ, channels=1)
