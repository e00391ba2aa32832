"""How shared lists are shown: as tables to people, as plain values to machines."""

from collections.abc import Sequence
from datetime import datetime

from rich.console import Group
from rich.table import Table
from rich.text import Text

from screener.domain.inert import inert
from screener.domain.lists import Entry
from screener.domain.numbers import Country, written
from screener.shared.errors import Damaged
from screener.shared.lists import Standing
from screener.shared.shelf import Shelf
from screener.tables import local_time


def lists_table(standings: Sequence[Standing], now: datetime) -> Group:
    """Return every list with its version, date, entries and age; below, what is wrong with them."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("list", "version", "date", "entries", "refused", "malformed", "age"):
        table.add_column(heading, overflow="fold", no_wrap=heading in {"list", "date", "age"})
    for each in standings:
        head = each.current.head if each.current else None
        table.add_row(
            Text(each.source.name),
            Text(inert(head.version, 40) if head else "-"),
            head.dated[:10] if head else "-",
            str(head.count) if head else "0",
            str(sum(part.count for part in head.refused.values())) if head else "",
            str(head.malformed) if head else "",
            shown_age(each, now),
        )
    wrong = [f"{each.source.name}: {worry}" for each in standings for worry in worries(each, now)]
    return Group(table, *(Text(line, style="bold") for line in wrong))


def list_table(standing: Standing, shelf: Shelf, now: datetime) -> Table:
    """Return all that is known of one list, and of the versions of it that are kept."""
    table = Table.grid(padding=(0, 2))
    source, current = standing.source, standing.current
    table.add_row("list", Text(source.name))
    table.add_row("source", Text(f"{inert(source.place, 200)} ({source.format})"))
    if current is not None:
        head = current.head
        table.add_row("version", Text(inert(head.version, 60)))
        table.add_row("date", Text(local_time(datetime.fromisoformat(head.dated))))
        table.add_row("taken", Text(local_time(datetime.fromisoformat(head.taken_at))))
        table.add_row("entries", f"{head.numbers} numbers, {head.patterns} patterns")
        for kind, part in head.refused.items():
            some = ", ".join(inert(each, 40) for each in part.examples)
            table.add_row("refused", Text(f"{part.count}: {kind}: {some}"))
        if head.doubled:
            table.add_row("doubled", f"{head.doubled}")
        if head.malformed:
            some = "; ".join(inert(each, 160) for each in head.faults)
            table.add_row("malformed", Text(f"{head.malformed}: {some}"))
        table.add_row("signature", Text(head.signature or "none asked for"))
    table.add_row("age", shown_age(standing, now))
    for worry in worries(standing, now):
        table.add_row(Text("wrong", style="bold red"), Text(worry))
    for name in reversed(shelf.files()):
        table.add_row("kept", Text(_version_line(shelf, name)))
    return table


def list_json(standing: Standing, now: datetime) -> dict[str, object]:
    """Return a list for machines; times are ISO 8601 with zone, what is not known is None."""
    head = standing.current.head if standing.current else None
    waiting = standing.pointer.waiting
    return {
        "name": standing.source.name,
        "source": standing.source.place,
        "format": standing.source.format,
        "version": head.version if head else None,
        "date": head.dated if head else None,
        "taken_at": head.taken_at if head else None,
        "checked_at": standing.pointer.checked_at or None,
        "age_days": standing.age(now).days if standing.known_at else None,
        "count": head.count if head else 0,
        "numbers": head.numbers if head else 0,
        "patterns": head.patterns if head else 0,
        "refused": {
            kind: {"count": part.count, "examples": list(part.examples)}
            for kind, part in (head.refused.items() if head else ())
        },
        "malformed": head.malformed if head else 0,
        "faults": list(head.faults) if head else [],
        "doubled": head.doubled if head else 0,
        "signature": head.signature or None if head else None,
        "held": standing.pointer.held,
        "waiting": {"version": waiting.version, "before": waiting.before, "after": waiting.after}
        if waiting
        else None,
        "wrong": worries(standing, now),
    }


def entries_table(entries: Sequence[Entry], country: Country) -> Table:
    """Return on which lists a number stands, and as what."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("list", "version", "entry", "since", "note"):
        table.add_column(heading, overflow="fold")
    for entry in entries:
        table.add_row(
            Text(entry.origin),
            Text(inert(entry.version or "", 40)),
            Text(inert(written(entry.number, country=country))),
            f"{entry.added_at:%Y-%m-%d}" if entry.added_at else "",
            Text(inert(entry.note, 160)),
        )
    return table


def worries(standing: Standing, now: datetime) -> list[str]:
    """Return what is wrong with a list, each in some words."""
    found, pointer = [], standing.pointer
    if standing.complaint:
        found.append(inert(standing.complaint, 300))
    if pointer.failed:
        found.append(inert(f"the last update failed: {pointer.failed}", 300))
    if pointer.waiting:
        waiting = pointer.waiting
        found.append(f"an update waits for a yes: from {waiting.before} to {waiting.after} entries")
    if pointer.held:
        found.append("rolled back, and not updated until a yes")
    if standing.too_old(now):
        found.append(f"{standing.age(now).days} days old")
    return found


def shown_age(standing: Standing, now: datetime) -> str:
    """Return the age of a list in whole days or hours."""
    if standing.known_at is None:
        return "-"
    age = standing.age(now)
    return f"{age.days} days" if age.days else f"{age.seconds // 3600} hours"


def _version_line(shelf: Shelf, name: str) -> str:
    counts = " (this one)" if name == shelf.pointer().file else ""
    try:
        head = shelf.read(name).head
    except Damaged as error:
        return f"{name}: damaged: {error}"
    taken = local_time(datetime.fromisoformat(head.taken_at))
    return inert(f"{taken}  version {head.version}, {head.count} entries{counts}", 200)
