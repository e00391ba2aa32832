"""Numbers: every known caller ID gets its class, and no text at all can break the reading."""

import csv
import re
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from screener.domain.caller import NumberClass
from screener.domain.numbers import (
    COUNTRIES,
    TrunkFormat,
    country,
    identify,
    parse_entry,
    parse_number,
    written,
)

JAPAN = country("JP")
with Path(__file__).with_name("caller-ids.tsv").open(encoding="utf-8", newline="") as file:
    CALLER_IDS = [
        (row["caller_number"], row["caller_name"], NumberClass(row["class"]))
        for row in csv.DictReader(file, delimiter="\t")
    ]

# Lone surrogates included: a trunk can send bytes that are no UTF-8.
ANY_TEXT = st.text(st.characters(), max_size=200)
NUMBER_LIKE = st.text("0123456789+-() .０１８＋#", max_size=24)
TEXTS = ANY_TEXT | NUMBER_LIKE | st.sampled_from([number for number, _, _ in CALLER_IDS])
PLAUSIBLE = st.from_regex(r"(\+|0|010|\+81|\+1|\+44|)[0-9]{6,12}", fullmatch=True)
PLACES = st.sampled_from(["JP", "US", "GB", "DE", "FR", "IT", "HK", "RU", "CN"])


@pytest.mark.parametrize(("number", "name", "expected"), CALLER_IDS)
def test_every_known_caller_id_gets_its_class(
    number: str, name: str, expected: NumberClass
) -> None:
    caller = identify(number, name, country=JAPAN)
    assert caller.number_class is expected
    assert (caller.given, caller.name) == (number, name)


def test_the_table_of_known_caller_ids_is_whole() -> None:
    assert len(CALLER_IDS) >= 55
    missing = set(NumberClass) - {expected for _, _, expected in CALLER_IDS}
    assert not missing


@pytest.mark.parametrize(
    ("number", "e164"),
    [
        ("03-1234-5678", "+81312345678"),
        ("０３１２３４５６７８", "+81312345678"),
        ("(03) 1234.5678", "+81312345678"),
        ("+81312345678", "+81312345678"),
        ("+81 (0)3-1234-5678", "+81312345678"),
        ("010 1 800 555 1234", "+18005551234"),
        ("18005551234", "+18005551234"),
        ("0412345678", "+81412345678"),
        ("0018005551234", None),
        ("+8000286210110", None),
        ("8085949218", None),
        ("110", None),
        ("171", None),
        ("3", None),
        ("#9110", None),
        ("anonymous", None),
    ],
)
def test_a_caller_has_an_e164_number_only_where_the_number_has_that_form(
    number: str, e164: str | None
) -> None:
    assert identify(number, "", country=JAPAN).e164 == e164


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("+81312345678", NumberClass.FIXED_LINE),
        ("81312345678", NumberClass.FIXED_LINE),
        ("+819012345678", NumberClass.MOBILE),
        ("+81412345678", NumberClass.DOMESTIC_INVALID),
        ("0312345678", NumberClass.FIXED_LINE),
        ("01081312345678", NumberClass.JAPAN_VIA_INTERNATIONAL),
        ("+18005551234", NumberClass.INTERNATIONAL),
        ("+110", NumberClass.INTERNATIONAL_FAKE),
        ("110", NumberClass.EMERGENCY),
        ("8085949218", NumberClass.INTERNATIONAL_FAKE),
    ],
)
def test_a_trunk_set_to_e164_shows_callers_at_home_with_their_country_code(
    number: str, expected: NumberClass
) -> None:
    caller = identify(number, "", country=JAPAN, trunk_format=TrunkFormat.E164)
    assert caller.number_class is expected


@pytest.mark.parametrize(
    ("number", "name", "expected"),
    [
        ("", "Anonymous", NumberClass.WITHHELD),
        ("", "Coin line/payphone", NumberClass.PAYPHONE),
        ("anonymous", "Interaction with other service", NumberClass.UNAVAILABLE),
        ("ANONYMOUS", "  ＡＮＯＮＹＭＯＵＳ ", NumberClass.WITHHELD),
        ("非通知", "", NumberClass.WITHHELD),
        ("公衆電話", "", NumberClass.PAYPHONE),
        ("表示圏外", "", NumberClass.UNAVAILABLE),
        ("anonymous", "x" * 10_000, NumberClass.WITHHELD),
        ("   ", "\u3000", NumberClass.UNAVAILABLE),
        ("0312345678", "Anonymous", NumberClass.FIXED_LINE),
        ("+18005551234", "Coin line/payphone", NumberClass.INTERNATIONAL),
        ("110", "Anonymous", NumberClass.EMERGENCY),
        ("---", "", NumberClass.MALFORMED),
    ],
)
def test_a_name_says_why_there_is_no_number_and_never_overrides_one(
    number: str, name: str, expected: NumberClass
) -> None:
    assert identify(number, name, country=JAPAN).number_class is expected


