"""The fraud list: whatever people save from a spreadsheet is read, and what is wrong is named."""

from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from screener.domain.lists import Entry, ListName
from screener.domain.numbers import country, parse_entry
from screener.store.database import StoreError
from screener.store.fraud_list import FraudList, read_fraud_list

HEADER = "number,source,date,note\n"
SHIPPED = Path(__file__).parents[2] / "config" / "fraud-list.csv"
parse = partial(parse_entry, country=country("JP"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "fraud.csv"


def read(path: Path, content: str | bytes) -> FraudList:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_fraud_list(path, parse)


def test_a_line_becomes_an_entry_with_its_source_and_date(path: Path) -> None:
    found = read(path, HEADER + "+1 833-978-7347,police,2026-11-22,asks for gift cards\n")
    assert found.faults == []
    assert found.entries == {
        "+18339787347": Entry(
            list_name=ListName.FRAUD,
            number="+18339787347",
            note="police: asks for gift cards",
            origin="fraud.csv",
            added_at=datetime(2026, 11, 22, tzinfo=UTC),
        )
    }


def test_source_date_and_note_may_be_empty(path: Path) -> None:
    (entry,) = read(path, HEADER + "0312345678,,,\n").entries.values()
    assert (entry.note, entry.added_at) == ("", None)


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + HEADER.encode() + b"0312345678,a,,\n",
        HEADER.replace("\n", "\r\n") + "0312345678,a,,\r\n",
        HEADER + "0312345678,a,,",
        "\n# a remark\n" + HEADER + "\n   \n# another\n" + " 03-1234-5678 , a , , ",
        HEADER + '"03-1234-5678","a","",""\n',
        HEADER + "０３１２３４５６７８,a,,\n",
    ],
    ids=["byte order mark", "CR LF", "no last line end", "remarks", "quotes", "full width"],
)
def test_what_spreadsheets_and_people_write_is_read(path: Path, content: str | bytes) -> None:
    found = read(path, content)
    assert (list(found.entries), found.faults) == (["+81312345678"], [])


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("0120*5,a,,", "not a telephone number: “0120*5”; write digits, or + and digits"),
        (",a,,", "not a telephone number: “”; write digits, or + and digits"),
        ("0312345678", "1 fields where 4 are expected"),
        ("0312345678,a,,b,c", "5 fields where 4 are expected"),
        ("0312345678,a,22.11.2026,", "not a date: 22.11.2026; write it as 2026-11-30"),
        ("0312345678,a,2026-02-30,", "not a date: 2026-02-30; write it as 2026-11-30"),
        ("0398765432,a,,", "+81398765432 stands here twice"),
        ('"0312345678,a,,', "unexpected end of data"),
    ],
)
def test_a_malformed_line_is_left_out_and_told_with_its_number(
    path: Path, line: str, fault: str
) -> None:
    found = read(path, HEADER + f"0398765432,a,,\n{line}\n0666666666,a,,\n")
    assert list(found.entries) == ["+81398765432", "+81666666666"]
    assert found.faults == [f"line 3: {fault}"]


@pytest.mark.parametrize("content", ["", "\n\n", "0312345678,a,,\n", "number;source;date;note\n"])
def test_a_file_without_the_header_is_refused(path: Path, content: str) -> None:
    with pytest.raises(StoreError, match=r"does not begin with the line number,source,date,note$"):
        read(path, content)


def test_a_file_that_is_not_utf8_is_refused(path: Path) -> None:
    with pytest.raises(StoreError, match=r"is not UTF-8; save it as CSV in UTF-8$"):
        read(path, HEADER.encode() + "0312345678,警視庁,,\n".encode("shift_jis"))


@pytest.mark.parametrize("name", ["nothing there", "", "a\nb", "\x00", "fraud.csv/x"])
def test_a_file_that_cannot_be_read_is_refused_on_one_line(path: Path, name: str) -> None:
    path.touch()
    with pytest.raises(StoreError, match="cannot be read") as refused:
        read_fraud_list(path.parent / name, parse)
    assert str(refused.value).isprintable()


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(codec="utf-8")) | st.text('0123456789,"\n+-'))
def test_no_content_breaks_the_reading(path: Path, content: str) -> None:
    found = read(path, HEADER + content)
    assert all(fault.startswith("line ") and fault.isprintable() for fault in found.faults)


def test_the_list_that_is_shipped_is_without_fault_and_names_its_sources() -> None:
    found = read_fraud_list(SHIPPED, parse)
    assert found.faults == []
    assert found.entries
    assert all(entry.note and entry.added_at for entry in found.entries.values())


def test_the_list_that_is_shipped_blocks_nobody_in_japan() -> None:
    found = read_fraud_list(SHIPPED, parse)
    assert not [number for number in found.entries if number.startswith("+81")]
