"""The screener as a program of its own: started, read from, asked for its call log, stopped."""

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeAlias

from lab import LabError
from lab.asterisk import TOP, Asterisk
from lab.process import Process, until
from screener.domain.numbers import country
from screener.store.database import StoreError, open_store
from screener.tables import call_json

START_LIMIT = 60  # seconds; about one is usual
COMMAND_LIMIT = 60
STOP_LIMIT = 30  # longer than its own drain

Tables: TypeAlias = Mapping[str, Any]
"""Settings: a value, or a section of values, for each key."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a command printed, and its exit code."""

    exit_code: int
    out: str
    err: str


def toml(tables: Tables) -> str:
    """Return settings as TOML: a key, or a section of keys. JSON's text and numbers are TOML's."""
    keys = {key: value for key, value in tables.items() if not isinstance(value, Mapping)}
    lines = [f"{key} = {_value(value)}" for key, value in keys.items()]
    for name, section in tables.items():
        if isinstance(section, Mapping):
            lines += ["", f"[{name}]"]
            lines += [f"{key} = {_value(value)}" for key, value in section.items()]
    return "\n".join([*lines, ""])


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{key} = {_value(inner)}' for key, inner in value.items())} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value)


def fraud_list(path: Path) -> Tables:
    """Return what [[lists.fraud]] has to say of a list in a file, as plain CSV."""
    return {"name": "numbers", "source": str(path), "oldest_days": 0}


