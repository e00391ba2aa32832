"""The policy: every caller gets one verdict, and the first rule that fits gives it."""

from datetime import UTC, datetime
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screener.domain.caller import Caller, NumberClass
from screener.domain.lists import Entry, ListName, Lists
from screener.domain.policy import FROM_ABROAD, Decision, Rule, Verdict, decide

NUMBER = "+81312345678"
WHEN = datetime(2026, 11, 1, tzinfo=UTC)
NO_LISTS = Lists()


def caller(
    number_class: NumberClass, *, given: str = "0312345678", e164: str | None = NUMBER
) -> Caller:
    return Caller(given=given, name="", e164=e164, number_class=number_class)


def entry(list_name: ListName, number: str = NUMBER) -> Entry:
    return Entry(list_name=list_name, number=number, note="", origin="household", added_at=WHEN)


def lists(*names: ListName, number: str = NUMBER) -> Lists:
    return Lists(**{str(name): {number: entry(name, number)} for name in names})


@pytest.mark.parametrize(
    ("number_class", "verdict", "rule", "reason"),
    [
        (NumberClass.EMERGENCY, Verdict.PASS, Rule.EMERGENCY, "emergency_number"),
        (NumberClass.INTERNAL, Verdict.PASS, Rule.INTERNAL, "internal_extension"),
        (NumberClass.INTERNATIONAL, Verdict.BLOCK, Rule.INTERNATIONAL, "international"),
        (NumberClass.INTERNATIONAL_FAKE, Verdict.BLOCK, Rule.INTERNATIONAL, "international_fake"),
        (
            NumberClass.INTERNATIONAL_SUSPECT,
            Verdict.BLOCK,
            Rule.INTERNATIONAL,
            "international_suspect",
        ),
        (
            NumberClass.JAPAN_VIA_INTERNATIONAL,
            Verdict.BLOCK,
            Rule.INTERNATIONAL,
            "japan_via_international",
        ),
        (NumberClass.SPECIAL, Verdict.SCREEN, Rule.OTHERS, "special"),
        (NumberClass.FIXED_LINE, Verdict.SCREEN, Rule.OTHERS, "fixed_line"),
        (NumberClass.MOBILE, Verdict.SCREEN, Rule.OTHERS, "mobile"),
        (NumberClass.VOIP, Verdict.SCREEN, Rule.OTHERS, "voip"),
        (NumberClass.TOLL_FREE, Verdict.SCREEN, Rule.OTHERS, "toll_free"),
        (NumberClass.PREMIUM_RATE, Verdict.SCREEN, Rule.OTHERS, "premium_rate"),
        (NumberClass.UAN, Verdict.SCREEN, Rule.OTHERS, "uan"),
        (NumberClass.PAGER, Verdict.SCREEN, Rule.OTHERS, "pager"),
        (NumberClass.DOMESTIC_INVALID, Verdict.SCREEN, Rule.OTHERS, "domestic_invalid"),
        (NumberClass.WITHHELD, Verdict.SCREEN, Rule.OTHERS, "withheld"),
        (NumberClass.PAYPHONE, Verdict.SCREEN, Rule.OTHERS, "payphone"),
        (NumberClass.UNAVAILABLE, Verdict.SCREEN, Rule.OTHERS, "unavailable"),
        (NumberClass.MALFORMED, Verdict.SCREEN, Rule.OTHERS, "malformed"),
    ],
)
def test_without_lists_the_class_decides(
    number_class: NumberClass, verdict: Verdict, rule: Rule, reason: str
) -> None:
    decision = decide(caller(number_class), NO_LISTS)
    assert decision == Decision(verdict=verdict, rule=rule, reason=reason)


