"""What the dialplan tells of a call: read whatever it says, and made the truth of the row."""

import os
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screener.domain.call_details import CallDetails, completed
from screener.domain.call_record import CallRecord, Disposition, EndedBy
from screener.domain.caller import Caller, NumberClass
from screener.domain.policy import Decision, Rule, Verdict
from screener.store.call_details import CallDetailsFiles, parse

BEGAN = datetime(2026, 5, 1, 12, 0, 0, 250_000, tzinfo=UTC)
RANG, ENDED = BEGAN + timedelta(seconds=10), BEGAN + timedelta(seconds=60)
TOLD = {
    "direction": "incoming",
    "number": "+81312345678",
    "name": "A & B = 100 % 田中",
    "line": "0398765432",
    "began": f"{BEGAN.timestamp():.3f}",
    "ended": f"{ENDED.timestamp():.3f}",
    "state": "Up",
    "answered_seconds": "40",
    "dialled": "1",
    "rang": f"{RANG.timestamp():.3f}",
    "dialstatus": "ANSWER",
    "warned": "1",
    "window": "",
    "window_until": "",
    "emergency": "",
    "gave_way": "",
    "message": "",
    "hung_up_by": "caller",
}


def line(**told: str) -> str:
    return "&".join(f"{key}={quote(value)}" for key, value in {**TOLD, **told}.items()) + "\n"


# ---- what stands in a file ----------------------------------------------------------------------


def test_every_value_is_read() -> None:
    assert parse("17.1", line()) == CallDetails(
        id="17.1",
        outgoing=False,
        line="0398765432",
        number="+81312345678",
        name="A & B = 100 % 田中",
        began_at=BEGAN,
        ended_at=ENDED,
        up=True,
        dialled=True,
        dialstatus="ANSWER",
        rang_at=RANG,
        up_seconds=40,
        warned=True,
        hung_up_by=EndedBy.CALLER,
    )


def test_an_emergency_window_that_was_opened_is_read() -> None:
    until = BEGAN + timedelta(hours=1)
    details = parse(
        "17.1",
        line(direction="outgoing", emergency="1", window_until=f"{until.timestamp():.3f}"),
    )
    assert (details.outgoing, details.emergency, details.window_until) == (True, True, until)


def test_keys_of_the_next_release_do_no_harm_and_missing_ones_are_empty() -> None:
    details = parse("17.1", "direction=incoming&began=1&ended=2&shoe_size=43\n")
    assert (details.number, details.warned, details.hung_up_by) == ("", False, None)


def test_a_clock_that_was_set_back_makes_no_call_end_before_it_began() -> None:
    details = parse("17.1", line(ended="1"))
    assert details.ended_at == details.began_at


BAD = {
    "cut short": line()[:-1],
    "nothing in it": "\n",
    "no direction": line(direction=""),
    "another direction": line(direction="sideways"),
    "no beginning": line(began=""),
    "a word for a time": line(began="noon"),
    "a time beyond all calendars": line(ended="1e300"),
    "no number": line(ended="nan"),
    "a time before all calls": line(rang="-1"),
    "half a flag": line(warned="yes"),
    "somebody else": line(hung_up_by="the cat"),
    "pictures": "\x89PNG\r\n\x1a\n",
}


