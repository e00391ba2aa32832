"""The real switchboard with its store, at work on a fake Asterisk."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from screener.ari import Ari
from screener.ari.limits import Limits as AriLimits
from screener.audio.prompts import Prompt
from screener.audio.recording import Recordings
from screener.audio.voice import caller_speaks
from screener.calls.desk import Desk
from screener.calls.limits import Limits as CallLimits
from screener.calls.release import Door, release
from screener.calls.switchboard import Switchboard
from screener.domain.call_record import CallRecord, Recording
from screener.domain.caller import NumberClass
from screener.domain.household import Household, Profile, verdicts_of
from screener.domain.lists import Entry, ListName, Lists
from screener.domain.numbers import country, identify
from screener.domain.policy import Verdict
from screener.store import whose
from screener.store.call_details import CallDetailsFiles
from screener.store.colleagues import Colleagues
from screener.store.database import Store
from tests.fake.asterisk import FakeAsterisk
from tests.fake.people import Caller

STRANGER, FRIEND, FRAUDSTER, FOREIGNER = "0312345678", "0312340001", "0312340002", "+18005551234"
SELLER, POLICE = "0120123456", "110"  # the one can leave a message

# Short where a test waits for them to run out, long where that would be a fault.
ARI_LIMITS = AriLimits(request=0.4, first_delay=0.01, longest_delay=0.05)
CALL_LIMITS = CallLimits(
    claimed=0.4,
    playback_slack=1.0,
    retry=0.02,
    pause=0.02,
    details=0.02,
    courtesy=0.05,
    fresh=0.2,
    company=0.02,
    settle=0.02,
    let_go=2.0,
)


def entry(list_name: ListName, number: str) -> Entry:
    return Entry(list_name=list_name, number=number, note="", origin="household", added_at=None)


STANDARD = Household(
    verdicts={**verdicts_of(Profile.STANDARD), NumberClass.TOLL_FREE: Verdict.MESSAGE}
)
LISTS = Lists(
    household={
        "+81312340001": entry(ListName.ALLOW, "+81312340001"),
        "+81312340002": entry(ListName.BLOCK, "+81312340002"),
    }
)


@dataclass(eq=False)
class Screening:
    """A screener at work. ``kept`` is every state of every row, in order."""

    asterisk: FakeAsterisk
    store: Store
    recordings: Recordings
    application: str = "screener"
    household: Household = STANDARD
    max_calls: int = 10
    record_known: bool = False
    ari_limits: AriLimits = ARI_LIMITS
    call_limits: CallLimits = CALL_LIMITS
    lists: Callable[[], Awaitable[Lists]] | None = None
    unfinished: Callable[[], Awaitable[list[CallRecord]]] | None = None
    row_on_disk: Callable[[str], Awaitable[CallRecord | None]] | None = None
    on_step: Callable[[], None] = lambda: None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    kept: list[CallRecord] = field(default_factory=list)
    dialled: list[str] = field(default_factory=list)  # by the household, as the screener heard it
    _stock_taken: int = 0  # after which of the connections

    def __post_init__(self) -> None:
        self.colleagues = Colleagues(self.recordings.live_directory, self.application)
        self.asterisk.live = self.recordings.live_directory
        self.details = CallDetailsFiles(self.recordings.live_directory)
        password = self.asterisk.password
        self.ari = Ari(self.asterisk.url, self.application, "screener", password, self.ari_limits)
        self.switchboard = Switchboard(
            self.ari,
            self._desk(),
            self._stock,
            self._release,
            max_calls=self.max_calls,
            limits=self.call_limits,
        )

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator["Screening"]:
        """Take calls; on leaving stop as the service does when its patience is at an end."""
        self.colleagues.appear()
        self.reader = reader = asyncio.create_task(self.ari.run())
        self.taking = asyncio.create_task(self.switchboard.run())
        try:
            await self.asterisk.until(
                lambda: self.has_taken_stock or self.taking.done(), "the screener is ready"
            )
            yield self
        finally:
            await self.stops()
            reader.cancel()
            await asyncio.wait([reader])
            self.colleagues.leave()

    async def dies(self) -> None:
        """End as by kill -9: with nothing said to Asterisk, and nothing written down."""
        self.reader.cancel()
        await asyncio.wait([self.reader])
        states = len(self.kept)
        await self.stops()
        assert len(self.kept) == states
        self.colleagues.leave()

    def is_cut_off(self) -> None:
        self.reader.cancel()

    def is_cancelled(self) -> None:
        self.taking.cancel()

    async def stops(self) -> None:
        self.taking.cancel()
        await asyncio.wait([self.taking])
        if not self.taking.cancelled() and (fault := self.taking.exception()):
            raise fault

    async def row(self, caller: Caller) -> CallRecord:
        """Return the row of a call once it is closed and the call forgotten."""
        await self.asterisk.until(
            lambda: any(r.id == caller.id and r.ended_at for r in self.kept) and self.idle,
            "the row of the call is closed and nothing is left of it",
        )
        return self.rows()[caller.id]

    async def finished(self) -> None:
        """Wait until no call is left in anybody's hands, and nothing is left to be heard."""
        await self.asterisk.until(lambda: not self.asterisk.there, "all channels are gone")
        await self.asterisk.settled()
        await self.asterisk.until(lambda: self.is_ready, "nothing is left of any call")

    def rows(self) -> dict[str, CallRecord]:
        return {record.id: record for record in self.kept}

    @property
    def is_ready(self) -> bool:
        """Whether it is connected, has taken stock since, and attends to no call."""
        return self.has_taken_stock and self.idle

    @property
    def has_taken_stock(self) -> bool:
        connected = any(each.application == self.application for each in self.asterisk.lines)
        return connected and self._stock_taken == self._connections

    @property
    def _connections(self) -> int:
        return self.asterisk.connections[self.application]

    @property
    def idle(self) -> bool:
        """Whether nothing is left of any call, and nothing is on its way."""
        return self.has_let_go and self.ari.arrivals.empty() and not self.details.ids()

    @property
    def has_let_go(self) -> bool:
        """Whether no call and no inbox of a call is left."""
        # What nobody outside may see is what has to be gone.
        return not self.switchboard._calls and not self.ari._inboxes

    async def _stock(self) -> list[CallRecord]:
        rows = await (self.unfinished or self._unfinished)()
        self._stock_taken = self._connections
        return rows

    async def _release(self, application: str) -> int:
        door = Door(self.asterisk.url, application, "screener", self.asterisk.password)
        return await asyncio.to_thread(release, door)

    async def _unfinished(self) -> list[CallRecord]:
        assert await self.store.calls.flush(5)
        recorded = self.recordings.left_over()
        return await whose.unfinished(self.store.calls, self.colleagues, recorded)

    def _desk(self) -> Desk:
        async def lists() -> Lists:
            self.on_step()
            return LISTS

        async def row(call_id: str) -> CallRecord | None:
            self.on_step()
            assert await self.store.calls.flush(5)
            return await self.store.calls.get(call_id)

        async def take_row(call_id: str) -> CallRecord | None:
            await (self.row_on_disk or row)(call_id)
            return await whose.taken(self.store.calls, self.colleagues, call_id)

        async def dialled(number: str, _at: datetime) -> None:
            self.dialled.append(number)

        async def archive(record: CallRecord) -> Recording | None:
            self.on_step()
            return await self.recordings.archive(record)

        async def discard_raw(record: CallRecord) -> None:
            self.on_step()
            assert await self.store.calls.flush(5)
            kept = await self.store.calls.get(record.id)
            if kept and kept.recording:  # or another screener has taken the row meanwhile
                self.recordings.discard_raw(record)

        def keep(record: CallRecord) -> None:
            self.kept.append(record)
            self.store.calls.keep(record)

        def media(prompt: Prompt) -> str:
            return f"sound:{Path('/prompts/ja') / prompt}"

        return Desk(
            identify=partial(identify, country=country("JP")),
            lists=self.lists or lists,
            household=self.household,
            shows_numbers=self.store.calls.shows_numbers,
            keep=keep,
            archive=archive,
            discard_raw=discard_raw,
            recorded_until=self.recordings.recorded_until,
            recorded_seconds=self.recordings.recorded_seconds,
            caller_speaks=caller_speaks,
            row=self.row_on_disk or row,
            take_row=take_row,
            details=self.details,
            colleagues=self.colleagues,
            dialled=dialled,
            now=self.now,
            media=media,
            prompt_seconds=lambda _: 0.2,
            ring_seconds=30,
            message_seconds=60,
            record_known=self.record_known,
        )
