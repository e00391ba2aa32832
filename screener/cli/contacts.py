"""The commands for address books, and for all that stands on the household's lists."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from screener.books.book import Book, origin_of, read_book
from screener.books.contact import OF_BOOK, BookError, Source, one_line
from screener.books.export import write_book
from screener.cli.arguments import AsJson, Screener, chosen_screener, in_store, readable
from screener.domain.inert import inert
from screener.domain.lists import Entry, ListName
from screener.domain.numbers import written
from screener.store.database import Store
from screener.store.entries import Change
from screener.tables import entries_table, entry_json
from screener.terminal import Failure, progress, say, say_json, say_table

TOLD = 20  # faults and entries told one by one; --json tells more

HOUSEHOLDS = (ListName.ALLOW, ListName.SCREEN, ListName.BLOCK)
ALL = "all"


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    books = typer.Typer(help="Address books: whoever is in one rings at once.")
    books.command("import")(import_file)
    for command in (sync, export, show, remove):
        books.command()(command)
    app.add_typer(books, name="contacts")
    app.command()(entries)


def _book_name(text: str) -> str:
    if text:
        try:
            origin_of(readable(text))
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
    return text


def _list_choice(text: str) -> str:
    if text not in {*HOUSEHOLDS, ALL}:
        known = ", ".join([*HOUSEHOLDS, ALL])
        raise typer.BadParameter(f"no such list: {inert(text, 40)}; choose one of {known}")
    return text


BookName = Annotated[str, typer.Argument(callback=_book_name, help="What the book is called.")]
WhichList = Annotated[
    str, typer.Option("--list", callback=_list_choice, help="allow, screen, block or all.")
]


def import_file(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="vCards, or CSV with headings.")],
    name: Annotated[
        str, typer.Option(callback=_book_name, help="What to call it; else as the file.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Let everybody in an address book ring at once, in place of what came from it before."""
    screener = chosen_screener(ctx)
    now = datetime.now(UTC)
    origin = origin_of(name or one_line(file.stem) or "file")
    size = file.stat().st_size if file.is_file() else 0
    try:
        with progress(f"reading {inert(file.name, 40)}", size) as read:
            book = read_book(file, Source(origin, screener.country, now), read)
    except BookError as error:
        raise Failure(str(error)) from None
    if book.exported and name:
        raise Failure(
            f"{inert(str(file), 200)} is an export of the screener, which says itself where each"
            " entry is from: leave --name out"
        )

    async def take(store: Store) -> Change:
        if book.exported:
            return await store.lists.add(book.entries, now)
        return await store.lists.replace_origin(origin, book.entries, now)

    change = in_store(screener, take)
    _tell(screener, "export" if book.exported else origin, book, change, as_json=as_json)


