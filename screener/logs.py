"""The log: one event is one line, for people on a console or for machines as JSON."""

import json
import logging
import sys
from pathlib import PurePath
from typing import TextIO

import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.types import EventDict, Processor, WrappedLogger

from screener.domain.inert import inert

LONGEST_VALUE = 1000  # characters; a caller's name can have 10 kB
OWN = "screener"  # the name by which our handler is found again at the root logger
TALKATIVE = ("aiosqlite", "alembic")  # libraries that tell each of their steps


def configure(fmt: str, level: str, stream: TextIO | None = None) -> None:
    """Send the log of the screener and of its libraries to a stream, standard error by default.

    ``fmt`` is ``console`` or ``json``; ``level`` a name such as ``info``. Bound context variables
    (``call=<id>``) stand on every line. Text from outside is inert, so that one event is one line
    whatever is in it; on the console only a traceback goes on below its event, indented.
    Calling it again replaces what was set. ValueError for an unknown format or level.
    """
    lowest = logging.getLevelNamesMapping().get(level.upper())
    if lowest is None:
        raise ValueError(f"unknown log level {level!r}")
    known: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    last_steps = _for_format(fmt, stream or sys.stderr)
    output = logging.StreamHandler(stream or sys.stderr)
    output.set_name(OWN)
    output.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=[*known, structlog.stdlib.ExtraAdder()],
            processors=[ProcessorFormatter.remove_processors_meta, *last_steps],
        )
    )
    root = logging.getLogger()
    for earlier in [each for each in root.handlers if each.get_name() == OWN]:
        root.removeHandler(earlier)
    root.addHandler(output)
    root.setLevel(lowest)
    for library in TALKATIVE:
        logging.getLogger(library).setLevel(max(lowest, logging.WARNING))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *known,
            structlog.stdlib.PositionalArgumentsFormatter(),
            ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def _for_format(fmt: str, stream: TextIO) -> list[Processor]:
    if fmt == "json":
        return [
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _simplified,
            # ASCII only, so that no viewer of the log can be led astray by what a caller sent.
            structlog.processors.JSONRenderer(json.dumps, ensure_ascii=True),
        ]
    if fmt == "console":
        return [
            structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=False),
            _simplified,
            _made_inert,
            structlog.dev.ConsoleRenderer(
                colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ]
    raise ValueError(f"unknown log format {fmt!r}")


def _simplified(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Leave nothing in an event but numbers, texts of bounded length, and lists of them."""
    return {
        key: value if key in {"exception", "stack"} else _simple(value)
        for key, value in event.items()
    }


def _simple(value: object) -> object:
    match value:
        case None | bool() | int() | float():
            return value
        case list() | tuple() | set() | frozenset():
            return [_simple(each) for each in value]
        case str() | PurePath():
            text = str(value)
        case _:
            text = repr(value)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def _made_inert(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Escape what could act on a terminal; indent tracebacks, so that none can pose as events."""
    for key, value in event.items():
        if key in {"exception", "stack"}:
            event[key] = "\n".join(f"    {inert(line)}" for line in str(value).split("\n"))
        elif isinstance(value, str):
            event[key] = inert(value)
    return event
