"""Asterisk, proxy and screener, kept from one fault to the next, and what is left in them."""

import asyncio
import json
import os
import shutil
import signal
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from lab.asterisk import Asterisk
from lab.ports import own_place
from lab.process import LOOK_AGAIN, until
from lab.prompts import quick_prompts
from lab.proxy import Proxy
from lab.screener import START_LIMIT, Screener, Tables
from tests.faults.crowd import FRIEND, MESSAGE_SECONDS, RING_SECONDS, voices
from tests.faults.steps import Steps

SCREENING_SECONDS: Final = 8  # the dialplan's own limit: one second of warning, and slow answers
_SICK: Final = Path(__file__).with_name("sick")
_CONNECTIONS: Final = 2  # one for events and commands, one for what is asked before
_AT_HAND: Final = b'"event": "at_hand"'
_DEATHS: Final = 3
_TIDY_LIMIT: Final = 8.0  # seconds for everything to be over and put away


class Stage:
    """Where faults are played; ``a_stage`` makes it."""

    def __init__(
        self, asterisk: Asterisk, proxy: Proxy, screener: Screener, directory: Path
    ) -> None:
        self.asterisk = asterisk
        self.proxy = proxy
        self.screener = screener
        self.steps = Steps()
        self.struck_again = asyncio.Event()
        self._second: Screener | None = None
        self.voice, self.household_voice = voices(directory)
        self.warning = directory / "prompts" / asterisk.language / "warning.wav"
        self._read_from = 0
        self._known: set[str] = set()
        self._tasks_at_rest = 0
        self._deaths = 0  # up to the second kill

    async def be_as_new(self) -> None:
        """Start the screener afresh after a few deaths: it is slower to return from each."""
        deaths = self._log().count(b'"event": "worker_died"')
        if deaths >= _DEATHS or self.screener.process.exit_code is not None:
            await self.screener.stop()
            await self.screener.start()

    @asynccontextmanager
    async def second_screener(self) -> AsyncIterator[None]:
        """Have a second screener beside the first, with its database."""
        async with Proxy(self.asterisk.place.ari) as proxy:
            proxy.watch = partial(self.steps.watch, screener=1)
            settings = {
                **_settings(proxy),
                "asterisk": {"url": proxy.url, "application": "screener-2"},
                "database": {"path": str(self.screener.directory / "screener.db")},
            }
            # In a directory of its own, or an earlier one's log would say that it is ready.
            async with Screener(self.asterisk, settings=settings) as second:
                self._second = second
                yield

    @property
    def screener_that_spoke(self) -> Screener:
        """The one of two that spoke last, or was spoken to."""
        return self._second if self._second and self.steps.screener else self.screener

    def begin(self) -> Steps:
        """Make ready for the next fault; return what will hear the calls' steps."""
        self.proxy.mend()
        self.steps = Steps()
        self.struck_again = asyncio.Event()
        self.proxy.watch = self.steps.watch
        self._read_from = len(self._log())
        self._known = {each.name for each in self._live()}  # reported once, by the fault before
        return self.steps

    def _log(self) -> bytes:
        return self.screener.process.log_file.read_bytes()

    def logged(self, event: str) -> int:
        """Return how often the screener logged an event since the fault began."""
        return self._log()[self._read_from :].count(f'"event": "{event}"'.encode())

    async def screener_is_back(self) -> None:
        """Wait until a screener is ready that lives; one without a supervisor is started anew."""
        async with asyncio.timeout(START_LIMIT):
            while not self._is_ready():
                if self.screener.process.exit_code is not None:
                    self._read_from = 0
                    await self.screener.start()
                await asyncio.sleep(LOOK_AGAIN)

    def _is_ready(self) -> bool:
        """Tell whether there was a word of it since the fault, and since the last death."""
        deaths = self.logged("worker_died")
        if self.struck_again.is_set() and deaths <= self._deaths:
            return False
        said = self._log()[self._read_from :].rpartition(b'"event": "worker_died"')[2]
        return b'"event": "ready"' in said

    def strike_again(self) -> None:
        """Kill the screener once more."""
        self._deaths = self.logged("worker_died")
        self.screener.send_to_worker(signal.SIGKILL)
        self.struck_again.set()

    async def telephone_is_kept(self) -> None:
        """Wait until Asterisk has the handset's registration on the disk, a second late at most."""
        await until(
            lambda: self.asterisk.kept("/registrar/contact/") or None, 5, "a kept registration"
        )

    async def tidy(self, numbers: set[str]) -> list[str]:
        """Wait until all is over, and every call's row closed; return what is left over if not."""
        looks: tuple[Callable[[], list[str]], ...] = (
            lambda: self._open_rows(numbers),
            self._files,
            self._strays,
        )
        left: list[str] = ["nobody looked"]
        with suppress(TimeoutError):
            async with asyncio.timeout(_TIDY_LIMIT):
                while left:
                    left = [each for look in looks for each in look()]
                    left = left or await self._channels() or await self._at_work()
                    await asyncio.sleep(0.1 if left else 0)
        return left

    def _open_rows(self, numbers: set[str]) -> list[str]:
        rows = self._rows(numbers)
        missing = numbers - {number for number, _ in rows}
        still_open = {number for number, ended in rows if ended is None}
        return [f"no row for {each}" for each in sorted(missing)] + [
            f"open row for {each}" for each in sorted(still_open)
        ]

    def _rows(self, numbers: set[str]) -> list[tuple[str, Any]]:
        marks = ",".join("?" * len(numbers))
        query = f"SELECT caller_given, ended_at FROM calls WHERE caller_given IN ({marks})"  # noqa: S608
        path = self.screener.directory / "screener.db"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=1)) as database:
            return database.execute(query, sorted(numbers)).fetchall()

    def _files(self) -> list[str]:
        return [f"file live/{each.name}" for each in self._live() if each.name not in self._known]

    def _live(self) -> list[Path]:
        return sorted((self.asterisk.recordings / "live").iterdir())

    def _strays(self) -> list[str]:
        """Return processes and connections that are more than there should be."""
        pid = self.screener.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        left = [f"process {child}" for child in children[1:]]
        if self.proxy.connections > _CONNECTIONS:
            left.append(f"{self.proxy.connections} connections to ARI")
        return left

    async def _channels(self) -> list[str]:
        channels = [f"channel {channel.name}" for channel in await self.asterisk.channels()]
        bridges = (await self.asterisk.cli("bridge show all")).splitlines()[1:]
        return channels + [f"bridge {line.split()[0]}" for line in bridges if line.strip()]

    async def come_to_rest(self) -> None:
        """Note how many tasks a screener has that has just started, and nothing to do."""
        before = await self._asked()
        while (now := await self._asked()) != before:
            before = now
        self._tasks_at_rest = before["tasks"]

    async def _at_work(self) -> list[str]:
        """Return what the screener says of itself, where it is more than at rest."""
        said = await self._asked()
        left = [f"{said['calls']} calls at hand"] if said["calls"] else []
        more = said["tasks"] - self._tasks_at_rest
        return left + ([f"{more} tasks more than at rest"] if more > 0 else [])

    async def _asked(self) -> dict[str, int]:
        """Ask the screener what it has at hand, by way of its supervisor."""
        before = self._log().count(_AT_HAND)
        self.screener.process.send(signal.SIGUSR1)
        await until(lambda: self._log().count(_AT_HAND) > before or None, 5, "what is at hand")
        (*_, said) = (line for line in self._log().splitlines() if _AT_HAND in line)
        told = json.loads(said)
        return {"calls": told["calls"], "tasks": told["tasks"]}

    async def sizes(self) -> list["Size"]:
        """Return what each program takes now."""
        await self.asterisk.cli("malloc trim")  # it keeps what it may need again
        return [
            _size("Asterisk", self.asterisk.process.pid),
            _size("screener", self.screener.worker),
            _size("supervisor", self.screener.process.pid),
        ]


