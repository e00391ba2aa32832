"""What the dialplan tells of a call after its end, and what that makes of the call's row."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from screener.domain.call_record import CallRecord, Disposition, EndedBy
from screener.domain.policy import Verdict

_OF_DIALSTATUS: Final = {
    "": Disposition.ABANDONED_RINGING,  # gone before Dial could say anything
    "ANSWER": Disposition.ANSWERED,
    "BUSY": Disposition.BUSY,
    "CANCEL": Disposition.ABANDONED_RINGING,
    "NOANSWER": Disposition.UNANSWERED,
}
# What becomes of a caller who was neither answered nor put through, by what was to happen.
_UNANSWERED: Final = {
    Verdict.BLOCK: Disposition.BLOCKED,
    Verdict.MESSAGE: Disposition.ABANDONED_BEFORE_MESSAGE,
}
_RANG: Final = {"ANSWER", "CANCEL", "NOANSWER"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CallDetails:
    """One call as Asterisk saw it, whether or not a screener looked on. Times are aware.

    ``number`` is the caller's, or of an ``outgoing`` call the one that was dialled; ``number``,
    ``name`` and ``line`` are text from outside. ``rang_at`` is when the handset was called,
    ``dialstatus`` how that went (as in Asterisk's Dial). ``up``: somebody or something of ours
    answered; if it came to a talk, so many ``up_seconds`` before the end. ``warned``: the dialplan
    itself played its warning to the end. ``window``: an emergency window was open, ``window_until``
    then. ``emergency``: the number is an emergency number. ``message``: the caller was asked for a
    message. ``hung_up_by`` is None where it was neither of the two.
    """

    id: str
    outgoing: bool
    line: str
    number: str
    name: str
    began_at: datetime
    ended_at: datetime
    up: bool = False
    dialled: bool = False
    dialstatus: str = ""
    rang_at: datetime | None = None
    up_seconds: float | None = None
    warned: bool = False
    window: bool = False
    window_until: datetime | None = None
    emergency: bool = False
    gave_way: bool = False
    message: bool = False
    hung_up_by: EndedBy | None = None

    def answered_at(self, recorded: float | None) -> datetime | None:
        """Return when somebody of the household took the call, None if nobody did.

        Talks are recorded from their first moment, so that ``recorded`` (seconds) tells it. Else it
        is to the second, and for a caller who was warned no later than it was: Asterisk counts from
        the first answer, which was ours.
        """
        if self.dialstatus != "ANSWER" or self.up_seconds is None:
            return None
        talk = timedelta(seconds=recorded or self.up_seconds)
        return max(self.rang_at or self.began_at, self.ended_at - talk)


def completed(record: CallRecord, details: CallDetails, *, recorded: float | None) -> CallRecord:
    """Return a call's row, closed, with what the dialplan knows beyond it.

    What somebody saw and wrote down stays; where nobody looked on the details decide.
    ``recorded`` is how many seconds were, None where nothing was. Doing it again changes nothing.
    """
    disposition = record.disposition or _fate(record, details, recorded=recorded)
    by = record.ended_by or _ended_by(record, details, disposition)
    if details.gave_way:  # whoever saw it thought that the caller hung up
        disposition, by = Disposition.GAVE_WAY, EndedBy.HOUSEHOLD
    talk = disposition in {Disposition.ANSWERED, Disposition.FAILED_OPEN}
    # Whoever saw a caller leave in the middle knows better whether the handset rang by then.
    rang = details.dialstatus in _RANG and record.disposition is not Disposition.ABANDONED_RINGING
    return replace(
        record,
        warned=record.warned or details.warned,
        rang_at=record.rang_at or (details.rang_at if rang else None),
        answered_at=record.answered_at or (details.answered_at(recorded) if talk else None),
        ended_at=record.ended_at or max(details.ended_at, record.started_at),
        ended_by=by,
        disposition=disposition,
    )


def _fate(record: CallRecord, details: CallDetails, *, recorded: float | None) -> Disposition:
    if details.message:
        too_early = Disposition.ABANDONED_BEFORE_MESSAGE
        return too_early if recorded is None else Disposition.NO_MESSAGE
    if details.warned:  # by the dialplan, so no screener did
        return Disposition.FAILED_OPEN
    if details.dialled or details.dialstatus:
        return _OF_DIALSTATUS.get(details.dialstatus, Disposition.UNREACHABLE)
    if not details.up and record.decision.verdict in _UNANSWERED:
        return _UNANSWERED[record.decision.verdict]
    if record.warned:
        return Disposition.ABANDONED_AFTER_WARNING
    return Disposition.ABANDONED_IN_WARNING if details.up else Disposition.ABANDONED_BEFORE_WARNING


def _ended_by(record: CallRecord, details: CallDetails, disposition: Disposition) -> EndedBy | None:
    talked = (
        record.answered_at or disposition is Disposition.ANSWERED or details.dialstatus == "ANSWER"
    )
    # Neither of the two hung up: before a talk that leaves us.
    return details.hung_up_by or (None if talked else EndedBy.SCREENER)
