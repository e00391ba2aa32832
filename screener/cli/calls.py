"""The commands of the service itself: run, the call log, the doctor."""

import asyncio
from typing import Annotated

import typer

from screener.cli.arguments import AsJson, chosen_screener, in_store
from screener.doctor import findings_json, findings_table
from screener.tables import call_json, calls_table
from screener.terminal import say, say_json, say_table

MOST_CALLS = 100_000


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(run)
    app.command()(calls)
    app.command()(doctor)


def run(ctx: typer.Context) -> None:
    """Screen calls until stopped."""
    asyncio.run(chosen_screener(ctx).serve())


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
        say_json([call_json(record) for record in records])
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
