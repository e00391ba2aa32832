"""A small copy of the household's lists beside the database, for the day on which that is lost."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from screener.domain.lists import Entry
from screener.store.rows import entry_of, json_of


def save(copy: Path, entries: Mapping[str, Entry]) -> None:
    """Write the copy, whole or not at all; raises OSError."""
    rows = [json_of(entry) for entry in entries.values()]
    growing = copy.with_name(f"{copy.name}.part")
    try:
        # The household's numbers are nobody else's business.
        descriptor = os.open(growing, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            json.dump(rows, file)
            file.flush()
            os.fsync(file.fileno())
        growing.replace(copy)
    except OSError:
        growing.unlink(missing_ok=True)
        raise


def load(copy: Path) -> Mapping[str, Entry]:
    """Return the entries of the copy; none where there is no copy, or none to be understood."""
    try:
        rows: list[dict[str, Any]] = json.loads(copy.read_text(encoding="ascii"))
        return {entry.number: entry for entry in map(entry_of, rows)}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}
