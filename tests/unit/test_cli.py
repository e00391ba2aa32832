"""The commands do what they say, show callers' text inert, and refuse bad input on one line."""

import asyncio
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

import pytest
from typer.testing import CliRunner

from screener import cli
from screener.books.carddav import CardDavBook
from screener.cli import Failure, Screener
from screener.doctor import Finding
from screener.domain.call_record import CallRecord, Disposition, EndedBy, Recording
from screener.domain.caller import Caller, NumberClass
from screener.domain.household import Household, Profile, verdicts_of
from screener.domain.lists import Entry, ListName, Lists
from screener.domain.numbers import country, identify
from screener.domain.policy import Circumstances, Rule, Verdict, decide
from screener.readiness import Readiness, State
from screener.settings import Settings
from screener.store.database import Store, open_store
from screener.words import LANGUAGES

FRAUDSTER = "+18005551234"
STANDARD = Household(
    verdicts=verdicts_of(Profile.STANDARD), police_endings=country("JP").police_endings
)
STARTED = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
BAD_NAMES = [
    "[bold red]loud[/bold red] [/] [link=x]y[/link] :smile:",
    "\x1b[2J\x1b[31mred\x9b0m\a",
    "two\nlines\r\nand\tmore\x00",
    "\u202e0110\u2066\u200b\u2028",
    "\"quotes\" 'and' ${SHELL(rm)} `rm` \\n",
    "名" * 10_000,
    "e" + "\u0301" * 10_000,
]


class Warnings:
    """A shared list of one number."""

    name, version = "x", "7"

    def find(self, key: str) -> Entry | None:
        known = Entry(
            list_name=ListName.FRAUD,
            number=FRAUDSTER,
            note="a\n[b]",
            origin=self.name,
            added_at=None,
            version=self.version,
        )
        return known if key == FRAUDSTER else None


class Home:
    """A household with its own database file and one number on its fraud list."""

    def __init__(self, database: Path) -> None:
        self.database = database
        self.country = country("JP")
        self.language = "en"
        self.household = STANDARD
        self.fraud_lists = Settings().fraud_lists()
        self.update_hours = 24
        self.findings = [Finding("database", True, "4 kB", "")]
        self.ready = Readiness(State.HEALTHY, "a screener is connected")
        self.held = 1

    def store(self, *, lookup: bool = False) -> AbstractAsyncContextManager[Store]:
        return open_store(self.database)

    async def lists(self, store: Store) -> Lists:
        return Lists(household=await store.lists.current(), shared=[Warnings()])

    def identify(self, given: str, name: str) -> Caller:
        return identify(given, name, country=self.country)

    def carddav(self) -> CardDavBook:
        raise Failure("no address book")

    def supervise(self) -> NoReturn:
        raise Failure("now a supervisor")

    async def serve(self, pipe: int | None = None) -> None:
        sys.stdout.write("serving\n")
        sys.stdout.flush()
        await asyncio.Event().wait()

    async def checkup(self) -> list[Finding]:
        return self.findings

    async def readiness(self) -> Readiness:
        return self.ready

    def release(self) -> int:
        return self.held


def load(database: Path | None) -> Screener:
    """The settings file of these tests is the database itself."""
    if database is None:
        raise Failure("given.toml: [call] ring_seconds: 1 is not allowed")
    household = Home(database)
    if database.name == "ill.db":
        household.findings.append(Finding("prompts", False, "ja/\x1b[31m.wav", "run make\nprompts"))
        household.ready = Readiness(State.DEGRADED, "no screener\x1b[31m")
        household.held = 0
    return household


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "screener.db"


def done(database: Path | None, *words: str, code: int = 0) -> str:
    given = ["--config", str(database)] if database else []
    result = CliRunner().invoke(cli.build(load), [*given, *words], env={"COLUMNS": "250"})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    if code == 2:
        assert result.stdout == ""
        (line,) = result.stderr.split("\n")[:-1]
        assert line.startswith("screener: ")
        assert line.isprintable()
        return line
    assert result.stderr == ""
    return result.stdout


def record(number: str, name: str = "", **changed: object) -> CallRecord:
    caller = identify(number, name, country=country("JP"))
    decision = decide(caller, Lists(), STANDARD, Circumstances(moment=STARTED))
    made = CallRecord(
        id=f"c-{number}", line="0398765432", caller=caller, decision=decision, started_at=STARTED
    )
    return replace(made, **changed)  # type: ignore[arg-type]


def logged(database: Path, records: Sequence[CallRecord]) -> None:
    async def keep() -> None:
        async with open_store(database) as store:
            for each in records:
                store.calls.keep(each)
            assert await store.calls.flush(10)

    asyncio.run(keep())


