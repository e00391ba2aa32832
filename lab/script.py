"""The pieces of a SIPp scenario: what is sent, what may come, and for how long to wait."""

from pathlib import Path

# What is one caller's own in a SIPp that makes many calls.
MARK = "[pid]-[call_number]"
EMPTY = ("Content-Length: 0", "")


def literal(text: str) -> str:
    r"""Return text in which neither SIPp nor XML sees anything: all but letters, digits as \xNN."""
    return "".join(
        chr(byte) if chr(byte).isascii() and chr(byte).isalnum() else f"\\x{byte:02x}"
        for byte in text.encode(errors="surrogateescape")
    )


def quoted(name: str) -> str:
    """Return a display name as RFC 3261 writes it: in quotes, quotes and backslashes escaped."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def written(name: str, script: list[str]) -> str:
    """Return a whole scenario from its steps."""
    head = ['<?xml version="1.0" encoding="UTF-8"?>', f'<scenario name="{name}">']
    return "\n".join([*head, *script, "</scenario>", ""])


def send(text: list[str], attributes: str = "") -> list[str]:
    """Return the step that sends a message."""
    return [f"<send{attributes}><![CDATA[", *text, "]]></send>"]


def may_come(*statuses: int, then: str = "", wait: str = "") -> list[str]:
    """Return steps for responses to the INVITE that may come or not, and where to go on then.

    ``wait`` is the ``timeout`` of the step they come before: SIPp keeps that of the first of them.
    """
    following = f' next="{then}"' if then else ""
    return [
        f'<recv response="{status}" optional="true" response_txn="invite"{following}{wait}/>'
        for status in statuses
    ]


def timeout(milliseconds: int | None, then: str) -> str:
    """Return what a wait does after so long: nothing for None, or go on at a label."""
    # 0 would be no limit to SIPp.
    return "" if milliseconds is None else f' timeout="{max(1, milliseconds)}" ontimeout="{then}"'


def response(status: int, *more: str) -> list[str]:
    """Answer the message that came in last; ``more`` may replace its To and CSeq."""
    headers = [f"SIP/2.0 {status} Told so", "[last_Via:]", "[last_From:]", "[last_Call-ID:]"]
    given = "\n".join(more)
    headers += [f"[last_{name}:]" for name in ("To", "CSeq") if f"{name}:" not in given]
    headers += ["Contact: <sip:handset@[local_ip]:[local_port]>", *more]
    return headers if "Content-Length:" in given else [*headers, *EMPTY]


def hang_up(bye: list[str]) -> list[str]:
    """Send BYE; the other side's BYE may cross it, and is answered."""
    return [
        *send(bye, ' retrans="500"'),
        '<recv request="BYE" optional="true" next="crossed"/>',
        '<recv response="200"/>',
        '<nop next="end"/>',
        '<label id="crossed"/>',
        *send(response(200)),
    ]


def sound(speaks: Path | None, hears_at: int | None) -> list[str]:
    """Return the end of a message that offers sound: SIPp's own, or somebody's at a port."""
    port = hears_at or ("[rtpstream_audio_port]" if speaks else "[media_port]")
    return [
        "Content-Type: application/sdp",
        "Content-Length: [len]",
        "",
        "v=0",
        "o=- 1 1 IN IP4 [local_ip]",
        "s=-",
        "c=IN IP4 [media_ip]",
        "t=0 0",
        f"m=audio {port} RTP/AVP 0",
        "a=rtpmap:0 PCMU/8000",
    ]


def speak(speaks: Path | None) -> list[str]:
    """Say what is in a file of raw PCMU, over and over."""
    if speaks is None:
        return []
    return [f'<nop><action><exec rtp_stream="{speaks},-1,0"/></action></nop>']
