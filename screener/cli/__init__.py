"""The commands: the service, its call log, the household's lists, and why a caller gets through."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from screener.cli import calls, contacts, fraud, household
from screener.cli.arguments import Screener
from screener.terminal import Failure, OneLineErrors

__all__ = ["Failure", "Screener", "build"]


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

    for part in (calls, household, contacts, fraud):
        part.add_to(app)
    return app
