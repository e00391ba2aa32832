"""What SIPp writes about a call, read back."""

from datetime import UTC, datetime

import pytest

from lab.sipp import parse_trace

RULE = "-" * 47
MESSAGES = """{rule} {stamp}
UDP message sent [30] bytes:

INVITE sip:household@lab SIP/2.0\r
Call-ID: 1@lab\r
CSeq: 1 INVITE\r
\r
{rule} {stamp}
UDP message received [30] bytes :

SIP/2.0 403 Forbidden\r
Call-ID: 1@lab\r
CSeq: 1 INVITE\r
\r
"""
MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


@pytest.mark.parametrize(
    "stamp",
    [
        f"{MOMENT.astimezone():%Y-%m-%d %H:%M:%S.%f}",  # 3.6, local time
        f"{MOMENT.astimezone():%Y-%m-%dT%H:%M:%S.%f}",
        f"{MOMENT:%Y-%m-%dT%H:%M:%S.%f}Z",  # 3.8
    ],
)
def test_every_release_of_sipp_is_understood(stamp: str) -> None:
    sent, received = parse_trace(MESSAGES.format(rule=RULE, stamp=stamp))
    assert (sent.sent, received.sent) == (True, False)
    assert (sent.method, received.status) == ("INVITE", 403)
    assert sent.at == received.at == MOMENT.timestamp()
