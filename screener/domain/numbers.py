"""Telephone numbers: what a caller ID is, what a list entry covers, how a number is written."""

import re
from collections.abc import Iterator

import phonenumbers
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneNumberFormat

from screener.domain.caller import Caller
from screener.domain.classes import LONGEST_NUMBER, TrunkFormat, classify, parse, shares_code
from screener.domain.country import COUNTRIES, Country, country
from screener.domain.digits import LONGEST_TEXT, bare, digits_of
from screener.domain.inert import inert

__all__ = [
    "COUNTRIES",
    "Country",
    "TrunkFormat",
    "country",
    "identify",
    "parse_entry",
    "parse_number",
    "written",
]


# With "+" and less than this it is a slip of the hand, such as +110, and no display of a fraudster.
_SHORTEST_FAKE = 7

_PATTERN = re.compile(r"(\+?)([0-9]{1,20})(\*|#{1,15})")
_E164 = re.compile(r"\+[0-9]{1,15}")


def identify(
    given: str, name: str, *, country: Country, trunk_format: TrunkFormat = TrunkFormat.NATIONAL
) -> Caller:
    """Return who calls, from the number and name that the trunk sent.

    Total: any text gives a caller with exactly one class, and nothing is raised. A number decides
    whatever the name says; the name only tells why there is no number.
    """
    number_class, e164 = classify(given, name, country, trunk_format)
    number = None if e164 is None else parse(e164, None)
    region = None if number is None else phonenumbers.region_code_for_number(number)
    return Caller(
        given=given,
        name=name,
        e164=e164,
        number_class=number_class,
        region=region if region in COUNTRIES else None,
    )


def parse_entry(text: str, *, country: Country) -> str:
    """Return what a person typed for a list in the form of ``Entry.number``.

    That is a number, a country (``DE``, ``+49``), or how numbers begin: ``0120*``, or
    ``0120######`` for those of that length only. Raises ValueError, with one sentence for that
    person, if it is none of these.
    """
    typed = bare(text) if len(text) <= LONGEST_TEXT else ""
    if typed.upper() in COUNTRIES:
        return typed.upper()
    if typed[:1] == "+" and typed[1:].isdigit() and int(typed) in COUNTRY_CODE_TO_REGION_CODE:
        return f"{typed}*"
    if (match := _PATTERN.fullmatch(typed)) is None:
        return parse_number(text, country=country)
    plus, digits, rest = match.groups()
    return _pattern(plus, digits, rest, country)


def parse_number(text: str, *, country: Country) -> str:
    """Return the one number that a person typed: E.164, or as it is shown without that form.

    A caller with a ``list_key`` is found under what this returns for the number they showed.
    Raises ValueError, with one sentence for that person, if it cannot be a telephone number.
    """
    shown = inert(text, 40)
    found = digits_of(text)
    if found is None:
        raise ValueError(f"not a telephone number: “{shown}”; write digits, or + and digits")
    if len(found.digits) > LONGEST_NUMBER:
        raise ValueError(f"not a telephone number: {shown} has more than {LONGEST_NUMBER} digits")
    _, e164 = classify(text, "", country, TrunkFormat.E164)
    if e164 is not None:
        return e164
    if found.plus and (found.digits[0] == "0" or len(found.digits) < _SHORTEST_FAKE):
        raise ValueError(f"not a telephone number: no country has one like {shown}")
    return found.text


def written(number: str | None, *, country: Country) -> str:
    """Return a number as people of this country write it; foreign ones with + and their code.

    What is returned for an E.164 number, or for what else an entry covers, means the same to
    ``parse_entry``. None gives an empty text, and any other text comes back as it is.
    """
    if number is None:
        return ""
    ways: Iterator[str] = iter(())
    if _E164.fullmatch(number):
        ways = _ways_to_write(number, country)
    elif number[-1:] in {"*", "#"} and country.trunk_zero:
        ways = iter(["0" + number.removeprefix(f"+{country.calling_code}")])
    for candidate in ways:
        try:
            if parse_entry(candidate, country=country) == number:
                return candidate
        except ValueError:
            continue
    return number


def _pattern(plus: str, digits: str, rest: str, country: Country) -> str:
    """Return how the callers begin who are shown with these digits first."""
    if plus:
        return f"+{digits}{rest}"
    prefix = country.international_prefix.match(digits)
    if prefix is not None and prefix.end() < len(digits):
        return f"+{digits[prefix.end() :]}{rest}"
    with_zero = country.trunk_zero and digits[0] == "0" and digits[:2] != "00"
    if not with_zero and country.zero_always_shown:
        return f"{digits}{rest}"  # a display that is not of this country's
    at_home = digits[1:] if with_zero else digits.removeprefix(country.national_prefix)
    return f"+{country.calling_code}{at_home}{rest}"


def _ways_to_write(number: str, country: Country) -> Iterator[str]:
    """Yield ways to write an E.164 number, the most familiar first; some mean something else."""
    parsed = parse(number, None)
    if parsed is None:
        return
    if shares_code(parsed, country):
        yield phonenumbers.format_number(parsed, PhoneNumberFormat.NATIONAL)
        if country.trunk_zero:
            yield "0" + phonenumbers.national_significant_number(parsed)
    yield phonenumbers.format_number(parsed, PhoneNumberFormat.INTERNATIONAL)
