"""Hours of the week, as a household writes them: at night, on Sunday, during the siesta."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from screener.domain.inert import inert

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TEXT = re.compile(
    rf"((?:{'|'.join(_DAYS)})(?:[ ,]+(?:{'|'.join(_DAYS)}))*)?\s*"
    r"([0-9]{1,2}:[0-9]{2})\s*-\s*([0-9]{1,2}:[0-9]{2})"
)
_MIDNIGHT = time(0)


@dataclass(frozen=True, slots=True)
class Period:
    """From ``begin`` to before ``end``, on days of the week (0 is Monday) on which it begins.

    One whose end is not after its begin goes on into the next day.
    """

    days: frozenset[int]
    begin: time
    end: time

    def covers(self, moment: datetime) -> bool:
        """Tell whether a moment, by the clock on the household's wall, lies in this period."""
        clock = moment.time()
        if self.begin < self.end:
            return moment.weekday() in self.days and self.begin <= clock < self.end
        yesterday = (moment - timedelta(days=1)).weekday()
        return (moment.weekday() in self.days and clock >= self.begin) or (
            yesterday in self.days and clock < self.end
        )


def covers(periods: Iterable[Period], moment: datetime) -> bool:
    """Tell whether any of the periods covers this moment."""
    return any(period.covers(moment) for period in periods)


def parse_period(text: str) -> Period:
    """Return the period that a text means: ``22:00-07:00``, or ``sat, sun 13:00-15:00``.

    ``24:00`` is the end of a day. Raises ValueError, with one sentence, for any other text.
    """
    match = _TEXT.fullmatch(text.strip().casefold())
    begin, end = (_clock(match[2]), _clock(match[3])) if match else (None, None)
    if match is None or begin is None or end is None:
        shown = inert(text, 40)
        raise ValueError(f"not hours: “{shown}”; write 22:00-07:00, or sat, sun 13:00-15:00")
    named = re.findall("[a-z]+", match[1] or "") or _DAYS
    return Period(frozenset(_DAYS.index(day) for day in named), begin, end)


def _clock(text: str) -> time | None:
    hour, minute = map(int, text.split(":"))
    if (hour, minute) == (24, 0):
        return _MIDNIGHT
    return time(hour, minute) if hour < 24 and minute < 60 else None
