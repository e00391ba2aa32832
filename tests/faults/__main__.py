"""make faults: every fault played on a real Asterisk, the table of what came of it, exit 0 or 1."""

import argparse
import asyncio
import itertools
import os
import signal
import sys
import time

from rich.console import Console

from lab import LabError
from tests.faults.catalogue import FAULTS
from tests.faults.crowd import KINDS
from tests.faults.plan import full
from tests.faults.play import steps_of, stock_of
from tests.faults.stage import a_stage
from tests.faults.stages import played
from tests.faults.steps import Step
from tests.faults.table import complaints, growth_of, growths, table_of


async def _undisturbed() -> tuple[dict[str, list[Step]], dict[str, list[Step]]]:
    """Return the steps of each kind of call, and of a stock-taking after each fault that has it."""
    async with a_stage() as stage:
        numbers = itertools.count()
        steps = {kind.name: await steps_of(stage, kind, next(numbers)) for kind in KINDS}
        again = [fault for fault in FAULTS if fault.again]
        return steps, {each.name: await stock_of(stage, each, next(numbers)) for each in again}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="which steps are chosen (1)")
    parser.add_argument("--only", default="", help="faults whose name has this in it")
    parser.add_argument("--most", type=int, default=None, help="so many runs at most")
    parser.add_argument(
        "--stages", type=int, default=1 + (os.cpu_count() or 1), help="at the same time"
    )
    return parser.parse_args()


def main() -> int:
    """Run as a command."""
    given = _arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # everything is put away then, too
    console = Console(width=None if sys.stdout.isatty() else 140)
    begun = time.monotonic()
    try:
        steps, stocks = asyncio.run(_undisturbed())
        blows = [blow for blow in full(steps, stocks, given.seed) if given.only in blow.fault.name]
        blows = blows[: given.most]
        console.print(f"{len(blows)} runs, seed {given.seed}, {given.stages} at a time")
        done = []
        for one in played(blows, min(given.stages, len(blows))):
            done.append(one)
            mark = "[red]✗[/]" if one.failed else "[green]✓[/]"
            console.print(f"{len(done):4}/{len(blows)} {mark} {one.blow}", highlight=False)
            for line in complaints(one):
                console.print(f"         {line}", markup=False, highlight=False)
    except LabError as error:
        console.print(f"faults: {error}", markup=False)
        return 2
    except KeyboardInterrupt:
        console.print("faults: stopped")
        return 128 + signal.SIGINT
    console.print(table_of(done))
    grown = growths(done)
    for line in growth_of(grown):
        console.print(line, highlight=False)
    console.print(f"in {(time.monotonic() - begun) / 60:.1f} minutes; seed {given.seed}")
    wrong = any(one.failed for one in done) or any(each.too_much for each in grown)
    return 1 if wrong or not done else 0


if __name__ == "__main__":
    sys.exit(main())
