"""One number of somebody in a book as an entry of the household's lists."""

import re
import unicodedata
from datetime import datetime
from typing import Final, NamedTuple

from screener.books.contact import OF_BOOK, Contact, Source, Stamp, one_line
from screener.domain.caller import NumberClass
from screener.domain.inert import inert
from screener.domain.lists import Entry, ListName
from screener.domain.numbers import Country, TrunkFormat, identify, parse_entry, written

LONGEST_NUMBER: Final = 80  # characters

# An extension, or what is dialled after a pause: no caller shows it.
_EXTENSION = re.compile(r"(?:[;,#pwx]|ext|内線).*", re.DOTALL | re.IGNORECASE)
_CONTEXT = re.compile(r";phone-context=(\+[0-9]+)", re.IGNORECASE)
_TRUNK_ZERO = re.compile(r"\(0\)")  # as in +81 (0)3 1234 5678
_SEPARATORS = str.maketrans("", "", "/_・")

_LISTED: Final = (ListName.ALLOW, ListName.SCREEN, ListName.BLOCK)
_ORIGINS: Final = ("household", "dialled")
_NEVER_LISTED: Final = {
    NumberClass.EMERGENCY: "an emergency number, which rings in any case",
    NumberClass.SPECIAL: "a short number of a service, not a person's",
    NumberClass.INTERNAL: "too short for a telephone number",
}
_NOT_AT_HOME: Final = frozenset(
    {
        NumberClass.DOMESTIC_INVALID,
        NumberClass.INTERNATIONAL,
        NumberClass.INTERNATIONAL_FAKE,
        NumberClass.INTERNATIONAL_SUSPECT,
    }
)


class Read(NamedTuple):
    """A number as it is kept, and whether its first 0 had to be put before it again."""

    number: str
    mended: bool


def allowed(contact: Contact, number: str, source: Source) -> Entry:
    """Return the entry that allows one number of a contact, as ``number_of`` returns it."""
    return Entry(
        list_name=ListName.ALLOW,
        number=number,
        note=_note(contact.name, number, source.country),
        origin=source.origin,
        added_at=source.now,
    )


def exported(contact: Contact, stamp: Stamp, text: str, country: Country) -> Entry:
    """Return the entry that an export of the screener tells of; ValueError if it tells of none."""
    if identify(text, "", country=country).number_class is NumberClass.EMERGENCY:
        raise ValueError(f"{inert(text, 40)} is {_NEVER_LISTED[NumberClass.EMERGENCY]}")
    if stamp.list_name not in _LISTED:
        raise ValueError(f"the household has no list “{inert(stamp.list_name, 40)}”")
    if stamp.origin not in _ORIGINS and not stamp.origin.startswith(OF_BOOK):
        raise ValueError(f"no entry comes from “{inert(stamp.origin, 40)}”")
    number = parse_entry(text, country=country)
    return Entry(
        list_name=ListName(stamp.list_name),
        number=number,
        note=_note(contact.name, number, country),
        origin=one_line(stamp.origin),
        added_at=_moment(stamp.since),
        expires_at=_moment(stamp.expires),
    )


def number_of(text: str, country: Country) -> Read:
    """Return a number that somebody put into an address book, as E.164.

    It may be a ``tel:`` URI, have an extension, or have lost its first 0 in a spreadsheet.
    ValueError, with one sentence for people, for what is no number that a caller could show.
    """
    plain = _plain(text)
    found = identify(plain, "", country=country, trunk_format=TrunkFormat.E164)
    if found.number_class in _NEVER_LISTED:
        raise ValueError(f"{inert(text, 40)} is {_NEVER_LISTED[found.number_class]}")
    if country.zero_always_shown and plain[:1] not in {"+", "0"}:
        # So nobody at home writes a number: it lacks its 0, or its "+", or its area code.
        at_home = found.number_class not in _NOT_AT_HOME
        whole = identify(f"0{plain}", "", country=country, trunk_format=TrunkFormat.E164)
        if not at_home and whole.e164 and whole.number_class not in _NOT_AT_HOME:
            return Read(whole.e164, mended=True)
        if not at_home:
            raise ValueError(f"{inert(text, 40)} lacks its area code, or + and the country's")
    if found.e164 is None:
        raise ValueError(f"not a telephone number: “{inert(text, 40)}”")
    return Read(found.e164, mended=False)


def _plain(text: str) -> str:
    """Return the number alone, as somebody would dial it."""
    folded = unicodedata.normalize("NFKC", text[:LONGEST_NUMBER])
    # Telephones put marks for the direction of writing around a number.
    plain = "".join(c for c in folded if unicodedata.category(c) != "Cf").strip()
    code = _CONTEXT.search(plain)
    if plain[:4].casefold() == "tel:":
        plain = plain[4:]
    plain = _EXTENSION.sub("", plain).translate(_SEPARATORS).strip()
    if plain.startswith("+"):
        return _TRUNK_ZERO.sub("", plain)
    return f"{code[1]}{plain}" if code else plain


def _note(name: str, number: str, country: Country) -> str:
    """Return the name for the note; where only the number was to be shown there is none."""
    note = one_line(name)
    like_a_number = note == number or not any(map(str.isalpha, note))
    return "" if like_a_number and note in {number, written(number, country=country)} else note


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError(f"not a moment: {inert(text, 40)}; write it as 2026-11-30T18:00+09:00")
    return moment
