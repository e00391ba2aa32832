"""Address books: what telephones and spreadsheets write is read, however old, odd or hostile."""

import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from screener.books.book import Book, origin_of, read_book
from screener.books.contact import LONGEST_NAME, MOST_FAULTS, BookError, Source, one_line
from screener.books.entry import number_of
from screener.books.export import WRITERS, write_book
from screener.domain.lists import Entry, ListName
from screener.domain.numbers import country

NOW = datetime(2026, 11, 22, 12, 30, 15, 123456, tzinfo=UTC)
JAPAN = country("JP")
SOURCE = Source("book home", JAPAN, NOW)
TARO, HANAKO, CLINIC = "+819012345678", "+819098765432", "+81312345678"

Reader = Callable[[str, str | bytes], Book]


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    def of(name: str, content: str | bytes) -> Book:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_book(path, SOURCE, lambda _: None)

    return of


def card(*lines: str, version: str = "3.0") -> str:
    return "\r\n".join(["BEGIN:VCARD", f"VERSION:{version}", *lines, "END:VCARD", ""])


def names(book: Book) -> dict[str, str]:
    return {number: entry.note for number, entry in book.entries.items()}


# --- vCards ---------------------------------------------------------------------------------------


def test_whoever_is_on_a_card_is_allowed_under_their_name(read: Reader) -> None:
    book = read("a.vcf", card("FN:山田太郎", "TEL;TYPE=CELL:090-1234-5678"))
    assert book.entries == {
        TARO: Entry(
            list_name=ListName.ALLOW,
            number=TARO,
            note="山田太郎",
            origin="book home",
            added_at=NOW,
        )
    }
    assert (book.contacts, book.faults.first, book.exported) == (1, [], False)


@pytest.mark.parametrize(
    "lines",
    [
        ["FN:山田 太郎", "item1.TEL;type=pref:090-1234-5678", "item1.X-ABLabel:携帯"],
        ["FN:山田 太郎", 'TEL;TYPE="cell,voice";PREF=1:+81 90-1234-5678'],
        ["FN:山田 太郎", "TEL;VALUE=uri;TYPE=cell:tel:+81-90-1234-5678;ext=5"],
        ["FN:山田 太郎", "TEL;VALUE=uri:tel:90-1234-5678;phone-context=+81"],
        ["FN:山田 太郎", "TEL:０９０（１２３４）５６７８"],
        ["FN:山田 太郎", "TEL:\u202a+81 (0)90 1234 5678\u202c"],
        ["FN:山田 太郎", "TEL:090-1234-5678 内線 12"],
        ["FN:山田 太郎", "TEL:090/1234/5678,,1"],
        ["FN:山田 太郎", 'TEL;X-NOTE="a:b;c":09012345678'],
        ["fn:山田 太郎", "tel:09012345678"],
        ["FN:山田 ", " 太郎", "TEL:0901234", "\t5678"],
        ["N:山田;太郎;;;", "TEL:09012345678"],
        ["FN: ", "N:;;;;", "NICKNAME:山田 太郎", "TEL:09012345678"],
        ["ORG:山田;太郎", "TEL:09012345678"],
        ["X-PHONETIC-FIRST-NAME:太郎", "X-PHONETIC-LAST-NAME:山田", "TEL:09012345678"],
        [
            "NOTE:a\\nb",
            "PHOTO;ENCODING=b:/9j/4AAQ",
            "  SkZJRg==",
            "",
            "FN:山田 太郎",
            "TEL:09012345678",
        ],
        ["PHOTO;ENCODING=b:§§§ broken §§§", "FN:山田 太郎", "TEL:09012345678"],
    ],
    ids=range(17),
)
def test_a_card_is_read_as_telephones_write_it(read: Reader, lines: list[str]) -> None:
    assert names(read("a.vcf", card(*lines, version="4.0"))) == {TARO: "山田 太郎"}


def test_all_numbers_of_a_card_count_and_escapes_are_undone(read: Reader) -> None:
    book = read("a.vcf", card("FN:O\\'Neill\\, Tom\\; Tim", "TEL:09012345678", "TEL:0312345678"))
    assert names(book) == {TARO: "O'Neill, Tom; Tim", CLINIC: "O'Neill, Tom; Tim"}


