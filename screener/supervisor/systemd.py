"""What a service tells systemd about itself (sd_notify(3)), if it was started by it."""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress

VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class Systemd:
    """The way to systemd that the environment names; without one, nothing is told to nobody.

    ``watchdog_seconds``: how often systemd wants to hear ``WATCHDOG=1``; None: never.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        interval = environment.get("WATCHDOG_USEC", "")
        ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        watched = bool(address) and ours and interval.isdecimal() and int(interval) > 0
        # Twice as often as must be, as sd_watchdog_enabled(3) advises.
        self.watchdog_seconds = int(interval) / 2_000_000 if watched else None

    def tell(self, *assignments: str) -> None:
        """Tell something, such as ``READY=1``; a systemd that does not listen stops nobody."""
        if self._address:
            with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
                way.setblocking(False)
                way.sendto("\n".join(assignments).encode(), self._address)
