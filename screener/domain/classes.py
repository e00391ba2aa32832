"""What kind of number a trunk shows: the rules in their order, on libphonenumber's knowledge."""

import unicodedata
from enum import StrEnum

import phonenumbers
from phonenumbers import (
    NumberParseException,
    PhoneNumber,
    PhoneNumberFormat,
    PhoneNumberType,
    ValidationResult,
)

from screener.domain.caller import NumberClass
from screener.domain.country import Country
from screener.domain.digits import LONGEST_TEXT, digits_of


class TrunkFormat(StrEnum):
    """How the trunk shows callers of the own country.

    On a NATIONAL trunk a caller of the own country who shows the country code came from abroad.
    """

    NATIONAL = "national"
    E164 = "e164"


LONGEST_NUMBER = 20
"""Digits: fifteen of E.164 behind the longest international prefix."""

_LONGEST_E164 = 15

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


def classify(given: str, name: str, country: Country, trunk_format: TrunkFormat) -> _Found:
    """Return the class of what a trunk shows, and its number as E.164; total, any text has one."""
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
    number = parse(digits, country.code)
    if number is not None and (with_zero or _possible(number)):
        return _at_home(number, country)
    return (NumberClass.DOMESTIC_INVALID, None) if with_zero else None


def _from_abroad(digits: str, country: Country, trunk_format: TrunkFormat) -> _Found:
    """Return what a number is whose country code comes first."""
    number = parse(f"+{digits}", None)
    if number is None or not _possible(number):
        return NumberClass.INTERNATIONAL_FAKE, None
    if not shares_code(number, country):
        return NumberClass.INTERNATIONAL, _e164(number)
    if trunk_format is TrunkFormat.NATIONAL:
        return NumberClass.JAPAN_VIA_INTERNATIONAL, _e164(number)
    return _at_home(number, country)


def _at_home(number: PhoneNumber, country: Country) -> _Found:
    if not phonenumbers.is_valid_number(number):
        return NumberClass.DOMESTIC_INVALID, _e164(number)
    if not shares_code(number, country):
        return NumberClass.INTERNATIONAL, _e164(number)
    kind = _CLASS_OF_TYPE.get(phonenumbers.number_type(number), NumberClass.DOMESTIC_INVALID)
    return kind, _e164(number)


def shares_code(number: PhoneNumber, country: Country) -> bool:
    """Tell whether the number is of the country, or of its code and of no region in particular."""
    if number.country_code != country.calling_code:
        return False
    region = phonenumbers.region_code_for_number(number)
    return region is None or region in country.regions


def _possible(number: PhoneNumber) -> bool:
    reason = phonenumbers.is_possible_number_with_reason(number)
    return bool(reason == ValidationResult.IS_POSSIBLE)


def parse(text: str, region: str | None) -> PhoneNumber | None:
    """Return libphonenumber's reading of digits, None where it finds no number in them."""
    if len(text) > LONGEST_NUMBER:
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
    again = parse(text, None)
    same = again and phonenumbers.format_number(again, PhoneNumberFormat.E164) == text
    return text if same else None


def _word(text: str) -> NumberClass | None:
    if len(text) > LONGEST_TEXT:
        return None
    return _WITHOUT_NUMBER.get(unicodedata.normalize("NFKC", text).strip().casefold())