def test_cards_of_old_japanese_telephones_are_read(read: Reader) -> None:
    quoted = (
        b"BEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=SHIFT_JIS;ENCODING=QUOTED-PRINTABLE:=8E=52=93=\r\n"
        b"=63;=91=BE=98=59;;;\r\nNOTE;ENCODING=QUOTED-PRINTABLE:=\r\nTEL:0600000000=\r\n\r\n"
        b"TEL;CELL:09012345678\r\nEND:VCARD\r\n"
    )
    assert names(read("a.vcf", quoted)) == {TARO: "山田 太郎"}
    whole = card("N:表;能;;;", "TEL:09012345678", version="2.1").encode("shift_jis")
    assert names(read("b.vcf", whole)) == {TARO: "表 能"}  # both end in what looks like a backslash


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-8"])
@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_a_file_of_cards_is_read_in_any_encoding_and_with_any_line_end(
    read: Reader, encoding: str, end: str
) -> None:
    text = (card("FN:山田", "TEL:09012345678") * 2).replace("\r\n", end)
    book = read("a.vcf", text.encode(encoding))
    assert (names(book), book.contacts, book.repeated) == ({TARO: "山田"}, 2, 1)


def test_a_card_that_is_not_closed_is_left_out_and_told_with_its_line(read: Reader) -> None:
    open_one = "BEGIN:VCARD\r\nFN:open\r\nTEL:0312345678\r\n"
    book = read("a.vcf", open_one + card("FN:山田", "TEL:09012345678") + open_one)
    assert names(book) == {TARO: "山田"}
    told = "the card that begins here has no end, and is left out"
    assert book.faults.first == [f"line 1: {told}", f"line 9: {told}"]


# --- CSV ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headings", "row"),
    [
        (
            "氏名,ふりがな,郵便番号,電話番号,備考",
            "山田 太郎,やまだたろう,100-0001,090-1234-5678,友",
        ),
        ("姓,名,会社電話,携帯電話,電子メール", "山田,太郎,,090-1234-5678,a@example.org"),
        ("お名前;TEL(携帯);種別", "山田 太郎;090-1234-5678;友人"),
        ("電話番号\t備考", "０９０-１２３４-５６７８\t山田 太郎"),
        (
            "Name,Phone 1 - Type,Phone 1 - Value",
            "山田 太郎,Mobile,090-1234-5678 ::: +81 90 1234 5678",
        ),
        (
            "First Name,Middle Name,Last Name,Phonetic First Name,Phone 1 - Label,Phone 1 - Value",
            "太郎,,山田,タロウ,Mobile,+81 90-1234-5678",
        ),
        (
            "First Name,Last Name,Business Phone,Home Phone,Mobile Phone",
            "太郎,山田,,,090-1234-5678",
        ),
        ('"name","number"', '"山田 太郎","090-1234-5678"'),
        ("sep=;\r\nName;Telephone", "山田 太郎;090-1234-5678"),
        ("フリガナ,電話1,電話2", "山田 太郎,,９０１２３４５６７８"),
    ],
    ids=range(10),
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932", "utf-16"])
def test_a_table_is_read_by_its_headings_in_any_encoding(
    read: Reader, headings: str, row: str, encoding: str
) -> None:
    book = read("a.csv", f"{headings}\r\n{row}\r\n".encode(encoding))
    assert names(book) == {TARO: "山田 太郎"}
    assert book.faults.first == []


def test_western_names_are_said_the_western_way(read: Reader) -> None:
    book = read("a.csv", "Last Name,First Name,Phone\nNeill,Tom,0312345678\n")
    assert names(book) == {CLINIC: "Tom Neill"}


def test_several_numbers_in_one_cell_are_all_read(read: Reader) -> None:
    book = read("a.csv", 'name,phone\nx,"090-1234-5678、03-1234-5678\n06 1234 5678,,12"\n')
    assert list(book.entries) == [TARO, CLINIC, "+81612345678"]


