"""Calls that nobody here saw to their end, written up from what the dialplan tells of them."""

import asyncio
import time
from collections.abc import Callable, Container, Iterable
from contextlib import AbstractContextManager
from typing import Final

import structlog
from structlog.contextvars import bound_contextvars

from screener.ari.events import Channel
from screener.calls.attend import finish
from screener.calls.call import Call
from screener.calls.desk import Desk
from screener.calls.entry import Entry
from screener.calls.inbound import write_down_unscreened
from screener.domain.call_details import CallDetails
from screener.domain.call_record import CallRecord
from screener.store.database import StoreError

log: Final = structlog.get_logger(__name__)

TakeUp = Callable[[Channel], AbstractContextManager[Call]]


class LateEntries:
    """Looks through the dialplan's call details and drops each when the log says all it tells.

    Calls ``at_hand`` are left to whoever attends to them; ``take_up`` has one at hand meanwhile.
    With other screeners there, a call without a row waits ``patience`` seconds for one of theirs.
    As a file goes only when the log on disk says it all, it may be begun again at any moment.
    """

    def __init__(
        self, desk: Desk, take_up: TakeUp, at_hand: Container[str], patience: float
    ) -> None:
        self._desk = desk
        self._take_up = take_up
        self._at_hand = at_hand
        self._patience = patience
        self._tried: set[str] = set()
        self._missed_since: dict[str, float] = {}

    async def keep_up(self, pause: float) -> None:
        """Look now and after every pause (in seconds), for ever; one call after the other."""
        while True:
            waiting = self._desk.details.ids()
            self._missed_since = {k: at for k, at in self._missed_since.items() if k in waiting}
            for call_id in waiting:
                with bound_contextvars(call=call_id):
                    await self._look_at(call_id)
            await asyncio.sleep(pause)

    async def tell_of_lost(self, call_ids: Iterable[str]) -> None:
        """See to it that calls are written up that were recorded and died with their Asterisk.

        Nobody told of them: neither a screener, in a row, nor the dialplan. Raises StoreError.
        """
        for call_id in call_ids:
            if call_id in self._at_hand or await self._desk.row(call_id):
                continue
            try:
                if self._desk.details.tell_of_lost(call_id):
                    log.warning("call_lost_with_asterisk", call=call_id)
            except OSError as error:  # a full disk, say: with the next stock
                log.warning("call_details_wait", call=call_id, error=error.strerror)

    async def _look_at(self, call_id: str) -> None:
        try:
            if call_id not in self._at_hand and (details := self._desk.details.of(call_id)):
                await (self._outgoing if details.outgoing else self._incoming)(details)
        except StoreError as error:
            log.warning("call_details_wait", error=str(error))
        except Exception:  # one call's file is not in the way of the others
            log.exception("call_not_written_up")
            self._desk.details.put_aside(call_id, "a fault in the screener")

    def _is_ours(self, details: CallDetails, record: CallRecord | None) -> bool:
        """Tell whether it is for us to see to a call: where there are several, it is for one."""
        colleagues = self._desk.colleagues
        others = colleagues.others()
        if record:
            return record.screener not in others
        first = min(others | {colleagues.name}) == colleagues.name
        return first and (details.outgoing or not others or self._has_waited(details.id))

    def _has_waited(self, call_id: str) -> bool:
        """Tell whether the row is so late that it is none that somebody is just writing."""
        now = time.monotonic()
        return now - self._missed_since.setdefault(call_id, now) > self._patience

    async def _outgoing(self, details: CallDetails) -> None:
        """Learn whom the household called, and say so if that was for help."""
        if not self._is_ours(details, None):
            return
        if details.dialled:
            await self._desk.dialled(details.number, details.ended_at)
        if details.window_until:  # said once, though the database may have had to be waited for
            log.warning("emergency_window_opened", until=details.window_until.isoformat())
        self._desk.details.discard(details.id)

    async def _incoming(self, details: CallDetails) -> None:
        """Write down what the log lacks; where it lacks nothing, the details have served."""
        record = await self._desk.row(details.id)
        if not self._is_ours(details, record):
            return
        if record and record.screener != self._desk.colleagues.name:
            record = await self._desk.take_row(details.id)
        if details.id in self._at_hand:  # since just now
            return
        if record and Entry.resumed(self._desk, record).says_all(details):
            self._tried.discard(details.id)
            self._desk.details.discard(details.id)
        elif details.id in self._tried:
            self._desk.details.put_aside(details.id, "the call log does not take it")
        else:
            self._tried.add(details.id)
            await self._write_up(details, record)

    async def _write_up(self, details: CallDetails, record: CallRecord | None) -> None:
        with self._take_up(_channel(details)) as call:
            entry = Entry.resumed(self._desk, record) if record else Entry(self._desk)
            if record is None:
                taken = details.up or details.dialled
                await write_down_unscreened(call, self._desk, entry, taken=taken)
            entry.complete()
            if record is None or record.ended_at is None:
                await finish(entry)


def _channel(details: CallDetails) -> Channel:
    """Return the channel that the call had."""
    return Channel(
        details.id,
        number=details.number,
        caller_name=details.name,
        variables={"LINE": details.line, "EMERGENCY_WINDOW": "1" if details.window else ""},
        created_at=details.began_at,
    )
