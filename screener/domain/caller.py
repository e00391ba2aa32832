"""The caller as the trunk showed them, and the class their number falls into."""

from dataclasses import dataclass
from enum import StrEnum


class NumberClass(StrEnum):
    """What kind of caller ID this is; every caller ID has exactly one."""

    EMERGENCY = "emergency"
    INTERNAL = "internal"
    SPECIAL = "special"
    FIXED_LINE = "fixed_line"
    MOBILE = "mobile"
    VOIP = "voip"
    TOLL_FREE = "toll_free"
    PREMIUM_RATE = "premium_rate"
    UAN = "uan"
    PAGER = "pager"
    DOMESTIC_INVALID = "domestic_invalid"
    JAPAN_VIA_INTERNATIONAL = "japan_via_international"
    INTERNATIONAL = "international"
    INTERNATIONAL_FAKE = "international_fake"
    INTERNATIONAL_SUSPECT = "international_suspect"
    WITHHELD = "withheld"
    PAYPHONE = "payphone"
    UNAVAILABLE = "unavailable"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who is calling, as far as caller ID tells.

    ``given`` and ``name`` are exactly what the trunk sent, of any length and content: inert text,
    never part of a command. ``e164`` is ``+`` and digits, or None where the number has no such
    form (withheld, internal, special, malformed, fake).
    """

    given: str
    name: str
    e164: str | None
    number_class: NumberClass

    @property
    def list_key(self) -> str | None:
        """What household and fraud lists know this caller by; None for a caller without number."""
        if self.e164 is not None:
            return self.e164
        return self.given if self.given.isascii() and self.given.isdigit() else None
