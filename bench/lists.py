"""What a million numbers on a shared list cost: memory, verdicts, start-up, and while replaced."""

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

TOP: Final = Path(__file__).parents[1]
NUMBERS: Final = 1_000_000
PATTERNS: Final = 10_000
LARGE_ROWS: Final = 5_200_000  # of 39 bytes: 200 MB


@dataclass(frozen=True, slots=True)
class Figure:
    """Something that was measured, and what it may be at most, None where nobody said."""

    what: str
    value: float
    unit: str
    limit: float | None = None

    @property
    def missed(self) -> bool:
        """Whether it is more than it may be."""
        return self.limit is not None and self.value > self.limit


class Resident:
    """The process that is measured, and its answers."""

    def __init__(self, settings: Path) -> None:
        began = perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.resident", str(settings)],
            cwd=TOP,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()
        self.started_seconds = perf_counter() - began

    def ask(self, word: str) -> Any:
        """Return the answer to a word."""
        assert self._process.stdin is not None  # noqa: S101  (for the type checker)
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        return self._answer()

    def end(self) -> None:
        """End it."""
        self._process.communicate(timeout=20)

    def _answer(self) -> Any:
        assert self._process.stdout is not None  # noqa: S101
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("bench: the measured process ended by itself")
        return json.loads(line)


@contextmanager
def resident(settings: Path) -> Iterator[Resident]:
    """Run a process to measure."""
    process = Resident(settings)
    try:
        yield process
    finally:
        process.end()


def write_list(path: Path, seed: int, rows: int = NUMBERS) -> None:
    """Write a list of made-up numbers from several countries, with a thousand different notes."""
    chance = random.Random(seed)  # noqa: S311  (no secret)
    with path.open("w", encoding="utf-8") as file:
        file.write("number,source,date,note\n")
        for number in range(PATTERNS):
            file.write(f"+1{200 + number // 100}{number % 100:02}####,made up,,pattern\n")
        for at in range(rows):
            shown = chance.choice(("+44", "+86", "0")) + str(chance.randrange(10**8, 10**9))
            file.write(f"{shown},made up,2026-11-{1 + at % 22:02},row {at % 1000}\n")


def settings_of(directory: Path, *lists: str) -> Path:
    """Write the settings of a screener with these lists, all of them in this directory."""
    path = directory / f"with-{'-'.join(lists) or 'none'}.toml"
    tables = [f'[[lists.fraud]]\nname = "{name}"\nsource = "{directory / name}"' for name in lists]
    none = "" if lists else "fraud = []"
    path.write_text(
        f'[database]\npath = "{directory / "screener.db"}"\n'
        f'[lists]\ndirectory = "{directory / "lists"}"\nmost_megabytes = 400\n'
        f"most_numbers = 10000000\n{none}\n" + "\n".join(tables)
    )
    return path


def started(settings: Path) -> subprocess.Popen[bytes]:
    """Start an update as the service does."""
    command = [sys.executable, "-m", "screener", "--config", str(settings)]
    return subprocess.Popen(
        [*command, "lists", "update", "--background", "--json"], cwd=TOP, stdout=subprocess.DEVNULL
    )


def update(settings: Path) -> tuple[float, float]:
    """Update the lists of a screener; returns the seconds, and the most memory in megabytes."""
    began = perf_counter()
    process = started(settings)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit("bench: the update failed")
    return perf_counter() - began, usage.ru_maxrss / 1000


@contextmanager
def updating(settings: Path) -> Iterator[None]:
    """Have an update run beside."""
    process = started(settings)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def measure(directory: Path, progress: Progress) -> Iterator[Figure]:
    """Yield the figures as they come."""
    steps = progress.add_task("making lists", total=4)
    with_list, without = settings_of(directory, "million"), settings_of(directory)
    write_list(directory / "million", 0)
    progress.update(steps, advance=1, description="compiling")
    seconds, megabytes = update(with_list)
    yield Figure("compiling it, beside the service", seconds, "s")
    yield Figure("memory of the process that compiles", megabytes, "MB")
    progress.update(steps, advance=1, description="deciding")
    with resident(without) as plain:
        before = plain.ask("memory")
        yield Figure("start-up without a list", plain.started_seconds, "s")
    with resident(with_list) as loaded:
        yield Figure("start-up with the list", loaded.started_seconds, "s", 2)
        more = loaded.ask("memory") - before
        yield Figure("memory more than without a list", more, "MB", 60)
        spent = loaded.ask("verdicts")
        yield Figure("verdict, median", spent["median"], "µs", 20)
        yield Figure("verdict, 99th percentile", spent["p99"], "µs", 100)
    progress.update(steps, advance=1, description="replacing")
    write_list(directory / "million", 2)
    update(with_list)
    beside = settings_of(directory, "beside")
    write_list(directory / "beside", 3)
    with resident(with_list) as loaded, updating(beside):
        stalls = loaded.ask("stalls")
        more = loaded.ask("memory") - before
    yield from stall_figures(stalls["idle"], stalls["replacing"])
    yield Figure("memory more, after replacing", more, "MB", 60)
    progress.update(steps, advance=1, description="a file of 200 MB")
    large = settings_of(directory, "large")
    write_list(directory / "large", 1, LARGE_ROWS)
    size = (directory / "large").stat().st_size / 1e6
    seconds, megabytes = update(large)
    yield Figure(f"compiling a file of {size:.0f} MB", seconds, "s")
    yield Figure(f"memory of that ({LARGE_ROWS} rows)", megabytes, "MB", 600)


def stall_figures(idle: list[float], replacing: list[float]) -> Iterator[Figure]:
    """Yield how long the loop stood still, in milliseconds; the worst counts.

    What the machine does to a service that replaces nothing is not the list's doing: the limit is
    on what the worst stall of replacing has beyond the worst of the same run without.
    """
    yield Figure("stall of nothing, median", statistics.median(idle), "ms")
    yield Figure("stall of nothing, worst", max(idle), "ms")
    yield Figure("stall of replacing, median", statistics.median(replacing), "ms")
    yield Figure("stall of replacing, worst", max(replacing), "ms")
    beyond = max(0.0, max(replacing) - max(idle))
    yield Figure("worst of replacing beyond worst of nothing", beyond, "ms", 10)


def main() -> None:
    """Measure and print; exit 1 where something is more than it may be."""
    console = Console()
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as scratch,
        Progress(console=Console(stderr=True), transient=True) as progress,
    ):
        figures = list(measure(Path(scratch), progress))
    table = Table(title=f"A shared list of {NUMBERS} numbers and {PATTERNS} patterns")
    for column in ("what", "measured", "at most", ""):
        table.add_column(column, justify="left" if column == "what" else "right")
    for figure in figures:
        limit = f"{figure.limit:g} {figure.unit}" if figure.limit is not None else ""
        verdict = "[red]missed[/]" if figure.missed else "ok" if limit else ""
        table.add_row(figure.what, f"{figure.value:.1f} {figure.unit}", limit, verdict)
    console.print(table)
    if any(figure.missed for figure in figures):
        raise SystemExit(1)
