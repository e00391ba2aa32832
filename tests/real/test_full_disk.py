"""A disk that is full: talks go on, the log says what is missing, and telephones can register."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.asterisk import Asterisk
from lab.listen import tone, tone_share
from lab.ports import Address, own_place
from lab.process import until
from lab.rtp import ear
from lab.scenario import Caller, Handset
from lab.screener import Screener, Tables
from lab.sip import registration, telephone
from lab.sipp import calling, handset


@contextmanager
def disk_of(megabytes: int, place: Path) -> Iterator[Path]:
    """Lend a small disk: a tmpfs, which root can mount."""
    place.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    size = f"size={megabytes}m"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "screener-test", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MB for recordings and database."""
    with disk_of(2, tmp_path / "disk") as disk:
        yield disk


@pytest.fixture
def asterisk_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MB for Asterisk's own things."""
    with disk_of(8, tmp_path / "disk") as disk:
        yield disk


def fill(disk: Path) -> Path:
    """Leave not a byte free; return what to delete for room."""
    ballast = disk / "ballast"
    with ballast.open("ab", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            return ballast


async def test_a_disk_that_fills_up_in_a_talk_cuts_the_recording_and_nothing_else(
    small_disk: Path, quick_prompts: Path
) -> None:
    """Both hear each other to the end, the next caller is warned and rings; the rows follow."""
    settings: Tables = {
        "database": {"path": str(small_disk / "screener.db")},
        "recordings": {"reserve_mb": 0},
    }
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


async def test_below_the_reserve_calls_ring_and_are_not_recorded_until_there_is_room_again(
    asterisk_disk: Path, quick_prompts: Path, tmp_path: Path
) -> None:
    """With the screener, without it, and with it again; its log says why."""
    settings: Tables = {"recordings": {"reserve_mb": 2}}
    with own_place() as place:
        async with (
            Asterisk(
                place, prompts=quick_prompts, recordings=asterisk_disk / "recordings"
            ) as asterisk,
            Screener(asterisk, settings=settings, directory=tmp_path / "s") as screener,
        ):
            live, password = asterisk.recordings / "live", asterisk.handset_password
            ballast = fill(asterisk_disk)
            os.truncate(ballast, ballast.stat().st_size - 1_000_000)

            def says(what: str) -> bool | None:
                return what in screener.process.log() or None

            async with handset(place, Handset(hangs_up_after=1000), password) as phone:

                async def rings(count: int) -> None:
                    mouth = Address(place.trunk, place.media_port(place.trunk))
                    async with (
                        ear(mouth, says=tone(440.0, 30)),
                        calling(place, Caller(hears_at=mouth.port)) as caller,
                    ):
                        (leg,) = await caller.finished()
                    assert leg.outcome == 200
                    assert len(phone.invited()) == count

                async def recorded(count: int) -> list[bool]:
                    """Return which of so many calls are recorded, newest first."""
                    await until(lambda: not any(live.iterdir()) or None, 30, "the last recording")
                    ended = await screener.ended_calls(count, seconds=30)
                    return [call["recording"] is not None for call in ended]

                await until(lambda: says("recording_paused"), 30, "the pause")
                await rings(1)
                await screener.kill()
                await rings(2)
                await screener.start()
                assert await recorded(2) == [False, False]
                ballast.unlink()
                await until(lambda: says("recording_resumed"), 30, "the end of the pause")
                await rings(3)
                assert await recorded(3) == [True, False, False]


@pytest.mark.parametrize("ends", ["stop", "kill"])
async def test_a_telephone_registers_and_rings_on_a_full_disk_though_asterisk_ends(
    ends: str, asterisk_disk: Path, quick_prompts: Path, tmp_path: Path
) -> None:
    """The registration is kept, renewed, and found again by the next Asterisk, on the full disk."""
    state, recordings = asterisk_disk / "state", asterisk_disk / "recordings"
    with own_place() as place:
        async with Asterisk(
            place, directory=state, printed=tmp_path, prompts=quick_prompts, recordings=recordings
        ) as asterisk:
            fill(asterisk_disk)
            async with telephone(place.sip_port(place.handset), place.sip) as phone:

                async def registered(seconds: int) -> str:
                    request = registration(phone, seconds=seconds)
                    answer = await phone.ask(request, password=asterisk.handset_password)
                    return answer.header("Contact")

                assert str(phone.here) in await registered(120)
                expiry = await until(lambda: _expiry(asterisk), 20, "a registration")
                await (asterisk.stop() if ends == "stop" else asterisk.kill())
                fill(asterisk_disk)
                await asterisk.start()
                assert "using that of the last start" in asterisk.process.log()
                async with calling(place, Caller()) as caller:
                    await caller.finished()
                assert len(phone.requests("INVITE")) == 1
                assert str(phone.here) in await registered(600)
                await until(lambda: _later(asterisk, expiry), 20, "a longer registration")


def _expiry(asterisk: Asterisk) -> int | None:
    """Return until when a telephone is registered, as the database on the disk has it."""
    contacts = asterisk.kept("/registrar/contact/handset").values()
    return max((int(json.loads(each)["expiration_time"]) for each in contacts), default=None)


def _later(asterisk: Asterisk, than: int) -> bool | None:
    return (_expiry(asterisk) or 0) > than or None
