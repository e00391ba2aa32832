"""A call in our hands: its verbs, each of which returns when Asterisk has finished."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from screener.ari import Ari, Conflict, NotFound, RequestFailed, Unreachable
from screener.ari.client import Inbox
from screener.ari.events import (
    Channel,
    ChannelDestroyed,
    ChannelHangupRequest,
    ConnectionLost,
    Dial,
    Event,
    PlaybackFinished,
    Reconnected,
    StasisEnd,
    StasisStart,
)

_CLAIMED_SECONDS: Final = 2.0
_PLAYBACK_SLACK_SECONDS: Final = 5.0
_HAND_BACK_SECONDS: Final = 60.0
_PAUSE_SECONDS: Final = 1.0


class CallerHungUp(Exception):
    """The caller is no longer there, however that was noticed."""


class HangupCause(IntEnum):
    """Hangup causes (ITU-T Q.850), and the SIP status Asterisk makes of them before an answer."""

    NORMAL_CLEARING = 16
    USER_BUSY = 17  # 486
    NO_ANSWER = 19  # 480
    CALL_REJECTED = 21  # 403


@dataclass(frozen=True, slots=True)
class HandsetRinging:
    """The handset rings."""


@dataclass(frozen=True, slots=True)
class HandsetAnswered:
    """Somebody took the handset off the hook."""


@dataclass(frozen=True, slots=True)
class RingingEnded:
    """Dial is over and the caller still there; ``dialstatus`` as in Asterisk's Dial."""

    dialstatus: str


@dataclass(frozen=True, slots=True)
class CallEnded:
    """The caller's leg is gone. ``by_caller`` is None where a gap hid who ended it."""

    by_caller: bool | None


RingStep = HandsetRinging | HandsetAnswered | RingingEnded | CallEnded


