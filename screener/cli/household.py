"""The commands for the household's own lists, and why a caller gets through or not."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

import typer

from screener.cli.arguments import (
    WITH_NUMBER,
    AsJson,
    CallerNumber,
    Note,
    Number,
    Screener,
    chosen_screener,
    entry_number,
    in_store,
    readable,
)
from screener.domain.caller import NumberClass
from screener.domain.inert import inert
from screener.domain.lists import Entry, ListName, Lists
from screener.domain.numbers import written
from screener.domain.policy import Circumstances, decide
from screener.store.database import Store
from screener.tables import local_time, verdict_json, verdict_table
from screener.terminal import Failure, say, say_json, say_table
from screener.words import LANGUAGES


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (allow, screen, block, unlist, check):
        app.command(context_settings=WITH_NUMBER)(command)


def _day(text: str) -> str:
    if text:
        try:
            date.fromisoformat(text)
        except ValueError:
            shown = inert(text, 40)
            raise typer.BadParameter(f"not a day: {shown}; write it as 2026-11-30") from None
    return text


def _language(code: str) -> str:
    if code and code not in LANGUAGES:
        known = " or ".join(LANGUAGES)
        raise typer.BadParameter(f"no such language: {inert(code, 40)}; choose {known}")
    return code


Until = Annotated[
    str, typer.Option(callback=_day, help="The last day on which it counts, such as 2026-11-30.")
]


def allow(ctx: typer.Context, number: Number, note: Note = "", until: Until = "") -> None:
    """Let a number ring at once, with no warning."""
    _put(chosen_screener(ctx), ListName.ALLOW, number, note, until)


def screen(ctx: typer.Context, number: Number, note: Note = "", until: Until = "") -> None:
    """Warn a number first and then let it ring, whatever its kind: an exception for +49, say."""
    _put(chosen_screener(ctx), ListName.SCREEN, number, note, until)


def block(ctx: typer.Context, number: Number, note: Note = "", until: Until = "") -> None:
    """Turn a number away. Emergency numbers cannot be blocked."""
    _put(chosen_screener(ctx), ListName.BLOCK, number, note, until)


def unlist(ctx: typer.Context, number: Number) -> None:
    """Take a number off the household's lists."""
    screener = chosen_screener(ctx)
    key = entry_number(screener, number)
    removed = in_store(screener, lambda store: store.lists.remove(key))
    shown = written(key, country=screener.country)
    if removed is None:
        raise Failure(f"{shown} is on none of the household's lists")
    say(f"{shown} is no longer on the {removed.list_name} list")


def check(
    ctx: typer.Context,
    number: CallerNumber,
    name: Annotated[str, typer.Option(callback=readable, help="The caller's name.")] = "",
    language: Annotated[
        str, typer.Option(callback=_language, help="ja or en; the household's if not said.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Show what would happen to a caller now, and why."""
    screener = chosen_screener(ctx)

    async def now(store: Store) -> tuple[Lists, Circumstances]:
        at = Circumstances(
            moment=datetime.now(UTC).astimezone(), numbers_shown=store.calls.shows_numbers()
        )
        return await screener.lists(store), at

    caller = screener.identify(number, name)
    lists, at = in_store(screener, now, lookup=True)
    decision = decide(caller, lists, screener.household, at)
    if as_json:
        say_json(verdict_json(caller, decision, screener.country))
    else:
        words = LANGUAGES.get(language or screener.language, LANGUAGES["en"])
        say_table(verdict_table(caller, decision, screener.country, words))


def _put(screener: Screener, list_name: ListName, number: str, note: str, until: str) -> None:
    if screener.identify(number, "").number_class is NumberClass.EMERGENCY:
        raise Failure(f"{number} is an emergency number: it always rings, and is on no list")
    now = datetime.now(UTC)
    expires_at = _end_of(date.fromisoformat(until)) if until else None
    if expires_at and expires_at <= now:
        raise Failure(f"{until} is over: name a day to come")
    entry = Entry(
        list_name=list_name,
        number=entry_number(screener, number),
        note=note,
        origin="household",
        added_at=now,
        expires_at=expires_at,
    )
    before = in_store(screener, lambda store: store.lists.put(entry))
    moved = before is not None and before.list_name is not list_name
    left = f", and no longer on the {before.list_name} list" if before and moved else ""
    shown = written(entry.number, country=screener.country)
    limit = f" until {local_time(expires_at)}" if expires_at else ""
    say(f"{shown} is on the {list_name} list{limit}{left}")


def _end_of(day: date) -> datetime:
    """Return the midnight after a day, by this machine's clock."""
    return datetime.combine(day + timedelta(days=1), time(0)).astimezone()
