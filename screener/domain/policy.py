"""The policy: who rings at once, who is warned first, who is turned away, and why."""

from dataclasses import dataclass
from enum import StrEnum

from screener.domain.caller import Caller, NumberClass
from screener.domain.lists import Entry, ListName, Lists


class Verdict(StrEnum):
    """What is to happen to a call."""

    PASS = "pass"  # noqa: S105  (a verdict, not a password)
    SCREEN = "screen"
    BLOCK = "block"


class Rule(StrEnum):
    """The rules of the policy in the order in which they are tried: the first that fits decides."""

    EMERGENCY = "emergency"
    ALLOW_LIST = "allow_list"
    BLOCK_LIST = "block_list"
    FRAUD_LIST = "fraud_list"
    INTERNAL = "internal"
    INTERNATIONAL = "international"
    OTHERS = "others"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A verdict, the rule that gave it, why in words a machine can match, and the list entry."""

    verdict: Verdict
    rule: Rule
    reason: str
    entry: Entry | None = None


FROM_ABROAD = frozenset(
    {
        NumberClass.INTERNATIONAL,
        NumberClass.INTERNATIONAL_FAKE,
        NumberClass.INTERNATIONAL_SUSPECT,
        NumberClass.JAPAN_VIA_INTERNATIONAL,
    }
)


def decide(caller: Caller, lists: Lists) -> Decision:
    """Return what is to happen to this caller; total, so that every caller gets a verdict."""
    if caller.number_class is NumberClass.EMERGENCY:
        return Decision(verdict=Verdict.PASS, rule=Rule.EMERGENCY, reason="emergency_number")
    entry = lists.find(caller)
    if entry is not None:
        match entry.list_name:
            case ListName.ALLOW:
                verdict, rule = Verdict.PASS, Rule.ALLOW_LIST
            case ListName.BLOCK:
                verdict, rule = Verdict.BLOCK, Rule.BLOCK_LIST
            case ListName.FRAUD:
                verdict, rule = Verdict.BLOCK, Rule.FRAUD_LIST
        return Decision(verdict=verdict, rule=rule, reason=f"on_{rule}", entry=entry)
    if caller.number_class is NumberClass.INTERNAL:
        return Decision(verdict=Verdict.PASS, rule=Rule.INTERNAL, reason="internal_extension")
    if caller.number_class in FROM_ABROAD:
        return Decision(
            verdict=Verdict.BLOCK, rule=Rule.INTERNATIONAL, reason=str(caller.number_class)
        )
    return Decision(verdict=Verdict.SCREEN, rule=Rule.OTHERS, reason=str(caller.number_class))
