"""Which dialled numbers a household comes to know, and which it never does."""

from datetime import UTC, datetime

import pytest

from screener.domain.country import country
from screener.domain.dialled import worth_knowing
from screener.domain.lists import DIALLED, Entry, ListName, Lists

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
OWN = ["0398765432", "unknown"]


def entry(list_name: ListName, number: str, origin: str = "household") -> Entry:
    return Entry(list_name=list_name, number=number, note="", origin=origin, added_at=NOW)


class Fraud:
    """A shared list with one number."""

    name, version = "fraud", "1"

    def find(self, key: str) -> Entry | None:
        return entry(ListName.FRAUD, key, "fraud") if key == "+81312340002" else None


def known(dialled: str, *entries: Entry) -> str | None:
    lists = Lists(household={each.number: each for each in entries}, shared=[Fraud()])
    return worth_knowing(dialled, lists, NOW, own=OWN, country=country("JP"))


@pytest.mark.parametrize(
    ("dialled", "number"),
    [
        ("0312345678", "+81312345678"),
        ("09012345678", "+819012345678"),
        ("0120123456", "+81120123456"),
        ("010493012345678", "+493012345678"),
    ],
)
def test_a_telephone_number_that_is_dialled_becomes_known(dialled: str, number: str) -> None:
    assert known(dialled) == number


@pytest.mark.parametrize(
    "dialled",
    ["110", "118", "119", "#7119", "*21#", "104", "117", "3", "", "0990123456", "12" * 200],
)
def test_emergency_special_short_and_premium_numbers_do_not(dialled: str) -> None:
    assert known(dialled) is None


def test_the_households_own_number_does_not() -> None:
    """Fraudsters show it: whoever calls themselves is a stranger."""
    assert known("0398765432") is None
    assert known("0398765433") == "+81398765433"


def test_a_number_on_a_fraud_list_does_not() -> None:
    assert known("0312340002") is None


@pytest.mark.parametrize("list_name", [ListName.ALLOW, ListName.SCREEN, ListName.BLOCK])
@pytest.mark.parametrize("covering", ["+81312345678", "+8131234####", "+813*", "JP"])
def test_what_the_household_says_itself_is_left_as_it_is(
    list_name: ListName, covering: str
) -> None:
    assert known("0312345678", entry(list_name, covering)) is None


@pytest.mark.parametrize("prefix", ["184", "186"])
def test_who_hides_or_shows_the_own_number_dials_the_number_behind_that(prefix: str) -> None:
    assert known(f"{prefix}0312345678") == "+81312345678"
    assert known(f"{prefix}110") is None
    assert known(prefix) is None


def test_a_number_that_was_dialled_before_is_known_anew() -> None:
    assert known("0312345678", entry(ListName.ALLOW, "+81312345678", DIALLED)) == "+81312345678"
