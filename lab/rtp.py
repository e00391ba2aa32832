"""An ear on the wire: receives RTP, keeps when each packet came, and can speak back."""

import asyncio
import secrets
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import cast

import numpy as np

from lab.listen import RATE, Sound, decode_ulaw, encode_ulaw
from lab.ports import Address
from lab.process import alongside

FRAME = 160  # samples in a packet: 20 ms


class Ear(asyncio.DatagramProtocol):
    """The sound side of a telephone whose signalling SIPp does: give it as ``hears_at``.

    It is told nothing of the call: it keeps whatever PCMU arrives.
    """

    def __init__(self, here: Address) -> None:
        self.here = here
        self._packets: list[tuple[float, int, bytes]] = []
        self._transport: asyncio.DatagramTransport | None = None
        self._peer: asyncio.Future[tuple[str, int]] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Keep a packet of PCMU (payload type 0; RFC 3550, section 5.1) and the time."""
        if len(data) > 12 and data[1] & 0x7F == 0:
            (stamp,) = struct.unpack_from("!I", data, 4)
            self._packets.append((time.time(), stamp, data[12 + 4 * (data[0] & 15) :]))
            if not self._peer.done():
                self._peer.set_result(addr)

    def heard(self) -> tuple[float, Sound]:
        """Return when the first packet came, and the sound as it came: silence where none did.

        The sound's clock is that of arrival, so that a moment in it is a moment of this machine.
        """
        if not self._packets:
            return 0.0, np.zeros(0)
        begin = self._packets[0][0]
        length = int((self._packets[-1][0] - begin) * RATE) + 2 * RATE
        sound = np.zeros(length)
        at, following = 0, self._packets[0][1]
        for (_, stamp, coded), due in zip(self._packets, self._due(), strict=True):
            # In step with the sender while it sends on; anew after a pause or another source.
            if stamp != following or abs(at - (due - begin) * RATE) > RATE / 10:
                at = max(0, int((due - begin) * RATE))
            piece = decode_ulaw(coded)
            sound[at : at + len(piece)] = piece
            at, following = at + len(piece), stamp + len(piece)
        return begin, sound[:at]

    def _due(self) -> list[float]:
        """Return when each packet would have come, had none been held up on a busy machine.

        Of packets whose stamps are in step, one that was held up is followed by others in time;
        after a pause of the sender all are late.
        """
        due: list[float] = []
        following, delay = None, 0.0
        for when, stamp, coded in reversed(self._packets):
            in_step = following == stamp + len(coded)
            delay = min(delay, when - stamp / RATE) if in_step else when - stamp / RATE
            due.append(delay + stamp / RATE)
            following = stamp
        return due[::-1]

    async def speak(self, sound: Sound) -> None:
        """Say a sound once, 20 ms by 20 ms, to where the first packet came from."""
        peer = await self._peer
        coded = encode_ulaw(sound)
        source, first = secrets.randbits(32), asyncio.get_running_loop().time()
        for number in range(len(coded) // FRAME):
            head = struct.pack("!BBHII", 0x80, 0, number & 0xFFFF, number * FRAME, source)
            payload = coded[number * FRAME : (number + 1) * FRAME]
            if self._transport is not None:
                self._transport.sendto(head + payload, peer)
            due = first + (number + 1) * FRAME / RATE
            await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))

    def close(self) -> None:
        """Close the socket."""
        if self._transport is not None:
            self._transport.close()


@asynccontextmanager
async def ear(here: Address, says: Sound | None = None) -> AsyncIterator[Ear]:
    """Listen at an address while the block lasts, and say something from the first packet on."""
    _, listening = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Ear(here), local_addr=(here.host, here.port)
    )
    try:
        async with nullcontext() if says is None else alongside(listening.speak(says)):
            yield listening
    finally:
        listening.close()
