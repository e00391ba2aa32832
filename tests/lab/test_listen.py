"""The laboratory's ears: what they take for a prompt heard in full, and what they do not."""

import numpy as np
import pytest

from lab.asterisk import TOP
from lab.listen import (
    RATE,
    Sound,
    decode_ulaw,
    encode_ulaw,
    heard,
    level,
    load,
    tone,
    tone_share,
)


def prompt(name: str) -> Sound:
    return load(TOP / "prompts" / "ja" / f"{name}.wav")[0]


def on_the_telephone(sound: Sound, gain: float = 1.0, before: float = 0.4) -> Sound:
    """Return a recording of it: some line noise before and after, coded as PCMU."""
    noise = np.random.default_rng(1).normal(0, 0.0005, int(before * RATE))
    return decode_ulaw(encode_ulaw(np.concatenate([noise, sound * gain, noise])))


@pytest.mark.parametrize("gain", [0.2, 1.0, 1.4])
def test_a_prompt_is_found_where_it_begins_at_any_loudness(gain: float) -> None:
    warning = prompt("warning")
    found = heard(on_the_telephone(warning, gain), warning)
    assert found.in_full
    assert found.start == pytest.approx(0.4, abs=0.001)
    assert found.likeness > 0.95


def test_a_recorder_that_starts_a_moment_late_still_has_it_in_full() -> None:
    warning = prompt("warning")
    found = heard(on_the_telephone(warning, before=0.0)[160:], warning)
    assert found.in_full
    assert found.start == pytest.approx(-0.02, abs=0.001)


@pytest.mark.parametrize("cut", [0.5, 2.0, 6.0])
def test_a_prompt_cut_short_is_not_heard_in_full(cut: float) -> None:
    warning = prompt("warning")
    whole = on_the_telephone(warning)
    found = heard(whole[: int((0.4 + len(warning) / RATE - cut) * RATE)], warning)
    assert not found.in_full


def test_a_prompt_whose_beginning_is_missing_is_not_heard_in_full() -> None:
    warning = prompt("warning")
    assert not heard(on_the_telephone(warning[RATE:]), warning).in_full


def test_a_prompt_with_a_hole_is_not_heard_in_full() -> None:
    warning = prompt("warning")
    holed = warning.copy()
    holed[3 * RATE : 4 * RATE] = 0
    assert not heard(on_the_telephone(holed), warning).in_full


def test_a_lost_packet_and_a_short_gap_do_not_matter() -> None:
    warning = prompt("warning")
    middle = 3 * RATE
    lost = np.concatenate([warning[:middle], warning[middle + 160 :]])
    late = np.concatenate([warning[:middle], np.zeros(400), warning[middle:]])
    assert heard(on_the_telephone(lost), warning).in_full
    assert heard(on_the_telephone(late), warning).in_full


@pytest.mark.parametrize("other", ["no_answer", "busy"])
def test_another_sentence_of_the_same_voice_is_nothing_like_it(other: str) -> None:
    found = heard(on_the_telephone(prompt(other)), prompt("warning"))
    assert found.likeness < 0.3
    assert found.share < 0.2


def test_silence_and_an_empty_recording_hold_no_prompt() -> None:
    warning = prompt("warning")
    assert heard(np.zeros(0), warning).share == 0
    assert heard(np.zeros(20 * RATE), warning).share == 0


def test_a_tone_is_known_among_others() -> None:
    both = tone(440, 1) + tone(620, 1)
    assert tone_share(tone(440, 1), 440) > 0.99
    assert tone_share(tone(440, 1), 620) < 0.01
    assert tone_share(both, 440) == pytest.approx(0.5, abs=0.02)
    assert tone_share(np.zeros(RATE), 440) == 0
    assert level(tone(440, 1, -20.0)) == pytest.approx(-20.0, abs=0.1)


def test_pcmu_is_decoded_as_the_standard_says_and_coded_back() -> None:
    """Values of ITU-T G.711, table 2a, scaled to 16 bit."""
    words = bytes([0x00, 0x80, 0xFF, 0x7F, 0xF0])
    assert list(decode_ulaw(words) * 32_768) == [-32_124, 32_124, 0, 0, 120]
    every = bytes(code for code in range(256) if code != 0x7F)  # 0x7F is the other zero
    assert encode_ulaw(decode_ulaw(every)) == every
