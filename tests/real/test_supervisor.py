"""Whatever befalls the screener's processes, the telephone rings, and nothing is left behind."""

import signal
import time
from pathlib import Path

import pytest

from lab.asterisk import Asterisk
from lab.listen import save, tone
from lab.process import until
from lab.scenario import Caller, Handset
from lab.screener import Screener
from lab.sipp import Sipp, calling, handset

STRANGER = Caller(number="09012345678")
RINGS_WITHIN = 3.0  # seconds after a fault
HOUSEHOLD = Handset(answers_after=200, hangs_up_after=2500)


def runs(pid: int) -> bool:
    """Say whether a process runs; one that has ended and was not fetched yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def ended(pid: int, seconds: float = 30) -> None:
    """Wait until a process is no more."""
    await until(lambda: None if runs(pid) else True, seconds, f"the end of process {pid}")


async def rings_after_worker_is(
    number: signal.Signals, screener: Screener, phone: Sipp, caller: Sipp
) -> float:
    """Send the worker a signal in the warning; return the seconds from there to the INVITE."""
    await caller.sees(200)
    await screener.logged_calls(1)
    at = time.time()
    screener.send_to_worker(number)
    (rang, *_) = await phone.sees("INVITE", seconds=10)
    return rang - at


FAULTS = [
    pytest.param(signal.SIGKILL, id="killed"),
    pytest.param(signal.SIGSEGV, id="crashed"),
    pytest.param(signal.SIGSTOP, id="stopped"),
]


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_call_in_the_warning_rings_within_three_seconds_of_the_fault(
    asterisk: Asterisk, tmp_path: Path, fault: signal.Signals
) -> None:
    """With the real warning, which takes nine. It is warned, recorded, and in the log."""
    voice = save(tmp_path / "voice.ulaw", tone(440, 30))
    household = Handset(answers_after=200, hangs_up_after=12_000, speaks=voice)
    async with (
        Screener(asterisk) as screener,
        handset(asterisk.place, household, asterisk.handset_password) as phone,
        calling(asterisk.place, Caller(speaks=voice)) as caller,
    ):
        worker = screener.worker
        took = await rings_after_worker_is(fault, screener, phone, caller)
        (leg,) = await caller.finished(40)
        assert len(phone.invited()) == 1
        await screener.logs("ready", count=2)
        await screener.logs("call_ended")
        (call,) = await screener.calls()
        assert not runs(worker)
        assert screener.worker != worker
    assert took < RINGS_WITHIN
    assert leg.outcome == 200
    assert call["disposition"] == "failed_open"
    assert call["ended_by"] == "household"
    assert call["recording"]["seconds"] > 2
