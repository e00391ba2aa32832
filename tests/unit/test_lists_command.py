"""``screener lists``: update, import, show and rollback, as a household's family would use them."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from screener import cli, service
from tests.unit.listmaking import csv_of, many

SHIPPED = Path(__file__).parents[2] / "config" / "fraud-list.csv"
Say = Callable[..., str]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a settings file that names one list."""
    for variable in [name for name in os.environ if name.upper().startswith("SCREENER_")]:
        monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)
    settings(name="numbers", source="numbers.csv")
    Path("numbers.csv").write_text(csv_of(many(10)))
    return tmp_path


def settings(**table: object) -> None:
    lines = [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    Path("screener.toml").write_text("\n".join(["[[lists.fraud]]", *lines, ""]))


def run(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(cli.build(service.load), ["--config", "screener.toml", *words])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout, result.stderr


def done(*words: str) -> str:
    code, out, err = run(*words)
    assert (code, err) == (0, "")
    return out


def refused(*words: str) -> str:
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert line.isprintable()
    return line


def shown(name: str = "numbers") -> Any:
    return json.loads(done("lists", "show", name, "--json"))


def test_a_small_file_of_the_household_counts_before_any_update() -> None:
    check = json.loads(done("check", "+18005550001", "--json"))
    assert (check["rule"], check["entry"]["origin"]) == ("fraud_list", "numbers")
    assert not Path("state").exists()


def test_an_update_says_what_it_took_and_show_says_what_counts() -> None:
    said = done("lists", "update")
    assert said.startswith("numbers is now version 2026-11-22-")
    assert said.endswith("with 10 entries (before: 0)\n")
    assert "numbers is unchanged" in done("lists", "update", "numbers")
    table = done("lists", "show")
    assert "numbers" in table
    assert "2026-11-22" in table
    found = shown()
    assert (found["count"], found["wrong"], found["malformed"]) == (10, [], 0)
    assert found["version"] in done("lists", "show", "numbers")


def test_what_was_refused_and_what_was_malformed_is_shown() -> None:
    Path("numbers.csv").write_text(csv_of(["+81*", *many(3)]) + "x,,,\n")
    done("lists", "update")
    found = shown()
    assert found["refused"] == {"fixes too few digits": {"count": 1, "examples": ["+81*"]}}
    assert found["faults"] == ["line 6: not a telephone number: “x”; write digits, or + and digits"]
    text = done("lists", "show", "numbers")
    assert "1: fixes too few digits: +81*" in text
    assert "line 6: not a telephone number" in text


def test_a_number_is_looked_up_in_all_lists() -> None:
    assert "+1 800-555-0001" in done("lists", "show", "+1 800 555 0001")
    assert done("lists", "show", "0312345678") == "on none of the shared lists\n"
    (entry,) = json.loads(done("lists", "show", "+18005550001", "--json"))
    assert (entry["origin"], entry["number"]) == ("numbers", "+18005550001")
    assert "no list is called so (there are: numbers)" in refused("lists", "show", "nonsense")


def test_a_list_that_changes_too_much_waits_and_is_taken_with_a_yes() -> None:
    done("lists", "update")
    Path("numbers.csv").write_text(csv_of(many(200)))
    said = done("lists", "update")
    assert "numbers would grow from 10 to 200 entries" in said
    assert "screener lists update numbers --yes" in said
    assert shown()["waiting"] == {
        "version": shown()["waiting"]["version"],
        "before": 10,
        "after": 200,
    }
    assert "an update waits for a yes" in done("lists", "show")
    assert "with 200 entries" in done("lists", "update", "--yes")


def test_a_rollback_stays_until_a_yes() -> None:
    done("lists", "update")
    assert "no version before" in refused("lists", "rollback", "numbers")
    Path("numbers.csv").write_text(csv_of(many(12)))
    done("lists", "update")
    assert "is back at version" in done("lists", "rollback", "numbers")
    assert (shown()["count"], shown()["held"]) == (10, True)
    assert "is not updated: rolled back" in done("lists", "update")
    assert "with 12 entries" in done("lists", "update", "--yes")


def test_an_exported_list_is_imported_as_the_same_list() -> None:
    Path("numbers.csv").write_text(
        'number,source,date,note\n+18005550000,police,2026-11-20,"a ""b"", c"\n+1800555*,,,\n'
    )
    done("lists", "update")
    before = done("lists", "show", "numbers", "--csv")
    Path("copy.csv").write_text(before)
    assert "is now version" in done("lists", "import", "numbers", "copy.csv")
    assert done("lists", "show", "numbers", "--csv") == before
    assert "police: a" in before


def test_a_note_that_looks_like_a_formula_is_none_in_the_export() -> None:
    Path("numbers.csv").write_text('number,source,date,note\n+18005550000,"=1+1",,\n')
    done("lists", "update")
    assert "+18005550000,,,'=1+1" in done("lists", "show", "numbers", "--csv")


def test_what_cannot_be_taken_is_said_on_one_line_and_nothing_changes() -> None:
    done("lists", "update")
    Path("numbers.csv").unlink()
    assert "list numbers: numbers.csv cannot be read" in refused("lists", "update")
    assert shown()["count"] == 10
    assert "the last update failed" in shown()["wrong"][0]
    assert "cannot be read" in refused("lists", "import", "numbers", "nothing.csv")
    for words in (("update", "x"), ("import", "x", "y"), ("rollback", "x")):
        assert "there is no list x in [lists]; there are: numbers" in refused("lists", *words)


def test_an_allowed_number_cannot_be_on_a_list() -> None:
    done("allow", "+18005550001")
    done("lists", "update")
    assert shown()["refused"] == {"on the allow list": {"count": 1, "examples": ["+18005550001"]}}


def test_the_doctor_warns_of_what_is_old_or_failed() -> None:
    settings(name="numbers", source="numbers.csv", oldest_days=30)
    os.utime("numbers.csv", (1_700_000_000, 1_700_000_000))
    done("lists", "update")
    assert any("days old" in worry for worry in shown()["wrong"])
    _, out, _ = run("doctor", "--json")
    details = [each["detail"] for each in json.loads(out) if each["subject"] == "fraud list"]
    assert any("numbers: " in each and "days old" in each for each in details)


def test_a_background_update_takes_what_is_due_and_speaks_json() -> None:
    """In a process of its own, as the service starts it: it makes itself less urgent."""
    command = [sys.executable, "-m", "screener", "--config", "screener.toml"]
    words = ["lists", "update", "--background", "--json"]
    top = str(Path(__file__).parents[2])
    said = subprocess.run(
        [*command, *words], capture_output=True, check=True, timeout=60,
        env={**os.environ, "PYTHONPATH": top},
    )  # fmt: skip
    (outcome,) = json.loads(said.stdout)
    assert (outcome["name"], outcome["state"], outcome["after"]) == ("numbers", "taken", 10)


def test_the_list_that_is_shipped_is_without_fault_and_names_its_sources() -> None:
    settings(name="numbers", source=str(SHIPPED))
    done("lists", "update")
    found = shown()
    assert (found["malformed"], found["refused"], found["doubled"]) == (0, {}, 0)
    rows = done("lists", "show", "numbers", "--csv").splitlines()[1:]
    assert rows
    for row in rows:
        number, _, day, note = row.split(",", 3)
        assert day
        assert note
        assert not number.startswith("+81"), "it blocks nobody in Japan"
