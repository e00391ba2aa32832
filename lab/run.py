"""make run: Asterisk and the screener in the foreground, ended in order by Ctrl-C or SIGTERM."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab import LabError
from lab.asterisk import START_LIMIT, TOP, Asterisk
from lab.ports import place_of_environment, require_free
from lab.process import guard
from screener.settings import Settings, SettingsError, load

SCREENER_LIMIT = 30  # seconds to see its calls through
ASTERISK_LIMIT = 10


class Part:
    """One of the two programs: in a process group of its own, its lines shown with its name."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, tasks: asyncio.TaskGroup):
        self.name = name
        self._process = process
        self._ready = asyncio.Event()
        self._shown = tasks.create_task(self._show())
        self.over = tasks.create_task(process.wait())

    @classmethod
    async def start(
        cls,
        name: str,
        command: Sequence[str | Path],
        environment: Mapping[str, str],
        tasks: asyncio.TaskGroup,
    ) -> "Part":
        """Start a program. A Ctrl-C in the terminal does not reach it."""
        process = await asyncio.create_subprocess_exec(
            *guard(),
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=dict(environment),
            cwd=TOP,
            start_new_session=True,
        )
        return cls(name, process, tasks)

    async def _show(self) -> None:
        assert self._process.stdout is not None  # noqa: S101  (a pipe was asked for)
        async for line in self._process.stdout:
            text = line.decode(errors="replace").rstrip()
            say(f"{self.name:8} | {text}")
            if text == "Asterisk Ready.":
                self._ready.set()

    async def ready(self, stop: asyncio.Event, seconds: float) -> bool:
        """Wait until Asterisk is ready; False if it ended or was told to stop before."""
        waiting = [asyncio.ensure_future(event.wait()) for event in (self._ready, stop)]
        await asyncio.wait(
            [*waiting, self.over], timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
        for each in waiting:
            each.cancel()
        return self._ready.is_set()

    async def end(self, seconds: float) -> int:
        """End it in order, after ``seconds`` by force; return its exit code."""
        if not self.over.done():
            say(f"run      | ending {self.name}")
            self._process.send_signal(signal.SIGTERM)
            await asyncio.wait([self.over], timeout=seconds)
        if not self.over.done():
            say(f"run      | {self.name} did not end in {seconds:g} s: killed")
            self._process.kill()
        await asyncio.wait([self._shown])
        return await self.over


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)  # noqa: T201


async def run(settings: Settings) -> int:
    """Run both until Ctrl-C, SIGTERM or the end of either; return the exit code.

    0 if we were told to stop, 1 if Asterisk ended by itself, the screener's own code if it did.
    """
    asterisk = Asterisk(
        place_of_environment(),
        directory=Path(os.environ.get("ASTERISK_STATE", TOP / "state" / "asterisk")),
        secrets=Path(os.environ.get("ASTERISK_SECRETS", TOP / "state" / "secrets")),
        recordings=TOP / settings.recordings.directory,
        prompts=TOP / settings.prompts.directory,
        language=settings.language,
    )
    require_free(asterisk.place.needs())
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with asyncio.TaskGroup() as tasks:
        start = [TOP / "config" / "asterisk" / "start"]
        first = await Part.start("asterisk", start, asterisk.environment(), tasks)
        try:
            if not await first.ready(stop, START_LIMIT):
                say("run      | asterisk did not become ready")
                return 0 if stop.is_set() else 1
            return await _screen(asterisk, first, stop, tasks)
        finally:
            await first.end(ASTERISK_LIMIT)


async def _screen(
    asterisk: Asterisk, first: Part, stop: asyncio.Event, tasks: asyncio.TaskGroup
) -> int:
    """Run the screener beside Asterisk until something ends."""
    command = [sys.executable, "-m", "screener", "run"]
    second = await Part.start("screener", command, _environment(asterisk), tasks)
    told = tasks.create_task(stop.wait())
    try:
        say(_to_connect(asterisk))
        await asyncio.wait([told, first.over, second.over], return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            return 0
        gone = first if first.over.done() else second
        say(f"run      | {gone.name} ended by itself with {gone.over.result()}")
        return 1 if gone is first else second.over.result() or 1
    finally:
        told.cancel()
        await second.end(SCREENER_LIMIT)


def _environment(asterisk: Asterisk) -> dict[str, str]:
    """Return the environment of the screener: what was moved for Asterisk is moved for it too."""
    moved = {}
    if "ASTERISK_ARI_PORT" in os.environ:
        moved["SCREENER_ASTERISK__URL"] = asterisk.ari_url
    if "ASTERISK_SECRETS" in os.environ:
        moved["SCREENER_ASTERISK__PASSWORD_FILE"] = str(asterisk.secrets / "ari-password")
    return moved | dict(os.environ)


def _to_connect(asterisk: Asterisk) -> str:
    place = asterisk.place
    python = Path(sys.executable)
    shown = python.relative_to(TOP) if python.is_relative_to(TOP) else python
    where = f"UDP port {place.sip.port}"
    if place.sip.host != "0.0.0.0":  # noqa: S104  (compared, not bound)
        where += f" of {place.sip.host}"
    return "\n".join(
        f"run      | {line}"
        for line in (
            "",
            f"trunk     calls from {place.trunk} to {where} are the telephone company's",
            f"          and the household's own calls go to {place.trunk_contact}",
            f"handset   SIP server: {where} of this machine, user: handset,",
            f"          password: {asterisk.handset_password}",
            f"call log  {shown} -m screener calls",
            "end       Ctrl-C",
            "",
        )
    )


def main() -> int:
    """Run as a command: 2 if something stands in the way, in one line."""
    try:
        settings = load(None)
        return asyncio.run(run(settings))
    except (LabError, SettingsError) as error:
        print(f"run: {error}", file=sys.stderr)  # noqa: T201
        return 2


if __name__ == "__main__":
    os.chdir(TOP)
    sys.exit(main())
