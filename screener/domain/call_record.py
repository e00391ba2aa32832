"""What the call log keeps of a call, from the first moment to the last."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from screener.domain.caller import Caller
from screener.domain.policy import Decision

# Events of a call come late on a busy machine; a full disk cuts off more.
_TOLERATED_SECONDS = 3.0


class Disposition(StrEnum):
    """What became of a call."""

    ANSWERED = "answered"
    UNANSWERED = "unanswered"
    BUSY = "busy"
    UNREACHABLE = "unreachable"
    ABANDONED_BEFORE_WARNING = "abandoned_before_warning"
    ABANDONED_IN_WARNING = "abandoned_in_warning"
    ABANDONED_AFTER_WARNING = "abandoned_after_warning"
    ABANDONED_RINGING = "abandoned_ringing"
    ABANDONED_BEFORE_MESSAGE = "abandoned_before_message"
    MESSAGE = "message"
    NO_MESSAGE = "no_message"
    BLOCKED = "blocked"
    GAVE_WAY = "gave_way"
    FAILED_OPEN = "failed_open"


class EndedBy(StrEnum):
    """Who ended a call."""

    CALLER = "caller"
    HOUSEHOLD = "household"
    SCREENER = "screener"
    NETWORK = "network"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A finished recording: lossless stereo, caller left, household right."""

    path: Path
    seconds: float
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """One row of the call log. All times are aware of their zone.

    ``disposition`` and ``ended_at`` are None while the call is in progress; ``warned`` is true
    only if the warning was played to its end. ``screener`` is the application of the screener that
    sees to the call, or did last.
    """

    id: str
    line: str
    caller: Caller
    decision: Decision
    started_at: datetime
    warned: bool = False
    rang_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    ended_by: EndedBy | None = None
    disposition: Disposition | None = None
    recording: Recording | None = None
    screener: str = ""

    @property
    def recording_is_whole(self) -> bool | None:
        """Whether the recording is as long as the talk; None where one of them is not known."""
        if self.recording is None or self.answered_at is None or self.ended_at is None:
            return None
        talk = (self.ended_at - self.answered_at).total_seconds()
        return self.recording.seconds >= talk - _TOLERATED_SECONDS