class Call:
    """One incoming call, from the moment it was claimed. Made by ``Call.open``.

    Every verb raises CallerHungUp when the caller is gone, and Unreachable when Asterisk is.
    ``held`` is true while the channel is in Stasis, where only the screener can move it on.
    """

    def __init__(self, ari: Ari, channel: Channel, inbox: Inbox) -> None:
        self.id: Final = channel.id
        self.line: Final = channel.variables.get("LINE", "")
        self.number: Final = channel.number
        self.name: Final = channel.caller_name
        self.held = True
        self.answered = channel.state == "Up"
        self._ari = ari
        self._inbox = inbox
        self._hangup_requested = False
        self._way_back = ("without-screener", "s")

    @classmethod
    @contextmanager
    def open(cls, ari: Ari, channel: Channel) -> Iterator["Call"]:
        """Listen to the channel from now on."""
        with ari.inbox(channel.id) as inbox:
            yield cls(ari, channel, inbox)

    async def claim(self) -> bool:
        """Claim the broadcast call; False when it was too late or another screener has it."""
        try:
            await self._ari.events.claim(self.id)
        except (NotFound, Conflict):
            return False
        async with asyncio.timeout(_CLAIMED_SECONDS):
            while not isinstance(await self._next(), StasisStart):
                pass
        return True

    async def answer(self) -> None:
        """Answer, so that the caller can hear us."""
        with self._gone_is_hung_up():
            await self._ari.channels.answer(self.id)
        self.answered = True

    async def play(self, media: str, seconds: float) -> bool:
        """Play a sound of that length to the caller; True if it was heard to its end."""
        playback_id = f"{self.id}-{media.rpartition('/')[2]}"
        async with asyncio.timeout(seconds + _PLAYBACK_SLACK_SECONDS):
            with self._gone_is_hung_up():
                await self._ari.channels.play(self.id, media, playback_id)
            while True:
                match await self._next():
                    case PlaybackFinished(playback_id=finished, heard=heard) if (
                        finished == playback_id
                    ):
                        if not heard:
                            await self._still_there()
                        return heard

    async def hang_up(self, cause: HangupCause) -> None:
        """End the call."""
        with self._gone_is_hung_up():
            await self._ari.channels.hangup(self.id, cause)
        self.held = False

    async def ring(self, seconds: int, *, recorded: bool) -> None:
        """Let the dialplan ring the handset; ``ring_steps`` tells how it goes."""
        extension = "recorded" if recorded else "unrecorded"
        with self._gone_is_hung_up():
            await self._ari.applications.subscribe(self.id)
            await self._ari.channels.set_variable(self.id, "RING_SECONDS", str(seconds))
            await self._ari.channels.continue_in_dialplan(self.id, "ring", extension)
        self.held = False

    async def ring_steps(self) -> AsyncIterator[RingStep]:
        """Yield what becomes of the call in the dialplan; ends with RingingEnded or CallEnded.

        Has no limit of its own: people may talk as long as they like, and a ring ends with Dial.
        """
        while True:
            match await self._inbox.get():
                case Dial(dialstatus="RINGING" | "PROGRESS"):
                    yield HandsetRinging()
                case Dial(dialstatus="ANSWER"):
                    yield HandsetAnswered()
                case StasisStart(args=("rang", dialstatus)):
                    yield self._came_back(dialstatus)
                    return
                case ChannelHangupRequest():
                    self._hangup_requested = True
                case ChannelDestroyed():
                    yield CallEnded(by_caller=self._hangup_requested)
                    return
                case Reconnected():
                    missed = await self._catch_up()
                    if missed:
                        yield missed
                    if isinstance(missed, RingingEnded | CallEnded):
                        return

    async def hand_back(self) -> None:
        """Give the call back to the dialplan and keep trying over a gap.

        It warns and rings there, or, after the ring, tells the caller that nobody came.
        """
        async with asyncio.timeout(_HAND_BACK_SECONDS):
            while self.held:
                try:
                    await self._ari.applications.subscribe(self.id)
                    await self._ari.channels.continue_in_dialplan(self.id, *self._way_back)
                except NotFound:
                    raise CallerHungUp from None
                except Conflict:
                    pass  # not in Stasis: the dialplan has it already
                except (RequestFailed, Unreachable):
                    await asyncio.sleep(_PAUSE_SECONDS)
                    continue
                self.held = False

    def resume(self, channel: Channel) -> bool:
        """Take up a call of which nothing was heard for a while: a gap, an earlier screener.

        True if it stands in the middle of being screened, which cannot be taken up again; else
        ``ring_steps`` goes on with it.
        """
        self.held = channel.stasis_args is not None
        match channel.stasis_args:
            case ("rang", _) as args:
                self._inbox.put_nowait(StasisStart(self.id, channel, args))
            case None:
                self._inbox.put_nowait(Reconnected(self.id))
            case _:
                return True
        return False

    def _came_back(self, dialstatus: str) -> RingingEnded:
        self.held = True
        self._way_back = ("ring", "over")
        return RingingEnded(dialstatus)

    async def _next(self) -> Event:
        """Wait for the next event of a call in Stasis."""
        event = await self._inbox.get()
        match event:
            case ChannelHangupRequest() | ChannelDestroyed() | StasisEnd():
                raise CallerHungUp
            case ConnectionLost():
                raise Unreachable("the connection to Asterisk was lost in the middle of the call")
        return event

    async def _still_there(self) -> None:
        """Raise CallerHungUp if that is why a sound was cut short: the event may still come."""
        if await self._look() is None:
            raise CallerHungUp

    async def _look(self) -> Channel | None:
        """Ask Asterisk for the channel; None if it is no more."""
        channels = await self._ari.channels.list()
        return next((channel for channel in channels if channel.id == self.id), None)

    async def _catch_up(self) -> RingStep | None:
        """After a gap: listen again, and return what was missed, as far as it still shows."""
        try:
            channel = await self._look()
            if channel is None:
                return CallEnded(by_caller=None)
            await self._ari.applications.subscribe(self.id)
            match channel.stasis_args:
                case ("rang", dialstatus):
                    return self._came_back(dialstatus)
                case None if await self._ari.channels.variable(self.id, "DIALSTATUS") == "ANSWER":
                    return HandsetAnswered()
        except NotFound:
            return CallEnded(by_caller=None)
        except (RequestFailed, Unreachable):
            await asyncio.sleep(_PAUSE_SECONDS)
            self._inbox.put_nowait(Reconnected(self.id))
        return None

    @contextmanager
    def _gone_is_hung_up(self) -> Iterator[None]:
        """Translate what Asterisk says of a command to a channel that is no more in Stasis."""
        try:
            yield
        except (NotFound, Conflict):
            self.held = False
            raise CallerHungUp from None
