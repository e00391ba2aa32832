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
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from screener import logs, service
from screener.domain.lists import Entry, ListName, Lists
from screener.domain.policy import Circumstances, decide
from screener.service import Screener
from screener.shared.watch import Watch

CALLERS = 20_000
TICK = 0.001  # seconds


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
    spent = []
    for caller in callers:
        began = perf_counter_ns()
        decide(caller, lists, screener.household, at)
        spent.append((perf_counter_ns() - began) / 1000)
    spent.sort()
    return {"median": statistics.median(spent), "p99": spent[len(spent) * 99 // 100]}


class Ticker:
    """Notes the longest time in which the event loop did nothing else."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def run(self) -> None:
        """Tick until cancelled."""
        last = perf_counter_ns()
        while True:
            await asyncio.sleep(TICK)
            now = perf_counter_ns()
            self.longest = max(self.longest, (now - last) / 1e6 - TICK * 1e3)
            last = now

    def take(self) -> dict[str, float]:
        """Return the longest time in milliseconds since it was last taken."""
        longest, self.longest = self.longest, 0.0
        return {"longest": longest}


async def live(screener: Screener) -> None:
    """Load the lists, and answer questions until there are no more."""
    watch, ticker = Watch(screener.fraud_lists), Ticker()
    await watch.look()

    def versions() -> dict[str, Any]:
        return {"versions": [each.version for each in watch.lists]}

    answers = {
        "memory": lambda: {"megabytes": private_megabytes()},
        "verdicts": lambda: verdicts(screener, watch),
        "gap": ticker.take,
        "versions": versions,
    }
    tasks = [
        asyncio.create_task(watch.run(look_seconds=0.05)),
        asyncio.create_task(ticker.run()),
    ]
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print(json.dumps(versions()), flush=True)
    async for line in reader:
        print(json.dumps(answers[line.decode().strip()]()), flush=True)
    for task in tasks:
        task.cancel()


if __name__ == "__main__":
    logs.configure("json", "error")
    with contextlib.suppress(PermissionError):
        # Where that is allowed: what else runs on this machine is not what is measured.
        os.setpriority(os.PRIO_PROCESS, 0, -15)
    asyncio.run(live(service.load(Path(sys.argv[1]))))
