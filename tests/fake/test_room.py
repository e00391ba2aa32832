"""The reserve of free disk: below it the dialplan is told not to record, above it to record."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from structlog.testing import capture_logs

from screener.ari import Ari
from screener.calls.room import NO_ROOM, keep_room
from tests.fake.asterisk import FakeAsterisk
from tests.fake.screening import ARI_LIMITS

RESERVE = 500_000_000


@asynccontextmanager
async def looking(asterisk: FakeAsterisk, free: Callable[[], int]) -> AsyncIterator[None]:
    ari = Ari(asterisk.url, "screener", "screener", asterisk.password, ARI_LIMITS)
    tasks = [
        asyncio.create_task(ari.run()),
        asyncio.create_task(keep_room(ari, free, RESERVE, pause=0.01)),
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def told(asterisk: FakeAsterisk, value: str) -> None:
    await asterisk.until(lambda: asterisk.globals.get(NO_ROOM) == value, f"{NO_ROOM} is {value}")


async def test_recording_is_paused_below_the_reserve_and_resumed_above_it(
    asterisk: FakeAsterisk,
) -> None:
    """Each is said once in the log."""
    free = RESERVE
    with capture_logs() as logs:
        async with looking(asterisk, lambda: free):
            await told(asterisk, "0")
            free = RESERVE - 1
            await told(asterisk, "1")
            free = RESERVE  # on the brink it would be on and off
            asterisk.globals.clear()
            await told(asterisk, "1")
            free = RESERVE * 11 // 10
            await told(asterisk, "0")
    said = [line["event"] for line in logs if line["event"].startswith("recording_")]
    assert said == ["recording_paused", "recording_resumed"]


async def test_an_asterisk_that_was_started_again_is_told_again(asterisk: FakeAsterisk) -> None:
    async with looking(asterisk, lambda: 0):
        await told(asterisk, "1")
        asterisk.globals.clear()
        asterisk.drop()
        await told(asterisk, "1")


async def test_a_disk_that_cannot_be_seen_stops_no_recording(asterisk: FakeAsterisk) -> None:
    def free() -> int:
        raise FileNotFoundError

    async with looking(asterisk, free):
        await told(asterisk, "0")


async def test_an_asterisk_that_refuses_to_hear_it_is_told_as_soon_as_it_does(
    asterisk: FakeAsterisk,
) -> None:
    asterisk.refuses_next("asterisk/variable", 3)
    async with looking(asterisk, lambda: 0):
        await told(asterisk, "1")
