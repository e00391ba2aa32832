"""What the commands share: the screener they ask for, their arguments, a word with the store."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Annotated, NoReturn, Protocol, TypeVar

import typer

from screener.books.carddav import CardDavBook
from screener.doctor import Finding
from screener.domain.caller import Caller
from screener.domain.household import Household
from screener.domain.inert import inert
from screener.domain.lists import Lists
from screener.domain.numbers import Country, parse_entry
from screener.readiness import Readiness
from screener.shared.lists import FraudLists
from screener.store.database import Store
from screener.terminal import Failure

T = TypeVar("T")


class Screener(Protocol):
    """What the commands need of the service."""

    @property
    def country(self) -> Country:
        """The country whose numbers are domestic, and whose way of writing them is used."""

    @property
    def language(self) -> str:
        """The two-letter code of the household's language."""

    @property
    def household(self) -> Household:
        """How the household wants its callers treated."""

    @property
    def fraud_lists(self) -> FraudLists:
        """The shared lists of the settings."""

    @property
    def update_hours(self) -> int:
        """How often the shared lists are asked for news, in hours; 0 for never."""

    def store(self, *, lookup: bool = False) -> AbstractAsyncContextManager[Store]:
        """Open the call log and the household's lists; raises StoreError or Failure.

        For a mere ``lookup`` no database is made where there is none.
        """

    async def lists(self, store: Store) -> Lists:
        """Return the household's lists and the shared ones, as they are now."""

    def identify(self, given: str, name: str) -> Caller:
        """Return who a caller with this number and name is."""

    def carddav(self) -> CardDavBook:
        """Return the address book that the settings name; raises Failure where they name none."""

    def supervise(self) -> NoReturn:
        """Become the supervisor of ``screener work``, which screens calls; raises Failure."""

    async def serve(self, pipe: int | None = None) -> None:
        """Screen calls until told to stop, beating on the ``pipe`` to a supervisor if any."""

    async def checkup(self) -> list[Finding]:
        """Look at every part of the installation."""

    async def readiness(self) -> Readiness:
        """Tell in a word whether calls are screened."""

    def release(self) -> int:
        """Hand every held call back to Asterisk and return how many; raises Failure."""


def readable(text: str) -> str:
    """Return a text that the terminal sent, if it is one; BadParameter otherwise."""
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise typer.BadParameter(f"{inert(text, 40)} is not text in this terminal's encoding")
    return text


def _number(text: str) -> str:
    if text[:1] == "-" and not any(character.isdigit() for character in text):
        raise typer.BadParameter(f"no such option: {inert(text, 40)}")
    return readable(text)


CallerNumber = Annotated[str, typer.Argument(callback=_number, help='As shown; may be "".')]
Number = Annotated[
    str,
    typer.Argument(
        callback=_number,
        help="As dialled, or with + and code; 0120* for all that begin so; +49 or DE.",
    ),
]
Note = Annotated[str, typer.Option(callback=readable, help="Whose number it is, or why.")]
AsJson = Annotated[bool, typer.Option("--json", help="For machines: JSON on standard output.")]

# A number may begin with a dash, as no option of the commands with one does.
WITH_NUMBER = {"ignore_unknown_options": True}


def chosen_screener(ctx: typer.Context) -> Screener:
    """Return the screener of the settings file that was named; raises Failure."""
    screener: Screener = ctx.obj()
    return screener


def in_store(
    screener: Screener, act: Callable[[Store], Awaitable[T]], *, lookup: bool = False
) -> T:
    """Open the store, do something there, close it, and return what came of it."""

    async def opened() -> T:
        async with screener.store(lookup=lookup) as store:
            return await act(store)

    return asyncio.run(opened())


def entry_number(screener: Screener, text: str) -> str:
    """Return what a person typed as the number of an entry; raises Failure."""
    try:
        return parse_entry(text, country=screener.country)
    except ValueError as error:
        raise Failure(str(error)) from None
