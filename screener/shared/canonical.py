"""What a row of a list means: the number as the policy knows callers by it, found quickly.

``parse_entry`` of the domain takes tens of microseconds a number; for the plain forms, which are
nearly all of a long list, the answer is known without libphonenumber reading them.
"""

import re
from collections.abc import Callable
from functools import partial

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

from screener.domain.numbers import Country, parse_entry

_E164 = re.compile(r"\+[1-9][0-9]{8,14}")
_NORTH_AMERICAN = re.compile(r"[2-9][0-9]{2}[2-9][0-9]{6}")

Canonical = Callable[[str], str]
"""Turns a row's number or pattern into the form that lists use, or raises ValueError."""


def canonical(country: Country) -> Canonical:
    """Return the function that reads the numbers of a list as somebody in this country would."""
    slowly = partial(parse_entry, country=country)
    national = _national_prefixes()
    at_home = _at_home(country)

    def read(text: str) -> str:
        if _E164.fullmatch(text):
            for length in (1, 2, 3):
                prefix = national.get(text[1 : 1 + length])
                if prefix is not None:
                    # With nothing at its beginning to take away, it is E.164 already.
                    return slowly(text) if prefix.match(text, 1 + length) else text
        elif at_home is not None and at_home.fullmatch(text):
            return f"+{country.calling_code}{text[1:]}"
        return slowly(text)

    return read


def north_american(text: str) -> str:
    """Return ten digits, or eleven with a 1 in front, as a number of country code 1."""
    digits = text.strip()
    if len(digits) == 11 and digits[0] == "1":
        digits = digits[1:]
    if not _NORTH_AMERICAN.fullmatch(digits):
        raise ValueError(f"not a North American number: “{text[:20]}”")
    return f"+1{digits}"


def _national_prefixes() -> dict[str, re.Pattern[str]]:
    """Return for each country code what libphonenumber may take away at a number's beginning."""
    found = {}
    for code, regions in COUNTRY_CODE_TO_REGION_CODE.items():
        metadata = PhoneMetadata.metadata_for_region_or_calling_code(code, regions[0])
        prefix = metadata.national_prefix_for_parsing if metadata else None
        found[str(code)] = re.compile(f"0|{prefix}" if prefix else "0")
    return found


def _at_home(country: Country) -> re.Pattern[str] | None:
    """Return what numbers look like that begin with the country's 0 and nothing special."""
    metadata = PhoneMetadata.metadata_for_region(country.code)
    plain = country.trunk_zero and metadata is not None and metadata.general_desc is not None
    if not plain or metadata is None or metadata.general_desc is None:
        return None
    lengths = [length for length in metadata.general_desc.possible_length if length > 6]
    kinds = "|".join(f"[1-9][0-9]{{{length - 1}}}" for length in lengths)
    return re.compile(f"(?!{country.international_prefix.pattern})0(?:{kinds})")
