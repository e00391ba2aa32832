"""Recordings: nothing is lost, whatever happens while the finished file is made."""

import asyncio
import hashlib
import os
import struct
import sys
import time
import wave
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from screener.audio.recording import Recordings
from screener.domain.call_record import CallRecord, Recording
from screener.domain.caller import Caller, NumberClass
from screener.domain.policy import Decision, Rule, Verdict

LEFT, RIGHT = 1000, -2000
FRAME = struct.pack("<hh", LEFT, RIGHT)
STARTED = datetime(2026, 3, 1, 8, 30, tzinfo=timezone(timedelta(hours=9)))
RECORD = CallRecord(
    id="1795374948.1",
    line="0398765432",
    caller=Caller(given="x", name="", e164=None, number_class=NumberClass.MALFORMED),
    decision=Decision(verdict=Verdict.SCREEN, rule=Rule.CLASS, reason="malformed"),
    started_at=STARTED,
)
# Opens a file for writing as Asterisk does, says so, and closes it when told to.
WRITER = """
import sys
with open(sys.argv[1], "ab") as recording:
    print(flush=True)
    sys.stdin.read()
    recording.write(b"12345678")
"""


@pytest.fixture
def recordings(tmp_path: Path) -> Recordings:
    (tmp_path / "live").mkdir()
    return Recordings(tmp_path)


def recorded(recordings: Recordings, sound: bytes) -> Path:
    raw = recordings.live(RECORD.id)
    raw.write_bytes(sound)
    return raw


