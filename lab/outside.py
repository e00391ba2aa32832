"""The outside world as a second Asterisk: people who call, answer, speak, listen and hang up."""

import asyncio
import base64
import itertools
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
import numpy as np

from lab import LabError
from lab.asterisk import TOP, Asterisk
from lab.listen import RATE, Heard, Sound, heard, load, save
from lab.ports import Address
from lab.process import LOOK_AGAIN, alongside, until

ARI_OFFSET = 250  # from the ARI port of the place, to that of the outside world
ANSWER_LIMIT = 10  # seconds for anything that takes no time
PATIENCE = 30  # seconds for what people wait for

Event: TypeAlias = dict[str, Any]


class Line:
    """One end of a call, with somebody on it; ``began_at`` is a moment of the event loop's clock.

    For the handset that is when it was rung.
    """

    def __init__(self, outside: "Outside", channel: str, began_at: float) -> None:
        self._outside = outside
        self.channel = channel
        self.began_at = began_at

    async def is_answered(self, seconds: float = PATIENCE) -> float:
        """Wait until the call is answered; return the moment. LabError if it ends before."""

        def up_or_gone(event: Event) -> bool:
            channel = event.get("channel", {})
            up = channel.get("id") == self.channel and channel.get("state") == "Up"
            return up or self._is_gone(event)

        event = await self._outside.event(up_or_gone, seconds, f"an answer to {self.channel}")
        if self._is_gone(event):
            raise LabError(f"the call ended with cause {event['cause']} before it was answered")
        return float(event["received"])

    async def says(self, sound: Sound) -> None:
        """Begin to say something; what is said next follows it."""
        file = self._outside.file(sound)
        await self._outside.ari("POST", f"channels/{self.channel}/play", media=f"sound:{file}")

    def heard(self) -> Sound:
        """Return what was heard so far; Asterisk writes it two seconds late until the end."""
        file = self._outside.asterisk.directory / "heard" / f"{self.channel}.sln"
        return load(file)[0] if file.exists() else np.zeros(0)

    async def hears(self, prompt: Sound, seconds: float = PATIENCE) -> Heard:
        """Wait until a prompt was heard in full; return where. LabError if the call ends before."""
        found: Heard | None = None
        over = self._outside.find(self._is_gone)
        try:
            async with asyncio.timeout(seconds):
                while not (found and found.in_full):
                    if over:
                        break
                    await asyncio.sleep(0.2)  # a file tells nobody that it has grown
                    over = self._outside.find(self._is_gone)
                    found = heard(self.heard(), prompt)
        except TimeoutError:
            raise LabError(f"not heard within {seconds:g} s: {found}") from None
        if found is None or not found.in_full:
            raise LabError(f"the call ended before it was heard in full: {found}")
        return found

    async def listens(self, seconds: float) -> None:
        """Listen for so long, counted in sound that arrives."""
        enough = len(self.heard()) + int(seconds * RATE)
        await until(
            lambda: len(self.heard()) >= enough or None,
            seconds + ANSWER_LIMIT,
            f"{seconds:g} s of sound at {self.channel}",
        )

    async def answers(self) -> None:
        """Take the call."""
        await self._outside.ari("POST", f"channels/{self.channel}/answer")

    async def hangs_up(self, reason: str = "normal") -> None:
        """End the call; before the answer, ``reason`` may be ``busy``."""
        await self._outside.ari("DELETE", f"channels/{self.channel}", reason=reason)

    async def is_over(self, seconds: float = PATIENCE) -> int:
        """Wait until the call is over; return the hangup cause (Q.850)."""
        event = await self._outside.event(self._is_gone, seconds, f"the end of {self.channel}")
        return int(event["cause"])

    def _is_gone(self, event: Event) -> bool:
        mine: bool = event.get("channel", {}).get("id") == self.channel
        return mine and event["type"] == "ChannelDestroyed"


