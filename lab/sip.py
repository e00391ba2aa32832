"""A bare SIP telephone: sends any request as it is told, with a password or without."""

import asyncio
import hashlib
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import cast

from lab import LabError
from lab.message import Message
from lab.ports import Address

ANSWER_LIMIT = 5  # seconds
RESEND = 0.5  # seconds; T1 of RFC 3261, section 17.1.1.1


def sound_offer(host: str, port: int) -> str:
    """Return a session description that offers PCMU on that port."""
    return (
        f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
    )


class Telephone(asyncio.DatagramProtocol):
    """A SIP telephone at ``here`` that talks to ``peer`` and keeps all that it sent and received.

    Requests that come in are answered by ``answer``: a status for each, or None for silence.
    """

    def __init__(
        self, here: Address, peer: Address, answer: Callable[[Message], int | None]
    ) -> None:
        self.here = here
        self.peer = peer
        self.messages: list[Message] = []
        self._answer = answer
        self._transport: asyncio.DatagramTransport | None = None
        self._arrived = asyncio.Event()

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
            status = self._answer(message)
            if status is not None:
                self._send(reply(message, status), Address(*addr))

    def requests(self, method: str) -> list[Message]:
        """Return the requests of that method that came in; one retransmitted counts once."""
        once = {
            (m.call_id, m.header("CSeq")): m
            for m in reversed(self.messages)
            if not m.sent and m.is_request(method)
        }
        return sorted(once.values(), key=lambda m: m.at)

    async def ask(
        self,
        method: str,
        uri: str,
        *,
        from_: str,
        to: str | None = None,
        headers: Sequence[str] = (),
        body: str = "",
        password: str | None = None,
        user: str = "handset",
        seconds: float = ANSWER_LIMIT,
    ) -> Message:
        """Send a request and return its final response; LabError if there is none in time.

        With ``password`` a challenge (401) is answered once. A refused INVITE is acknowledged; an
        accepted one too, and then ended with BYE.
        """
        request = _Request(self, method, uri, from_, to or f"<{uri}>", headers, body)
        response = await self._final(request, seconds)
        if password is not None and response.status in {401, 407}:
            challenge = response.header("WWW-Authenticate") or response.header("Proxy-Authenticate")
            request.again(_authorization(challenge, method, uri, user, password))
            response = await self._final(request, seconds)
        return response

    async def _final(self, request: "_Request", seconds: float) -> Message:
        try:
            async with asyncio.timeout(seconds):
                response = await self._exchange(request)
        except TimeoutError:
            raise LabError(
                f"no answer to {request.method} {request.uri} in {seconds:g} s"
            ) from None
        if request.method == "INVITE":
            self._send(request.acknowledgement(response), self.peer)
            if response.status < 300:
                goodbye = request.goodbye(response)
                async with asyncio.timeout(seconds):
                    await self._exchange(goodbye)
        return response

    async def _exchange(self, request: "_Request") -> Message:
        seen = len(self.messages)
        while True:
            self._send(request.text(), self.peer)
            until = asyncio.get_running_loop().time() + RESEND
            provisional = False
            while provisional or asyncio.get_running_loop().time() < until:
                self._arrived.clear()
                for message in self.messages[seen:]:
                    if not message.sent and message.header("CSeq") == request.cseq and (
                        message.call_id == request.call_id
                    ):
                        if message.status >= 200:
                            return message
                        provisional = True
                try:
                    limit = None if provisional else RESEND
                    async with asyncio.timeout(limit):
                        await self._arrived.wait()
                except TimeoutError:
                    break

    def _send(self, text: str, to: Address) -> None:
        if self._transport is None:
            raise LabError("this telephone is not connected")
        self.messages.append(Message(time.time(), sent=True, text=text))
        self._transport.sendto(text.encode(errors="surrogateescape"), (to.host, to.port))

    def close(self) -> None:
        """Unplug it."""
        if self._transport is not None:
            self._transport.close()


@asynccontextmanager
async def telephone(
    here: Address, peer: Address, answer: Callable[[Message], int | None] = lambda _: 486
) -> AsyncIterator[Telephone]:
    """Plug in a telephone; unless told otherwise it is busy."""
    loop = asyncio.get_running_loop()
    _, plugged = await loop.create_datagram_endpoint(
        lambda: Telephone(here, peer, answer), local_addr=(here.host, here.port)
    )
    try:
        yield plugged
    finally:
        plugged.close()


