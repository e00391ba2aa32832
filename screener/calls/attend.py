"""A call seen through whatever happens: the one place where a hangup and a fault end."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from screener.ari import AriError, RequestFailed
from screener.calls.call import Call
from screener.calls.desk import Desk
from screener.calls.ear import CallerHungUp, TakenAway
from screener.calls.entry import Entry
from screener.calls.inbound import follow, left
from screener.domain.call_record import Disposition

log: Final = structlog.get_logger(__name__)

# Back to the dialplan from the middle, from the end of the ring, and once to spare.
_FAIL_OPEN_TRIES: Final = 3

Work = Callable[[Call, Entry], Awaitable[None]]


async def attend(call: Call, desk: Desk, entry: Entry, work: Work) -> None:
    """Do the work and finish the recording; the row is closed, however the call ends.

    Cancelled (the screener stops), a call that is held goes back to the dialplan, and its row
    stays open for the next screener.
    """
    try:
        await _see_through(call, desk, entry, work)
        await finish(entry)
    except asyncio.CancelledError:
        await let_go(call, entry)
        raise


async def finish(entry: Entry) -> None:
    """Finish the recording of a call that is over, and say in the log how it ended."""
    await _archive(entry)
    if entry.record:
        log.info(
            "call_ended",
            caller=entry.record.caller.given,
            verdict=entry.record.decision.verdict,
            reason=entry.record.decision.reason,
            disposition=entry.record.disposition,
        )


async def let_go(call: Call, entry: Entry) -> None:
    """Hand a held call back because the screener stops; the next one closes its row."""
    if not call.held:
        return
    try:
        async with asyncio.timeout(call.limits.let_go):
            await call.hand_back()
        entry.failed_open()
    except CallerHungUp:
        left(call, entry)
    except (AriError, TimeoutError):
        log.warning("call_not_handed_back")


async def _see_through(call: Call, desk: Desk, entry: Entry, work: Work) -> None:
    try:
        await work(call, entry)
    except TakenAway:
        await _follow_if_released(call, desk, entry)
    except CallerHungUp:
        left(call, entry)
    except Exception as error:  # whatever breaks, the telephone rings
        log.exception("call_failed_open")
        if not isinstance(error, RequestFailed):  # who knows what became of it
            entry.if_caller_leaves = Disposition.FAILED_OPEN
        await _fail_open(call, desk, entry)


async def _follow_if_released(call: Call, desk: Desk, entry: Entry) -> None:
    """See whether a call that left our hands went back to the dialplan, and follow it there."""
    try:
        if await call.was_released():
            entry.failed_open()
            await follow(call, desk, entry)
        else:
            left(call, entry)
    except CallerHungUp:
        left(call, entry)


async def _fail_open(call: Call, desk: Desk, entry: Entry) -> None:
    """Hand a call back to the dialplan and follow it there."""
    for _ in range(_FAIL_OPEN_TRIES):
        try:
            await call.hand_back()
            entry.failed_open()
            await follow(call, desk, entry)
        except CallerHungUp:
            left(call, entry)
        except Exception:
            log.exception("call_failed_again")
            continue
        return
    log.error("call_lost_from_sight")
    entry.close_unseen()


async def _archive(entry: Entry) -> None:
    try:
        await entry.archive()
    except OSError as error:  # it is tried again with the next stock
        log.error("recording_not_finished", error=str(error))
    except Exception:  # nor does anything else end the other calls
        log.exception("recording_not_finished")