class Outside:
    """The telephone company and the household's handset; ``outside_world`` makes it."""

    def __init__(self, asterisk: Asterisk, http: aiohttp.ClientSession, target: Address) -> None:
        self.asterisk = asterisk
        self._http = http
        self._target = target
        self._events: list[Event] = []
        self._news = asyncio.Event()
        self._numbers = itertools.count(1)
        self._taken: set[str] = set()

    async def call(self, number: str, name: str = "", to: str = "0398765432") -> Line:
        """Call the household through the trunk, showing a number and a name."""
        channel = f"caller-{next(self._numbers)}"
        began = asyncio.get_running_loop().time()
        await self.ari(
            "POST",
            f"channels/{channel}",
            endpoint=f"PJSIP/exchange/sip:{to}@{self._target}",
            context="caller",
            extension="s",
            priority="1",
            timeout="60",
            callerId=f'"{name}" <{number}>',
        )
        return Line(self, channel, began)

    async def rings(self, who: str = "handset", seconds: float = PATIENCE) -> Line:
        """Wait until the handset (or, for calls of the household, the ``company``) is called."""

        def new(event: Event) -> bool:
            mine = event["type"] == "StasisStart" and event.get("args") == [who]
            return mine and event["channel"]["id"] not in self._taken

        event = await self.event(new, seconds, f"a call to the {who}")
        channel = event["channel"]["id"]
        self._taken.add(channel)
        await self.ari("POST", f"channels/{channel}/ring")
        return Line(self, channel, float(event["received"]))

    def has_rung(self) -> bool:
        """Say whether the handset was called at all since the last call it took."""
        return self.find(
            lambda event: event["type"] == "StasisStart"
            and event.get("args") == ["handset"]
            and event["channel"]["id"] not in self._taken
        ) is not None  # fmt: skip

    def find(self, wanted: Callable[[Event], bool]) -> Event | None:
        """Return the first event like that so far."""
        return next((event for event in self._events if wanted(event)), None)

    async def event(self, wanted: Callable[[Event], bool], seconds: float, awaited: str) -> Event:
        """Return the first event like that, past or to come; LabError after ``seconds``."""
        try:
            async with asyncio.timeout(seconds):
                while (event := self.find(wanted)) is None:
                    self._news.clear()
                    await self._news.wait()
                return event
        except TimeoutError:
            kinds = [f"{e['type']} {e.get('channel', {}).get('id', '')}" for e in self._events]
            raise LabError(f"waited {seconds:g} s for {awaited}; seen: {kinds}") from None

    async def ari(self, method: str, path: str, **query: str) -> None:
        """Ask Asterisk for something; LabError with its words if it refuses."""
        async with self._http.request(method, f"/ari/{path}", params=query) as answer:
            if answer.status >= 300:
                raise LabError(f"{method} {path}: {answer.status} {await answer.text()}")

    def file(self, sound: Sound) -> Path:
        """Keep a sound where Asterisk can play it; return its path as Asterisk wants it."""
        name = self.asterisk.directory / f"sound-{next(self._numbers)}.wav"
        return save(name, sound).with_suffix("")

    async def read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Keep all events, with the moment at which each came."""
        loop = asyncio.get_running_loop()
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                self._events.append({**message.json(), "received": loop.time()})
                self._news.set()


@asynccontextmanager
async def outside_world(exchange: Asterisk) -> AsyncIterator[Outside]:
    """Run the outside world around an exchange: its trunk, and its handset, registered."""
    place = exchange.place
    here = replace(
        place,
        sip=place.trunk_contact,
        ari=Address(place.ari.host, place.ari.port + ARI_OFFSET),
    )
    directory = Path(tempfile.mkdtemp(prefix="out-"))
    try:
        conf = _configuration(directory, exchange)
        async with (
            Asterisk(here, directory=directory / "a", configuration=conf) as asterisk,
            aiohttp.ClientSession(asterisk.ari_url, headers=_authorization(asterisk)) as http,
            http.ws_connect("/ari/events?app=screener&subscribeAll=true") as socket,
        ):
            outside = Outside(asterisk, http, place.sip)
            async with alongside(outside.read(socket)):
                try:
                    await _registered(exchange, there=True)
                    yield outside
                finally:
                    await asterisk.cli("channel request hangup all")
                    await asterisk.cli("pjsip send unregister handset")
                    await _registered(exchange, there=False)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _authorization(asterisk: Asterisk) -> dict[str, str]:
    words = base64.b64encode(f"screener:{asterisk.ari_password}".encode())
    return {"Authorization": f"Basic {words.decode()}"}


def _configuration(directory: Path, exchange: Asterisk) -> Path:
    """Write the outside world's configuration: that of the exchange but for SIP and dialplan."""
    there = directory / "config" / "asterisk"
    shutil.copytree(TOP / "config" / "asterisk", there)
    shutil.copy(TOP / "config" / "emergency-numbers", there.parent)
    (directory / "a" / "heard").mkdir(parents=True)
    place = exchange.place
    words = {
        "@EXCHANGE@": str(place.sip),
        "@EXCHANGE_HOST@": place.sip.host,
        "@HANDSET@": str(place.sip_port(place.handset)),
        "@PASSWORD@": exchange.handset_password,
    }
    for name in ("pjsip.conf", "extensions.conf"):
        text = (TOP / "lab" / "outside_conf" / name).read_text(encoding="utf-8")
        for word, value in words.items():
            text = text.replace(word, value)
        (there / name).write_text(text, encoding="utf-8")
    return there


async def _registered(exchange: Asterisk, *, there: bool) -> None:
    """Wait until the exchange has the handset registered, or has not."""
    try:
        async with asyncio.timeout(ANSWER_LIMIT):
            # The console is asked again and again, as it tells nothing by itself.
            while ("sip:handset@" in await exchange.cli("pjsip show aor handset")) != there:  # noqa: ASYNC110
                await asyncio.sleep(LOOK_AGAIN)
    except TimeoutError:
        raise LabError(f"the handset did not {'register' if there else 'unregister'}") from None
