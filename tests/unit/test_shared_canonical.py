"""The quick reading of a list's numbers: the same as the domain's, wherever both give one."""

from functools import partial

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from screener.domain.numbers import country, parse_entry
from screener.shared.canonical import canonical, north_american

HOMES = ("JP", "US", "GB", "DE", "FR")
READERS = {code: canonical(country(code)) for code in HOMES}
codes = st.sampled_from(
    ["1", "81", "44", "49", "33", "39", "7", "52", "54", "55", "86", "800", "5"]
)
e164 = st.builds("+{}{}".format, codes, st.text("0123456789", min_size=5, max_size=13))
national = st.builds("0{}".format, st.text("0123456789", min_size=5, max_size=11))


@given(st.sampled_from(HOMES), e164 | national)
@example("JP", "+810312345678")
@example("JP", "+78005551234")
@example("JP", "+5491123456789")
@example("JP", "+390612345678")
@example("JP", "0312345678")
@example("JP", "09012345678")
@example("JP", "0102125551234")
@example("GB", "02079460000")
@example("DE", "030123456")
@example("FR", "0162123456")
def test_it_reads_a_number_as_the_domain_does(code: str, text: str) -> None:
    try:
        wanted = parse_entry(text, country=country(code))
    except ValueError:
        return
    assert READERS[code](text) == wanted


@pytest.mark.parametrize("text", ["", "+", "x", "+0", "½", "+81*x"])
def test_what_is_no_number_is_refused_as_the_domain_refuses_it(text: str) -> None:
    said = []
    for read in (READERS["JP"], partial(parse_entry, country=country("JP"))):
        with pytest.raises(ValueError, match="not a telephone number") as refused:
            read(text)
        said.append(str(refused.value))
    assert said[0] == said[1]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("2025550101", "+12025550101"),
        ("12025550101", "+12025550101"),
        (" 2025550101 ", "+12025550101"),
    ],
)
def test_complaints_name_north_american_numbers(text: str, number: str) -> None:
    assert north_american(text) == number


@pytest.mark.parametrize(
    "text", ["", "0000", "0123456789", "1112223333", "202555010x", "22025550101"]
)
def test_what_cannot_be_one_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a North American number"):
        north_american(text)
