"""The demo's judgement: it must notice each promise that is not kept."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from lab.day import Promise, broken, small_day
from lab.message import Message
from lab.sipp import Leg

WARNING = 9.0


def message(at: float, first_line: str, *, sent: bool = False) -> Message:
    method = first_line.split(maxsplit=1)[0] if "SIP/2.0 " not in first_line else "INVITE"
    return Message(at, sent, f"{first_line}\nCall-ID: 1\nCSeq: 1 {method}\n\n")


def leg(*, answered_at: float | None = 0.1, status: int = 200) -> Leg:
    invite = message(0.0, "INVITE sip:1@x SIP/2.0", sent=True)
    final = [] if answered_at is None else [message(answered_at, f"SIP/2.0 {status} Told so")]
    return Leg((invite, *final))


def ring(at: float) -> Message:
    return message(at, "INVITE sip:handset@x SIP/2.0")


@pytest.fixture
def waits() -> Promise:
    """The stranger who waits and is answered."""
    return small_day(WARNING, 5, 9, Path("voice.ulaw"))[0]


@pytest.fixture
def logged(tmp_path: Path) -> dict[str, Any]:
    """That call in the call log, as it should be."""
    file = tmp_path / "call.wav"
    file.write_bytes(b"sound")
    digest = hashlib.sha256(b"sound").hexdigest()
    return {
        "verdict": "screen", "rule": "class", "disposition": "answered", "warned": True,
        "recording": {"path": str(file), "seconds": 2.5, "sha256": digest},
    }  # fmt: skip


def test_a_call_that_went_well_has_no_fault(waits: Promise, logged: dict[str, Any]) -> None:
    assert broken(waits, logged, leg(), [ring(9.2)], WARNING) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [("verdict", "pass"), ("rule", "allow_list"), ("disposition", "blocked"), ("warned", False)],
)
def test_a_log_that_says_otherwise_is_a_fault(
    waits: Promise, logged: dict[str, Any], key: str, value: object
) -> None:
    (fault,) = broken(waits, logged | {key: value}, leg(), [ring(9.2)], WARNING)
    assert key in fault


def test_a_ring_within_the_warning_is_a_fault(waits: Promise, logged: dict[str, Any]) -> None:
    assert broken(waits, logged, leg(), [ring(5.0)], WARNING)


def test_no_ring_is_a_fault(waits: Promise, logged: dict[str, Any]) -> None:
    assert broken(waits, logged, leg(), [], WARNING)


def test_a_refused_call_is_a_fault(waits: Promise, logged: dict[str, Any]) -> None:
    assert broken(waits, logged, leg(status=403), [ring(9.2)], WARNING)


def test_a_missing_or_changed_recording_is_a_fault(waits: Promise, logged: dict[str, Any]) -> None:
    Path(logged["recording"]["path"]).write_bytes(b"other")
    assert broken(waits, logged, leg(), [ring(9.2)], WARNING)
    assert broken(waits, logged | {"recording": None}, leg(), [ring(9.2)], WARNING)


def test_a_call_that_nobody_logged_or_placed_is_a_fault(
    waits: Promise, logged: dict[str, Any]
) -> None:
    assert broken(waits, None, leg(), [ring(9.2)], WARNING)
    assert broken(waits, logged, None, [ring(9.2)], WARNING)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_ring_for_someone_who_must_not_ring_is_a_fault(
    logged: dict[str, Any], number: int
) -> None:
    promise = small_day(WARNING, 5, 9, Path("voice.ulaw"))[number]
    kept = logged | {
        "verdict": promise.verdict, "rule": promise.rule, "disposition": promise.disposition,
        "warned": promise.warned, "recording": None,
    }  # fmt: skip
    status = 403 if promise.verdict == "block" else 200
    assert broken(promise, kept, leg(status=status), [], WARNING) == []
    assert broken(promise, kept, leg(status=status), [ring(0.2)], WARNING)


def test_a_friend_who_waits_or_is_answered_by_the_screener_is_a_fault(
    logged: dict[str, Any],
) -> None:
    promise = small_day(WARNING, 5, 9, Path("voice.ulaw"))[4]
    kept = logged | {
        "verdict": "pass", "rule": "allow_list", "warned": False, "recording": None,
    }  # fmt: skip
    assert broken(promise, kept, leg(answered_at=1.0), [ring(0.1)], WARNING) == []
    assert broken(promise, kept, leg(answered_at=4.0), [ring(3.0)], WARNING)
    assert broken(promise, kept, leg(answered_at=0.05), [ring(0.1)], WARNING)
