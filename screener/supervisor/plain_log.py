"""The supervisor's lines in the log: they look as the screener's do, without its libraries."""

import json
import select
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final, TextIO

_LEVELS: Final = ("debug", "info", "warning", "error")
_LOGGER: Final = "screener.supervisor"


class PlainLog:
    """Writes events from ``level`` on, as ``console`` or ``json``."""

    def __init__(self, fmt: str, level: str, stream: TextIO) -> None:
        self._json = fmt == "json"
        self._levels = _LEVELS[_LEVELS.index(level) :]
        self._stream = stream

    def info(self, event: str, **fields: float | str) -> None:
        """Tell what happened in order."""
        self._write("info", event, fields)

    def error(self, event: str, **fields: float | str) -> None:
        """Tell what should not have happened."""
        self._write("error", event, fields)

    def _write(self, level: str, event: str, fields: dict[str, float | str]) -> None:
        if level not in self._levels:
            return
        now = datetime.now(UTC)
        if self._json:
            stamp = now.isoformat().replace("+00:00", "Z")
            whole = {**fields, "event": event, "logger": _LOGGER, "level": level}
            line = json.dumps({**whole, "timestamp": stamp})
        else:
            said = "".join(f" {key}={value!r}" for key, value in fields.items())
            stamp = f"{now.astimezone():%Y-%m-%d %H:%M:%S}"
            line = f"{stamp} [{level:9}] {event:30} [{_LOGGER}]{said}"
        if self._is_read():
            with suppress(OSError):  # a terminal that was closed is no reason to stop
                self._stream.write(f"{line}\n")
                self._stream.flush()

    def _is_read(self) -> bool:
        """Tell whether the line can be written without waiting: calls do not wait for a reader."""
        ready = select.poll()
        ready.register(self._stream, select.POLLOUT)
        return any(what & select.POLLOUT for _, what in ready.poll(0))
