"""Floods: hundreds of calls at once, and a caller who redials at every turn.

With FAULTS=full in the environment 500 calls at once; else as many as fit into ``make test``.
"""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest_asyncio

from lab.asterisk import TOP, Asterisk
from lab.listen import RATE, load, save
from lab.memory import family, held_by, held_by_asterisk
from lab.ports import Place, own_place
from lab.process import until
from lab.scenario import Caller, Handset
from lab.screener import Screener
from lab.sipp import calling, handset

FULL = os.environ.get("FAULTS") == "full"
CALLS = 500 if FULL else 60
REDIALS = 120 if FULL else 12
ROOM = 1.10  # of the memory after the first round
# Asterisk remembers a SIP transaction for 64 x T1 = 32 s after its end (RFC 3261, timers H and J).
FORGOTTEN = 40.0
AT_ONCE = Handset(answers_after=200, hangs_up_after=300)


@dataclass
class Exchange:
    """An Asterisk and a screener to which nothing has happened yet."""

    asterisk: Asterisk
    screener: Screener

    @property
    def place(self) -> Place:
        return self.asterisk.place

    def programs(self) -> list[int]:
        """Return the ids of all programs: new ones would mean that one has died."""
        return family(self.asterisk.process) + family(self.screener.process)

    async def memory(self) -> dict[str, int]:
        """Return how many bytes each holds; Asterisk's only in full, as one must wait for that."""
        found = {"screener": held_by(self.screener.process)}
        if FULL:
            await asyncio.sleep(FORGOTTEN)
            found["Asterisk"] = await held_by_asterisk(self.asterisk)
        return found

    async def written_up(self, seconds: float = 60) -> None:
        """Wait until all calls are over, and nothing is left of them but the log."""
        await self.asterisk.idle(30)
        live = self.asterisk.recordings / "live"
        await until(lambda: not list(live.iterdir()) or None, seconds, "an empty live/")

    def complaints(self) -> list[str]:
        """Return the errors in the screener's log."""
        return [str(each) for each in self.screener.log() if each.get("level") == "error"]


def assert_returned(memory: list[dict[str, int]]) -> None:
    """The memory after the last round is that after the first, which warmed up."""
    assert all(memory[-1][name] < held * ROOM for name, held in memory[0].items()), memory


@pytest_asyncio.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[Exchange]:
    for prompt in (TOP / "prompts" / "ja").glob("*.wav"):
        (tmp_path / "prompts" / "ja").mkdir(parents=True, exist_ok=True)
        save(tmp_path / "prompts" / "ja" / prompt.name, load(prompt)[0][:RATE])
    with own_place() as place:
        async with (
            Asterisk(place, prompts=tmp_path / "prompts") as asterisk,
            Screener(asterisk) as screener,
        ):
            yield Exchange(asterisk, screener)


async def test_hundreds_of_calls_at_once_all_ring_and_all_are_in_the_log(
    exchange: Exchange,
) -> None:
    """Those beyond max_calls go the dialplan's way; the second round takes no more memory."""
    programs = exchange.programs()
    memory = []
    for turn in (1, 2):
        async with (
            handset(exchange.place, AT_ONCE, exchange.asterisk.handset_password) as phone,
            calling(exchange.place, Caller(), calls=CALLS, per_second=1000) as callers,
        ):
            legs = await callers.finished(120)
            assert len(phone.invited()) == CALLS
        assert Counter(leg.outcome for leg in legs) == {200: CALLS}
        await exchange.written_up()
        calls = await exchange.screener.ended_calls(turn * CALLS)
        assert len(calls) == turn * CALLS
        assert {call["disposition"] for call in calls} <= {"answered", "failed_open"}
        memory.append(await exchange.memory())
    assert exchange.programs() == programs
    assert exchange.complaints() == []
    assert_returned(memory)


async def test_who_redials_again_and_again_is_one_call_each_time_and_others_ring(
    exchange: Exchange,
) -> None:
    """A blocked number, refused ten times a second, delays nobody."""
    await exchange.screener.must("block", "0312349999")
    stubborn = calling(exchange.place, Caller(number="0312349999"), calls=REDIALS, per_second=10)
    async with (
        handset(exchange.place, AT_ONCE, exchange.asterisk.handset_password) as phone,
        stubborn as redialling,
        calling(exchange.place, Caller(number="09012345678"), calls=5, per_second=3) as others,
    ):
        refused, taken = await asyncio.gather(redialling.finished(), others.finished())
        assert len(phone.invited()) == 5
    assert [leg.outcome for leg in refused] == [403] * REDIALS
    assert [leg.outcome for leg in taken] == [200] * 5
    await exchange.written_up()
    calls = await exchange.screener.ended_calls(REDIALS + 5)
    assert Counter(call["disposition"] for call in calls) == {"blocked": REDIALS, "answered": 5}
