"""A bare SIP telephone: sends any request as it is told, with a password or without."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias, cast

from lab import LabError
from lab.message import Message
from lab.ports import Address
from lab.request import Request, response_to

ANSWER_LIMIT = 5  # seconds
Answer: TypeAlias = Callable[[Message], int | str | None]
RESEND = 0.5  # seconds; T1 of RFC 3261, section 17.1.1.1


class Telephone(asyncio.DatagramProtocol):
    """A SIP telephone at ``here`` that talks to ``peer`` and keeps all that it sent and received.

    Requests that come in are answered by ``answer``: by a status, a whole response, or not at all.
    """

    def __init__(self, here: Address, peer: Address, answer: Answer) -> None:
        self.here = here
        self.peer = peer
        self.messages: list[Message] = []
        self._answer = answer
        self._transport: asyncio.DatagramTransport | None = None
        self._arrived = asyncio.Event()
        self._unplugged = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Keep what arrived, and answer a request."""
        if not data.strip():
            return
        message = Message(time.time(), sent=False, text=data.decode(errors="replace"))
        self.messages.append(message)
        self._arrived.set()
        if not message.status and message.method != "ACK":
            match self._answer(message):
                case int(status):
                    self._send(response_to(message, status), Address(*addr))
                case str(text):
                    self._send(text, Address(*addr))

    def requests(self, method: str) -> list[Message]:
        """Return the requests of that method that came in; one retransmitted counts once."""
        once: dict[tuple[str, str], Message] = {}
        for message in self.messages:
            if not message.sent and message.is_request(method):
                once.setdefault((message.call_id, message.header("CSeq")), message)
        return list(once.values())

    async def ask(
        self,
        request: Request,
        *,
        user: str = "handset",
        password: str | None = None,
        seconds: float = ANSWER_LIMIT,
        stays: bool = False,
    ) -> Message:
        """Send a request and return its final response; LabError if there is none in time.

        With ``password`` a challenge (401) is answered once. A refused INVITE is acknowledged; an
        accepted one too, and then ended with BYE unless this telephone ``stays``.
        """
        response = await self._final(request, seconds, stays=stays)
        if password is not None and response.status == 401:
            request = request.with_password(response, user, password)
            response = await self._final(request, seconds, stays=stays)
        return response

    async def _final(self, request: Request, seconds: float, *, stays: bool) -> Message:
        try:
            async with asyncio.timeout(seconds):
                response = await self._exchange(request)
                if request.method == "INVITE":
                    self._send(request.acknowledgement(response).text(self.here), self.peer)
                    if response.status < 300 and not stays:
                        await self._exchange(request.goodbye(response))
                return response
        except TimeoutError:
            raise LabError(f"no answer to {request.method} {request.uri}: {seconds:g} s") from None

    async def _exchange(self, request: Request) -> Message:
        """Send a request, again and again until the first response, and wait for the final one."""
        begun = len(self.messages)
        while True:
            self._send(request.text(self.here), self.peer)
            limit: float | None = RESEND
            while True:
                answers = [m for m in self.messages[begun:] if _answers(m, request)]
                if answers and answers[-1].status >= 200:
                    return answers[-1]
                if answers:
                    limit = None
                self._arrived.clear()
                try:
                    async with asyncio.timeout(limit):
                        await self._arrived.wait()
                except TimeoutError:
                    break

    def _send(self, text: str, to: Address) -> None:
        if self._transport is None:
            raise LabError("this telephone is not connected")
        self.messages.append(Message(time.time(), sent=True, text=text))
        self._transport.sendto(text.encode(errors="surrogateescape"), (to.host, to.port))

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of the port: from now on another program can have it."""
        self._unplugged.set()

    async def unplug(self) -> None:
        """Close the socket, and wait until it is closed."""
        if self._transport is not None:
            self._transport.close()
            await self._unplugged.wait()


def _answers(message: Message, request: Request) -> bool:
    same = message.call_id == request.call_id and message.header("CSeq") == request.cseq
    return not message.sent and bool(message.status) and same


@asynccontextmanager
async def telephone(
    here: Address, peer: Address, answer: Answer = lambda _: 486
) -> AsyncIterator[Telephone]:
    """Plug in a telephone; unless told otherwise it is busy."""
    _, plugged = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Telephone(here, peer, answer), local_addr=(here.host, here.port)
    )
    try:
        yield plugged
    finally:
        await plugged.unplug()


def registration(phone: Telephone, user: str = "handset", seconds: int = 300) -> Request:
    """Return the REGISTER of a telephone for an account at its peer; 0 seconds take it back."""
    account = f"<sip:{user}@{phone.peer}>"
    contact = (f"Contact: <sip:{user}@{phone.here}>", f"Expires: {seconds}")
    return Request(
        method="REGISTER", uri=f"sip:{phone.peer}", from_=account, to=account, headers=contact
    )


async def register(here: Address, registrar: Address, password: str, seconds: int = 300) -> Message:
    """Register the handset at ``here``, where another program will be; return the response."""
    async with telephone(here, registrar) as phone:
        return await phone.ask(registration(phone, seconds=seconds), password=password)
