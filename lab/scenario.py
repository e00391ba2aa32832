"""The telephones of the laboratory as SIPp scenarios: what a caller does, what a handset does."""

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from lab.script import (
    EMPTY,
    MARK,
    hang_up,
    literal,
    may_come,
    quoted,
    response,
    send,
    sound,
    speak,
    timeout,
    written,
)

REFUSALS = (400, 401, 403, 404, 408, 410, 415, 480, 484, 486, 487, 488, 500, 503, 600, 603)


class Moment(StrEnum):
    """From when on a caller's patience is counted."""

    CALLING = "calling"  # the INVITE went out
    RINGING = "ringing"  # 180 came
    ANSWERED = "answered"  # 200 came


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Someone who calls through the trunk.

    Without ``hangs_up_after`` (milliseconds from ``counted_from``) they stay until the other side
    ends the call. ``number``, ``name``, ``to`` (whom they call), ``dials`` (the request line's
    user, if it is another) and ``headers`` reach the wire exactly as given, whatever they hold;
    ``from_header`` takes the place of number and name. With ``speaks`` (raw PCMU) sound goes both
    ways; with ``hears_at`` (a port) somebody else takes care of the sound. ``numbered``: each of
    several calls (nine at most) shows one digit more, from 1 on.
    """

    number: str = "0312345678"
    numbered: bool = False
    name: str = ""
    to: str = "0398765432"
    dials: str | None = None
    headers: tuple[str, ...] = ()
    from_header: str | None = None
    hangs_up_after: int | None = None
    counted_from: Moment = Moment.ANSWERED
    speaks: Path | None = None
    hears_at: int | None = None

    def scenario(self) -> str:
        """Return the scenario for SIPp."""
        return written("caller", _calling(self))


@dataclass(frozen=True, kw_only=True)
class Handset:
    """The household's telephone.

    It rings (180) and answers after ``answers_after`` milliseconds (None: never), or refuses at
    once with ``refuses_with``; it hangs up after ``hangs_up_after`` milliseconds of talk (None:
    waits for the caller to). Whoever shows the number ``ignores`` may ring as long as they like;
    with a ``*`` at its end, whoever shows a number that begins so.
    Sound as for ``Caller``.
    """

    answers_after: int | None = 200
    hangs_up_after: int | None = None
    refuses_with: int | None = None
    ignores: str | None = None
    speaks: Path | None = None
    hears_at: int | None = None

    def scenario(self) -> str:
        """Return the scenario for SIPp."""
        return written("handset", _called(self))


def _calling(who: Caller) -> list[str]:
    from_ = f"{quoted(who.name)} " if who.name else ""
    from_ += f"<sip:{who.number}@lab>" if who.from_header is None else who.from_header
    shown = literal(from_)
    if who.numbered:
        shown = shown.replace(literal(f"{who.number}@"), f"{literal(who.number)}[call_number]\\x40")
    target = literal(who.to if who.dials is None else who.dials)

    def request(method: str, number: int, branch: str, *more: str) -> list[str]:
        # A CANCEL, and the ACK of a refusal, carry the INVITE's branch.
        tag = "" if method in {"INVITE", "CANCEL"} else "[peer_tag_param]"
        return [
            f"{method} sip:{target}@[remote_ip]:[remote_port] SIP/2.0",
            f"Via: SIP/2.0/UDP [local_ip]:[local_port];rport;branch=z9hG4bK-{MARK}-{branch}",
            f"From: {shown};tag={MARK}",
            f"To: <sip:{literal(who.to)}@[remote_ip]:[remote_port]>{tag}",
            "Call-ID: [call_id]",
            f"CSeq: {number} {method}",
            "Max-Forwards: 70",
            "Contact: <sip:[local_ip]:[local_port]>",
            *more,
        ]

    def patience(moment: Moment, then: str) -> str:
        return timeout(who.hangs_up_after if who.counted_from is moment else None, then)

    ringing = patience(Moment.RINGING, "cancel")
    at_once = patience(Moment.CALLING, "cancel")
    early = ringing or at_once
    headers = [literal(header) for header in who.headers]
    script = [
        *send(
            request("INVITE", 1, "invite", *headers, *sound(who.speaks, who.hears_at)),
            ' retrans="500" start_txn="invite"',
        ),
        *may_come(180, then="ringing" if ringing else "", wait=at_once),
        *may_come(100, 181, 182, 183, wait=at_once),
        *may_come(*REFUSALS, then="refused", wait=at_once),
        f'<recv response="200" response_txn="invite"{at_once}/>',
    ]
    if ringing:
        script += [
            '<nop next="answered"/>',
            '<label id="ringing"/>',
            *may_come(180, 183, wait=ringing),
            *may_come(*REFUSALS, then="refused", wait=ringing),
            f'<recv response="200" response_txn="invite"{ringing}/>',
        ]
    script += [
        '<label id="answered"/>',
        *send(request("ACK", 1, "accepted", *EMPTY), ' ack_txn="invite"'),
        *speak(who.speaks),
    ]
    if early:  # answered while they were about to give up
        script += ['<nop next="hang_up"/>']
    else:
        script += [
            f'<recv request="BYE"{patience(Moment.ANSWERED, "hang_up")}/>',
            *send(response(200)),
            '<nop next="end"/>',
        ]
    if early:
        script += [
            '<label id="cancel"/>',
            *send(request("CANCEL", 1, "invite", *EMPTY), ' retrans="500" start_txn="cancel"'),
            *may_come(*REFUSALS, then="refused"),
            '<recv response="481" optional="true" response_txn="cancel" next="end"/>',
            '<recv response="200" response_txn="cancel"/>',
            *may_come(*REFUSALS, then="refused"),
            '<recv response="200" response_txn="invite"/>',
            *send(request("ACK", 1, "accepted", *EMPTY), ' ack_txn="invite"'),
        ]
    if who.hangs_up_after is not None:
        script += ['<label id="hang_up"/>', *hang_up(request("BYE", 3, "bye", *EMPTY))]
    return [
        *script,
        '<nop next="end"/>',
        '<label id="refused"/>',
        *send(request("ACK", 1, "invite", *EMPTY), ' ack_txn="invite"'),
        '<label id="end"/>',
        "<nop/>",
    ]


def _called(who: Handset) -> list[str]:
    # Kept from the INVITE: by the time of a CANCEL or a BYE other messages came in between.
    kept = [
        f'<ereg regexp="{pattern}" search_in="hdr" header="{header}:" assign_to="{name}"/>'
        for name, header, pattern in (
            ("cseq", "CSeq", "[0-9]+"),
            ("caller", "From", ".*"),
            ("household", "To", ".*"),
        )
    ]
    if who.ignores is not None:
        # The display shows the number at the end of From's user part.
        shown = re.escape(who.ignores.removesuffix("*"))
        shown += "[0-9]*" if who.ignores.endswith("*") else ""
        kept.append(
            f'<ereg regexp="sip:{shown}@" search_in="hdr" header="From:" assign_to="unwanted"/>'
        )
    invited = ["CSeq: [$cseq] INVITE", f"To:[$household];tag={MARK}"]
    script = ['<recv request="INVITE"><action>', *kept, "</action></recv>"]
    if who.refuses_with is not None:
        return [
            *script,
            *send(response(who.refuses_with, *invited), ' retrans="500"'),
            '<recv request="ACK"/>',
            '<Reference variables="caller"/>',
        ]
    script += [
        *send(response(180, *invited), ' next="ignored" test="unwanted"' if who.ignores else ""),
        f'<recv request="CANCEL"{timeout(who.answers_after, "answer")} next="cancelled"/>',
    ]
    if who.ignores is not None:
        script += ['<label id="ignored"/>', '<recv request="CANCEL"/>']
    script += [
        '<label id="cancelled"/>',
        *send(response(200, "[last_CSeq:]", f"[last_To:];tag={MARK}")),
        *send(response(487, *invited), ' retrans="500"'),
        '<recv request="ACK" next="end"/>',
    ]
    if who.answers_after is not None:
        answer = response(200, *invited, *sound(who.speaks, who.hears_at))
        script += [
            '<label id="answer"/>',
            *send(answer, ' retrans="500"'),
            '<recv request="ACK"/>',
            *speak(who.speaks),
            f'<recv request="BYE"{timeout(who.hangs_up_after, "hang_up")}/>',
            *send(response(200)),
            '<nop next="end"/>',
        ]
    if who.hangs_up_after is not None:
        bye = [
            "BYE sip:[remote_ip]:[remote_port] SIP/2.0",
            f"Via: SIP/2.0/UDP [local_ip]:[local_port];rport;branch=z9hG4bK-{MARK}-bye",
            f"From:[$household];tag={MARK}",
            "To:[$caller]",
            "Call-ID: [call_id]",
            "CSeq: 1 BYE",
            "Max-Forwards: 70",
            *EMPTY,
        ]
        script += ['<label id="hang_up"/>', *hang_up(bye)]
    return [*script, '<label id="end"/>', "<nop/>", '<Reference variables="caller"/>']
