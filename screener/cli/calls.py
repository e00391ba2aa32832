"""The commands of the service itself: run, the call log, the doctor, what a unit file needs."""

import asyncio
from typing import Annotated

import typer

from screener.cli.arguments import AsJson, chosen_screener, in_store
from screener.doctor import findings_json, findings_table
from screener.domain.inert import inert
from screener.readiness import State
from screener.tables import call_json, calls_table
from screener.terminal import say, say_json, say_table

MOST_CALLS = 100_000
EXIT_CODES = {State.HEALTHY: 0, State.DEGRADED: 1, State.DOWN: 2}


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(run)
    app.command(hidden=True)(work)
    app.command()(calls)
    app.command()(doctor)
    app.command()(ready)
    app.command()(release)


def run(ctx: typer.Context) -> None:
    """Screen calls until stopped."""
    chosen_screener(ctx).supervise()


def work(ctx: typer.Context, pipe: Annotated[int | None, typer.Argument(min=3)] = None) -> None:
    """Screen calls until stopped, as the one whom `run` watches over."""
    asyncio.run(chosen_screener(ctx).serve(pipe))


def calls(
    ctx: typer.Context,
    newest: Annotated[
        int, typer.Option("-n", min=1, max=MOST_CALLS, help="How many calls at most.")
    ] = 20,
    as_json: AsJson = False,
) -> None:
    """Show the call log, newest first."""
    screener = chosen_screener(ctx)
    records = in_store(screener, lambda store: store.calls.newest(newest), lookup=True)
    if as_json:
        say_json([call_json(record, screener.country) for record in records])
    elif records:
        say_table(calls_table(records, screener.country))
    else:
        say("no calls yet")


def doctor(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Look at every part of the installation; exit code 1 if something is wrong."""
    findings = asyncio.run(chosen_screener(ctx).checkup())
    if as_json:
        say_json(findings_json(findings))
    else:
        say_table(findings_table(findings))
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


def ready(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Tell whether calls are screened: 0 healthy, 1 degraded (they ring all the same), 2 down."""
    found = asyncio.run(chosen_screener(ctx).readiness())
    if as_json:
        say_json({"state": found.state, "reason": found.reason})
    else:
        say(inert(str(found)))
    raise typer.Exit(EXIT_CODES[found.state])


def release(ctx: typer.Context) -> None:
    """Hand every call that a screener left waiting back to Asterisk, which rings the telephone."""
    count = chosen_screener(ctx).release()
    say(f"{count or 'no'} call{'' if count == 1 else 's'} handed back")
