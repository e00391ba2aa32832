"""Whatever befalls the screener's processes, the telephone rings, and nothing is left behind."""

import asyncio
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from lab.asterisk import TOP, Asterisk
from lab.listen import save, tone
from lab.process import until
from lab.scenario import Caller, Handset
from lab.screener import Screener, own_environment
from lab.sipp import Sipp, calling, handset

STRANGER = Caller(number="09012345678")
RINGS_WITHIN = 3.0  # seconds after a fault
NOTICED_WITHIN = 2.0  # more where it hangs, and lives
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
async def test_a_call_in_the_warning_rings_soon_after_the_fault(
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
        (call,) = await screener.ended_calls(1)
        assert not runs(worker)
        assert screener.worker != worker
    assert took < RINGS_WITHIN + (NOTICED_WITHIN if fault is signal.SIGSTOP else 0)
    assert leg.outcome == 200
    assert call["disposition"] == "failed_open"
    assert call["ended_by"] == "household"
    assert call["recording"]["seconds"] > 2


async def test_twelve_calls_at_every_step_survive_the_worker(
    asterisk: Asterisk, screener: Screener
) -> None:
    """Killed when the first rings: others are in the warning, being answered, being claimed."""
    place = asterisk.place
    household = Handset(answers_after=200, hangs_up_after=11_000)  # beyond the warning
    async with (
        handset(place, household, asterisk.handset_password) as phone,
        calling(place, STRANGER, calls=12, per_second=10) as callers,
    ):
        await phone.sees("INVITE")
        killed = time.time()
        screener.send_to_worker(signal.SIGKILL)
        legs = await callers.finished()
        rang = sorted(message.at for message in phone.invited())
        await screener.logs("ready", count=2)
        await asterisk.idle()
    assert [leg.outcome for leg in legs] == [200] * 12
    assert len(rang) == 12
    # One that came later is the dialplan's from the start, and waits for its warning.
    in_hand = sum(leg.messages[0].at < killed for leg in legs)
    assert in_hand > 6
    assert rang[in_hand - 1] - killed < RINGS_WITHIN
    calls = await screener.ended_calls(12, seconds=30)
    assert len(calls) == 12
    # One that rang before the fault was the screener's; what it wrote in the last 50 ms is lost.
    open_ones = [call for call in calls if call["disposition"] == "failed_open"]
    assert len(open_ones) >= 10
    assert {call["disposition"] for call in calls} <= {"answered", "failed_open"}
    async with asyncio.timeout(20):
        while not all(call["warned"] for call in open_ones):  # the dialplan tells, a little later
            calls = await screener.ended_calls(12)
            open_ones = [call for call in calls if call["disposition"] == "failed_open"]
    assert all(call["answered_at"] and call["ended_by"] == "household" for call in calls)


async def test_a_worker_that_its_unread_log_blocks_soon_loses_the_call(
    asterisk: Asterisk, quick_prompts: Path
) -> None:
    """Its event loop stands still in a write; the supervisor does not wait for the log."""
    screener = Screener(asterisk, settings={"prompts": {"directory": str(quick_prompts)}})
    read, write = os.pipe()
    running = await asyncio.create_subprocess_exec(
        *screener.command_line("run"), stderr=write, cwd=TOP, env=own_environment()
    )
    try:
        await until_ready(screener)
        async with (
            handset(asterisk.place, HOUSEHOLD, asterisk.handset_password) as phone,
            calling(asterisk.place, STRANGER) as caller,
        ):
            fill(write)
            (answered,) = await caller.sees(200)
            (rang,) = await phone.sees("INVITE")
            (leg,) = await caller.finished()
    finally:
        os.close(read)
        os.close(write)
        running.terminate()
        assert await running.wait() == 0
    assert leg.outcome == 200
    assert rang - answered < RINGS_WITHIN + NOTICED_WITHIN


async def until_ready(screener: Screener) -> None:
    """Wait until a screener is connected, whoever started it."""
    async with asyncio.timeout(60):
        while (await screener.command("ready")).exit_code:  # noqa: ASYNC110
            await asyncio.sleep(0.1)  # nothing tells but the question


def fill(pipe: int) -> None:
    """Fill a pipe that nobody reads."""
    os.set_blocking(pipe, False)
    with suppress(BlockingIOError):
        while True:
            os.write(pipe, b"x")
    os.set_blocking(pipe, True)


async def test_the_supervisor_killed_the_worker_sees_its_call_through_and_ends(
    asterisk: Asterisk, screener: Screener
) -> None:
    """Nothing stays behind, and the call is warned once and put through."""
    async with (
        handset(asterisk.place, HOUSEHOLD, asterisk.handset_password) as phone,
        calling(asterisk.place, STRANGER) as caller,
    ):
        await caller.sees(200)
        worker = screener.worker
        screener.process.send(signal.SIGKILL)
        await phone.sees("INVITE")
        await ended(worker)
        (leg,) = await caller.finished()
    assert leg.outcome == 200
    assert [event["event"] for event in screener.log()][-1] == "stopped"


async def test_asked_what_it_has_at_hand_the_screener_says_so_in_its_log(
    asterisk: Asterisk, screener: Screener
) -> None:
    """A call, and its task; when that is over, what it was before."""
    screener.process.send(signal.SIGUSR1)
    before = await screener.logs("at_hand")
    async with (
        handset(asterisk.place, HOUSEHOLD, asterisk.handset_password),
        calling(asterisk.place, STRANGER) as caller,
    ):
        await caller.sees(200)
        screener.process.send(signal.SIGUSR1)
        during = await screener.logs("at_hand", count=2)
        await caller.finished()
    await screener.logs("call_ended")
    count = 2
    async with asyncio.timeout(10):
        while True:
            count += 1
            screener.process.send(signal.SIGUSR1)
            after = await screener.logs("at_hand", count=count)
            if after["tasks"] == before["tasks"]:
                break
    assert [said["calls"] for said in (before, during, after)] == [0, 1, 0]
    assert during["tasks"] > before["tasks"]


async def test_a_second_ctrl_c_is_as_quiet_as_the_first(
    asterisk: Asterisk, screener: Screener
) -> None:
    """A terminal sends it to both processes; both end, in order."""
    async with (
        handset(asterisk.place, HOUSEHOLD, asterisk.handset_password) as phone,
        calling(asterisk.place, STRANGER) as caller,
    ):
        await caller.sees(200)
        worker = screener.worker
        screener.send_to_all(signal.SIGINT)
        await screener.logs("stopping")
        screener.send_to_all(signal.SIGINT)
        await phone.sees("INVITE")
        assert await screener.process.ended(25) == 0
        await caller.finished()
    assert not runs(worker)
    assert all("level" in event for event in screener.log())  # JSON to the last line


async def test_ctrl_c_while_it_loads_is_quiet_too(asterisk: Asterisk) -> None:
    """Before there is anything to put in order it simply ends."""
    screener = Screener(asterisk)
    running = await asyncio.create_subprocess_exec(
        *screener.command_line("run"), stderr=asyncio.subprocess.PIPE, cwd=TOP,
        env=own_environment(), start_new_session=True,
    )  # fmt: skip
    await until(lambda: child_of(running.pid), 20, "the worker")
    os.killpg(running.pid, signal.SIGINT)
    _, complaint = await running.communicate()
    assert (running.returncode, complaint) == (0, b"")


def child_of(pid: int) -> int | None:
    """Return the process that a process has started, None where there is none."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0]) if children else None


async def test_settings_that_cannot_be_used_are_refused_at_once_on_one_line(
    asterisk: Asterisk,
) -> None:
    """Neither supervisor nor worker stays to try again."""
    said = await Screener(asterisk, settings={"call": {"ring_seconds": 1}}).command("run")
    assert (said.exit_code, said.out) == (2, "")
    (line,) = said.err.splitlines()
    assert "ring_seconds" in line


async def test_the_supervisor_is_small(screener: Screener) -> None:
    """Beside the screener it costs next to nothing."""
    assert resident_megabytes(screener.process.pid) < 30
    assert resident_megabytes(screener.process.pid) < resident_megabytes(screener.worker) / 2


def resident_megabytes(pid: int) -> float:
    """Return how much memory a process holds, what it shares included."""
    status = Path(f"/proc/{pid}/status").read_text().split()
    return int(status[status.index("VmRSS:") + 1]) / 1000
