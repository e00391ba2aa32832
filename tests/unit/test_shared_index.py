"""A compiled list: it finds what a plain search would find, and notices when it is damaged."""

from collections.abc import Mapping

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from screener.domain.caller import Caller, NumberClass
from screener.domain.lists import Lists, patterns_covering
from screener.domain.numbers import parse_entry
from screener.shared.compiled import FraudList, Head, compile_list
from screener.shared.errors import Damaged, ListError
from screener.shared.gather import MOST_PATTERNS, Gatherer
from screener.shared.keys import day_of, number_key, number_of, pattern_key, pattern_of
from tests.unit.listmaking import JP, NOW

digits = st.text("0123456789", min_size=1, max_size=15)
plus = st.sampled_from(["", "+"])
number = st.builds(str.__add__, plus, digits)
# Few digits, so that numbers and patterns meet.
near = st.builds(str.__add__, plus, st.text("01", min_size=1, max_size=6))
rest = st.sampled_from(["*", "#", "##", "###"])
entry = number | near | st.builds(str.__add__, near, rest) | st.builds(str.__add__, number, rest)


def made(entries: Mapping[str, tuple[int, str]], least: int = 1) -> FraudList:
    gathered = Gatherer(most_numbers=10_000)
    for each, (day, note) in entries.items():
        gathered.add(each, day, note)
    return compiled(gathered, least)


def compiled(gathered: Gatherer, least: int = 1) -> FraudList:
    exact, patterns, notes = gathered.numbers(least), gathered.patterns(), gathered.notes
    head = Head(
        name="test",
        version="7",
        source="x",
        dated=NOW.isoformat(),
        taken_at=NOW.isoformat(),
        digest="",
        terms="",
        numbers=len(exact.keys),
        patterns=len(patterns.keys),
        notes=len(notes),
        note_bytes=sum(map(len, notes)),
    )
    return FraudList(compile_list(head, exact, patterns, notes))


@given(
    st.dictionaries(entry, st.tuples(st.integers(0, 65535), st.text("abc", max_size=3))),
    st.lists(number | near),
)
@example({"+8*": (0, ""), "+81#": (1, "a"), "+812": (2, "b")}, ["+812", "+813", "+8133"])
def test_it_finds_the_most_exact_entry_as_a_plain_search_does(
    entries: dict[str, tuple[int, str]], callers: list[str]
) -> None:
    found = made(entries)
    for key in [*callers, *(each for each in entries if each[-1] not in "*#")]:
        wanted = next((each for each in patterns_covering(key) if each in entries), None)
        got = found.find(key)
        assert (got and got.number) == wanted
        if got is not None and wanted is not None:
            assert got.note == entries[wanted][1]
            assert (got.origin, got.version, got.list_name) == ("test", "7", "fraud")


@given(st.dictionaries(entry, st.tuples(st.integers(0, 65535), st.text("abc", max_size=3))))
def test_what_goes_in_comes_out(entries: dict[str, tuple[int, str]]) -> None:
    assert {each.number: each.note for each in made(entries).entries()} == {
        each: note for each, (_, note) in entries.items()
    }


@given(st.text() | st.text("+0123456789*#", max_size=30))
def test_no_key_makes_the_lookup_fail(key: str) -> None:
    made({"+81312345678": (1, ""), "+8112*": (1, "")}).find(key)


@given(number, st.integers(0, 15), digits, plus)
def test_keys_are_turned_back(text: str, free: int, fixed: str, sign: str) -> None:
    assert number_of(number_key(text)) == text
    pattern = f"{sign}{fixed}{'#' * free or '*'}"
    assert pattern_of(pattern_key(fixed, free, plus=bool(sign))) == pattern


@pytest.mark.parametrize("at", range(0, 600, 7))
def test_every_flipped_byte_is_noticed(at: int) -> None:
    content = bytearray(compiled_content())
    at %= len(content)
    content[at] ^= 0x20
    with pytest.raises(Damaged):
        FraudList(bytes(content))


