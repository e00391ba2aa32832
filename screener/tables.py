"""How calls and verdicts are shown: as tables to people, as plain values to machines."""

from collections.abc import Sequence
from datetime import datetime

from rich.table import Table
from rich.text import Text

from screener.domain.call_record import CallRecord
from screener.domain.caller import Caller
from screener.domain.inert import inert
from screener.domain.lists import Entry
from screener.domain.numbers import Country, written
from screener.domain.policy import Decision, Rule, Verdict

LONGEST_NAME = 24  # characters of a caller's name, or of what they gave for a number
COLOURS = {Verdict.PASS: "green", Verdict.SCREEN: "yellow", Verdict.BLOCK: "red"}


def calls_table(records: Sequence[CallRecord], country: Country) -> Table:
    """Return the call log for people, in the order given, times in the local zone."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("started", "caller", "class", "verdict", "why", "outcome", "recording"):
        table.add_column(heading, overflow="fold", no_wrap=heading in {"started", "verdict"})
    for record in records:
        name = inert(record.caller.name.strip(), LONGEST_NAME)
        recording = inert(str(record.recording.path)) if record.recording else ""
        table.add_row(
            local_time(record.started_at),
            Text(f"{shown_number(record.caller, country)} {name}".rstrip()),
            _words(record.caller.number_class),
            _verdict(record.decision),
            Text(_why(record.decision)),
            _words(record.disposition or "in progress"),
            Text(recording),
        )
    return table


def call_json(record: CallRecord) -> dict[str, object]:
    """Return a call for machines; times are ISO 8601 with zone, what is not known is None."""
    recording = record.recording
    return {
        "id": record.id,
        "started_at": _iso(record.started_at),
        "ended_at": _iso(record.ended_at),
        "line": record.line,
        "caller": {
            "given": record.caller.given,
            "name": record.caller.name,
            "e164": record.caller.e164,
            "class": record.caller.number_class,
        },
        "verdict": record.decision.verdict,
        "reason": record.decision.reason,
        "rule": record.decision.rule,
        "entry": _entry_json(record.decision.entry),
        "disposition": record.disposition,
        "warned": record.warned,
        "rang_at": _iso(record.rang_at),
        "answered_at": _iso(record.answered_at),
        "ended_by": record.ended_by,
        "recording": recording
        and {
            "path": str(recording.path),
            "seconds": recording.seconds,
            "sha256": recording.sha256,
        },
    }


def verdict_table(caller: Caller, decision: Decision, country: Country) -> Table:
    """Return what would happen to a caller, and every rule in order with the one that decided."""
    table = Table.grid(padding=(0, 2))
    table.add_row("number", Text(shown_number(caller, country)))
    if caller.name.strip():
        table.add_row("name", Text(inert(caller.name.strip(), LONGEST_NAME)))
    table.add_row("class", _words(caller.number_class))
    table.add_row("verdict", _verdict(decision))
    table.add_row("reason", Text(_words(inert(decision.reason))))
    if decision.entry is not None:
        table.add_row("entry", Text(_entry_line(decision.entry, country)))
    for position, rule in enumerate(Rule):
        decided = "  <- decided" if rule is decision.rule else ""
        table.add_row("" if position else "rules", f"{position + 1} {_words(rule)}{decided}")
    return table


def verdict_json(caller: Caller, decision: Decision) -> dict[str, object]:
    """Return what would happen to a caller, for machines."""
    return {
        "given": caller.given,
        "name": caller.name,
        "e164": caller.e164,
        "class": caller.number_class,
        "verdict": decision.verdict,
        "reason": decision.reason,
        "rule": decision.rule,
        "entry": _entry_json(decision.entry),
        "rules": [{"rule": rule, "decided": rule is decision.rule} for rule in Rule],
    }


def _entry_json(entry: Entry | None) -> dict[str, object] | None:
    if entry is None:
        return None
    return {
        "list": entry.list_name,
        "number": entry.number,
        "note": entry.note,
        "origin": entry.origin,
        "added_at": _iso(entry.added_at),
    }


def shown_number(caller: Caller, country: Country) -> str:
    """Return the number as the country writes it, or what was given for one, as inert text."""
    number = written(caller.list_key, country=country) or caller.given.strip() or "no number"
    return inert(number, LONGEST_NAME)


def local_time(moment: datetime) -> str:
    """Return a moment as the clock on the wall of this machine shows it, to the second."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def _entry_line(entry: Entry, country: Country) -> str:
    since = f" since {local_time(entry.added_at)}" if entry.added_at else ""
    note = f": {entry.note}" if entry.note else ""
    number = written(entry.number, country=country)
    return inert(f"{number} on the {entry.list_name} list{since}, from {entry.origin}{note}", 200)


def _verdict(decision: Decision) -> Text:
    return Text(decision.verdict, style=COLOURS[decision.verdict])


def _why(decision: Decision) -> str:
    by_list = decision.reason == f"on_{decision.rule}"
    why = decision.rule if by_list else f"{decision.rule}: {decision.reason}"
    return inert(_words(why))


def _words(name: str) -> str:
    return name.replace("_", " ")


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
