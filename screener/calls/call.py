"""A call in our hands: its verbs, each of which returns when Asterisk has finished."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from enum import IntEnum
from typing import Final

from screener.ari import Ari, Conflict, NotFound, RequestFailed, Unreachable
from screener.ari.events import (
    CallBroadcast,
    Channel,
    ChannelDestroyed,
    ChannelHangupRequest,
    Dial,
    PlaybackFinished,
    Reconnected,
    StasisStart,
)
from screener.calls.ear import CallerHungUp, Ear, TakenAway
from screener.calls.limits import Limits
from screener.calls.steps import (
    DIAL_STEPS,
    CallEnded,
    Elsewhere,
    HandsetAnswered,
    MessageOver,
    RingingEnded,
    Step,
)


class HangupCause(IntEnum):
    """Hangup causes (ITU-T Q.850), and the SIP status Asterisk makes of them before an answer."""

    NORMAL_CLEARING = 16
    USER_BUSY = 17  # 486
    NO_ANSWER = 19  # 480
    CALL_REJECTED = 21  # 403


class Call:
    """One incoming call. It listens to its channel from the start until ``close``.

    Every verb raises CallerHungUp when the caller is gone, and Unreachable when Asterisk is.
    ``held`` is true while the channel is in Stasis, where only the screener can move it on, and
    while it is being claimed and may be.
    """

    def __init__(self, ari: Ari, channel: Channel, limits: Limits, *, held: bool) -> None:
        self.id: Final = channel.id
        self.line: Final = channel.variables.get("LINE", "")
        self.number: Final = channel.number
        self.name: Final = channel.caller_name
        self.began_at: Final = channel.created_at
        self.emergency_window: Final = channel.variables.get("EMERGENCY_WINDOW") == "1"
        self.limits: Final = limits
        self.held = held
        self.answered = channel.state == "Up"
        self._ari = ari
        self._ear = Ear(ari, channel.id)
        self._in_stasis = held
        self._claimed_back = False
        self._hangup_requested = False
        self._way_back = ("without-screener", "s")

    def close(self) -> None:
        """Listen to the channel no more."""
        self._ear.close()

    async def claim(self) -> bool:
        """Claim the broadcast call; False when it was too late or another screener has it.

        Where the answer is lost, StasisStart decides: should it come after all when this has
        given up, it comes to the switchboard, as that of a call put straight into our hands.
        """
        self.held = True
        try:
            await self._ari.events.claim(self.id)
        except (NotFound, Conflict):
            self.held = False
            return False
        except (RequestFailed, Unreachable):
            pass  # it may have been done all the same
        self.held = await self._enter_stasis()
        return self.held

    async def answer(self) -> None:
        """Answer, so that the caller can hear us."""
        async with self._gone_is_hung_up():
            await self._ari.channels.answer(self.id)
        self.answered = True

    async def play(self, media: str, seconds: float) -> bool:
        """Play a sound of that length to the caller; True if it was heard to its end."""
        playback_id = f"{self.id}-{media.rpartition('/')[2]}"
        async with asyncio.timeout(seconds + self.limits.playback_slack):
            async with self._gone_is_hung_up():
                await self._ari.channels.play(self.id, media, playback_id)
            while True:
                match await self._ear.next_in_stasis():
                    case PlaybackFinished(playback_id=finished, heard=heard) if (
                        finished == playback_id
                    ):
                        if not heard:
                            await self.still_there()
                        return heard

    async def hang_up(self, cause: HangupCause) -> None:
        """End the call."""
        async with self._gone_is_hung_up():
            await self._ari.channels.hangup(self.id, cause)
        self.held = False

    async def ring(self, seconds: int, *, recorded: bool) -> None:
        """Let the dialplan ring the handset; ``steps`` tells how it goes."""
        # The seconds and our name are part of the extension: after a variable that ARI has set,
        # Asterisk lets the channel write no file any more, not even the dialplan's own (22.10).
        extension = f"{'recorded' if recorded else 'unrecorded'}-{seconds}-{self._ari.application}"
        async with self._gone_is_hung_up():
            await self._ari.applications.subscribe(self.id)
            await self._ari.channels.continue_in_dialplan(self.id, "ring", extension)
        self.held = False

    async def take_message(self, seconds: int) -> None:
        """Let the dialplan ask for a message of that length and record it; ``steps`` tells.

        Raises RequestFailed where the dialplan knows nothing of messages.
        """
        extension = f"for-{seconds}-{self._ari.application}"
        there = f"DIALPLAN_EXISTS(message,{extension},1)"
        async with self._gone_is_hung_up():
            await self._ari.applications.subscribe(self.id)
            # A channel that is sent to where nothing is would be hung up.
            if await self._ari.channels.variable(self.id, there) != "1":
                raise RequestFailed("continue", 404, "the dialplan has no [message]")
            await self._ari.channels.continue_in_dialplan(self.id, "message", extension)
        self.held = False

    async def steps(self) -> AsyncGenerator[Step, None]:
        """Yield what becomes of the call in the dialplan, until it comes back or is over.

        The last is RingingEnded, MessageOver, CallEnded or Elsewhere. Has no limit of its own:
        people may talk as long as they like, and the dialplan ends a ring and a message. But a call
        of which nothing is heard for long is looked after, as after a gap.
        """
        while True:
            step = await self._next_step()
            if step:
                yield step
            if isinstance(step, RingingEnded | MessageOver | CallEnded | Elsewhere):
                return

    async def _next_step(self) -> Step | None:
        match await self._ear.next_in_dialplan(self.limits.look):
            case Dial(dialstatus=dialstatus):
                return DIAL_STEPS.get(dialstatus)
            case CallBroadcast(channel=channel) if channel.comes_back:
                return await self._claim_back()
            case StasisStart(args=("rang" | "message", *_), channel=channel) as back:
                return self._came_back(back.args, channel)
            case ChannelHangupRequest(soft=False):
                self._hangup_requested = True
            case ChannelDestroyed():
                return CallEnded(by_caller=self._hangup_requested)
            case Reconnected():
                return await self._catch_up()
        return None

    def unread_steps(self) -> Iterator[Step]:
        """Yield what was heard of the handset and not read yet, without waiting for more."""
        for event in self._ear.unread():
            if isinstance(event, Dial) and event.dialstatus in DIAL_STEPS:
                yield DIAL_STEPS[event.dialstatus]

    async def hand_back(self) -> None:
        """Give the call back to the dialplan, and keep trying as long as the caller is there.

        It warns and rings there; after a ring it tells the caller that nobody came, after a
        message it takes its leave.
        """
        if not self._in_stasis:
            self.held = await self._enter_stasis()
        retry = self.limits.retry
        while self.held:
            try:
                await self._find_way_back()
                await self._ari.channels.continue_in_dialplan(self.id, *self._way_back)
            except NotFound:
                self.held = False
                raise CallerHungUp from None
            except Conflict:
                pass  # not in Stasis: the dialplan has it already
            except (RequestFailed, Unreachable):
                await asyncio.sleep(retry)
                retry = min(2 * retry, self.limits.longest_retry)
                continue
            self.held = False

    def resume(self, channel: Channel) -> bool:
        """Take up a call of which nothing was heard for a while: a gap, an earlier screener.

        True if it stands in the middle of being screened, which cannot be taken up again; else
        ``steps`` goes on with it.
        """
        self.held = channel.may_be_held_by(self._ari.application) and not channel.comes_back
        match channel.stasis_args:
            case ("rang" | "message", *_) as args if self.held:
                self._ear.put(StasisStart(self.id, channel, tuple(args)))
            case _ if not self.held:
                self._ear.put(Reconnected(self.id))
            case _:
                return True
        return False

    async def was_released(self) -> bool:
        """Tell whether somebody handed the call back over our head; ``steps`` goes on with it."""
        self.held = False
        try:
            released = await self._ari.channels.variable(self.id, "RELEASED") == "1"
        except (RequestFailed, Unreachable):
            return False
        if released:
            self._ear.put(Reconnected(self.id))
        return released

    def _came_back(self, args: Sequence[str], channel: Channel) -> RingingEnded | MessageOver:
        """Take the call in hand again, with the dialplan's word on what it did and how it went."""
        self.held = self._in_stasis = True
        self._claimed_back = False
        self.answered = channel.state == "Up"
        if args[0] == "message":
            self._way_back = ("message", "over")
            return MessageOver()
        self._way_back = ("ring", "over")
        return RingingEnded(args[1] if len(args) > 1 else "")

    async def _claim_back(self) -> Step | None:
        """Claim a call that comes back and whose screener is away; StasisStart then tells of it.

        Too late, it is over in the dialplan: what is heard next is its end.
        """
        if self._claimed_back:  # said twice, or we missed that we have it
            return None
        self._claimed_back = True
        try:
            await self._ari.events.claim(self.id)
        except NotFound:
            self._claimed_back = False
        except Conflict:
            return Elsewhere()
        except (RequestFailed, Unreachable):
            pass  # it may have been done all the same
        return None

    async def _enter_stasis(self) -> bool:
        """Wait for StasisStart, the one sign that a claimed call is ours."""
        try:
            async with asyncio.timeout(self.limits.claimed):
                while not isinstance(event := await self._ear.next_in_stasis(), StasisStart):
                    pass
        except (TimeoutError, Unreachable):
            self._in_stasis = self._ear.heard_of(StasisStart)  # or did it come at this very moment?
        else:
            self._in_stasis = not event.args
            if event.args:  # the dialplan had it, and is done: that is for the switchboard
                self._ari.arrivals.put_nowait(event)
        return self._in_stasis

    async def _find_way_back(self) -> None:
        """Listen on, and look what it has been through unheard; neither stops a call going back."""
        try:
            await self._ari.applications.subscribe(self.id)
            if await self._ari.channels.variable(self.id, "MESSAGE"):
                self._way_back = ("message", "over")
            elif await self._ari.channels.variable(self.id, "DIALSTATUS"):
                self._way_back = ("ring", "over")
        except NotFound:
            raise
        except RequestFailed:
            pass

    async def still_there(self) -> None:
        """Raise CallerHungUp if the caller is gone, or is known to be going."""
        try:
            await self._ari.channels.get(self.id)
        except NotFound:
            self.held = False
            raise CallerHungUp from None
        # Not StasisEnd: a command whose answer was lost may have sent the call on.
        if self._ear.heard_of(ChannelHangupRequest, ChannelDestroyed):
            raise CallerHungUp

    async def _catch_up(self) -> Step | None:
        """After a gap: listen again, and return what was missed, as far as it still shows."""
        try:
            await self._ari.applications.subscribe(self.id)
            channel = await self._ari.channels.get(self.id)
            match channel.stasis_args:
                case ("rang" | "message", *_) if channel.comes_back and not self._claimed_back:
                    return await self._claim_back()
                case ("rang" | "message", *_) as args if channel.may_be_held_by(
                    self._ari.application
                ):
                    return self._came_back(args, channel)
                case None if await self._ari.channels.variable(self.id, "DIALSTATUS") == "ANSWER":
                    return HandsetAnswered()
        except NotFound:
            # What is known of the end says more than that it came.
            return None if self._ear.heard_of(ChannelDestroyed) else CallEnded(by_caller=None)
        except (RequestFailed, Unreachable):
            await asyncio.sleep(self.limits.pause)
            self._ear.put(Reconnected(self.id))
        return None

    @asynccontextmanager
    async def _gone_is_hung_up(self) -> AsyncIterator[None]:
        """Translate what Asterisk says of a command to a channel that is no more in Stasis."""
        try:
            yield
        except NotFound:
            self.held = False
            raise CallerHungUp from None
        except Conflict:
            self.held = False
            raise TakenAway from None
        except Unreachable:
            await self.still_there()  # what we asked for may have been done: a hangup
            raise
        except RequestFailed:
            # The answer of a channel that is just hanging up, which may show a little later.
            await self.still_there()
            await asyncio.sleep(self.limits.hangup)
            await self.still_there()
            raise
