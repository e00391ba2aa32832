"""Judging what was heard: how loud, which tone, and whether a prompt was in it and how much."""

import wave
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

RATE = 8_000  # samples a second, everywhere on the telephone
SILENCE = -90.0  # dBFS; what a level of nothing at all is called

Sound: TypeAlias = NDArray[np.float64]
"""One channel at 8 kHz, full scale 1.0."""

_PIECE = RATE // 4  # a quarter of a second: longer than a gap, shorter than a drift
_ALIKE = 0.6  # of a piece: PCMU leaves 0.95 and more, another sentence stays under 0.4
_QUIET = -50.0  # dBFS: pauses inside a prompt prove nothing
_STRAY = RATE // 10  # how far a piece may lie from where it belongs


@dataclass(frozen=True, slots=True)
class Heard:
    """A prompt in a recording.

    ``start`` seconds into the recording it begins; ``likeness`` is the normalised
    cross-correlation there (1.0: the same sound, whatever its loudness); ``share`` how much of
    what is not silence in the prompt was heard, from 0.0 to 1.0.
    """

    start: float
    end: float
    likeness: float
    share: float

    @property
    def in_full(self) -> bool:
        """Whether all of it was heard, to within a tenth of a second at its beginning."""
        return self.share == 1.0


def decode_ulaw(coded: bytes) -> Sound:
    """Return PCMU as sound (ITU-T G.711)."""
    byte = ~np.frombuffer(coded, dtype=np.uint8)
    exponent, mantissa = (byte >> 4) & 7, (byte & 15).astype(np.int32)
    size = (((mantissa << 3) + 132) << exponent) - 132
    return np.where(byte & 128, -size, size) / 32_768.0


def encode_ulaw(sound: Sound) -> bytes:
    """Return sound as PCMU (ITU-T G.711)."""
    linear = np.clip(np.round(sound * 32_768), -32_635, 32_635).astype(np.int32)
    size = np.abs(linear) + 132
    exponent = np.clip(np.floor(np.log2(size)).astype(np.int32) - 7, 0, 7)
    mantissa = (size >> (exponent + 3)) & 15
    sign = np.where(linear < 0, 128, 0)
    coded: NDArray[np.uint8] = (~(sign | (exponent << 4) | mantissa) & 255).astype(np.uint8)
    return coded.tobytes()


def load(path: Path, channels: int = 1) -> list[Sound]:
    """Return the channels of a WAV, a raw (.raw, .slin: 16 bit) or a PCMU (.ulaw) file.

    ``channels`` counts only where the file does not say. ValueError for another rate or width.
    """
    if path.suffix == ".ulaw":
        return [decode_ulaw(path.read_bytes())]
    if path.suffix == ".wav":
        with wave.open(str(path)) as opened:
            if (opened.getframerate(), opened.getsampwidth()) != (RATE, 2):
                raise ValueError(f"{path}: not 8 kHz, 16 bit")
            channels = opened.getnchannels()
            frames = opened.readframes(opened.getnframes())
    else:
        frames = path.read_bytes()
    whole = len(frames) - len(frames) % (2 * channels)
    samples = np.frombuffer(frames[:whole], dtype="<i2").reshape(-1, channels)
    return [samples[:, number] / 32_768.0 for number in range(channels)]


def save(path: Path, sound: Sound) -> Path:
    """Write sound as a WAV, or as PCMU if the name ends in .ulaw."""
    if path.suffix == ".ulaw":
        path.write_bytes(encode_ulaw(sound))
        return path
    with wave.open(str(path), "wb") as opened:
        opened.setnchannels(1)
        opened.setsampwidth(2)
        opened.setframerate(RATE)
        opened.writeframes((np.clip(sound, -1, 1) * 32_767).astype("<i2").tobytes())
    return path


