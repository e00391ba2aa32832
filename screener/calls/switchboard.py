"""Takes the calls that Asterisk offers, one task each, and leaves none behind."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from structlog.contextvars import bound_contextvars

from screener.ari import Ari, RequestFailed, Unreachable
from screener.ari.events import CallBroadcast, Channel, Reconnected, StasisStart
from screener.calls.call import Call, CallerHungUp
from screener.calls.desk import Desk
from screener.calls.entry import Entry
from screener.calls.inbound import follow, inbound
from screener.domain.call_record import CallRecord, Disposition, EndedBy

log: Final = structlog.get_logger(__name__)

_DRAIN_PAUSE_SECONDS: Final = 0.05
_LET_GO_SECONDS: Final = 2.0

Unfinished = Callable[[], Awaitable[list[CallRecord]]]


class Switchboard:
    """All calls at hand.

    Beyond ``max_calls`` at once, and while draining, calls are not claimed: they go the
    dialplan's way. ``unfinished`` returns the rows that an earlier screener left open.
    """

    def __init__(self, ari: Ari, desk: Desk, unfinished: Unfinished, *, max_calls: int) -> None:
        self._ari = ari
        self._desk = desk
        self._unfinished = unfinished
        self._max_calls = max_calls
        self._calls: dict[str, Call] = {}
        self._draining = False

    async def run(self) -> None:
        """Take calls until cancelled; what is held then goes back to the dialplan."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                match await self._ari.arrivals.get():
                    case CallBroadcast(channel=channel) if self._has_room():
                        tasks.create_task(self._take(channel, claim=True))
                    case StasisStart(channel=channel, args=()) if self._has_room():
                        # An Asterisk without StasisBroadcast puts calls straight into our hands.
                        tasks.create_task(self._take(channel, claim=False))
                    case StasisStart(channel=channel):
                        tasks.create_task(self._resume(channel, None))
                    case Reconnected():
                        tasks.create_task(self._take_stock(tasks))

    async def drain(self, seconds: float) -> None:
        """Take no more calls and wait, so long at most, for those being screened."""
        self._draining = True
        try:
            async with asyncio.timeout(seconds):
                # Polled, as it happens once in a screener's life and is over in seconds.
                while any(call.held for call in self._calls.values()):  # noqa: ASYNC110
                    await asyncio.sleep(_DRAIN_PAUSE_SECONDS)
        except TimeoutError:
            log.warning("calls_handed_back", calls=sum(c.held for c in self._calls.values()))

    def _has_room(self) -> bool:
        return not self._draining and len(self._calls) < self._max_calls

    async def _take(self, channel: Channel, *, claim: bool) -> None:
        """Claim a call that was offered and screen it."""

        async def screened(call: Call, entry: Entry) -> None:
            if not claim or await call.claim():
                await inbound(call, self._desk, entry)

        await self._attend(channel, Entry(self._desk), screened)

    async def _resume(self, channel: Channel, record: CallRecord | None) -> None:
        """Go on with a call that began under an earlier screener, or before a gap."""

        async def resumed(call: Call, entry: Entry) -> None:
            if call.resume(channel):
                entry.failed_open()
                await call.hand_back()
            await follow(call, self._desk, entry)

        entry = Entry.resumed(self._desk, record) if record else Entry(self._desk)
        await self._attend(channel, entry, resumed)

    async def _attend(
        self, channel: Channel, entry: Entry, work: Callable[[Call, Entry], Awaitable[None]]
    ) -> None:
        """See a call through whatever happens: the one place where a hangup and a fault end."""
        with Call.open(self._ari, channel) as call, bound_contextvars(call=channel.id):
            self._calls[call.id] = call
            try:
                await work(call, entry)
            except CallerHungUp:
                entry.close(entry.if_caller_leaves, EndedBy.CALLER)
            except asyncio.CancelledError:
                await self._let_go(call, entry)
                raise
            except Exception:  # whatever breaks, the telephone rings
                log.exception("call_failed_open")
                await self._fail_open(call, entry)
            finally:
                del self._calls[call.id]
            await entry.archive()
            self._log_end(entry)

    async def _fail_open(self, call: Call, entry: Entry) -> None:
        """Hand a call back to the dialplan and follow it there."""
        entry.failed_open()
        try:
            await call.hand_back()
            await follow(call, self._desk, entry)
        except CallerHungUp:
            entry.close(Disposition.FAILED_OPEN, EndedBy.CALLER)
        except Exception:  # nothing more can be done for this call; the others go on
            log.exception("call_lost_from_sight")
            entry.close_unseen()

    async def _let_go(self, call: Call, entry: Entry) -> None:
        """Hand a held call back because the screener stops; the next one closes its row."""
        if not call.held:
            return
        entry.failed_open()
        try:
            async with asyncio.timeout(_LET_GO_SECONDS):
                await call.hand_back()
        except (CallerHungUp, TimeoutError):
            log.warning("call_not_handed_back")

    async def _take_stock(self, tasks: asyncio.TaskGroup) -> None:
        """See to the calls that are there and in nobody's hands, and to rows left open."""
        try:
            there = {channel.id: channel for channel in await self._ari.channels.list()}
            ours = set(await self._ari.applications.channel_ids())
        except (RequestFailed, Unreachable) as error:
            log.warning("stock_not_taken", error=str(error))  # the next connection tries again
            return
        rows = {record.id: record for record in await self._unfinished()}
        held = {each for each in ours & there.keys() if there[each].stasis_args is not None}
        for call_id in (held | rows.keys()) - self._calls.keys():
            channel = there.get(call_id, Channel(call_id))
            tasks.create_task(self._resume(channel, rows.get(call_id)))
        log.info("ready")

    @staticmethod
    def _log_end(entry: Entry) -> None:
        if entry.record:
            log.info(
                "call_ended",
                caller=entry.record.caller.given,
                verdict=entry.record.decision.verdict,
                reason=entry.record.decision.reason,
                disposition=entry.record.disposition,
            )
