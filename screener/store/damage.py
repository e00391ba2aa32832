"""What can befall a database file, seen from outside; a damaged one is put aside, not deleted."""

import errno
import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote

_BESIDE: Final = ("-wal", "-shm")
_MAGIC: Final = b"SQLite format 3\x00"
_SIGNS: Final = (_MAGIC[:-1], b"list_entries", b"alembic_version")
_HEAD_BYTES: Final = 1 << 16
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def is_damage(error: BaseException) -> bool:
    """Tell whether an error of SQLite says that the file itself is broken, not busy or full."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED


def copy_of(path: Path) -> Path:
    """Return where the last known lists are kept, the sign that here was a database once."""
    return path.with_name(f"{path.name}.lists.json")


def log_of(path: Path) -> Path:
    """Return SQLite's write-ahead log of a database."""
    return path.with_name(f"{path.name}-wal")


def is_gone(path: Path) -> bool:
    """Tell whether there was a database and now is none: missing, or emptied."""
    return _size(path) == 0 and (_size(copy_of(path)) > 0 or _size(log_of(path)) > 0)


def damage(path: Path, patience: float) -> str | None:
    """Return what is broken in a database, None where it is whole, or none of ours at all.

    Reads all of it: some 0.2 s for each 10 MB. Raises sqlite3.Error for what is no damage: locked,
    not to be read.
    """
    if not path.is_file() or _size(path) == 0:
        return None
    address = f"file:{quote(os.fsencode(path.absolute()))}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True, timeout=patience)) as connection:
            ((found,),) = connection.execute("PRAGMA integrity_check(1)")
            return None if found == "ok" else str(found).strip().replace("\n", ": ")
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            return str(error) if was_ours(path) else None
        raise


def unused_name(path: Path) -> Path:
    """Return a name for a damaged database that nothing has yet, nor what lies beside it."""
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    names = [
        f"{path.name}.damaged-{stamp}{more}" for more in ("", *(f"-{n}" for n in range(2, 100)))
    ]
    for aside in map(path.with_name, names):
        if not (aside.exists() or log_of(aside).exists()):
            return aside
    raise FileExistsError(errno.EEXIST, "a hundred damaged databases lie there already")


def put_aside(path: Path) -> Path | None:
    """Rename a database, with what SQLite keeps beside it, and return its new name.

    None where there is nothing in it. Raises OSError; what was renamed by then stays so.
    """
    aside = unused_name(path)
    moved = False
    # The write-ahead log first: alone beside a new database, SQLite would delete it.
    for ending in (*_BESIDE, ""):
        part = path.with_name(f"{path.name}{ending}")
        if _size(part) > 0:
            part.rename(aside.with_name(f"{aside.name}{ending}"))
            moved |= ending != "-shm"
    return aside if moved else None


def set_aside(path: Path) -> list[Path]:
    """Return the damaged databases that lie beside this one, the oldest first."""
    found = path.parent.glob(f"{_escaped(path.name)}.damaged-*")
    return sorted(
        {
            each.with_name(each.name.removesuffix("-wal"))
            for each in found
            if not each.name.endswith("-shm")
        }
    )


def was_ours(path: Path) -> bool:
    """Tell whether a file that is no database was one: nobody else's file is put aside."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    signs = any(sign in head for sign in _SIGNS) or not any(head)
    return signs or _size(copy_of(path)) > 0 or _size(log_of(path)) > 0


def _escaped(name: str) -> str:
    return "".join(f"[{each}]" if each in "*?[" else each for each in name)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return 0
