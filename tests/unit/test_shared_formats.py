"""The importers: files as their publishers make them, and as networks and people break them."""

import codecs
import gzip
import io
import json
import random
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from screener.shared.canonical import canonical
from screener.shared.errors import ListError
from screener.shared.formats import Fault, Format, Reading, Row, rows
from screener.shared.keys import day_of
from tests.unit.listmaking import HEADER, JP

FTC_HEADER = (
    "Company_Phone_Number,Created_Date,Violation_Date,Consumer_City,Consumer_State,"
    "Consumer_Area_Code,Subject,Recorded_Message_Or_Robocall\n"
)
DEBT = '"Reducing your debt (credit cards, mortgage, student loans)"'
CANONICAL = canonical(JP)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "list"


def read(
    path: Path, kind: Format, content: str | bytes, *, most: int = 1_000_000, least: int = 4
) -> tuple[list[Row], list[Fault], Reading]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    reading = Reading(canonical=CANONICAL, most_bytes=most, least_reports=least)
    found = list(rows(path, kind, reading))
    good = [row for row in found if isinstance(row, Row)]
    return good, [row for row in found if isinstance(row, Fault)], reading


def refused(path: Path, kind: Format, content: str | bytes, **limits: int) -> str:
    with pytest.raises(ListError) as raised:
        read(path, kind, content, **limits)
    said = str(raised.value)
    assert said.isprintable()
    assert len(said) < 300
    return said


# Plain CSV


def test_a_line_becomes_a_row_with_its_source_and_date(path: Path) -> None:
    line = "+1 833-978-7347,police,2026-11-22,asks for gift cards\n"
    good, bad, _ = read(path, Format.CSV, HEADER + line)
    note = "police: asks for gift cards"
    assert good == [Row("line 2", "+18339787347", day_of("2026-11-22"), note)]
    assert bad == []


@pytest.mark.parametrize(
    "content",
    [
        codecs.BOM_UTF8 + HEADER.encode() + b"0312345678,a,,\n",
        (HEADER + "0312345678,警視庁,,注意\n").encode("shift_jis"),
        (HEADER + "0312345678,警視庁,,\n").encode("utf-16"),
        HEADER.replace("\n", "\r\n") + "0312345678,a,,\r\n",
        HEADER + "0312345678,a,,",
        "\n# a remark\n" + HEADER + "\n   \n# another\n" + " 03-1234-5678 , a , , ",
        HEADER + '"03-1234-5678","a","",""\n',
        HEADER + "０３１２３４５６７８,a,,\n",
        "number\n0312345678\n",
        "0312345678\n",
        "\ufeff0312345678\r\n\r\n",
        "date,number\n2026-11-22,0312345678\n",
        gzip.compress(b"0312345678\n"),
    ],
    ids=[
        "byte order mark", "Shift_JIS", "UTF-16", "CR LF", "no last line end", "remarks", "quotes",
        "full width", "one column", "no heading", "no heading, with mark", "other order", "gzip",
    ],
)  # fmt: skip
def test_what_spreadsheets_and_people_write_is_read(path: Path, content: str | bytes) -> None:
    good, bad, _ = read(path, Format.CSV, content)
    assert ([row.number for row in good], bad) == (["+81312345678"], [])


def test_shift_jis_keeps_its_words(path: Path) -> None:
    content = (HEADER + "0312345678,警視庁,,還付金\n").encode("shift_jis")
    ((_, _, _, note, _),), _, _ = read(path, Format.CSV, content)
    assert note == "警視庁: 還付金"


def test_patterns_may_stand_among_the_numbers(path: Path) -> None:
    good, bad, _ = read(path, Format.CSV, "0120*\n+33162######\n+49*\n")
    assert ([row.number for row in good], bad) == (["+81120*", "+33162######", "+49*"], [])


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("0120x,a,,", "not a telephone number: “0120x”; write digits, or + and digits"),
        (",a,,", "not a telephone number: “”; write digits, or + and digits"),
        ("0312345678", "1 fields where 4 are expected"),
        ("0312345678,a,,b,c", "5 fields where 4 are expected"),
        ("0312345678,a,22.11.2026,", "not a date: 22.11.2026; write it as 2026-11-30"),
        ("0312345678,a,2026-02-30,", "not a date: 2026-02-30; write it as 2026-11-30"),
        ('"0312345678,a,,', "unexpected end of data"),
        (
            "\x00\x1b[2J,a,,",
            "not a telephone number: “\\x00\\x1b[2J”; write digits, or + and digits",
        ),
    ],
)
def test_a_malformed_line_is_left_out_and_told_with_its_number(
    path: Path, line: str, fault: str
) -> None:
    good, bad, _ = read(path, Format.CSV, HEADER + f"0398765432,a,,\n{line}\n0666666666,a,,\n")
    assert [row.number for row in good] == ["+81398765432", "+81666666666"]
    assert bad == [Fault("line 3", fault)]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "\n\n",
        "number;source;date;note\n",
        "a,b\n",
        "<!DOCTYPE html><html>\n",
        "number,number\n",
    ],
)
def test_a_file_that_is_no_such_list_is_refused(path: Path, content: str) -> None:
    assert refused(path, Format.CSV, content).startswith(
        "does not begin with the line number,source,date,note"
    )


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary() | st.text('0123456789,"\n+-').map(str.encode), st.sampled_from(Format))
def test_no_content_breaks_the_reading(path: Path, content: bytes, kind: Format) -> None:
    """Rows, faults on one line, or one line that says why it is no list at all."""
    said = ""
    good: list[Row] = []
    bad: list[Fault] = []
    try:
        good, bad, _ = read(path, kind, content)
    except ListError as error:
        said = str(error)
    assert said.isprintable()
    assert all(fault.place and fault.why.isprintable() for fault in bad)
    assert all(row.number for row in good)


