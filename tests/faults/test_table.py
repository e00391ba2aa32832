"""What the harness says of programs that grow."""

import pytest

from tests.faults.play import Played
from tests.faults.stage import Size
from tests.faults.table import growth_of, growths


def played(*sizes: Size) -> Played:
    return Played("", "", sizes=list(sizes))


def lived(*megabytes: float, files: int = 10) -> list[Played]:
    """Return what came of as many faults; the last with so many files."""
    last = Size("screener", 7, megabytes[-1], files)
    return [*(played(Size("screener", 7, each, 10)) for each in megabytes[:-1]), played(last)]


@pytest.mark.parametrize(
    ("done", "too_much"),
    [
        (lived(50, 80, 70, 90, 88), False),
        (lived(50, 80, 70, 90, 89), True),
        (lived(80, 80, 80, 80, files=13), True),
    ],
    ids=["within a tenth of what it was when warm", "more", "files"],
)
def test_a_program_that_does_not_return_to_its_size_is_named(
    done: list[Played], too_much: bool
) -> None:
    (growth,) = found = growths(done)
    assert growth.too_much is too_much
    (line,) = growth_of(found)
    assert line.startswith("grew too much: screener" if too_much else "screener: 80.0 MB")


def test_of_each_program_the_longest_life_is_told_and_a_short_one_not_judged() -> None:
    short = [played(Size("Asterisk", 8, 10, 10)), played(Size("Asterisk", 8, 100, 100))]
    old = [played(Size("screener", 6, 70, 10)) for _ in range(4)]
    (line,) = growth_of(growths([*old, *lived(80, 80, 80, 80, 81), *short]))
    assert "81.0 MB and 10 after 5 faults" in line
