"""Asterisk and the screener know the same emergency numbers; wrong settings start nothing."""

import os
import subprocess
from pathlib import Path

import pytest

from screener.domain.country import COUNTRIES, country

TOP = Path(__file__).resolve().parents[2]


def test_the_dialplan_has_the_emergency_numbers_of_every_country() -> None:
    lines = (TOP / "config" / "emergency-numbers").read_text().splitlines()
    listed = {line[:2]: set(line[2:].split()) for line in lines if not line.startswith("#")}
    assert listed == {code: set(country(code).emergency) for code in COUNTRIES}
    assert listed["JP"] == {"110", "118", "119"}
    assert all(number.isascii() and number.isdigit() for code in listed for number in listed[code])


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("ASTERISK_EMERGENCY_MINUTES", "an hour"),
        ("ASTERISK_EMERGENCY_MINUTES", "-1"),
        ("ASTERISK_EMERGENCY_MINUTES", "1441"),
        ("ASTERISK_EMERGENCY_MINUTES", "9" * 30),
        ("ASTERISK_EMERGENCY_NUMBERS", "#7119;9110"),
        ("ASTERISK_EMERGENCY_NUMBERS", "_X!"),
        ("ASTERISK_EMERGENCY_NUMBERS", "119\n110"),
        ("ASTERISK_TRUNK_CHANNELS", "0"),
        ("ASTERISK_TRUNK_CHANNELS", "two"),
        ("SCREENER_COUNTRY", "Japan"),
        ("SCREENER_COUNTRY", "XX"),
        ("SCREENER_COUNTRY", ".."),
    ],
)
def test_a_wrong_setting_is_one_line_and_exit_2(setting: str, value: str, tmp_path: Path) -> None:
    settings = {"ASTERISK": "true", "ASTERISK_STATE": str(tmp_path / "state"), setting: value}
    started = subprocess.run(
        [TOP / "config" / "asterisk" / "start"],
        env=os.environ | settings, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert started.returncode == 2
    complaint = started.stderr.replace(value, "")
    assert complaint.startswith(f"asterisk: {setting}")
    assert complaint.count("\n") == 1
    assert not (tmp_path / "state").exists()