def test_a_zero_that_a_spreadsheet_ate_is_put_back_and_told(read: Reader) -> None:
    book = read("a.csv", "name,phone\nx,312345678\ny,9012345678\nz,819098765432\n")
    assert (list(book.entries), book.mended) == ([CLINIC, TARO, HANAKO], 2)


def test_rows_that_are_none_are_left_out_and_told_with_their_line(read: Reader) -> None:
    table = (
        "name,phone\n"
        "\n"
        'x,"0312345678\n'
        '1"\n'
        "y,110\n"
        "y,117\n"
        "y,5678-1234\n"
        "y,ask her\n"
        "y,0312345678,,,more\n"
        "y,\n"
        "z,090-1234-5678\n"
    )
    book = read("a.csv", table)
    assert list(book.entries) == [CLINIC, TARO]
    assert book.faults.first == [
        "line 3: 1 is too short for a telephone number",
        "line 5: 110 is an emergency number, which rings in any case",
        "line 6: 117 is a short number of a service, not a person's",
        "line 7: 5678-1234 lacks its area code, or + and the country's",
        "line 8: not a telephone number: “ask her”",
        "line 9: 5 cells where 2 are expected",
    ]
    assert book.without_number == 1


def test_a_quote_that_is_left_open_is_told_and_what_follows_far_behind_is_read(
    read: Reader,
) -> None:
    table = 'name,phone\n"x,0312345678\n' + "y,0612345678\n" * 10_500
    book = read("a.csv", table)
    assert book.faults.first == ["line 2: field larger than field limit (131072)"]
    assert list(book.entries) == ["+81612345678"]


def test_a_table_of_another_country_is_read_in_the_encoding_of_its_spreadsheets(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("Name;Telefon;Phone\nMüller;;030/123456\n".encode("cp1252"))
    source = Source("book x", country("DE"), NOW)
    assert names(read_book(path, source, lambda _: None)) == {"+4930123456": "Müller"}


# --- files that are no book -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "has no column of telephone numbers"),
        (b"\x00\x01\x02\xff" * 1000, "has no column of telephone numbers"),
        (b"name,mail\nx,y\n", "has no column of telephone numbers"),
        (b"name,phone\n", "holds no telephone number that a caller could show"),
        (b"name,phone\nx,110\n", "could show: line 2: 110 is an emergency number"),
        (card("FN:x").encode(), "holds no telephone number"),
        (b"x" * 3_000_000, "has no column of telephone numbers"),
    ],
    ids=range(7),
)
def test_a_file_that_is_no_book_is_refused_on_one_line(
    read: Reader, content: bytes, why: str
) -> None:
    with pytest.raises(BookError) as refused:
        read("x.vcf", content)
    assert why in str(refused.value)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("name", ["", "nothing there", "a\nb", "\x00", "x" * 300])
def test_a_path_to_nothing_is_refused_on_one_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(BookError) as refused:
        read_book(tmp_path / name, SOURCE, lambda _: None)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("name", ["", "a\nb", "\u202e", " a", "x" * 201])
def test_a_book_has_a_name_that_can_be_shown(name: str) -> None:
    with pytest.raises(ValueError, match="visible characters"):
        origin_of(name)


# --- hostile books --------------------------------------------------------------------------------


def test_names_are_kept_short_and_visible(read: Reader) -> None:
    hostile = "\x1b[31m\x00a\u202eb\\nc" + "名" * 10_000_000
    ((_, name),) = names(read("a.vcf", card(f"FN:{hostile}", "TEL:09012345678"))).items()
    assert name.startswith("[31m a b c名")
    assert len(name) == LONGEST_NAME
    assert name.isprintable()


@pytest.mark.parametrize("folded", [False, True])
def test_photos_and_notes_of_any_size_cost_little_memory(tmp_path: Path, *, folded: bool) -> None:
    photo = "A" * 20_000_000 if not folded else "\r\n ".join(["A" * 74] * 30_000)
    path = tmp_path / "a.vcf"
    path.write_text(card(f"PHOTO;ENCODING=b:{photo}", "FN:山田", "TEL:09012345678"), newline="")
    del photo
    tracemalloc.start()
    try:
        assert names(read_book(path, SOURCE, lambda _: None)) == {TARO: "山田"}
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < (1_000_000 if folded else 5_000_000)


