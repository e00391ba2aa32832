"""What the commands write: tables or JSON, and any trouble as one line on standard error."""

import atexit
import contextlib
import io
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

import typer
from rich.console import Console, RenderableType
from rich.progress import Progress
from typer.core import TyperGroup

from screener.domain.inert import inert
from screener.store.database import StoreError

CANNOT, INTERRUPTED = 2, 130  # exit codes; 1 is the doctor's
UNBROKEN = 500  # columns where no terminal limits them: grep finds a call on one line
LONGEST_LINE = 500  # characters of a complaint
WORTH_SHOWING = 1_000_000  # bytes of a file whose reading takes a person's patience


class Failure(Exception):
    """Expected trouble, shown as one line; str() says what is wrong and what to do."""


class OneLineErrors(TyperGroup):
    """Commands whose trouble is one line on standard error and exit code 2, never a traceback."""

    def main(self, *args: Any, **kwargs: Any) -> None:
        """Run one command and exit."""
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # as Python does for stderr
        # From then on the work is done, and Ctrl-C could only make Python complain on its way out.
        atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
        kwargs |= {"prog_name": "screener", "standalone_mode": False}
        try:
            code = super().main(*args, **kwargs) or 0
        except typer.TyperException as error:
            code = _complain(f"{error.format_message()} (see screener --help)")
        except (Failure, StoreError) as error:
            code = _complain(str(error))
        except KeyboardInterrupt:
            code = INTERRUPTED  # Typer says the same, except at the edges of what it guards
        except SystemExit as early:
            # Typer's own way out while it writes the help, where a reader has left.
            code = 0 if isinstance(early.__context__, BrokenPipeError) else early.code
        sys.exit(code)


def say(text: str) -> None:
    """Write a line. A reader who left early, as head does, has had enough: that is no trouble.

    Raises Failure where nothing can be written at all.
    """
    try:
        typer.echo(text)
    except OSError as error:
        # What is still buffered must go somewhere, or Python complains about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise Failure(f"cannot write to standard output: {error.strerror}") from None


def say_table(table: RenderableType) -> None:
    """Write a table, as wide as the terminal, or as wide as it needs to be where there is none."""
    page = io.StringIO()  # first on a page, so that there is one place where writing can fail
    coloured = sys.stdout is not None and sys.stdout.isatty()
    width = shutil.get_terminal_size((UNBROKEN, 0)).columns
    console = Console(
        file=page, force_terminal=coloured, width=width, markup=False, emoji=False, highlight=False
    )
    console.print(table)
    say("\n".join(line.rstrip() for line in page.getvalue().splitlines()))


def say_json(value: object) -> None:
    """Write a value as JSON, in ASCII: so what a caller sent acts on no terminal either."""
    say(json.dumps(value, indent=2, ensure_ascii=True))


@contextlib.contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show how far a long piece of work is, to people only; told of the steps as they are done."""
    console = Console(stderr=True, markup=False, emoji=False)
    shown = console.is_terminal and total >= WORTH_SHOWING
    with Progress(console=console, transient=True, disable=not shown) as bar:
        task = bar.add_task(what, total=total)
        yield lambda steps: bar.advance(task, steps)


def _complain(text: str) -> int:
    with contextlib.suppress(OSError):
        typer.echo(f"screener: {inert(' '.join(text.split()), LONGEST_LINE)}", err=True)
    return CANNOT
