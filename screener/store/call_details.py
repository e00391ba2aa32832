"""The files in which the dialplan tells of a call after its end: read, dropped, or put aside."""

import errno
import os
import stat
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import unquote

import structlog

from screener.domain.call_details import CallDetails
from screener.domain.call_record import EndedBy
from screener.domain.inert import inert

log: Final = structlog.stdlib.get_logger(__name__)

_SUFFIX: Final = ".cdr"
_RAW: Final = ".raw"
_BYTES_A_SECOND: Final = 32_000  # of a raw recording
_MOST_BYTES: Final = 1 << 16  # a caller's name and number as long as Asterisk takes them: 1 kB
_WRITTEN_SECONDS: Final = 5.0  # how long Asterisk may take to write one
_LATEST: Final = 1 << 33  # seconds since 1970: the year 2242
_FLAG: Final = {"": False, "1": True}
_HUNG_UP_BY: Final = {"": None, "caller": EndedBy.CALLER, "household": EndedBy.HOUSEHOLD}

Value = TypeVar("Value")


class CallDetailsFiles:
    """The files ``live/<call id>.cdr``, written by dialplan/call-details.conf.

    One that makes no sense is put aside with a line in the log, and never read again. One that
    stays empty is as if it were not there.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._unusable: set[str] = set()

    def ids(self) -> list[str]:
        """Return the calls of which there are details, the oldest first; none if unreadable."""
        try:
            with os.scandir(self._directory) as entries:
                found = [each.name for each in entries if each.name.endswith(_SUFFIX)]
        except OSError:
            return []
        return sorted({name.removesuffix(_SUFFIX) for name in found} - self._unusable)

    def of(self, call_id: str) -> CallDetails | None:
        """Return the details of a call; None where there are none, or none that make sense.

        A file that is half written is left for the next look.
        """
        try:
            written_at, text = _read(self._path(call_id))
        except FileNotFoundError:
            return None
        except OSError as error:
            self.put_aside(call_id, error.strerror or "cannot be read")
            return None
        try:
            return parse(call_id, text)
        except ValueError as error:
            if time.time() - written_at > _WRITTEN_SECONDS:
                self._give_up(call_id, text, str(error))
            return None

    def _give_up(self, call_id: str, text: str, why: str) -> None:
        """Put a file aside; or remove an empty one: Asterisk died over it, or the disk was full."""
        if text:
            self.put_aside(call_id, why)
        else:
            log.warning("call_details_empty", call=call_id)
            self.discard(call_id)

    def untold(self) -> set[str]:
        """Return the calls that are recorded, now or once, and of which there are no details."""
        try:
            with os.scandir(self._directory) as entries:
                names = {each.name for each in entries}
        except OSError:
            return set()
        recorded = {name.removesuffix(_RAW) for name in names if name.endswith(_RAW)}
        return {each for each in recorded if f"{each}{_SUFFIX}" not in names} - self._unusable

    def tell_of_lost(self, call_id: str) -> bool:
        """Leave details of a call whose Asterisk died with it, from what is recorded of it.

        False where nothing is, or where it was told of meanwhile. Raises OSError.
        """
        path = self._path(call_id)
        try:
            recorded = path.with_suffix(_RAW).stat()
            with path.open("x") as file:
                file.write(_of_lost(call_id, recorded.st_mtime, recorded.st_size))
        except (FileNotFoundError, FileExistsError):
            return False
        except OSError:
            path.unlink(missing_ok=True)
            raise
        return True

    def discard(self, call_id: str) -> None:
        """Drop the details of a call; to be done when the call log holds all that they tell."""
        try:
            self._path(call_id).unlink(missing_ok=True)
        except OSError as error:
            self.put_aside(call_id, error.strerror or "cannot be removed")

    def put_aside(self, call_id: str, why: str) -> None:
        """Keep a file out of the way under another name, for somebody to look at."""
        path = self._path(call_id)
        self._unusable.add(call_id)
        log.warning("call_details_put_aside", file=inert(str(path)), problem=inert(why, 200))
        try:
            path.rename(path.with_name(f"{path.name}.unreadable"))
        except OSError:
            return  # then it is left alone where it lies

    def _path(self, call_id: str) -> Path:
        return self._directory / f"{call_id}{_SUFFIX}"


def parse(call_id: str, text: str) -> CallDetails:
    """Return the details in the one line of such a file; ValueError says what is wrong with it."""
    if not text.endswith("\n"):
        raise ValueError("cut short")
    pairs = (pair.partition("=") for pair in text.strip().split("&"))
    values = {key: unquote(value, errors="surrogateescape") for key, _, value in pairs}

    def one_of(key: str, allowed: Mapping[str, Value]) -> Value:
        try:
            return allowed[values.get(key, "")]
        except KeyError:
            raise ValueError(f"{key} is {values.get(key)}") from None

    def seconds(key: str) -> float | None:
        if not (text := values.get(key, "")):
            return None
        number = float(text)
        if not 0 <= number < _LATEST:  # nor NaN
            raise ValueError(f"{key} is {text}")
        return number

    def moment(key: str) -> datetime | None:
        return None if (number := seconds(key)) is None else datetime.fromtimestamp(number, UTC)

    began_at, ended_at = moment("began"), moment("ended")
    if began_at is None or ended_at is None:
        raise ValueError("no time of beginning or end")
    return CallDetails(
        id=call_id,
        outgoing=one_of("direction", {"incoming": False, "outgoing": True}),
        line=values.get("line", ""),
        number=values.get("number", ""),
        name=values.get("name", ""),
        began_at=began_at,
        ended_at=max(began_at, ended_at),  # a clock may have been set back
        up=values.get("state") == "Up",
        dialled=one_of("dialled", _FLAG),
        dialstatus=values.get("dialstatus", ""),
        rang_at=moment("rang"),
        up_seconds=seconds("answered_seconds"),
        warned=one_of("warned", _FLAG),
        window=one_of("window", _FLAG),
        window_until=moment("window_until"),
        emergency=one_of("emergency", _FLAG),
        gave_way=one_of("gave_way", _FLAG),
        message=one_of("message", _FLAG),
        hung_up_by=one_of("hung_up_by", _HUNG_UP_BY),
    )


def _of_lost(call_id: str, ended: float, size: int) -> str:
    """Return details with what a recording tells: it begins when the household answers.

    A channel's id begins with the second in which its call came.
    """
    seconds = size / _BYTES_A_SECOND
    began, _, _ = call_id.partition(".")
    known = began.isdecimal() and int(began) <= ended - seconds
    told = {
        "direction": "incoming",
        "line": "unknown",
        "began": began if known else f"{ended - seconds:.3f}",
        "ended": f"{ended:.3f}",
        "state": "Up",
        "dialled": "1",
        "dialstatus": "ANSWER",
        "answered_seconds": f"{seconds:.3f}" if size else "",
    }
    return "&".join(f"{key}={value}" for key, value in told.items()) + "\n"


def _read(path: Path) -> tuple[float, str]:
    """Return when a file was written and what it holds; whatever is no small file is OSError."""
    # Never waits for the other end of a pipe, nor follows a link out of the directory.
    opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        about = os.fstat(opened)
        if not stat.S_ISREG(about.st_mode) or about.st_size > _MOST_BYTES:
            raise OSError(errno.EINVAL, "no small file")
        return about.st_mtime, os.read(opened, _MOST_BYTES).decode("utf-8", "surrogateescape")
    finally:
        os.close(opened)