# The FTC's complaints


def test_complaints_are_read_with_their_day_and_subject(path: Path) -> None:
    content = FTC_HEADER + (
        f"2025550101,2026-11-20 00:02:35,2026-11-19 18:22:00,SACRAMENTO,California,510,{DEBT},Y\n"
        ",2026-11-20 00:03:00,,,Florida,239,Other,Y\n"
        "0000,2026-11-20 00:03:00,,,,,Other,N\n"
        "2025550102,yesterday,,,Texas,512,Other,N\n"
        "2025550103,2026-11-21 00:00:00,2026-11-20 10:00:00,,Texas,512,Other,\n"
    )
    good, bad, _ = read(path, Format.FTC, content)
    assert [(row.number, row.day, row.note) for row in good] == [
        ("+12025550101", day_of("2026-11-20"), DEBT.strip('"')),
        ("+12025550103", day_of("2026-11-21"), "Other"),
    ]
    assert [fault.place for fault in bad] == ["line 3", "line 4", "line 5"]


@pytest.mark.parametrize("content", ["", "number\n2025550101\n", '{"data": []}'])
def test_a_file_without_the_columns_of_complaints_is_refused(path: Path, content: str) -> None:
    assert "does not begin with the columns Company_Phone_Number" in refused(
        path, Format.FTC, content
    )


# Saracroche's patterns

PATTERNS = [
    {"name": "Préfixe", "action": "block", "pattern": "33162######"},
    {"name": "Digital", "action": "block", "pattern": "33159070###"},
    {"operator_name": "ARCEP", "pattern": "33270######", "start": "33270000000"},
]


@pytest.mark.parametrize(
    "content",
    [
        {"version": "2026.01", "name": "x", "patterns": PATTERNS},
        {"patterns": PATTERNS, "version": "2026.01", "blocked_numbers_count": 3},
    ],
    ids=["version first", "version last"],
)
def test_patterns_are_read_and_so_is_their_version(path: Path, content: Any) -> None:
    text = json.dumps(content, ensure_ascii=False, indent=4)
    good, bad, reading = read(path, Format.SARACROCHE, "\ufeff" + text)
    assert [(row.number, row.note) for row in good] == [
        ("+33162######", "Préfixe"),
        ("+33159070###", "Digital"),
        ("+33270######", "ARCEP"),
    ]
    assert (bad, reading.version) == ([], "2026.01")


def test_a_bare_array_of_patterns_is_read(path: Path) -> None:
    good, _, reading = read(path, Format.SARACROCHE, json.dumps(PATTERNS))
    assert (len(good), reading.version) == (3, "")


def test_the_version_that_a_list_gives_itself_is_short_and_harmless(path: Path) -> None:
    content = {"version": "1\x1b[2J\n" + "9" * 5000, "patterns": PATTERNS}
    _, _, reading = read(path, Format.SARACROCHE, json.dumps(content))
    assert reading.version.isprintable()
    assert 10 < len(reading.version) <= 60


def test_broken_patterns_are_told_with_their_place(path: Path) -> None:
    broken = [None, 7, {}, {"pattern": 7}, {"pattern": "33#1"}, {"pattern": "###"}, {"pattern": ""}]
    kept = {"action": "identify", "pattern": "33199######"}
    good, bad, _ = read(path, Format.SARACROCHE, json.dumps([*broken, kept, PATTERNS[0]]))
    assert [row.number for row in good] == ["+33162######"]
    assert [fault.place for fault in bad] == [f"entry {at}" for at in range(1, 8)]


# PhoneBlock's blocklist


