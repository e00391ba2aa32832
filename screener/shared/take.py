"""What is taken of a source: its rows held against the limits, gathered, compiled."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from screener.shared.canonical import canonical
from screener.shared.compiled import FraudList, Head, Refusals, compile_list
from screener.shared.errors import ListError
from screener.shared.fetch import Fetched
from screener.shared.formats import Fault, Format, Reading, Row, rows
from screener.shared.gather import Gatherer
from screener.shared.job import Job
from screener.shared.keys import midnight
from screener.shared.limits import Limits
from screener.shared.source import Got

_EXAMPLES: Final = 5
_TICK: Final = 20_000  # rows between two steps of the progress


@dataclass(kw_only=True)
class _Tally:
    """What was read, and what of it was left out."""

    limits: Limits
    gathered: Gatherer
    read: int = 0
    malformed: int = 0
    newest: int = 0
    faults: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def take(self, row: Row | Fault) -> None:
        """Gather a row, or count why it is left out."""
        self.read += 1
        if isinstance(row, Fault):
            self._fault(row)
            return
        refusal = None if row.gone else self.limits.refusal(row.number)
        if refusal is not None:
            self.refused[refusal] += 1
            self.examples.setdefault(refusal, []).append(row.number)
            del self.examples[refusal][_EXAMPLES:]
            return
        try:
            self.gathered.add(row.number, row.day, row.note, gone=row.gone)
        except ValueError as error:
            self._fault(Fault(row.place, str(error)))
        else:
            self.newest = max(self.newest, row.day)

    def _fault(self, fault: Fault) -> None:
        self.malformed += 1
        if len(self.faults) < _EXAMPLES:
            self.faults.append(f"{fault.place}: {fault.why}")


def compiled(job: Job, got: Got, before: FraudList | None) -> bytes:
    """Return the list that a source's files make, compiled; ``before`` is what increments change.

    ListError where a file cannot be read, or nothing in it can be used.
    """
    base = before if got.increment else None
    source, terms = job.source, job.terms
    tally = _Tally(limits=terms.limits, gathered=Gatherer(terms.most_numbers))
    if base is not None:
        tally.gathered.begin_with(base)
    reading = Reading(
        canonical=canonical(terms.limits.country),
        most_bytes=terms.most_bytes,
        least_reports=source.least_reports,
    )
    for path in got.files:
        for row in rows(path, source.format, reading):
            tally.take(row)
            if tally.read % _TICK == 0:
                job.progress(f"reading {source.name}", tally.read, None)
    if tally.malformed and tally.malformed == tally.read:
        raise ListError(f"holds nothing that can be used: {tally.faults[0]}")
    job.progress(f"sorting {source.name}", tally.read, None)
    return _block(job, got, base, tally, reading.version)


def _block(job: Job, got: Got, base: FraudList | None, tally: _Tally, version: str) -> bytes:
    source, gathered = job.source, tally.gathered
    numbers = gathered.numbers(source.least_reports if source.format is Format.FTC else 1)
    patterns, notes = gathered.patterns(), gathered.notes
    digest = got.digest()
    dated = midnight(tally.newest) or got.dated
    since = int(version) if source.format is Format.PHONEBLOCK and version else None
    full_at = base.head.full_at if base else job.now.isoformat()
    conditional = got.fetched if base is None else Fetched()
    head = Head(
        name=source.name,
        version=version or f"{dated:%Y-%m-%d}-{digest[:8]}",
        source=source.place,
        dated=dated.isoformat(),
        taken_at=job.now.isoformat(),
        digest=digest,
        terms=job.conditions,
        numbers=len(numbers.keys),
        patterns=len(patterns.keys),
        notes=len(notes),
        note_bytes=sum(map(len, notes)),
        doubled=gathered.doubled if source.format is Format.CSV else 0,
        malformed=tally.malformed,
        faults=tally.faults,
        refused={
            kind: Refusals(count=count, examples=tally.examples[kind])
            for kind, count in tally.refused.items()
        },
        signature=got.signature,
        etag=conditional.etag,
        last_modified=conditional.last_modified,
        since=since,
        full_at="" if since is None else full_at,
    )
    return compile_list(head, numbers, patterns, notes)