ANSWERED = record(
    "0312345678",
    "山田　太郎",
    warned=True,
    rang_at=STARTED + timedelta(seconds=10),
    answered_at=STARTED + timedelta(seconds=15),
    ended_at=STARTED + timedelta(seconds=75),
    ended_by=EndedBy.CALLER,
    disposition=Disposition.ANSWERED,
    recording=Recording(path=Path("recordings/c-1.wav"), seconds=60.0, sha256="ab" * 32),
)


def test_an_empty_call_log_is_said_to_be_empty(database: Path) -> None:
    assert done(database, "calls") == "no calls yet\n"
    assert json.loads(done(database, "calls", "--json")) == []


def test_a_call_is_shown_with_all_that_became_of_it(database: Path) -> None:
    logged(database, [ANSWERED])
    heading, row = done(database, "calls").splitlines()
    assert " ".join(heading.split()) == "started caller class verdict why outcome recording"
    assert f"{STARTED.astimezone():%Y-%m-%d %H:%M:%S}" in row
    for shown in ("03-1234-5678", "山田　太郎", "fixed line", "screen", "kind of number"):
        assert shown in row
    assert row.split()[-2:] == ["answered", "recordings/c-1.wav"]


def test_a_call_is_json_with_every_key_and_times_with_their_zone(database: Path) -> None:
    logged(database, [ANSWERED])
    (call,) = json.loads(done(database, "calls", "--json"))
    times = {key: call.pop(key) for key in list(call) if key.endswith("_at")}
    assert call == {
        "id": "c-0312345678",
        "line": "0398765432",
        "caller": {
            "given": "0312345678",
            "name": "山田　太郎",
            "e164": "+81312345678",
            "class": "fixed_line",
        },
        "verdict": "screen",
        "reason": "fixed_line",
        "rule": "class",
        "entry": None,
        "instead_of": None,
        "undo": ["screener allow 03-1234-5678", "[callers] fixed_line"],
        "disposition": "answered",
        "warned": True,
        "ended_by": "caller",
        "recording": {
            "path": "recordings/c-1.wav",
            "seconds": 60.0,
            "sha256": "ab" * 32,
            "whole": True,
        },
    }
    assert {key: datetime.fromisoformat(time) for key, time in times.items()} == {
        "started_at": ANSWERED.started_at,
        "rang_at": ANSWERED.rang_at,
        "answered_at": ANSWERED.answered_at,
        "ended_at": ANSWERED.ended_at,
    }


def test_a_call_in_progress_is_shown_with_what_is_known(database: Path) -> None:
    logged(database, [record("anonymous", "Anonymous")])
    assert "in progress" in done(database, "calls")
    (call,) = json.loads(done(database, "calls", "--json"))
    unknown = ("ended_at", "disposition", "rang_at", "answered_at", "ended_by", "recording")
    assert [call[key] for key in unknown] == [None] * 6


def test_the_newest_calls_come_first_and_no_more_than_asked(database: Path) -> None:
    logged(
        database,
        [record(f"031234567{n}", started_at=STARTED + timedelta(hours=n)) for n in range(5)],
    )
    ids = [call["id"] for call in json.loads(done(database, "calls", "-n", "2", "--json"))]
    assert ids == ["c-0312345674", "c-0312345673"]
    assert len(done(database, "calls", "-n", "3").splitlines()) == 4


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_caller_name_is_inert_on_screen_and_whole_in_json(database: Path, name: str) -> None:
    logged(database, [record("0312345678", name)])
    lines = done(database, "calls").splitlines()
    assert len(lines) == 2
    assert all(line.replace("\u3000", "").isprintable() and len(line) < 250 for line in lines)
    assert "[bold red]loud" in lines[1] or "[bold" not in name
    as_json = done(database, "calls", "--json")
    assert as_json.isascii()
    assert json.loads(as_json)[0]["caller"]["name"] == name
    checked = done(database, "check", "0312345678", "--name", name)
    assert all(line.replace("\u3000", "").isprintable() for line in checked.splitlines())
    assert len(checked.splitlines()) == 15
    as_json = done(database, "check", "0312345678", "--json", "--name", name)
    assert json.loads(as_json)["name"] == name


def test_an_allowed_number_passes_and_once_unlisted_is_screened_again(database: Path) -> None:
    assert done(database, "allow", "03-1234-5678") == "03-1234-5678 is on the allow list\n"
    assert json.loads(done(database, "check", "0312345678", "--json"))["verdict"] == "pass"
    gone = done(database, "unlist", "+81 3 1234 5678")
    assert gone == "03-1234-5678 is no longer on the allow list\n"
    assert json.loads(done(database, "check", "0312345678", "--json"))["verdict"] == "screen"


