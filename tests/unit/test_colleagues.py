"""Who of the screeners on one database is there: known from locks, and of the dead at once."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from screener.store.colleagues import Colleagues
from screener.store.damage import is_gone, set_aside

HOLD = """
import sys, time
from pathlib import Path
from screener.store.colleagues import Colleagues
colleagues = Colleagues(Path(sys.argv[1]), sys.argv[2])
print(colleagues.appear(), flush=True)
time.sleep(600)
"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "screener.db"


@contextmanager
def another(database: Path, name: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a process that is there under a name."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(database), name], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        try:
            assert process.stdout.readline() == "True\n"
            yield process
        finally:
            process.kill()


def test_another_is_there_until_it_is_killed(database: Path) -> None:
    with Colleagues(database, "screener") as ours:
        assert ours.others() == ours.gone() == set()
        with another(database, "screener-2") as process:
            assert (ours.others(), ours.gone()) == ({"screener-2"}, set())
            with ours.in_place_of("screener-2") as free:
                assert not free
            process.kill()
            process.wait()
            assert (ours.others(), ours.gone()) == (set(), {"screener-2"})


def test_one_that_is_stopped_is_there(database: Path) -> None:
    """It may go on at any moment; its supervisor ends it if it does not."""
    with another(database, "screener-2") as process:
        os.kill(process.pid, signal.SIGSTOP)
        assert Colleagues(database, "screener").others() == {"screener-2"}


def test_nobody_appears_whose_name_is_taken_or_whose_calls_are_just_taken_over(
    database: Path,
) -> None:
    first, second = Colleagues(database, "screener"), Colleagues(database, "screener")
    other = Colleagues(database, "screener-2")
    assert first.appear()
    assert first.appear()
    assert not second.appear()
    first.leave()
    with other.in_place_of("screener") as free:
        assert free
        assert not second.appear()
    assert second.appear()
    assert other.others() == {"screener"}
    second.leave()


def test_whom_asterisk_reaches_is_seen_from_outside(database: Path) -> None:
    looking = Colleagues(database, "screener")
    assert looking.connected() is None  # there never was one
    with Colleagues(database, "screener") as first, Colleagues(database, "screener-2") as second:
        assert looking.connected() == set()
        first.tell(connected=True)
        second.tell(connected=True)
        assert looking.connected() == {"screener", "screener-2"}
        first.tell(connected=False)
        assert looking.connected() == {"screener-2"}
    assert looking.connected() == set()


def test_where_no_file_can_be_made_nobody_is_known_and_nothing_fails(tmp_path: Path) -> None:
    with Colleagues(tmp_path / "missing" / "screener.db", "screener") as ours:
        ours.tell(connected=True)
        assert ours.others() == ours.gone() == set()
        assert ours.connected() is None


def test_one_that_cannot_be_looked_at_is_taken_for_there(database: Path) -> None:
    """Nobody's calls are taken away on a guess."""
    database.with_name("screener.db.here.screener-2").symlink_to("elsewhere")
    ours = Colleagues(database, "screener")
    assert (ours.others(), ours.gone()) == ({"screener-2"}, set())


def test_a_lock_is_no_sign_of_a_lost_database(database: Path) -> None:
    with Colleagues(database, "damaged-1"):
        assert not is_gone(database)
    assert set_aside(database) == []


def test_who_is_there_appears_anew_where_its_file_was_removed(database: Path) -> None:
    """Or it would be taken for dead for good, and its calls for free."""
    with Colleagues(database, "screener") as ours:
        other = Colleagues(database, "screener-2")
        Path(f"{database}.here.screener").unlink()
        assert other.others() == set()
        assert ours.appear()
        assert other.others() == {"screener"}
        with other.in_place_of("screener") as gone:
            assert not gone
