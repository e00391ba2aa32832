"""A process like the service, with shared lists or without: says what they cost it.

``python -m bench.resident SETTINGS`` loads what the service loads and says so. Then it answers
every word that it reads from standard input with a line of JSON.
"""

import asyncio
import contextlib
import gc
import json
import os
import random
import statistics
import sys
from collections.abc import Awaitable
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter_ns

from screener import logs, service
from screener.domain.lists import Entry, ListName, Lists
from screener.domain.policy import Circumstances, decide
from screener.service import Screener
from screener.shared.watch import Watch

CALLERS = 20_000
PASSES = 5
TICK = 0.001  # seconds
REPLACEMENTS = 50


def private_megabytes() -> float:
    """Return the memory that is this process's alone (proc(5), smaps_rollup)."""
    gc.collect()
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1000


def verdicts(screener: Screener, watch: Watch) -> dict[str, float]:
    """Return microseconds of a verdict on callers who are listed, covered, or neither."""
    own = [f"+8131234{number:04}" for number in range(100)]
    household = {
        number: Entry(
            list_name=ListName.ALLOW, number=number, note="", origin="household", added_at=None
        )
        for number in own
    }
    lists = Lists(household=household, shared=watch.lists)
    listed = [entry.number for each in watch.lists for entry in each.entries()]
    chance = random.Random(7)  # noqa: S311  (no secret)
    shown = [number for number in chance.sample(listed, CALLERS) if number[-1] not in "*#"]
    patterns = [number.rstrip("*#") for number in listed[:CALLERS] if number[-1] in "*#"]
    shown += [f"{beginning}{'5' * 15}"[:12] for beginning in patterns]
    shown += [f"0{chance.randrange(10**8, 10**9)}" for _ in range(CALLERS)]
    at = Circumstances(moment=datetime.now(UTC).astimezone())
    callers = [screener.identify(number, "") for number in shown]
    chance.shuffle(callers)
    passes = []
    for _ in range(PASSES):
        spent = []
        for caller in callers:
            began = perf_counter_ns()
            decide(caller, lists, screener.household, at)
            spent.append((perf_counter_ns() - began) / 1000)
        spent.sort()
        passes.append((statistics.median(spent), spent[len(spent) * 99 // 100]))
    # The quietest pass: in the others this process was more often made to wait for others.
    return {"median": min(each[0] for each in passes), "p99": min(each[1] for each in passes)}


class Ticker:
    """Notes the longest time in which the event loop did nothing else."""

    def __init__(self) -> None:
        self._longest = 0.0

    async def run(self) -> None:
        """Tick until cancelled."""
        last = perf_counter_ns()
        while True:
            await asyncio.sleep(TICK)
            now = perf_counter_ns()
            self._longest = max(self._longest, (now - last) / 1e6 - TICK * 1e3)
            last = now

    async def during(self, work: Awaitable[object]) -> float:
        """Return the longest time in milliseconds while something was done, and a moment after."""
        await asyncio.sleep(2 * TICK)
        self._longest = 0.0
        await work
        await asyncio.sleep(2 * TICK)
        return self._longest


async def stalls(screener: Screener, watch: Watch) -> dict[str, list[float]]:
    """Return the longest stalls in milliseconds: of as many replacements as moments without one."""
    ticker = Ticker()
    ticking = asyncio.create_task(ticker.run())
    (name,) = screener.fraud_lists.sources
    shelf = screener.fraud_lists.shelf(name)
    idle, replacing = [], []
    for number in range(REPLACEMENTS):
        versions = shelf.files()
        await asyncio.to_thread(shelf.point, file=versions[number % len(versions)])
        before = watch.lists
        began = perf_counter_ns()
        replacing.append(await ticker.during(watch.look()))
        if watch.lists == before:
            raise RuntimeError("the list was not replaced")
        idle.append(await ticker.during(asyncio.sleep((perf_counter_ns() - began) / 1e9)))
    ticking.cancel()
    return {"idle": idle, "replacing": replacing}


async def live(screener: Screener) -> None:
    """Load the lists, and answer questions until there are no more."""
    watch = Watch(screener.fraud_lists)
    await watch.look()
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print(json.dumps(len(watch.lists)), flush=True)
    async for line in reader:
        match line.decode().strip():
            case "memory":
                answer: object = private_megabytes()
            case "verdicts":
                answer = verdicts(screener, watch)
            case _:
                answer = await stalls(screener, watch)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    logs.configure("json", "error")
    with contextlib.suppress(PermissionError):
        # Where that is allowed: what else runs on this machine is not what is measured.
        os.setpriority(os.PRIO_PROCESS, 0, -15)
    asyncio.run(live(service.load(Path(sys.argv[1]))))
