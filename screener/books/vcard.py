"""vCard, read as telephones of all ages write it (2.1, 3.0, 4.0), and written as 4.0."""

import quopri
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from screener.books.contact import MOST_NUMBERS, BookError, Contact, Faults, Stamp
from screener.books.lines import Line

LONGEST_VALUE: Final = 8192  # bytes of one property that are kept; a photo has millions
FOLDED_AT: Final = 75  # bytes of a line, as the standard wishes

# Whole lines, so a property with a group before its name and parameters behind it.
_PROPERTY = re.compile(rb'(?:[\w-]+\.)?([\w-]+)((?:;(?:[^":;]|"[^"]*")*)*):(.*)', re.DOTALL)
_OWN: Final = "X-SCREENER-"
_STAMPED: Final = ("LIST", "ORIGIN", "SINCE", "EXPIRES")
_READ: Final = frozenset(
    {
        *("BEGIN", "END", "FN", "N", "NICKNAME", "ORG", "TEL"),
        *("X-PHONETIC-LAST-NAME", "X-PHONETIC-FIRST-NAME"),
        *(f"{_OWN}{name}" for name in (*_STAMPED, "NUMBER")),
    }
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_BARE_SEMICOLON = re.compile(r"(?<!\\)(?:\\\\)*;")


@dataclass(slots=True)
class _Card:
    line: int
    values: dict[str, str] = field(default_factory=dict)
    numbers: list[str] = field(default_factory=list)


def cards(lines: Iterable[Line], faults: Faults, legacy: str) -> Iterator[Contact]:
    """Yield the card of every person. Memory is bounded, whatever the cards hold.

    What is not UTF-8 and names no charset is read in the encoding ``legacy``. A card that is not
    closed is a fault and left out. BookError if there is no card.
    """
    card: _Card | None = None
    begun = 0
    for number, name, value in _properties(lines, legacy):
        if name == "BEGIN" and value.strip().upper() == "VCARD":
            _left_open(card, faults)
            card, begun = _Card(number), begun + 1
        elif card is None:
            continue
        elif name == "END":
            yield _closed(card)
            card = None
        elif name in {"TEL", f"{_OWN}NUMBER"}:
            card.numbers[MOST_NUMBERS:] = [value]  # one too many is enough to know
        else:
            card.values.setdefault(name, value)
    _left_open(card, faults)
    if not begun:
        raise BookError("holds no vCard: there is no line BEGIN:VCARD in it")


def _left_open(card: _Card | None, faults: Faults) -> None:
    if card is not None:
        faults.add(f"line {card.line}", "the card that begins here has no end, and is left out")


def _closed(card: _Card) -> Contact:
    place = f"line {card.line}"
    stamp = None
    if f"{_OWN}LIST" in card.values:
        stamp = Stamp(*(card.values.get(f"{_OWN}{name}", "") for name in _STAMPED))
    return Contact(place, _name(card.values), tuple(card.numbers), stamp)


def _name(values: dict[str, str]) -> str:
    """Return the name that is shown, or else what comes nearest to one."""
    phonetic = f"{values.get('X-PHONETIC-LAST-NAME', '')} {values.get('X-PHONETIC-FIRST-NAME', '')}"
    candidates = (values.get(name, "") for name in ("FN", "N", "NICKNAME", "ORG"))
    return next(filter(str.strip, (*candidates, phonetic)), "")


def _properties(lines: Iterable[Line], legacy: str) -> Iterator[tuple[int, str, str]]:
    """Yield the properties that tell who it is: line number, name without group, value."""
    for number, line in _unfolded(lines):
        found = _PROPERTY.match(line)
        if found is None:
            continue
        name = found[1].decode("ascii", "replace").upper()
        if name not in _READ:
            continue
        parameters = found[2].decode("ascii", "replace").upper()
        text = _text(found[3], parameters, legacy)
        if name in {"N", "ORG"}:
            text = " ".join(_parts(text))
        yield number, name, _unescaped(text)


def _unfolded(lines: Iterable[Line]) -> Iterator[Line]:
    """Put folded lines together again, and cut what is longer than any name."""
    first, parts, length = 0, list[bytes](), 0
    soft = quoted = False
    for number, line in lines:
        if first and (soft or line[:1] in {b" ", b"\t"}):
            piece = line if soft else line[1:]
        else:
            if first:
                yield first, b"".join(parts)[:LONGEST_VALUE]
            first, parts, length, piece = number, [], 0, line
            quoted = b"QUOTED-PRINTABLE" in line.partition(b":")[0].upper()
        soft = quoted and piece.endswith(b"=")
        if length < LONGEST_VALUE:
            parts.append(piece[:-1] if soft else piece)
            length += len(piece)
    if first:
        yield first, b"".join(parts)[:LONGEST_VALUE]


def _text(value: bytes, parameters: str, legacy: str) -> str:
    if "QUOTED-PRINTABLE" in parameters:
        value = quopri.decodestring(value)
    charset = re.search(r"CHARSET=\"?([\w.:-]+)", parameters)
    for encoding in (*([charset[1]] if charset else []), "utf-8", legacy):
        try:
            return value.decode(encoding)
        except (LookupError, ValueError):
            continue
    return value.decode("utf-8", "replace")


def _parts(text: str) -> list[str]:
    """Split at semicolons that are not escaped; empty parts are left out."""
    marked = _BARE_SEMICOLON.sub(lambda found: found[0][:-1] + "\0", text)
    return [part.strip() for part in marked.split("\0") if part.strip()]


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: "\n" if found[1] in "nN" else found[1], text)


def card_lines(name: str, numbers: Iterable[str], stamp: Stamp) -> Iterator[str]:
    """Yield the lines of one card, as vCard 4.0, each with its line end.

    A number that is not one telephone's (``+81120*``, ``DE``) stands where telephones do not look.
    """
    yield from ("BEGIN:VCARD\r\n", "VERSION:4.0\r\n", _folded("FN", name))
    for number in numbers:
        dialled = number.removeprefix("+").isdigit()
        yield _folded("TEL" if dialled else f"{_OWN}NUMBER", number)
    for key, value in zip(_STAMPED, stamp, strict=True):
        if value:
            yield _folded(f"{_OWN}{key}", value)
    yield "END:VCARD\r\n"


def _folded(name: str, value: str) -> str:
    escaped = re.sub(r"([\\,;])", r"\\\1", value).replace("\n", "\\n")
    lines, length = [f"{name}:"], len(name) + 1
    for character in escaped:
        size = len(character.encode("utf-8", "replace"))
        if length + size > FOLDED_AT:
            lines.append(" ")
            length = 1
        lines[-1] += character
        length += size
    return "\r\n".join(lines) + "\r\n"
