"""Text from outside can be read, and do nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screener.domain.inert import inert


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("山田　太郎 (自宅)", "山田　太郎 (自宅)"),
        ("a\nb\r\nc\td", r"a\nb\r\nc\td"),
        ("\x1b[31mred\x9b0m\a\x00", r"\x1b[31mred\x9b0m\x07\x00"),
        ("\u202e0110\u2066\u200f\u200b", r"\u202e0110\u2066\u200f\u200b"),
        ("\u2028\u2029\x85", r"\u2028\u2029\x85"),
        ("\udcff", r"\udcff"),
        ("${SHELL(rm)} [bold]x[/bold]", "${SHELL(rm)} [bold]x[/bold]"),
        ("", ""),
    ],
)
def test_what_could_act_becomes_an_escape_and_all_else_stays(text: str, shown: str) -> None:
    assert inert(text) == shown


@given(st.text(), st.integers(min_value=1, max_value=30))
def test_any_text_comes_back_printable_and_no_longer_than_asked(text: str, longest: int) -> None:
    shown = inert(text, longest)
    assert len(shown) <= longest
    assert shown.replace("\u3000", "").isprintable()


def test_a_cut_text_says_that_it_was_cut() -> None:
    assert inert("x" * 10_000, 5) == "xxxx…"
    assert inert("xxxxx", 5) == "xxxxx"
