"""All that goes over the wire to the fake Asterisk and back, and all that can go wrong there."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from aiohttp import web

Json = dict[str, Any]
Answer = tuple[int, Json | list[Json] | None]

ASTERISK_ID = "02:fc:00:00:00:01"


class Trick(Enum):
    """What can be done to a command instead of carrying it out and answering."""

    REFUSE = auto()  # 500, nothing done
    SWALLOW = auto()  # nothing done, no answer
    MUTE = auto()  # done, no answer
    LATE = auto()  # done, and answered after the next command's answer


@dataclass(frozen=True)
class Command:
    """One request, by WebSocket or HTTP. ``application`` is empty where that does not show."""

    method: str
    path: str
    query: Mapping[str, str]
    by: str
    application: str = ""

    def __str__(self) -> str:
        path = re.sub("channels/[^/]+", "channels/ID", self.path)
        return f"{self.method} {re.sub('play/.*-', 'play/ID-', path)}"


@dataclass(eq=False)
class Line:
    """One WebSocket. What is sent goes out in the order in which it was said."""

    socket: web.WebSocketResponse
    transport: asyncio.Transport
    application: str
    replaced: bool = False
    outgoing: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    pongs: dict[bytes, asyncio.Event] = field(default_factory=dict)
    gone: asyncio.Event = field(default_factory=asyncio.Event)


class Wire:
    """Commands in, events out. A command goes to ``carry_out``; ``tell`` sends an event.

    ``seen`` is all that went over the wire, for a failing test to print. Every command, answer
    and event since ``fresh`` is two ``moments``, before and after; ``at`` says what is to happen
    at the moment of that number, ``tricks`` what to do to the command of that number.
    """

    def __init__(self, version: str, password: str) -> None:
        self.version = version
        self.password = password
        self.seen: list[str] = []
        self.moments: list[str] = []
        self.at: dict[int, Callable[[], None]] = {}
        self.commands: list[Command] = []
        self.tricks: dict[int, Trick] = {}
        self.attempts: list[float] = []  # when somebody tried to connect, on the loop's clock
        self.status_to_all: int | None = None  # 404 and 503 while it starts, 500 when it is ill
        self.page: str | None = None  # what a web server that is no Asterisk says
        self.unreachable = False  # connections break before anything is said
        self.unkind = True  # speaks of unknown things, in pieces, and twice
        self.lines: list[Line] = []
        self.connections: Counter[str] = Counter()  # how often each application has connected
        self.port = 0
        self._awake = asyncio.Event()
        self._awake.set()
        self._refusals: Counter[str] = Counter()
        self._late: list[Callable[[], None]] = []
        self._filters: dict[str, set[str]] = {}
        self._changed = asyncio.Event()
        self._pings = 0

    # ---- levers --------------------------------------------------------------------------------

    def fresh(self) -> None:
        """Count moments and commands from here on."""
        self.seen.clear()
        self.moments.clear()
        self.at.clear()
        self.tricks.clear()
        self.commands.clear()

    def drop(self, application: str | None = None) -> None:
        """Break the event WebSockets (of one application), without a goodbye."""
        for line in list(self.lines):
            if application in {None, line.application}:
                self._cut(line)

    def falls_silent(self) -> None:
        """Go on accepting connections and commands, and say nothing more, not even pong."""
        self.seen.append("** half-dead")
        self._awake.clear()

    def goes_deaf(self) -> None:
        """Tell nobody anything more, until they connect again."""
        for line in self.lines:
            line.replaced = True

    def refuses_next(self, path: str, times: int) -> None:
        """Answer 500 to the next commands for exactly this path."""
        self._refusals[path] = times

    def wakes_up(self) -> None:
        """Answer again."""
        self._awake.set()

    async def until(self, condition: Callable[[], object], what: str, seconds: float = 5.0) -> None:
        """Wait for something that shows on the wire; AssertionError with all that was said."""
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    self._changed.clear()
                    # Most conditions change with the wire; the rest are looked at now and then.
                    with suppress(TimeoutError):
                        async with asyncio.timeout(0.01):
                            await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"waited in vain until {what}\n{self.story()}") from None

    async def settled(self) -> None:
        """Wait until every client has read all that it was told so far."""
        for line in list(self.lines):
            self._pings += 1
            token, pong = str(self._pings).encode(), asyncio.Event()
            line.pongs[token] = pong
            with suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(1.0):
                    await line.outgoing.join()
                    await line.socket.ping(token)
                    await self._either(pong, line.gone)

    def passes(self, label: str) -> None:
        """Let a moment pass that shows on no wire, so that something can happen just then."""
        self._moment(label)

    def story(self) -> str:
        return "\n".join(["over the wire:", *(f"    {said}" for said in self.seen)])

    # ---- for Asterisk itself -------------------------------------------------------------------

    def carry_out(self, command: Command) -> Answer:
        raise NotImplementedError

    def connected(self, application: str) -> bool:
        return any(line.application == application for line in self.lines)

    def has_connected(self, application: str, times: int) -> bool:
        return self.connections[application] >= times

    def tell(self, application: str, event: Json, still: Callable[[], bool] = lambda: True) -> bool:
        """Send an event to an application, with noise around it, if it is still true then."""
        kind = event["type"]
        label = f"{kind} {event.get('args') or event.get('dialstatus') or ''}".strip()
        self._moment(f"before {label}")
        if not still():
            return False
        lines = [x for x in self.lines if x.application == application and not x.replaced]
        allowed = self._filters.get(application)
        if lines and (allowed is None or kind in allowed):
            event = {**event, "application": application, "asterisk_id": ASTERISK_ID}
            self._say(f"<-- {label} ({application})")
            for line in lines:
                texts = [json.dumps(event)]
                if self.unkind:
                    texts = [*_noise(event), texts[0], texts[0]]
                for text in texts:
                    line.outgoing.put_nowait(text)
        else:
            self._say(f"    {label} (unheard)")
        self._moment(f"after {label}")
        return True

    # ---- inside --------------------------------------------------------------------------------

    def _say(self, text: str) -> None:
        self.seen.append(text)
        self._changed.set()

    def _moment(self, label: str) -> None:
        number = len(self.moments)
        self.moments.append(label)
        if action := self.at.pop(number, None):
            self._say(f"** {label}:")
            action()

    def _perform(self, command: Command, answer: Callable[[Answer], None]) -> None:
        """Carry out a command between the moments around it, or play a trick on it."""
        number = len(self.commands)
        self.commands.append(command)
        self._moment(f"before {command}")
        self._say(f"--> {command} {dict(command.query)} ({command.by})")
        trick = self.tricks.pop(number, None)
        if self._refusals[command.path] > 0:
            self._refusals[command.path] -= 1
            trick = Trick.REFUSE
        if trick is Trick.SWALLOW:
            self._say("    ... no answer, nothing done")
            return
        status, body = (
            (500, {"message": "Internal Server Error"})
            if trick is Trick.REFUSE or self.status_to_all == 500
            else self.carry_out(command)
        )
        if trick is Trick.MUTE:
            self._say(f"    ... done ({status}), no answer")
            return

        def reply() -> None:
            self._moment(f"before the answer to {command}")
            self._say(f"<-- {status} {json.dumps(body) if status >= 400 else ''}")
            answer((status, body))
            self._moment(f"after the answer to {command}")

        if trick is Trick.LATE:
            self._late.append(reply)
            return
        reply()
        while self._late:
            self._late.pop()()

    def _cut(self, line: Line) -> None:
        if line in self.lines:
            self.lines.remove(line)
            self._say(f"** the connection of {line.application} breaks")
        line.gone.set()
        line.transport.abort()

    @staticmethod
    async def _either(*events: asyncio.Event) -> None:
        waiting = [asyncio.create_task(event.wait()) for event in events]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()


def _noise(event: Json) -> list[str]:
    """Return what a client must not stumble over: unknown, incomplete, not even JSON."""
    return [
        json.dumps({"type": "SomethingOfTheNextRelease", "channel": event.get("channel")}),
        json.dumps({"type": event["type"]}),
        json.dumps(
            {"type": event["type"], "channel": None, "playback": {}, "caller": [], "peer": 1}
        ),
        json.dumps({"type": "RESTResponse", "request_id": "nobody's", "status_code": 404}),
        json.dumps({"kind": "no type"}),
        json.dumps(["a list"]),
        "not { JSON",
    ]
