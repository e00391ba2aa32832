"""The small day of the demo: who calls, what is promised to become of it, and whether it did."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.message import Message
from lab.scenario import Caller
from lab.sipp import Leg

AT_ONCE = 1.0  # seconds within which a known caller's ring must begin

FRIEND = "0312345678"
FRAUDSTER = "0312349009"
NOBODY_ANSWERS = "0451234567"
FRAUD_LIST = f"number,source,date,note\n{FRAUDSTER},the demo,2026-11-22,reported twice\n"


@dataclass(frozen=True, kw_only=True)
class Promise:
    """A caller of the day, and what the call log and the wire must say about their call."""

    title: str
    caller: Caller
    verdict: str
    rule: str
    disposition: str
    warned: bool
    rung: bool
    recorded: bool
    seconds: float  # how long the call takes, for the progress display


def small_day(warning: float, ring: float, regret: float, voice: Path) -> list[Promise]:
    """Return the six calls.

    ``warning`` and ``regret`` (that nobody came) are the lengths of those prompts in seconds, and
    ``ring`` that of ringing; ``voice`` is what callers say.
    """

    def caller(number: str, name: str = "", hangs_up_after: int | None = None) -> Caller:
        return Caller(number=number, name=name, hangs_up_after=hangs_up_after, speaks=voice)

    return [
        Promise(
            title="a stranger who waits and is answered",
            caller=caller("09012345678", "TANAKA"),
            verdict="screen", rule="class", disposition="answered",
            warned=True, rung=True, recorded=True, seconds=warning + 4,
        ),
        Promise(
            title="a stranger who hangs up in the warning",
            caller=caller("0661234567", hangs_up_after=3_000),
            verdict="screen", rule="class", disposition="abandoned_in_warning",
            warned=False, rung=False, recorded=False, seconds=3,
        ),
        Promise(
            title="an international caller",
            caller=caller("+18005551234"),
            verdict="block", rule="class", disposition="blocked",
            warned=False, rung=False, recorded=False, seconds=0.1,
        ),
        Promise(
            title="a caller on the fraud list",
            caller=caller(FRAUDSTER),
            verdict="block", rule="fraud_list", disposition="blocked",
            warned=False, rung=False, recorded=False, seconds=0.1,
        ),
        Promise(
            title="a friend on the allow list",
            caller=caller(FRIEND, "HANAKO"),
            verdict="pass", rule="allow_list", disposition="answered",
            warned=False, rung=True, recorded=False, seconds=4,
        ),
        Promise(
            title="a stranger nobody answers",
            caller=caller(NOBODY_ANSWERS),
            verdict="screen", rule="class", disposition="unanswered",
            warned=True, rung=True, recorded=False, seconds=warning + ring + regret,
        ),
    ]  # fmt: skip


def broken(
    promise: Promise,
    logged: dict[str, Any] | None,
    leg: Leg | None,
    rings: Sequence[Message],
    warning: float,
) -> list[str]:
    """Return what does not hold of a promise, one sentence each.

    ``logged`` is the call's object of ``screener calls --json``, ``leg`` the call as the trunk
    saw it, ``rings`` the INVITEs that the handset received for this caller.
    """
    if leg is None or leg.at("INVITE") is None:
        return ["the call was never placed"]
    if logged is None:
        return ["the call is not in the call log"]
    faults = [
        f"{key} is {logged[key]!r}, not {wanted!r}"
        for key, wanted in (
            ("verdict", promise.verdict),
            ("rule", promise.rule),
            ("disposition", promise.disposition),
            ("warned", promise.warned),
        )
        if logged[key] != wanted
    ]
    blocked = promise.verdict == "block"
    if (leg.outcome == 200) == blocked:
        faults.append(f"the caller's INVITE ended with {leg.outcome}")
    if bool(rings) != promise.rung:
        faults.append(f"the handset received {len(rings)} INVITEs for this caller")
    faults += _too_early_or_late(promise, leg, rings, warning)
    return faults + _recording_faults(promise, logged["recording"])


def _too_early_or_late(
    promise: Promise, leg: Leg, rings: Sequence[Message], warning: float
) -> list[str]:
    called, answered = leg.at("INVITE") or 0.0, leg.at(200)
    if not rings:
        return []
    rang = min(ring.at for ring in rings)
    if promise.warned and (answered is None or rang < answered + warning):
        return ["the handset rang before the warning was over"]
    if not promise.warned and rang > called + AT_ONCE:
        return [f"the handset rang only after {rang - called:.1f} s"]
    if not promise.warned and answered is not None and answered < rang:
        return ["the caller's line was answered before the handset rang"]
    return []


def _recording_faults(promise: Promise, recording: dict[str, Any] | None) -> list[str]:
    if not promise.recorded:
        return [] if recording is None else ["there is a recording"]
    if recording is None:
        return ["there is no recording"]
    path = Path(recording["path"])
    if not path.exists():
        return [f"the recording {path} is not there"]
    if hashlib.sha256(path.read_bytes()).hexdigest() != recording["sha256"]:
        return [f"the recording {path} is not the one that was logged"]
    return [] if recording["seconds"] > 0 else [f"the recording {path} is empty"]