def sync(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Read the address book on the CardDAV server of the settings now."""
    screener = chosen_screener(ctx)
    book = screener.carddav()
    now = datetime.now(UTC)
    try:
        found = asyncio.run(book.read(screener.country, now))
    except BookError as error:
        raise Failure(str(error)) from None
    change = in_store(
        screener, lambda store: store.lists.replace_origin(book.origin, found.entries, now)
    )
    _tell(screener, book.origin, found, change, as_json=as_json)


def export(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="What to write: FILE.vcf or FILE.csv.")],
    which: WhichList = ListName.ALLOW,
) -> None:
    """Write the allow list, or another one, for a telephone, a spreadsheet or another screener."""
    screener = chosen_screener(ctx)
    chosen = _of_list(_current(screener), which)
    try:
        write_book(file, chosen, screener.country)
    except BookError as error:
        raise Failure(str(error)) from None
    say(f"{inert(str(file), 200)}: {_count(len(chosen), 'entry', 'entries')} written")


def show(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(callback=_book_name, help="One book only.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show which address books there are, or who is in one."""
    screener = chosen_screener(ctx)
    current = _current(screener)
    if name:
        found = [each for each in _ordered(current) if each.origin == origin_of(name)]
        if not found:
            raise Failure(_no_such(name, current))
        _show(screener, found, as_json=as_json)
        return
    books = _books(current)
    if as_json:
        say_json([{"name": book, "numbers": count} for book, count in books.items()])
    elif books:
        say("\n".join(f"{inert(book)}: {_count(count, 'number')}" for book, count in books.items()))
    else:
        say("no address books yet; see screener contacts import --help")


def remove(ctx: typer.Context, name: BookName) -> None:
    """Take everybody off the allow list who came from an address book."""
    screener = chosen_screener(ctx)
    now = datetime.now(UTC)
    origin = origin_of(name)
    change = in_store(screener, lambda store: store.lists.replace_origin(origin, {}, now))
    if not change.removed:
        raise Failure(_no_such(name, _current(screener)))
    say(f"{inert(name)}: {_count(change.removed, 'number')} taken off the allow list")


def entries(ctx: typer.Context, which: WhichList = ALL, as_json: AsJson = False) -> None:
    """Show what stands on the household's own lists, from where, since when and until when."""
    screener = chosen_screener(ctx)
    found = _of_list(_current(screener), which)
    if found or as_json:
        _show(screener, found, as_json=as_json)
    else:
        say("nothing yet; see screener allow --help and screener contacts import --help")


def _current(screener: Screener) -> Mapping[str, Entry]:
    return in_store(screener, lambda store: store.lists.current(), lookup=True)


def _ordered(current: Mapping[str, Entry]) -> list[Entry]:
    return sorted(current.values(), key=lambda each: (each.list_name, each.number))


def _of_list(current: Mapping[str, Entry], which: str) -> list[Entry]:
    return [each for each in _ordered(current) if which in {each.list_name, ALL}]


def _books(current: Mapping[str, Entry]) -> dict[str, int]:
    counted = Counter(each.origin for each in current.values())
    books = {origin.removeprefix(OF_BOOK): n for origin, n in counted.items()}
    return {name: n for name, n in sorted(books.items()) if OF_BOOK + name in counted}


def _no_such(name: str, current: Mapping[str, Entry]) -> str:
    there = ", ".join(inert(book, 40) for book in _books(current)) or "none yet"
    return f"there is no address book {inert(name, 40)}; there is {there}"


def _show(screener: Screener, found: list[Entry], *, as_json: bool) -> None:
    if as_json:
        say_json([entry_json(entry) for entry in found])
    else:
        say_table(entries_table(found, screener.country, datetime.now(UTC)))


def _tell(screener: Screener, what: str, book: Book, change: Change, *, as_json: bool) -> None:
    """Say what became of a book, and what of it was left out and why."""
    if as_json:
        say_json(
            {
                "origin": what,
                "contacts": book.contacts,
                "numbers": len(book.entries),
                **{key: getattr(change, key) for key in _COUNTS},
                "kept": [entry_json(entry) for entry in change.kept],
                **{key: getattr(book, key) for key in _REMARKS},
                "left_out": book.faults.total,
                "faults": book.faults.first,
            }
        )
        return
    counts = ", ".join(f"{getattr(change, key)} {word}" for key, word in _COUNTS.items())
    lines = [f"{inert(what)}: {_count(len(book.entries), 'number')}; {counts}"]
    lines += [f"{n} {word}" for key, word in _REMARKS.items() if (n := getattr(book, key))]
    kept = [
        f"{written(each.number, country=screener.country)} ({each.list_name}, {each.origin})"
        for each in change.kept
    ]
    lines += _some("already on a list, and left there", kept)
    lines += _some("left out", book.faults.first, book.faults.total)
    say("\n".join(lines))


_COUNTS = {"added": "new", "changed": "renamed", "removed": "gone", "unchanged": "as before"}
_REMARKS = {
    "without_number": "without a number",
    "repeated": "more than once, and noted under the first name",
    "mended": "without their first 0, which they have again",
}


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _some(what: str, told: list[str], total: int | None = None) -> list[str]:
    count = len(told) if total is None else total
    if not count:
        return []
    more = [f"  and {count - TOLD} more; --json tells them"] if count > TOLD else []
    return [f"{count} {what}:", *(f"  {inert(each, 200)}" for each in told[:TOLD]), *more]
