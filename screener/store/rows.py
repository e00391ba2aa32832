"""Call records as rows of the call log, there and back."""

from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Row

from screener.domain.call_record import CallRecord, Disposition, EndedBy, Recording
from screener.domain.caller import Caller, NumberClass
from screener.domain.lists import Entry, ListName
from screener.domain.policy import Decision, Rule, Verdict


def row_of(record: CallRecord) -> dict[str, Any]:
    """Return the values of all columns of the call log."""
    caller, decision, recording = record.caller, record.decision, record.recording
    return {
        "id": record.id,
        "line": record.line,
        "caller_given": caller.given,
        "caller_name": caller.name,
        "caller_e164": caller.e164,
        "caller_class": str(caller.number_class),
        "verdict": str(decision.verdict),
        "rule": str(decision.rule),
        "reason": decision.reason,
        "entry": None if decision.entry is None else json_of(decision.entry),
        "instead_of": None if decision.instead_of is None else str(decision.instead_of),
        "started_at": record.started_at,
        "warned": record.warned,
        "rang_at": record.rang_at,
        "answered_at": record.answered_at,
        "ended_at": record.ended_at,
        "ended_by": None if record.ended_by is None else str(record.ended_by),
        "disposition": None if record.disposition is None else str(record.disposition),
        "recording_path": None if recording is None else str(recording.path),
        "recording_seconds": None if recording is None else recording.seconds,
        "recording_sha256": None if recording is None else recording.sha256,
        "screener": record.screener,
    }


def record_of(row: Row[Any]) -> CallRecord:
    """Return the record that a row holds; ValueError for a word that stands for nothing here."""
    return CallRecord(
        id=row.id,
        line=row.line,
        caller=Caller(
            given=row.caller_given,
            name=row.caller_name,
            e164=row.caller_e164,
            number_class=NumberClass(row.caller_class),
        ),
        decision=Decision(
            verdict=Verdict(row.verdict),
            rule=Rule(row.rule),
            reason=row.reason,
            entry=None if row.entry is None else entry_of(row.entry),
            instead_of=None if row.instead_of is None else Verdict(row.instead_of),
        ),
        started_at=row.started_at,
        warned=row.warned,
        rang_at=row.rang_at,
        answered_at=row.answered_at,
        ended_at=row.ended_at,
        ended_by=None if row.ended_by is None else EndedBy(row.ended_by),
        disposition=None if row.disposition is None else Disposition(row.disposition),
        recording=None
        if row.recording_path is None
        else Recording(
            path=Path(row.recording_path),
            seconds=row.recording_seconds,
            sha256=row.recording_sha256,
        ),
        screener=row.screener,
    )


def json_of(entry: Entry) -> dict[str, str | None]:
    """Return an entry of a list as JSON has it."""
    return {
        "list": str(entry.list_name),
        "number": entry.number,
        "note": entry.note,
        "origin": entry.origin,
        "added_at": None if entry.added_at is None else entry.added_at.isoformat(),
        "expires_at": None if entry.expires_at is None else entry.expires_at.isoformat(),
        "version": entry.version,
    }


def entry_of(values: dict[str, Any]) -> Entry:
    """Return the entry again; raises LookupError, TypeError or ValueError for what is none."""
    # A row of the first schema has neither expiry nor version.
    return Entry(
        list_name=ListName(values["list"]),
        number=values["number"],
        note=values["note"],
        origin=values["origin"],
        added_at=_moment(values["added_at"]),
        expires_at=_moment(values.get("expires_at")),
        version=values.get("version"),
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
