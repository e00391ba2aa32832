"""The limits: what no list may block, whoever publishes it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screener.domain.lists import patterns_covering
from screener.domain.numbers import country
from screener.shared.limits import Limits, Refusal
from tests.unit.listmaking import JP

OURS = Limits(
    country=JP,
    shortest=4,
    shortest_domestic=9,
    own=["+81398765432"],
    allowed=["+81312345678", "+4930*", "+3316#######", "DE", "12"],
)


@pytest.mark.parametrize(
    ("entry", "refusal"),
    [
        ("+18005551234", None),
        ("452256060", None),
        ("+1800*", None),
        ("+33262######", None),
        ("+81355551*", Refusal.CARRIER),
        ("+813555512*", None),
        ("+815012345*", None),
        ("+81501234*", Refusal.CARRIER),
        ("+81501234####", Refusal.CARRIER),
        ("+8190*", Refusal.CARRIER),
        ("+81*", Refusal.TOO_WIDE),
        ("+44*", Refusal.TOO_WIDE),
        ("+*", Refusal.TOO_WIDE),
        ("FR", Refusal.TOO_WIDE),
        ("1", Refusal.TOO_WIDE),
        ("117", Refusal.TOO_WIDE),
        ("4522*", None),
        ("110", Refusal.EMERGENCY),
        ("118", Refusal.EMERGENCY),
        ("1*", Refusal.EMERGENCY),
        ("11#", Refusal.EMERGENCY),
        ("+81398765432", Refusal.OWN),
        ("+813987654*", Refusal.OWN),
        ("+8139876543#", Refusal.OWN),
        ("+81312345678", Refusal.ALLOWED),
        ("+8131234567#", Refusal.ALLOWED),
        ("+493012345", Refusal.ALLOWED),
        ("+493012*", Refusal.ALLOWED),
        ("+331612345", Refusal.ALLOWED),
    ],
)
def test_an_entry_is_refused_for_the_reason_that_people_are_told(
    entry: str, refusal: Refusal | None
) -> None:
    assert OURS.refusal(entry) is refusal


def test_emergency_numbers_are_those_of_the_country() -> None:
    german = Limits(country=country("DE"), shortest=1, shortest_domestic=1)
    assert german.refusal("112") is Refusal.EMERGENCY
    assert german.refusal("119") is None


entries = st.builds(
    str.__add__,
    st.builds(
        str.__add__,
        st.sampled_from(["", "+81", "+1", "+"]),
        st.text("0123456789", min_size=1, max_size=9),
    ),
    st.sampled_from(["", "*", "#", "##", "####"]),
)


@given(entries, st.integers(1, 15), st.integers(1, 15))
def test_whatever_is_set_nothing_taken_covers_an_emergency_number_or_the_household(
    entry: str, shortest: int, shortest_domestic: int
) -> None:
    limits = Limits(
        country=JP,
        shortest=shortest,
        shortest_domestic=shortest_domestic,
        own=["+81398765432"],
        allowed=["+81312345678"],
    )
    if limits.refusal(entry) is None:
        for key in ("110", "118", "119", "+81398765432", "+81312345678"):
            assert entry not in set(patterns_covering(key))
