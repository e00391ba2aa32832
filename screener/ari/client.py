"""The client that outlives its connections: one reader, an inbox for each call, back-off."""

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import structlog

from screener.ari.connection import Connection, connect
from screener.ari.errors import Refused, Unreachable
from screener.ari.events import ApplicationReplaced, ConnectionLost, Event, Reconnected, parse
from screener.ari.resources import Applications, Channels, Events

log: Final = structlog.get_logger(__name__)

Inbox = asyncio.Queue[Event]

_FIRST_DELAY_SECONDS: Final = 0.1
_LONGEST_DELAY_SECONDS: Final = 5.0


class Ari:
    """Asterisk, as seen by the screener.

    ``run`` keeps the connection up and sorts events: into the inbox that was opened for their
    channel, else into ``arrivals``. Verbs raise Unreachable while the connection is down.
    """

    def __init__(
        self,
        url: str,
        application: str,
        user: str,
        password: str,
        *,
        request_seconds: float = 2.0,
    ) -> None:
        self.channels: Final = Channels(self._request)
        self.applications: Final = Applications(self._request, application)
        self.events: Final = Events(self._request, application)
        self.arrivals: Final[Inbox] = asyncio.Queue()
        self.url: Final = url
        self._identity = (url, application, user, password)
        self._request_seconds = request_seconds
        self._connection: Connection | None = None
        self._inboxes: dict[str, Inbox] = {}

    @property
    def version(self) -> str | None:
        """What Asterisk calls itself; None while there is no connection."""
        return self._connection.version if self._connection else None

    @contextmanager
    def inbox(self, channel_id: str) -> Iterator[Inbox]:
        """Collect everything that happens to a channel from now on, in order.

        Open it before the first command, so that nothing is missed. After a gap it holds
        ConnectionLost, then Reconnected.
        """
        inbox: Inbox = asyncio.Queue()
        self._inboxes[channel_id] = inbox
        try:
            yield inbox
        finally:
            del self._inboxes[channel_id]

    async def run(self) -> None:
        """Keep connected for ever; ``arrivals`` gets Reconnected for the first connection too.

        Raises Refused or TooOld (trying again will not help), at start or later, and Refused
        when another screener takes our name.
        """
        delay = _FIRST_DELAY_SECONDS
        while True:
            try:
                async with connect(
                    *self._identity, request_seconds=self._request_seconds
                ) as connection:
                    delay = _FIRST_DELAY_SECONDS
                    await self._read(connection)
                log.warning("asterisk_connection_lost", url=self.url)
            except Unreachable as error:
                log.warning("asterisk_unreachable", error=str(error), next_try_seconds=delay)
            # Jitter, so that many screeners do not return to one Asterisk in step.
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311  (not a secret)
            delay = min(2 * delay, _LONGEST_DELAY_SECONDS)

    async def _read(self, connection: Connection) -> None:
        self._connection = connection
        log.info("asterisk_connected", url=self.url, version=connection.version)
        self._tell_everyone(Reconnected(""))
        try:
            async for json in connection.events():
                event = parse(json)
                if isinstance(event, ApplicationReplaced):
                    raise Refused("another screener connected under the same application name")
                if event is not None:
                    self._inboxes.get(event.channel_id, self.arrivals).put_nowait(event)
        finally:
            self._connection = None
            self._tell_everyone(ConnectionLost(""))

    def _tell_everyone(self, event: Event) -> None:
        for inbox in (self.arrivals, *self._inboxes.values()):
            inbox.put_nowait(event)

    async def _request(self, method: str, path: str, **query: str) -> Any:
        if self._connection is None:
            raise Unreachable(f"no connection to Asterisk for {method} {path}")
        return await self._connection.request(method, path, **query)
