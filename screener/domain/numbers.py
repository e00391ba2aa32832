"""Telephone numbers: what a caller ID is, what a list entry covers, how a number is written."""

import re
import unicodedata
from collections.abc import Iterator
from enum import StrEnum

import phonenumbers
from phonenumbers import (
    COUNTRY_CODE_TO_REGION_CODE,
    NumberParseException,
    PhoneNumber,
    PhoneNumberFormat,
    PhoneNumberType,
    ValidationResult,
)

from screener.domain.caller import Caller, NumberClass
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


class TrunkFormat(StrEnum):
    """How the trunk shows callers of the own country.

    On a NATIONAL trunk a caller of the own country who shows the country code came from abroad.
    """

    NATIONAL = "national"
    E164 = "e164"


# Fifteen digits of E.164 behind the longest international prefix.
_LONGEST_NUMBER = 20
_LONGEST_E164 = 15
# With "+" and less than this it is a slip of the hand, such as +110, and no display of a fraudster.
_SHORTEST_FAKE = 7

_PATTERN = re.compile(r"(\+?)([0-9]{1,20})(\*|#{1,15})")
_E164 = re.compile(r"\+[0-9]{1,15}")

# What trunks send instead of a number, in the number or, with the reason, in the name (the
# phrases of Japanese carriers); a word counts only where it is the whole text.
_WITHOUT_NUMBER = {
    "": NumberClass.UNAVAILABLE,
    "anonymous": NumberClass.WITHHELD,
    "coin line/payphone": NumberClass.PAYPHONE,
    "interaction with other service": NumberClass.UNAVAILABLE,
    "payphone": NumberClass.PAYPHONE,
    "private": NumberClass.WITHHELD,
    "restricted": NumberClass.WITHHELD,
    "unavailable": NumberClass.UNAVAILABLE,
    "unknown": NumberClass.UNAVAILABLE,
    "withheld": NumberClass.WITHHELD,
    "公衆電話": NumberClass.PAYPHONE,
    "表示圏外": NumberClass.UNAVAILABLE,
    "非通知": NumberClass.WITHHELD,
}

_CLASS_OF_TYPE = {
    PhoneNumberType.FIXED_LINE: NumberClass.FIXED_LINE,
    PhoneNumberType.FIXED_LINE_OR_MOBILE: NumberClass.FIXED_LINE,
    PhoneNumberType.MOBILE: NumberClass.MOBILE,
    PhoneNumberType.PAGER: NumberClass.PAGER,
    PhoneNumberType.PERSONAL_NUMBER: NumberClass.UAN,
    PhoneNumberType.PREMIUM_RATE: NumberClass.PREMIUM_RATE,
    PhoneNumberType.SHARED_COST: NumberClass.UAN,
    PhoneNumberType.TOLL_FREE: NumberClass.TOLL_FREE,
    PhoneNumberType.UAN: NumberClass.UAN,
    PhoneNumberType.VOICEMAIL: NumberClass.UAN,
    PhoneNumberType.VOIP: NumberClass.VOIP,
}

_Found = tuple[NumberClass, str | None]  # the class, and the number as E.164 if it has that form


def identify(
    given: str, name: str, *, country: Country, trunk_format: TrunkFormat = TrunkFormat.NATIONAL
) -> Caller:
    """Return who calls, from the number and name that the trunk sent.

    Total: any text gives a caller with exactly one class, and nothing is raised. A number decides
    whatever the name says; the name only tells why there is no number.
    """
    number_class, e164 = _classify(given, name, country, trunk_format)
    number = None if e164 is None else _parse(e164, None)
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
    if len(found.digits) > _LONGEST_NUMBER:
        raise ValueError(f"not a telephone number: {shown} has more than {_LONGEST_NUMBER} digits")
    _, e164 = _classify(text, "", country, TrunkFormat.E164)
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


def _word(text: str) -> NumberClass | None:
    if len(text) > LONGEST_TEXT:
        return None
    return _WITHOUT_NUMBER.get(unicodedata.normalize("NFKC", text).strip().casefold())


