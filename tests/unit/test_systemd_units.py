"""The units for systemd: what they may do, what they start, and that systemd understands them."""

import configparser
import re
import subprocess
from pathlib import Path

import pytest

from screener.supervisor.supervisor import Limits

TOP = Path(__file__).parents[2]
UNITS = sorted((TOP / "config" / "systemd").glob("*.service"), key=lambda unit: unit.stem)
HIGHEST_EXPOSURE = 1.5  # of 10, by systemd's own measure; peers' units score 9
HOME = "/srv/screener"


def analyzed(*words: str) -> str:
    """Return what systemd-analyze says; `make test` gets it where it is missing."""
    asked = subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False)
    assert asked.returncode == 0, asked.stdout + asked.stderr
    return asked.stdout + asked.stderr


def service(unit: Path) -> configparser.SectionProxy:
    parsed = configparser.ConfigParser(strict=False, interpolation=None, delimiters="=")
    parsed.optionxform = str  # type: ignore[assignment,method-assign]
    parsed.read(unit)
    return parsed["Service"]


def test_there_is_one_for_asterisk_and_one_for_the_screener() -> None:
    assert [unit.stem for unit in UNITS] == ["screener", "screener-asterisk"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_is_exposed_as_little_as_can_be(unit: Path) -> None:
    said = analyzed("security", "--offline=true", "--no-pager", str(unit))
    found = re.search(r"Overall exposure level for .*: (\d+\.\d+)", said)
    assert found, said
    assert float(found[1]) <= HIGHEST_EXPOSURE


def test_systemd_understands_every_line(tmp_path: Path) -> None:
    """A key that it does not know it would pass over in silence."""
    for program in (".venv/bin/screener", "config/asterisk/start"):
        (tmp_path / program).parent.mkdir(parents=True)
        (tmp_path / program).touch(mode=0o755)
    for unit in UNITS:
        moved = unit.read_text().replace(HOME, str(tmp_path))
        # It would look for the page, and for the targets of a running systemd.
        kept = [line for line in moved.splitlines() if not line.startswith("Documentation=")]
        (tmp_path / unit.name).write_text("\n".join(kept))
    said = analyzed("verify", "--man=no", *(str(tmp_path / unit.name) for unit in UNITS))
    assert str(tmp_path) not in said


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_is_started_again_for_ever_and_runs_as_nobody_else(unit: Path) -> None:
    settings = service(unit)
    assert settings["Restart"] == "always"
    assert "StartLimitIntervalSec=0" in unit.read_text()
    assert settings["User"] == "screener"
    assert settings["WorkingDirectory"] == HOME
    assert settings["ReadWritePaths"].split() == [f"{HOME}/state", f"{HOME}/recordings"]


def test_what_the_units_start_is_there() -> None:
    screener, asterisk = map(service, UNITS)
    started = Path(asterisk["ExecStart"].replace(HOME, str(TOP)))
    assert started.stat().st_mode & 0o111
    assert screener["ExecStart"] == f"{HOME}/.venv/bin/screener run"
    assert screener["ExecStopPost"] == f"-{HOME}/.venv/bin/screener release"


def test_whoever_stops_the_screener_waits_longer_than_it_takes_to_see_calls_through() -> None:
    screener = service(UNITS[0])
    grace = re.search(r"stop_grace_period: (\d+)s", (TOP / "compose.yaml").read_text())
    assert grace
    for seconds in (screener["TimeoutStopSec"], screener["TimeoutAbortSec"], grace[1]):
        assert int(seconds) > Limits().drain


def test_the_container_is_healthy_while_calls_are_screened() -> None:
    assert 'CMD ["screener", "ready"]' in (TOP / "Dockerfile").read_text()