@pytest.mark.parametrize(
    "number",
    [
        "110 ; rm -rf /",
        "١١٠",  # Arabic digits are no digits on a Japanese line
        "0312345678\n",
        "0312345678,110",
        "++81312345678",
        "0120FREECALL",
        "110" + " " * 100,
        "0312345678" * 9,
        "tel:110",
        "\ud800",
    ],
)
def test_what_is_not_strictly_digits_or_too_long_is_malformed(number: str) -> None:
    assert identify(number, "", country=JAPAN).number_class is NumberClass.MALFORMED


@pytest.mark.parametrize(
    ("place", "number", "expected"),
    [
        ("US", "911", NumberClass.EMERGENCY),
        ("US", "411", NumberClass.SPECIAL),
        ("US", "(800) 555-1234", NumberClass.TOLL_FREE),
        ("US", "1-415-555-2671", NumberClass.FIXED_LINE),
        ("US", "8765550123", NumberClass.INTERNATIONAL),
        ("US", "442079460958", NumberClass.INTERNATIONAL),
        ("US", "011442079460958", NumberClass.INTERNATIONAL),
        ("US", "0018005551234", NumberClass.INTERNATIONAL_SUSPECT),
        ("US", "0123456789", NumberClass.DOMESTIC_INVALID),
        ("GB", "999", NumberClass.EMERGENCY),
        ("GB", "116123", NumberClass.SPECIAL),
        ("GB", "020 7946 0958", NumberClass.FIXED_LINE),
        ("GB", "0018005551234", NumberClass.INTERNATIONAL),
        ("GB", "+442079460958", NumberClass.JAPAN_VIA_INTERNATIONAL),
        ("DE", "110", NumberClass.EMERGENCY),
        ("DE", "030 12345678", NumberClass.FIXED_LINE),
        ("DE", "0081312345678", NumberClass.INTERNATIONAL),
        ("FR", "15", NumberClass.EMERGENCY),
        ("FR", "16", NumberClass.INTERNAL),
        ("FR", "01 23 45 67 89", NumberClass.FIXED_LINE),
    ],
)
def test_other_countries_have_their_own_prefixes_and_emergency_numbers(
    place: str, number: str, expected: NumberClass
) -> None:
    assert identify(number, "", country=country(place)).number_class is expected


def test_japan_has_exactly_its_three_emergency_numbers() -> None:
    assert JAPAN.emergency == {"110", "118", "119"}


def test_every_country_that_libphonenumber_knows_can_be_used() -> None:
    for code in sorted(COUNTRIES):
        place = country(code)
        assert place.code in place.regions
        assert identify("0312345678", "", country=place).number_class in NumberClass


@pytest.mark.parametrize("code", ["", "XX", "JPN", "001", "Japan", "日本", "\ud800\n"])
def test_an_unknown_country_is_refused_in_one_sentence(code: str) -> None:
    with pytest.raises(ValueError, match=r"^unknown country .*use a two-letter code such as JP$"):
        country(code)


def test_a_country_code_may_be_written_in_small_letters() -> None:
    assert country("jp") == JAPAN


@given(TEXTS, TEXTS, PLACES, st.sampled_from(TrunkFormat))
@example("", "", "JP", TrunkFormat.NATIONAL)
@example("010", "", "JP", TrunkFormat.NATIONAL)
@example("\x00", "\ud800", "JP", TrunkFormat.E164)
def test_any_text_at_all_gives_one_class_and_keeps_what_was_given(
    number: str, name: str, place: str, form: TrunkFormat
) -> None:
    caller = identify(number, name, country=country(place), trunk_format=form)
    assert caller.number_class in NumberClass
    assert (caller.given, caller.name) == (number, name)
    if caller.e164 is not None:
        assert caller.e164[0] == "+"
        assert caller.e164[1:].isdecimal()
        assert caller.e164.isascii()
        assert len(caller.e164) <= 16


@given(NUMBER_LIKE.filter(lambda text: "+" in text or "＋" in text), PLACES)
def test_nothing_with_a_plus_is_an_emergency_call_or_an_extension(number: str, place: str) -> None:
    found = identify(number, "", country=country(place)).number_class
    assert found not in {NumberClass.EMERGENCY, NumberClass.INTERNAL, NumberClass.SPECIAL}


@given(st.from_regex(r"00[0-9]{1,20}", fullmatch=True))
def test_a_number_with_two_zeros_is_never_domestic_in_japan(number: str) -> None:
    found = identify(number, "", country=JAPAN).number_class
    assert found is NumberClass.INTERNATIONAL_SUSPECT


@given(st.from_regex(r"[2-9][0-9]{2,18}", fullmatch=True))
def test_a_number_without_a_leading_zero_is_never_domestic_in_japan(number: str) -> None:
    assert identify(number, "", country=JAPAN).number_class in {
        NumberClass.INTERNATIONAL,
        NumberClass.INTERNATIONAL_FAKE,
        NumberClass.JAPAN_VIA_INTERNATIONAL,
    }


