"""Several stages at once, each in a process of its own, that take blow after blow."""

import asyncio
import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from queue import Empty
from typing import TYPE_CHECKING, Final, TypeAlias

from lab import LabError
from tests.faults.catalogue import FAULTS
from tests.faults.crowd import KINDS
from tests.faults.play import Blow, Played, play
from tests.faults.stage import a_stage
from tests.faults.steps import Step

if TYPE_CHECKING:
    from multiprocessing.queues import Queue

FIRST_RUN: Final = 20  # numbers below are those of the undisturbed calls
RUN_LIMIT: Final = 180.0  # seconds without anything from any stage
END_LIMIT: Final = 30.0  # seconds for a stage to put everything away

Task: TypeAlias = tuple[int, str, str, Step | None, Step | None] | None
"""The number of the run, the fault's name, the kind's name, the steps; None: no more."""


def played(blows: Sequence[Blow], stages: int) -> Iterator[Played]:
    """Play blows on so many stages; yield what came of each. LabError if they fall silent."""
    spawn = multiprocessing.get_context("spawn")
    tasks: Queue[Task] = spawn.Queue()
    results: Queue[Played] = spawn.Queue()
    for number, blow in enumerate(blows, FIRST_RUN):
        tasks.put((number, blow.fault.name, blow.kind.name, blow.step, blow.again))
    workers = [spawn.Process(target=_work, args=(tasks, results)) for _ in range(stages)]
    for worker in workers:
        tasks.put(None)
        worker.start()
    try:
        for _ in blows:
            yield results.get(timeout=RUN_LIMIT)
    except Empty:
        raise LabError(f"nothing was heard of any stage for {RUN_LIMIT:g} s") from None
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join(END_LIMIT)
            worker.kill()


def _work(tasks: "Queue[Task]", results: "Queue[Played]") -> None:
    async def until_told() -> None:
        playing = asyncio.ensure_future(_play_all(tasks, results))
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, playing.cancel)
        with suppress(asyncio.CancelledError):
            await playing

    asyncio.run(until_told())


async def _play_all(tasks: "Queue[Task]", results: "Queue[Played]") -> None:
    """Play until there is no more; a stage on which something went wrong is set up anew."""
    faults = {fault.name: fault for fault in FAULTS}
    kinds = {kind.name: kind for kind in KINDS}
    task = tasks.get()
    while task is not None:
        async with a_stage() as stage:
            sound = True
            while task is not None and sound:
                number, fault, kind, step, again = task
                one = await play(stage, Blow(faults[fault], kinds[kind], step, again), number)
                results.put(one)
                sound = not one.trouble
                task = tasks.get()
