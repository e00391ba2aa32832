"""The client that outlives its connections: one reader, an inbox for each call, back-off."""

import asyncio
import random
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from typing import Any, Final

import structlog

from screener.ari.connection import Connection, connect
from screener.ari.errors import NoAri, Refused, Unreachable
from screener.ari.events import ApplicationReplaced, ConnectionLost, Event, Reconnected, parse
from screener.ari.limits import Limits
from screener.ari.resources import Applications, Channels, Events

log: Final = structlog.get_logger(__name__)

Inbox = asyncio.Queue[Event]


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
        limits: Limits = Limits(),  # noqa: B008  (immutable)
    ) -> None:
        self.channels: Final = Channels(self._request)
        self.applications: Final = Applications(self._request, application)
        self.events: Final = Events(self._request, application)
        self.arrivals: Final[Inbox] = asyncio.Queue()
        self.url: Final = url
        self.application: Final = application
        self._identity = (url, application, user, password)
        self._limits = limits
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

    async def set_global(self, variable: str, value: str) -> None:
        """Set a global variable of the dialplan; never one of a channel."""
        await self._request("POST", "asterisk/variable", variable=variable, value=value)

    async def run(self) -> None:
        """Keep connected for ever; ``arrivals`` gets Reconnected for the first connection too.

        Raises Refused or TooOld (trying again will not help), at start or later, and Refused
        when another screener takes our name.
        """
        limits, clock = self._limits, asyncio.get_running_loop()
        delay = limits.first_delay
        last_seen = clock.time()
        while True:
            try:
                async with connect(*self._identity, limits) as connection:
                    connected = clock.time()
                    await self._read(connection)
                last_seen = clock.time()
                log.warning("asterisk_connection_lost", url=self.url)
                # One that breaks at once, time and again, is no reason to hurry.
                if last_seen - connected > limits.longest_delay:
                    delay = limits.first_delay
            except (Unreachable, NoAri) as error:
                if isinstance(error, NoAri) and clock.time() - last_seen > limits.boot:
                    raise
                log.warning("asterisk_unreachable", error=str(error), next_try_seconds=delay)
            # Jitter, so that many screeners do not return to one Asterisk in step.
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311  (not a secret)
            delay = min(2 * delay, limits.longest_delay)

    async def _read(self, connection: Connection) -> None:
        self._connection = connection
        log.info("asterisk_connected", url=self.url, version=connection.version)
        self._tell_everyone(Reconnected(""))
        try:
            async with aclosing(connection.events()) as events:
                async for json in events:
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
