"""A connection to ARI cut into pieces."""

import itertools
import json
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from lab.frames import Cutter, Piece, text_frame

ASKED = b"PUT /ari/x HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"
SWITCHING = b"GET /ari/events HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"
MASK = b"\x01\x02\x03\x04"
PING = b"\x89\x00"


def masked(message: Mapping[str, object]) -> bytes:
    payload = json.dumps(message).encode()
    coded = bytes(byte ^ MASK[n % 4] for n, byte in enumerate(payload))
    if len(payload) < 126:
        return bytes((0x81, 0x80 | len(payload))) + MASK + coded
    return bytes((0x81, 0x80 | 126)) + len(payload).to_bytes(2, "big") + MASK + coded


@given(st.lists(st.integers(0, 2000)), st.text(max_size=300))
def test_wherever_it_is_torn_the_same_pieces_come_out(tears: list[int], text: str) -> None:
    """Put together they are what came, and each message is found."""
    message = {"type": "RESTRequest", "uri": text}
    stream = ASKED + SWITCHING + masked(message) + PING + masked({})
    cutter = Cutter()
    pieces: list[Piece] = []
    edges = [0, *sorted(min(tear, len(stream)) for tear in tears), len(stream)]
    for begin, end in itertools.pairwise(edges):
        pieces += cutter.cut(stream[begin:end])
    assert b"".join(piece.raw for piece in pieces) == stream
    assert [piece.message for piece in pieces] == [None, None, message, None, {}]
    assert [piece.request for piece in pieces][:2] == [
        "PUT /ari/x HTTP/1.1",
        "GET /ari/events HTTP/1.1",
    ]


@given(st.text(max_size=300))
def test_a_frame_of_ours_is_read_as_it_was_written(text: str) -> None:
    cutter = Cutter()
    list(cutter.cut(SWITCHING))
    (piece,) = cutter.cut(text_frame({"said": text}))
    assert piece.message == {"said": text}
