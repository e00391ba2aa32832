"""One run of the screener, as its supervisor sees it: a process, and a pipe that it beats on."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Final

from screener.calls.release import Door
from screener.supervisor.beats import ENDING, WORKING

_MOST_BYTES: Final = 65_536


class Worker:
    """The process that ``command`` starts, with the number of its pipe as one more word.

    ``heard_at`` is the moment (monotonic, in seconds) of its last beat, None before the first.
    ``door`` is its way to Asterisk, as far as it has said; ``works``: it is connected there;
    ``has_worked``: it ever was, so that there may be calls in its hands; ``ending``: it is about
    to end by itself. OSError where it cannot be started.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.pipe, theirs = os.pipe()
        # Inherited: a Ctrl-C while Python itself starts would be told of at length; __main__ lets
        # it in when it can end quietly.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            os.set_blocking(self.pipe, False)
            self._popen = subprocess.Popen(  # noqa: S603  (our own command)
                [*command, str(theirs)],
                stdin=subprocess.DEVNULL,
                env=environment,
                pass_fds=[theirs],
            )
        except BaseException:
            os.close(self.pipe)
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            os.close(theirs)
        self.started_at: Final = time.monotonic()
        self.heard_at: float | None = None
        self.door: Door | None = None
        self.works = self.has_worked = self.ending = False
        self._introduction = b""

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._popen.poll()

    def hear(self) -> bool:
        """Take in what it says; False when it has closed the pipe."""
        try:
            said = os.read(self.pipe, _MOST_BYTES)
        except BlockingIOError:
            return True
        if not said:
            return False
        if self.door is None:
            whole, line_end, said = (self._introduction + said).partition(b"\n")
            self._introduction = whole
            if not line_end:
                return True
            self.door = Door(**json.loads(whole))
        if said:
            self.heard_at = time.monotonic()
            self.works = said.endswith(WORKING)
            self.has_worked = self.has_worked or WORKING in said
            self.ending = said.endswith(ENDING)
        return True

    def forgive(self) -> None:
        """Let its silence count from now: it was we who slept."""
        if self.heard_at is not None:
            self.heard_at = time.monotonic()

    def tell(self, number: int) -> None:
        """Send it a signal; nothing where it has ended."""
        self._popen.send_signal(number)

    def kill(self) -> int:
        """End it at once, even if it is stopped, and return its exit code."""
        self._popen.send_signal(signal.SIGKILL)
        return self._popen.wait()

    def close(self) -> None:
        """Close our end of the pipe."""
        os.close(self.pipe)
