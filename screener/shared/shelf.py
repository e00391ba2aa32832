"""Where the versions of one list stand: taken by one rename, and kept for going back."""

import contextlib
import fcntl
import json
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from screener.domain.inert import inert
from screener.shared.compiled import FraudList
from screener.shared.errors import Damaged, ListError

KEPT: Final = 4  # versions: the one that counts, and three to go back to
_POINTER, _LOCK, _INCOMING = "current", "lock", "incoming"
_FILE = re.compile(r"([0-9]{6})\.list")


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """An update that waits for a yes: how long the list is, and how long it would become."""

    version: str
    before: int
    after: int
    seen_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointer:
    """Which version counts. Times are ISO 8601 with zone.

    ``checked_at`` is when its source last said that it has nothing newer, ``tried_at`` when it was
    last asked; ``held`` is true after a rollback, until a yes. ``failed`` says why the last update
    took nothing, empty if it did.
    """

    file: str = ""
    checked_at: str = ""
    tried_at: str = ""
    held: bool = False
    failed: str = ""
    waiting: Waiting | None = field(default=None)


class Shelf:
    """The directory of one list. Nothing in it is ever written twice under one name but links."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @contextlib.contextmanager
    def locked(self) -> Iterator[Path]:
        """Keep others from changing the list; yields an empty directory for what is fetched.

        What an update left behind that was killed is cleared away. ListError where another
        update is under way, or the directory cannot be written to.
        """
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self.directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._unwritable(error) from None
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ListError("another update of it is under way") from None
            incoming = self.directory / _INCOMING
            incoming.mkdir(mode=0o700, exist_ok=True)
            _clear(incoming)
            yield incoming
        except OSError as error:
            raise self._unwritable(error) from None
        finally:
            with contextlib.suppress(OSError):
                _clear(self.directory / _INCOMING)
            os.close(lock)

    def pointer(self) -> Pointer:
        """Return which version counts; an unreadable pointer means the newest."""
        try:
            table = json.loads((self.directory / _POINTER).read_text(encoding="utf-8"))
            waiting = table.pop("waiting")
            found = Pointer(**table, waiting=Waiting(**waiting) if waiting else None)
            if (_FILE.fullmatch(found.file) or not found.file) and _are_times(found):
                return found
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            pass
        return Pointer(file=max(self.files(), default=""))

    def point(self, **changes: object) -> None:
        """Change what the pointer says, in one step that a power cut leaves done or not done."""
        pointer = replace(self.pointer(), **changes)  # type: ignore[arg-type]
        content = json.dumps(asdict(pointer), indent=1).encode()
        self._write(self.directory / _POINTER, content)

    def files(self) -> list[str]:
        """Return the names of the versions that are kept, the oldest first."""
        try:
            names = [path.name for path in self.directory.iterdir()]
        except OSError:
            return []
        return sorted(filter(_FILE.fullmatch, names))

    def take(self, content: bytes, checked_at: str) -> None:
        """Put a compiled list in the place of the one that counts."""
        before, kept = self.pointer().file, self.files()
        name = f"{int(max(kept, default='000000')[:6]) + 1:06}.list"
        self._write(self.directory / name, content)
        self.point(file=name, checked_at=checked_at, held=False, failed="", waiting=None)
        # What was rolled back from is nothing to go back to.
        rejected = [old for old in kept if old > before]
        older = [old for old in kept if old <= before]
        for old in rejected + older[: 1 - KEPT]:
            (self.directory / old).unlink(missing_ok=True)

    def back(self) -> FraudList:
        """Let the version before count, until a yes lets an update replace it; returns it.

        ListError where there is none.
        """
        now = self.pointer().file
        for name in reversed(self.files()):
            if name < now:
                with contextlib.suppress(Damaged):
                    found = self.read(name)
                    self.point(file=name, held=True, waiting=None)
                    return found
        raise ListError("there is no version before this one")

    def current(self) -> tuple[FraudList | None, str]:
        """Return the list that counts, and what is wrong where it is not the one that should.

        A damaged file is passed over for the one before it.
        """
        now = self.pointer().file
        complaint = ""
        for name in reversed(self.files()):
            if name > now:
                continue
            try:
                return self.read(name), complaint
            except Damaged as error:
                complaint = complaint or f"{self.directory / name} is passed over: {error}"
        return None, complaint or (f"{self.directory / now} is gone" if now else "")

    def read(self, name: str) -> FraudList:
        """Return one of the versions; raises Damaged."""
        try:
            return FraudList((self.directory / name).read_bytes())
        except OSError as error:
            raise Damaged(f"it cannot be read: {error.strerror}") from None

    def stamp(self) -> tuple[int, int, int] | None:
        """Return what changes when another version is made to count; None while there is none."""
        try:
            found = (self.directory / _POINTER).stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _write(self, path: Path, content: bytes) -> None:
        """Write a file so that it is there whole, or as it was, even after a power cut."""
        beside = self.directory / _INCOMING / path.name
        beside.parent.mkdir(mode=0o700, exist_ok=True)
        try:
            with beside.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.rename(path)
            directory = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise self._unwritable(error) from None

    def _unwritable(self, error: OSError) -> ListError:
        return ListError(
            f"{inert(str(self.directory), 200)} cannot be written to: {error.strerror}"
        )


def _are_times(pointer: Pointer) -> bool:
    """Tell whether the times of a pointer, where it has them, are such as can be reckoned with."""
    times = [each for each in (pointer.checked_at, pointer.tried_at) if each != ""]
    return all(datetime.fromisoformat(each).tzinfo is not None for each in times)


def _clear(directory: Path) -> None:
    for path in directory.iterdir():
        path.unlink(missing_ok=True)
