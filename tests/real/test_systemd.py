"""What systemd hears of Asterisk and of the screener, started as its units start them."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.asterisk import Asterisk
from lab.ports import own_place
from lab.process import until
from lab.screener import Screener


class Systemd:
    """The socket on which services tell how they are."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self._heard: list[str] = []

    async def hears(self, words: str) -> None:
        """Wait until a service has said these words; they are used up then."""
        await until(lambda: self._look(words), 20, f"{words} for systemd")
        self._heard.remove(words)

    def _look(self, words: str) -> bool | None:
        while True:
            try:
                self._heard += self._listening.recv(4096).decode().splitlines()
            except BlockingIOError:
                return words in self._heard or None


@contextmanager
def listening(path: Path) -> Iterator[Systemd]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(path))
        ear.setblocking(False)
        yield Systemd(ear)


async def test_both_say_when_they_are_ready_and_the_screener_what_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Type=notify asks; while Asterisk is away the screener is ready and says that it waits."""
    address = tmp_path / "notify"
    monkeypatch.setenv("NOTIFY_SOCKET", str(address))
    with listening(address) as systemd, own_place() as place:
        async with Asterisk(place, directory=tmp_path / "a") as first:
            await systemd.hears("READY=1")
            async with Screener(first, directory=tmp_path / "s") as screener:
                await systemd.hears("READY=1")
                await systemd.hears("STATUS=screening calls")
                await first.kill()
                await systemd.hears("STATUS=waiting for Asterisk")
                await screener.stop()
                await systemd.hears("STOPPING=1")
