"""Takes the calls that Asterisk offers, one task each, and leaves none behind."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Final

import structlog
from structlog.contextvars import bound_contextvars

from screener.ari import Ari, AriError
from screener.ari.events import (
    CallBroadcast,
    Channel,
    ConnectionLost,
    Event,
    Reconnected,
    StasisStart,
)
from screener.calls.attend import Work, attend, let_go
from screener.calls.call import Call
from screener.calls.desk import Desk
from screener.calls.entry import Entry
from screener.calls.inbound import follow, inbound, write_down_unscreened
from screener.calls.late_entries import LateEntries
from screener.calls.limits import Limits
from screener.calls.release import CannotReleaseError
from screener.domain.call_record import CallRecord, Disposition
from screener.store.database import StoreError

log: Final = structlog.get_logger(__name__)

_DRAIN_PAUSE_SECONDS: Final = 0.05
_LOOKS: Final = 2  # for what a screener held: a call may just have been coming in
# Hands back what an application holds; returns how many.
Release = Callable[[str], Awaitable[int]]
Unfinished = Callable[[], Awaitable[list[CallRecord]]]


class Switchboard:
    """All calls at hand.

    Beyond ``max_calls`` at once, and while draining, calls are not claimed: they go the
    dialplan's way. ``unfinished`` returns the rows that an earlier screener left open, or without
    the recording that still lies there, and those of the screeners that are gone, which are ours
    then; ``release`` hands back what such a one still held.
    """

    def __init__(  # noqa: PLR0913  (what it works with, by name)
        self,
        ari: Ari,
        desk: Desk,
        unfinished: Unfinished,
        release: Release,
        *,
        max_calls: int,
        limits: Limits = Limits(),  # noqa: B008  (immutable)
    ) -> None:
        self._ari = ari
        self._desk = desk
        self._unfinished = unfinished
        self._release = release
        self._max_calls = max_calls
        self._limits = limits
        self._calls: dict[str, Call] = {}
        self._late: set[str] = set()  # those of them that are over and only written up
        self._done: set[str] = set()  # calls that were at hand at some time since the last stock
        self._late_entries = LateEntries(desk, self._take_up, self._calls, limits.fresh)
        self._stale = asyncio.Event()
        self._was_away = True  # since the last stock
        self._gone: set[str] = set()  # of the other screeners, so far as their calls are seen to
        self._draining = False

    async def run(self) -> None:
        """Take calls until cancelled; what is held then goes back to the dialplan."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._keep_stock(tasks))
                tasks.create_task(self._late_entries.keep_up(self._limits.details))
                tasks.create_task(self._keep_company())
                while True:
                    self._put_to_work(await self._ari.arrivals.get(), tasks)
        finally:
            await self._let_the_rest_go()

    @property
    def at_hand(self) -> int:
        """How many calls are being attended to, held or not."""
        return len(self._calls)

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

    def _put_to_work(self, event: Event, tasks: asyncio.TaskGroup) -> None:
        match event:
            case CallBroadcast() | StasisStart() if event.channel_id in self._calls:
                pass  # said twice
            case CallBroadcast(channel=channel) if channel.comes_back:
                if not self._draining:
                    self._begin(channel, self._stand_in, tasks, held=False)
            case CallBroadcast(channel=channel) if self._has_room():
                self._begin(channel, self._screen, tasks, held=False)
            case StasisStart(channel=channel, args=()) if self._has_room():
                # An Asterisk without StasisBroadcast puts calls straight into our hands.
                self._begin(channel, self._screen, tasks, held=True)
            case StasisStart(channel=channel, args=args):
                ours = replace(channel, stasis_args=args, stasis_app=self._ari.application)
                self._resume(ours, None, tasks)
            case Reconnected():
                self._desk.colleagues.tell(connected=True)
                self._was_away = True
                self._stale.set()
            case ConnectionLost():
                self._desk.colleagues.tell(connected=False)

    def _has_room(self) -> bool:
        return not self._draining and len(self._calls) - len(self._late) < self._max_calls

    def _begin(
        self,
        channel: Channel,
        work: Work,
        tasks: asyncio.TaskGroup,
        *,
        held: bool,
        record: CallRecord | None = None,
    ) -> None:
        """Listen to the channel from now on, and have a task attend to it."""
        call = Call(self._ari, channel, self._limits, held=held)
        self._calls[call.id] = call
        entry = Entry.resumed(self._desk, record) if record else Entry(self._desk)
        tasks.create_task(self._attend(call, entry, work))

    async def _attend(self, call: Call, entry: Entry, work: Work) -> None:
        with bound_contextvars(call=call.id):
            try:
                await attend(call, self._desk, entry, work)
            finally:
                self._forget(call)

    @contextmanager
    def _take_up(self, channel: Channel) -> Iterator[Call]:
        """Have a call at hand that is over, so that nobody else sees to it."""
        call = self._calls[channel.id] = Call(self._ari, channel, self._limits, held=False)
        self._late.add(call.id)
        try:
            yield call
        finally:
            self._late.remove(call.id)
            self._forget(call)

    def _forget(self, call: Call) -> None:
        self._calls.pop(call.id, None)
        self._done.add(call.id)
        call.close()

    async def _screen(self, call: Call, entry: Entry) -> None:
        """Screen a call, if it can be had."""
        if call.held or await call.claim():
            await inbound(call, self._desk, entry)

    async def _stand_in(self, call: Call, _: Entry) -> None:
        """Take a call that comes back to a screener that is away; it comes by its StasisStart."""
        await asyncio.sleep(self._limits.courtesy)
        await call.claim()

    def _resume(
        self, channel: Channel, record: CallRecord | None, tasks: asyncio.TaskGroup
    ) -> None:
        """Go on with a call that began under an earlier screener, before a gap, or without us."""

        async def resumed(call: Call, entry: Entry) -> None:
            in_the_middle = call.resume(channel)
            if entry.record is None:
                await call.still_there()
                await self._find_row(call, entry)
            if in_the_middle:
                entry.failed_open()
                await call.hand_back()
            elif channel.variables.get("RELEASED") == "1":  # by whoever outlived its screener
                entry.failed_open()
            await follow(call, self._desk, entry)

        self._begin(channel, resumed, tasks, held=self._holds(channel), record=record)

    def _holds(self, channel: Channel) -> bool:
        """Tell whether a channel is in our hands; one that comes back has to be claimed."""
        return channel.may_be_held_by(self._ari.application) and not channel.comes_back

    async def _find_row(self, call: Call, entry: Entry) -> None:
        """Go on with the row that the call has already, or open one: the dialplan had it so far.

        Whoever has the call has its row from now on, whosever that was.
        """
        try:
            entry.record = await self._desk.take_row(call.id)
        except StoreError as error:  # the call goes on, unwritten
            log.warning("row_not_found", error=str(error))
            return
        entry.if_caller_leaves = Disposition.FAILED_OPEN
        if entry.record is None:
            await write_down_unscreened(call, self._desk, entry, taken=True)

    async def _let_the_rest_go(self) -> None:
        """Hand back the calls that came too late for a task to attend to them."""
        with suppress(AriError):  # once this is answered, whatever was on its way is here
            await self._ari.applications.channel_ids()
        while not self._ari.arrivals.empty():
            match self._ari.arrivals.get_nowait():
                case StasisStart(channel=channel) if channel.id not in self._calls:
                    call = Call(self._ari, channel, self._limits, held=True)
                    self._calls[call.id] = call
        async with asyncio.TaskGroup() as tasks:
            for call in self._calls.values():
                tasks.create_task(let_go(call, Entry(self._desk)))
        while self._calls:
            self._calls.popitem()[1].close()

    async def _keep_company(self) -> None:
        """Be known to the other screeners, and notice for ever when one of them is gone."""
        colleagues = self._desk.colleagues
        while True:
            # By now, if somebody else had our name. A disk may take its time for either.
            there = await asyncio.to_thread(colleagues.appear)
            if there:
                colleagues.tell(connected=self._ari.version is not None)
            gone = await asyncio.to_thread(colleagues.gone)
            self._gone &= gone
            if self._ari.version is not None:
                for name in gone - self._gone:
                    if not await self._stand_in_for(name):
                        await asyncio.sleep(self._limits.pause)
            # Until our name is ours we look more often than those who would stand in for it.
            await asyncio.sleep(self._limits.company / (1 if there else 10))

    async def _stand_in_for(self, name: str) -> bool:
        """Let the telephone ring for the calls that a screener held; the rest are in its rows.

        False if Asterisk did not let us.
        """
        freed = 0
        for look in range(_LOOKS):
            await asyncio.sleep(self._limits.settle if look else 0.0)
            with self._desk.colleagues.in_place_of(name) as gone:
                if not gone:
                    return True
                try:
                    freed += await self._release(name)
                except CannotReleaseError as error:
                    log.warning("calls_not_released", screener=name, error=str(error))
                    return False
            self._stale.set()
        self._gone.add(name)
        log.info("screener_gone", screener=name, calls_released=freed)
        return True

    async def _keep_stock(self, tasks: asyncio.TaskGroup) -> None:
        """Take stock after every gap until it is taken, and now and then to be sure."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._limits.look):
                    await self._stale.wait()
            self._stale.clear()
            after_gap, self._was_away = self._was_away, False
            try:
                await self._take_stock(tasks)
                if after_gap:
                    log.info("ready")
            except (AriError, StoreError) as error:
                log.warning("stock_not_taken", error=str(error))
                self._was_away |= after_gap
                self._stale.set()
                await asyncio.sleep(self._limits.pause)

    async def _take_stock(self, tasks: asyncio.TaskGroup) -> None:
        """See to the calls that are there and in nobody's hands, and to rows left open."""
        self._done = set(self._calls)  # their rows may be closed by the time they are read
        untold = self._desk.details.untold()  # before the channels: whose is gone then is over
        there = {channel.id: channel for channel in await self._ari.channels.list()}
        ours = set(await self._ari.applications.channel_ids())
        held = {each for each in ours & there.keys() if self._holds(there[each])}
        rows: dict[str, CallRecord] = {}
        try:
            rows = {record.id: record for record in await self._unfinished()}
        finally:  # whoever is held must not wait for the database
            for call_id in (held | rows.keys()) - self._done - self._calls.keys():
                self._resume(there.get(call_id, Channel(call_id)), rows.get(call_id), tasks)
        await self._late_entries.tell_of_lost(untold - there.keys())
