"""Allow, block and fraud lists as the policy reads them: immutable, looked up by exact number."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from screener.domain.caller import Caller


class ListName(StrEnum):
    """The lists a number can stand on."""

    ALLOW = "allow"
    BLOCK = "block"
    FRAUD = "fraud"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One number on one list. ``number`` is E.164, or bare digits where it has no such form.

    ``origin`` says who put it there (``household``, or the file of a shared list);
    ``added_at`` is aware of its zone, None where a shared list gives no date.
    """

    list_name: ListName
    number: str
    note: str
    origin: str
    added_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """All lists that count for a household, as they were at one moment."""

    allow: Mapping[str, Entry] = field(default_factory=dict)
    block: Mapping[str, Entry] = field(default_factory=dict)
    fraud: Mapping[str, Entry] = field(default_factory=dict)

    def find(self, caller: Caller) -> Entry | None:
        """Return the entry that counts for this caller: allow before block before fraud."""
        key = caller.list_key
        if key is None:
            return None
        return self.allow.get(key) or self.block.get(key) or self.fraud.get(key)