def test_a_card_with_a_thousand_numbers_is_left_out(read: Reader) -> None:
    many = [f"TEL:090{number:08}" for number in range(1000)]
    book = read("a.vcf", card("FN:x", *many) + card("FN:y", "TEL:0312345678"))
    assert list(book.entries) == [CLINIC]
    assert book.faults.first == ["line 1: more than 100 numbers, left out"]


def test_a_cell_with_a_thousand_numbers_is_left_out(read: Reader) -> None:
    book = read("a.csv", f'name,phone\nx,"{"0612345678;" * 1000}"\ny,0312345678\n')
    assert list(book.entries) == [CLINIC]
    assert book.faults.first == ["line 2: more than 100 numbers, left out"]


def test_a_first_line_of_a_hundred_thousand_cells_is_no_row_of_headings(read: Reader) -> None:
    start = time.process_time()
    with pytest.raises(BookError, match="has no column of telephone numbers"):
        read("a.csv", "phone," * 150_000)
    assert time.process_time() - start < 2


def test_of_very_many_faults_all_are_counted_and_the_first_are_told(read: Reader) -> None:
    book = read("a.csv", "name,phone\nz,0312345678\n" + "x,1\n" * 5000)
    assert (book.faults.total, len(book.faults.first)) == (5000, MOST_FAULTS)


def test_a_large_book_is_read_in_reasonable_time(read: Reader) -> None:
    cards = "".join(card(f"FN:人{n}", f"TEL:090{n:08}") for n in range(1000))
    start = time.process_time()
    assert len(read("a.vcf", cards).entries) == 1000
    assert time.process_time() - start < 2  # about 0.2 ms a card


def test_progress_is_told_of_every_byte(tmp_path: Path) -> None:
    path, told = tmp_path / "a.vcf", list[int]()
    path.write_text(card("FN:x", "TEL:0312345678", f"PHOTO:{'A' * 500_000}"), newline="\n")
    read_book(path, SOURCE, told.append)
    assert len(told) > 8
    assert abs(sum(told) - path.stat().st_size) < 20  # but for the line ends


@settings(
    deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.binary()
    | st.binary().map(lambda tail: b"BEGIN:VCARD\nTEL:0312345678\n" + tail + b"\nEND:VCARD\n")
    | st.text('BEGINVCARD:;=\\" \n\t\r,TEL0123FN+é山').map(str.encode)
    | st.text().map(lambda text: f"name,phone\n{text}\n".encode())
)
def test_no_content_breaks_the_reading(read: Reader, content: bytes) -> None:
    try:
        said = ", ".join(read("x", content).entries)
    except BookError as refused:
        said = str(refused)
    assert said.isprintable()


@given(st.text())
def test_any_text_is_a_number_or_refused_with_a_sentence(text: str) -> None:
    try:
        number = number_of(text, JAPAN).number
        said = number_of(number, JAPAN).number
        assert said == number
    except ValueError as refused:
        said = str(refused)
    assert said.isprintable()


@given(st.text())
def test_a_name_that_is_kept_once_is_kept_the_same_again(text: str) -> None:
    assert one_line(one_line(text)) == one_line(text)


# --- written and read again -----------------------------------------------------------------------

NAMES = st.text().map(one_line) | st.sampled_from(
    ["=1+1", "'", "-x", "+81", "a\\;,b", "", "名" * 200]
)
MOMENTS = st.integers(0, 3 * 10**9).map(lambda second: datetime.fromtimestamp(second, UTC))
NUMBERS = st.sampled_from(
    [TARO, HANAKO, CLINIC, "+4930123456", "+81120*", "+33162######", "DE", "12", "117"]
)
ENTRIES = st.lists(
    st.builds(
        Entry,
        list_name=st.sampled_from([ListName.ALLOW, ListName.SCREEN, ListName.BLOCK]),
        number=NUMBERS,
        note=NAMES,
        origin=st.sampled_from(["household", "dialled", "book home", "book 山田, 家"]),
        added_at=MOMENTS | st.none(),
        expires_at=MOMENTS | st.none(),
    ),
    min_size=1,
    unique_by=lambda entry: entry.number,
)


