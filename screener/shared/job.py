"""What an update has to do: which source, under which terms, and at what time."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from screener.shared.fetch import Patience
from screener.shared.formats import Format
from screener.shared.limits import Limits
from screener.shared.signature import PublicKey

Progress = Callable[[str, int, int | None], None]
"""Told what is being done, how far it is, and of how much, None where that is not known."""


def quiet(_doing: str, _done: int, _of: int | None) -> None:
    """Show no progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a list comes from, as the settings say: ``place`` is a URL, a file or a directory."""

    name: str
    place: str
    format: Format
    key: PublicKey | None = None
    token_file: Path | None = None
    least_reports: int = 1
    oldest_days: int = 0

    @property
    def remote(self) -> bool:
        """Whether it is fetched."""
        return urlsplit(self.place).scheme in {"http", "https"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Under which terms a list is taken.

    ``largest_change`` is in percent of the list before; nobody is asked about a change of
    ``smallest_change`` entries or fewer, but about a list that becomes empty.
    """

    limits: Limits
    largest_change: int
    smallest_change: int
    most_bytes: int
    most_numbers: int
    patience: Patience = field(default_factory=Patience)

    def digest(self, source: Source) -> str:
        """Return what stands for the settings that decide what of a source is taken."""
        limits = self.limits
        parts = (
            limits.country.code,
            limits.shortest,
            limits.shortest_domestic,
            sorted(limits.own),
            source.format,
            source.least_reports,
            str(source.key),
        )
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One update of one list; ``now`` is aware of its zone."""

    source: Source
    terms: Terms
    now: datetime
    progress: Progress = quiet

    @property
    def conditions(self) -> str:
        """What stands for the settings that decide what of the source is taken."""
        return self.terms.digest(self.source)
