"""What is heard of one channel, in order, from the moment the call is at hand."""

import asyncio
from contextlib import ExitStack

from screener.ari import Ari, Unreachable
from screener.ari.events import (
    ChannelDestroyed,
    ChannelHangupRequest,
    ConnectionLost,
    Event,
    Reconnected,
    StasisEnd,
)


class CallerHungUp(Exception):
    """The caller is no longer there, however that was noticed."""


class TakenAway(CallerHungUp):
    """The call is no longer in our hands: its caller hung up, or somebody handed it back."""


class Ear:
    """Listens to a channel until ``close``; nothing is missed, and nothing is heard twice."""

    def __init__(self, ari: Ari, channel_id: str) -> None:
        self._channel_id = channel_id
        self._listening = ExitStack()
        self._inbox = self._listening.enter_context(ari.inbox(channel_id))

    def close(self) -> None:
        """Listen no more."""
        self._listening.close()

    def put(self, event: Event) -> None:
        """Let an event be heard that came by another way."""
        self._inbox.put_nowait(event)

    async def next_in_stasis(self) -> Event:
        """Wait for the next event of a call in our hands; without limit, the verb has one.

        Raises CallerHungUp when it is the end, and Unreachable when the connection breaks.
        """
        event = await self._inbox.get()
        match event:
            case ChannelHangupRequest() | ChannelDestroyed():
                raise CallerHungUp
            case StasisEnd():
                raise TakenAway
            case ConnectionLost():
                raise Unreachable("the connection to Asterisk was lost in the middle of the call")
        return event

    async def next_in_dialplan(self, seconds: float) -> Event:
        """Wait for the next event of a call in the dialplan; such a silence counts as a gap."""
        try:
            async with asyncio.timeout(seconds):
                return await self._inbox.get()
        except TimeoutError:
            return Reconnected(self._channel_id)

    def heard_of(self, *kinds: type[Event]) -> bool:
        """Tell whether such an event waits to be read."""
        return any(isinstance(event, kinds) for event in self.unread())

    def unread(self) -> list[Event]:
        """Return what waits to be read, and leave it there."""
        waiting = [self._inbox.get_nowait() for _ in range(self._inbox.qsize())]
        for event in waiting:
            self._inbox.put_nowait(event)
        return waiting
