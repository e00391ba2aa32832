"""The page about the rules says what the policy does."""

import re
from pathlib import Path

import pytest

from screener.domain.household import SETTABLE, Profile, verdicts_of
from screener.domain.numbers import country, identify
from screener.domain.policy import Rule

PAGE = (Path(__file__).parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip(" `") for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| `")
]
CLASSES = {row[0]: row for row in ROWS if len(row) == 6 and row[0] != "class"}


def test_the_page_names_every_rule_in_its_order() -> None:
    assert re.findall(r"^\| \d \| `(\w+)`", PAGE, re.MULTILINE) == list(Rule)


@pytest.mark.parametrize("column", range(2, 6))
def test_the_page_says_what_each_profile_does(column: int) -> None:
    profile = (Profile.STANDARD, Profile.AS_THE_BOX, Profile.CAREFUL, Profile.MESSAGES_ONLY)[
        column - 2
    ]
    assert list(CLASSES) == list(SETTABLE)
    assert {name: row[column] for name, row in CLASSES.items()} == verdicts_of(profile)


@pytest.mark.parametrize("name", CLASSES)
def test_the_example_of_a_class_is_one(name: str) -> None:
    shown, phrase = CLASSES[name][1], CLASSES[name][1]
    given = "anonymous" if phrase in {"非通知", "公衆電話", "表示圏外"} else shown
    assert identify(given, phrase, country=country("JP")).number_class == name
