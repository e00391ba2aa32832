"""Between the screener and ARI: sees every command and event, and breaks what it is told to.

What is said goes through ``watch``, in the order in which it came, before it is passed on.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Self, TypeAlias, cast

from lab.frames import Cutter, Json, Piece, text_frame
from lab.ports import Address

_CHUNK = 1 << 16
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER of no time: close(2) sends RST


class Fate(Enum):
    """What becomes of something that was said."""

    PASSED = "passed"
    DROPPED = "dropped"
    REFUSED = "refused"  # a command: Asterisk never sees it, and 500 is the answer


@dataclass(frozen=True, slots=True)
class Said:
    """A command, an answer or an event, as JSON."""

    by_asterisk: bool
    message: Json


Watch: TypeAlias = Callable[[Said], Fate]


def pass_all(_: Said) -> Fate:
    """Let everything through."""
    return Fate.PASSED


class Proxy:
    """Relays connections to ``there`` while ``async with`` lasts; ``address`` is where it listens.

    ``delay`` is how many seconds everything takes on its way, in each direction.
    """

    def __init__(self, there: Address) -> None:
        self.there = there
        self.watch: Watch = pass_all
        self.delay = 0.0
        self.refusing = False
        self.address = there
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Where the screener is to look for Asterisk."""
        return f"http://{self.address}"

    @property
    def connections(self) -> int:
        """How many connections there are."""
        return len(self._links)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._begin, self.there.host, 0)
        host, port = self._server.sockets[0].getsockname()
        self.address = Address(host, port)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        self.mend()
        self.reset()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def mend(self) -> None:
        """Be an honest proxy again. What was broken off stays so, and is broken off for all."""
        self.watch, self.delay, self.refusing = pass_all, 0.0, False
        for link in list(self._links):
            if link.hanging:
                link.reset()
        self.flow()

    def stall(self) -> None:
        """Let nothing through in either direction, and break nothing off."""
        self._flowing.clear()

    def stall_present(self) -> None:
        """Let nothing through on the connections that there are; new ones are not affected."""
        for link in self._links:
            link.flowing.clear()

    def flow(self) -> None:
        """Let through what is held back, and what follows."""
        self._flowing.set()
        for link in self._links:
            link.flowing.set()

    def reset(self) -> None:
        """Break off every connection, on both sides, as a crashed machine in between does."""
        for link in list(self._links):
            link.reset()

    def leave_screener_hanging(self) -> None:
        """Close every connection towards Asterisk; the screener is not told."""
        for link in list(self._links):
            link.half_open(close_asterisk=True)

    def leave_asterisk_hanging(self) -> None:
        """Close every connection towards the screener; Asterisk is not told."""
        for link in list(self._links):
            link.half_open(close_asterisk=False)

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._accept(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._flowing.wait()
            onward = await asyncio.open_connection(self.there.host, self.there.port)
        except OSError:  # Asterisk is away
            writer.transport.abort()
            return
        link = _Link(self, (reader, writer), onward)
        self._links.add(link)
        try:
            await link.relay()
        finally:
            self._links.discard(link)

    async def fate_of(self, piece: Piece, *, by_asterisk: bool) -> Fate:
        """Say what is to become of a piece, as soon as anything may pass."""
        await self._flowing.wait()
        if self.refusing and (piece.request or _is_command(piece)):
            return Fate.REFUSED
        if piece.message is None:
            return Fate.PASSED
        fate = self.watch(Said(by_asterisk, piece.message))
        await self._flowing.wait()  # it may have been told to stall just now
        # What Asterisk says cannot be refused: refusing begins with the next command.
        return Fate.PASSED if by_asterisk and fate is Fate.REFUSED else fate


Stream: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Link:
    """One connection and its onward half."""

    def __init__(self, proxy: Proxy, screener: Stream, asterisk: Stream) -> None:
        self._proxy = proxy
        self._screener = screener
        self._asterisk = asterisk
        self.hanging = False
        self.flowing = asyncio.Event()
        self.flowing.set()
        self._due = 0.0

    async def relay(self) -> None:
        """Pass on what comes until one side ends, or for ever after it was left hanging."""
        there = asyncio.create_task(self._pump(self._screener, self._asterisk, by_asterisk=False))
        back = asyncio.create_task(self._pump(self._asterisk, self._screener, by_asterisk=True))
        pumps = (there, back)
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            if self.hanging:
                await asyncio.wait(pumps)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            for _, writer in (self._screener, self._asterisk):
                writer.transport.abort()

    def reset(self) -> None:
        for _, writer in (self._screener, self._asterisk):
            found = cast("socket.socket", writer.get_extra_info("socket"))
            with contextlib.suppress(OSError):
                found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()

    def half_open(self, *, close_asterisk: bool) -> None:
        self.hanging = True
        _, writer = self._asterisk if close_asterisk else self._screener
        writer.transport.abort()

    async def _pump(self, source: Stream, target: Stream, *, by_asterisk: bool) -> None:
        cutter = Cutter()
        with contextlib.suppress(OSError):
            while received := await source[0].read(_CHUNK):
                for piece in cutter.cut(received):
                    await self.flowing.wait()
                    fate = await self._proxy.fate_of(piece, by_asterisk=by_asterisk)
                    await self.flowing.wait()  # it may have been told to stall just now
                    match fate:
                        case Fate.PASSED:
                            self._send(target[1], piece.raw)
                        case Fate.REFUSED:
                            self._send(source[1], _refusal(piece))

    def _send(self, writer: asyncio.StreamWriter, raw: bytes) -> None:
        """Write it, after the delay, and never before what was sent earlier."""
        loop = asyncio.get_running_loop()
        due = max(loop.time() + self._proxy.delay, self._due)
        if due <= loop.time():
            _write(writer, raw)
        else:
            self._due = due + 1e-6  # equal moments would have no order
            loop.call_at(due, _write, writer, raw)


def _write(writer: asyncio.StreamWriter, raw: bytes) -> None:
    if not writer.transport.is_closing():
        writer.write(raw)


def _is_command(piece: Piece) -> bool:
    return piece.message is not None and piece.message.get("type") == "RESTRequest"


def _refusal(piece: Piece) -> bytes:
    if piece.message is None:
        return b"HTTP/1.1 500 Told so\r\nContent-Length: 0\r\n\r\n"
    return text_frame(
        {
            "type": "RESTResponse",
            "request_id": piece.message.get("request_id"),
            "status_code": 500,
            "reason_phrase": "Told so",
            "message_body": "",
        }
    )
