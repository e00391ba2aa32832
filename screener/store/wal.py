"""Is SQLite's write-ahead log whole? What SQLite drops from a broken one it does not tell."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

# The file format is SQLite's (sqlite.org/fileformat2.html, section 4).
_ORDERS: Final = {0x377F0682: "<", 0x377F0683: ">"}
_HEAD: Final = struct.Struct(">8I")
_FRAME: Final = struct.Struct(">6I")
_MASK: Final = 0xFFFFFFFF

_Sums = tuple[int, int]


def is_broken(log: Path) -> bool:
    """Tell whether a write-ahead log holds commits that SQLite can no longer reach.

    A last commit that a power cut left half-written was promised to nobody, and is no damage.
    Raises OSError.
    """
    content = log.read_bytes() if log.exists() else b""
    if not any(content):
        return False
    if len(content) < _HEAD.size:
        return True
    magic, _, page_bytes, _, *salts, first, second = _HEAD.unpack_from(content)
    order = _ORDERS.get(magic)
    if order is None or _sums(content[:24], order, (0, 0)) != (first, second):
        return True
    unreachable = list(_after_the_first_fault(content, order, page_bytes, (first, second), salts))
    return sum(unreachable) > 1


def _after_the_first_fault(
    content: bytes, order: str, page_bytes: int, sums: _Sums, salts: list[int]
) -> Iterator[bool]:
    """Yield for each frame from the first broken one on whether it ends a commit."""
    whole = True
    size = _FRAME.size + page_bytes
    for at in range(_HEAD.size, len(content) - size + 1, size):
        _, pages_after, *rest = _FRAME.unpack_from(content, at)
        # Of an earlier round of the log: from here on nothing counts. In a broken one that may be
        # the damage itself, and what follows tells.
        if whole and rest[:2] != salts:
            whole = False
        if whole:
            sums = _sums(content[at : at + 8], order, sums)
            sums = _sums(content[at + _FRAME.size : at + size], order, sums)
            whole = sums == (rest[2], rest[3])
        if not whole and rest[:2] == salts:
            yield pages_after > 0


def _sums(content: bytes, order: str, sums: _Sums) -> _Sums:
    words = struct.unpack(f"{order}{len(content) // 4}I", content)
    first, second = sums
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & _MASK
        second = (second + odd + first) & _MASK
    return first, second
