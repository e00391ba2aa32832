"""The doctor's look at each part of an installation, and what to do about what is wrong."""

import math
import os
import re
import shutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from screener.ari import AriError, Refused, TooOld
from screener.ari.connection import parse_version
from screener.ari.probe import Probe
from screener.audio import prompts
from screener.doctor import Finding
from screener.domain.caller import WITHOUT_NUMBER
from screener.domain.household import Household
from screener.domain.inert import inert
from screener.domain.verdict import Verdict
from screener.fraud_tables import worries
from screener.readiness import Readiness, State
from screener.shared.lists import FraudLists
from screener.store.damage import set_aside

# 22.10.0 and before have published advisories: ARI read-only bypass, ARI escalation.
SAFE_22: Final = (22, 10, 1)
APPLICATION: Final = "APPLICATION"
SCREENING_SECONDS: Final = "SCREENING_SECONDS"  # the dialplan's limit for a screener that hangs
# What a call needs besides the sound it hears, when every answer of Asterisk takes a second.
SLACK_SECONDS: Final = 4.0
LONGEST_WAIT_SECONDS: Final = 60
# A stereo recording takes 1.92 MB a minute; below a day of talk something has to be done.
LEAST_FREE_BYTES: Final = 3_000_000_000


def check_readiness(found: Readiness) -> Finding:
    """Say the one word first; what to do about it is said of the part that is wrong."""
    healthy = found.state is State.HEALTHY
    return Finding("calls", healthy, str(found), "" if healthy else "See what is wrong below.")


async def check_asterisk(
    ask: Callable[[], Awaitable[Probe]],
    settings: Mapping[str, str],
    longest_prompt: float,
    taking: Callable[[Probe], list[str]],
    ours: str,
) -> list[Finding]:
    """Look at Asterisk, at its door ARI, and at whether a screener stands behind it.

    ``settings`` are those that Asterisk was started with as well, by its names for them;
    ``longest_prompt`` is how many seconds a call may be held for one sound. ``taking`` tells which
    screeners take calls; ``ours`` is the name of the one that should.
    """
    try:
        probe = await ask()
    except Refused as error:
        advice = (
            "Compare [asterisk] user, password and password_file with Asterisk's ari.conf, "
            "and url with its http.conf."
        )
        return [Finding("ARI", False, str(error), advice)]
    except TooOld as error:
        return [Finding("Asterisk", False, str(error), "Install Asterisk 22 (LTS) or 20.")]
    except AriError as error:
        advice = "Start Asterisk (make run, docker compose up), or correct [asterisk] url."
        return [Finding("Asterisk", False, str(error), advice)]
    version = parse_version(probe.version)
    unsafe = version[:1] == SAFE_22[:1] and version < SAFE_22
    return [
        Finding(
            "Asterisk",
            not unsafe,
            probe.version,
            "This release has published advisories: update to 22.10.1 or later." if unsafe else "",
        ),
        Finding("ARI", True, "lets the screener in", ""),
        *_differing(probe, settings),
        *_screening_seconds(probe, longest_prompt),
        *_never_offered_calls(probe, ours),
        _check_screener(taking(probe), ours),
    ]


def _check_screener(taking: Sequence[str], ours: str) -> Finding:
    others = [name for name in taking if name != ours]
    if ours in taking:
        detail = f"connected, beside {', '.join(others)}" if others else "connected"
        return Finding("screener", True, detail, "")
    calls = f"{', '.join(others)} has the calls" if others else "Asterisk warns, records and rings"
    advice = "Start it: screener run. Its log says why it stopped."
    return Finding("screener", False, f"not running: {calls}", advice)


def check_fraud_lists(lists: FraudLists, now: datetime) -> list[Finding]:
    """Look at every shared list: is there one that can be read, and is it of late."""
    found = []
    for name in lists.sources:
        standing = lists.standing(name, now)
        head = standing.current.head if standing.current else None
        wrong = worries(standing, now)
        if head and not standing.source.remote:
            wrong += [f"malformed: {fault}" for fault in head.faults]
        advice = f"See screener lists show {name}; then screener lists update {name}."
        found += [Finding("fraud list", False, f"{name}: {each}", advice) for each in wrong]
        if head and not wrong:
            detail = f"{name}: version {inert(head.version, 60)} with {head.count} entries"
            found.append(Finding("fraud list", True, detail, ""))
    return found or [Finding("fraud list", True, "none is set", "")]