@asynccontextmanager
async def somebody_writing(path: Path) -> AsyncIterator[Callable[[], None]]:
    """Hold the file open in another process; gives what makes it write eight bytes and close."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        WRITER,
        str(path),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin
    assert process.stdout
    await process.stdout.readline()
    close = process.stdin.close
    try:
        yield close
    finally:
        close()
        await process.wait()


async def test_a_recording_becomes_stereo_with_the_caller_left_and_the_household_right(
    recordings: Recordings,
) -> None:
    """Every sample is kept, the file is named after time and call, and its hash is right."""
    recorded(recordings, FRAME * 12_001)
    recording = await recordings.archive(RECORD)
    assert recording
    with wave.open(str(recording.path), "rb") as sound:
        shape = (sound.getnchannels(), sound.getsampwidth(), sound.getframerate())
        assert shape == (2, 2, 8000)
        assert sound.getnframes() == 12_001
        assert struct.unpack("<hh", sound.readframes(1)) == (LEFT, RIGHT)
        assert sound.readframes(12_000) == FRAME * 12_000
    assert recording.seconds == pytest.approx(12_001 / 8000, abs=0.001)
    assert recording.sha256 == hashlib.sha256(recording.path.read_bytes()).hexdigest()
    assert recording.path == recordings.finished(RECORD)
    assert recording.path.name == "20260228T233000Z-1795374948.1.wav"
    assert recording.path.parent.name == "2026-02"


async def test_it_waits_for_whoever_still_writes_and_no_longer(recordings: Recordings) -> None:
    """The last sound, written while it waits, is in the finished file."""
    raw = recorded(recordings, FRAME * 8000)
    async with somebody_writing(raw) as close:
        archiving = asyncio.create_task(recordings.archive(RECORD))
        done, _ = await asyncio.wait([archiving], timeout=0.3)
        assert not done, "it did not wait"
        closed = time.monotonic()
        close()
        recording = await archiving
    assert time.monotonic() - closed < 3
    assert recording
    with wave.open(str(recording.path), "rb") as sound:
        assert sound.getnframes() == 8002


async def test_waiting_can_be_called_off_with_nothing_lost(recordings: Recordings) -> None:
    raw = recorded(recordings, FRAME * 8000)
    async with somebody_writing(raw):
        archiving = asyncio.create_task(recordings.archive(RECORD))
        await asyncio.wait([archiving], timeout=0.1)
        archiving.cancel()
        await asyncio.wait([archiving])
    assert archiving.cancelled()
    assert recordings.left_over() == [RECORD.id]
    assert not recordings.finished(RECORD).exists()
    assert await recordings.archive(RECORD)


def crashed_before_anything(raw: Path, finished: Path) -> None:
    pass


def crashed_while_writing(raw: Path, finished: Path) -> None:
    finished.parent.mkdir()
    finished.with_suffix(".part").write_bytes(b"RIFF and a little more")


def crashed_before_the_name_was_changed(raw: Path, finished: Path) -> None:
    finished.parent.mkdir()
    finished.with_suffix(".part").write_bytes(b"RIFF" + raw.read_bytes())


def crashed_before_the_log_had_it(raw: Path, finished: Path) -> None:
    finished.parent.mkdir()
    finished.write_bytes(b"RIFF" + raw.read_bytes())


@pytest.mark.parametrize(
    "crash",
    [
        crashed_before_anything,
        crashed_while_writing,
        crashed_before_the_name_was_changed,
        crashed_before_the_log_had_it,
    ],
)
async def test_it_can_be_done_again_after_a_crash_at_any_step(
    recordings: Recordings, crash: Callable[[Path, Path], None]
) -> None:
    """The raw file is there until the log has the recording, so the result is always the same."""
    raw = recorded(recordings, FRAME * 4000)
    crash(raw, recordings.finished(RECORD))
    first = await recordings.archive(RECORD)
    assert first
    assert recordings.left_over() == [RECORD.id]
    again = await recordings.archive(RECORD)
    assert again == first
    recordings.discard_raw(RECORD)
    recordings.discard_raw(RECORD)
    assert recordings.left_over() == []
    assert list(first.path.parent.iterdir()) == [first.path]
    assert first.sha256 == hashlib.sha256(first.path.read_bytes()).hexdigest()
    assert await recordings.archive(RECORD) is None


@pytest.mark.parametrize("size", [0, 1, 3])
async def test_a_recording_without_a_sound_is_none_and_leaves_nothing(
    recordings: Recordings, size: int
) -> None:
    recorded(recordings, b"x" * size)
    assert await recordings.archive(RECORD) is None
    assert recordings.left_over() == []


@pytest.mark.parametrize("more", [1, 2, 3])
async def test_a_last_frame_cut_short_by_a_power_cut_is_left_out(
    recordings: Recordings, more: int
) -> None:
    recorded(recordings, FRAME * 100 + b"x" * more)
    recording = await recordings.archive(RECORD)
    assert recording
    with wave.open(str(recording.path), "rb") as sound:
        assert sound.getnframes() == 100
        assert sound.readframes(200) == FRAME * 100


async def test_a_call_that_was_not_recorded_has_no_recording(tmp_path: Path) -> None:
    """Nor has one where even the directory is missing."""
    for recordings in (Recordings(tmp_path), Recordings(tmp_path / "missing")):
        assert await recordings.archive(RECORD) is None
        assert recordings.recorded_until(RECORD) is None
        assert recordings.left_over() == []
        recordings.discard_raw(RECORD)


async def test_a_failure_keeps_what_was_recorded_for_another_try(
    recordings: Recordings, tmp_path: Path
) -> None:
    raw = recorded(recordings, FRAME * 100)
    in_the_way = tmp_path / "2026-02"
    in_the_way.write_text("not a directory")
    with pytest.raises(OSError, match="2026-02"):
        await recordings.archive(RECORD)
    assert raw.read_bytes() == FRAME * 100
    in_the_way.unlink()
    assert isinstance(await recordings.archive(RECORD), Recording)


async def test_it_knows_when_the_last_sound_was_written(recordings: Recordings) -> None:
    raw = recorded(recordings, FRAME)
    os.utime(raw, (STARTED.timestamp(), STARTED.timestamp()))
    assert recordings.recorded_until(RECORD) == STARTED.astimezone(UTC)


async def test_a_long_recording_is_made_in_pieces_and_whole(recordings: Recordings) -> None:
    """Ten minutes, which is more than fits one piece."""
    sound = bytes(range(256)) * 4 * 18_750
    recorded(recordings, sound)
    recording = await recordings.archive(RECORD)
    assert recording
    assert recording.seconds == 600
    with wave.open(str(recording.path), "rb") as finished:
        assert finished.readframes(finished.getnframes()) == sound