def _classify(given: str, name: str, country: Country, trunk_format: TrunkFormat) -> _Found:
    without_number = _word(given)
    if without_number is not None:
        reason = _word(name) if name.strip() else None
        return reason or without_number, None
    found = digits_of(given)
    if found is None:
        return NumberClass.MALFORMED, None
    if found.plus:
        return _from_abroad(found.digits, country, trunk_format)
    return _as_shown(found.digits, country, trunk_format)


def _as_shown(digits: str, country: Country, trunk_format: TrunkFormat) -> _Found:
    """Try the rules for a number without "+" in their order; the first that fits decides."""
    if digits in country.emergency:
        return NumberClass.EMERGENCY, None
    if len(digits) <= 2:
        return NumberClass.INTERNAL, None
    if country.special.fullmatch(digits):
        return NumberClass.SPECIAL, None
    prefix = country.international_prefix.match(digits)
    if prefix is not None:
        # No prefix of the household's own country: whoever calls from home needs none.
        return _from_abroad(digits[prefix.end() :], country, TrunkFormat.NATIONAL)
    if digits.startswith("00"):
        return NumberClass.INTERNATIONAL_SUSPECT, None
    return _national(digits, country) or _from_abroad(digits, country, trunk_format)


def _national(digits: str, country: Country) -> _Found | None:
    """Return what a number without any prefix is at home, None if it is not written as at home."""
    with_zero = country.trunk_zero and digits.startswith("0")
    if not with_zero and country.zero_always_shown:
        return None
    number = _parse(digits, country.code)
    if number is not None and (with_zero or _possible(number)):
        return _at_home(number, country)
    return (NumberClass.DOMESTIC_INVALID, None) if with_zero else None


def _from_abroad(digits: str, country: Country, trunk_format: TrunkFormat) -> _Found:
    """Return what a number is whose country code comes first."""
    number = _parse(f"+{digits}", None)
    if number is None or not _possible(number):
        return NumberClass.INTERNATIONAL_FAKE, None
    if not _shares_code(number, country):
        return NumberClass.INTERNATIONAL, _e164(number)
    if trunk_format is TrunkFormat.NATIONAL:
        return NumberClass.JAPAN_VIA_INTERNATIONAL, _e164(number)
    return _at_home(number, country)


def _at_home(number: PhoneNumber, country: Country) -> _Found:
    if not phonenumbers.is_valid_number(number):
        return NumberClass.DOMESTIC_INVALID, _e164(number)
    if not _shares_code(number, country):
        return NumberClass.INTERNATIONAL, _e164(number)
    kind = _CLASS_OF_TYPE.get(phonenumbers.number_type(number), NumberClass.DOMESTIC_INVALID)
    return kind, _e164(number)


def _shares_code(number: PhoneNumber, country: Country) -> bool:
    """Tell whether the number is of the country, or of its code and of no region in particular."""
    if number.country_code != country.calling_code:
        return False
    region = phonenumbers.region_code_for_number(number)
    return region is None or region in country.regions


def _possible(number: PhoneNumber) -> bool:
    reason = phonenumbers.is_possible_number_with_reason(number)
    return bool(reason == ValidationResult.IS_POSSIBLE)


def _parse(text: str, region: str | None) -> PhoneNumber | None:
    """Return libphonenumber's reading of digits, None where it finds no number in them."""
    if len(text) > _LONGEST_NUMBER:
        return None
    try:
        return phonenumbers.parse(text, region)
    except NumberParseException:
        return None


def _e164(number: PhoneNumber) -> str | None:
    """Return the form that is read as itself again, None where there is none.

    An impossible number can lose a leading zero at every reading, as if it were a trunk prefix.
    """
    text = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    if len(text) > 1 + _LONGEST_E164 or not _possible(number):
        return None
    again = _parse(text, None)
    same = again and phonenumbers.format_number(again, PhoneNumberFormat.E164) == text
    return text if same else None


def _ways_to_write(number: str, country: Country) -> Iterator[str]:
    """Yield ways to write an E.164 number, the most familiar first; some mean something else."""
    parsed = _parse(number, None)
    if parsed is None:
        return
    if _shares_code(parsed, country):
        yield phonenumbers.format_number(parsed, PhoneNumberFormat.NATIONAL)
        if country.trunk_zero:
            yield "0" + phonenumbers.national_significant_number(parsed)
    yield phonenumbers.format_number(parsed, PhoneNumberFormat.INTERNATIONAL)
