"""What becomes of a call in the dialplan, step by step."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class HandsetCalled:
    """The INVITE to the handset went out."""


@dataclass(frozen=True, slots=True)
class HandsetRinging:
    """The handset rings."""


@dataclass(frozen=True, slots=True)
class HandsetAnswered:
    """Somebody took the handset off the hook."""


@dataclass(frozen=True, slots=True)
class RingingEnded:
    """Dial is over and the caller still there; ``dialstatus`` as in Asterisk's Dial."""

    dialstatus: str


@dataclass(frozen=True, slots=True)
class MessageOver:
    """The caller has said what they had to say, or nothing, and is still there."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Another screener claimed the call when it came back, and sees to it."""


@dataclass(frozen=True, slots=True)
class CallEnded:
    """The caller's leg is gone. ``by_caller`` is None where a gap hid who ended it."""

    by_caller: bool | None


Step = (
    HandsetCalled
    | HandsetRinging
    | HandsetAnswered
    | RingingEnded
    | MessageOver
    | CallEnded
    | Elsewhere
)

# What ARI's Dial event says, in our words.
DIAL_STEPS: Final[Mapping[str, Step]] = {
    "": HandsetCalled(),
    "RINGING": HandsetRinging(),
    "PROGRESS": HandsetRinging(),
    "ANSWER": HandsetAnswered(),
}
