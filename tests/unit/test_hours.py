"""Hours of the week are read as a household writes them, and cover what they say."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screener.domain.hours import covers, parse_period

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


def at(day: int, clock: str) -> datetime:
    hour, minute = map(int, clock.split(":"))
    return MONDAY + timedelta(days=day, hours=hour, minutes=minute)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        (
            "22:00-07:00",
            [(0, "22:00"), (0, "23:59"), (1, "06:59"), (6, "03:00")],
            [(0, "21:59"), (0, "07:00"), (0, "12:00")],
        ),
        ("13:00-15:00", [(2, "13:00"), (2, "14:59")], [(2, "12:59"), (2, "15:00")]),
        ("sat, sun 9:00-10:00", [(5, "09:30"), (6, "09:00")], [(4, "09:30"), (5, "10:00")]),
        ("Fri 22:00 - 7:00", [(4, "22:30"), (5, "06:00")], [(5, "22:30"), (4, "06:00")]),
        ("sun 22:00-02:00", [(0, "01:00"), (6, "23:00")], [(6, "01:00")]),
        ("mon tue 00:00-24:00", [(0, "00:00"), (1, "23:59")], [(2, "00:00"), (6, "23:59")]),
        ("12:00-12:00", [(3, "12:00"), (3, "11:59")], []),
    ],
)
def test_a_period_covers_what_it_says(
    text: str, inside: list[tuple[int, str]], outside: list[tuple[int, str]]
) -> None:
    period = parse_period(text)
    assert all(period.covers(at(day, clock)) for day, clock in inside)
    assert not any(period.covers(at(day, clock)) for day, clock in outside)


@pytest.mark.parametrize(
    "text",
    ["", "22:00", "22-7", "25:00-07:00", "22:60-07:00", "someday 22:00-07:00", "24:01-07:00",
     "22:00-07:00 sat", "22:00–07:00", "sat sun", "\n" * 50, "x" * 500],
)  # fmt: skip
def test_other_text_is_refused_on_one_line_that_says_how(text: str) -> None:
    with pytest.raises(ValueError, match=r"^not hours: .*22:00-07:00") as refusal:
        parse_period(text)
    assert str(refusal.value).isprintable()
    assert len(str(refusal.value)) < 150


@given(st.text(max_size=40))
def test_any_text_is_hours_or_refused(text: str) -> None:
    try:
        parse_period(text)
    except ValueError as error:
        said = str(error)
    else:
        said = "not hours: it is"
    assert said.startswith("not hours: ")


@given(st.datetimes(timezones=st.just(UTC)))
def test_day_and_night_together_are_all_the_time_and_neither_is_both(moment: datetime) -> None:
    night, day = parse_period("22:00-07:00"), parse_period("07:00-22:00")
    assert night.covers(moment) != day.covers(moment)
    assert covers([night, day], moment)
    assert not covers([], moment)
