"""SIP messages that no telephone sends: INVITEs bent in every way, the same for the same seed.

The ideas are those of RFC 4475, and of what scanners on the internet send; the messages are ours.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from lab.ports import Address

LARGEST = 60_000  # bytes; a datagram takes 65,507
_CRLF = b"\r\n"
_NUMBERS = (
    b"0",
    b"-1",
    b"1e9",
    b"4294967296",
    b"99999999999999999999",
    b"",
    b" ",
    b"0x10",
    b"\xff",
)


@dataclass(frozen=True)
class Draft:
    """A message in the making: its first line, its headers in order, its body."""

    first: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    between: bytes = b": "
    end: bytes = _CRLF
    tail: bytes = field(default=b"")

    def written(self) -> bytes:
        """Return the bytes of the message."""
        lines = [self.first, *(name + self.between + value for name, value in self.headers)]
        return (self.end.join([*lines, b"", self.body]) + self.tail)[:LARGEST]

    def with_header(self, name: bytes, value: bytes) -> "Draft":
        """Return it with another value for a header."""
        changed = tuple((n, value if n == name else v) for n, v in self.headers)
        return replace(self, headers=changed)

    def names(self) -> list[bytes]:
        """Return the names of its headers."""
        return [name for name, _ in self.headers]


def invite(chance: random.Random, here: Address, to: Address, number: str) -> Draft:
    """Return an INVITE that is as it should be, with an offer of sound."""
    mark = f"{chance.getrandbits(64):016x}"
    body = (
        f"v=0\r\no=- 1 1 IN IP4 {here.host}\r\ns=-\r\nc=IN IP4 {here.host}\r\nt=0 0\r\n"
        f"m=audio {20_000 + 2 * chance.randrange(5_000)} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
    )
    headers = {
        "Via": f"SIP/2.0/UDP {here};rport;branch=z9hG4bK{mark}",
        "From": f'"{mark}" <sip:{number}@lab>;tag={mark}',
        "To": f"<sip:0398765432@{to}>",
        "Call-ID": mark,
        "CSeq": "1 INVITE",
        "Max-Forwards": "70",
        "Contact": f"<sip:{here}>",
        "Content-Type": "application/sdp",
        "Content-Length": str(len(body)),
    }
    return Draft(
        f"INVITE sip:0398765432@{to} SIP/2.0".encode(),
        tuple((name.encode(), value.encode()) for name, value in headers.items()),
        body.encode(),
    )


def _garbage(chance: random.Random, longest: int = 64) -> bytes:
    return chance.randbytes(chance.randrange(1, longest))


def _long(chance: random.Random) -> bytes:
    return chance.choice((b"a", b"9", b"%41", b"\xe3\x81\x82", b"<", b'"', b";x=")) * chance.choice(
        (300, 3_000, 20_000)
    )


def _huge_header(chance: random.Random, draft: Draft) -> Draft:
    return draft.with_header(chance.choice(draft.names()), _long(chance))


def _empty_header(chance: random.Random, draft: Draft) -> Draft:
    return draft.with_header(chance.choice(draft.names()), chance.choice((b"", b" ", b";", b"<>")))


def _binary_header(chance: random.Random, draft: Draft) -> Draft:
    return draft.with_header(chance.choice(draft.names()), _garbage(chance))


def _missing(chance: random.Random, draft: Draft) -> Draft:
    gone = chance.choice(draft.names())
    return replace(draft, headers=tuple(each for each in draft.headers if each[0] != gone))


def _twice(chance: random.Random, draft: Draft) -> Draft:
    again = tuple(each for each in draft.headers for _ in range(chance.choice((1, 1, 2, 3))))
    return replace(draft, headers=again)


def _shuffled(chance: random.Random, draft: Draft) -> Draft:
    return replace(draft, headers=tuple(chance.sample(draft.headers, len(draft.headers))))


def _folded(chance: random.Random, draft: Draft) -> Draft:
    fold = chance.choice((b"\r\n ", b"\r\n\t", b"\n ", b"\r\n \r\n ", b"\r\n" + b" " * 500))
    folded = tuple((n, v.replace(b" ", fold).replace(b";", fold + b";")) for n, v in draft.headers)
    return replace(draft, headers=folded)


def _many_headers(chance: random.Random, draft: Draft) -> Draft:
    name = chance.choice(
        (b"X-A", b"Via", b"Route", b"Record-Route", b"Contact", b"P-Asserted-Identity")
    )
    value = dict(draft.headers).get(name, b"<sip:a@127.0.0.1;lr>")
    return replace(draft, headers=draft.headers + ((name, value),) * chance.choice((20, 200, 900)))


def _bad_number(chance: random.Random, draft: Draft) -> Draft:
    name = chance.choice((b"Content-Length", b"CSeq", b"Max-Forwards"))
    number = chance.choice(_NUMBERS)
    return draft.with_header(name, number + b" INVITE" if name == b"CSeq" else number)


def _bad_first_line(chance: random.Random, draft: Draft) -> Draft:
    uri = draft.first.partition(b" ")[2].partition(b" ")[0]
    first = chance.choice(
        (
            b"",
            b"INVITE",
            b"INVITE  " + uri + b"  SIP/2.0",
            b"INVITE " + uri + b" SIP/7.0",
            b"INVITE <" + uri + b"> SIP/2.0",
            b"invite " + uri + b" sip/2.0",
            b"INVITE " + _long(chance) + b" SIP/2.0",
            b"INVITE sip:\x00@" + uri[4:] + b" SIP/2.0",
            b"INVITE sip:%00%0d%0a@x SIP/2.0",
            b"INVITE tel:" + _garbage(chance) + b" SIP/2.0",
            b"INVITE sips:user:pass@[::1]:99999;x SIP/2.0",
            b"!interesting-Method0123456789_*+`.%indeed'~ " + uri + b" SIP/2.0",
            b"SIP/2.0 200 OK",
            b"SIP/2.0 " + chance.choice(_NUMBERS) + b" x",
            _garbage(chance, 400),
        )
    )
    return replace(draft, first=first)


def _bad_uri(chance: random.Random, draft: Draft) -> Draft:
    uri = chance.choice(
        (
            b"sip:",
            b"sip:@",
            b"sip:a@[",
            b"sip:a@1.2.3.4:0",
            b"sip:%ff%fe%00@lab",
            b"sip:a;b=c;d?e=f@lab",
            b"sip:" + b"9" * 300 + b"@lab",
            b"tel:+81;phone-context=" + b"x" * 300,
            b"urn:service:sos",
            b"sip:${SHELL(id)}@lab",
            b"sip:a@lab>;tag=<",
            b"http://lab/",
            "sip:名前@例え.jp".encode(),
            "sip:名前@lab".encode("euc-jp"),
        )
    )
    name = chance.choice((b"From", b"To", b"Contact"))
    form = chance.choice((b"<%s>;tag=1", b"%s", b'"\xff\xfe" <%s>;tag=\x80', b'"open <%s>', b"<%s"))
    return draft.with_header(name, form % uri)


def _bad_via(chance: random.Random, draft: Draft) -> Draft:
    via = chance.choice(
        (
            b"SIP/2.0/UDP",
            b"SIP/2.0/UDP ;branch=z9hG4bK",
            b"SIP / 2.0 / UDP\r\n 127.0.0.1 ; branch = z9hG4bKx",
            b"SIP/2.0/TCP 1.2.3.4:99999;branch=" + _long(chance),
            b"SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK;branch=z9hG4bK;rport=99999999;ttl=999;maddr=[",
            _garbage(chance),
        )
    )
    return draft.with_header(b"Via", via)


def _bad_body(chance: random.Random, draft: Draft) -> Draft:
    body = chance.choice(
        (
            b"",
            b"v=0\r\n",
            draft.body.replace(b"audio 2", b"audio 99"),
            draft.body.replace(b"PCMU/8000", _long(chance)),
            draft.body + b"m=audio 1 RTP/AVP 0\r\n" * chance.choice((2, 60, 900)),
            draft.body + b"a=" + _long(chance) + _CRLF,
            draft.body.replace(b"IP4", b"IP9"),
            draft.body.replace(b"RTP/AVP 0", b"RTP/AVP " + b"0 " * 500),
            draft.body.replace(b"RTP/AVP", b"UDP/TLS/RTP/SAVPF"),
            _garbage(chance, 3_000),
        )
    )
    length = str(len(body)).encode() if chance.random() < 0.7 else chance.choice(_NUMBERS)
    kind = chance.choice(
        (b"application/sdp", b"multipart/mixed;boundary=", b"x/y", b"application/")
    )
    draft = draft.with_header(
        b"Content-Type", kind if chance.random() < 0.3 else b"application/sdp"
    )
    return replace(draft.with_header(b"Content-Length", length), body=body)


def _bad_lines(chance: random.Random, draft: Draft) -> Draft:
    end = chance.choice((b"\n", b"\r", b"\r\n\r\n", b"\r\n\x00", b"\n\r"))
    return replace(draft, end=end, between=chance.choice((b":", b" : ", b"\t:\t", b" ", b"::")))


def _known_extras(chance: random.Random, draft: Draft) -> Draft:
    extra = chance.choice(
        (
            (b"Require", b"nothingSupportsThis, 100rel, replaces"),
            (b"Replaces", b"a;from-tag=b;to-tag=c"),
            (b"Session-Expires", chance.choice(_NUMBERS)),
            (b"Privacy", b"id;critical;" + _garbage(chance)),
            (b"P-Asserted-Identity", b'"\xff" <sip:>, <tel:' + _garbage(chance) + b">"),
            (b"Diversion", b"<sip:" + b"a" * 3_000 + b">;reason=x"),
            (b"Authorization", b'Digest username="handset", nonce="' + _garbage(chance) + b'"'),
            (b"P-Called-Party-ID", b"<sip:" + _long(chance) + b"@lab>"),
            (b"Call-Info", b"<" + _long(chance) + b">;purpose=icon"),
            (b"Refer-To", b"<sip:0015551234567@lab>"),
            (b"Event", _garbage(chance)),
        )
    )
    return replace(draft, headers=(*draft.headers, extra))


Bend = Callable[[random.Random, Draft], Draft]
BENDS: tuple[Bend, ...] = (
    _huge_header, _empty_header, _binary_header, _missing, _twice, _shuffled, _folded,
    _many_headers, _bad_number, _bad_first_line, _bad_uri, _bad_via, _bad_body, _bad_lines,
    _known_extras,
)  # fmt: skip


def malformed(seed: int, here: Address, to: Address) -> Iterator[bytes]:
    """Yield INVITEs for ever, each bent in one way or several, now and then torn or noise."""
    chance = random.Random(seed)  # noqa: S311  (to be repeated, not to be secret)
    while True:
        number = chance.choice(("0312349999", "+18005551234", "anonymous", "", "0" * 90))
        draft = invite(chance, here, to, number)
        for bend in chance.choices(BENDS, k=chance.choice((1, 1, 2, 3))):
            draft = bend(chance, draft)
        message = draft.written()
        match chance.randrange(20):
            case 0:
                yield message[: chance.randrange(len(message) + 1)]
            case 1:
                torn = bytearray(message)
                for _ in range(chance.randrange(1, 30)):
                    torn[chance.randrange(len(torn))] = chance.randrange(256)
                yield bytes(torn)
            case 2:
                yield _garbage(chance, 2_000)
            case _:
                yield message