@dataclass(frozen=True, slots=True)
class Size:
    """The memory of one program, and how many files and sockets it has open.

    But for those of the database: of its connections as many are kept as were ever needed at once.
    """

    program: str
    pid: int
    megabytes: float
    files: int


def _size(program: str, pid: int) -> Size:
    there = Path(f"/proc/{pid}")
    status = (there / "status").read_text().splitlines()
    (kilobytes,) = (line.split()[1] for line in status if line.startswith("VmRSS:"))
    files = []
    for each in (there / "fd").iterdir():
        with suppress(FileNotFoundError):  # closed at this very moment
            files.append(each.readlink().name)
    others = sum(".db" not in name for name in files)
    return Size(program, pid, int(kilobytes) / 1024, others)


def _settings(proxy: Proxy) -> Tables:
    return {
        "asterisk": {"url": proxy.url},
        "call": {"ring_seconds": RING_SECONDS, "message_seconds": MESSAGE_SECONDS},
        "callers": {"voip": "message"},
        "log": {"level": "info"},
    }


@asynccontextmanager
async def a_stage() -> AsyncIterator[Stage]:
    """Set up a place of its own with quick prompts and short limits."""
    directory = Path(tempfile.mkdtemp(prefix="faults-"))
    os.environ["PYTHONPATH"] = str(_SICK)
    try:
        prompts = quick_prompts(directory / "prompts")
        limits = {"ASTERISK_SCREENING_SECONDS": str(SCREENING_SECONDS)}
        with own_place() as place:
            async with (
                Asterisk(place, prompts=prompts, settings=limits) as asterisk,
                Proxy(place.ari) as proxy,
            ):
                settings = _settings(proxy)
                screener = Screener(asterisk, directory=directory / "s", settings=settings)
                await screener.must("allow", f"{FRIEND.begins}*")
                async with screener:
                    stage = Stage(asterisk, proxy, screener, directory)
                    await stage.come_to_rest()
                    yield stage
    finally:
        shutil.rmtree(directory, ignore_errors=True)
