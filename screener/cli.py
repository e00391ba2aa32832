"""The commands: the service, its call log, the household's lists, and why a caller gets through."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Protocol, TypeVar

import typer

from screener.doctor import Finding, findings_json, findings_table
from screener.domain.caller import Caller, NumberClass
from screener.domain.inert import inert
from screener.domain.lists import Entry, ListName, Lists
from screener.domain.numbers import Country, parse_entry, written
from screener.domain.policy import decide
from screener.store.database import Store
from screener.tables import call_json, calls_table, verdict_json, verdict_table
from screener.terminal import Failure, OneLineErrors, say, say_json, say_table

__all__ = ["Failure", "Screener", "build"]

MOST_CALLS = 100_000
T = TypeVar("T")


class Screener(Protocol):
    """What the commands need of the service."""

    @property
    def country(self) -> Country:
        """The country whose numbers are domestic, and whose way of writing them is used."""

    def store(self) -> AbstractAsyncContextManager[Store]:
        """Open the call log and the household's lists; raises StoreError or Failure."""

    async def lists(self, store: Store) -> Lists:
        """Return the household's lists and the shared ones, as they are now."""

    def identify(self, given: str, name: str) -> Caller:
        """Return who a caller with this number and name is."""

    async def serve(self) -> None:
        """Screen calls until told to stop."""

    async def checkup(self) -> list[Finding]:
        """Look at every part of the installation."""


def build(load: Callable[[Path | None], Screener]) -> typer.Typer:
    """Return the command line.

    ``load`` makes the screener from a settings file, None for the usual one. It is called when a
    command needs it, and may raise Failure. Exit codes: 0 fine, 1 the doctor found something
    wrong, 2 bad input or cannot, 130 interrupted by Ctrl-C.
    """
    app = typer.Typer(
        cls=OneLineErrors,
        add_completion=False,
        pretty_exceptions_enable=False,
        help="Screens the calls to a landline before the telephone rings.",
    )

    @app.callback()
    def screener(
        ctx: typer.Context,
        config: Annotated[
            Path | None, typer.Option(help="Settings file, instead of config/screener.toml.")
        ] = None,
    ) -> None:
        ctx.obj = partial(load, config)

    app.command()(run)
    app.command()(calls)
    # A number may begin with a dash, as no option of these commands does.
    for command in (allow, block, unlist, check):
        app.command(context_settings={"ignore_unknown_options": True})(command)
    app.command()(doctor)
    return app


def _readable(text: str) -> str:
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise typer.BadParameter(f"{inert(text, 40)} is not text in this terminal's encoding")
    return text


def _number(text: str) -> str:
    if text[:1] == "-" and not any(character.isdigit() for character in text):
        raise typer.BadParameter(f"no such option: {inert(text, 40)}")
    return _readable(text)


Number = Annotated[str, typer.Argument(callback=_number, help="As dialled, or with + and code.")]
Note = Annotated[str, typer.Option(callback=_readable, help="Whose number it is, or why.")]
AsJson = Annotated[bool, typer.Option("--json", help="For machines: JSON on standard output.")]


def run(ctx: typer.Context) -> None:
    """Screen calls until stopped."""
    asyncio.run(_screener(ctx).serve())


def calls(
    ctx: typer.Context,
    newest: Annotated[
        int, typer.Option("-n", min=1, max=MOST_CALLS, help="How many calls at most.")
    ] = 20,
    as_json: AsJson = False,
) -> None:
    """Show the call log, newest first."""
    screener = _screener(ctx)
    records = _in_store(screener, lambda store: store.calls.newest(newest))
    if as_json:
        say_json([call_json(record) for record in records])
    elif records:
        say_table(calls_table(records, screener.country))
    else:
        say("no calls yet")


def allow(ctx: typer.Context, number: Number, note: Note = "") -> None:
    """Let a number ring at once, with no warning."""
    _put(_screener(ctx), ListName.ALLOW, number, note)


def block(ctx: typer.Context, number: Number, note: Note = "") -> None:
    """Turn a number away. Emergency numbers cannot be blocked."""
    screener = _screener(ctx)
    if screener.identify(number, "").number_class is NumberClass.EMERGENCY:
        raise Failure(f"{number} is an emergency number: it always rings, and cannot be blocked")
    _put(screener, ListName.BLOCK, number, note)


def unlist(ctx: typer.Context, number: Number) -> None:
    """Take a number off the household's allow list or block list."""
    screener = _screener(ctx)
    key = _entry_number(screener, number)
    removed = _in_store(screener, lambda store: store.lists.remove(key))
    shown = written(key, country=screener.country)
    if removed is None:
        raise Failure(f"{shown} is neither on the household's allow list nor on its block list")
    say(f"{shown} is no longer on the {removed.list_name} list")


def check(
    ctx: typer.Context,
    number: Annotated[str, typer.Argument(callback=_number, help='As shown; may be "".')],
    name: Annotated[str, typer.Option(callback=_readable, help="The caller's name.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show what would happen to a caller now, and why."""
    screener = _screener(ctx)
    caller = screener.identify(number, name)
    decision = decide(caller, _in_store(screener, screener.lists))
    if as_json:
        say_json(verdict_json(caller, decision))
    else:
        say_table(verdict_table(caller, decision, screener.country))


def doctor(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Look at every part of the installation; exit code 1 if something is wrong."""
    findings = asyncio.run(_screener(ctx).checkup())
    if as_json:
        say_json(findings_json(findings))
    else:
        say_table(findings_table(findings))
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


def _screener(ctx: typer.Context) -> Screener:
    screener: Screener = ctx.obj()
    return screener


def _in_store(screener: Screener, act: Callable[[Store], Awaitable[T]]) -> T:
    async def opened() -> T:
        async with screener.store() as store:
            return await act(store)

    return asyncio.run(opened())


def _entry_number(screener: Screener, number: str) -> str:
    try:
        return parse_entry(number, country=screener.country)
    except ValueError as error:
        raise Failure(str(error)) from None


def _put(screener: Screener, list_name: ListName, number: str, note: str) -> None:
    entry = Entry(
        list_name=list_name,
        number=_entry_number(screener, number),
        note=note,
        origin="household",
        added_at=datetime.now(UTC),
    )
    before = _in_store(screener, lambda store: store.lists.put(entry))
    moved = before is not None and before.list_name is not list_name
    left = f", and no longer on the {before.list_name} list" if before and moved else ""
    shown = written(entry.number, country=screener.country)
    say(f"{shown} is on the {list_name} list{left}")
