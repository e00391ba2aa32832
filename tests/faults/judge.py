"""The same judgement of every call: did it ring, in time, warned, recorded, and told truly."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lab.listen import RATE, Sound, level, load, tone_share
from lab.sipp import Leg
from screener.domain.call_record import CallRecord, Disposition
from tests.faults.crowd import CALLER_TONE, HOUSEHOLD_TONE, MESSAGE_SECONDS, Kind

_WIRE: Final = 0.03  # seconds by which what is seen here may be off
_CROSSING: Final = 0.2  # seconds in which an answer and the end of Asterisk cross
_BEGIN: Final = 0.4  # seconds of a talk until both voices are there
_UNWRITTEN: Final = 1.1  # seconds of sound that Asterisk keeps to itself: 32 KiB
_SPOKEN: Final = 0.7  # how much of a talk must have a voice in it
_ENOUGH: Final = 3  # pieces to judge by
_LOUD: Final = -30.0  # dBFS
_PIECE: Final = RATE // 4  # what lab.listen looks at at a time
_VOICES: Final = (CALLER_TONE, HOUSEHOLD_TONE)
_CUT: Final = (
    Disposition.FAILED_OPEN,
    Disposition.ABANDONED_BEFORE_WARNING,
    Disposition.ABANDONED_IN_WARNING,
    Disposition.ABANDONED_AFTER_WARNING,
    Disposition.UNREACHABLE,  # an Asterisk that is ending dials nobody
)


@dataclass(frozen=True, slots=True)
class Limits:
    """``struck`` and ``mended`` are moments; the others seconds, as in the catalogue."""

    struck: float
    mended: float
    warning: float
    in_hand: float
    new: float
    cuts_calls: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """One call from all sides: at the trunk, at the handset, in the log, between the machines.

    ``screened``: a screener had it. ``hears_warning`` is None where nobody listened.
    """

    number: str
    kind: Kind
    caller: Leg | None
    handset: Sequence[Leg]
    rows: Sequence[CallRecord]
    screened: bool
    hears_warning: bool | None = None

    @property
    def began(self) -> float | None:
        """When the caller's INVITE went out."""
        return self.caller.at("INVITE") if self.caller else None

    @property
    def ended(self) -> float:
        """When the caller's call was over; never, if nobody said so."""
        if self.caller is None or not (self.caller.outcome >= 300 or self.caller.at("BYE")):
            return math.inf
        return self.caller.messages[-1].at

    @property
    def rang(self) -> float | None:
        """When the handset got its INVITE."""
        return min((leg.messages[0].at for leg in self.handset), default=None)

    def warned_before_ring(self, warning: float) -> bool:
        """Say whether the handset rang only when a warning of that length could be over."""
        answered = self.caller.at(200) if self.caller else None
        return bool(answered and self.rang and self.rang - answered >= warning - _WIRE)

    @property
    def talk(self) -> float | None:
        """When the household took the call."""
        return next((at for leg in self.handset if (at := leg.at(200)) is not None), None)


@dataclass
class Judged:
    """What is to be said of one call.

    Seconds to its ring: ``wait`` from the fault, if the call was there, ``new_wait`` from its
    start, if it came later.
    """

    number: str
    kind: str
    rang: bool = False
    wait: float | None = None
    new_wait: float | None = None
    lost: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def judge(call: Seen, limits: Limits) -> Judged:
    """Judge one call."""
    found = Judged(call.number, call.kind.name, rang=call.rang is not None)
    began = call.began
    if began is None or call.caller is None:
        found.faults.append("was never placed")
        return found
    met = began < limits.mended and call.ended > limits.struck
    new = limits.struck <= began < limits.mended
    if limits.cuts_calls and met:
        # Asterisk was away: what it had is gone, and what came then came when it was back.
        _log(call, found, limits, met=True, new=False)
        return found
    _ringing(call, limits, found, began)
    _warning(call, limits, found)
    _log(call, found, limits, met=met, new=new)
    return found


def _ringing(call: Seen, limits: Limits, found: Judged, began: float) -> None:
    if call.rang is None:
        refused = call.caller is not None and call.caller.outcome >= 300
        if call.kind.rings or not (refused or _left_a_message(call)):
            found.lost.append("the handset did not ring")
        return
    if len(call.handset) > 1:
        found.faults.append(f"rang {len(call.handset)} times")
    warning = limits.warning if call.kind.warned or began >= limits.struck else 0.0
    latest = began + warning + limits.new
    if began < limits.struck < call.rang:
        found.wait = call.rang - limits.struck
        latest = max(latest + limits.warning, limits.struck + limits.in_hand)
    elif began >= limits.struck:
        found.new_wait = call.rang - began
    if call.rang > latest:
        found.lost.append(
            f"rang {call.rang - began:.2f} s after it began, {call.rang - latest:.2f} s too late"
        )
    if call.kind.fate is Disposition.ANSWERED and call.talk is None:
        found.lost.append("rang and could not be answered")


