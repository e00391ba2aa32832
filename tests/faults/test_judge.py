"""The judge of the fault harness finds what is wrong, and only that."""

import wave
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from lab.listen import RATE, tone
from lab.message import Message
from lab.sipp import Leg
from screener.domain.call_record import CallRecord, Disposition, EndedBy, Recording
from screener.domain.caller import Caller, NumberClass
from screener.domain.policy import Decision, Rule, Verdict
from tests.faults.crowd import CALLER_TONE, FROM_ABROAD, HOUSEHOLD_TONE, NOBODY_THERE, STRANGER
from tests.faults.judge import Judged, Limits, Seen, judge

STRUCK = 1_000.5  # the call begins at 1000.0
LIMITS = Limits(STRUCK, 1_002.0, warning=1.0, in_hand=3.0, new=1.5, cuts_calls=False)


def said(at: float, first_line: str, method: str = "INVITE") -> Message:
    return Message(at, sent=True, text=f"{first_line}\r\nCall-ID: 1\r\nCSeq: 1 {method}\r\n\r\n")


def leg(*steps: tuple[float, str]) -> Leg:
    """Return a call leg from its moments: an INVITE, a status of it, or a BYE."""
    lines = {"INVITE": "INVITE sip:x SIP/2.0", "BYE": "BYE sip:x SIP/2.0"}
    return Leg(
        tuple(
            said(
                at, lines.get(what, f"SIP/2.0 {what} Told so"), what if what == "BYE" else "INVITE"
            )
            for at, what in steps
        )
    )


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    """Two seconds of both voices."""
    both = np.stack([tone(CALLER_TONE, 2), tone(HOUSEHOLD_TONE, 2)], axis=1)
    path = tmp_path / "talk.raw"
    return Recording(path=wav(path.with_suffix(".wav"), both), seconds=2.0, sha256="")


def wav(path: Path, both: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Path:
    with wave.open(str(path), "wb") as opened:
        opened.setnchannels(2)
        opened.setsampwidth(2)
        opened.setframerate(RATE)
        opened.writeframes((both * 32_767).astype("<i2").tobytes())
    return path


@pytest.fixture
def row(recording: Recording) -> CallRecord:
    """The row of the good call."""
    moment = datetime.fromtimestamp(1_000, UTC)
    return CallRecord(
        id="1", line="", started_at=moment, warned=True,
        caller=Caller(given="1", name="", e164=None, number_class=NumberClass.MOBILE),
        decision=Decision(verdict=Verdict.SCREEN, rule=Rule.CLASS, reason=""),
        rang_at=moment, answered_at=moment, ended_at=moment, ended_by=EndedBy.HOUSEHOLD,
        disposition=Disposition.ANSWERED, recording=recording,
    )  # fmt: skip


@pytest.fixture
def good(row: CallRecord) -> Seen:
    """A stranger's call that a fault met in its warning, and that came out well."""
    return Seen(
        number="1",
        kind=STRANGER,
        caller=leg((1_000.0, "INVITE"), (1_000.1, "200"), (1_003.3, "BYE")),
        handset=[leg((1_001.2, "INVITE"), (1_001.3, "200"), (1_003.3, "BYE"))],
        rows=[row],
        screened=True,
        hears_warning=True,
    )


def faults(judged: Judged) -> str:
    return "; ".join((*judged.lost, *judged.faults))


def test_a_good_call_is_not_blamed(good: Seen) -> None:
    judged = judge(good, LIMITS)
    assert faults(judged) == ""
    assert judged.rang
    assert judged.wait == pytest.approx(0.7)


def test_a_handset_that_never_rang_is_a_lost_call(good: Seen) -> None:
    judged = judge(replace(good, handset=[]), LIMITS)
    assert judged.lost == ["the handset did not ring"]


def test_a_ring_that_came_too_late_is_a_lost_call(good: Seen) -> None:
    late = leg((1_004.0, "INVITE"), (1_004.1, "200"), (1_006.1, "BYE"))
    caller = leg((1_000.0, "INVITE"), (1_000.1, "200"), (1_006.1, "BYE"))
    judged = judge(replace(good, handset=[late], caller=caller), LIMITS)
    assert "too late" in faults(judged)
    assert judged.lost


def test_a_call_that_rang_twice_is_no_good_call(good: Seen) -> None:
    assert "rang 2 times" in faults(judge(replace(good, handset=[*good.handset] * 2), LIMITS))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"ended_at": None}, "its row is open"),
        ({"disposition": Disposition.UNANSWERED}, "is logged as unanswered, and was answered"),
        ({"recording": None}, "the talk was not recorded"),
    ],
)
def test_a_row_that_is_not_true_is_found(
    good: Seen, row: CallRecord, change: dict[str, object], complaint: str
) -> None:
    changed = replace(row, **change)  # type: ignore[arg-type]
    assert complaint in faults(judge(replace(good, rows=[changed]), LIMITS))


