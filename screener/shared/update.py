"""An update of one list: fetched, verified, read, held against the limits, taken whole or not."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from screener.shared.compiled import FraudList, Head
from screener.shared.errors import ListError
from screener.shared.job import Job, Terms
from screener.shared.shelf import Shelf, Waiting
from screener.shared.source import Got, at_once, obtain
from screener.shared.take import compiled


class State(StrEnum):
    """What became of an update."""

    TAKEN = "taken"
    UNCHANGED = "unchanged"
    WAITING = "waiting"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of an update; ``detail`` says why on one line, where there is a why."""

    name: str
    state: State
    version: str = ""
    before: int = 0
    after: int = 0
    detail: str = ""


Agree = Callable[[str], bool]
"""Asked before a list is taken that changed too much, or was rolled back; told as a statement."""


async def update(job: Job, shelf: Shelf, agree: Agree) -> Outcome:
    """Take what the source has now in the place of the list that counts, or leave all as it was.

    Never raises for what is wrong with the source: the outcome says it, and the shelf remembers.
    """
    try:
        with shelf.locked() as incoming:
            try:
                shelf.point(tried_at=job.now.isoformat())
                return await _update(job, shelf, incoming, agree)
            except ListError as error:
                with contextlib.suppress(ListError):  # a full disk keeps no note of it either
                    shelf.point(failed=str(error))
                raise
    except ListError as error:
        return Outcome(name=job.source.name, state=State.FAILED, detail=str(error))


def read_at_once(job: Job, most: int) -> FraudList | None:
    """Return a list straight from a file of at most so many bytes; None if it is none.

    For a list that no update has taken yet. ListError as for an update.
    """
    got = at_once(job.source, job.now, most)
    return None if got is None else FraudList(compiled(job, got, None))


async def _update(job: Job, shelf: Shelf, incoming: Path, agree: Agree) -> Outcome:
    name, now = job.source.name, job.now
    before, _ = shelf.current()
    count = before.head.count if before else 0
    version = before.version if before else ""
    stays = Outcome(name=name, state=State.UNCHANGED, version=version, before=count, after=count)
    if shelf.pointer().held and not agree(f"{name} was rolled back to version {version}"):
        detail = f"rolled back to version {version}, and stays so until a yes"
        return replace(stays, state=State.WAITING, detail=detail)
    got = await obtain(job, before, incoming)
    checked_at = (now if job.source.remote else min(got.dated, now)).isoformat()
    if got.fetched.unchanged or (before and _same(before.head, got, job)):
        shelf.point(checked_at=checked_at, failed="", waiting=None, held=False)
        return stays
    content = compiled(job, got, before)
    after = FraudList(content).head  # read as it will be, before anything is replaced
    grown = replace(stays, version=after.version, after=after.count)
    changed = _too_different(grown, job.terms)
    if changed and not agree(changed):
        waiting = Waiting(
            version=after.version, before=count, after=after.count, seen_at=now.isoformat()
        )
        shelf.point(waiting=waiting, failed="", checked_at=checked_at)
        return replace(grown, state=State.WAITING, detail=changed)
    shelf.take(content, checked_at)
    return replace(grown, state=State.TAKEN)


def _same(head: Head, got: Got, job: Job) -> bool:
    """Tell whether these are the files that were taken before, under the same terms."""
    return head.terms == job.conditions and head.digest == got.digest()


def _too_different(outcome: Outcome, terms: Terms) -> str:
    """Say what changes more than it may without a yes; empty where nothing does."""
    before, after = outcome.before, outcome.after
    difference = abs(after - before)
    small = difference * 100 <= terms.largest_change * before
    if before == 0 or small or (after and difference <= terms.smallest_change):
        return ""
    word = "grow" if after > before else "shrink"
    return f"{outcome.name} would {word} from {before} to {after} entries"