def _left_a_message(call: Seen) -> bool:
    recordings = [row.recording for row in call.rows if row.recording]
    return any(recording.seconds >= MESSAGE_SECONDS - _UNWRITTEN for recording in recordings)


def _warning(call: Seen, limits: Limits, found: Judged) -> None:
    """Was the caller warned, before the ring, or else before anybody spoke?"""
    if call.rang is None or not call.kind.warned:
        return
    told = any(row.warned for row in call.rows)
    if call.talk is None and _failed_open(call):
        return  # nobody answered, so that there was nothing to be warned of
    if not told and not call.warned_before_ring(limits.warning):
        found.faults.append("was not warned")
    elif call.hears_warning is False:
        found.faults.append("did not hear the warning in full")


def _failed_open(call: Seen) -> bool:
    return any(row.disposition is Disposition.FAILED_OPEN for row in call.rows)


def _log(call: Seen, found: Judged, limits: Limits, *, met: bool, new: bool) -> None:
    if len(call.rows) != 1:
        reached = call.screened or (call.caller and call.caller.outcome not in {0, 503})
        if reached or len(call.rows) > 1:
            found.faults.append(f"{len(call.rows)} rows in the log")
        return
    (row,) = call.rows
    if row.ended_at is None or row.disposition is None:
        found.faults.append("its row is open")
        return
    failed_open = row.disposition is Disposition.FAILED_OPEN
    truths = _truths(call, limits)
    if row.disposition not in truths and not (failed_open and met):
        found.faults.append(f"is logged as {row.disposition}, and was {' or '.join(truths)}")
    if new and not call.screened and not failed_open:
        found.faults.append(f"no screener had it, and it is logged as {row.disposition}")
    if row.answered_at is not None and call.talk is None:
        found.faults.append("is logged as answered, and was not")
    if not met and call.screened and row.warned is not call.kind.warned:
        found.faults.append(f"warned is logged as {row.warned}")
    if call.talk is not None and (call.kind.warned or (failed_open and not call.screened)):
        found.faults += _recording(call, row, limits)


def _truths(call: Seen, limits: Limits) -> tuple[Disposition, ...]:
    """Return what can truly be said of a call."""
    if call.talk is not None:
        crossed = limits.cuts_calls and call.talk > limits.struck - _CROSSING
        return (Disposition.ANSWERED, *((Disposition.ABANDONED_RINGING,) if crossed else ()))
    if call.ended == math.inf or (limits.cuts_calls and call.ended > limits.struck):
        return (*_CUT, *((Disposition.ABANDONED_RINGING,) if call.rang is not None else ()))
    if call.rang is not None:
        return (Disposition.UNANSWERED,)
    return (call.kind.fate,)


def _recording(call: Seen, row: CallRecord, limits: Limits) -> list[str]:
    """Listen to the recording of a talk: as long as the talk, with both voices."""
    talked = _length(call, limits)
    if call.rang and call.began and call.began < limits.struck < call.rang:
        talked -= limits.warning  # which both may have heard first
    if talked < 2 * _BEGIN:
        return []
    if row.recording is None:
        return ["the talk was not recorded"]
    path = Path(row.recording.path)
    if not path.exists():
        return [f"the recording {path.name} is not there"]
    if row.recording.seconds < talked - (_UNWRITTEN if limits.cuts_calls else _BEGIN):
        return [f"only {row.recording.seconds:.2f} s of {talked:.2f} s are recorded"]
    spoken = [_spoken(channel, hertz) for channel, hertz in zip(load(path), _VOICES, strict=True)]
    if min(spoken) < _SPOKEN:
        return [f"the voices are {spoken[0]:.2f} and {spoken[1]:.2f} of the recording"]
    return []


def _spoken(channel: Sound, hertz: float) -> float:
    """Return in how much of a channel its own voice is heard, once the talk has begun."""
    whole = channel[int(_BEGIN * RATE) : -int(_BEGIN * RATE) // 2]
    pieces = [whole[begin : begin + _PIECE] for begin in range(0, len(whole) - _PIECE, _PIECE)]
    voiced = [level(piece) > _LOUD and tone_share(piece, hertz) > 0.5 for piece in pieces]
    return sum(voiced) / len(voiced) if len(voiced) >= _ENOUGH else 1.0


def _length(call: Seen, limits: Limits) -> float:
    """Return how long the household talked, in seconds."""
    for leg in call.handset:
        picked_up = leg.at(200)
        if picked_up is not None:
            end = leg.at("BYE") or leg.messages[-1].at
            return (min(end, limits.struck) if limits.cuts_calls else end) - picked_up
    return 0.0
