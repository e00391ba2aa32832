"""A program started by the laboratory: its output in a file, its end awaited, its stop orderly."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from lab import LabError

LOOK_AGAIN = 0.02  # seconds between two looks at a file

Seen = TypeVar("Seen")


async def until(look: Callable[[], Seen | None], seconds: float, awaited: str) -> Seen:
    """Return the first thing that ``look`` sees; LabError naming ``awaited`` after ``seconds``."""
    try:
        async with asyncio.timeout(seconds):
            # Neither a file nor another program tells when it changes.
            while (seen := look()) is None:  # noqa: ASYNC110
                await asyncio.sleep(LOOK_AGAIN)
            return seen
    except TimeoutError:
        raise LabError(f"waited {seconds:g} s in vain for {awaited}") from None


@contextlib.asynccontextmanager
async def alongside(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Do something while the block lasts; what goes wrong in it is raised at the block's end.

    Unlike a task group's, the block's own exception comes out as it is.
    """
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
    if not task.cancelled():
        task.result()


def guard() -> list[str]:
    """Return the words before a command that make it end when we do, even if we are killed."""
    return ["setpriv", "--pdeathsig", "TERM", "--"] if shutil.which("setpriv") else []


class Process:
    """One program in a process group of its own, so that a terminal's Ctrl-C does not reach it.

    It is started at once. Whatever it prints goes to the file ``log``. It dies with us, even if
    we are killed. Nothing here is bound to one event loop.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
    ) -> None:
        self.name = name
        self.log_file = log
        with log.open("ab") as output:
            self._popen = subprocess.Popen(  # noqa: S603  (the laboratory's own commands)
                [*guard(), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=None if environment is None else dict(environment),
                cwd=directory,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its process id; that of its process group too."""
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._popen.poll()

    def log(self) -> str:
        """Return everything it has printed so far."""
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def tail(self, lines: int = 15) -> str:
        """Return the last lines of its log, indented, for an error message."""
        return "\n".join(f"    {line}" for line in self.log().splitlines()[-lines:])

    async def says(self, words: str, seconds: float) -> None:
        """Wait until it has printed ``words``; LabError with its last lines if it ends before."""

        def look() -> bool | None:
            ended = self.exit_code
            if words in self.log():
                return True
            if ended is not None:
                raise LabError(f"{self.name} ended with {ended} instead:\n{self.tail()}")
            return None

        try:
            await until(look, seconds, f"{words!r} from {self.name}")
        except LabError as error:
            raise LabError(f"{error}\n{self.tail()}") from None

    async def ended(self, seconds: float | None = None) -> int:
        """Wait for its end and return its exit code; LabError after ``seconds``."""
        if self.exit_code is None:
            over = asyncio.Event()
            watched = os.pidfd_open(self.pid)
            loop = asyncio.get_running_loop()
            loop.add_reader(watched, over.set)
            try:
                async with asyncio.timeout(seconds):
                    await over.wait()
            except TimeoutError:
                raise LabError(
                    f"{self.name} still runs after {seconds:g} s\n{self.tail()}"
                ) from None
            finally:
                loop.remove_reader(watched)
                os.close(watched)
        return self._popen.wait()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; nothing if it has ended."""
        if self.exit_code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def stop(self, seconds: float = 10) -> int:
        """End it in order (SIGTERM), after ``seconds`` by force; return its exit code."""
        self.send(signal.SIGTERM)
        try:
            return await self.ended(seconds)
        except LabError:
            return await self.kill()

    async def kill(self) -> int:
        """End it by SIGKILL and return its exit code."""
        self.send(signal.SIGKILL)
        return await self.ended()
