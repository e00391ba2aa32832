"""Lines of an address book, whatever its encoding, and however long a line somebody made."""

import codecs
import io
from collections.abc import Iterator
from functools import partial
from typing import IO, Final

from screener.books.contact import Progress

Line = tuple[int, bytes]  # its number, counted from 1, and its bytes without the line end

LONGEST_LINE: Final = 1 << 20  # bytes of a line that are kept
_PIECE: Final = 1 << 16  # read at once
_UTF16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def byte_lines(file: IO[bytes], progress: Progress) -> Iterator[Line]:
    """Yield every line, cut to ``LONGEST_LINE``; they end as on Unix, Windows or an old Mac.

    A file in UTF-16 becomes UTF-8, and a byte order mark is left out.
    """
    encoding = "utf-16" if file.read(2) in _UTF16 else "latin-1"
    file.seek(0)
    # Latin-1 turns every byte into one character and back, and leaves the line ends to Python.
    text = io.TextIOWrapper(file, encoding, errors="replace", newline=None)
    back = "utf-8" if encoding == "utf-16" else encoding
    number, parts, length = 1, list[bytes](), 0
    for read in iter(partial(text.readline, _PIECE), ""):
        piece = read.encode(back, "replace")
        progress(len(piece))
        if length < LONGEST_LINE:
            parts.append(piece)
            length += len(piece)
        if read.endswith("\n"):
            yield number, _line(number, parts)
            number, parts, length = number + 1, [], 0
    if parts:
        yield number, _line(number, parts)
    text.detach()


def _line(number: int, parts: list[bytes]) -> bytes:
    line = b"".join(parts).removesuffix(b"\n")[:LONGEST_LINE]
    return line.removeprefix(codecs.BOM_UTF8) if number == 1 else line


def encoding_of(file: IO[bytes], legacy: str) -> str:
    """Return the encoding that fits all the ``byte_lines`` of a file, and go back to its beginning.

    UTF-8 before ``legacy``, and in the end one that takes everything.
    """
    in_utf16 = file.read(2) in _UTF16
    for encoding in ("utf-8", legacy):
        file.seek(0)
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            if not in_utf16:
                for piece in iter(partial(file.read, _PIECE), b""):
                    decoder.decode(piece)
                decoder.decode(b"", final=True)
        except UnicodeError:
            continue
        break
    else:
        encoding = "latin-1"
    file.seek(0)
    return encoding
