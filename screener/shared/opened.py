"""A list's file opened for reading: unpacked where it is packed, decoded, and never without end."""

import codecs
import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from screener.domain.inert import inert
from screener.shared.errors import ListError, too_large

LONGEST_LINE: Final = 100_000  # characters
_PIECE: Final = 1 << 16
_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"

# What spreadsheets in Japan and elsewhere write, by the mark at the beginning.
_MARKS: Final = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


class _Counted(io.RawIOBase):
    """Reads on from a stream until it has given more than it may."""

    def __init__(self, stream: IO[bytes] | gzip.GzipFile, most: int) -> None:
        self._stream = stream
        self._left = most
        self._most = most

    def readable(self) -> bool:
        return True

    def readinto(self, room: "bytearray | memoryview") -> int:  # type: ignore[override]
        piece = self._stream.read(min(len(room), _PIECE))
        self._left -= len(piece)
        if self._left < 0:
            raise ListError(too_large(self._most))
        room[: len(piece)] = piece
        return len(piece)


@contextmanager
def opened(path: Path, most: int) -> Iterator[IO[bytes]]:
    """Open a file, or the one file that is packed in it with gzip or zip.

    ListError where it cannot be read, is cut off, or gives more than ``most`` bytes.
    """
    try:
        with path.open("rb") as file:
            mark = file.read(4)
            file.seek(0)
            if mark.startswith(_GZIP):
                with gzip.open(file) as unpacked:
                    yield io.BufferedReader(_Counted(unpacked, most))
            elif mark == _ZIP:
                with zipfile.ZipFile(file) as archive, _only_member(archive) as unpacked:
                    yield io.BufferedReader(_Counted(unpacked, most))
            else:
                yield io.BufferedReader(_Counted(file, most))
    except EOFError:
        raise ListError("is cut off: its end is missing") from None
    except (gzip.BadGzipFile, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise ListError(f"cannot be unpacked: {inert(str(error), 100)}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ListError(f"cannot be read: {inert(reason, 100)}") from None


def lines(path: Path, most: int) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text with their numbers, counted from 1, without their ends.

    UTF-8 with or without a byte order mark, UTF-16 with one, or else Shift_JIS.
    """
    encoding = _encoding(path, most)
    with opened(path, most) as file:
        # What no Shift_JIS is spoils its own line only.
        text = io.TextIOWrapper(file, encoding=encoding, errors="replace", newline=None)
        number = 0
        while line := text.readline(LONGEST_LINE):
            number += 1
            if len(line) == LONGEST_LINE:
                raise ListError(f"line {number} is longer than {LONGEST_LINE} characters")
            yield number, line.rstrip("\n")


def _only_member(archive: zipfile.ZipFile) -> IO[bytes]:
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) != 1:
        raise ListError(f"holds {len(members)} files where one is expected; unpack it first")
    if members[0].flag_bits & 1:
        raise ListError("cannot be unpacked: it is locked with a password")
    return archive.open(members[0])


def _encoding(path: Path, most: int) -> str:
    with opened(path, most) as file:
        piece = file.read(_PIECE)
        for mark, encoding in _MARKS.items():
            if piece.startswith(mark):
                return encoding
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while piece:
                decoder.decode(piece)
                piece = file.read(_PIECE)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp932"  # Shift_JIS as Windows writes it
    return "utf-8"