@given(TEXTS | PLAUSIBLE, PLACES, st.sampled_from(TrunkFormat))
def test_a_caller_is_found_under_what_a_person_would_type_from_the_display(
    number: str, place: str, form: TrunkFormat
) -> None:
    caller = identify(number, "", country=country(place), trunk_format=form)
    key = caller.list_key
    slip = key is not None and key[0] == "+" and (key[1] == "0" or len(key) <= 7)
    if key is not None and len(number) <= 20 and not slip:
        assert parse_number(number, country=country(place)) == key


@given(TEXTS, PLACES)
def test_an_entry_is_a_number_or_one_sentence_of_refusal(text: str, place: str) -> None:
    try:
        number = parse_entry(text, country=country(place))
    except ValueError as error:
        number, refusal = "", str(error)
    else:
        refusal = ""
    if refusal:
        assert refusal.isprintable()
        assert refusal.startswith("not a telephone number: ")
    else:
        assert re.fullmatch(r"\+?[0-9]{1,20}(\*|#{1,15})?|[A-Z]{2}", number)
        assert parse_entry(number, country=country(place)) == number


@given(PLAUSIBLE, PLACES)
def test_what_is_written_for_people_can_be_typed_back(text: str, place: str) -> None:
    e164 = identify(text, "", country=country(place)).e164
    if e164 is not None:
        assert parse_entry(written(e164, country=country(place)), country=country(place)) == e164


@given(ANY_TEXT | NUMBER_LIKE)
def test_anything_can_be_written(text: str) -> None:
    assert isinstance(written(text, country=JAPAN), str)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("03-1234-5678", "+81312345678"),
        ("０３ー１２３４ー５６７８", "+81312345678"),
        ("+1 800-555-1234", "+18005551234"),
        ("010-1-800-555-1234", "+18005551234"),
        ("0120-210-364", "+81120210364"),
        ("8085949218", "8085949218"),
        ("0018005551234", "0018005551234"),
        ("171", "171"),
        ("3", "3"),
        ("+8000286210110", "+8000286210110"),
        ("+49", "+49*"),
        ("de", "DE"),
        ("ＤＥ", "DE"),
        ("0120*", "+81120*"),
        ("0120-###-###", "+81120######"),
        ("03-1234-*", "+8131234*"),
        ("+49 30*", "+4930*"),
        ("010-49*", "+49*"),
        ("00*", "00*"),
        ("800*", "800*"),
        ("０１２０＊", "+81120*"),
    ],
)
def test_an_entry_means_the_number_however_a_person_types_it(text: str, number: str) -> None:
    assert parse_entry(text, country=JAPAN) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "-",
        "+",
        "+3",
        "+110",
        "+0312345678",
        "anonymous",
        "*",
        "+*",
        "0120*5",
        "ZZ",
        "#9110",
        "O3-1234",
        "1" * 21,
        "03-1234-5678 or 03-1234-5679",
        "0312345678\n0312345679",
        "\ud800",
        "x" * 10_000,
    ],
)
def test_what_cannot_be_a_telephone_number_is_refused_on_one_short_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"^not a telephone number: ") as refusal:
        parse_entry(text, country=JAPAN)
    assert str(refusal.value).isprintable()
    assert len(str(refusal.value)) < 120


@pytest.mark.parametrize(
    ("number", "place", "shown"),
    [
        (None, "JP", ""),
        ("+81312345678", "JP", "03-1234-5678"),
        ("+81120*", "JP", "0120*"),
        ("+81120######", "JP", "0120######"),
        ("+49*", "JP", "+49*"),
        ("DE", "JP", "DE"),
        ("+81*", "JP", "0*"),
        ("+1800*", "US", "+1800*"),
        ("+819012345678", "JP", "090-1234-5678"),
        ("+81120210364", "JP", "0120-210-364"),
        ("+81800123456", "JP", "0800123456"),
        ("+18005551234", "JP", "+1 800-555-1234"),
        ("+8869745618", "JP", "+886 9745618"),
        ("+18005551234", "US", "(800) 555-1234"),
        ("+18765550123", "US", "+1 876-555-0123"),
        ("+81312345678", "US", "+81 3-1234-5678"),
        ("171", "JP", "171"),
        ("8085949218", "JP", "8085949218"),
    ],
)
def test_numbers_are_written_as_the_country_writes_them(
    number: str | None, place: str, shown: str
) -> None:
    assert written(number, country=country(place)) == shown


@pytest.mark.parametrize(
    "text",
    [
        "0" * 10_000,
        "+" * 10_000,
        "+8" * 5_000,
        "\ufdfa" * 80,
        "\ufdfa" * 10_000,
        "1" * 79,
        "03" + "-" * 78,
        "🂡" * 2_500,
        "\ud800" * 10_000,
        "+" + "9" * 78,
    ],
)
def test_the_longest_text_is_read_in_less_than_a_millisecond(text: str) -> None:
    spans = []
    for _ in range(20):
        start = time.perf_counter()
        identify(text, text, country=JAPAN)
        spans.append(time.perf_counter() - start)
    assert min(spans) < 0.001
