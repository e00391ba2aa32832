"""What a shared list may never block: a limit keeps a bad list from cutting off a country."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from screener.domain.numbers import Country
from screener.shared.keys import split_pattern


class Refusal(StrEnum):
    """Why an entry of a list was not taken; the value says it to people."""

    TOO_WIDE = "fixes too few digits"
    EMERGENCY = "an emergency number"
    CARRIER = "a whole carrier or area at home"
    OWN = "the household's own number"
    ALLOWED = "on the allow list"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits of one household.

    ``shortest`` is how many digits an entry must fix, country code included, and
    ``shortest_domestic`` how many a pattern at home must. ``own`` and ``allowed`` are numbers and
    patterns in the form that lists use.
    """

    country: Country
    shortest: int
    shortest_domestic: int
    own: Sequence[str] = ()
    allowed: Sequence[str] = ()
    _exact: dict[str, Refusal] = field(init=False, repr=False)
    _begins: dict[Refusal, tuple[str, ...]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        kinds = {
            Refusal.EMERGENCY: sorted(self.country.emergency),
            Refusal.OWN: list(self.own),
            Refusal.ALLOWED: [each for each in self.allowed if not each.isalpha()],
        }
        exact: dict[str, Refusal] = {}
        for kind, known in kinds.items():
            for each in known:
                exact.setdefault(each, kind)
        wide = {
            kind: tuple(each.rstrip("*#") for each in known if each[-1] in "*#")
            for kind, known in kinds.items()
        }
        object.__setattr__(self, "_exact", exact)
        object.__setattr__(self, "_begins", {kind: each for kind, each in wide.items() if each})

    def refusal(self, entry: str) -> Refusal | None:
        """Return why this entry cannot be taken, None if it can."""
        wide = entry[-1] in "*#"
        kind = self._covering(entry) if wide else self._exact.get(entry)
        if kind is Refusal.EMERGENCY:
            return kind
        digits, _, plus = split_pattern(entry)
        if entry.isalpha() or len(digits) < self.shortest:
            return Refusal.TOO_WIDE
        if kind is None:
            kind = self._covered(entry)
        return Refusal.CARRIER if kind is None and wide and self._at_home(digits, plus) else kind

    def _covering(self, pattern: str) -> Refusal | None:
        """Return what a pattern would cover, whatever the lengths: rather one entry too few."""
        begins = pattern.rstrip("*#")
        for entry, kind in self._exact.items():
            if entry.startswith(begins):
                return kind
        return None

    def _covered(self, entry: str) -> Refusal | None:
        """Return what the household's own patterns say of an entry that begins as they do."""
        for kind, beginnings in self._begins.items():
            if entry.startswith(beginnings):
                return kind
        return None

    def _at_home(self, digits: str, plus: bool) -> bool:
        home = str(self.country.calling_code)
        return plus and digits.startswith(home) and len(digits) < self.shortest_domestic
