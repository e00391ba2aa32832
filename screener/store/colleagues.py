"""Which screeners share a database, and which of them are there now: the kernel knows, by locks."""

import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Self

# struct flock: type, whence, start, length, process.
_FLOCK: Final = struct.Struct("hhqqi4x")
_MARK: Final = ".here."
# Each is a byte of the file, which need not have it.
_THERE: Final = 0
_CONNECTED: Final = 1


class Colleagues:
    """The screeners that share a database on this machine, by their application's names.

    Each holds the lock of a file of its own beside the database from ``appear`` to ``leave``, or to
    its death, however it dies (open file description locks, fcntl(2)). Where such a file cannot be
    had, nobody knows of its screener; where one cannot be looked at, its screener is taken for
    there. Nothing here raises, or waits.
    """

    def __init__(self, database: Path, name: str) -> None:
        self.name: Final = name
        self._directory = database.absolute().parent
        self._prefix = f"{database.name}{_MARK}"
        self._own: int | None = None

    def __enter__(self) -> Self:
        self.appear()
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def appear(self) -> bool:
        """Be there from now on; False while another has our name, or just takes our calls over.

        To be said again and again: the file may be removed, and nobody would see us then.
        """
        if self._own is not None and not self._is_in_place(self._own):
            self.leave()
        if self._own is None:
            self._own = self._locked(self.name)
        return self._own is not None

    def tell(self, *, connected: bool) -> None:
        """Let others know whether Asterisk can reach us."""
        if self._own is not None:
            with suppress(OSError):
                _lock(self._own, _CONNECTED, release=not connected)

    def leave(self) -> None:
        """Be there no more."""
        if self._own is not None:
            os.close(self._own)
            self._own = None

    def others(self) -> set[str]:
        """Return the others that are there."""
        return {name for name in self._known() if not self._is_free(name)}

    def gone(self) -> set[str]:
        """Return those that were there once and are no more."""
        return {name for name in self._known() if self._is_free(name)}

    def connected(self) -> set[str] | None:
        """Return whom Asterisk can reach, of all names; None where nobody can know."""
        names = self._known() | {self.name}
        reached = {name: self._is_free(name, _CONNECTED) for name in names}
        if None in reached.values():
            return None
        return {name for name, free in reached.items() if not free}

    @contextmanager
    def in_place_of(self, name: str) -> Iterator[bool]:
        """Keep one that is gone from appearing meanwhile; False if it is there.

        Nobody is called "": so the rows say that are older than there were several.
        """
        opened = self._locked(name) if name else None
        try:
            yield opened is not None or not name
        finally:
            if opened is not None:
                os.close(opened)

    def _is_in_place(self, opened: int) -> bool:
        try:
            return os.path.samestat(os.fstat(opened), self._path(self.name).stat())
        except FileNotFoundError:
            return False
        except OSError:  # it cannot be seen now
            return True

    def _known(self) -> set[str]:
        try:
            found = [path.name for path in self._directory.iterdir()]
        except OSError:
            return set()
        names = {each.removeprefix(self._prefix) for each in found if each.startswith(self._prefix)}
        return names - {self.name}

    def _path(self, name: str) -> Path:
        return self._directory / f"{self._prefix}{name}"

    def _locked(self, name: str) -> int | None:
        """Return the opened file with its lock, which closing gives up; None if it is not free."""
        try:
            opened = os.open(self._path(name), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except OSError:
            return None
        try:
            _lock(opened, _THERE)
        except OSError:
            os.close(opened)
            return None
        return opened

    def _is_free(self, name: str, byte: int = _THERE) -> bool | None:
        """Tell whether nobody has a lock, without taking it; None where that cannot be seen."""
        try:
            opened = os.open(self._path(name), os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:
            return None
        try:
            answer = fcntl.fcntl(opened, fcntl.F_OFD_GETLK, _flock(fcntl.F_WRLCK, byte))
            return bool(_FLOCK.unpack(answer)[0] == fcntl.F_UNLCK)
        except OSError:
            return None
        finally:
            os.close(opened)


def _lock(opened: int, byte: int, *, release: bool = False) -> None:
    kind = fcntl.F_UNLCK if release else fcntl.F_WRLCK
    fcntl.fcntl(opened, fcntl.F_OFD_SETLK, _flock(kind, byte))


def _flock(kind: int, byte: int) -> bytes:
    return _FLOCK.pack(kind, os.SEEK_SET, byte, 1, 0)
