"""SIPp as callers on the trunk and as the household's handset, with what went over the wire."""

import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lab import LabError
from lab.message import Message
from lab.ports import Address, Place
from lab.process import Process, until
from lab.scenario import Caller, Handset
from lab.sip import register

START_LIMIT = 20  # seconds
STOP_LIMIT = 15
MANY = 1_000  # calls that one SIPp can have at once

_STAMP = re.compile(
    r"^-{40,} (\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d\.\d+Z?)\n"
    r"\w+ message (sent|received)[^\n]*\n\n",
    re.MULTILINE,
)


def parse_trace(text: str) -> list[Message]:
    """Return the messages in SIPp's -trace_msg file, in the order in which they went."""
    marks = list(_STAMP.finditer(text))
    ends = [*(mark.start() for mark in marks[1:]), len(text)][: len(marks)]
    return [
        Message(
            # SIPp 3.6 writes local time without a zone, SIPp 3.8 UTC with a Z.
            at=datetime.fromisoformat(f"{mark[1]}T{mark[2]}").astimezone().timestamp(),
            sent=mark[3] == "sent",
            text=text[mark.end() : end],
        )
        for mark, end in zip(marks, ends, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class Leg:
    """All messages of one call between SIPp and Asterisk, in order."""

    messages: tuple[Message, ...]

    def at(self, what: str | int) -> float | None:
        """Return when the first request of a method, or response to INVITE of a status, went."""
        for message in self.messages:
            if message.method == "INVITE" and message.status and message.status == what:
                return message.at
            if isinstance(what, str) and message.is_request(what):
                return message.at
        return None

    @property
    def outcome(self) -> int:
        """The final status of its INVITE; 0 if there was none."""
        finals = [m.status for m in self.messages if m.method == "INVITE" and m.status >= 200]
        return finals[0] if finals else 0

    @property
    def ended_by_us(self) -> bool | None:
        """Whether SIPp's side sent the first BYE or CANCEL; None if there was neither."""
        for message in self.messages:
            if message.is_request("BYE") or message.is_request("CANCEL"):
                return message.sent
        return None

    def __str__(self) -> str:
        return "\n".join(str(message) for message in self.messages)


class Sipp:
    """One running SIPp; each of its calls is a Leg."""

    def __init__(self, process: Process, trace: Path) -> None:
        self.process = process
        self._trace = trace

    def messages(self) -> list[Message]:
        """Return all that went over the wire so far."""
        if not self._trace.exists():
            return []
        # Bytes beyond UTF-8 are a caller's name as it was sent.
        return parse_trace(self._trace.read_text(encoding="utf-8", errors="surrogateescape"))

    def legs(self) -> list[Leg]:
        """Return the calls so far, in the order of their first message."""
        by_call: dict[str, list[Message]] = {}
        for message in self.messages():
            by_call.setdefault(message.call_id, []).append(message)
        return [Leg(tuple(messages)) for messages in by_call.values()]

    def invited(self) -> list[Message]:
        """Return the first INVITE of each call: for a handset, how often it was rung."""
        invites = [leg.messages[0] for leg in self.legs()]
        return [message for message in invites if message.is_request("INVITE")]

    async def sees(self, what: str | int, *, count: int = 1, seconds: float = 20) -> list[float]:
        """Wait until ``count`` calls have had a request or a response; return the moments."""

        def look() -> list[float] | None:
            moments = [leg.at(what) for leg in self.legs()]
            seen = [moment for moment in moments if moment is not None]
            return seen if len(seen) >= count else None

        try:
            return await until(look, seconds, f"{count} x {what} at {self.process.name}")
        except LabError as error:
            raise LabError(f"{error}; its calls:\n{self._shown()}") from None

    async def finished(self, seconds: float = 60) -> list[Leg]:
        """Wait until SIPp has made all its calls and ended; return them."""
        try:
            await self.process.ended(seconds)
        except LabError:
            raise LabError(
                f"{self.process.name} still has calls after {seconds:g} s:\n{self._shown()}"
            ) from None
        return self.legs()

    def listens(self, address: Address) -> bool:
        """Say whether it has bound a UDP port; LabError if it ended instead."""
        if self.process.exit_code is not None:
            raise LabError(f"{self.process.name} did not start:\n{self.process.tail()}")
        # The kernel is asked, since a trial would take the port from it.
        host = "".join(f"{int(part):02X}" for part in reversed(address.host.split(".")))
        return f" {host}:{address.port:04X} " in Path("/proc/net/udp").read_text()

    async def hangs_up_for_good(self) -> None:
        """Vanish from the net without a word, as a telephone whose plug is pulled."""
        await self.process.kill()

    def _shown(self) -> str:
        return "\n\n".join(map(str, self.legs())) or "none"


@asynccontextmanager
async def calling(
    place: Place,
    who: Caller,
    *,
    calls: int = 1,
    per_second: int = 50,
    source: str | None = None,
) -> AsyncIterator[Sipp]:
    """Let someone call through the trunk, ``calls`` times; leaving ends what still runs.

    ``source`` is the address they send from; the trunk's, unless they are a stranger.
    """
    here = place.sip_port(source or place.trunk)
    options = ["-m", str(calls), "-r", str(per_second), "-rp", "1000"]
    async with _running("the caller", who.scenario(), here, place, options) as sipp:
        yield sipp


@asynccontextmanager
async def handset(place: Place, who: Handset, password: str) -> AsyncIterator[Sipp]:
    """Register the household's handset and let it take calls; leaving takes it off again."""
    here = place.sip_port(place.handset)
    answered = await register(here, place.sip, password)
    if answered.status != 200:
        raise LabError(f"the handset could not register: {answered.first_line}")
    try:
        async with _running("the handset", who.scenario(), here, place, []) as sipp:
            await until(lambda: sipp.listens(here) or None, START_LIMIT, f"SIPp on {here}")
            yield sipp
    finally:
        await register(here, place.sip, password, seconds=0)


@asynccontextmanager
async def company(place: Place, who: Handset) -> AsyncIterator[Sipp]:
    """Let the telephone company take the household's calls, each as ``who`` would."""
    here = place.trunk_contact
    async with _running("the company", who.scenario(), here, place, []) as sipp:
        await until(lambda: sipp.listens(here) or None, START_LIMIT, f"SIPp on {here}")
        yield sipp


@asynccontextmanager
async def _running(
    name: str, scenario: str, here: Address, place: Place, options: Sequence[str]
) -> AsyncIterator[Sipp]:
    directory = Path(tempfile.mkdtemp(prefix="sipp-"))
    script, trace = directory / "scenario.xml", directory / "messages.log"
    script.write_text(scenario)
    if shutil.which("sipp") is None:
        raise LabError("there is no SIPp on this machine: install the package sip-tester")
    command: list[str | Path] = ["sipp", str(place.sip), "-sf", script]
    command += ["-i", here.host, "-p", str(here.port)]
    command += ["-mi", here.host, "-mp", str(place.media_port(here.host))]
    command += ["-trace_msg", "-message_file", trace, "-trace_err", "-error_file"]
    command += [directory / "errors.log", "-nostdin", "-l", str(MANY), *options]
    process = Process(name, command, log=directory / "screen.log", directory=directory)
    try:
        yield Sipp(process, trace)
    finally:
        await process.stop(STOP_LIMIT)
        shutil.rmtree(directory, ignore_errors=True)
