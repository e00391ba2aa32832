"""The figures of all faults played, one line a fault."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from rich.table import Table

from tests.faults.play import Played

if TYPE_CHECKING:
    from tests.faults.stage import Size

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


def growth(played: Iterable[Played]) -> str:
    """Say how the Asterisk that lived through the most faults has grown, from the first on."""
    lives: dict[int, list[Size]] = {}
    for each in played:
        if each.size:
            lives.setdefault(each.size.pid, []).append(each.size)
    if not lives:
        return "no Asterisk was looked at"
    longest = max(lives.values(), key=len)
    first, last = longest[0], longest[-1]
    return (
        f"the Asterisk that lived longest took {first.megabytes:.0f} MB and {first.files} files"
        f" after its first fault, {last.megabytes:.0f} MB and {last.files} after {len(longest)}"
    )


def complaints(played: Played) -> Iterator[str]:
    """Say what was not as it must be, a line each."""
    if played.trouble:
        yield played.trouble
    for call in played.calls:
        for what in (*call.lost, *call.faults):
            yield f"{call.kind} {call.number}: {what}"
    for what in played.left_over:
        yield f"left over: {what}"