@pytest.mark.parametrize("suffix", sorted(WRITERS))
@settings(
    deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(entries=ENTRIES)
def test_what_is_exported_is_imported_as_it_was(
    tmp_path: Path, suffix: str, entries: list[Entry]
) -> None:
    path = tmp_path / f"lists{suffix}"
    write_book(path, entries, JAPAN)
    book = read_book(path, SOURCE, lambda _: None)
    assert book.entries == {entry.number: entry for entry in entries}
    assert (book.exported, book.faults.first) == (True, [])


@pytest.mark.parametrize("suffix", sorted(WRITERS))
@settings(
    deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.text(st.characters(codec="utf-8"), max_size=20), min_size=1, max_size=5),
)
def test_import_then_export_then_import_is_the_identity(
    read: Reader, tmp_path: Path, suffix: str, people: list[str]
) -> None:
    plain = [name.replace("\n", "\\n").replace("\r", "") for name in people]
    cards = [card(f"FN:{name}", f"TEL:0901234567{n}") for n, name in enumerate(plain)]
    first = read("first.vcf", "".join(cards))
    path = tmp_path / f"again{suffix}"
    write_book(path, first.entries.values(), JAPAN)
    assert read_book(path, SOURCE, lambda _: None).entries == first.entries


def test_one_person_is_one_card_that_other_programs_read(tmp_path: Path) -> None:
    path = tmp_path / "lists.vcf"
    son = Entry(list_name=ListName.ALLOW, number=TARO, note="son", origin="household", added_at=NOW)
    write_book(path, [son, replace(son, number=CLINIC), replace(son, number="DE", note="")], JAPAN)
    lines = path.read_bytes().split(b"\r\n")
    assert lines.count(b"BEGIN:VCARD") == lines.count(b"VERSION:4.0") == 2
    assert lines[lines.index(b"FN:son") + 1 :][:2] == [
        b"TEL:" + CLINIC.encode(),
        b"TEL:" + TARO.encode(),
    ]
    assert b"X-SCREENER-NUMBER:DE" in lines
    assert all(len(line) <= 75 for line in lines)


def test_no_cell_of_an_exported_table_calculates_anything(tmp_path: Path) -> None:
    path = tmp_path / "lists.csv"
    notes = ["=HYPERLINK(1)", "+1", "-1", "@x", "\t=1"]
    entries = [
        Entry(list_name=ListName.ALLOW, number=str(n), note=note, origin="household", added_at=NOW)
        for n, note in enumerate(notes)
    ]
    write_book(path, [*entries, replace(entries[0], number=TARO)], JAPAN)
    text = path.read_text(encoding="utf-8-sig")
    assert not any(
        cell.startswith(("=", "+", "-", "@"))
        for cell in text.replace("\r", "").replace("\n", ",").split(",")
    )


def test_an_exported_file_is_for_nobody_else_to_read_and_leaves_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "lists.csv"
    write_book(path, [], JAPAN)
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["lists", "lists.txt", "nowhere/lists.csv", "\x00.csv"])
def test_a_file_that_cannot_be_written_is_refused_on_one_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(BookError) as refused:
        write_book(tmp_path / name, [], JAPAN)
    assert str(refused.value).isprintable()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("fraud,0312345678,,household,,", "the household has no list “fraud”"),
        ("allow,0312345678,,police,,", "no entry comes from “police”"),
        ("allow,0312345678,,household,yesterday,", "not a moment: yesterday"),
        ("allow,0312345678,,household,,2026-11-30", "not a moment: 2026-11-30"),
        ("block,110,,household,,", "110 is an emergency number"),
        ("block,everybody,,household,,", "not a telephone number"),
    ],
)
def test_a_line_of_an_export_that_somebody_broke_is_left_out(
    read: Reader, line: str, fault: str
) -> None:
    whole = f"list,number,note,origin,since,expires\n{line}\nallow,0612345678,,household,,\n"
    book = read("x.csv", whole)
    assert list(book.entries) == ["+81612345678"]
    assert [told.startswith(f"line 2: {fault}") for told in book.faults.first] == [True]