def test_blocking_an_allowed_number_takes_it_off_the_allow_list(database: Path) -> None:
    done(database, "allow", "0312345678")
    moved = done(database, "block", "0312345678", "--note", "sells [red]solar[/red]\npanels")
    assert moved == "03-1234-5678 is on the block list, and no longer on the allow list\n"
    again = done(database, "block", "0312345678", "--note", "sells solar")
    assert again == "03-1234-5678 is on the block list\n"
    checked = json.loads(done(database, "check", "0312345678", "--json"))
    entry = checked.pop("entry")
    assert (entry["list"], entry["number"], entry["note"], entry["origin"]) == (
        "block",
        "+81312345678",
        "sells solar",
        "household",
    )
    assert datetime.fromisoformat(entry["added_at"]).tzinfo is not None
    assert "sells solar" in done(database, "check", "0312345678")


def test_an_allowed_number_wins_over_the_fraud_list(database: Path) -> None:
    fraud = json.loads(done(database, "check", FRAUDSTER, "--json"))
    assert (fraud["verdict"], fraud["rule"], fraud["entry"]["added_at"]) == (
        "block",
        "fraud_list",
        None,
    )
    assert r"fraud list, from x, version 7, a\n[b]" in done(database, "check", FRAUDSTER)
    done(database, "allow", FRAUDSTER)
    assert json.loads(done(database, "check", FRAUDSTER, "--json"))["rule"] == "allow_list"


def test_check_gives_class_verdict_and_every_rule_with_the_one_that_decided(database: Path) -> None:
    checked = json.loads(done(database, "check", "0312345678", "--name", "Yamada", "--json"))
    rules = checked.pop("rules")
    assert checked == {
        "given": "0312345678",
        "name": "Yamada",
        "e164": "+81312345678",
        "class": "fixed_line",
        "verdict": "screen",
        "reason": "fixed_line",
        "rule": "class",
        "entry": None,
        "instead_of": None,
        "region": "JP",
        "undo": ["screener allow 03-1234-5678", "[callers] fixed_line"],
    }
    assert [rule["rule"] for rule in rules] == [
        "emergency",
        "emergency_window",
        "allow_list",
        "screen_list",
        "block_list",
        "fraud_list",
        "dialled",
        "hours",
        "class",
    ]
    assert [rule["rule"] for rule in rules if rule["decided"] is True] == ["class"]
    lines = done(database, "check", "0312345678").splitlines()
    (decided,) = [line for line in lines if line.endswith("<- decided")]
    assert decided.split(maxsplit=1) == ["9", "else the kind of number decides  <- decided"]
    assert "to change it  screener allow 03-1234-5678, or [callers] fixed_line" in lines


def test_check_speaks_the_households_language_or_the_one_that_is_asked_for(
    database: Path,
) -> None:
    japanese = done(database, "check", "+81335810110", "--language", "ja")
    assert "国外からで、末尾が警察の番号に似ています" in japanese
    assert "9 それ以外は、番号の種類で決まります  ← これで決定" in japanese
    assert "looks like" not in japanese
    assert "ends like a number of the police" in done(database, "check", "+81335810110")
    assert "choose ja or en" in done(database, "check", "110", "--language", "fr", code=2)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_verdict_has_words_in_every_language(language: str) -> None:
    words = LANGUAGES[language]
    assert set(words.rules) == set(Rule)
    assert set(words.verdicts) == set(Verdict)
    assert set(words.classes) == set(NumberClass)
    assert set(words.lists) == set(ListName)
    assert set(words.headings) == set(LANGUAGES["en"].headings)
    assert set(words.undo) == set(LANGUAGES["en"].undo)


@pytest.mark.parametrize(
    ("number", "before", "undoing"),
    [
        ("0312345678", [], "allow 03-1234-5678"),
        (FRAUDSTER, [], "allow '+1 800-555-1234'"),
        ("0312345678", ["block", "0312*"], "unlist '0312*'"),
        ("0312345678", ["allow", "0312345678"], "unlist 03-1234-5678"),
        ("3", [], "block 3"),
    ],
)
def test_what_is_said_to_undo_a_verdict_does(
    database: Path, number: str, before: list[str], undoing: str
) -> None:
    if before:
        done(database, *before)
    first = json.loads(done(database, "check", number, "--json"))
    assert first["undo"][0] == f"screener {undoing}"
    done(database, *shlex.split(undoing))
    assert json.loads(done(database, "check", number, "--json"))["verdict"] != first["verdict"]


