"""CSV with headings, as Google, Outlook, address-book programs and people at home save it."""

import csv
import re
import unicodedata
from collections.abc import Iterable, Iterator
from enum import Enum, auto
from typing import Final, NamedTuple

from screener.books.contact import BookError, Contact, Faults, Stamp
from screener.books.lines import LONGEST_LINE, Line

OWN: Final = ("list", "number", "note", "origin", "since", "expires")
"""The headings of the screener's own export."""

MOST_COLUMNS: Final = 1000
_DELIMITERS: Final = ",;\t"
# What a spreadsheet would take for a formula is written with an apostrophe before it.
_FORMULA: Final = ("=", "+", "-", "@", "'")
# Several numbers in one cell; a comma counts only before what is long enough to be a number.
_SEVERAL = re.compile(r":::|[\n;、／]|,(?=\s*[+(０-９0-9](?:[-() ]*[０-９0-9]){7})")


class _Column(Enum):
    """What a column holds, in the order in which a name is sought."""

    PHONE = auto()
    NAME = auto()
    FAMILY = auto()
    GIVEN = auto()
    READING = auto()
    ORGANISATION = auto()
    REMARK = auto()


_HEADINGS: Final = {
    _Column.NAME: (
        "name fullname displayname 氏名 名前 お名前 姓名 表示名 宛名 連絡先名 氏名漢字 名前漢字"
    ),
    _Column.FAMILY: "familyname lastname surname last 姓 氏 苗字 名字 姓漢字 氏漢字",
    _Column.GIVEN: "givenname firstname first 名 名漢字",
    _Column.READING: (
        "ふりがな フリガナ よみ よみがな 読み 読み仮名 カナ かな yomi reading phoneticname"
        " 氏名ふりがな 氏名フリガナ 氏名カナ 氏名よみ 名前ふりがな 名前フリガナ"
    ),
    _Column.ORGANISATION: (
        "organizationname organization company companyname"
        " 会社 会社名 勤務先 勤務先名 組織名 団体名"
    ),
    _Column.REMARK: "note notes memo comment comments remarks 備考 メモ コメント 摘要",
}
_KNOWN: Final = {word: column for column, words in _HEADINGS.items() for word in words.split()}
_PHONE = re.compile(
    r"phone|^tel(?!ex)|^mobile|^cell|fax|電話|携帯|けいたい|ケータイ|ファックス|ファクス"
)
_NO_PHONE = re.compile(r"phonetic|type|label|種別|種類|区分|ラベル|メール|mail|名|アドレス|address")
_NUMBER: Final = frozenset({"number", "番号"})


class _Head(NamedTuple):
    """The first line: what separates cells, and what the columns hold."""

    delimiter: str
    columns: tuple[_Column | None, ...]
    own: bool


def rows(lines: Iterable[Line], encoding: str, faults: Faults) -> Iterator[Contact]:
    """Yield the person of every row. Memory is bounded, whatever the rows hold.

    The first line names the columns, in any order, separated by comma, semicolon or tab. A row
    that is no row is a fault and left out. BookError if no column is one of telephone numbers.
    """
    reading = _Lines(lines, encoding, faults)
    head = _head(reading)
    source = csv.reader(reading, delimiter=head.delimiter)
    while True:
        place = f"line {reading.number + 1}"
        try:
            cells = next(source)
        except StopIteration:
            return
        except csv.Error as error:
            faults.add(place, str(error))
            continue
        width = len(head.columns)
        if any(map(str.strip, cells[width:])):
            faults.add(place, f"{len(cells)} cells where {width} are expected")
        elif any(map(str.strip, cells)):
            yield _own(place, cells) if head.own else _contact(place, cells, head.columns)


class _Lines:
    """The lines as text, with the number of the one read last; one too long is a fault."""

    def __init__(self, lines: Iterable[Line], encoding: str, faults: Faults) -> None:
        self._lines = iter(lines)
        self._encoding = encoding
        self._faults = faults
        self.number = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        self.number, line = next(self._lines)
        if len(line) >= LONGEST_LINE:
            self._faults.add(f"line {self.number}", "longer than any row, and left out")
            return "\n"
        return line.decode(self._encoding, "replace") + "\n"


def _head(lines: _Lines) -> _Head:
    for line in lines:
        if line.strip() and not line.startswith("sep="):
            heads = [_columns(line, delimiter) for delimiter in _DELIMITERS]
            best = max(heads, key=lambda head: sum(column is not None for column in head.columns))
            if best.own or _Column.PHONE in best.columns:
                return best
            break
    raise BookError(
        "has no column of telephone numbers; the first line names the columns, "
        "as in name,phone or 氏名,電話番号"
    )


def _columns(line: str, delimiter: str) -> _Head:
    try:
        cells = next(csv.reader([line], delimiter=delimiter))
    except csv.Error:
        return _Head(delimiter, (), own=False)
    if len(cells) > MOST_COLUMNS:
        return _Head(delimiter, (), own=False)
    plain = [unicodedata.normalize("NFKC", cell).strip().casefold() for cell in cells]
    return _Head(delimiter, tuple(map(_column, plain)), own=tuple(plain) == OWN)


def _column(heading: str) -> _Column | None:
    """Return what a column holds; "Phone 1 - Value" and "電話番号(自宅)２" are phones too."""
    word = re.sub(r"[\W\d_]", "", heading)
    if word in _KNOWN:
        return _KNOWN[word]
    if word in _NUMBER or (_PHONE.search(word) and not _NO_PHONE.search(word)):
        return _Column.PHONE
    return None


def _contact(place: str, cells: list[str], columns: tuple[_Column | None, ...]) -> Contact:
    texts: dict[_Column, list[str]] = {column: [] for column in _Column}
    for column, cell in zip(columns, cells, strict=False):
        if column is not None and cell.strip():
            texts[column].append(cell.strip())
    numbers = (part.strip() for cell in texts[_Column.PHONE] for part in _SEVERAL.split(cell))
    family, given = texts[_Column.FAMILY], texts[_Column.GIVEN]
    in_parts = " ".join([*given, *family])
    if not in_parts.isascii():
        in_parts = " ".join([*family, *given])  # as Japanese names are said
    others = (*texts[_Column.READING], *texts[_Column.ORGANISATION], *texts[_Column.REMARK])
    name = next(filter(None, (*texts[_Column.NAME], in_parts, *others)), "")
    return Contact(place, name, tuple(filter(None, numbers)))


def _own(place: str, cells: list[str]) -> Contact:
    padded = [cell.removeprefix("'") for cell in cells] + [""] * len(OWN)
    list_name, number, note, origin, since, expires = padded[: len(OWN)]
    return Contact(place, note, (number,), Stamp(list_name, origin, since, expires))


def row(name: str, number: str, stamp: Stamp) -> list[str]:
    """Return the cells of one entry under the headings ``OWN``, with nothing that calculates."""
    cells = [stamp.list_name, number, name, stamp.origin, stamp.since, stamp.expires]
    return [f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in cells]
