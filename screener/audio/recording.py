"""From what Asterisk wrote during a call to one lossless stereo file with its SHA-256."""

import asyncio
import fcntl
import hashlib
import os
import shutil
import wave
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from screener.domain.call_record import CallRecord, Recording

# What MixMonitor's option D writes: caller left, household right, no header.
RATE_HZ: Final = 8000
CHANNELS: Final = 2
SAMPLE_BYTES: Final = 2
FRAME_BYTES: Final = CHANNELS * SAMPLE_BYTES

_CHUNK_BYTES: Final = 1 << 18
_CLOSED_SECONDS: Final = 10.0
_CLOSED_PAUSE_SECONDS: Final = 0.05


class Recordings:
    """The recordings directory: ``live/`` is Asterisk's, everything else is finished."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @property
    def live_directory(self) -> Path:
        """Where the dialplan writes, and nobody else."""
        return self._directory / "live"

    def live(self, call_id: str) -> Path:
        """Return where the dialplan records a call (dialplan/ring.conf)."""
        return self.live_directory / f"{call_id}.raw"

    def finished(self, record: CallRecord) -> Path:
        """Return where a call's finished recording lies; no caller's number is in the name."""
        started = record.started_at.astimezone(UTC)
        return self._directory / f"{started:%Y-%m}" / f"{started:%Y%m%dT%H%M%SZ}-{record.id}.wav"

    def recorded_until(self, record: CallRecord) -> datetime | None:
        """Return when the last sound of a call was written; None where nothing was recorded."""
        try:
            return datetime.fromtimestamp(self.live(record.id).stat().st_mtime, UTC)
        except OSError:
            return None

    def recorded_seconds(self, record: CallRecord) -> float | None:
        """Return how much of a call is recorded and not archived yet; None where nothing is."""
        try:
            return self.live(record.id).stat().st_size / (FRAME_BYTES * RATE_HZ)
        except OSError:
            return None

    def free(self) -> int:
        """Return how many bytes the disk of the recordings has left. Raises OSError."""
        return shutil.disk_usage(self._directory).free

    def left_over(self) -> list[str]:
        """Return the ids of the calls that are recorded now, or were and are not archived yet."""
        return sorted(raw.stem for raw in self.live_directory.glob("*.raw"))

    async def archive(self, record: CallRecord) -> Recording | None:
        """Turn what was recorded into the finished file; None where there is no sound.

        Waits for Asterisk to close the file, 10 s at most. May be repeated after a crash at any
        moment, since the raw file stays until ``discard_raw``. Raises OSError.
        """
        raw = self.live(record.id)
        if not raw.exists():
            return None
        await _closed(raw)
        return await asyncio.to_thread(_finish, raw, self.finished(record))

    def discard_raw(self, record: CallRecord) -> None:
        """Drop what Asterisk wrote of a call; to be done when the call log has the recording."""
        self.live(record.id).unlink(missing_ok=True)


async def _closed(raw: Path) -> None:
    """Wait until nobody writes to the file: only then the kernel grants a read lease (fcntl(2))."""
    with raw.open("rb") as opened:
        try:
            async with asyncio.timeout(_CLOSED_SECONDS):
                while True:
                    try:
                        fcntl.fcntl(opened, fcntl.F_SETLEASE, fcntl.F_RDLCK)
                    except BlockingIOError:
                        await asyncio.sleep(_CLOSED_PAUSE_SECONDS)
                    else:
                        fcntl.fcntl(opened, fcntl.F_SETLEASE, fcntl.F_UNLCK)
                        return
        except TimeoutError:
            return  # what is there by now is what there is
        except OSError:
            # Not our file, or a file system without leases: half a second is what a call's end
            # takes on a busy machine.
            await asyncio.sleep(0.5)


def _finish(raw: Path, finished: Path) -> Recording | None:
    frames = raw.stat().st_size // FRAME_BYTES
    if frames == 0:
        raw.unlink()
        return None
    finished.parent.mkdir(parents=True, exist_ok=True)
    growing = finished.with_suffix(".part")
    try:
        _write(raw, growing, frames)
        growing.replace(finished)
    except OSError:
        growing.unlink(missing_ok=True)  # on a full disk it would take the room of the next call
        raise
    with finished.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    return Recording(path=finished, seconds=round(frames / RATE_HZ, 3), sha256=digest)


def _write(raw: Path, growing: Path, frames: int) -> None:
    with raw.open("rb") as source, growing.open("wb") as target:
        with wave.open(target, "wb") as sound:
            sound.setnchannels(CHANNELS)
            sound.setsampwidth(SAMPLE_BYTES)
            sound.setframerate(RATE_HZ)
            sound.setnframes(frames)
            left = frames * FRAME_BYTES
            while chunk := source.read(min(_CHUNK_BYTES, left)):
                sound.writeframesraw(chunk)
                left -= len(chunk)
        target.flush()
        os.fsync(target.fileno())
