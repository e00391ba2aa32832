"""The supervisor with workers of the test's own: it starts, hears, kills and restarts them."""

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
LIMITS = {"silence": 1.5, "start": 10.0, "drain": 3.0, "settle": 0.0, "first_delay": 0.3}

# A worker as the supervisor knows it: says who it is, beats, and does what befalls it.
WORKER = """
import json, os, signal, sys, time
pipe = int(sys.argv[-1])
def say(words): os.write(pipe, words)
def beat(seconds):
    until = time.monotonic() + seconds
    say(b"+"); print("beats", flush=True)
    while time.monotonic() < until:
        say(b"+"); time.sleep(0.05)
def told(number, frame): print("told", number, flush=True); sys.exit(0)
for number in (signal.SIGTERM, signal.SIGINT): signal.signal(number, told)
print("worker", os.getpid(), "NOTIFY_SOCKET" in os.environ, flush=True)
door = dict(url="http://127.0.0.1:9", application="a", user="u", password="secret")
say(json.dumps(door).encode() + b"\\n")
"""
DRIVER = """
import json, os, sys
from screener.supervisor.plain_log import PlainLog
from screener.supervisor.supervisor import Limits, Supervisor
limits = Limits(**json.loads(sys.argv[1]))
log = PlainLog("json", "debug", sys.stderr)
sys.exit(Supervisor(sys.argv[2:], dict(os.environ), log, limits).run())
"""


class Supervised:
    """A supervisor in a process of its own, whose worker does as the test's script says."""

    def __init__(self, script: str, environment: dict[str, str], **limits: float) -> None:
        worker = [sys.executable, "-c", WORKER + script]
        self.process = subprocess.Popen(
            [sys.executable, "-c", DRIVER, json.dumps(LIMITS | limits), *worker],
            cwd=TOP,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def says(self, word: str) -> list[str]:
        """Return the words of the worker's next line, which must begin like this."""
        assert self.process.stdout is not None
        words = self.process.stdout.readline().split()
        assert words, self.process.communicate(timeout=10)
        assert words[0] == word
        return words

    def new_worker(self) -> int:
        return int(self.says("worker")[1])

    def new_heart(self) -> int:
        worker = self.new_worker()
        self.says("beats")
        return worker

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, list[str]]:
        """Tell it to stop; return its exit code and the events of its log."""
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> tuple[int, list[str]]:
        _, log = self.process.communicate(timeout=20)
        return self.process.returncode, [json.loads(line)["event"] for line in log.splitlines()]


@contextmanager
def supervised(
    script: str, environment: dict[str, str] | None = None, **limits: float
) -> Iterator[Supervised]:
    running = Supervised(script, environment or {}, **limits)
    try:
        yield running
    finally:
        with running.process:
            if running.process.poll() is None:
                os.killpg(running.process.pid, signal.SIGKILL)


def test_it_ends_with_its_worker_which_is_told_first() -> None:
    with supervised("beat(60)") as running:
        running.new_heart()
        running.process.send_signal(signal.SIGTERM)
        assert running.says("told") == ["told", "15"]
        assert running.ended() == (0, [])


@pytest.mark.parametrize(
    ("fault", "events"),
    [
        (signal.SIGKILL, ["worker_died", "calls_not_released"]),
        (signal.SIGSTOP, ["worker_hangs", "worker_died", "calls_not_released"]),
    ],
)
def test_a_worker_that_dies_or_hangs_is_replaced_after_a_word_with_asterisk(
    fault: signal.Signals, events: list[str]
) -> None:
    with supervised("beat(60)", lived=0.0) as running:
        first = running.new_heart()
        began = time.monotonic()
        os.kill(first, fault)
        assert running.new_heart() != first
        assert time.monotonic() - began < LIMITS["silence"] + 2
        code, said = running.end()
    assert code == 0
    assert [event for event in events if event in said] == events


def test_a_worker_whose_loop_is_blocked_is_replaced() -> None:
    with supervised("beat(0.3); time.sleep(60)") as running:
        running.new_heart()
        running.new_heart()
        assert "worker_hangs" in running.end()[1]


def test_a_worker_that_never_beats_has_the_time_to_load_and_no_more() -> None:
    with supervised("time.sleep(1); beat(60)") as slow:
        slow.new_heart()
        slow.process.send_signal(signal.SIGTERM)
        assert slow.ended() == (0, [])
    with supervised("time.sleep(60)", start=0.5) as never:
        never.new_worker()
        never.new_worker()
        assert "worker_hangs" in never.end()[1]


def test_a_worker_that_is_slow_before_it_can_hold_a_call_is_given_the_time_and_not_for_ever() -> (
    None
):
    """Opening the database, say, on a machine that is busy with something else."""
    with supervised("say(b'.'); time.sleep(2.5); beat(60)") as slow:
        slow.new_heart()
        assert slow.end() == (0, [])
    with supervised("say(b'.'); time.sleep(60)", opening=0.5) as never:
        never.new_worker()
        never.new_worker()
        assert "worker_hangs" in never.end()[1]


