"""A disk that fills up in a talk: the talk goes on, and the log says what is missing."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.asterisk import Asterisk
from lab.listen import tone, tone_share
from lab.ports import Address, own_place
from lab.process import until
from lab.rtp import ear
from lab.scenario import Caller, Handset
from lab.screener import Screener, Tables
from lab.sipp import calling, handset


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MB for recordings and database: a tmpfs, which root can mount."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "screener-test", str(place)]
    subprocess.run(mount, check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk: Path) -> Path:
    """Leave not a byte free; return what to delete for room."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            return ballast


async def test_a_disk_that_fills_up_in_a_talk_cuts_the_recording_and_nothing_else(
    small_disk: Path, quick_prompts: Path
) -> None:
    """Both hear each other to the end, the next caller is warned and rings; the rows follow."""
    settings: Tables = {"database": {"path": str(small_disk / "screener.db")}}
    with own_place() as place:
        ear_of_caller = Address(place.trunk, place.media_port(place.trunk))
        ear_of_household = Address(place.handset, place.media_port(place.handset))
        household = Handset(answers_after=100, hangs_up_after=8000, hears_at=ear_of_household.port)
        async with (
            Asterisk(
                place, prompts=quick_prompts, recordings=small_disk / "recordings"
            ) as asterisk,
            Screener(asterisk, settings=settings) as screener,
            ear(ear_of_caller, says=tone(440.0, 30)) as at_caller,
            ear(ear_of_household, says=tone(620.0, 30)) as at_household,
        ):
            live = asterisk.recordings / "live"

            def recorded() -> bool | None:
                return any(each.stat().st_size > 48_000 for each in live.glob("*.raw")) or None

            async with (
                handset(place, household, asterisk.handset_password) as phone,
                calling(place, Caller(hears_at=ear_of_caller.port)) as caller,
            ):
                await until(recorded, 20, "a recording")
                ballast = fill(small_disk)
                (leg,) = await caller.finished()
                (talk,) = phone.legs()
            async with (
                handset(place, Handset(hangs_up_after=300), asterisk.handset_password) as phone,
                calling(place, Caller(number="0661234567")) as caller,
            ):
                (second,) = await caller.finished()
                assert len(phone.invited()) == 1
            ballast.unlink()
            second_row, row = await screener.ended_calls(2, seconds=30)
    assert leg.ended_by_us is False
    answered, ended = talk.at(200), talk.messages[-1].at
    assert answered
    assert ended - answered > 7
    for heard, hertz in ((at_caller.heard()[1], 620.0), (at_household.heard()[1], 440.0)):
        assert tone_share(heard[-16_000:], hertz) > 0.9
    assert (row["disposition"], row["ended_by"], row["warned"]) == ("answered", "household", True)
    assert row["recording"] is None or row["recording"]["whole"] is False
    assert second.outcome == 200
    assert (second_row["disposition"], second_row["warned"]) == ("answered", True)
    assert second_row["recording"] is None
