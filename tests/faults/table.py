"""The figures of all faults played, one line a fault."""

from collections.abc import Iterable, Iterator

from rich.table import Table

from tests.faults.play import Played

COLUMNS = ("runs", "calls", "rang", "slowest ring", "lost calls", "other faults", "left over")


def table_of(played: Iterable[Played]) -> Table:
    """Return the table. The slowest ring is that of a call that the fault met, in seconds."""
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
    slowest = max((call.wait for call in calls if call.wait is not None), default=None)
    other = sum(len(call.faults) for call in calls) + sum(bool(run.trouble) for run in runs)
    figures = (
        len(runs),
        len(calls),
        sum(call.rang for call in calls),
        "–" if slowest is None else f"{slowest:.2f} s",
        sum(bool(call.lost) for call in calls),
        other,
        sum(len(run.left_over) for run in runs),
    )
    return [str(figure) for figure in figures]


def complaints(played: Played) -> Iterator[str]:
    """Say what was not as it must be, a line each."""
    if played.trouble:
        yield played.trouble
    for call in played.calls:
        for what in (*call.lost, *call.faults):
            yield f"{call.kind} {call.number}: {what}"
    for what in played.left_over:
        yield f"left over: {what}"