async def register(
    here: Address, registrar: Address, *, user: str = "handset", password: str, seconds: int = 300
) -> Message:
    """Register ``user`` at ``here`` (0 seconds: take it back) and return the final response."""
    async with telephone(here, registrar) as phone:
        return await phone.ask(
            "REGISTER",
            f"sip:{registrar}",
            from_=f"<sip:{user}@{registrar}>",
            to=f"<sip:{user}@{registrar}>",
            headers=[f"Contact: <sip:{user}@{here}>", f"Expires: {seconds}"],
            user=user,
            password=password,
        )


class _Request:
    """A request, the same one again with credentials, and what follows it in its dialog."""

    def __init__(
        self, phone: Telephone, method: str, uri: str, from_: str, to: str,
        headers: Sequence[str], body: str,
    ) -> None:  # fmt: skip
        self.method = method
        self.uri = uri
        self.call_id = f"{secrets.token_hex(8)}@{phone.here.host}"
        self._here = phone.here
        self._from = f"{from_};tag={secrets.token_hex(4)}"
        self._to = to
        self._headers = list(headers)
        self._body = body
        self._number = 1
        self._branch = f"z9hG4bK{secrets.token_hex(6)}"
        self._authorization = ""

    @property
    def cseq(self) -> str:
        return f"{self._number} {self.method}"

    def again(self, authorization: str) -> None:
        self._number += 1
        self._branch = f"z9hG4bK{secrets.token_hex(6)}"
        self._authorization = authorization

    def text(self) -> str:
        headers = list(self._headers)
        if self._authorization:
            headers.append(self._authorization)
        if not any(header.lower().startswith("contact:") for header in headers):
            headers.append(f"Contact: <sip:{self._here}>")
        return self._written(self.method, self.cseq, self._branch, self._to, headers, self._body)

    def acknowledgement(self, response: Message) -> str:
        # The ACK of a refusal belongs to the INVITE's transaction, that of a 200 does not.
        accepted = response.status < 300
        branch = f"z9hG4bK{secrets.token_hex(6)}" if accepted else self._branch
        return self._written("ACK", f"{self._number} ACK", branch, response.header("To"), [], "")

    def goodbye(self, response: Message) -> "_Request":
        bye = _Request.__new__(_Request)
        bye.__dict__.update(self.__dict__)
        bye.method, bye._to, bye._body = "BYE", response.header("To"), ""  # noqa: SLF001
        bye._headers = []  # noqa: SLF001
        bye.again("")
        return bye

    def _written(
        self, method: str, cseq: str, branch: str, to: str, headers: Sequence[str], body: str
    ) -> str:
        lines = [
            f"{method} {self.uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {self._here};rport;branch={branch}",
            f"From: {self._from}",
            f"To: {to}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {cseq}",
            "Max-Forwards: 70",
            *headers,
        ]
        if body:
            lines.append("Content-Type: application/sdp")
        lines += [f"Content-Length: {len(body.encode())}", "", body]
        return "\r\n".join(lines)


def reply(request: Message, status: int) -> str:
    """Return a response to a request, without a body."""
    to = request.header("To")
    tagged = to if ";tag=" in to or status == 100 else f"{to};tag=lab"
    lines = [
        f"SIP/2.0 {status} Told so",
        *(f"Via: {via}" for via in request.headers("Via")),
        f"From: {request.header('From')}",
        f"To: {tagged}",
        f"Call-ID: {request.call_id}",
        f"CSeq: {request.header('CSeq')}",
        "Content-Length: 0",
        "",
        "",
    ]
    return "\r\n".join(lines)


def _authorization(challenge: str, method: str, uri: str, user: str, password: str) -> str:
    """Answer a digest challenge (RFC 2617, with qop=auth or without)."""
    asked: Mapping[str, str] = dict(re.findall(r'(\w+)="?([^",]+)"?', challenge))
    realm, nonce = asked["realm"], asked["nonce"]
    who = _md5(f"{user}:{realm}:{password}")
    what = _md5(f"{method}:{uri}")
    if "qop" in asked:
        response = _md5(f"{who}:{nonce}:00000001:lab:auth:{what}")
        quality = ', qop=auth, nc=00000001, cnonce="lab"'
    else:
        response, quality = _md5(f"{who}:{nonce}:{what}"), ""
    opaque = f', opaque="{asked["opaque"]}"' if "opaque" in asked else ""
    return (
        f'Authorization: Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{uri}",'
        f' response="{response}", algorithm=MD5{quality}{opaque}'
    )


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
