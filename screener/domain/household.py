"""What a household wants done with whom: a named profile, and where it differs from that."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from screener.domain.caller import NumberClass
from screener.domain.hours import Period
from screener.domain.verdict import Verdict


class Profile(StrEnum):
    """Ways to treat callers who are on no list.

    ``standard``: strangers are warned, callers from abroad are turned away. ``as_the_box``: as the
    wards' recorder, everybody is warned. ``careful``: besides, whoever hides or fakes their number
    leaves a message. ``messages_only``: so does every stranger. ``watch_only``: everybody rings,
    and the call log says what ``standard`` would have done.
    """

    STANDARD = "standard"
    AS_THE_BOX = "as_the_box"
    CAREFUL = "careful"
    MESSAGES_ONLY = "messages_only"
    WATCH_ONLY = "watch_only"


FROM_ABROAD = frozenset(
    {
        NumberClass.INTERNATIONAL,
        NumberClass.INTERNATIONAL_FAKE,
        NumberClass.INTERNATIONAL_SUSPECT,
        NumberClass.JAPAN_VIA_INTERNATIONAL,
    }
)

SETTABLE = tuple(each for each in NumberClass if each is not NumberClass.EMERGENCY)
"""The classes whose verdict a household chooses; emergency numbers always ring."""

# Who may have no number to show leaves a message at most: a clinic that withholds its own, say.
_DOUBTFUL = frozenset(
    {
        NumberClass.DOMESTIC_INVALID,
        NumberClass.MALFORMED,
        NumberClass.PREMIUM_RATE,
        NumberClass.UNAVAILABLE,
        NumberClass.WITHHELD,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Household:
    """How one household wants its callers treated.

    ``verdicts`` has every class of SETTABLE. In the ``quiet`` hours who would ring gets
    ``quiet_verdict`` where that is stricter. ``police_endings`` are the last digits that make a
    number from abroad a police look-alike. What is not ``enforced`` is only written down.
    """

    verdicts: Mapping[NumberClass, Verdict]
    on_fraud_list: Verdict = Verdict.BLOCK
    quiet: tuple[Period, ...] = ()
    quiet_verdict: Verdict = Verdict.MESSAGE
    police_endings: frozenset[str] = frozenset()
    enforced: bool = True


def verdicts_of(profile: Profile) -> dict[NumberClass, Verdict]:
    """Return what a profile does with callers of each class."""
    return {each: _verdict(profile, each) for each in SETTABLE}


def _verdict(profile: Profile, number_class: NumberClass) -> Verdict:
    if number_class is NumberClass.INTERNAL:
        return Verdict.PASS
    if profile is Profile.AS_THE_BOX:
        return Verdict.SCREEN
    if number_class in FROM_ABROAD:
        return Verdict.BLOCK
    if profile is Profile.MESSAGES_ONLY:
        return Verdict.MESSAGE
    if profile is Profile.CAREFUL and number_class in _DOUBTFUL:
        return Verdict.MESSAGE
    return Verdict.SCREEN
