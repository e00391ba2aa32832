"""Lists of numbers as the policy reads them, and what the entries on them cover."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

from screener.domain.caller import Caller, NumberClass

DIALLED: Final = "dialled"
"""The origin of the entries that come of dialling."""


class ListName(StrEnum):
    """The lists a number can stand on: the first three are the household's, the last is shared."""

    ALLOW = "allow"
    SCREEN = "screen"
    BLOCK = "block"
    FRAUD = "fraud"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a list.

    ``number`` says whom it covers:

    * ``+81312345678``, or bare digits where a number has no such form: exactly this number;
    * ``+33162######``: every number of this length that begins so, one ``#`` a digit;
    * ``+81120*``: every number that begins so;
    * ``DE``: every number of this country (ISO 3166-1).

    ``origin`` says who put it there: ``household``, ``dialled``, ``book`` and its name, or the
    name of the shared list, of which ``version`` tells the state. ``added_at`` is None where a
    shared list gives no date. From ``expires_at`` on the entry covers nobody. Both are aware of
    their zone.
    """

    list_name: ListName
    number: str
    note: str
    origin: str
    added_at: datetime | None
    expires_at: datetime | None = None
    version: str | None = None

    @property
    def covers_many(self) -> bool:
        """Whether it is a pattern, not one number."""
        return self.number[-1:] in {"*", "#"} or self.number.isalpha()

    def holds(self, now: datetime) -> bool:
        """Tell whether the entry counts at this moment."""
        return self.expires_at is None or now < self.expires_at


class SharedList(Protocol):
    """A list that many households use, in one of its versions."""

    @property
    def name(self) -> str:
        """What the list is called."""

    @property
    def version(self) -> str:
        """Which state of the list this is."""

    def find(self, key: str) -> Entry | None:
        """Return the most exact entry that covers a caller's ``list_key``; at once, never fails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """All lists that count for a household, as they were at one moment.

    ``household`` holds its own entries by what they cover, so that a number, a pattern or a
    country stands on one of its lists or on none.
    """

    household: Mapping[str, Entry] = field(default_factory=dict)
    shared: Sequence[SharedList] = ()

    def of_household(self, caller: Caller, now: datetime) -> Entry | None:
        """Return the household's most exact entry that covers this caller and still holds.

        What came of dialling is no word of the household's on that number: see ``dialled``.
        """
        if caller.list_key is not None:
            for pattern in patterns_covering(caller.list_key):
                entry = self.household.get(pattern)
                if entry is not None and entry.holds(now) and entry.origin != DIALLED:
                    return entry
        entry = self.household.get(caller.region) if caller.region else None
        return entry if entry is not None and entry.holds(now) else None

    def dialled(self, caller: Caller, now: datetime) -> Entry | None:
        """Return the entry that this number got when the household dialled it, if it holds.

        A number at home that came over an international route is hardly whom they dialled.
        """
        if caller.number_class is NumberClass.JAPAN_VIA_INTERNATIONAL or caller.list_key is None:
            return None
        entry = self.household.get(caller.list_key)
        known = entry is not None and entry.holds(now) and entry.origin == DIALLED
        return entry if known else None

    def of_shared(self, caller: Caller) -> Entry | None:
        """Return the entry of a shared list that covers this caller: the one exact number first."""
        if caller.list_key is None:
            return None
        found = [entry for each in self.shared if (entry := each.find(caller.list_key))]
        return min(found, key=_width, default=None)


def patterns_covering(key: str) -> Iterator[str]:
    """Yield all that covers a number, but its country: itself first, then the widening patterns."""
    yield key
    for length in range(len(key) - 1, 0, -1):
        beginning = key[:length]
        yield beginning + "#" * (len(key) - length)
        yield beginning + "*"


def _width(entry: Entry) -> tuple[bool, int, bool]:
    """Order entries from the most exact to the widest."""
    fixed = entry.number.rstrip("*#")
    return entry.covers_many, -len(fixed), entry.number.endswith("*")