def test_who_asks_the_supervisor_asks_the_worker_as_soon_as_that_listens() -> None:
    """Before, it would die of the signal."""
    with supervised("time.sleep(60)") as loading:
        loading.new_worker()
        loading.process.send_signal(signal.SIGUSR1)
        assert loading.end() == (0, [])
    asked = "signal.signal(signal.SIGUSR1, lambda n, _: print('asked', flush=True)); beat(60)"
    with supervised(asked) as running:
        running.new_heart()
        running.process.send_signal(signal.SIGUSR1)
        running.says("asked")
        assert running.end() == (0, [])


def test_a_worker_that_refuses_to_work_is_not_started_again() -> None:
    with supervised("sys.exit(2)") as running:
        assert running.ended() == (2, [])


def test_workers_that_die_at_once_are_started_ever_more_slowly() -> None:
    with supervised("sys.exit(1)", first_delay=0.2) as running:
        moments = []
        for _ in range(5):
            running.new_worker()
            moments.append(time.monotonic())
        running.end()
    pauses = [after - before for before, after in itertools.pairwise(moments)]
    assert all(pause >= delay for pause, delay in zip(pauses, (0.2, 0.4, 0.8, 1.6), strict=True))


def test_a_worker_that_does_not_end_when_told_is_killed_in_the_end() -> None:
    script = "signal.signal(signal.SIGTERM, signal.SIG_IGN); beat(60)"
    with supervised(script) as running:
        worker = running.new_heart()
        code, events = running.end()
    assert code == 128 + signal.SIGKILL
    assert events[0] == "worker_hangs"
    assert not Path(f"/proc/{worker}").exists()


def test_a_worker_that_is_ending_by_itself_is_given_the_time() -> None:
    with supervised("beat(0.2); say(b'!'); time.sleep(2); sys.exit(2)") as running:
        assert running.ended() == (2, [])


def test_told_to_stop_while_the_next_worker_waits_it_ends_at_once() -> None:
    with supervised("sys.exit(1)", first_delay=30.0, longest_delay=30.0) as running:
        assert running.process.stderr is not None
        assert "worker_died" in running.process.stderr.readline()
        assert running.end()[0] == 0


def test_all_stopped_and_continued_together_nobody_is_killed() -> None:
    """Ctrl-Z and fg, or a machine that slept."""
    with supervised("beat(60)") as running:
        running.new_heart()
        os.killpg(running.process.pid, signal.SIGSTOP)
        time.sleep(3 * LIMITS["silence"])  # so long that nothing but the stop can excuse it
        os.killpg(running.process.pid, signal.SIGCONT)
        time.sleep(2 * LIMITS["silence"])
        assert running.end() == (0, [])


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_hears_when_it_is_ready_that_it_lives_and_that_it_stops(
    tmp_path: Path, abstract: bool
) -> None:
    address = f"@screener-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    heard: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(f"\0{address[1:]}" if abstract else address)
        systemd.settimeout(10)

        def hears(wanted: str) -> None:
            while wanted not in heard:
                heard.extend(systemd.recv(1000).decode().splitlines())

        environment = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "200000"}
        with supervised("say(b'.'); time.sleep(0.2); beat(60)", environment) as running:
            assert running.says("worker")[2] == "False"  # systemd is none of the worker's business
            hears("STATUS=screening calls")
            heard.remove("WATCHDOG=1")
            hears("WATCHDOG=1")
            running.process.send_signal(signal.SIGTERM)
            hears("STOPPING=1")
            running.ended()
    kept = [line for line in heard if line != "WATCHDOG=1"]
    assert kept[:4] == [
        "READY=1", "STATUS=waiting for Asterisk", "READY=1", "STATUS=screening calls",
    ]  # fmt: skip


def test_a_log_that_nobody_reads_stops_no_supervisor() -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    while _fill(write):
        pass
    os.set_blocking(write, True)
    driver = [sys.executable, "-c", DRIVER, json.dumps(LIMITS), "/bin/false"]
    with subprocess.Popen(driver, cwd=TOP, stderr=write) as process:
        os.close(write)
        time.sleep(1)  # in which it has something to say
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) in {0, 1}  # 1 where a worker was just running
    os.close(read)


def _fill(pipe: int) -> bool:
    try:
        return bool(os.write(pipe, b"x" * 4096))
    except BlockingIOError:
        return False


def test_it_carries_none_of_the_screeners_libraries() -> None:
    heavy = {"aiohttp", "asyncio", "phonenumbers", "pydantic", "sqlalchemy", "structlog", "typer"}
    script = f"import sys, screener.supervisor.supervisor; print({heavy} & sys.modules.keys())"
    asked = subprocess.run(
        [sys.executable, "-c", script], cwd=TOP, capture_output=True, text=True, check=True
    )
    assert (asked.stdout, asked.stderr) == ("set()\n", "")
