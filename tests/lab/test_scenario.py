"""SIPp's scenarios and traces."""

from xml.etree import ElementTree

import pytest

from lab.scenario import Caller, Handset, Moment
from lab.script import literal, quoted
from lab.sipp import parse_trace

TRACE = """----------------------------------------------- 2026-11-22 19:06:37.778000
UDP message sent (5 bytes):

INVITE sip:1@x SIP/2.0
Call-ID: 1-2@x
CSeq: 1 INVITE

v=0

----------------------------------------------- 2026-11-22 19:06:37.780500
UDP message received [9] bytes :

SIP/2.0 100 Trying
Call-ID: 1-2@x
CSeq: 1 INVITE

"""


@pytest.mark.parametrize("moment", list(Moment))
@pytest.mark.parametrize("milliseconds", [None, 0, 500])
def test_a_caller_of_any_patience_is_well_formed(moment: Moment, milliseconds: int | None) -> None:
    text = Caller(name='<&"]]>[call_id]', hangs_up_after=milliseconds, counted_from=moment)
    ElementTree.fromstring(text.scenario())  # noqa: S314  (our own)


@pytest.mark.parametrize(
    "handset",
    [
        Handset(),
        Handset(answers_after=None),
        Handset(refuses_with=486),
        Handset(hangs_up_after=0, ignores="0312345678"),
    ],
)
def test_a_handset_of_any_habit_is_well_formed(handset: Handset) -> None:
    ElementTree.fromstring(handset.scenario())  # noqa: S314  (our own)


def test_nothing_in_a_name_means_anything_to_sipp() -> None:
    assert literal("a[1]\n") == "a\\x5b1\\x5d\\x0a"
    assert quoted('a "b" \\') == '"a \\"b\\" \\\\"'


def test_a_trace_becomes_messages_with_their_moments() -> None:
    first, second = parse_trace(TRACE)
    assert (first.sent, first.method, first.target, first.body.strip()) == (
        True, "INVITE", "sip:1@x", "v=0",
    )  # fmt: skip
    assert (second.sent, second.status, second.method) == (False, 100, "INVITE")
    assert second.at - first.at == pytest.approx(0.0025, abs=1e-4)
    assert parse_trace("") == parse_trace("no message yet") == []