@pytest.mark.parametrize(
    ("on", "decisive", "verdict", "rule"),
    [
        ({ListName.ALLOW}, ListName.ALLOW, Verdict.PASS, Rule.ALLOW_LIST),
        ({ListName.BLOCK}, ListName.BLOCK, Verdict.BLOCK, Rule.BLOCK_LIST),
        ({ListName.FRAUD}, ListName.FRAUD, Verdict.BLOCK, Rule.FRAUD_LIST),
        ({ListName.ALLOW, ListName.BLOCK}, ListName.ALLOW, Verdict.PASS, Rule.ALLOW_LIST),
        ({ListName.ALLOW, ListName.FRAUD}, ListName.ALLOW, Verdict.PASS, Rule.ALLOW_LIST),
        ({ListName.BLOCK, ListName.FRAUD}, ListName.BLOCK, Verdict.BLOCK, Rule.BLOCK_LIST),
        (set(ListName), ListName.ALLOW, Verdict.PASS, Rule.ALLOW_LIST),
    ],
)
@pytest.mark.parametrize(
    "number_class",
    [NumberClass.FIXED_LINE, NumberClass.INTERNATIONAL, NumberClass.JAPAN_VIA_INTERNATIONAL],
)
def test_allow_comes_before_block_before_fraud_before_the_class(
    on: set[ListName],
    decisive: ListName,
    verdict: Verdict,
    rule: Rule,
    number_class: NumberClass,
) -> None:
    decision = decide(caller(number_class), lists(*on))
    assert decision == Decision(
        verdict=verdict, rule=rule, reason=f"on_{decisive}_list", entry=entry(decisive)
    )


@pytest.mark.parametrize("on", ListName)
@pytest.mark.parametrize("number", ["110", "118", "119"])
def test_no_list_can_touch_an_emergency_call_back(number: str, on: ListName) -> None:
    calling = caller(NumberClass.EMERGENCY, given=number, e164=None)
    decision = decide(calling, lists(on, number=number))
    assert decision == Decision(
        verdict=Verdict.PASS, rule=Rule.EMERGENCY, reason="emergency_number"
    )


def test_a_number_without_e164_form_is_found_by_its_digits() -> None:
    calling = caller(NumberClass.INTERNAL, given="3", e164=None)
    assert decide(calling, lists(ListName.BLOCK, number="3")).rule is Rule.BLOCK_LIST


@pytest.mark.parametrize("given_number", ["", "anonymous", "#9110", "１１", "+3", "0312345678 "])
def test_a_caller_without_number_stands_on_no_list(given_number: str) -> None:
    calling = caller(NumberClass.WITHHELD, given=given_number, e164=None)
    everything = {given_number: entry(ListName.BLOCK, given_number)}
    assert decide(calling, Lists(block=everything)).rule is Rule.OTHERS


def test_a_number_is_matched_whole() -> None:
    calling = caller(NumberClass.FIXED_LINE, e164="+813123456789")
    assert decide(calling, lists(ListName.BLOCK)).rule is Rule.OTHERS


def test_every_class_from_abroad_is_turned_away_and_no_other() -> None:
    blocked = {c for c in NumberClass if decide(caller(c), NO_LISTS).verdict is Verdict.BLOCK}
    assert blocked == FROM_ABROAD


CALLERS = st.builds(
    Caller,
    given=st.text(max_size=20),
    name=st.text(max_size=20),
    e164=st.none() | st.just(NUMBER),
    number_class=st.sampled_from(NumberClass),
)


@given(CALLERS, st.sets(st.sampled_from(ListName)))
def test_every_caller_gets_a_verdict_with_its_rule_and_reason(
    calling: Caller, on: set[ListName]
) -> None:
    decision = decide(calling, lists(*on))
    assert decision.verdict in Verdict
    assert decision.rule in Rule
    assert decision.reason
    listed = decision.rule in {Rule.ALLOW_LIST, Rule.BLOCK_LIST, Rule.FRAUD_LIST}
    assert (decision.entry is not None) == listed
    assert decision == decide(calling, lists(*on))


def test_rules_are_named_in_the_order_in_which_they_are_tried() -> None:
    order = list(Rule)
    decisions = {
        (number_class, on): decide(caller(number_class), lists(*on)).rule
        for number_class, on in product(
            NumberClass, [(), (ListName.FRAUD,), (ListName.BLOCK,), (ListName.ALLOW,)]
        )
    }
    for (number_class, on), rule in decisions.items():
        without = decisions[number_class, ()]
        if on:
            by_list = Rule(f"{on[0]}_list")
            assert rule is min(by_list, without, key=order.index)
