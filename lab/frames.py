"""A connection to ARI cut into what was said on it: HTTP messages first, WebSocket frames then."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]

_TEXT = 0x81  # the first byte of a whole message of text in one frame (RFC 6455, section 5.2)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_SWITCH = re.compile(rb"\r\nupgrade: *websocket", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Piece:
    """Some bytes that belong together, and the JSON object that they carry, if they do.

    ``request`` is the first line of an HTTP request, empty for everything else.
    """

    raw: bytes
    message: Json | None = None
    request: str = ""


class Cutter:
    """Cuts one direction of a connection into pieces; put together they are what came."""

    def __init__(self) -> None:
        self._rest = b""
        self._framed = False

    def cut(self, received: bytes) -> Iterator[Piece]:
        """Yield the pieces that are whole by now."""
        self._rest += received
        while (length := self._frame() if self._framed else self._http()) is not None:
            raw, self._rest = self._rest[:length], self._rest[length:]
            if self._framed:
                yield Piece(raw, _message(raw))
            else:
                self._framed = bool(_SWITCH.search(raw.partition(b"\r\n\r\n")[0]))
                line = raw.partition(b"\r\n")[0].decode("latin-1")
                yield Piece(raw, request="" if line.startswith("HTTP/") else line)

    def _http(self) -> int | None:
        """Return the length of the HTTP message at hand, None while it is not whole."""
        head, blank, body = self._rest.partition(b"\r\n\r\n")
        if not blank:
            return None
        said = _LENGTH.search(head)
        length = int(said[1]) if said else 0
        return len(head) + len(blank) + length if len(body) >= length else None

    def _frame(self) -> int | None:
        """Return the length of the frame at hand, None while it is not whole."""
        if len(self._rest) < 2:
            return None
        begin, length = _payload(self._rest)
        whole = begin + length
        return whole if length >= 0 and len(self._rest) >= whole else None


def text_frame(message: Json) -> bytes:
    """Return a message as a frame from a server."""
    payload = json.dumps(message).encode()
    if len(payload) < 126:
        head = bytes((_TEXT, len(payload)))
    else:
        head = bytes((_TEXT, 126)) + len(payload).to_bytes(2, "big")
    return head + payload


def _payload(frame: bytes) -> tuple[int, int]:
    """Return where the payload of a frame begins and how long it is; -1 if that is not said yet."""
    short, masked = frame[1] & 0x7F, bool(frame[1] & 0x80)
    wide = {126: 2, 127: 8}.get(short, 0)
    if len(frame) < 2 + wide:
        return 2, -1
    length = int.from_bytes(frame[2 : 2 + wide], "big") if wide else short
    return 2 + wide + 4 * masked, length


def _message(frame: bytes) -> Json | None:
    if frame[0] != _TEXT:
        return None
    begin, _ = _payload(frame)
    payload = frame[begin:]
    if frame[1] & 0x80:
        mask = frame[begin - 4 : begin]
        payload = bytes(byte ^ mask[n % 4] for n, byte in enumerate(payload))
    try:
        found = json.loads(payload)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