def check_caller_id(household: Household, without_numbers: list[str]) -> list[Finding]:
    """Look at the lines on which no caller ever showed a number, as without a contract for it."""
    strict = [
        each.replace("_", " ")
        for each in sorted(WITHOUT_NUMBER)
        if household.verdicts[each].is_stricter_than(Verdict.SCREEN)
    ]
    if not (without_numbers and strict):
        return [Finding("caller ID", True, "no rule is suspended for want of it", "")]
    rules, lines = " and ".join(strict), ", ".join(without_numbers)
    return [
        Finding(
            "caller ID",
            False,
            f"no caller ever showed a number on {lines}: "
            f"the rule for {rules} is not enforced there",
            "Order caller ID (ナンバー・ディスプレイ) for the line, or change [callers].",
        )
    ]


def check_set_aside(path: Path) -> list[Finding]:
    """Look for databases that were damaged: what was on the household's lists may be missing."""
    advice = (
        "Look through the household's lists: who is on none is screened. Rows may still be read "
        "(sqlite3 FILE .recover); then move the file away."
    )
    return [
        Finding("database", False, f"a damaged one was put aside as {each}", advice)
        for each in set_aside(path)
    ]


def _differing(probe: Probe, settings: Mapping[str, str]) -> list[Finding]:
    """Find what Asterisk was told otherwise: the emergency numbers of another country, say."""
    return [
        Finding(
            "Asterisk",
            False,
            f"was started for {name} {inert(theirs, 20)}, the screener's setting is {ours}",
            f"Set SCREENER_{name} in the environment of both, and start Asterisk again.",
        )
        for name, ours in settings.items()
        if (theirs := probe.variables.get(name, ours)) != ours
    ]


def _never_offered_calls(probe: Probe, ours: str) -> list[Finding]:
    """Compare our name with those to which Asterisk offers calls."""
    theirs = probe.variables.get(APPLICATION, ours)
    if re.fullmatch(rf"{re.escape(theirs)}(-[0-9]+)?", ours):
        return []
    said = f"offers its calls to {inert(theirs, 60)}, and [asterisk] application is {ours}"
    advice = "Set [asterisk] application to that, or to that with -2, -3 and so on behind it."
    return [Finding("Asterisk", False, said, advice)]


def _screening_seconds(probe: Probe, longest_prompt: float) -> list[Finding]:
    """Compare how long Asterisk lets a screener hold a call with how long that needs it."""
    text = probe.variables.get(SCREENING_SECONDS, "")
    if not text.isdecimal():  # an Asterisk with a dialplan of its own
        return []
    seconds, least = int(text), math.ceil(longest_prompt + SLACK_SECONDS)
    advice = f"Set ASTERISK_{SCREENING_SECONDS} to {least} or a little more; restart Asterisk."
    if seconds < least:
        said = f"takes calls away after {seconds} s, and a prompt lasts {longest_prompt:.1f} s"
    elif seconds > max(least, LONGEST_WAIT_SECONDS):
        said = f"leaves a call for {seconds} s to a screener that hangs"
    else:
        return []
    return [Finding("Asterisk", False, said, advice)]


def check_prompts(directory: Path, language: str) -> list[Finding]:
    """Look at every prompt that callers are to hear."""
    found = prompts.faults(directory, language)
    advice = "Make them again (make prompts) or correct [prompts] directory and language."
    if found:
        return [Finding("prompts", False, fault, advice) for fault in found]
    return [Finding("prompts", True, f"{len(prompts.Prompt)} in {directory / language}", "")]


def check_disk(directory: Path, reserve_mb: int) -> list[Finding]:
    """Look at the place for recordings: can it be written to, and is there room."""
    if not (directory.is_dir() and os.access(directory, os.W_OK | os.X_OK)):
        advice = "Make the directory writable for Asterisk and the screener."
        return [Finding("disk", False, f"{directory} cannot be written to", advice)]
    free = shutil.disk_usage(directory).free
    if free < reserve_mb * 1_000_000:
        detail = f"nothing is recorded: {free / 1e9:.1f} GB free in {directory}"
        advice = f"Make room: [recordings] reserve_mb keeps {reserve_mb} MB free."
        return [Finding("disk", False, detail, advice)]
    short = free < LEAST_FREE_BYTES
    return [
        Finding(
            "disk",
            not short,
            f"{free / 1e9:.1f} GB free for recordings in {directory}",
            "Make room: recordings take 0.12 GB an hour." if short else "",
        )
    ]
