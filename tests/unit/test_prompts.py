"""The prompts that are shipped can be heard, and a bad one is reported before a caller meets it."""

import cmath
import math
import os
import shutil
import struct
import tomllib
import wave
from array import array
from collections.abc import Callable
from pathlib import Path

import pytest

from screener.audio.prompts import Prompt, faults, media, seconds

SHIPPED = Path(__file__).parents[2] / "prompts"
LANGUAGES = sorted({prompt.parent.name for prompt in SHIPPED.glob("*/*.wav")})
EVERY = [(language, prompt) for language in LANGUAGES for prompt in Prompt]
every_shipped_prompt = pytest.mark.parametrize(("language", "prompt"), EVERY)


def tone(
    path: Path, *, rate: int = 8000, width: int = 2, channels: int = 1, **other: float
) -> None:
    """Write a second of 440 Hz at a tenth of full scale, or what else is asked for."""
    length, level = other.get("length_s", 1.0), other.get("level", 0.1)
    top = level * (2 ** (8 * width - 1) - 1)
    with wave.open(str(path), "wb") as recording:
        recording.setnchannels(channels)
        recording.setsampwidth(width)
        recording.setframerate(rate)
        for n in range(int(length * rate)):
            value = round(top * math.sin(2 * math.pi * 440 * n / rate))
            sample = (
                value.to_bytes(width, "little", signed=True) if width > 1 else bytes([128 + value])
            )
            recording.writeframesraw(sample * channels)


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    """A directory with good prompts in one language."""
    (tmp_path / "ja").mkdir()
    for prompt in Prompt:
        tone(tmp_path / "ja" / f"{prompt}.wav")
    return tmp_path


def loudness(samples: list[int]) -> float:
    """Give the RMS in dBFS of the 50 ms pieces in which somebody speaks."""
    pieces = [samples[n : n + 400] for n in range(0, len(samples) - 400, 400)]
    powers = [sum(s * s for s in piece) / 400 for piece in pieces]
    spoken = [power for power in powers if power > max(powers) / 300]
    return 10 * math.log10(sum(spoken) / len(spoken) / 32768**2)


def decibels(samples: list[int]) -> float:
    return 20 * math.log10(max(1, *(abs(s) for s in samples)) / 32768)


def samples_of(path: Path) -> list[int]:
    with wave.open(str(path), "rb") as recording:
        return list(struct.unpack(f"<{recording.getnframes()}h", recording.readframes(2**30)))


# --- the prompts that are shipped --------------------------------------------------------------


