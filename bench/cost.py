"""What a screened call costs in CPU, next to a plain dialplan, and how soon it rings.

Both kinds of call go through the same Asterisk in the same run, turn and turn about, so that a
noisy machine disturbs both alike: only their ratio means something.
"""

import asyncio
import math
import os
import statistics
import struct
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from lab import LabError
from lab.asterisk import Asterisk
from lab.ports import own_place
from lab.scenario import Caller, Handset
from lab.screener import Screener
from lab.sipp import Sipp, calling, handset

ROUNDS: Final = 5
CALLS: Final = 100
PER_SECOND: Final = 10
TALK_MS: Final = 4000
DELAYS: Final = 30
RATE_HZ: Final = 8000

# The same work without a screener: answer, warn, record, dial.
PLAIN_NUMBER: Final = "0300000000"
PLAIN: Final = f"""
[from-trunk]
exten => {PLAIN_NUMBER},1,Goto(plain,s,1)

[plain]
exten => s,1,Answer()
 same => n,Playback(${{PROMPTS}}/warning,noanswer)
 same => n,MixMonitor(${{RECORDINGS}}/live/${{UNIQUEID}}.raw,D)
 same => n,Dial(${{PJSIP_DIAL_CONTACTS(handset)}},30)
 same => n,Hangup()
"""
SCREENED_NUMBER: Final = "0398765432"


def cpu_seconds(pid: int) -> float:
    """Return the user and system time of a process and its threads (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def tone(path: Path) -> Path:
    """Write ten seconds of a 400 Hz tone as raw PCMU (ITU-T G.711)."""
    samples = (int(8000 * math.sin(2 * math.pi * 400 * n / RATE_HZ)) for n in range(10 * RATE_HZ))
    path.write_bytes(b"".join(map(_pcmu, samples)))
    return path


def _pcmu(sample: int) -> bytes:
    sign = 0x80 if sample < 0 else 0
    magnitude = min(abs(sample), 32635) + 132
    exponent = magnitude.bit_length() - 8
    mantissa = (magnitude >> (exponent + 3)) & 0x0F
    return struct.pack("B", ~(sign | exponent << 4 | mantissa) & 0xFF)


@dataclass(frozen=True, slots=True)
class Spent:
    """CPU seconds of one round."""

    plain: float
    screened: float

    @property
    def ratio(self) -> float:
        """How many times as much the screener's way costs."""
        return self.screened / self.plain


async def batch(asterisk: Asterisk, number: str, sound: Path, calls: int) -> None:
    """Place calls that are warned, answered and talk; LabError unless each was answered."""
    caller = Caller(to=number, speaks=sound)
    place = asterisk.place
    async with (
        handset(
            place, Handset(hangs_up_after=TALK_MS, speaks=sound), asterisk.handset_password
        ) as household,
        calling(place, caller, calls=calls, per_second=PER_SECOND) as callers,
    ):
        legs = await callers.finished(120)
        _all_answered(legs_answered=sum(leg.outcome == 200 for leg in legs), calls=calls)
        _all_answered(legs_answered=_answered(household), calls=calls)


def _answered(household: Sipp) -> int:
    return sum(leg.outcome == 200 for leg in household.legs())


def _all_answered(*, legs_answered: int, calls: int) -> None:
    if legs_answered != calls:
        raise LabError(f"{legs_answered} of {calls} calls were answered: the figures mean nothing")


async def cost(asterisk: Asterisk, sound: Path, tick: Callable[[], None]) -> list[Spent]:
    """Return the CPU seconds of Asterisk and screener for each round of 100 calls of each kind."""
    rounds = []
    async with Screener(asterisk, settings={"log": {"level": "info"}}) as screener:
        pids = (asterisk.process.pid, screener.process.pid, screener.worker)
        screened = 0
        for number in range(ROUNDS):
            spent = {}
            kinds = (PLAIN_NUMBER, SCREENED_NUMBER)
            for called in kinds if number % 2 == 0 else reversed(kinds):
                before = sum(map(cpu_seconds, pids))
                await batch(asterisk, called, sound, CALLS)
                screened += CALLS if called == SCREENED_NUMBER else 0
                if screened:  # finishing the recordings is part of the price
                    await screener.logs("call_ended", count=screened, seconds=60)
                spent[called] = sum(map(cpu_seconds, pids)) - before
                tick()
            rounds.append(Spent(spent[PLAIN_NUMBER], spent[SCREENED_NUMBER]))
    return rounds


async def delays(asterisk: Asterisk, sound: Path) -> list[float]:
    """Return the seconds from the end of each warning to the INVITE that the handset receives."""
    place = asterisk.place
    household = Handset(hangs_up_after=0)
    async with (
        Screener(asterisk, settings={"log": {"level": "debug"}}) as screener,
        handset(place, household, asterisk.handset_password) as telephone,
        calling(place, Caller(speaks=sound), calls=DELAYS, per_second=2) as callers,
    ):
        await callers.finished(120)
        warned = [
            datetime.fromisoformat(event["timestamp"]).timestamp()
            for event in screener.log()
            if event.get("event") == "warned"
        ]
        rung = sorted(message.at for message in telephone.invited())
    _all_answered(legs_answered=min(len(warned), len(rung)), calls=DELAYS)
    return [after - before for before, after in zip(sorted(warned), rung, strict=True)]


def report(rounds: Sequence[Spent], waits: Sequence[float]) -> Table:
    """Return the figures as a table: each round, the median ratio with its spread, the delay."""
    table = Table(title=f"CPU seconds for {CALLS} warned, recorded calls of {TALK_MS / 1000:g} s")
    for column in ("round", "plain dialplan", "with the screener", "ratio"):
        table.add_column(column, justify="right")
    for number, spent in enumerate(rounds, 1):
        table.add_row(
            str(number), f"{spent.plain:.2f}", f"{spent.screened:.2f}", f"{spent.ratio:.2f}"
        )
    ratios = sorted(spent.ratio for spent in rounds)
    spread = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
    table.add_section()
    table.add_row("median", "", "", spread)
    table.caption = (
        "From the warning's end to the handset's INVITE: "
        f"median {statistics.median(waits) * 1e3:.1f}"
        f" ms, worst {max(waits) * 1e3:.1f} ms of {len(waits)} calls"
    )
    return table


async def measure() -> Table:
    """Run both measurements on an Asterisk of our own."""
    with own_place() as place, tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        directory = Path(scratch)
        sound = tone(directory / "tone.ulaw")
        site = directory / "site"
        site.mkdir()
        (site / "extensions.conf").write_text(PLAIN, encoding="utf-8")
        os.environ["ASTERISK_SITE"] = str(site)
        with Progress(console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task("placing calls", total=2 * ROUNDS + 1)
            async with Asterisk(place) as asterisk:
                rounds = await cost(asterisk, sound, lambda: progress.advance(task))
                waits = await delays(asterisk, sound)
        return report(rounds, waits)


def main() -> None:
    """Measure and print; exit 2 with one line where that cannot be done."""
    try:
        Console().print(asyncio.run(measure()))
    except LabError as error:
        raise SystemExit(f"bench: {error}") from None
