"""Keeps room on the disk: below a reserve no talk is recorded, by us or by the dialplan."""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from screener.ari import Ari, AriError

log: Final = structlog.get_logger(__name__)

PAUSE: Final = 5.0  # seconds between two looks; a talk takes 32 kB a second
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
            left = reserve
        if (left < reserve) is not paused:
            paused = left < reserve
            _say(paused=paused, left=left, reserve=reserve)
        try:
            await ari.set_global(NO_ROOM, "1" if paused else "0")
        except AriError as error:  # it is told with the next look
            log.debug("room_not_told", error=str(error))
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