def test_nothing_undoes_an_emergency_number(database: Path) -> None:
    assert json.loads(done(database, "check", "110", "--json"))["undo"] == []
    assert "nothing: it always rings" in done(database, "check", "110")
    for command in ("allow", "screen", "block"):
        assert "it always rings" in done(database, command, "119", code=2)


def test_an_exception_for_a_country_warns_instead_of_refusing(database: Path) -> None:
    assert done(database, "screen", "+49", "--note", "my son") == "+49* is on the screen list\n"
    checked = json.loads(done(database, "check", "+493012345678", "--json"))
    assert (checked["verdict"], checked["rule"]) == ("screen", "screen_list")
    assert checked["entry"]["note"] == "my son"
    assert json.loads(done(database, "check", "+33123456789", "--json"))["verdict"] == "block"


def test_an_entry_counts_until_the_end_of_its_last_day(database: Path) -> None:
    today = datetime.now(UTC).astimezone()
    day = f"{today + timedelta(days=3):%Y-%m-%d}"
    after = f"{today + timedelta(days=4):%Y-%m-%d} 00:00:00"
    said = done(database, "allow", "0312345678", "--until", day)
    assert said == f"03-1234-5678 is on the allow list until {after}\n"
    entry = json.loads(done(database, "check", "0312345678", "--json"))["entry"]
    assert f"{datetime.fromisoformat(entry['expires_at']).astimezone():%Y-%m-%d %H:%M:%S}" == after
    assert f"until {after}" in done(database, "check", "0312345678")
    assert "is over" in done(database, "allow", "0312345678", "--until", "2026-01-01", code=2)
    assert "2026-11-30" in done(database, "allow", "0312345678", "--until", "Friday", code=2)


@pytest.mark.parametrize(
    ("words", "number_class"),
    [
        ([""], "unavailable"),
        (["anonymous"], "withheld"),
        (["anonymous", "--name", "Coin line/payphone"], "payphone"),
        (["110"], "emergency"),
        (["-0312345678"], "fixed_line"),
        (["sip:x@example.com"], "malformed"),
        (["-1"], "internal"),
        (["--name", "-x", "+81312345678"], "japan_via_international"),
        (["9" * 10_000], "malformed"),
        (["\x1b[31m\n"], "malformed"),
    ],
)
def test_check_takes_whatever_a_trunk_may_show(
    database: Path, words: list[str], number_class: str
) -> None:
    checked = json.loads(done(database, "check", "--json", *words))
    assert checked["class"] == number_class
    shown = done(database, "check", *words)
    assert all(line.isprintable() and len(line) < 100 for line in shown.splitlines())


def test_a_number_may_begin_with_a_dash_or_a_plus(database: Path) -> None:
    assert "03-1234-5678 is on" in done(database, "allow", "-03-1234-5678", "--note", "-x")
    assert "03-1234-5678 is on" in done(database, "block", "+81312345678")
    assert "03-1234-5678 is no" in done(database, "unlist", "--", "-0312345678")


def test_the_doctor_is_content_or_says_what_to_do_with_exit_code_one(tmp_path: Path) -> None:
    well, ill = tmp_path / "well.db", tmp_path / "ill.db"
    assert done(well, "doctor").split() == ["ok", "database", "4", "kB"]
    assert json.loads(done(well, "doctor", "--json")) == [
        {"subject": "database", "ok": True, "detail": "4 kB", "advice": ""}
    ]
    lines = done(ill, "doctor", code=1).splitlines()
    assert lines[1].split() == ["wrong", "prompts", r"ja/\x1b[31m.wav"]
    assert lines[2].strip() == r"run make\nprompts"
    findings = json.loads(done(ill, "doctor", "--json", code=1))
    assert [finding["ok"] for finding in findings] == [True, False]


def test_readiness_is_one_word_and_the_exit_code_says_it_too(tmp_path: Path) -> None:
    well, ill = tmp_path / "well.db", tmp_path / "ill.db"
    assert done(well, "ready") == "healthy: a screener is connected\n"
    assert done(ill, "ready", code=1) == "degraded: no screener\\x1b[31m\n"
    assert json.loads(done(ill, "ready", "--json", code=1)) == {
        "state": "degraded", "reason": "no screener\x1b[31m",
    }  # fmt: skip


