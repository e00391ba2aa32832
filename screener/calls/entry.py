"""A call's row in the call log while the call goes on: written at every step, closed once."""

from dataclasses import replace
from datetime import datetime
from typing import Any, Self

from screener.calls.call import Call
from screener.calls.desk import Desk
from screener.domain.call_record import CallRecord, Disposition, EndedBy
from screener.domain.caller import Caller
from screener.domain.policy import Decision


class Entry:
    """The growing record of one call; there is nothing to write before the verdict.

    ``if_caller_leaves`` is what becomes of the call should the caller hang up just now.
    """

    def __init__(self, desk: Desk) -> None:
        self.record: CallRecord | None = None
        self.if_caller_leaves = Disposition.ABANDONED_BEFORE_WARNING
        self._desk = desk

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
                started_at=call.began_at or self._desk.now(),
            )
        )

    def warned(self) -> None:
        """Write down that the warning was heard to its end."""
        self._note(warned=True)

    def rang(self) -> None:
        """Write down when the handset began to ring."""
        if self.record and self.record.rang_at is None:
            self._note(rang_at=self._desk.now())

    def picked_up(self) -> None:
        """Write down when the handset was answered; so it rang, whether or not it said so."""
        self.rang()
        if not self.answered:
            self._note(answered_at=self._desk.now())

    def failed_open(self) -> None:
        """Write down that something broke and the dialplan has the call, however it ends there."""
        if self.record and self.record.ended_at is None:
            self._note(disposition=Disposition.FAILED_OPEN)

    def close(
        self, disposition: Disposition, by: EndedBy | None, at: datetime | None = None
    ) -> None:
        """Write down how the call ended; the first end counts."""
        if self.record and self.record.ended_at is None:
            self._note(
                disposition=self.record.disposition or disposition,
                ended_by=by,
                ended_at=at or self._desk.now(),
            )

    def close_unseen(self) -> None:
        """Close the row of a call whose end nobody saw, as truthfully as what is left allows."""
        if self.record:
            self.close(
                Disposition.ANSWERED if self.answered else Disposition.FAILED_OPEN,
                None,
                self._desk.recorded_until(self.record),
            )

    async def archive(self) -> None:
        """Finish the recording, if there is one, and write down where it lies.

        Raises OSError; what Asterisk recorded is still there then, for another try.
        """
        if self.record:
            recording = await self._desk.archive(self.record)
            if recording:
                self._note(recording=recording)
                await self._desk.discard_raw(self.record)

    def _note(self, **changes: Any) -> None:
        if self.record:
            self._write(replace(self.record, **changes))

    def _write(self, record: CallRecord) -> None:
        self.record = record
        self._desk.keep(record)
