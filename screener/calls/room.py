"""Keeps room on the disk: below a reserve no talk is recorded, by us or by the dialplan."""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from screener.ari import Ari, AriError

log: Final = structlog.get_logger(__name__)

PAUSE: Final = 5.0  # seconds between two looks; a talk takes 32 kB a second
_AGAIN: Final = 1.1  # times the reserve must be free to record again, or it would be on and off
_UNTOLD: Final = 0.5  # seconds until Asterisk is told again that could not be
NO_ROOM: Final = "NO_ROOM"  # the dialplan's global variable (dialplan/ring.conf)


async def keep_room(ari: Ari, free: Callable[[], int], reserve: int, pause: float = PAUSE) -> None:
    """Look for ever how many bytes are ``free``, and tell the dialplan whether to record.

    Told at every look, as an Asterisk that was started again knows nothing of it; one that hears
    no more keeps to what it heard last. What cannot be seen counts as room.
    """
    paused = False
    while True:
        try:
            left = free()
        except OSError:
            left = 2 * reserve
        if (left < reserve * (_AGAIN if paused else 1)) is not paused:
            paused = not paused
            _say(paused=paused, left=left, reserve=reserve)
        try:
            await ari.set_global(NO_ROOM, "1" if paused else "0")
        except AriError as error:
            log.debug("room_not_told", error=str(error))
            await asyncio.sleep(min(pause, _UNTOLD))
        else:
            await asyncio.sleep(pause)


def _say(*, paused: bool, left: int, reserve: int) -> None:
    free_mb = left // 1_000_000
    if paused:
        log.error(
            "recording_paused",
            free_mb=free_mb,
            reserve_mb=reserve // 1_000_000,
            meanwhile="calls are warned and ring; talks are not recorded",
            advice="make room where the recordings are",
        )
    else:
        log.info("recording_resumed", free_mb=free_mb)
