"""An incoming call, from top to bottom, as one would tell a telephone operator."""

from contextlib import aclosing
from typing import Final

import structlog

from screener.audio.prompts import Prompt
from screener.calls.call import Call, HangupCause
from screener.calls.desk import Desk
from screener.calls.entry import Entry
from screener.calls.steps import (
    CallEnded,
    Elsewhere,
    HandsetAnswered,
    HandsetCalled,
    HandsetRinging,
    MessageOver,
    RingingEnded,
    Step,
)
from screener.domain.call_record import Disposition, EndedBy
from screener.domain.policy import Circumstances, Decision, Rule, Verdict, decide
from screener.store.database import StoreError

log: Final = structlog.get_logger(__name__)


async def inbound(call: Call, desk: Desk, entry: Entry) -> None:
    """Screen one call, to its end.

    Whatever goes wrong is raised, CallerHungUp included, with the row of the log still open.
    """
    decision = await write_down(call, desk, entry)
    match decision.verdict:
        case Verdict.BLOCK:
            entry.if_caller_leaves = Disposition.BLOCKED
            await call.hang_up(HangupCause.CALL_REJECTED)
            entry.close(Disposition.BLOCKED, EndedBy.SCREENER)
        case Verdict.PASS:
            known = decision.rule in {Rule.ALLOW_LIST, Rule.DIALLED}
            await put_through(call, desk, entry, recorded=known and desk.record_known)
        case Verdict.SCREEN:
            await call.answer()
            entry.if_caller_leaves = Disposition.ABANDONED_IN_WARNING
            if await call.play(desk.media(Prompt.WARNING), desk.prompt_seconds(Prompt.WARNING)):
                entry.warned()
                log.debug("warned")
                entry.if_caller_leaves = Disposition.ABANDONED_AFTER_WARNING
            await put_through(call, desk, entry, recorded=True)
        case Verdict.MESSAGE:
            entry.if_caller_leaves = Disposition.ABANDONED_BEFORE_MESSAGE
            await call.take_message(desk.message_seconds)
            await follow(call, desk, entry)


async def write_down(call: Call, desk: Desk, entry: Entry) -> Decision:
    """Find out who it is, what is to happen and why, and open the row of the log with that."""
    caller = desk.identify(call.number, call.name)
    circumstances = Circumstances(
        moment=(call.began_at or desk.now()).astimezone(),
        emergency_window=call.emergency_window,
        numbers_shown=desk.shows_numbers(call.line),
    )
    decision = decide(caller, await desk.lists(), desk.household, circumstances)
    entry.decided(call, caller, decision)
    return decision


async def write_down_unscreened(call: Call, desk: Desk, entry: Entry, *, taken: bool) -> None:
    """Open the row of a call that passed us by, with what would have been decided.

    ``taken`` if the dialplan did anything with it before the caller was gone.
    """
    entry.if_caller_leaves = Disposition.FAILED_OPEN
    await write_down(call, desk, entry)
    if taken:
        entry.failed_open()


async def put_through(call: Call, desk: Desk, entry: Entry, *, recorded: bool) -> None:
    """Ring the handset and stay with the call."""
    await call.ring(desk.ring_seconds, recorded=recorded)
    await follow(call, desk, entry)


async def follow(call: Call, desk: Desk, entry: Entry) -> None:
    """Write down what becomes of a call in the dialplan, and end it when it comes back."""
    async with aclosing(call.steps()) as steps:
        async for step in steps:
            note(step, entry)
            match step:
                case Elsewhere():
                    entry.leave()
                case CallEnded() if await _is_elsewhere(call, desk):
                    entry.leave()
                case CallEnded(by_caller=None):
                    entry.close_unseen()
                case CallEnded(by_caller=by_caller):
                    entry.left(EndedBy.CALLER if by_caller else EndedBy.NETWORK)
                case RingingEnded(dialstatus="ANSWER"):
                    entry.close(Disposition.ANSWERED, EndedBy.HOUSEHOLD)
                    await call.hang_up(HangupCause.NORMAL_CLEARING)
                case RingingEnded(dialstatus=dialstatus):
                    await turn_away(call, desk, entry, dialstatus)
                case MessageOver():
                    await take_leave(call, desk, entry)


async def _is_elsewhere(call: Call, desk: Desk) -> bool:
    """Tell whether another screener had the call in hand in the end, and has its row."""
    if not desk.colleagues.others():
        return False
    try:
        record = await desk.row(call.id)
    except StoreError:
        return False
    return record is not None and record.screener != desk.colleagues.name


def note(step: Step, entry: Entry) -> None:
    """Write down how far the call has come with the handset."""
    match step:
        case HandsetCalled():
            entry.if_caller_leaves = Disposition.ABANDONED_RINGING
        case HandsetRinging():
            entry.rang()
        case HandsetAnswered():
            entry.picked_up()


def left(call: Call, entry: Entry) -> None:
    """Write down that the caller is gone, with what was heard and not yet read before."""
    for step in call.unread_steps():
        note(step, entry)
    entry.left(EndedBy.CALLER)


# What Dial says of a handset that did not answer: what that is in the log, what the caller is
# told, and the hangup cause of a call that was never answered.
_NOT_REACHED: Final = {
    "NOANSWER": (Disposition.UNANSWERED, Prompt.NO_ANSWER, HangupCause.NO_ANSWER),
    "BUSY": (Disposition.BUSY, Prompt.BUSY, HangupCause.USER_BUSY),
}
_UNREACHABLE: Final = (Disposition.UNREACHABLE, Prompt.NO_ANSWER, HangupCause.NO_ANSWER)


async def turn_away(call: Call, desk: Desk, entry: Entry, dialstatus: str) -> None:
    """Tell a caller who was warned that nobody came, and end the call."""
    disposition, prompt, cause = _NOT_REACHED.get(dialstatus, _UNREACHABLE)
    entry.if_caller_leaves = disposition
    if call.answered:
        await call.play(desk.media(prompt), desk.prompt_seconds(prompt))
    await call.hang_up(cause)
    entry.close(disposition, EndedBy.SCREENER)


async def take_leave(call: Call, desk: Desk, entry: Entry) -> None:
    """Thank a caller for their message, or for trying, and end the call."""
    entry.message_over()
    prompt = Prompt.MESSAGE_KEPT
    await call.play(desk.media(prompt), desk.prompt_seconds(prompt))
    await call.hang_up(HangupCause.NORMAL_CLEARING)
    entry.close(Disposition.NO_MESSAGE, EndedBy.SCREENER)