@pytest.mark.parametrize("length", [0, 1, 43, 44, 45, 200, -1])
def test_a_cut_off_file_is_noticed(length: int) -> None:
    with pytest.raises(Damaged):
        FraudList(compiled_content()[:length])


def compiled_content() -> bytes:
    gathered = Gatherer(most_numbers=10)
    gathered.add("+81312345678", day_of("2026-11-22"), "a note")
    exact, patterns = gathered.numbers(1), gathered.patterns()
    head = Head(
        name="test", version="7", source="x", dated="", taken_at="", digest="", terms="",
        numbers=1, patterns=0, notes=2, note_bytes=6,
    )  # fmt: skip
    return compile_list(head, exact, patterns, gathered.notes)


def test_of_several_rows_for_one_number_the_last_counts() -> None:
    gathered = Gatherer(most_numbers=10)
    for day, note in ((1, "first"), (2, "last")):
        gathered.add("+81312345678", day, note)
    (found,) = compiled(gathered).entries()
    assert (found.note, gathered.doubled) == ("last", 1)


def test_an_entry_that_is_gone_is_taken_out_and_may_come_back() -> None:
    gathered = Gatherer(most_numbers=10)
    gathered.begin_with(made({"+1800555000": (1, "a"), "+1800555001": (1, "b")}))
    gathered.add("+1800555000", 0, "", gone=True)
    gathered.add("+1800555001", 0, "", gone=True)
    gathered.add("+1800555001", 2, "c")
    assert [(each.number, each.note) for each in compiled(gathered).entries()] == [
        ("+1800555001", "c")
    ]


def test_a_number_counts_only_when_it_came_often_enough() -> None:
    gathered = Gatherer(most_numbers=10)
    for each in ["+1800555000"] * 3 + ["+1800555001"] * 2:
        gathered.add(each, 1, "")
    assert [each.number for each in compiled(gathered, least=3).entries()] == ["+1800555000"]


def test_a_list_that_is_too_long_is_refused() -> None:
    gathered = Gatherer(most_numbers=2)
    for each in range(3):
        gathered.add(f"+180055500{each}", 0, "")
    with pytest.raises(ListError, match="more than 2 numbers"):
        gathered.numbers(1)
    for at in range(MOST_PATTERNS):
        gathered.add(f"+18{at:06}*", 0, "")
    with pytest.raises(ListError, match=f"more than {MOST_PATTERNS} patterns"):
        gathered.add("+19*", 0, "")


def test_a_number_that_no_key_can_hold_is_a_bad_row() -> None:
    with pytest.raises(ValueError, match="more than 18 digits"):
        Gatherer(most_numbers=2).add("1" * 20, 0, "")


@given(near, st.sets(near, min_size=1), st.sets(near, min_size=1))
def test_the_exact_entry_of_any_list_goes_before_a_pattern(
    key: str, first: set[str], second: set[str]
) -> None:
    """Over several lists, too: what Lists makes of them is the policy's business."""
    lists = Lists(shared=[made(dict.fromkeys(each, (1, ""))) for each in (first, second)])
    caller = Caller(given=key, name="", e164=None, number_class=NumberClass.INTERNATIONAL_FAKE)
    found = lists.of_shared(caller)
    assert (found is not None) == (key in first | second)


def test_a_date_that_is_none_is_told_in_words() -> None:
    assert day_of("") == 0
    for text in ("22.11.2026", "2026-02-30", "1969-01-01", "9999-12-31", "yesterday"):
        with pytest.raises(ValueError, match=r"not a date: .*; write it as 2026-11-30"):
            day_of(text)


def test_the_index_speaks_the_language_of_the_policy() -> None:
    """What a person types for an entry covers the callers that the same text covers at home."""
    found = made({parse_entry("0120######", country=JP): (1, "free")})
    covered = found.find(parse_entry("0120-123-456", country=JP))
    assert covered is not None
    assert covered.number == "+81120######"