def tone(hertz: float, seconds: float, level: float = -12.0) -> Sound:
    """Return a tone; ``level`` in dBFS of its power."""
    moments = np.arange(int(seconds * RATE)) / RATE
    peak = 10 ** (level / 20) * np.sqrt(2)
    return np.asarray(peak * np.sin(2 * np.pi * hertz * moments), dtype=np.float64)


def level(sound: Sound) -> float:
    """Return the level in dBFS of its power; SILENCE for none."""
    power = float(np.mean(np.square(sound))) if len(sound) else 0.0
    return max(SILENCE, 10 * float(np.log10(power))) if power > 0 else SILENCE


def tone_share(sound: Sound, hertz: float) -> float:
    """Return how much of a sound's power is that tone, 0.0 to 1.0 (one Goertzel bin).

    Taken over pieces of a quarter of a second, so that a gap or a jump of phase costs little.
    """
    powers = []
    for begin in range(0, len(sound) - _PIECE + 1, _PIECE):
        piece = sound[begin : begin + _PIECE]
        turning = np.exp(-2j * np.pi * hertz * np.arange(_PIECE) / RATE)
        total = float(np.sum(piece**2))
        powers.append((2 * float(np.abs(piece @ turning)) ** 2 / _PIECE, total))
    whole = sum(total for _, total in powers)
    return min(1.0, sum(power for power, _ in powers) / whole) if whole > 0 else 0.0


def heard(recording: Sound, prompt: Sound) -> Heard:
    """Find a prompt in a recording, wherever it begins, and say how much of it was heard.

    Louder or softer, coded as PCMU, and with gaps or jumps of up to a tenth of a second between
    its pieces it is still found. One that was cut off is found by its beginning.
    """
    pieces = [(begin, prompt[begin : begin + _PIECE]) for begin in range(0, len(prompt), _PIECE)]
    loud = [(begin, p) for begin, p in pieces if len(p) > _PIECE // 4 and level(p) > _QUIET]
    if not loud or len(recording) < _PIECE:
        return Heard(0.0, 0.0, 0.0, 0.0)
    likeness, start = _best_start(recording, prompt)
    found = [(begin, _near(recording, piece, start + begin)) for begin, piece in loud]
    reached = [begin + _PIECE for begin, there in found if there]
    length = min(max(reached, default=0), len(prompt))
    return Heard(start / RATE, (start + length) / RATE, likeness, len(reached) / len(loud))


def _best_start(recording: Sound, prompt: Sound) -> tuple[float, int]:
    """Return the likeness of the best alignment and where it begins, possibly before 0.

    The recording may end before the prompt does: only what overlaps is compared.
    """
    padded = np.concatenate([np.zeros(_PIECE), recording, np.zeros(len(prompt))])
    scores = _likeness(padded, prompt)
    begun = scores[: _PIECE + len(recording)]
    best = int(np.argmax(np.abs(begun)))
    return float(abs(begun[best])), best - _PIECE


def _near(recording: Sound, piece: Sound, at: int) -> bool:
    # A recording that began a moment late is still compared with what it has of the first piece.
    padded = np.concatenate([np.zeros(2 * _STRAY), recording])
    first = max(0, at + _STRAY)
    window = padded[first : at + len(piece) + 3 * _STRAY]
    return len(window) >= len(piece) and bool(np.max(np.abs(_likeness(window, piece))) >= _ALIKE)


def _likeness(where: Sound, what: Sound) -> Sound:
    """Return the normalised cross-correlation of ``what`` at each place of ``where``."""
    size = 1 << (len(where) + len(what) - 1).bit_length()
    spectrum = np.fft.rfft(where, size) * np.conj(np.fft.rfft(what, size))
    products = np.fft.irfft(spectrum, size)[: len(where) - len(what) + 1]
    sums = np.concatenate([[0.0], np.cumsum(where**2)])
    powers = sums[len(what) :] - sums[: -len(what)]
    norms = np.sqrt(np.maximum(powers, 1e-9) * max(float(np.sum(what**2)), 1e-9))
    return np.asarray(products / norms, dtype=np.float64)