@pytest.mark.parametrize("kind", BAD)
def test_a_file_that_makes_no_sense_is_put_aside_once(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "17.1.cdr"
    file.write_text(BAD[kind], encoding="utf-8")
    os.utime(file, (1, time.time() - 60))
    files = CallDetailsFiles(tmp_path)
    assert files.ids() == ["17.1"]
    assert files.of("17.1") is None
    assert files.ids() == []
    assert [each.name for each in tmp_path.iterdir()] == ["17.1.cdr.unreadable"]


def test_an_empty_file_is_waited_for_and_then_as_if_it_were_not_there(tmp_path: Path) -> None:
    file = tmp_path / "17.1.cdr"
    file.touch()
    (tmp_path / "17.1.raw").touch()
    files = CallDetailsFiles(tmp_path)
    assert files.of("17.1") is None
    assert files.ids() == ["17.1"]
    os.utime(file, (1, time.time() - 60))
    assert files.of("17.1") is None
    assert files.ids() == []
    assert files.untold() == {"17.1"}


@given(st.binary())
def test_whatever_stands_in_a_file_nothing_is_raised_but_what_says_so(content: bytes) -> None:
    with suppress(ValueError):
        assert parse("17.1", content.decode("utf-8", "surrogateescape"))


@given(st.dictionaries(st.sampled_from(sorted(TOLD)), st.text(st.characters(codec="utf-8"))))
def test_whatever_a_value_says_nothing_is_raised_but_what_says_so(told: dict[str, str]) -> None:
    with suppress(ValueError):
        assert parse("17.1", line(**told))


# ---- the files ----------------------------------------------------------------------------------


def test_a_file_that_is_being_written_is_left_for_the_next_look(tmp_path: Path) -> None:
    (tmp_path / "17.1.cdr").write_text(line()[:40])
    files = CallDetailsFiles(tmp_path)
    assert files.of("17.1") is None
    (tmp_path / "17.1.cdr").write_text(line())
    assert files.of("17.1") == parse("17.1", line())
    files.discard("17.1")
    assert files.ids() == []
    assert files.of("17.1") is None


def test_calls_come_in_the_order_in_which_they_began_and_recordings_are_no_details(
    tmp_path: Path,
) -> None:
    for name in ("1700000002.1.cdr", "1700000001.7.cdr", "1700000001.7.raw", "1.cdr.unreadable"):
        (tmp_path / name).write_text(line())
    assert CallDetailsFiles(tmp_path).ids() == ["1700000001.7", "1700000002.1"]


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_link(path: Path) -> None:
    (path.parent / "secret").write_text(line())
    path.symlink_to(path.parent / "secret")


def make_huge(path: Path) -> None:
    path.write_text(line(name="n" * 100_000))


@pytest.mark.parametrize("make", [make_pipe, make_link, make_huge, Path.mkdir])
def test_what_is_no_small_file_is_put_aside_unread(tmp_path: Path, make: object) -> None:
    assert callable(make)
    make(tmp_path / "17.1.cdr")
    files = CallDetailsFiles(tmp_path)
    assert files.of("17.1") is None
    assert files.ids() == []


def test_a_directory_that_is_not_there_holds_no_details(tmp_path: Path) -> None:
    assert CallDetailsFiles(tmp_path / "nowhere").ids() == []


# ---- what that makes of a row -------------------------------------------------------------------


def row(verdict: Verdict = Verdict.SCREEN, **known: object) -> CallRecord:
    caller = Caller(
        given="0312345678", name="", e164="+81312345678", number_class=NumberClass.FIXED_LINE
    )
    decision = Decision(verdict=verdict, rule=Rule.CLASS, reason="fixed_line")
    record = CallRecord(
        id="17.1", line="0398765432", caller=caller, decision=decision, started_at=BEGAN
    )
    return replace(record, **known)  # type: ignore[arg-type]


def told(**about: str) -> CallDetails:
    quiet = {"answered_seconds": "", "dialled": "", "rang": "", "dialstatus": "", "warned": ""}
    return parse("17.1", line(**{**quiet, "state": "Ring", "hung_up_by": "", **about}))


RINGS = {"dialled": "1", "rang": TOLD["rang"], "state": "Up"}
D, By = Disposition, EndedBy
CALLS = [
    # the open row, what the dialplan tells: what became of it, who ended it
    (row(), told(hung_up_by="caller"), D.ABANDONED_BEFORE_WARNING, By.CALLER),
    (row(), told(state="Up", hung_up_by="caller"), D.ABANDONED_IN_WARNING, By.CALLER),
    (row(warned=True), told(state="Up", hung_up_by="caller"), D.ABANDONED_AFTER_WARNING, By.CALLER),
    (
        row(),
        told(**RINGS, dialstatus="CANCEL", hung_up_by="caller"),
        D.ABANDONED_RINGING,
        By.CALLER,
    ),
    (row(), told(**RINGS, dialstatus="NOANSWER"), D.UNANSWERED, By.SCREENER),
    (row(), told(**RINGS, dialstatus="BUSY"), D.BUSY, By.SCREENER),
    (row(), told(**RINGS, dialstatus="CONGESTION"), D.UNREACHABLE, By.SCREENER),
    (row(), told(state="Up", dialstatus="CHANUNAVAIL"), D.UNREACHABLE, By.SCREENER),
    (
        row(),
        told(**RINGS, dialstatus="ANSWER", answered_seconds="40", hung_up_by="household"),
        D.ANSWERED,
        By.HOUSEHOLD,
    ),
    (row(), told(**RINGS, dialstatus="ANSWER", answered_seconds="40"), D.ANSWERED, None),
    (row(), told(**RINGS, dialstatus="NOANSWER", warned="1"), D.FAILED_OPEN, By.SCREENER),
    (row(Verdict.BLOCK), told(), D.BLOCKED, By.SCREENER),
    (row(Verdict.BLOCK), told(**RINGS, warned="1", dialstatus="BUSY"), D.FAILED_OPEN, By.SCREENER),
    (row(Verdict.MESSAGE), told(hung_up_by="caller"), D.ABANDONED_BEFORE_MESSAGE, By.CALLER),
    (
        row(Verdict.MESSAGE),
        told(state="Up", message="1", hung_up_by="caller"),
        D.ABANDONED_BEFORE_MESSAGE,
        By.CALLER,
    ),
    (row(), told(gave_way="1", state="Up", hung_up_by="caller"), D.GAVE_WAY, By.HOUSEHOLD),
    (
        row(disposition=D.FAILED_OPEN),
        told(**RINGS, dialstatus="ANSWER", answered_seconds="40", hung_up_by="caller"),
        D.FAILED_OPEN,
        By.CALLER,
    ),
]


@pytest.mark.parametrize(("record", "details", "disposition", "by"), CALLS)
def test_a_row_left_open_is_closed_as_the_dialplan_tells(
    record: CallRecord, details: CallDetails, disposition: Disposition, by: EndedBy | None
) -> None:
    closed = completed(record, details, recorded=None)
    assert (closed.disposition, closed.ended_by) == (disposition, by)
    assert closed.ended_at == ENDED
    assert (closed.answered_at is not None) is (details.dialstatus == "ANSWER")
    assert completed(closed, details, recorded=None) == closed


def test_a_message_of_which_there_is_a_recording_had_its_time() -> None:
    details = told(state="Up", message="1", hung_up_by="caller")
    assert completed(row(), details, recorded=40.0).disposition is Disposition.NO_MESSAGE


def test_a_talk_began_with_its_recording_however_long_the_caller_had_listened_before() -> None:
    """Asterisk counts from the first answer, which was that of the warning."""
    details = parse("17.1", line(answered_seconds="55"))
    assert completed(row(), details, recorded=30.5).answered_at == ENDED - timedelta(seconds=30.5)
    assert completed(row(), details, recorded=None).answered_at == RANG


def test_what_was_seen_stays_as_it_was_seen() -> None:
    """The dialplan knows of a talk only to the second, and not who spoke first."""
    seen = row(
        disposition=Disposition.ANSWERED,
        warned=True,
        rang_at=RANG,
        answered_at=RANG + timedelta(seconds=5.5),
        ended_at=ENDED + timedelta(seconds=0.1),
        ended_by=EndedBy.HOUSEHOLD,
    )
    assert completed(seen, parse("17.1", line()), recorded=40.0) == seen


def test_a_call_back_that_nobody_here_saw_being_answered_gets_its_times() -> None:
    closed = row(disposition=D.ANSWERED, ended_at=ENDED, ended_by=By.HOUSEHOLD)
    full = completed(closed, parse("17.1", line(warned="")), recorded=None)
    assert (full.rang_at, full.answered_at) == (RANG, ENDED - timedelta(seconds=40))
    assert replace(full, rang_at=None, answered_at=None) == closed


def test_a_caller_who_was_seen_to_leave_before_it_rang_did_so() -> None:
    seen = row(disposition=D.ABANDONED_RINGING, ended_at=ENDED, ended_by=By.CALLER)
    assert completed(seen, told(**RINGS, dialstatus="CANCEL"), recorded=None) == seen


def test_whoever_seemed_to_hang_up_gave_way_if_the_dialplan_says_so() -> None:
    seen = row(disposition=D.ABANDONED_IN_WARNING, ended_at=ENDED, ended_by=By.CALLER)
    mended = completed(seen, told(gave_way="1", state="Up"), recorded=None)
    assert (mended.disposition, mended.ended_by) == (D.GAVE_WAY, By.HOUSEHOLD)
