"""An Asterisk of our own: started from config/asterisk/start in a directory of its own, stopped."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from lab import LabError
from lab.ports import Place, require_free
from lab.process import LOOK_AGAIN, Process

TOP = Path(__file__).resolve().parent.parent
OLDEST = 20
START_LIMIT = 60  # seconds; 0.4 is usual
CLI_LIMIT = 30
STOP_LIMIT = 10


@dataclass(frozen=True, slots=True)
class Channel:
    """One line of ``core show channels concise``."""

    name: str
    context: str
    extension: str
    state: str
    application: str
    caller: str
    id: str


def asterisk_command() -> dict[str, str]:
    """Return ASTERISK and ASTERISK_ROOT for config/asterisk/start.

    What the environment says comes first, then an ``asterisk`` on the PATH that is new enough,
    then what ``make asterisk`` made. LabError if there is none.
    """
    if "ASTERISK" in os.environ:
        root = os.environ.get("ASTERISK_ROOT", "")
        return {"ASTERISK": os.environ["ASTERISK"], "ASTERISK_ROOT": root}
    if (found := shutil.which("asterisk")) and _release(found) >= OLDEST:
        return {"ASTERISK": found, "ASTERISK_ROOT": ""}
    wrapper = TOP / ".asterisk" / "asterisk"
    if wrapper.exists():
        return {"ASTERISK": str(wrapper), "ASTERISK_ROOT": str(TOP / ".asterisk" / "root")}
    raise LabError(f"there is no Asterisk {OLDEST} or later on this machine: run 'make asterisk'")


def _release(command: str) -> int:
    asked = subprocess.run([command, "-V"], capture_output=True, text=True, check=False)  # noqa: S603
    numbers = "".join(c if c.isdigit() else " " for c in asked.stdout).split()
    return int(numbers[0]) if numbers else 0


class Asterisk:
    """The Asterisk that screens calls, with the repository's own configuration and dialplan.

    ``configuration`` is the directory with its ``start``, for another Asterisk than that;
    ``settings`` are more of the variables that it reads.

    ``async with`` starts it and waits until it is ready; leaving ends it. PortTakenError before
    anything starts, LabError with the end of its log if it does not come up. Its files lie below
    ``directory``, or in a temporary directory that is gone afterwards; what it prints goes to
    ``printed``, or there too.
    """

    def __init__(  # noqa: PLR0913  (what start reads, by name)
        self,
        place: Place,
        *,
        directory: Path | None = None,
        printed: Path | None = None,
        secrets: Path | None = None,
        recordings: Path | None = None,
        prompts: Path = TOP / "prompts",
        language: str = "ja",
        configuration: Path = TOP / "config" / "asterisk",
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.place = place
        self._temporary = directory is None
        # Short, because the path of its control socket may not exceed 107 bytes.
        self.directory = directory or Path(tempfile.mkdtemp(prefix="ast-"))
        self.printed = printed or self.directory
        self.secrets = secrets or self.directory / "secrets"
        self.recordings = recordings or self.directory / "recordings"
        self.prompts = prompts
        self.language = language
        self.configuration = configuration
        self.settings = dict(settings or {})
        self._process: Process | None = None
        self._starts = 0

    @property
    def process(self) -> Process:
        """The running program; LabError before the start."""
        if self._process is None:
            raise LabError("Asterisk was not started")
        return self._process

    @property
    def ari_url(self) -> str:
        """Where ARI answers."""
        return f"http://{self.place.ari}"

    @property
    def ari_password(self) -> str:
        """The password of the ARI user ``screener``."""
        return (self.secrets / "ari-password").read_text().strip()

    @property
    def handset_password(self) -> str:
        """The password of the SIP user ``handset``."""
        return (self.secrets / "handset-password").read_text().strip()

    def environment(self) -> dict[str, str]:
        """Return the environment for config/asterisk/start."""
        place = self.place
        return (
            os.environ
            | asterisk_command()
            | {
                "ASTERISK_STATE": str(self.directory),
                "ASTERISK_SECRETS": str(self.secrets),
                "ASTERISK_SIP_BIND": str(place.sip),
                "ASTERISK_TRUNK": place.trunk,
                "ASTERISK_TRUNK_CONTACT": str(place.trunk_contact),
                "ASTERISK_ARI_PORT": str(place.ari.port),
                "ASTERISK_RTP": f"{place.rtp[0]}-{place.rtp[1]}",
                "SCREENER_LANGUAGE": self.language,
                "SCREENER_PROMPTS__DIRECTORY": str(self.prompts),
                "SCREENER_RECORDINGS__DIRECTORY": str(self.recordings),
            }
            | self.settings
        )

    async def __aenter__(self) -> Self:
        try:
            require_free(self.place.needs())
            await self.start()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            if self._process is not None:
                await self._process.stop(STOP_LIMIT)
        finally:
            if self._temporary:
                shutil.rmtree(self.directory, ignore_errors=True)

    async def start(self) -> None:
        """Start it, also once more after it ended, and wait until it is ready."""
        self._starts += 1
        self.directory.mkdir(parents=True, exist_ok=True)
        self._process = Process(
            "Asterisk",
            [self.configuration / "start"],
            log=self.printed / f"console-{self._starts}.log",
            environment=self.environment(),
        )
        await self._process.says("Asterisk Ready.", START_LIMIT)

    async def stop(self) -> int:
        """End it in order, whatever calls there are, and return its exit code."""
        return await self.process.stop(STOP_LIMIT)

    async def kill(self) -> None:
        """End it as a power cut would."""
        await self.process.kill()

    def log(self) -> str:
        """Return what it printed since its last start: its warnings and errors, above all."""
        return self.process.log()

    def kept(self, prefix: str) -> dict[str, str]:
        """Return what its own database has on the disk under keys that begin so."""
        file = self.directory / "lib" / "astdb.sqlite3"
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as database:
            rows = database.execute("SELECT key, value FROM astdb").fetchall()
        return {key: value for key, value in rows if key.startswith(prefix)}

    async def cli(self, command: str) -> str:
        """Return what Asterisk's console answers to a command."""
        asked = await asyncio.create_subprocess_exec(
            asterisk_command()["ASTERISK"],
            "-C",
            self.directory / "etc" / "asterisk.conf",
            "-rx",
            command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(CLI_LIMIT):
                answer, _ = await asked.communicate()
        except TimeoutError:
            asked.kill()
            await asked.wait()
            raise LabError(f"Asterisk did not answer {command!r} in {CLI_LIMIT} s") from None
        if asked.returncode:
            raise LabError(f"Asterisk's console refused {command!r}: {answer.decode().strip()}")
        return answer.decode(errors="replace")

    async def channels(self) -> list[Channel]:
        """Return the channels there are now."""
        lines = (await self.cli("core show channels concise")).splitlines()
        columns = [line.split("!") for line in lines if line.count("!") >= 13]
        return [
            Channel(
                name=c[0], context=c[1], extension=c[2], state=c[4], application=c[5],
                caller=c[7], id=c[-1],
            )
            for c in columns
        ]  # fmt: skip

    async def calls_processed(self) -> int:
        """Return how many calls it has begun since its start, its own legs not counted."""
        for line in (await self.cli("core show channels count")).splitlines():
            if line.endswith(("calls processed", "call processed")):
                return int(line.split()[0])
        raise LabError("Asterisk did not say how many calls it processed")

    async def idle(self, seconds: float = 20) -> None:
        """Wait until no channel is left; LabError that lists those still there."""
        left: list[Channel] = []
        try:
            async with asyncio.timeout(seconds):
                while left := await self.channels():  # noqa: ASYNC110  (nothing tells)
                    await asyncio.sleep(LOOK_AGAIN)
        except TimeoutError:
            raise LabError(f"channels left over after {seconds:g} s: {left}") from None
