"""How calls and verdicts are shown: as tables to people, as plain values to machines."""

from collections.abc import Sequence
from datetime import datetime

from rich.table import Table
from rich.text import Text

from screener.domain.call_record import CallRecord
from screener.domain.caller import Caller, NumberClass
from screener.domain.inert import inert
from screener.domain.lists import Entry
from screener.domain.numbers import Country, written
from screener.domain.policy import Decision, Rule, Verdict
from screener.words import ENGLISH, Words, reason, undo, undo_commands

LONGEST_NAME = 24  # characters of a caller's name, or of what they gave for a number
COLOURS = {
    Verdict.PASS: "green",
    Verdict.SCREEN: "yellow",
    Verdict.MESSAGE: "cyan",
    Verdict.BLOCK: "red",
}


def calls_table(records: Sequence[CallRecord], country: Country) -> Table:
    """Return the call log for people, in the order given, times in the local zone."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("started", "caller", "class", "verdict", "why", "outcome", "recording"):
        table.add_column(heading, overflow="fold", no_wrap=heading in {"started", "verdict"})
    for record in records:
        name = inert(record.caller.name.strip(), LONGEST_NAME)
        recording = inert(str(record.recording.path)) if record.recording else ""
        if record.recording_is_whole is False:
            recording += " (cut short)"
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


def call_json(record: CallRecord, country: Country) -> dict[str, object]:
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
        **_decision_json(record.decision),
        "undo": undo_commands(record.caller, record.decision, country),
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
            "whole": record.recording_is_whole,
        },
    }


def verdict_table(caller: Caller, decision: Decision, country: Country, words: Words) -> Table:
    """Return what would happen to a caller, and every rule in order with the one that decided."""
    heading = words.headings
    table = Table.grid(padding=(0, 2))
    table.add_row(heading["number"], Text(shown_number(caller, country)))
    if caller.name.strip():
        table.add_row(heading["name"], Text(inert(caller.name.strip(), LONGEST_NAME)))
    table.add_row(heading["class"], words.classes[caller.number_class])
    verdict = Text(words.verdicts[decision.verdict], style=COLOURS[decision.verdict])
    table.add_row(heading["verdict"], verdict)
    if decision.instead_of is not None:
        instead = heading["instead"].format(verdict=words.verdicts[decision.instead_of])
        table.add_row("", Text(instead))
    table.add_row(heading["reason"], Text(reason(decision, words)))
    if decision.entry is not None:
        table.add_row(heading["entry"], Text(_entry_line(decision.entry, country, words)))
    table.add_row(heading["undo"], Text(inert(undo(caller, decision, country, words))))
    for position, rule in enumerate(Rule):
        decided = f"  {heading['decided']}" if rule is decision.rule else ""
        line = f"{position + 1} {words.rules[rule]}{decided}"
        table.add_row("" if position else heading["rules"], Text(line))
    return table


def verdict_json(caller: Caller, decision: Decision, country: Country) -> dict[str, object]:
    """Return what would happen to a caller, for machines."""
    return {
        "given": caller.given,
        "name": caller.name,
        "e164": caller.e164,
        "class": caller.number_class,
        "region": caller.region,
        **_decision_json(decision),
        "undo": undo_commands(caller, decision, country),
        "rules": [{"rule": rule, "decided": rule is decision.rule} for rule in Rule],
    }


def _decision_json(decision: Decision) -> dict[str, object]:
    return {
        "verdict": decision.verdict,
        "instead_of": decision.instead_of,
        "reason": decision.reason,
        "rule": decision.rule,
        "entry": entry_json(decision.entry),
    }


def entries_table(entries: Sequence[Entry], country: Country, now: datetime) -> Table:
    """Return entries of the household's lists for people, in the order given."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("number", "list", "note", "from", "since", "until"):
        table.add_column(heading, overflow="fold", no_wrap=heading in {"number", "list"})
    for entry in entries:
        over = "" if entry.holds(now) else " (over)"
        until = local_time(entry.expires_at) + over if entry.expires_at else ""
        table.add_row(
            Text(inert(written(entry.number, country=country), 2 * LONGEST_NAME)),
            Text(entry.list_name),
            Text(inert(entry.note, 2 * LONGEST_NAME)),
            Text(inert(entry.origin, LONGEST_NAME)),
            Text(local_time(entry.added_at) if entry.added_at else ""),
            Text(until),
        )
    return table


def entry_json(entry: Entry | None) -> dict[str, object] | None:
    """Return a list entry for machines; None where there is none."""
    if entry is None:
        return None
    return {
        "list": entry.list_name,
        "number": entry.number,
        "note": entry.note,
        "origin": entry.origin,
        "added_at": _iso(entry.added_at),
        "expires_at": _iso(entry.expires_at),
        "version": entry.version,
    }


def shown_number(caller: Caller, country: Country) -> str:
    """Return the number as the country writes it, or what was given for one, as inert text."""
    if caller.number_class is NumberClass.JAPAN_VIA_INTERNATIONAL:
        return caller.e164 or ""  # written as at home it would look genuine
    number = written(caller.list_key, country=country) or caller.given.strip() or "no number"
    return inert(number, LONGEST_NAME)


def local_time(moment: datetime) -> str:
    """Return a moment as the clock on the wall of this machine shows it, to the second."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def _entry_line(entry: Entry, country: Country, words: Words) -> str:
    """Return on one line what stands on which list, whose it is, and since when."""
    said = words.headings
    parts = [
        f"{written(entry.number, country=country)}: {words.lists[entry.list_name]}",
        said["from"].format(origin=words.origins.get(entry.origin, entry.origin)),
    ]
    if entry.version:
        parts.append(said["version"].format(version=entry.version))
    if entry.added_at:
        parts.append(said["since"].format(day=local_time(entry.added_at)))
    if entry.expires_at:
        parts.append(said["until"].format(day=local_time(entry.expires_at)))
    if entry.note:
        parts.append(entry.note)
    return inert(", ".join(parts), 200)


def _verdict(decision: Decision) -> Text:
    instead = "" if decision.instead_of is None else f" ({decision.instead_of})"
    return Text(decision.verdict + instead, style=COLOURS[decision.verdict])


def _why(decision: Decision) -> str:
    """Return what decided, in as few words as say it."""
    if decision.rule is Rule.CLASS:
        return inert(ENGLISH.reasons.get(decision.reason, "kind of number"))
    of_list = decision.reason == f"on_{decision.rule}"
    return inert(_words(decision.rule if of_list else f"{decision.rule}: {decision.reason}"))


def _words(name: str) -> str:
    return name.replace("_", " ")


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
