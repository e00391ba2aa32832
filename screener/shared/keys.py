"""Numbers and patterns as 64-bit keys, and dates as days: what a compiled list is made of."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final

MOST_DIGITS: Final = 18  # of a number; E.164 has 15, and 64 bits have room for no more
MOST_FIXED: Final = 16  # digits that a pattern fixes
MOST_FREE: Final = 15  # digits that a pattern leaves free

_EPOCH: Final = date(1970, 1, 1)
_LAST_DAY: Final = 0xFFFF  # in the year 2149


def number_key(number: str) -> int:
    """Return the key of ``+`` and digits, or of bare digits, at most MOST_DIGITS of them."""
    if number[0] == "+":
        return int("1" + number[1:]) << 1 | 1
    return int("1" + number) << 1  # the 1 in front keeps the zeros behind it


def number_of(key: int) -> str:
    """Return the number that has this key."""
    return ("+" if key & 1 else "") + str(key >> 1)[1:]


def pattern_key(digits: str, free: int, *, plus: bool) -> int:
    """Return the key of a pattern: what it fixes, and how many digits are free, 0 for any."""
    return (int("1" + digits) << 5 | free) << 1 | plus


def pattern_of(key: int) -> str:
    """Return the pattern that has this key."""
    free = key >> 1 & 0b11111
    return ("+" if key & 1 else "") + str(key >> 6)[1:] + ("#" * free or "*")


def split_pattern(pattern: str) -> tuple[str, int, bool]:
    """Return what a pattern fixes, how many digits are free (0 for any), and whether it has +."""
    plus = pattern.startswith("+")
    digits = pattern.rstrip("*#").removeprefix("+")
    return digits, pattern.count("#"), plus


@lru_cache(maxsize=4096)
def day_of(text: str) -> int:
    """Return the day that ISO 8601 text begins with, in days since 1970; 0 for empty text.

    Raises ValueError, with words for the person who wrote it.
    """
    if not text:
        return 0
    try:
        found = (date.fromisoformat(text[:10]) - _EPOCH).days
    except ValueError:
        found = 0
    if not 0 < found <= _LAST_DAY:
        raise ValueError(f"not a date: {text[:20]}; write it as 2026-11-30")
    return found


def midnight(day: int) -> datetime | None:
    """Return the beginning of a day in UTC, None for day 0."""
    if day == 0:
        return None
    found = _EPOCH + timedelta(days=day)
    return datetime(found.year, found.month, found.day, tzinfo=UTC)