def test_a_call_with_no_row_or_two_is_found(good: Seen) -> None:
    assert "0 rows" in faults(judge(replace(good, rows=[]), LIMITS))
    assert "2 rows" in faults(judge(replace(good, rows=[*good.rows] * 2), LIMITS))


def test_a_recording_with_one_voice_or_half_of_the_talk_is_found(
    good: Seen, row: CallRecord, recording: Recording
) -> None:
    short = replace(row, recording=replace(recording, seconds=0.5))
    assert "only 0.50 s" in faults(judge(replace(good, rows=[short]), LIMITS))
    one = np.stack([tone(CALLER_TONE, 2), tone(CALLER_TONE, 2)], axis=1)
    wav(recording.path, one)
    assert "voices" in faults(judge(good, LIMITS))


def test_a_caller_who_was_not_warned_is_found(good: Seen, row: CallRecord) -> None:
    unwarned = replace(row, warned=False)
    soon = leg((1_000.6, "INVITE"), (1_000.7, "200"), (1_003.3, "BYE"))
    judged = judge(replace(good, handset=[soon], rows=[unwarned]), LIMITS)
    assert "was not warned" in faults(judged)
    assert "in full" in faults(judge(replace(good, hears_warning=False), LIMITS))


def test_a_call_turned_away_need_not_ring(good: Seen, row: CallRecord) -> None:
    blocked = replace(row, disposition=Disposition.BLOCKED, answered_at=None, warned=False)
    caller = leg((1_000.0, "INVITE"), (1_000.1, "403"))
    call = replace(good, kind=FROM_ABROAD, caller=caller, handset=[], rows=[blocked])
    assert faults(judge(call, LIMITS)) == ""


def test_a_call_that_no_screener_had_must_be_logged_as_failed_open(
    good: Seen, row: CallRecord
) -> None:
    limits = replace(LIMITS, struck=999.9)
    call = replace(good, screened=False)
    assert "no screener had it" in faults(judge(call, limits))
    told = replace(row, disposition=Disposition.FAILED_OPEN)
    assert faults(judge(replace(call, rows=[told]), limits)) == ""


def test_a_call_cut_by_the_end_of_asterisk_need_not_ring(good: Seen, row: CallRecord) -> None:
    caller = leg((1_000.0, "INVITE"), (1_000.1, "200"))
    told = replace(row, disposition=Disposition.FAILED_OPEN, answered_at=None, warned=False)
    call = replace(good, caller=caller, handset=[], rows=[told])
    assert faults(judge(call, replace(LIMITS, cuts_calls=True))) == ""


def test_whom_nobody_answered_need_not_be_warned_if_the_screener_died(
    good: Seen, row: CallRecord
) -> None:
    rings = leg((1_000.6, "INVITE"), (1_005.6, "487"))
    caller = leg((1_000.0, "INVITE"), (1_000.1, "200"), (1_005.7, "BYE"))
    untold = replace(row, warned=False, answered_at=None, disposition=Disposition.FAILED_OPEN)
    call = replace(good, kind=NOBODY_THERE, handset=[rings], caller=caller, rows=[untold])
    assert faults(judge(call, LIMITS)) == ""
    screened = replace(untold, disposition=Disposition.UNANSWERED)
    assert "was not warned" in faults(judge(replace(call, rows=[screened]), LIMITS))
