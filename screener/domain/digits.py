"""The digits in what a trunk shows or a person writes, whatever separates them."""

import re
import unicodedata
from typing import NamedTuple

# Asterisk cuts a number to 79 characters; nothing longer is one, however it is padded.
LONGEST_TEXT = 80

# Separators people and trunks write; NFKC has made the full-width ones ASCII already. The dashes
# and the long vowel mark are what Japanese keyboards give for a hyphen.
_SEPARATORS = str.maketrans("", "", " -().‐‑‒–—―−ー")
_NUMBER = re.compile(r"(\+?)([0-9]+)")


class Digits(NamedTuple):
    """A number as it was shown: with a "+" or without, and its digits."""

    plus: bool
    digits: str

    @property
    def text(self) -> str:
        """The number without its separators."""
        return "+" + self.digits if self.plus else self.digits


def digits_of(text: str) -> Digits | None:
    """Return the digits of a text that holds nothing but a number; None for any other text."""
    match = _NUMBER.fullmatch(bare(text)) if len(text) <= LONGEST_TEXT else None
    return Digits(match[1] == "+", match[2]) if match else None


def bare(text: str) -> str:
    """Return a text without separators and with full-width characters made ASCII."""
    return unicodedata.normalize("NFKC", text).translate(_SEPARATORS)
