"""What `make run` and `make demo` do, started as a person starts them."""

import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from lab.asterisk import TOP, asterisk_command
from lab.ports import Place, own_place
from lab.process import Process, until

Command = Callable[..., AbstractAsyncContextManager[Process]]

READY = "[screener.calls.switchboard]"


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Start a module of the laboratory on ports of its own, its files in a directory of its own."""

    @asynccontextmanager
    async def started(module: str, **moved: str) -> AsyncIterator[Process]:
        with own_place() as place:
            environment = os.environ | asterisk_command() | _moved(place, tmp_path) | moved
            command = [sys.executable, "-m", module]
            log = tmp_path / "printed"
            process = Process(module, command, log=log, environment=environment, directory=TOP)
            try:
                yield process
            finally:
                await process.stop(60)

    return started


def _moved(place: Place, directory: Path) -> dict[str, str]:
    return {
        "ASTERISK_SIP_BIND": str(place.sip),
        "ASTERISK_ARI_PORT": str(place.ari.port),
        "ASTERISK_STATE": str(directory / "a"),
        "ASTERISK_SECRETS": str(directory / "secrets"),
        "SCREENER_DATABASE__PATH": str(directory / "screener.db"),
        "SCREENER_LISTS__DIRECTORY": str(directory / "lists"),
        "SCREENER_RECORDINGS__DIRECTORY": str(directory / "recordings"),
    }


def children_of(process: Process) -> set[int]:
    """Return the ids of the programs that a program started and that still run."""
    found = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return {int(child) for child in found}


def runs(pid: int) -> bool:
    """Say whether a process of ours runs."""
    return Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
async def test_run_says_what_to_connect_and_ends_in_order(
    command: Command, told: signal.Signals
) -> None:
    """The screener ends first, then Asterisk, and the exit code is 0."""
    async with command("lab.run") as run:
        await run.says(READY, 30)
        children = children_of(run)
        run.send(told)
        assert await run.ended(40) == 0
    printed = run.log()
    assert "user: handset" in printed
    assert "-m screener calls" in printed
    assert printed.index("[screener.service]") < printed.index("ending asterisk")
    assert "Asterisk cleanly ending" in printed
    assert len(children) == 2
    assert not any(map(runs, children))


@pytest.mark.parametrize(("dies", "other"), [(0, "screener"), (1, "asterisk")])
async def test_run_ends_with_an_error_when_either_dies(
    command: Command, dies: int, other: str
) -> None:
    """The other is ended; nobody is left with half of the service."""
    async with command("lab.run") as run:
        await run.says(READY, 30)
        children = sorted(children_of(run))
        os.kill(children[dies], signal.SIGKILL)
        assert await run.ended(40) not in {0, None}
    assert "ended by itself" in run.log()
    assert f"ending {other}" in run.log()
    assert not any(map(runs, children))


@pytest.mark.parametrize("module", ["lab.run", "lab.demo"])
async def test_a_port_in_use_is_named_before_anything_starts(command: Command, module: str) -> None:
    """One line, exit 2, and the setting that moves the port."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with command(module, ASTERISK_ARI_PORT=str(port)) as started:
            assert await started.ended(20) == 2
    (line,) = started.log().splitlines()
    assert f"TCP port {port}" in line
    assert "ASTERISK_ARI_PORT" in line


async def test_the_demo_ends_as_promised_and_says_so(command: Command) -> None:
    """Six calls, each with its verdict; the recordings it names are there."""
    async with command("lab.demo", COLUMNS="300") as demo:
        assert await demo.ended(120) == 0
    printed = demo.log()
    assert printed.count("✓") == 6
    assert "Every call ended as promised." in printed
    recordings = [word for word in printed.split() if word.endswith(".wav")]
    assert recordings
    assert all((TOP / recording).exists() for recording in recordings)


@pytest.mark.parametrize(("told", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_the_demo_leaves_nothing_behind_when_it_is_stopped(
    command: Command, tmp_path: Path, told: signal.Signals, code: int
) -> None:
    """Every program it started has ended, in the middle of its calls, and its files are gone."""
    own = tmp_path / "t"
    own.mkdir()
    async with command("lab.demo", TMPDIR=str(own)) as demo:
        await until(lambda: len(children_of(demo)) >= 4 or None, 20, "Asterisk, screener, SIPps")
        children = children_of(demo)
        demo.send(told)
        assert await demo.ended(20) == code
    assert not any(map(runs, children))
    assert not list(own.iterdir())