class Screener:
    """The screener beside an Asterisk, with settings and a database of its own.

    ``async with`` starts it and waits until it is ready for calls; leaving ends it in order.
    ``settings`` (sections as in config/screener.toml) go before those that the laboratory needs.
    Its files lie below ``directory``, or in a temporary directory that is gone afterwards.
    """

    def __init__(
        self,
        asterisk: Asterisk,
        *,
        directory: Path | None = None,
        settings: Tables | None = None,
    ) -> None:
        self.asterisk = asterisk
        self._temporary = directory is None
        self.directory = directory or Path(tempfile.mkdtemp(prefix="screener-"))
        self.directory.mkdir(parents=True, exist_ok=True)
        self.config = self.directory / "screener.toml"
        chosen = self._settings(settings or {})
        self.config.write_text(toml(chosen), encoding="utf-8")
        self._database = Path(chosen["database"]["path"])
        self._country = country(chosen.get("country", "JP"))
        self._process: Process | None = None
        self._starts = 0

    def _settings(self, given: Tables) -> Tables:
        own: dict[str, Any] = {
            "language": self.asterisk.language,
            "asterisk": {"url": self.asterisk.ari_url, "password": self.asterisk.ari_password},
            "database": {"path": str(self.directory / "screener.db")},
            "recordings": {"directory": str(self.asterisk.recordings)},
            "prompts": {"directory": str(self.asterisk.prompts)},
            "lists": {
                "directory": str(self.directory / "lists"),
                "update_hours": 0,  # a small file counts without; and nothing runs beside a test
                "fraud": [fraud_list(TOP / "config" / "fraud-list.csv")],
            },
            "log": {"format": "json", "level": "debug"},
        }
        for name, value in given.items():
            own[name] = {**own.get(name, {}), **value} if isinstance(value, Mapping) else value
        return own

    @property
    def process(self) -> Process:
        """The supervisor; its log is the worker's, too. LabError before the start."""
        if self._process is None:
            raise LabError("the screener was not started")
        return self._process

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self.process.stop(STOP_LIMIT)
        finally:
            if self._temporary:
                shutil.rmtree(self.directory, ignore_errors=True)

    async def start(self) -> None:
        """Start it, also once more after it was stopped or killed, and wait until it is ready."""
        self._starts += 1
        self._process = Process(
            "the screener",
            self.command_line("run"),
            log=self.directory / f"screener-{self._starts}.log",
            environment=own_environment(),
            directory=TOP,
        )
        await self.logs("ready", seconds=START_LIMIT)

    async def stop(self) -> int:
        """End it in order and return its exit code."""
        return await self.process.stop(STOP_LIMIT)

    async def kill(self) -> None:
        """End all of it at once, so that nothing is left that could act: as a power cut would."""
        self.send_to_all(signal.SIGKILL)
        await self.process.ended()

    def send_to_all(self, number: signal.Signals) -> None:
        """Send a signal to the supervisor and its worker in one step, as a terminal does."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    @property
    def worker(self) -> int:
        """The process that takes the calls: the supervisor's child; LabError if there is none."""
        pid = self.process.pid
        try:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except OSError:
            children = []
        if not children:
            raise LabError(f"there is no worker now\n{self.process.tail()}")
        return int(children[0])

    def send_to_worker(self, number: signal.Signals) -> None:
        """Send a signal to the process that takes the calls, and not to its supervisor."""
        os.kill(self.worker, number)

    def log(self) -> list[dict[str, Any]]:
        """Return the events of its log since its last start; what is not JSON as ``event``."""
        return [_event(line) for line in self.process.log().splitlines() if line.strip()]

    async def logs(self, event: str, *, count: int = 1, seconds: float = 20) -> dict[str, Any]:
        """Wait until it has logged an event ``count`` times; return the last of them."""

        def look() -> dict[str, Any] | None:
            ended = self.process.exit_code
            found = [entry for entry in self.log() if entry.get("event") == event]
            if len(found) >= count:
                return found[-1]
            if ended is not None:
                raise LabError(f"the screener ended with {ended}:\n{self.process.tail()}")
            return None

        try:
            return await until(look, seconds, f"{count} x {event!r} in the screener's log")
        except LabError as error:
            raise LabError(f"{error}\n{self.process.tail()}") from None

    async def command(self, *arguments: str) -> Said:
        """Run one of its commands with the same settings."""
        asked = await asyncio.create_subprocess_exec(
            *self.command_line(*arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=own_environment(),
            cwd=TOP,
        )
        try:
            async with asyncio.timeout(COMMAND_LIMIT):
                out, err = await asked.communicate()
        except TimeoutError:
            asked.kill()
            await asked.wait()
            raise LabError(f"screener {' '.join(arguments)}: no end in {COMMAND_LIMIT} s") from None
        return Said(asked.returncode or 0, out.decode(), err.decode())

    async def must(self, *arguments: str) -> str:
        """Run one of its commands and return its output; LabError unless it exits with 0."""
        said = await self.command(*arguments)
        if said.exit_code:
            raise LabError(
                f"screener {' '.join(arguments)} ended with {said.exit_code}: {said.err.strip()}"
            )
        return said.out

    async def calls(self, limit: int = 1000) -> list[dict[str, Any]]:
        """Return the call log as ``screener calls --json`` prints it, newest first.

        Read here: to start a command each time would cost more than the calls themselves.
        """
        if not self._database.exists():
            return []
        try:
            async with open_store(self._database) as store:
                records = await store.calls.newest(limit)
        except StoreError as error:
            raise LabError(f"the call log cannot be read: {error}") from None
        calls: list[dict[str, Any]] = json.loads(
            json.dumps([call_json(record, self._country) for record in records])
        )
        return calls

    async def logged_calls(self, count: int, seconds: float = 20) -> list[dict[str, Any]]:
        """Wait until the log holds ``count`` calls, ended or not; return it, newest first."""
        return await self._calls_like(lambda calls: len(calls) >= count, f"{count} calls", seconds)

    async def ended_calls(self, count: int, seconds: float = 20) -> list[dict[str, Any]]:
        """Wait until the log holds ``count`` calls, all of them ended; return it, newest first.

        And until it holds all that the dialplan tells of them, which it does a little later.
        """
        told = self.asterisk.recordings / "live"
        return await self._calls_like(
            lambda calls: (
                len(calls) >= count
                and all(call["ended_at"] for call in calls)
                and not any(told.glob("*.cdr"))
            ),
            f"{count} ended calls",
            seconds,
        )

    async def _calls_like(
        self, enough: Callable[[list[dict[str, Any]]], bool], awaited: str, seconds: float
    ) -> list[dict[str, Any]]:
        calls: list[dict[str, Any]] = []
        try:
            async with asyncio.timeout(seconds):
                # The log is read by asking again.
                while not enough(calls := await self.calls()):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
                return calls
        except TimeoutError:
            shown = json.dumps(calls, ensure_ascii=False, indent=1)
            raise LabError(f"no {awaited} in {seconds:g} s, but {shown}") from None

    def command_line(self, *arguments: str) -> list[str]:
        """Return one of its commands, with the settings, as words to run from TOP."""
        return [sys.executable, "-m", "screener", "--config", str(self.config), *arguments]


def own_environment() -> dict[str, str]:
    """Return our environment without settings of a screener, which would go before the file."""
    return {key: value for key, value in os.environ.items() if not key.startswith("SCREENER_")}


def _event(line: str) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except ValueError:
        return {"event": line}
    return event if isinstance(event, dict) else {"event": line}
