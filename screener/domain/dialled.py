"""Which of the numbers that a household dials it comes to know by that."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from screener.domain.caller import NumberClass
from screener.domain.country import Country
from screener.domain.lists import Lists
from screener.domain.numbers import TrunkFormat, identify, parse_number

# Calling back a number that rang once is how the owners of these earn their money.
_NEVER: Final = {NumberClass.EMERGENCY, NumberClass.PREMIUM_RATE, NumberClass.SPECIAL}


def worth_knowing(
    dialled: str, lists: Lists, now: datetime, *, own: Collection[str], country: Country
) -> str | None:
    """Return the number, as lists hold it, that the household knows for having dialled it.

    None for what is no whole telephone number, and for emergency, special and premium numbers; for
    the household's ``own`` ones; for those on a shared list, since fraudsters ask to be called
    back; and for those that an entry of the household's own making covers already.
    """
    for prefix in country.caller_id_prefixes:
        if len(dialled) > len(prefix) + 3:
            dialled = dialled.removeprefix(prefix)
    number = _parsed(dialled, country)
    caller = identify(number, "", country=country, trunk_format=TrunkFormat.E164)
    if caller.e164 is None or caller.number_class in _NEVER:
        return None
    if caller.e164 in {_parsed(line, country) for line in own}:
        return None
    if lists.of_shared(caller) or lists.of_household(caller, now):
        return None
    return caller.e164


def _parsed(number: str, country: Country) -> str:
    """Return a number as lists hold it; empty if it is none."""
    try:
        return parse_number(number, country=country)
    except ValueError:
        return ""
