"""The commands for shared fraud lists: update, import, show, rollback."""

import asyncio
import contextlib
import csv
import io
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress as Bars

from screener.cli.arguments import AsJson, Screener, chosen_screener, in_store, readable
from screener.domain.inert import inert
from screener.domain.lists import ListName
from screener.domain.numbers import parse_number
from screener.fraud_tables import entries_table, list_json, list_table, lists_table
from screener.shared.compiled import FraudList
from screener.shared.errors import ListError
from screener.shared.job import Progress, quiet
from screener.shared.lists import Standing
from screener.shared.update import Outcome, State
from screener.shared.update import update as update_list
from screener.tables import entry_json
from screener.terminal import Failure, say, say_json, say_table

NICE = 10  # how far an update in the background steps back for the calls

Name = Annotated[str, typer.Argument(callback=readable, help="The name of a list.")]
Yes = Annotated[bool, typer.Option("--yes", help="Take a list however much it changed.")]


def add_to(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(help="Shared lists of numbers known for fraud.", no_args_is_help=True)
    group.command()(update)
    group.command("import")(import_)
    group.command(context_settings={"ignore_unknown_options": True})(show)
    group.command()(rollback)
    app.add_typer(group, name="lists")


def update(
    ctx: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Lists; all if not said.")
    ] = None,
    yes: Yes = False,
    background: Annotated[
        bool, typer.Option("--background", help="Only what is due, and as low as can be.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Take what the sources of the lists have now."""
    screener = chosen_screener(ctx)
    known = screener.fraud_lists
    chosen = names or list(known.sources)
    now = datetime.now(UTC)
    with _one_line():
        for name in chosen:
            known.shelf(name)
        if background:
            os.nice(NICE)
            every = timedelta(hours=screener.update_hours)
            chosen = [name for name in chosen if known.due(name, now, every)]
    _tell(_updated(screener, chosen, yes, terminal=not (background or as_json)), as_json)


def import_(
    ctx: typer.Context,
    name: Name,
    file: Annotated[Path, typer.Argument(help="A file or directory in the list's format.")],
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Take a list from a file this once, under the same limits as an update."""
    screener = chosen_screener(ctx)
    with _one_line():
        screener.fraud_lists.shelf(name)
    place = str(file.absolute())
    _tell(_updated(screener, [name], yes, place=place, terminal=not as_json), as_json)


def show(
    ctx: typer.Context,
    what: Annotated[
        str, typer.Argument(callback=readable, metavar="[NAME|NUMBER]", help="A list or a number.")
    ] = "",
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Every entry of the list, as it can be imported again.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the lists with version and age, or one list, or where a number stands."""
    screener = chosen_screener(ctx)
    known, now = screener.fraud_lists, datetime.now(UTC)
    if what and what not in known.sources:
        _show_number(screener, what, now, as_json)
        return
    standings = [known.standing(name, now) for name in ([what] if what else known.sources)]
    if as_csv:
        _show_csv(standings, what)
    elif as_json:
        shown = [list_json(each, now) for each in standings]
        say_json(shown[0] if what else shown)
    elif what:
        say_table(list_table(standings[0], known.shelf(what), now))
    elif standings:
        say_table(lists_table(standings, now))
    else:
        say("there is no list in [lists] of the settings")


def rollback(ctx: typer.Context, name: Name) -> None:
    """Go back to the version before; it stays until an update is allowed with --yes."""
    screener = chosen_screener(ctx)
    with _one_line():
        shelf = screener.fraud_lists.shelf(name)
    with _one_line(f"list {name}: "), shelf.locked():
        found = shelf.back()
    say(
        f"{name} is back at version {inert(found.version, 60)} with {found.head.count} entries;"
        f" it stays so until: screener lists update {name} --yes"
    )


def _updated(
    screener: Screener, names: list[str], yes: bool, *, terminal: bool, place: str = ""
) -> list[Outcome]:
    listed = in_store(screener, lambda store: store.lists.current(), lookup=True)
    allowed = [each.number for each in listed.values() if each.list_name is ListName.ALLOW]

    known = screener.fraud_lists

    async def all_of(progress: Progress, agree: Callable[[str], bool]) -> list[Outcome]:
        outcomes = []
        for name in names:
            now = datetime.now(UTC)
            job = known.job(name, now=now, allowed=allowed, progress=progress, place=place)
            outcomes.append(await update_list(job, known.shelf(name), agree))
        return outcomes

    with _progress(shown=terminal and sys.stderr.isatty()) as (progress, pause):

        def agree(change: str) -> bool:
            if yes or not (terminal and sys.stdin.isatty() and sys.stderr.isatty()):
                return yes
            pause()
            return typer.confirm(f"{inert(change, 200)}. Take it?", err=True)

        return asyncio.run(all_of(progress, agree))


@contextlib.contextmanager
def _progress(*, shown: bool) -> Iterator[tuple[Progress, Callable[[], None]]]:
    """Show what an update does, as a bar for each step; also yields what ends the showing."""
    if not shown:
        yield quiet, lambda: None
        return
    with Bars(console=Console(stderr=True), transient=True) as bars:
        rows = {}

        def step(doing: str, done: int, of: int | None) -> None:
            if doing not in rows:
                rows[doing] = bars.add_task(inert(doing, 60))
            bars.update(rows[doing], completed=done, total=of)

        yield step, bars.stop


def _tell(outcomes: list[Outcome], as_json: bool) -> None:
    failed = [outcome for outcome in outcomes if outcome.state is State.FAILED]
    if as_json:
        say_json([asdict(outcome) for outcome in outcomes])
    else:
        for outcome in outcomes:
            if outcome.state is not State.FAILED:
                say(_line(outcome))
    if failed:
        raise Failure("; ".join(f"list {each.name}: {each.detail}" for each in failed))


def _line(outcome: Outcome) -> str:
    name, version = outcome.name, inert(outcome.version, 60)
    match outcome.state:
        case State.TAKEN:
            before = f" (before: {outcome.before})"
            return f"{name} is now version {version} with {outcome.after} entries{before}"
        case State.WAITING:
            return (
                f"{name} is not updated: {inert(outcome.detail, 200)};"
                f" if that is right: screener lists update {name} --yes"
            )
        case _:
            return f"{name} is unchanged: version {version} with {outcome.before} entries"


def _show_number(screener: Screener, text: str, now: datetime, as_json: bool) -> None:
    try:
        key = parse_number(text, country=screener.country)
    except ValueError as error:
        names = ", ".join(screener.fraud_lists.sources) or "none"
        raise Failure(f"{error}; and no list is called so (there are: {names})") from None
    found = [each.find(key) for each in screener.fraud_lists.current(now)]
    entries = [entry for entry in found if entry is not None]
    if as_json:
        say_json([entry_json(entry) for entry in entries])
    elif entries:
        say_table(entries_table(entries, screener.country))
    else:
        say("on none of the shared lists")


def _show_csv(standings: list[Standing], name: str) -> None:
    if not name:
        raise Failure("--csv needs the name of a list")
    current = standings[0].current
    if current is None:
        raise Failure(f"list {name}: {standings[0].complaint}")
    say("number,source,date,note")
    for piece in _csv_pieces(current):
        say(piece)


def _csv_pieces(current: FraudList, at_once: int = 1000) -> Iterator[str]:
    """Yield the entries as CSV, so many lines at a time."""
    page = io.StringIO()
    writer = csv.writer(page, lineterminator="\n")
    for number, entry in enumerate(current.entries(), start=1):
        day = entry.added_at.date().isoformat() if entry.added_at else ""
        writer.writerow([entry.number, "", day, _no_formula(inert(entry.note))])
        if number % at_once == 0:
            yield page.getvalue().rstrip("\n")
            page.seek(0)
            page.truncate()
    if page.getvalue():
        yield page.getvalue().rstrip("\n")


def _no_formula(note: str) -> str:
    """Return a stranger's words so that no spreadsheet reckons with them."""
    return f"'{note}" if note.startswith(("=", "+", "-", "@")) else note


@contextlib.contextmanager
def _one_line(before: str = "") -> Iterator[None]:
    try:
        yield
    except ListError as error:
        raise Failure(f"{before}{error}") from None