def test_numbers_with_enough_votes_are_taken_and_others_taken_back(path: Path) -> None:
    content = {
        "numbers": [
            {"phone": "+49123456789", "rating": "G_FRAUD", "votes": 4},
            {"phone": "+390456789123", "rating": "F_GAMBLE", "votes": 2},
            {"phone": "+49111222333", "rating": "A_LEGITIMATE", "votes": 0},
            {"phone": "+49111222334", "rating": "E_ADVERTISING", "votes": "10"},
            {"phone": "+49111*", "votes": 10},
            {"votes": 10},
            "x",
        ],
        "version": 42,
    }
    good, bad, reading = read(path, Format.PHONEBLOCK, json.dumps(content))
    assert [(row.number, row.note, row.gone) for row in good] == [
        ("+49123456789", "fraud", False),
        ("+390456789123", "gambling or prize", True),
        ("+49111222333", "", True),
    ]
    assert [fault.place for fault in bad] == ["entry 4", "entry 5", "entry 6", "entry 7"]
    assert reading.version == "42"


# JSON that is none


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "is cut off"),
        ("[", "is cut off"),
        ('[{"pattern": "33162######"}', "is cut off"),
        ('[{"pattern": "331', "is cut off"),
        ('{"version": "1", "patterns": [{"pattern": "33162######"}]', "is cut off"),
        ('{"version": "1"}', "has no array 'patterns'"),
        ('{"patterns": 7}', "has no array 'patterns'"),
        ("<html>", "is not JSON"),
        ('[{"pattern": "33162######"} {}]', "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ('["' + "x" * 3_000_000, "is not JSON"),
        (b'["\xff\xfe"]', "is not JSON in UTF-8"),
    ],
)
def test_json_that_is_broken_or_cut_off_is_refused(
    path: Path, content: str | bytes, complaint: str
) -> None:
    assert complaint in refused(path, Format.SARACROCHE, content, most=10_000_000)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2_000))
def test_a_list_cut_off_anywhere_is_never_half_a_list(path: Path, length: int) -> None:
    whole = json.dumps({"version": "1", "patterns": PATTERNS * 4}).encode()
    length = min(length, len(whole) - 1)
    refused(path, Format.SARACROCHE, whole[:length])


def test_long_arrays_are_read_piece_by_piece(path: Path) -> None:
    """Elements fall on every edge between two pieces; numbers and text are read as they are."""
    shuffled = random.Random(7)  # noqa: S311  (no secret)
    numbers = [
        {"phone": f"+4912345{at:05}", "votes": at % 100, "rating": "x" * shuffled.randrange(200)}
        for at in range(5_000)
    ]
    text = json.dumps({"version": 1234567, "numbers": numbers})
    good, bad, reading = read(path, Format.PHONEBLOCK, text, most=10_000_000, least=1)
    assert [row.number for row in good] == [each["phone"] for each in numbers]
    assert (bad, reading.version) == ([], "1234567")


# Files that are too large, or packed


def test_a_line_of_200_megabytes_is_refused_in_little_memory(path: Path) -> None:
    """A file of holes, which takes no room on the disk."""
    with path.open("wb") as file:
        for _ in range(50):
            file.write(b"+18005550000\n")
        file.seek(200_000_000)
        file.write(b"\n+18005550001\n")
    reading = Reading(canonical=CANONICAL, most_bytes=250_000_000, least_reports=1)
    tracemalloc.start()
    try:
        with pytest.raises(ListError, match="line 51 is longer than 100000 characters"):
            list(rows(path, Format.CSV, reading))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000


@pytest.mark.parametrize("kind", [Format.CSV, Format.SARACROCHE])
def test_what_unpacks_to_more_than_is_allowed_is_refused(path: Path, kind: Format) -> None:
    """A bomb: 40 kB that would be 40 MB."""
    bomb = gzip.compress(b"+18005550000\n" * 3_000_000 if kind is Format.CSV else b" " * 40_000_000)
    assert len(bomb) < 200_000
    assert "is larger than 1000000 bytes" in refused(path, kind, bomb)


def zipped(**files: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def test_a_zip_with_one_file_is_read(path: Path) -> None:
    good, _, _ = read(path, Format.CSV, zipped(numbers=b"0312345678\n"))
    assert [row.number for row in good] == ["+81312345678"]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (zipped(a=b"1", b=b"2"), "holds 2 files where one is expected"),
        (zipped(numbers=b"0" * 40_000_000), "is larger than 1000000 bytes"),
        (zipped(numbers=b"0312345678\n")[:-30], "cannot be unpacked"),
        (gzip.compress(b"0312345678\n" * 1000)[:-20], "is cut off"),
        (gzip.compress(b"0312345678\n")[:-8] + b"12345678", "cannot be unpacked"),
        (b"\x1f\x8b" + b"x" * 100, "cannot be unpacked"),
        (b"PK\x03\x04" + b"x" * 100, "cannot be unpacked"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_unpacked_is_refused(path: Path, content: bytes, complaint: str) -> None:
    with pytest.raises(ListError, match=complaint):
        read(path, Format.CSV, content)


def test_a_file_that_is_not_there_is_refused_on_one_line(path: Path) -> None:
    reading = Reading(canonical=CANONICAL, most_bytes=1, least_reports=1)
    for missing in (path, path.parent, path / "x", Path("\x00")):
        with pytest.raises(ListError, match="cannot be read"):
            list(rows(missing, Format.CSV, reading))
