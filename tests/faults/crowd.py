"""Who calls while something breaks: kinds of callers, each call with a number of its own."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from lab.listen import save, tone
from lab.scenario import Caller, Handset
from screener.domain.call_record import Disposition

CALLER_TONE: Final = 440.0
HOUSEHOLD_TONE: Final = 620.0
ANSWERS_AFTER_MS: Final = 200
TALK_MS: Final = 2_000
RING_SECONDS: Final = 5  # the shortest there is
MESSAGE_SECONDS: Final = 10  # likewise
MOST_CALLS: Final = 9  # of one kind at once: the last digit of their number


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of caller, and what becomes of their calls when nothing is broken.

    ``begins`` is how all their numbers begin; four digits of the run, one of the group within it
    and one of the call follow.
    """

    name: str
    begins: str
    fate: Disposition
    warned: bool = False
    rings: bool = True
    hangs_up_after: int | None = None

    def number(self, run: int, group: int) -> str:
        """Return the numbers of a group of calls but for their last digit."""
        return f"{self.begins}{run % 10_000:04}{group % 10}"


STRANGER: Final = Kind("stranger", "09012", Disposition.ANSWERED, warned=True)
FRIEND: Final = Kind("friend", "08012", Disposition.ANSWERED, hangs_up_after=1_800)
FROM_ABROAD: Final = Kind("from abroad", "+18005", Disposition.BLOCKED, rings=False)
NOBODY_THERE: Final = Kind("nobody answers", "0352", Disposition.UNANSWERED, warned=True)
LEAVES_MESSAGE: Final = Kind("leaves a message", "05012", Disposition.MESSAGE, rings=False)
KINDS: Final = (STRANGER, FRIEND, FROM_ABROAD, NOBODY_THERE, LEAVES_MESSAGE)
TAKE_LONG: Final = (NOBODY_THERE, LEAVES_MESSAGE)


@dataclass(frozen=True, slots=True)
class Group:
    """Calls of one kind that one SIPp makes, ``per_second`` of them."""

    kind: Kind
    number: str
    calls: int
    per_second: int

    def numbers(self) -> Iterator[str]:
        """Yield the number of each call."""
        return (f"{self.number}{digit}" for digit in range(1, self.calls + 1))

    def caller(self, voice: Path, hears_at: int | None = None) -> Caller:
        """Return how they behave."""
        who = Caller(number=self.number, numbered=True, hangs_up_after=self.kind.hangs_up_after)
        if hears_at is not None:
            return replace(who, hears_at=hears_at)
        return replace(who, speaks=voice)


def household(voice: Path) -> Handset:
    """Return the household: answers everybody but those whom nobody is to answer."""
    return Handset(
        answers_after=ANSWERS_AFTER_MS,
        hangs_up_after=TALK_MS,
        ignores=f"{NOBODY_THERE.begins}*",
        speaks=voice,
    )


def voices(directory: Path) -> tuple[Path, Path]:
    """Write what callers and the household say; return both files."""
    return (
        save(directory / "caller.ulaw", tone(CALLER_TONE, 2)),
        save(directory / "household.ulaw", tone(HOUSEHOLD_TONE, 2)),
    )
