"""make demo: the calls of a small day on a real Asterisk, and whether all ended as promised."""

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from lab import LabError
from lab.asterisk import TOP, Asterisk
from lab.day import FRAUD_LIST, FRIEND, NOBODY_ANSWERS, Promise, broken, small_day
from lab.listen import RATE, load, save, tone
from lab.message import Message
from lab.ports import Address, Place, PortTakenError, place_of_environment, require_free
from lab.process import until
from lab.scenario import Handset
from lab.screener import Screener, Tables, fraud_list, own_environment
from lab.sipp import Leg, Sipp, calling, handset

RING_SECONDS = 5  # the shortest there is
PACE = 0.3  # seconds from one call to the next, so that the log keeps their order
CALL_LIMIT = 40  # seconds


@dataclass
class Outcome:
    """What the wire showed of the day."""

    legs: dict[str, Leg] = field(default_factory=dict)  # by the caller's number
    rings: list[Message] = field(default_factory=list)

    def rings_for(self, number: str) -> list[Message]:
        """Return the INVITEs that showed this number on the handset's display."""
        return [ring for ring in self.rings if f"sip:{number}@" in ring.header("From")]


async def demo(console: Console) -> int:
    """Run the day; return 0 if every call ended as promised, 1 if not."""
    this = asyncio.current_task()
    if this is not None:
        # As Ctrl-C does: everything that was started is ended on the way out.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    place = _loopback(place_of_environment())
    require_free(place.needs())
    directory = _directory()
    console.print(f"The demo keeps its files in [bold]{directory.relative_to(TOP)}[/]")
    promises = _promises(directory)
    async with _exchange(place, directory) as (asterisk, screener):
        await screener.must("allow", FRIEND, "--note", "a friend")
        outcome = await _place_calls(console, asterisk, promises)
        await asterisk.idle()
        logged = await screener.ended_calls(len(promises))
        await _show_log(screener)
    return _judge(console, promises, logged, outcome)


@contextlib.asynccontextmanager
async def _exchange(place: Place, directory: Path) -> AsyncIterator[tuple[Asterisk, Screener]]:
    numbers = directory / "fraud-list.csv"
    numbers.write_text(FRAUD_LIST, encoding="utf-8")
    recordings = directory / "recordings"
    settings: Tables = {
        "call": {"ring_seconds": RING_SECONDS},
        "lists": {"fraud": [fraud_list(numbers)]},
        "recordings": {"directory": str(recordings.relative_to(TOP))},
        "log": {"level": "info"},
    }
    async with (
        Asterisk(place, recordings=recordings) as asterisk,
        Screener(asterisk, directory=directory, settings=settings) as screener,
    ):
        try:
            yield asterisk, screener
        finally:
            # After Ctrl-C calls are still up, and a screener would wait for them to end.
            await asterisk.cli("channel request hangup all")


async def _place_calls(
    console: Console, asterisk: Asterisk, promises: Sequence[Promise]
) -> Outcome:
    """Let everyone call, each a moment after the one before; show how far they are."""
    outcome = Outcome()
    voice = asterisk.recordings.parent / "household.ulaw"
    household = Handset(
        answers_after=1_000, hangs_up_after=2_500, ignores=NOBODY_ANSWERS,
        speaks=save(voice, tone(620, 2)),
    )  # fmt: skip
    columns = (
        TextColumn("{task.description}"),
        BarColumn(10),
        TextColumn("{task.fields[now]:22}"),
        TextColumn("{task.completed:4.1f} s"),
    )
    async with handset(asterisk.place, household, asterisk.handset_password) as phone:
        with Progress(*columns, console=console) as progress:
            rows = [
                progress.add_task(p.title, total=p.seconds, now="", start=False) for p in promises
            ]
            async with asyncio.TaskGroup() as calls:
                for number, (promise, row) in enumerate(zip(promises, rows, strict=True)):
                    calls.create_task(
                        _call(asterisk, promise, number * PACE, progress, row, outcome, phone)
                    )
        outcome.rings = phone.invited()
    return outcome


