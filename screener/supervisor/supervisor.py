"""Keeps one worker alive, and never lets a call wait for one that is not."""

import math
import os
import selectors
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from screener.calls.release import CannotReleaseError, Door, release
from screener.supervisor.plain_log import PlainLog
from screener.supervisor.systemd import VARIABLES, Systemd
from screener.supervisor.worker import Worker

REFUSED: Final = 2  # the exit code of a worker with which trying again will not help
_STOPPING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_ASKING: Final = signal.SIGUSR1  # what the worker has at hand; it says so in its log
_LOOKS: Final = 2  # for held calls: one may just have been coming in


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """All in seconds."""

    start: float = 60.0  # for the first beat: a small machine is slow to load the screener
    opening: float = 4.0  # without a beat before it ever was connected: nobody waits for it yet
    silence: float = 2.0  # without a beat, and the worker hangs
    late: float = 0.5  # that we may oversleep ourselves and still judge the worker's silence
    drain: float = 27.0  # for an orderly end; the worker's own limits are below it
    settle: float = 0.2  # between two looks for held calls
    lived: float = 10.0  # after such a life the next worker starts at once
    first_delay: float = 0.5  # after a shorter one; doubled from try to try
    longest_delay: float = 30.0


class Supervisor:
    """Runs ``command`` as the worker, again and again, until it is told to stop.

    ``environment`` becomes the worker's, but for what systemd says to us alone.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: PlainLog,
        limits: Limits = Limits(),
    ) -> None:
        self._command = [*command]
        self._environment = {k: v for k, v in environment.items() if k not in VARIABLES}
        self._systemd = Systemd(environment)
        self._log = log
        self._limits = limits
        self._selector = selectors.DefaultSelector()
        self._worker: Worker | None = None
        self._door: Door | None = None  # the last that a worker named
        self._told: list[int] = []  # signals that are to be passed on
        self._woken = -1  # readable when a signal has come
        self._stop_by: float | None = None
        self._start_at = time.monotonic()
        self._delay = 0.0
        self._ping_at = time.monotonic()

    def run(self) -> int:
        """Supervise to the end and return the exit code: the worker's, or 0 if there was none."""
        with self._woken_by_signals():
            while True:
                self._start_worker()
                self._wait()
                self._pass_on()
                if self._worker is None and self._stop_by is not None:
                    return 0
                code = self._judge()
                if code is not None:
                    return code

    def _start_worker(self) -> None:
        if self._worker or self._stop_by is not None or time.monotonic() < self._start_at:
            return
        try:
            self._worker = Worker(self._command, self._environment)
        except OSError as error:
            self._log.error("worker_not_started", error=str(error))
            self._put_off(0.0)
            return
        self._selector.register(self._worker.pipe, selectors.EVENT_READ)

    def _wait(self) -> None:
        """Sleep until something happens or is due, and take in what the worker says."""
        now = time.monotonic()
        due = self._deadline()
        if self._systemd.watchdog_seconds is not None:
            if now >= self._ping_at:
                self._systemd.tell("WATCHDOG=1")
                self._ping_at = now + self._systemd.watchdog_seconds
            due = min(due, self._ping_at)
        heard = [key.fd for key, _ in self._selector.select(max(0.0, due - now))]
        worker = self._worker
        if self._woken in heard:
            os.read(self._woken, 1000)
        if worker and time.monotonic() > due + self._limits.late:
            worker.forgive()
        if worker and worker.pipe in heard:
            self._hear(worker)

    def _hear(self, worker: Worker) -> None:
        first, worked = worker.heard_at is None, worker.works
        if not worker.hear():
            self._selector.unregister(worker.pipe)
        self._door = worker.door or self._door
        if worker.heard_at is not None and (first or worked != worker.works):
            doing = "screening calls" if worker.works else "waiting for Asterisk"
            self._systemd.tell("READY=1", f"STATUS={doing}")

    def _deadline(self) -> float:
        """Return when something is to be done if nothing happens before."""
        if self._worker is None:
            return self._start_at
        last, patience = self._worker.heard_at, self._limits.silence
        if last is None:
            last, patience = self._worker.started_at, self._limits.start
        elif self._worker.ending:
            patience = self._limits.drain
        elif not self._worker.has_worked:
            patience = self._limits.opening
        return min(last + patience, self._stop_by or math.inf)

    def _pass_on(self) -> None:
        """Tell the worker what we were told."""
        while self._told:
            number = self._told.pop(0)
            if number == _ASKING:
                worker = self._worker  # one that does not listen yet, or no more, would die of it
                if worker and worker.heard_at is not None and not worker.ending:
                    worker.tell(number)
                continue
            if self._stop_by is None:
                self._systemd.tell("STOPPING=1", "STATUS=seeing calls through")
                self._stop_by = time.monotonic() + self._limits.drain
            if self._worker:
                self._worker.tell(number)

    def _judge(self) -> int | None:
        """See to a worker that has ended or hangs; return the exit code if that is the end."""
        worker = self._worker
        if worker is None:
            return None
        code = worker.exit_code
        if code is None:
            if time.monotonic() < self._deadline():
                return None
            self._log.error("worker_hangs")
            code = worker.kill()
        self._bury(worker)
        # A stop in the midst of loading ends it by the signal, before it had anything in hand.
        if self._stop_by is not None and code in {-number for number in _STOPPING}:
            return 0
        if code == 0 and self._stop_by is None:
            self._log.info("worker_ended")
        if code not in {0, REFUSED}:
            self._log.error("worker_died", exit_code=code)
            self._free_calls()
        if self._stop_by is not None or code == REFUSED:
            return code if code >= 0 else 128 - code
        self._put_off(time.monotonic() - worker.started_at)
        return None

    def _bury(self, worker: Worker) -> None:
        with suppress(KeyError):  # then it has closed the pipe, and all was heard
            self._selector.unregister(worker.pipe)
            worker.hear()
        self._door = worker.door or self._door
        worker.close()
        self._worker = None

    def _free_calls(self) -> None:
        """Let the telephone ring for every call that the dead worker held."""
        if self._door is None:  # it never came so far as to take one
            return
        for look in range(_LOOKS):
            time.sleep(self._limits.settle if look else 0.0)
            try:
                freed = release(self._door)
            except CannotReleaseError as error:
                self._log.error("calls_not_released", error=str(error))
            else:
                if freed:
                    self._log.info("calls_released", calls=freed)

    def _put_off(self, lived: float) -> None:
        """Decide when the next worker starts: one that dies at once must not spin."""
        if lived >= self._limits.lived:
            self._delay = 0.0
        else:
            self._delay = min(
                max(self._limits.first_delay, 2 * self._delay), self._limits.longest_delay
            )
        self._start_at = time.monotonic() + self._delay
        self._systemd.tell(f"STATUS=starting the screener again in {self._delay:g} s")

    @contextmanager
    def _woken_by_signals(self) -> Iterator[None]:
        """Have signals end the sleep of the selector, and note those that are to be passed on."""
        self._woken, wake = os.pipe()
        os.set_blocking(wake, False)
        self._selector.register(self._woken, selectors.EVENT_READ)
        before = signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        handlers = {
            n: signal.signal(n, lambda n, _: self._told.append(n)) for n in (*_STOPPING, _ASKING)
        }
        handlers[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(before)
            self._selector.close()
            os.close(self._woken)
            os.close(wake)
