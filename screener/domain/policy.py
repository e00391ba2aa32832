"""The policy: who rings at once, who is warned first, who is turned away, and why."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from screener.domain.caller import WITHOUT_NUMBER, Caller, NumberClass
from screener.domain.hours import covers
from screener.domain.household import FROM_ABROAD, Household
from screener.domain.lists import Entry, ListName, Lists
from screener.domain.verdict import Verdict

__all__ = ["Circumstances", "Decision", "Rule", "Verdict", "decide"]


class Rule(StrEnum):
    """The rules of the policy in the order in which they are tried: the first that fits decides.

    Of the household's own lists the more exact entry decides: a number before a pattern, a longer
    pattern before a shorter one, a country last.
    """

    EMERGENCY = "emergency"
    EMERGENCY_WINDOW = "emergency_window"
    ALLOW_LIST = "allow_list"
    SCREEN_LIST = "screen_list"
    BLOCK_LIST = "block_list"
    FRAUD_LIST = "fraud_list"
    DIALLED = "dialled"
    HOURS = "hours"
    CLASS = "class"


FOR_HELP = frozenset({Rule.EMERGENCY, Rule.EMERGENCY_WINDOW})
"""Calls by these rules are the dialplan's by right: it rings them, with a screener or without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A verdict, the rule that gave it, why in words a machine can match, and the list entry.

    ``instead_of`` is what the rule asks for where that is not enforced; None where it is.
    """

    verdict: Verdict
    rule: Rule
    reason: str
    entry: Entry | None = None
    instead_of: Verdict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """When a call comes, and what is known of the line just then.

    ``moment`` is by the household's clock. ``numbers_shown`` is false while no caller on this line
    ever showed a number: then the line may have no caller ID at all.
    """

    moment: datetime
    emergency_window: bool = False
    numbers_shown: bool = True


def decide(caller: Caller, lists: Lists, household: Household, at: Circumstances) -> Decision:
    """Return what is to happen to this caller; total, so that every caller gets a verdict."""
    if caller.number_class is NumberClass.EMERGENCY:
        return Decision(verdict=Verdict.PASS, rule=Rule.EMERGENCY, reason="emergency_number")
    if at.emergency_window:
        reason = "household_called_for_help"
        return Decision(verdict=Verdict.PASS, rule=Rule.EMERGENCY_WINDOW, reason=reason)
    asked = _asked_for(caller, lists, household, at)
    if household.enforced or asked.verdict is Verdict.PASS:
        return asked
    return replace(asked, verdict=Verdict.PASS, instead_of=asked.verdict)


def _asked_for(caller: Caller, lists: Lists, household: Household, at: Circumstances) -> Decision:
    """Return what the rules ask for, from the household's own lists on."""
    if entry := lists.of_household(caller, at.moment):
        verdict, rule = _OF_LIST[entry.list_name]
        return Decision(verdict=verdict, rule=rule, reason=f"on_{rule}", entry=entry)
    if entry := lists.of_shared(caller):
        verdict, rule = household.on_fraud_list, Rule.FRAUD_LIST
        return Decision(verdict=verdict, rule=rule, reason=f"on_{rule}", entry=entry)
    if entry := lists.dialled(caller, at.moment):
        reason = "household_dialled_it"
        return Decision(verdict=Verdict.PASS, rule=Rule.DIALLED, reason=reason, entry=entry)
    by_class = _by_class(caller, household, at)
    # An extension, a door telephone or a pendant of the house is heard at night as well.
    if (
        caller.number_class is not NumberClass.INTERNAL
        and household.quiet_verdict.is_stricter_than(by_class.verdict)
        and covers(household.quiet, at.moment)
    ):
        return Decision(verdict=household.quiet_verdict, rule=Rule.HOURS, reason="quiet_hours")
    return by_class


_OF_LIST = {
    ListName.ALLOW: (Verdict.PASS, Rule.ALLOW_LIST),
    ListName.SCREEN: (Verdict.SCREEN, Rule.SCREEN_LIST),
    ListName.BLOCK: (Verdict.BLOCK, Rule.BLOCK_LIST),
}


def _by_class(caller: Caller, household: Household, at: Circumstances) -> Decision:
    verdict = household.verdicts[caller.number_class]
    hidden = caller.number_class in WITHOUT_NUMBER
    if hidden and verdict.is_stricter_than(Verdict.SCREEN) and not at.numbers_shown:
        # Without caller ID on the line every call looks withheld, and nobody would ever ring.
        return Decision(
            verdict=Verdict.SCREEN,
            rule=Rule.CLASS,
            reason="no_caller_id_on_this_line",
            instead_of=verdict,
        )
    return Decision(verdict=verdict, rule=Rule.CLASS, reason=_reason(caller, household))


def _reason(caller: Caller, household: Household) -> str:
    ending = (caller.list_key or "")[-4:]
    if caller.number_class in FROM_ABROAD and ending in household.police_endings:
        return "police_look_alike_from_abroad"
    return str(caller.number_class)
