"""SIP requests as text: the first of a call, again with a password, its ACK and its BYE."""

import hashlib
import re
import secrets
from dataclasses import dataclass, field, replace

from lab.message import Message
from lab.ports import Address


def _mark() -> str:
    return secrets.token_hex(8)


@dataclass(frozen=True, kw_only=True)
class Request:
    """A SIP request; everything in it reaches the wire as it is given.

    ``from_`` and ``to`` are headers without their tags; without ``to`` it is the ``uri``.
    """

    method: str
    uri: str
    from_: str
    to: str = ""
    headers: tuple[str, ...] = ()
    body: str = ""
    number: int = 1
    call_id: str = field(default_factory=_mark)
    tag: str = field(default_factory=_mark)
    branch: str = field(default_factory=_mark)

    @property
    def cseq(self) -> str:
        """The CSeq, by which a response is known."""
        return f"{self.number} {self.method}"

    def text(self, here: Address) -> str:
        """Return it as it is sent from ``here``."""
        lines = [
            f"{self.method} {self.uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {here};rport;branch=z9hG4bK{self.branch}",
            f"From: {self.from_};tag={self.tag}",
            f"To: {self.to or f'<{self.uri}>'}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {self.cseq}",
            "Max-Forwards: 70",
            *self.headers,
        ]
        if not any(header.lower().startswith("contact:") for header in self.headers):
            lines.append(f"Contact: <sip:{here}>")
        if self.body:
            lines.append("Content-Type: application/sdp")
        lines += [f"Content-Length: {len(self.body.encode())}", "", self.body]
        return "\r\n".join(lines)

    def acknowledgement(self, response: Message) -> "Request":
        """Return the ACK: of the INVITE's own transaction for a refusal, not for a 200."""
        branch = _mark() if response.status < 300 else self.branch
        to = response.header("To")
        return replace(self, method="ACK", to=to, headers=(), body="", branch=branch)

    def goodbye(self, response: Message) -> "Request":
        """Return the BYE of the call that this INVITE began."""
        return replace(
            self, method="BYE", to=response.header("To"), headers=(), body="",
            number=self.number + 1, branch=_mark(),
        )  # fmt: skip

    def with_password(self, challenge: Message, user: str, password: str) -> "Request":
        """Return it again with the answer to a digest challenge (RFC 2617, qop=auth or none)."""
        asked: dict[str, str] = dict(
            re.findall(r'(\w+)="?([^",]+)"?', challenge.header("WWW-Authenticate"))
        )
        realm, nonce = asked["realm"], asked["nonce"]
        who = _md5(f"{user}:{realm}:{password}")
        what = _md5(f"{self.method}:{self.uri}")
        if "qop" in asked:
            answer = _md5(f"{who}:{nonce}:00000001:lab:auth:{what}")
            quality = ', qop=auth, nc=00000001, cnonce="lab"'
        else:
            answer, quality = _md5(f"{who}:{nonce}:{what}"), ""
        if "opaque" in asked:
            quality += f', opaque="{asked["opaque"]}"'
        header = (
            f'Authorization: Digest username="{user}", realm="{realm}", nonce="{nonce}",'
            f' uri="{self.uri}", response="{answer}", algorithm=MD5{quality}'
        )
        return replace(
            self, headers=(*self.headers, header), number=self.number + 1, branch=_mark()
        )


def response_to(request: Message, status: int, *headers: str) -> str:
    """Return a response to a request, with more headers if given, without a body."""
    to = request.header("To")
    lines = [
        f"SIP/2.0 {status} Told so",
        *(f"Via: {via}" for via in request.headers("Via")),
        f"From: {request.header('From')}",
        f"To: {to if ';tag=' in to else f'{to};tag=lab'}",
        f"Call-ID: {request.call_id}",
        f"CSeq: {request.header('CSeq')}",
        *headers,
        "Content-Length: 0",
        "",
        "",
    ]
    return "\r\n".join(lines)


def sound_offer(host: str, port: int) -> str:
    """Return a session description that offers PCMU on that port."""
    return (
        f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
    )


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
