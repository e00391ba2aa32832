"""One event is one line, whoever wrote it and whatever a caller put into it."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path

import pytest
import structlog

from screener import logs

Lines = Callable[[], list[str]]
BAD_NAMES = [
    "two\nlines\r\n2026-01-01 00:00:00 [info     ] forged",
    "\x1b[2J\x1b[31mred\x9b0m\a",
    "\u202e0110-3853-0\u2066\u200b\u2028",
    "%s %d %(x)s {} ${SHELL(rm)} [bold]loud[/bold]",
    "\udcff\x00",
    "\"quotes\" 'and' \\backslashes\\",
    "名" * 10_000,
]


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    root.setLevel(level)
    root.handlers[:] = handlers
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def configured(fmt: str, level: str = "info") -> Lines:
    stream = io.StringIO()
    logs.configure(fmt, level, stream)
    return lambda: stream.getvalue().splitlines()


def test_the_console_shows_event_and_values_on_one_line() -> None:
    lines = configured("console")
    structlog.get_logger().info("the call rings", caller="03-1234-5678", seconds=2)
    (line,) = lines()
    assert "the call rings" in line
    assert "caller=03-1234-5678" in line
    assert "seconds=2" in line
    assert "\x1b" not in line


def test_json_is_one_object_a_line_with_level_and_time_in_utc() -> None:
    lines = configured("json")
    structlog.get_logger().warning("the call rings", file=Path("a/b.wav"), tries=[1, "x"])
    event = json.loads(lines()[0])
    assert event.pop("timestamp").endswith("Z")
    assert event == {
        "event": "the call rings",
        "file": "a/b.wav",
        "level": "warning",
        "logger": __name__,
        "tries": [1, "x"],
    }


@pytest.mark.parametrize("fmt", ["console", "json"])
def test_the_call_id_stands_on_every_line_also_on_those_of_libraries(fmt: str) -> None:
    lines = configured(fmt)
    with structlog.contextvars.bound_contextvars(call="c-17"):
        structlog.get_logger().info("ours")
        logging.getLogger("aiohttp.client").warning("theirs %s", "with words")
    structlog.get_logger().info("after the call")
    ours, theirs, after = lines()
    assert "c-17" in ours
    assert "c-17" in theirs
    assert "theirs with words" in theirs
    assert "aiohttp.client" in theirs
    assert "c-17" not in after


# By number, as parallel test workers cannot tell each other such names.
@pytest.mark.parametrize("name", BAD_NAMES, ids=range(len(BAD_NAMES)))
@pytest.mark.parametrize("fmt", ["console", "json"])
def test_a_caller_name_is_inert_as_event_value_or_argument(fmt: str, name: str) -> None:
    lines = configured(fmt)
    structlog.get_logger().info("screened", name=name)
    structlog.get_logger().info(name)
    structlog.get_logger().info("screened %s", name)
    structlog.get_logger().info("screened", names=[name], pair={"name": name}, error=OSError(name))
    logging.getLogger("library").info("screened %s", name, extra={"caller_name": name})
    assert len(lines()) == 5
    for line in lines():
        assert line.replace("\u3000", "").isprintable()
        assert len(line) < 20_000
    if fmt == "json":
        assert json.loads(lines()[0])["name"] == name[: logs.LONGEST_VALUE - 1] + (
            "…" if len(name) > logs.LONGEST_VALUE else name[logs.LONGEST_VALUE - 1 :]
        )


def test_a_traceback_stands_indented_below_its_event_on_the_console() -> None:
    lines = configured("console")
    try:
        raise ValueError("bad\n2026-01-01 00:00:00 [info     ] forged\x1b[2J")
    except ValueError:
        structlog.get_logger().exception("a call failed")
    first, *rest = lines()
    assert "a call failed" in first
    assert any("ValueError: bad" in line for line in rest)
    assert all(line.startswith("    ") and line.isprintable() for line in rest)


def test_a_traceback_stays_inside_its_line_of_json() -> None:
    lines = configured("json")
    try:
        raise ValueError("bad\nthing")
    except ValueError:
        structlog.get_logger().exception("a call failed")
        logging.getLogger("library").exception("a step failed")
    for line in lines():
        assert "ValueError: bad\nthing" in json.loads(line)["exception"]
    assert len(lines()) == 2


def test_what_lies_below_the_level_is_left_out() -> None:
    lines = configured("json", "warning")
    structlog.get_logger().info("quiet")
    logging.getLogger("library").info("quiet")
    structlog.get_logger().warning("loud")
    assert [json.loads(line)["event"] for line in lines()] == ["loud"]


def test_libraries_that_tell_every_step_are_heard_from_warning_on() -> None:
    lines = configured("json", "debug")
    logging.getLogger("aiosqlite").debug("executing")
    logging.getLogger("alembic.runtime.migration").info("context")
    logging.getLogger("alembic").error("broken")
    assert [json.loads(line)["event"] for line in lines()] == ["broken"]


def test_configuring_again_replaces_what_was_set() -> None:
    first = configured("console")
    second = configured("json", "debug")
    structlog.get_logger().debug("once")
    assert first() == []
    assert len(second()) == 1


def test_an_enumerated_value_is_logged_as_its_text() -> None:
    class Verdict(StrEnum):
        STOP = "block"

    lines = configured("console")
    structlog.get_logger().info("decided", verdict=Verdict.STOP)
    assert "verdict=block" in lines()[0]


def test_an_unknown_format_or_level_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown log format 'xml'"):
        logs.configure("xml", "info", io.StringIO())
    with pytest.raises(ValueError, match="unknown log level 'loud'"):
        logs.configure("json", "loud", io.StringIO())


def test_the_log_goes_to_standard_error_unless_told_otherwise(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure("json", "info")
    structlog.get_logger().info("here")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert json.loads(captured.err)["event"] == "here"
