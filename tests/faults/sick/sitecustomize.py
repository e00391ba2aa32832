"""Lets a signal make ill whatever Python program has this on its PYTHONPATH.

SIGVTALRM blocks its event loop, SIGUSR2 keeps its processor busy beside it, SIGXCPU does both.
"""

import signal
import threading
import time

ILL_SECONDS = 60.0
BUSY_SECONDS = 8.0
BUSY_THREADS = 4


def block(*_: object) -> None:
    """Wait where nothing may wait."""
    time.sleep(ILL_SECONDS)


def spin(*_: object) -> None:
    """Compute for ever, and let nothing else."""
    end = time.monotonic() + ILL_SECONDS
    while time.monotonic() < end:
        pass


def compete(*_: object) -> None:
    """Compute in threads, which take the interpreter from the event loop."""

    def work() -> None:
        end = time.monotonic() + BUSY_SECONDS
        while time.monotonic() < end:
            pass

    for _number in range(BUSY_THREADS):
        threading.Thread(target=work, daemon=True).start()


signal.signal(signal.SIGVTALRM, block)
signal.signal(signal.SIGUSR2, compete)
signal.signal(signal.SIGXCPU, spin)