def test_japanese_and_english_are_shipped() -> None:
    assert LANGUAGES == ["en", "ja"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_shipped_prompt_is_faultless(language: str) -> None:
    assert faults(SHIPPED, language) == []


def test_each_language_names_its_voice_and_licence_and_the_words_of_every_prompt() -> None:
    written = tomllib.loads((SHIPPED / "prompts.toml").read_text("utf-8"))

    assert sorted(written) == LANGUAGES
    for language in written.values():
        assert all(language[key] for key in ("voice", "speech_synthesiser", "licence", "source"))
        assert set(language["text"]) == set(Prompt)
        assert all(language["text"].values())


@every_shipped_prompt
def test_a_shipped_prompt_is_as_loud_as_asterisks_own(language: str, prompt: Prompt) -> None:
    samples = samples_of(SHIPPED / language / f"{prompt}.wav")

    assert decibels(samples) < -3.0
    assert -23.0 < loudness(samples) < -15.0


@every_shipped_prompt
def test_a_shipped_prompt_begins_and_ends_in_silence(language: str, prompt: Prompt) -> None:
    samples = samples_of(SHIPPED / language / f"{prompt}.wav")

    assert decibels(samples[: 8000 // 5]) < -60.0
    if prompt is Prompt.MESSAGE:  # its last sound is the tone, which the caller must not wait out
        samples = samples[:-4000]
    assert decibels(samples[-8000 * 3 // 10 :]) < -60.0
    assert decibels(samples[: 8000 // 2]) > -40.0, "nobody speaks in the first half second"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_message_prompt_ends_with_a_tone_as_loud_as_the_speech(language: str) -> None:
    """Half a second at 1000 Hz, up to the very last moment: what follows is the caller's."""
    samples = samples_of(SHIPPED / language / f"{Prompt.MESSAGE}.wav")
    tone, speech = samples[-4000:], samples[:-4000]

    turning = [cmath.exp(-2j * math.pi * 1000 * n / 8000) for n in range(4000)]
    power = 2 * abs(sum(s * t for s, t in zip(tone, turning, strict=True))) ** 2 / 4000
    assert power / sum(s * s for s in tone) > 0.98  # but for its fades
    assert abs(loudness(tone) - loudness(speech)) < 3.0
    assert decibels(tone[-400:]) > -20.0


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_caller_does_not_wait_long_for_the_end_of_the_warning(language: str) -> None:
    assert 5.0 < seconds(SHIPPED, language, Prompt.WARNING) < 10.0


def test_no_two_shipped_prompts_are_the_same() -> None:
    assert len({path.read_bytes() for path in SHIPPED.glob("*/*.wav")}) == len(EVERY)


# --- what is asked about prompts ---------------------------------------------------------------


def test_asterisk_is_given_an_absolute_path_without_extension(
    prompts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(prompts)

    assert media(Path(), "ja", Prompt.NO_ANSWER) == f"sound:{prompts}/ja/no_answer"


def test_the_length_is_measured(prompts: Path) -> None:
    assert seconds(prompts, "ja", Prompt.WARNING) == 1.0


def test_the_length_of_an_unreadable_prompt_is_a_generous_guess(prompts: Path) -> None:
    assert seconds(prompts, "fr", Prompt.WARNING) == 30.0


# --- bad prompts -------------------------------------------------------------------------------


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def promise_gigabytes(path: Path) -> None:
    """Leave the length open, as a program does that writes a WAV file into a pipe."""
    whole = path.read_bytes()
    path.write_bytes(whole[:40] + b"\xff\xff\xff\x7f" + whole[44:])


def make_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def make_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def make_loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (Path.unlink, "is missing"),
    "directory": (make_directory, "is not a file"),
    "pipe": (make_pipe, "is not a file"),
    "loop": (make_loop, ""),
    "nothing in it": (lambda path: path.write_bytes(b""), "is not a WAV file"),
    "text": (lambda path: path.write_text("RIFF, or not"), "is not a WAV file"),
    "only a header": (lambda path: path.write_bytes(path.read_bytes()[:30]), "is not a WAV file"),
    "cut off": (cut_off, "is cut short"),
    "streamed": (promise_gigabytes, "is cut short"),
    "rate": (lambda path: tone(path, rate=16000), "has 16000 Hz"),
    "width": (lambda path: tone(path, width=1), "8 bit"),
    "wide": (lambda path: tone(path, width=3), "24 bit"),
    "stereo": (lambda path: tone(path, channels=2), "2 channel(s)"),
    "no sound": (lambda path: tone(path, length_s=0), "lasts less than 0.5 seconds"),
    "short": (lambda path: tone(path, length_s=0.49), "lasts less than 0.5 seconds"),
    "silent": (lambda path: tone(path, level=0.009), "is silent"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_prompt_is_named_with_what_is_wrong(prompts: Path, kind: str) -> None:
    spoil, words = BAD[kind]
    bad = prompts / "ja" / "busy.wav"
    spoil(bad)

    [sentence] = faults(prompts, "ja")

    assert str(bad) in sentence
    assert words in sentence
    assert ": " in sentence, "it does not say what to do"
    assert sentence.endswith(".")


def test_a_prompt_just_loud_and_long_enough_is_accepted(prompts: Path) -> None:
    tone(prompts / "ja" / "busy.wav", length_s=0.5, level=0.011)

    assert faults(prompts, "ja") == []


def test_a_language_without_prompts_has_a_fault_for_each(prompts: Path) -> None:
    shutil.rmtree(prompts / "ja")

    found = faults(prompts, "ja")
    assert len(found) == len(Prompt)
    assert all(f"{prompt}.wav" in fault for prompt, fault in zip(Prompt, found, strict=True))


def test_the_largest_negative_sample_is_not_silence(prompts: Path) -> None:
    with wave.open(str(prompts / "ja" / "busy.wav"), "wb") as recording:
        recording.setparams((1, 2, 8000, 0, "NONE", ""))
        recording.writeframes(array("h", [-32768] + [0] * 7999).tobytes())

    assert faults(prompts, "ja") == []
