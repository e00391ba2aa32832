"""Rows of the call log that several screeners share: each is one's, and of the dead another's."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from screener.domain.call_record import CallRecord, Disposition
from screener.domain.caller import Caller, NumberClass
from screener.domain.policy import Decision, Rule, Verdict
from screener.store.colleagues import Colleagues
from screener.store.database import open_store
from screener.store.whose import taken, unfinished

NOON = datetime(2026, 11, 3, 12, 0, 0, tzinfo=UTC)
OPEN = CallRecord(
    id="1.0",
    line="0398765432",
    caller=Caller(given="", name="", e164=None, number_class=NumberClass.WITHHELD),
    decision=Decision(verdict=Verdict.SCREEN, rule=Rule.CLASS, reason="withheld"),
    started_at=NOON,
    screener="screener-2",
)
CLOSED = replace(OPEN, ended_at=NOON + timedelta(minutes=1), disposition=Disposition.ANSWERED)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "screener.db"


@pytest.mark.parametrize("owner", ["screener-2", "never seen", ""])
async def test_open_rows_of_whoever_is_gone_are_ours_from_here_on(
    database: Path, owner: str
) -> None:
    ours = Colleagues(database, "screener")
    with ours, Colleagues(database, "screener-2"):
        pass
    async with open_store(database) as store:
        store.calls.keep(replace(OPEN, screener=owner))
        assert await store.calls.flush(5)
        (row,) = await unfinished(store.calls, ours, [])
        assert row == await store.calls.get("1.0") == replace(OPEN, screener="screener")


async def test_rows_of_whoever_is_there_are_left_alone(database: Path) -> None:
    ours = Colleagues(database, "screener")
    async with open_store(database) as store:
        with Colleagues(database, "screener-2"):
            store.calls.keep(OPEN)
            store.calls.keep(replace(CLOSED, id="2.0"))
            assert await store.calls.flush(5)
            assert await unfinished(store.calls, ours, ["1.0", "2.0"]) == []
            assert await store.calls.get("1.0") == OPEN
        rows = await unfinished(store.calls, ours, ["1.0", "2.0", "unknown"])
    assert [(row.id, row.screener) for row in rows] == [("1.0", "screener"), ("2.0", "screener")]


async def test_what_was_taken_from_a_screener_it_cannot_write_any_more(database: Path) -> None:
    """One that was only slow does not undo what the other has written."""
    ours = Colleagues(database, "screener")
    async with open_store(database) as store:
        store.calls.keep(OPEN)
        assert await store.calls.flush(5)
        row = await taken(store.calls, ours, "1.0")
        assert row == replace(OPEN, screener="screener")
        store.calls.keep(replace(OPEN, warned=True))
        store.calls.keep(replace(OPEN, id="3.0"))
        assert await store.calls.flush(5)
        assert await store.calls.get("1.0") == row
        assert await store.calls.get("3.0") == replace(OPEN, id="3.0")
        store.calls.keep(replace(CLOSED, screener="screener"))
        assert await store.calls.flush(5)
        assert await store.calls.get("1.0") == replace(CLOSED, screener="screener")
        assert await taken(store.calls, ours, "unknown") is None
