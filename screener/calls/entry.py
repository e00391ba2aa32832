"""A call's row in the call log while the call goes on: written at every step, closed once."""

import time
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Self

from screener.calls.call import Call
from screener.calls.desk import Desk
from screener.domain.call_details import CallDetails, completed
from screener.domain.call_record import CallRecord, Disposition, EndedBy
from screener.domain.caller import Caller
from screener.domain.policy import FOR_HELP, Decision


class Entry:
    """The growing record of one call; there is nothing to write before the verdict.

    ``if_caller_leaves`` is what becomes of the call should the caller hang up just now; where it
    is FAILED_OPEN, nobody here knows, and the dialplan's details decide.
    """

    def __init__(self, desk: Desk) -> None:
        self.record: CallRecord | None = None
        self.if_caller_leaves = Disposition.ABANDONED_BEFORE_WARNING
        self._desk = desk
        self._began = (desk.now(), time.monotonic())

    @classmethod
    def resumed(cls, desk: Desk, record: CallRecord) -> Self:
        """Go on with the row of a call that an earlier screener left unfinished."""
        entry = cls(desk)
        entry.record = record
        entry.if_caller_leaves = Disposition.FAILED_OPEN
        return entry

    @property
    def answered(self) -> bool:
        """Whether somebody of the household took the call."""
        return self.record is not None and self.record.answered_at is not None

    def decided(self, call: Call, caller: Caller, decision: Decision) -> None:
        """Open the row: who calls, and what is to happen."""
        self._write(
            CallRecord(
                id=call.id,
                line=call.line,
                caller=caller,
                decision=decision,
                started_at=call.began_at or self._now(),
            )
        )

    def warned(self) -> None:
        """Write down that the warning was heard to its end."""
        self._note(warned=True)

    def rang(self) -> None:
        """Write down when the handset began to ring."""
        if self.record and self.record.rang_at is None:
            self._note(rang_at=self._now())

    def picked_up(self) -> None:
        """Write down when the handset was answered; so it rang, whether or not it said so."""
        self.rang()
        if not self.answered:
            self._note(answered_at=self._now())

    def failed_open(self) -> None:
        """Write down that something broke and the dialplan has the call, however it ends there.

        Calls for help are the dialplan's by right: nothing of theirs fails with us.
        """
        if self.record and self.record.disposition is None and not self._is_for_help:
            self._note(disposition=Disposition.FAILED_OPEN)

    def message_over(self) -> None:
        """Write down that the caller had the time for a message; whether they used it shows later.

        Nothing that happens after this takes the message back.
        """
        if self.record and self.record.disposition is None:
            self._note(disposition=Disposition.NO_MESSAGE)

    def close(
        self, disposition: Disposition, by: EndedBy | None, at: datetime | None = None
    ) -> None:
        """Write down how the call ended; the first end counts."""
        if self.record and self.record.ended_at is None:
            self._note(
                disposition=self.record.disposition or disposition,
                ended_by=by,
                ended_at=at or self._now(),
            )

    def left(self, by: EndedBy) -> None:
        """Close the row of a call that ended on the caller's side, as far as it had come."""
        if self.answered:
            self.close(Disposition.ANSWERED, by)
        elif self.if_caller_leaves is Disposition.FAILED_OPEN:
            if not self.complete() and not self._is_for_help:  # else it is told in a moment
                self.close(Disposition.FAILED_OPEN, by)
        elif (
            self.if_caller_leaves is Disposition.ABANDONED_BEFORE_MESSAGE
            and self._recorded is not None
        ):
            self.close(Disposition.NO_MESSAGE, by)
        else:
            self.close(self.if_caller_leaves, by)

    def close_unseen(self) -> None:
        """Close the row of a call whose end nobody saw, as truthfully as what is left allows."""
        if self.record and not self.complete():
            lost = Disposition.ABANDONED_RINGING if self._is_for_help else Disposition.FAILED_OPEN
            fate = Disposition.ANSWERED if self.answered else lost
            self.close(fate, None, self._desk.recorded_until(self.record))

    def leave(self) -> None:
        """Leave the row as it is to the screener that has the call now."""
        self.record = None

    def complete(self) -> bool:
        """Write down what the dialplan knows beyond the row; False if it tells nothing (yet)."""
        details = self._desk.details.of(self.record.id) if self.record else None
        if self.record and details and not self.says_all(details):
            self._write(completed(self.record, details, recorded=self._recorded))
        return details is not None

    def says_all(self, details: CallDetails) -> bool:
        """Tell whether the row is closed and holds all that the dialplan knows."""
        return (
            self.record is not None
            and completed(self.record, details, recorded=self._recorded) == self.record
        )

    async def archive(self) -> None:
        """Finish the recording, if there is one, and write down where it lies.

        Whether the caller left a message is heard in it. Raises OSError; what Asterisk recorded
        is still there then, for another try.
        """
        if self.record is None:
            return
        recording = await self._desk.archive(self.record)
        if recording:
            disposition = self.record.disposition
            if disposition is Disposition.NO_MESSAGE and await self._desk.caller_speaks(recording):
                disposition = Disposition.MESSAGE
            self._note(recording=recording, disposition=disposition)
            await self._desk.discard_raw(self.record)

    @property
    def _is_for_help(self) -> bool:
        return self.record is not None and self.record.decision.rule in FOR_HELP

    @property
    def _recorded(self) -> float | None:
        """The seconds that are recorded, None where nothing is."""
        if self.record and self.record.recording:
            return self.record.recording.seconds
        return self._desk.recorded_seconds(self.record) if self.record else None

    def _now(self) -> datetime:
        """Return the time by the clock as it stood at the call's begin.

        So the times of a row are in order and as far apart as they were, though the clock jumps.
        """
        began, ticks = self._began
        return began + timedelta(seconds=time.monotonic() - ticks)

    def _note(self, **changes: Any) -> None:
        if self.record:
            self._write(replace(self.record, **changes))

    def _write(self, record: CallRecord) -> None:
        self.record = replace(record, screener=self._desk.colleagues.name)
        self._desk.keep(self.record)
