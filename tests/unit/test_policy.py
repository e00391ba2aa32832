"""The policy: every caller gets one verdict, and the first rule that fits gives it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screener.domain.caller import WITHOUT_NUMBER, Caller, NumberClass
from screener.domain.hours import parse_period
from screener.domain.household import FROM_ABROAD, SETTABLE, Household, Profile, verdicts_of
from screener.domain.lists import DIALLED, Entry, ListName, Lists, patterns_covering
from screener.domain.numbers import country, identify
from screener.domain.policy import Circumstances, Decision, Rule, Verdict, decide

JAPAN = country("JP")
NUMBER = "+81312345678"
NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)  # a Wednesday
NIGHT = NOON.replace(hour=23)
AT_NOON = Circumstances(moment=NOON)
NO_LISTS = Lists()
STANDARD = Household(verdicts=verdicts_of(Profile.STANDARD), police_endings=JAPAN.police_endings)
OF_HOUSEHOLD = (ListName.ALLOW, ListName.SCREEN, ListName.BLOCK)
BY_LIST = {
    ListName.ALLOW: Verdict.PASS,
    ListName.SCREEN: Verdict.SCREEN,
    ListName.BLOCK: Verdict.BLOCK,
    ListName.FRAUD: Verdict.BLOCK,
}


class Shared:
    """A shared list in memory."""

    name, version = "warnings", "7"

    def __init__(self, *numbers: str) -> None:
        self.entries = {number: entry(ListName.FRAUD, number) for number in numbers}

    def find(self, key: str) -> Entry | None:
        return next((self.entries[p] for p in patterns_covering(key) if p in self.entries), None)


def caller(
    number_class: NumberClass, *, given: str = "0312345678", e164: str | None = NUMBER
) -> Caller:
    return Caller(given=given, name="", e164=e164, number_class=number_class)


def calling(number: str) -> Caller:
    return identify(number, "", country=JAPAN)


def entry(list_name: ListName, number: str = NUMBER, expires_at: datetime | None = None) -> Entry:
    return Entry(
        list_name=list_name,
        number=number,
        note="",
        origin="household",
        added_at=NOON - timedelta(days=30),
        expires_at=expires_at,
    )


def lists(household: Mapping[str, ListName], *shared: str) -> Lists:
    own = {number: entry(name, number) for number, name in household.items()}
    return Lists(household=own, shared=[Shared(*shared)])


def verdict(number: str, on: Lists = NO_LISTS, household: Household = STANDARD) -> Verdict:
    return decide(calling(number), on, household, AT_NOON).verdict


# ---- the class ----------------------------------------------------------------------------------


@pytest.mark.parametrize("number_class", SETTABLE)
@pytest.mark.parametrize("wanted", Verdict)
def test_without_lists_and_hours_the_households_setting_for_the_class_decides(
    number_class: NumberClass, wanted: Verdict
) -> None:
    household = replace(STANDARD, verdicts={**STANDARD.verdicts, number_class: wanted})
    assert decide(caller(number_class), NO_LISTS, household, AT_NOON) == Decision(
        verdict=wanted, rule=Rule.CLASS, reason=number_class
    )


@pytest.mark.parametrize("profile", Profile)
def test_a_profile_has_a_verdict_for_every_class_but_emergencies(profile: Profile) -> None:
    assert set(verdicts_of(profile)) == set(NumberClass) - {NumberClass.EMERGENCY}
    assert verdicts_of(profile)[NumberClass.INTERNAL] is Verdict.PASS


@pytest.mark.parametrize(
    ("profile", "stranger", "hidden", "payphone", "foreign"),
    [
        (Profile.STANDARD, "screen", "screen", "screen", "block"),
        (Profile.AS_THE_BOX, "screen", "screen", "screen", "screen"),
        (Profile.CAREFUL, "screen", "message", "screen", "block"),
        (Profile.MESSAGES_ONLY, "message", "message", "message", "block"),
    ],
)
def test_a_profile_does_what_the_leaflet_says(
    profile: Profile, stranger: str, hidden: str, payphone: str, foreign: str
) -> None:
    verdicts = verdicts_of(profile)
    for number_class in (NumberClass.MOBILE, NumberClass.VOIP, NumberClass.TOLL_FREE):
        assert verdicts[number_class] == stranger
    for number_class in (NumberClass.WITHHELD, NumberClass.UNAVAILABLE):
        assert verdicts[number_class] == hidden
    assert verdicts[NumberClass.PAYPHONE] == payphone
    assert {verdicts[number_class] for number_class in FROM_ABROAD} == {foreign}


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("+18005551234", "international"),
        ("+180056510110", "police_look_alike_from_abroad"),
        ("+81335810110", "police_look_alike_from_abroad"),
        ("8006868110", "international_fake"),
        ("+8000286210110", "police_look_alike_from_abroad"),
        ("+81312345678", "japan_via_international"),
        ("0412345678", "domestic_invalid"),
        ("0335810110", "fixed_line"),
    ],
)
def test_what_is_wrong_with_a_number_is_the_reason(number: str, reason: str) -> None:
    assert decide(calling(number), NO_LISTS, STANDARD, AT_NOON).reason == reason


def test_only_where_the_police_has_such_numbers_does_an_ending_look_like_it() -> None:
    abroad = identify("+81335810110", "", country=country("DE"))
    household = replace(STANDARD, police_endings=country("DE").police_endings)
    assert decide(abroad, NO_LISTS, household, AT_NOON).reason == "international"


# ---- lists --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OF_HOUSEHOLD)
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize(
    "number_class",
    [NumberClass.FIXED_LINE, NumberClass.INTERNATIONAL, NumberClass.JAPAN_VIA_INTERNATIONAL],
)
def test_the_households_lists_come_before_shared_lists_and_the_class(
    name: ListName, shared: bool, number_class: NumberClass
) -> None:
    found = lists({NUMBER: name}, *([NUMBER] if shared else []))
    assert decide(caller(number_class), found, STANDARD, AT_NOON) == Decision(
        verdict=BY_LIST[name],
        rule=Rule(f"{name}_list"),
        reason=f"on_{name}_list",
        entry=entry(name),
    )


def test_a_shared_list_comes_before_the_class_and_what_it_means_is_a_setting() -> None:
    found = lists({}, "+81312*")
    decision = decide(calling("0312345678"), found, STANDARD, AT_NOON)
    assert (decision.verdict, decision.rule) == (Verdict.BLOCK, Rule.FRAUD_LIST)
    assert decision.entry == entry(ListName.FRAUD, "+81312*")
    milder = replace(STANDARD, on_fraud_list=Verdict.MESSAGE)
    assert verdict("0312345678", found, milder) is Verdict.MESSAGE


@pytest.mark.parametrize(
    ("household", "expected"),
    [
        ({"+8131234*": "block", "+81312345678": "allow"}, "pass"),
        ({"+8131234*": "allow", "+81312345678": "block"}, "block"),
        ({"+813*": "block", "+81312*": "allow"}, "pass"),
        ({"+813*": "allow", "+81312*": "block"}, "block"),
        ({"+8131234####": "block", "+8131234*": "allow"}, "block"),
        ({"+8131234#####": "block", "+8131234*": "allow"}, "pass"),
        ({"JP": "block", "+81*": "allow"}, "pass"),
        ({"JP": "block"}, "block"),
        ({"US": "block"}, "screen"),
        ({"+8131234567": "block"}, "screen"),
        ({"+813123456789": "block"}, "screen"),
    ],
)
def test_the_more_exact_entry_decides(household: dict[str, str], expected: str) -> None:
    own = {number: ListName(name) for number, name in household.items()}
    assert verdict("0312345678", lists(own)) == expected


def test_the_more_exact_entry_decides_between_shared_lists_too() -> None:
    both = Lists(shared=[Shared("+8131*"), Shared("+813*", "+81312345678")])
    found = decide(calling("0312345678"), both, STANDARD, AT_NOON)
    assert found.entry == entry(ListName.FRAUD)
    found = decide(calling("0312345679"), both, STANDARD, AT_NOON)
    assert found.entry == entry(ListName.FRAUD, "+8131*")


@pytest.mark.parametrize("number", ["+49*", "DE"])
def test_my_son_in_germany_is_warned_instead_of_blocked(number: str) -> None:
    exception = lists({number: ListName.SCREEN})
    assert verdict("+493012345678", exception) is Verdict.SCREEN
    assert verdict("+33123456789", exception) is Verdict.BLOCK
    assert verdict("+493012345678") is Verdict.BLOCK


def test_a_country_is_told_from_another_with_the_same_code() -> None:
    canada = lists({"CA": ListName.SCREEN})
    assert verdict("+16135550123", canada) is Verdict.SCREEN
    assert verdict("+12125550123", canada) is Verdict.BLOCK


def test_the_plumber_is_allowed_until_friday() -> None:
    friday = NOON + timedelta(days=2)
    plumber = Lists(
        household={
            NUMBER: entry(ListName.ALLOW, expires_at=friday),
            "+813*": entry(ListName.BLOCK, "+813*"),
        }
    )
    stranger = calling("0312345678")
    for now, expected in [
        (friday - timedelta(microseconds=1), Verdict.PASS),
        (friday, Verdict.BLOCK),
    ]:
        assert decide(stranger, plumber, STANDARD, Circumstances(moment=now)).verdict is expected
    country_ban = Lists(household={"JP": entry(ListName.BLOCK, "JP", expires_at=friday)})
    assert decide(stranger, country_ban, STANDARD, AT_NOON).verdict is Verdict.BLOCK
    later = Circumstances(moment=friday)
    assert decide(stranger, country_ban, STANDARD, later).verdict is Verdict.SCREEN


def test_a_number_without_e164_form_is_found_by_the_digits_that_were_shown() -> None:
    for shown, listed in [
        ("3", "3"),
        ("８００－６８６８１１０", "8006868110"),
        ("+8000286210110", "+8000286210110"),
        ("8006868110", "800*"),
    ]:
        assert verdict(shown, lists({listed: ListName.ALLOW})) is Verdict.PASS


@pytest.mark.parametrize("number", ["", "anonymous", "#9110", "sip:0312345678@h"])
def test_a_caller_without_number_stands_on_no_list(number: str) -> None:
    everything = lists({number: ListName.BLOCK, "*": ListName.BLOCK}, number)
    assert decide(calling(number), everything, STANDARD, AT_NOON).rule is Rule.CLASS


# ---- numbers that the household dialled ----------------------------------------------------------

DIALLED_ONCE = Lists(household={NUMBER: replace(entry(ListName.ALLOW), origin=DIALLED)})


def test_whom_the_household_dialled_rings_at_once_and_the_entry_says_why() -> None:
    decision = decide(calling("0312345678"), DIALLED_ONCE, STANDARD, AT_NOON)
    assert (decision.verdict, decision.rule) == (Verdict.PASS, Rule.DIALLED)
    assert decision.entry == DIALLED_ONCE.household[NUMBER]
    expired = replace(DIALLED_ONCE.household[NUMBER], expires_at=NOON)
    over = Lists(household={NUMBER: expired})
    assert decide(calling("0312345678"), over, STANDARD, AT_NOON).rule is Rule.CLASS


def test_having_been_dialled_helps_nobody_against_a_list() -> None:
    """Fraudsters ask to be called back, and may be on a list by then."""
    own = {**DIALLED_ONCE.household, "+813*": entry(ListName.BLOCK, "+813*")}
    blocked = decide(calling("0312345678"), Lists(household=own), STANDARD, AT_NOON)
    assert (blocked.verdict, blocked.rule) == (Verdict.BLOCK, Rule.BLOCK_LIST)
    listed = Lists(household=DIALLED_ONCE.household, shared=[Shared(NUMBER)])
    assert decide(calling("0312345678"), listed, STANDARD, AT_NOON).rule is Rule.FRAUD_LIST


def test_a_dialled_number_that_comes_from_abroad_is_not_whom_they_dialled() -> None:
    decision = decide(calling("+81312345678"), DIALLED_ONCE, STANDARD, AT_NOON)
    assert (decision.verdict, decision.reason) == (Verdict.BLOCK, "japan_via_international")


# ---- emergencies --------------------------------------------------------------------------------


@pytest.mark.parametrize("on", OF_HOUSEHOLD)
@pytest.mark.parametrize("number", ["110", "118", "119"])
def test_no_list_can_touch_an_emergency_call_back(number: str, on: ListName) -> None:
    found = lists({number: on, "1*": on}, number)
    assert decide(calling(number), found, STANDARD, AT_NOON) == Decision(
        verdict=Verdict.PASS, rule=Rule.EMERGENCY, reason="emergency_number"
    )


@pytest.mark.parametrize("number", ["0312345678", "+18005551234", "anonymous", "", "8006868110"])
def test_after_a_call_for_help_everybody_rings(number: str) -> None:
    found = lists({NUMBER: ListName.BLOCK}, "+18005551234")
    at = Circumstances(moment=NIGHT, emergency_window=True, numbers_shown=False)
    household = replace(STANDARD, quiet=(parse_period("22:00-07:00"),))
    decision = decide(calling(number), found, household, at)
    assert (decision.verdict, decision.rule) == (Verdict.PASS, Rule.EMERGENCY_WINDOW)


# ---- hours --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "by_day", "at_night"),
    [
        ("0312345678", "screen", "message"),
        ("anonymous", "screen", "message"),
        ("+18005551234", "block", "block"),
        ("3", "pass", "pass"),
        ("09012345678", "pass", "pass"),  # on the allow list
    ],
)
def test_in_quiet_hours_strangers_do_not_ring(number: str, by_day: str, at_night: str) -> None:
    household = replace(STANDARD, quiet=(parse_period("22:00-07:00"),))
    found = lists({"+819012345678": ListName.ALLOW})
    for now, expected in [(NOON, by_day), (NIGHT, at_night)]:
        decision = decide(calling(number), found, household, Circumstances(moment=now))
        assert decision.verdict == expected
        assert (decision.rule is Rule.HOURS) == (by_day != expected)


def test_quiet_hours_let_nobody_in_whom_the_class_keeps_out() -> None:
    household = replace(STANDARD, quiet=(parse_period("00:00-24:00"),))
    warned = replace(household, quiet_verdict=Verdict.SCREEN)
    decision = decide(calling("+18005551234"), NO_LISTS, warned, AT_NOON)
    assert (decision.verdict, decision.rule) == (Verdict.BLOCK, Rule.CLASS)


# ---- what is not enforced -----------------------------------------------------------------------


def test_who_only_watches_hears_everybody_and_reads_what_would_have_been() -> None:
    watching = replace(STANDARD, enforced=False)
    found = lists({"+819012345678": ListName.ALLOW}, NUMBER)
    for number, instead in [
        ("0312345678", Verdict.BLOCK),
        ("+18005551234", Verdict.BLOCK),
        ("0612345678", Verdict.SCREEN),
        ("09012345678", None),
    ]:
        enforced = decide(calling(number), found, STANDARD, AT_NOON)
        watched = decide(calling(number), found, watching, AT_NOON)
        assert (watched.verdict, watched.instead_of) == (Verdict.PASS, instead)
        assert (watched.rule, watched.reason) == (enforced.rule, enforced.reason)


@pytest.mark.parametrize("wanted", [Verdict.MESSAGE, Verdict.BLOCK])
@pytest.mark.parametrize("given_number", ["anonymous", "unknown", ""])
def test_where_nobody_ever_showed_a_number_hiding_it_is_no_fault(
    wanted: Verdict, given_number: str
) -> None:
    """Without a contract for caller ID every call looks so, and nobody would ever ring."""
    verdicts = {**STANDARD.verdicts, **dict.fromkeys(WITHOUT_NUMBER, wanted)}
    household = replace(STANDARD, verdicts=verdicts)
    blind = Circumstances(moment=NOON, numbers_shown=False)
    decision = decide(calling(given_number), NO_LISTS, household, blind)
    assert (decision.verdict, decision.instead_of) == (Verdict.SCREEN, wanted)
    assert decision.reason == "no_caller_id_on_this_line"
    assert decide(calling(given_number), NO_LISTS, household, AT_NOON).verdict is wanted


# ---- properties ---------------------------------------------------------------------------------

SHOWN = st.sampled_from(
    ["0312345678", "+18005551234", "+81312345678", "8006868110", "3", "110", "anonymous", ""]
) | st.text(max_size=20)
COVERING = st.sampled_from(
    [NUMBER, "+813*", "+8131234####", "JP", "US", "+1*", "8*", "110", "3", "+18005551234"]
)
ENTRIES = st.dictionaries(COVERING, st.sampled_from(OF_HOUSEHOLD))
SHARED = st.lists(COVERING.filter(lambda number: not number.isalpha()))
HOUSEHOLDS = st.builds(
    Household,
    verdicts=st.fixed_dictionaries({each: st.sampled_from(Verdict) for each in SETTABLE}),
    on_fraud_list=st.sampled_from(Verdict),
    quiet=st.sampled_from([(), (parse_period("22:00-07:00"),), (parse_period("00:00-24:00"),)]),
    quiet_verdict=st.sampled_from(Verdict),
    police_endings=st.just(JAPAN.police_endings),
    enforced=st.booleans(),
)
TIMES = st.builds(
    Circumstances,
    moment=st.datetimes(timezones=st.just(UTC)),
    emergency_window=st.booleans(),
    numbers_shown=st.booleans(),
)


@given(SHOWN, ENTRIES, SHARED, HOUSEHOLDS, TIMES)
def test_every_caller_gets_one_verdict_with_its_rule_reason_and_entry(
    number: str,
    own: dict[str, ListName],
    shared: list[str],
    household: Household,
    at: Circumstances,
) -> None:
    found = lists(own, *shared)
    decision = decide(calling(number), found, household, at)
    assert decision.reason
    assert (decision.entry is not None) == (
        decision.rule in {Rule.DIALLED, *(Rule(f"{name}_list") for name in ListName)}
    )
    assert decision.instead_of is not decision.verdict
    assert decision == decide(calling(number), found, household, at)


@given(ENTRIES, SHARED, HOUSEHOLDS, TIMES)
def test_nothing_ever_delays_an_emergency_number(
    own: dict[str, ListName], shared: list[str], household: Household, at: Circumstances
) -> None:
    for number in sorted(JAPAN.emergency):
        found = lists({**own, number: ListName.BLOCK}, *shared, number)
        assert decide(calling(number), found, household, at).rule is Rule.EMERGENCY


@given(SHOWN, SHARED, HOUSEHOLDS, TIMES)
def test_an_allow_entry_always_beats_a_shared_list(
    number: str, shared: list[str], household: Household, at: Circumstances
) -> None:
    key = calling(number).list_key
    if key is not None:
        for pattern in patterns_covering(key):
            found = lists({pattern: ListName.ALLOW}, key, *shared)
            assert decide(calling(number), found, household, at).verdict is Verdict.PASS


@given(SHOWN, ENTRIES, COVERING, SHARED, HOUSEHOLDS, TIMES)
def test_adding_an_allow_entry_never_makes_it_harder_for_anybody(  # noqa: PLR0917
    number: str,
    own: dict[str, ListName],
    added: str,
    shared: list[str],
    household: Household,
    at: Circumstances,
) -> None:
    before = decide(calling(number), lists(own, *shared), household, at).verdict
    with_entry = lists({**own, added: ListName.ALLOW}, *shared)
    after = decide(calling(number), with_entry, household, at).verdict
    assert not after.is_stricter_than(before)


@given(SHOWN, ENTRIES, SHARED, HOUSEHOLDS, TIMES)
def test_who_only_watches_never_keeps_anybody_waiting(
    number: str,
    own: dict[str, ListName],
    shared: list[str],
    household: Household,
    at: Circumstances,
) -> None:
    watching = replace(household, enforced=False)
    assert decide(calling(number), lists(own, *shared), watching, at).verdict is Verdict.PASS


def test_rules_are_named_in_the_order_in_which_they_are_tried() -> None:
    """Each fits whatever the later ones say; taken away, the next that fits decides."""
    everything = replace(STANDARD, quiet=(parse_period("00:00-24:00"),))
    layers: list[tuple[str, Lists, Household, Circumstances]] = [
        ("110", lists({NUMBER: ListName.ALLOW}, NUMBER), everything, AT_NOON),
        ("0312345678", lists({NUMBER: ListName.ALLOW}, NUMBER), everything, AT_NOON),
        ("0312345678", lists({NUMBER: ListName.SCREEN}, NUMBER), everything, AT_NOON),
        ("0312345678", lists({NUMBER: ListName.BLOCK}, NUMBER), everything, AT_NOON),
        ("0312345678", lists({}, NUMBER), everything, AT_NOON),
        ("0312345678", DIALLED_ONCE, everything, AT_NOON),
        ("0312345678", NO_LISTS, everything, AT_NOON),
        ("0312345678", NO_LISTS, STANDARD, AT_NOON),
    ]
    layers.insert(1, (*layers[1][:3], replace(AT_NOON, emergency_window=True)))
    rules = [decide(calling(number), on, home, at).rule for number, on, home, at in layers]
    assert rules == list(Rule)
