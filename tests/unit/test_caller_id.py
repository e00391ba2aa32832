"""A line without caller ID is recognised by its calls, and a rule against hiding is suspended."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from screener.checkup import check_caller_id
from screener.domain.call_record import CallRecord, Disposition
from screener.domain.caller import NumberClass
from screener.domain.household import Household, Profile, verdicts_of
from screener.domain.lists import Lists
from screener.domain.numbers import country, identify
from screener.domain.policy import Circumstances, decide
from screener.domain.verdict import Verdict
from screener.store.database import open_store

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
CAREFUL = Household(verdicts=verdicts_of(Profile.CAREFUL))
STANDARD = Household(verdicts=verdicts_of(Profile.STANDARD))


def call(number: str, line: str) -> CallRecord:
    caller = identify(number, "", country=country("JP"))
    decision = decide(caller, Lists(), STANDARD, Circumstances(moment=NOW))
    return CallRecord(
        id=f"{line}-{number}", line=line, caller=caller, decision=decision, started_at=NOW
    )


@pytest.mark.parametrize("number", ["0312345678", "+18005551234", "110", "+8000286210110"])
async def test_one_number_shown_on_a_line_tells_for_ever_that_it_has_caller_id(
    tmp_path: Path, number: str
) -> None:
    path = tmp_path / "screener.db"
    async with open_store(path) as store:
        for hidden in ("anonymous", "unknown", "", "3"):
            store.calls.keep(call(hidden, "0398765432"))
        assert not store.calls.shows_numbers("0398765432")
        store.calls.keep(call(number, "0398765432"))
        store.calls.keep(call("anonymous", "0312121212"))
        assert store.calls.shows_numbers("0398765432")
    async with open_store(path) as store:
        assert store.calls.shows_numbers("0398765432")
        assert store.calls.shows_numbers()
        assert not store.calls.shows_numbers("0312121212")
        assert await store.calls.lines_without_numbers() == ["0312121212"]


async def test_a_call_that_nobody_saw_says_nothing_of_its_line(tmp_path: Path) -> None:
    """Of a talk that died with Asterisk only its recording tells, which has no number."""
    async with open_store(tmp_path / "screener.db") as store:
        store.calls.keep(replace(call("", "unknown"), disposition=Disposition.FAILED_OPEN))
        store.calls.keep(call("anonymous", "0312121212"))
        assert await store.calls.flush(10)
        assert await store.calls.lines_without_numbers() == ["0312121212"]


async def test_a_new_line_has_shown_nothing_yet(tmp_path: Path) -> None:
    async with open_store(tmp_path / "screener.db") as store:
        assert not store.calls.shows_numbers()
        assert await store.calls.lines_without_numbers() == []


def test_the_doctor_says_so_where_a_rule_against_hiding_is_not_enforced() -> None:
    (finding,) = check_caller_id(CAREFUL, ["0398765432"])
    assert not finding.ok
    assert "0398765432: the rule for unavailable and withheld is not enforced" in finding.detail
    assert "ナンバー・ディスプレイ" in finding.advice


@pytest.mark.parametrize(
    ("household", "lines"),
    [
        (CAREFUL, []),
        (STANDARD, ["0398765432"]),
        (
            replace(STANDARD, verdicts={**STANDARD.verdicts, NumberClass.PAYPHONE: Verdict.BLOCK}),
            ["0398765432"],
        ),
    ],
)
def test_the_doctor_has_nothing_to_say_where_none_is_suspended(
    household: Household, lines: list[str]
) -> None:
    assert all(finding.ok for finding in check_caller_id(household, lines))
