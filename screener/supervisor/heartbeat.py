"""The worker's end of the pipe to its supervisor: a beat while the event loop turns."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from typing import Final

from screener.calls.release import Door
from screener.supervisor import beats

# A worker that hangs and that nobody watches any more is ended by the kernel; longer than a drain.
_ALONE_SECONDS: Final = 40


@asynccontextmanager
async def beating(
    pipe: int | None, door: Door, works: Callable[[], bool], stop: asyncio.Event
) -> AsyncIterator[None]:
    """Beat while the block lasts; ``stop`` is set when the supervisor is gone. No pipe, no beat."""
    if pipe is None:
        yield
        return
    os.set_blocking(pipe, False)
    _say(pipe, json.dumps(asdict(door)).encode() + b"\n", stop)
    task = asyncio.create_task(_beat(pipe, works, stop))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        _say(pipe, beats.ENDING, stop)


async def _beat(pipe: int, works: Callable[[], bool], stop: asyncio.Event) -> None:
    while True:
        signal.alarm(_ALONE_SECONDS)
        _say(pipe, beats.WORKING if works() else beats.WAITING, stop)
        await asyncio.sleep(beats.SECONDS)


def _say(pipe: int, words: bytes, stop: asyncio.Event) -> None:
    try:
        # A supervisor that was stopped for hours leaves the pipe full.
        with suppress(BlockingIOError):
            os.write(pipe, words)
    except BrokenPipeError:
        stop.set()