def test_release_says_how_many_calls_went_back(tmp_path: Path) -> None:
    assert done(tmp_path / "well.db", "release") == "1 call handed back\n"
    assert done(tmp_path / "ill.db", "release") == "no calls handed back\n"


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["nothing"],
        ["--nothing"],
        ["--config"],
        ["calls", "extra"],
        ["calls", "--jsn"],
        ["calls", "--json=yes"],
        ["calls", "-n"],
        ["calls", "-n", "0"],
        ["calls", "-n", "-1"],
        ["calls", "-n", "ten\n\x1b[31m"],
        ["calls", "-n", "1.5"],
        ["calls", "-n", "9" * 10_000],
        ["allow"],
        ["allow", ""],
        ["allow", "0312345678", "extra"],
        ["allow", "0312345678", "--nothing"],
        ["allow", "0312345678", "--note"],
        ["allow", "0312345678", "--note", "\udcff"],
        ["allow", "--note", "x"],
        ["allow", "--jsn"],
        ["allow", "-x"],
        ["allow", "anonymous"],
        ["allow", "12x"],
        ["allow", "\x1b[31m\n"],
        ["allow", "\udcff"],
        ["allow", "0" * 10_000],
        ["allow", "+0312345678"],
        ["block", "110"],
        ["block", "１１０"],
        ["block", "+110"],
        ["block", "sip:0312345678@example.com"],
        ["unlist"],
        ["unlist", "0312345678"],
        ["unlist", "x"],
        ["check"],
        ["check", "1", "2"],
        ["check", "--jsn"],
        ["check", "\udcff"],
        ["check", "1", "--name"],
        ["doctor", "extra"],
        ["run", "extra"],
        ["work", "x"],
        ["work", "0"],
    ],
)
def test_bad_arguments_are_refused_on_one_line(database: Path, words: list[str]) -> None:
    assert len(done(database, *words, code=2)) < 600


@pytest.mark.parametrize(
    "words", [["calls"], ["allow", "0312345678"], ["check", ""], ["doctor"], ["run"], ["release"]]
)
def test_settings_that_cannot_be_used_are_named_on_one_line(words: list[str]) -> None:
    line = done(None, *words, code=2)
    assert line == "screener: given.toml: [call] ring_seconds: 1 is not allowed"


def test_help_is_given_where_settings_cannot_be_used() -> None:
    commands = ("run", "calls", "allow", "block", "unlist", "check", "doctor", "ready", "release")
    for command in commands:
        assert f"screener {command}" in done(None, command, "--help")


@pytest.mark.parametrize("content", [None, b"no database at all" * 1000])
def test_a_database_that_cannot_be_used_is_named_on_one_line(
    database: Path, content: bytes | None
) -> None:
    if content is None:
        database.mkdir()
    else:
        database.write_bytes(content)
    for words in (["calls"], ["check", "110"], ["allow", "0312345678"], ["unlist", "0312345678"]):
        assert "screener.db" in done(database, *words, code=2)


def started(database: Path, *words: str, **streams: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
        [sys.executable, "-m", "tests.unit.test_cli", "--config", str(database), *words],
        cwd=Path(__file__).parents[2],
        stderr=subprocess.PIPE,
        text=True,
        **streams,
    )


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["calls"], 0),
        (["calls", "--json"], 0),
        (["check", "110"], 0),
        (["doctor"], 1),
        (["--help"], 0),
        (["calls", "--help"], 0),
    ],
)
def test_a_reader_who_left_early_is_no_trouble(tmp_path: Path, words: list[str], code: int) -> None:
    database = tmp_path / "ill.db"
    logged(database, [record("0312345678", started_at=STARTED + timedelta(n)) for n in range(9)])
    read, write = os.pipe()
    os.close(read)
    with started(database, *words, stdout=write) as process:
        os.close(write)
        _, complaint = process.communicate(timeout=60)
    assert (process.returncode, complaint) == (code, "")


def test_output_that_cannot_be_written_is_said_on_one_line(database: Path) -> None:
    with (
        Path("/dev/full").open("wb") as full,
        started(database, "check", "110", stdout=full) as process,
    ):
        _, complaint = process.communicate(timeout=60)
    assert complaint == "screener: cannot write to standard output: No space left on device\n"
    assert process.returncode == 2


def test_a_name_that_the_terminal_cannot_write_is_escaped(database: Path) -> None:
    logged(database, [ANSWERED])
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    with started(database, "calls", stdout=subprocess.PIPE, env=environment) as process:
        page, complaint = process.communicate(timeout=60)
    assert (process.returncode, complaint) == (0, "")
    assert r"\u5c71\u7530" in page


def test_ctrl_c_ends_the_service_quietly(database: Path) -> None:
    with started(database, "work", stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "serving\n"
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=60)
    assert (process.returncode, complaint) == (130, "")


if __name__ == "__main__":
    cli.build(load)()
