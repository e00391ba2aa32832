"""All the shared lists of a household: which there are, which versions count, how old they are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from screener.domain.inert import inert
from screener.shared.compiled import FraudList
from screener.shared.errors import ListError
from screener.shared.job import Job, Progress, Source, Terms, quiet
from screener.shared.shelf import Pointer, Shelf
from screener.shared.update import read_at_once

# A file of the household's own that is not longer than this is read even before any update.
AT_ONCE_BYTES: Final = 1_000_000
# After an update that failed, a source is left alone for this long.
_NOT_BEFORE: Final = timedelta(minutes=50)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one list stands.

    ``complaint`` is what is wrong with it, empty where nothing is; ``known_at`` when it was last
    known to be the newest, None if it never was.
    """

    source: Source
    current: FraudList | None
    pointer: Pointer
    complaint: str
    known_at: datetime | None

    def too_old(self, now: datetime) -> bool:
        """Tell whether it is older than its source's setting allows."""
        limit = self.source.oldest_days
        return bool(limit and self.known_at) and self.age(now) > timedelta(days=limit)

    def age(self, now: datetime) -> timedelta:
        """Return how long ago it was known to be the newest."""
        return now - self.known_at if self.known_at else timedelta(0)


class FraudLists:
    """The lists of the settings, each with its shelf below one directory."""

    def __init__(self, directory: Path, sources: Sequence[Source], terms: Terms) -> None:
        self.sources = {source.name: source for source in sources}
        self._directory = directory
        self._terms = terms

    def shelf(self, name: str) -> Shelf:
        """Return where the versions of a list stand; ListError where the settings know none."""
        if name not in self.sources:
            known = ", ".join(self.sources) or "none"
            raise ListError(f"there is no list {inert(name, 40)} in [lists]; there are: {known}")
        return Shelf(self._directory / name)

    def standing(self, name: str, now: datetime) -> Standing:
        """Return how a list stands now. Reads the list whole: not for the event loop."""
        source, shelf = self.sources[name], self.shelf(name)
        current, complaint = shelf.current()
        pointer = shelf.pointer()
        if current is None and not complaint:
            try:
                current = read_at_once(
                    Job(source=source, terms=self._terms, now=now), AT_ONCE_BYTES
                )
                complaint = "" if current else "not taken yet"
            except ListError as error:
                complaint = str(error)
            pointer = replace(pointer, checked_at=current.head.dated if current else "")
        known_at = datetime.fromisoformat(pointer.checked_at) if pointer.checked_at else None
        return Standing(
            source=source, current=current, pointer=pointer, complaint=complaint, known_at=known_at
        )

    def current(self, now: datetime) -> tuple[FraudList, ...]:
        """Return the lists that count; one that cannot be read is left out."""
        found = (self.standing(name, now).current for name in self.sources)
        return tuple(each for each in found if each is not None)

    def job(
        self,
        name: str,
        *,
        now: datetime,
        allowed: Sequence[str],
        progress: Progress = quiet,
        place: str = "",
    ) -> Job:
        """Return what an update of a list has to do, from another place where one is given.

        ``allowed`` is what stands on the household's allow list.
        """
        source = self.sources[name]
        limits = replace(self._terms.limits, allowed=allowed)
        return Job(
            source=replace(source, place=place or source.place),
            terms=replace(self._terms, limits=limits),
            now=now,
            progress=progress,
        )

    def due(self, name: str, now: datetime, every: timedelta) -> bool:
        """Tell whether it is time to ask a source again: files always, URLs every so often.

        Never for a list that was rolled back: that waits for a yes.
        """
        pointer = self.shelf(name).pointer()
        if pointer.held or not self.sources[name].remote:
            return not pointer.held
        known, tried = pointer.checked_at, pointer.tried_at
        if tried and now - datetime.fromisoformat(tried) < _NOT_BEFORE:
            return False
        return not known or now - datetime.fromisoformat(known) >= every
