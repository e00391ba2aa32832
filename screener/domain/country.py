"""What a country's telephone numbers look like on the wire: codes, prefixes, emergency numbers."""

import re
from dataclasses import dataclass
from functools import cache

import phonenumbers
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

COUNTRIES = frozenset(phonenumbers.SUPPORTED_REGIONS)
"""The two-letter codes that ``country`` knows (ISO 3166-1, as libphonenumber has them)."""

# Domestic caller IDs of these countries always carry the trunk prefix 0, so a number without it
# came from abroad (Japan: fraud displays that dropped the "+" parse as valid Japanese numbers).
_ZERO_ALWAYS_SHOWN = frozenset({"JP", "GB", "DE", "FR"})

# libphonenumber has no 118 (Japan Coast Guard) among Japan's emergency numbers.
_MORE_EMERGENCY = {"JP": frozenset({"118"})}

# Japan's services are 1XX; elsewhere three digits, and Europe's harmonised 116 XXX.
_SPECIAL = {"JP": re.compile(r"1[0-9]{2}")}
_SPECIAL_ELSEWHERE = re.compile(r"[1-9][0-9]{2}|116[0-9]{3}")

# Dialled before a number, these hide (184) or show (186) the own number in Japan.
_CALLER_ID_PREFIXES = {"JP": ("184", "186")}

# Japan's police stations have numbers that end in 0110; the others are headquarters known from the
# news, as fraudsters from abroad imitate them.
_POLICE_ENDINGS = {"JP": frozenset({"0110", "1110", "4321", "9111"})}

# Within country code 1 these count as home; the rest of it is dialled and billed as abroad.
_NORTH_AMERICA = frozenset({"US", "CA", "PR", "GU", "VI", "AS", "MP"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Country:
    """How the numbers of one country are written and recognised.

    ``emergency`` holds the exact numbers, without "+"; ``international_prefix`` and ``special``
    match from the start of a number; ``national_prefix`` is what is dialled before a number of
    the own country; ``regions`` are the country codes that count as home;
    ``caller_id_prefixes`` are dialled before a number to hide or show the own one;
    ``police_endings`` are the last digits by which people know the police.
    """

    code: str
    calling_code: int
    emergency: frozenset[str]
    special: re.Pattern[str]
    international_prefix: re.Pattern[str]
    national_prefix: str
    trunk_zero: bool
    zero_always_shown: bool
    regions: frozenset[str]
    caller_id_prefixes: tuple[str, ...]
    police_endings: frozenset[str]


@cache
def country(code: str) -> Country:
    """Return the country with this two-letter code, in either case; ValueError if unknown."""
    region = code.upper()
    numbers = PhoneMetadata.metadata_for_region(region) if region in COUNTRIES else None
    if numbers is None or numbers.international_prefix is None:
        raise ValueError(f"unknown country {code[:20]!r}: use a two-letter code such as JP")
    calling_code = phonenumbers.country_code_for_region(region)
    home = _NORTH_AMERICA if region in _NORTH_AMERICA else _sharing(calling_code)
    return Country(
        code=region,
        calling_code=calling_code,
        emergency=_emergency(region),
        special=_SPECIAL.get(region, _SPECIAL_ELSEWHERE),
        international_prefix=re.compile(numbers.international_prefix),
        national_prefix=numbers.national_prefix or "",
        trunk_zero=numbers.national_prefix == "0",
        zero_always_shown=region in _ZERO_ALWAYS_SHOWN,
        regions=home,
        caller_id_prefixes=_CALLER_ID_PREFIXES.get(region, ()),
        police_endings=_POLICE_ENDINGS.get(region, frozenset()),
    )


def _sharing(calling_code: int) -> frozenset[str]:
    return frozenset(COUNTRY_CODE_TO_REGION_CODE[calling_code])


def _emergency(region: str) -> frozenset[str]:
    """Return libphonenumber's emergency numbers of two to four digits, and what it lacks."""
    listed = PhoneMetadata.short_metadata_for_region(region)
    rule = listed.emergency if listed else None
    if rule is None or rule.national_number_pattern is None:
        return _MORE_EMERGENCY.get(region, frozenset())
    pattern = re.compile(rule.national_number_pattern)
    candidates = (f"{n:0{width}}" for width in (2, 3, 4) for n in range(10**width))
    found = frozenset(filter(pattern.fullmatch, candidates))
    return found | _MORE_EMERGENCY.get(region, frozenset())