async def _call(  # noqa: PLR0913, PLR0917
    asterisk: Asterisk, promise: Promise, wait: float,
    progress: Progress, row: TaskID, outcome: Outcome, phone: Sipp,
) -> None:  # fmt: skip
    await asyncio.sleep(wait)
    number = promise.caller.number
    async with calling(asterisk.place, promise.caller) as sipp:
        progress.start_task(row)

        def look() -> bool | None:
            legs = sipp.legs()
            rung = [leg for leg in phone.legs() if f"sip:{number}@" in _shown_number(leg)]
            task = progress.tasks[row]
            progress.update(
                row,
                now=_state(legs[0] if legs else None, rung[0] if rung else None),
                completed=min(task.elapsed or 0.0, promise.seconds * 0.99),
            )
            return True if sipp.process.exit_code is not None else None

        await until(look, CALL_LIMIT, f"the end of the call of {promise.title}")
        (outcome.legs[number],) = sipp.legs()[:1] or [Leg(())]
        progress.update(row, completed=promise.seconds)
        progress.stop_task(row)


def _shown_number(leg: Leg) -> str:
    return leg.messages[0].header("From")


def _state(leg: Leg | None, rung: Leg | None) -> str:
    """Say in words where a call stands: ``leg`` at the trunk, ``rung`` at the handset."""
    if leg is None or leg.outcome >= 300:
        return f"turned away ({leg.outcome})" if leg else "calls"
    if leg.ended_by_us is not None:
        return "hung up" if leg.ended_by_us else "ended"
    if rung is None:
        return "hears the warning" if leg.outcome else "calls"
    if rung.at("CANCEL") is not None:
        return "hears that nobody came"
    return "talks" if rung.at(200) is not None else "rings"


async def _show_log(screener: Screener) -> None:
    """Print the call log as the household sees it: with the screener's own command."""
    print(flush=True)  # noqa: T201
    shown = await asyncio.create_subprocess_exec(
        *screener.command_line("calls"), env=own_environment(), cwd=TOP
    )
    await shown.wait()
    print(flush=True)  # noqa: T201


def _judge(
    console: Console,
    promises: Sequence[Promise],
    logged: Sequence[dict[str, Any]],
    outcome: Outcome,
) -> int:
    by_number = {call["caller"]["given"]: call for call in logged}
    warning = _seconds("warning")
    kept = True
    for promise in promises:
        number = promise.caller.number
        leg, rings = outcome.legs.get(number), outcome.rings_for(number)
        faults = broken(promise, by_number.get(number), leg, rings, warning)
        console.print(f"[red]✗[/] {promise.title}" if faults else f"[green]✓[/] {promise.title}")
        for fault in faults:
            kept = False
            console.print(f"    {fault}", markup=False)
    console.print("Every call ended as promised." if kept else "[red]Not as promised.[/]")
    return 0 if kept else 1


def _promises(directory: Path) -> list[Promise]:
    voice = save(directory / "caller.ulaw", tone(440, 2))
    return small_day(_seconds("warning"), RING_SECONDS, _seconds("no_answer"), voice)


def _seconds(prompt: str) -> float:
    return len(load(TOP / "prompts" / "ja" / f"{prompt}.wav")[0]) / RATE


def _directory() -> Path:
    parent = TOP / "state" / "demo"
    parent.mkdir(parents=True, exist_ok=True)
    day = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S-")
    return Path(tempfile.mkdtemp(prefix=day, dir=parent))


def _loopback(place: Place) -> Place:
    """Return the same ports on loopback: the demo calls nobody outside this machine."""
    return replace(
        place,
        sip=place.sip
        if place.sip.host.startswith("127.")
        else Address("127.0.0.1", place.sip.port),
        trunk="127.0.0.2",
        trunk_contact=Address("127.0.0.2", 5060),
    )


def main() -> int:
    """Run the demo as a command: 0 as promised, 1 not, 2 cannot, 130 after Ctrl-C, 143 SIGTERM."""
    console = Console()
    try:
        return asyncio.run(demo(console))
    except PortTakenError as error:
        print(f"demo: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except LabError as error:
        print(f"demo: {error}", file=sys.stderr)  # noqa: T201
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError) as told:
        print("demo: stopped", file=sys.stderr)  # noqa: T201
        interrupted = isinstance(told, KeyboardInterrupt)
        return 128 + (signal.SIGINT if interrupted else signal.SIGTERM)


if __name__ == "__main__":
    os.chdir(TOP)
    sys.exit(main())
