"""The figures of all faults played, one line a fault."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from rich.table import Table

from tests.faults.play import Played

if TYPE_CHECKING:
    from tests.faults.stage import Size

WARM_AFTER: Final = 3  # faults
MOST_GROWTH: Final = 1.1
MOST_FILES: Final = 2  # Asterisk keeps one or two a little longer
COLUMNS = ("runs", "calls", "rang", "slowest", "new calls", "lost", "other faults", "left over")


def table_of(played: Iterable[Played]) -> Table:
    """Return the table. The slowest ring: from the fault; of new calls, from their start."""
    by_fault: dict[str, list[Played]] = {}
    for each in played:
        by_fault.setdefault(each.fault, []).append(each)
    table = Table(title="What broke, and what became of the calls")
    table.add_column("fault")
    for column in COLUMNS:
        table.add_column(column, justify="right")
    for fault in sorted(by_fault):
        table.add_row(fault, *_row(by_fault[fault]))
    table.add_section()
    table.add_row("all", *_row([each for runs in by_fault.values() for each in runs]))
    return table


def _row(runs: list[Played]) -> list[str]:
    calls = [call for run in runs for call in run.calls]
    other = sum(len(call.faults) for call in calls) + sum(bool(run.trouble) for run in runs)
    figures = (
        len(runs),
        len(calls),
        sum(call.rang for call in calls),
        _slowest(call.wait for call in calls),
        _slowest(call.new_wait for call in calls),
        sum(bool(call.lost) for call in calls),
        other,
        sum(len(run.left_over) for run in runs),
    )
    return [str(figure) for figure in figures]


def _slowest(waits: Iterable[float | None]) -> str:
    slowest = max((wait for wait in waits if wait is not None), default=None)
    return "–" if slowest is None else f"{slowest:.2f} s"


@dataclass(frozen=True, slots=True)
class Growth:
    """How much more a program took after so many faults than when it had warmed up."""

    program: str
    faults: int
    settled: "Size"
    last: "Size"

    @property
    def too_much(self) -> bool:
        """Whether that is more than it may be."""
        grown = self.last.megabytes / self.settled.megabytes
        return grown > MOST_GROWTH or self.last.files > self.settled.files + MOST_FILES

    def __str__(self) -> str:
        before, after = self.settled, self.last
        return (
            f"{self.program}: {before.megabytes:.1f} MB and {before.files} files when warm,"
            f" {after.megabytes:.1f} MB and {after.files} after {self.faults} faults"
        )


def growths(played: Iterable[Played]) -> list[Growth]:
    """Return how each program has grown that lived through a few faults, the longest life last."""
    lives: dict[tuple[str, int], list[Size]] = {}
    for each in played:
        for size in each.sizes:
            lives.setdefault((size.program, size.pid), []).append(size)
    return sorted(
        (
            Growth(program, len(sizes), _largest(sizes[:WARM_AFTER]), sizes[-1])
            for (program, _), sizes in lives.items()
            if len(sizes) > WARM_AFTER
        ),
        key=lambda growth: growth.faults,
    )


def growth_of(found: Sequence[Growth]) -> Iterator[str]:
    """Say it of the longest life of each program, and of every one that grew too much."""
    longest = {each.program: each for each in found}
    for each in found:
        if each.too_much:
            yield f"grew too much: {each}"
        elif each is longest[each.program]:
            yield str(each)


def _largest(sizes: Sequence["Size"]) -> "Size":
    megabytes = max(size.megabytes for size in sizes)
    return replace(sizes[0], megabytes=megabytes, files=max(size.files for size in sizes))


def complaints(played: Played) -> Iterator[str]:
    """Say what was not as it must be, a line each."""
    if played.trouble:
        yield played.trouble
    for call in played.calls:
        for what in (*call.lost, *call.faults):
            yield f"{call.kind} {call.number}: {what}"
    for what in played.left_over:
        yield f"left over: {what}"
