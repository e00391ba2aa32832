"""The caller as the trunk showed them, and the class their number falls into."""

from dataclasses import dataclass, field
from enum import StrEnum

from screener.domain.digits import digits_of


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


WITHOUT_NUMBER = frozenset({NumberClass.WITHHELD, NumberClass.UNAVAILABLE, NumberClass.INTERNAL})
"""The classes of callers that leave it open whether the line has caller ID at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who is calling, as far as caller ID tells.

    ``given`` and ``name`` are exactly what the trunk sent, of any length and content: inert text,
    never part of a command. ``e164`` is ``+`` and digits, or None where the number has no such
    form (withheld, internal, special, malformed, fake). ``region`` is the country of the number
    (ISO 3166-1), None where it belongs to none; it is not kept in the call log.
    """

    given: str
    name: str
    e164: str | None
    number_class: NumberClass
    region: str | None = field(default=None, compare=False)

    @property
    def list_key(self) -> str | None:
        """What lists know this caller by; None for a caller without number.

        E.164 where the number has that form, else the digits that were shown, with their ``+``.
        """
        if self.e164 is not None:
            return self.e164
        shown = digits_of(self.given)
        return None if shown is None else shown.text
