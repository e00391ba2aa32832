"""The people on the line: a caller with a channel of the fake Asterisk, and the household."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.fake.wire import Json

if TYPE_CHECKING:
    from tests.fake.asterisk import FakeAsterisk


EMERGENCY = {"110", "118", "119"}


class Where(Enum):
    """Where a channel is."""

    OFFERED = auto()
    STASIS = auto()
    DIALPLAN = auto()
    GONE = auto()


class Handset(Enum):
    """What the household does when it rings."""

    ANSWERS = auto()  # talks, and hangs up first
    ANSWERS_AND_CALLER_ENDS = auto()
    NOBODY = auto()
    BUSY = auto()
    UNREGISTERED = auto()
    BY_HAND = auto()  # rings until the test says what happens


@dataclass(eq=False)
class Caller:
    """Somebody who calls, and what became of that; ``heard`` is what was heard to its end."""

    asterisk: "FakeAsterisk"
    id: str
    number: str
    name: str
    line: str
    handset: Handset
    window: bool  # the household called for help a while ago
    where: Where = Where.OFFERED
    state: str = "Ring"
    application: str = ""
    owner: str = "screener"  # to whom the dialplan gives the call back
    app: str = "StasisBroadcast"
    app_data: str = ""
    args: list[str] = field(default_factory=list)  # what it is offered with
    hanging: bool = False
    listens: bool = True  # otherwise a sound ends when the test says so
    heard: list[str] = field(default_factory=list)
    been_in: list[str] = field(default_factory=list)  # context/extension of the dialplan
    variables: dict[str, str] = field(default_factory=dict)
    subscribed: set[str] = field(default_factory=set)
    seconds: int = 0  # to ring, or for a message, as the screener says
    speaks: bool = True  # when asked for a message
    began: float = field(default_factory=time.time)
    rung_at: float | None = None
    answered_at: float | None = None
    warned_by_dialplan: bool = False
    asked_for_message: bool = False
    message_taken: bool = False  # the tone was heard
    gave_way: bool = False
    was_held: bool = False
    was_called: bool = False  # an INVITE went to the handset
    came_back: bool = False  # after the ring
    rang: bool = False
    rings: bool = False
    picked_up: bool = False
    dialstatus: str = ""
    household_hung_up: bool = False
    hung_up: bool = False
    ended_by_us: bool = False
    is_gone: asyncio.Event = field(default_factory=asyncio.Event)
    _playback: Json | None = None
    _household: asyncio.Queue[str] = field(default_factory=asyncio.Queue)

    @property
    def is_there(self) -> bool:
        return self.where is not Where.GONE

    def json(self) -> Json:
        context, _, extension = (self.been_in or ["incoming/s"])[-1].partition("/")
        return {
            "id": self.id,
            "name": f"PJSIP/trunk-{self.id}",
            "state": self.state,
            "caller": {"name": self.name, "number": self.number},
            "dialplan": {
                "context": context,
                "exten": extension,
                "priority": 1,
                "app_name": self.app,
                "app_data": self.app_data,
            },
            "channelvars": {
                "LINE": self.line,
                "EMERGENCY_WINDOW": "1" if self.window else "",
                "GAVE_WAY": "1" if self.gave_way else "",
                "RELEASED": "1" if "without-screener/released" in self.been_in else "",
            },
        }

    def details(self) -> str:
        """Return what the dialplan writes of the call when it is over."""
        talked = None if self.answered_at is None else time.time() - self.answered_at
        by = "household" if self.household_hung_up else "caller" if self.hung_up else ""
        told = {
            "direction": "incoming",
            "number": self.number,
            "name": self.name,
            "line": self.line,
            "began": f"{self.began:.3f}",
            "ended": f"{time.time():.3f}",
            "state": self.state,
            "answered_seconds": "" if talked is None else str(int(talked)),
            "dialled": "1" if self.rung_at else "",
            "rang": f"{self.rung_at:.3f}" if self.rung_at else "",
            "dialstatus": "CANCEL" if self.rings and not self.dialstatus else self.dialstatus,
            "warned": "1" if self.warned_by_dialplan else "",
            "window": "1" if self.window else "",
            "window_until": "",
            "emergency": "1" if self.number in EMERGENCY else "",
            "gave_way": "1" if self.gave_way else "",
            "message": "1" if self.asked_for_message else "",
            "hung_up_by": by,
        }
        return "&".join(f"{key}={quote(value)}" for key, value in told.items()) + "\n"

    # ---- what people do ------------------------------------------------------------------------

    def hangs_up(self) -> None:
        self.asterisk.hang_up(self)

    async def hears(self, prompt: str) -> None:
        """Listen to a prompt of the screener to its end."""
        await self.asterisk.until(
            lambda: self._playback and self._playback["media_uri"].endswith(prompt),
            f"the caller is told: {prompt}",
        )
        self.playback_ends("done")

    async def handset_rings(self) -> None:
        await self.asterisk.until(lambda: self.rings, "the handset rings")

    def handset_answers(self) -> None:
        self._household.put_nowait("ANSWER")

    def handset_is_busy(self) -> None:
        self._household.put_nowait("BUSY")

    def handset_hangs_up(self) -> None:
        self._household.put_nowait("over")

    def nobody_comes(self) -> None:
        self._household.put_nowait("NOANSWER")

    async def over(self) -> None:
        await self.asterisk.until(lambda: not self.is_there, "the call is over")

    # ---- what Asterisk tells of it -------------------------------------------------------------

    def tell(self, event: Json) -> bool:
        """Tell of something that is true while the caller is there; False if that is over."""
        starts = event["type"] == "StasisStart"  # comes even to a caller who just hangs up
        if not self.subscribed:
            self.asterisk.passes(f"{event['type']}, and nobody listens")
            return self.is_there and not self.hanging
        told = [
            self.asterisk.tell(
                application, event, lambda: self.is_there and (starts or not self.hanging)
            )
            for application in self._hearers(event)
        ]
        return all(told)

    def tell_end(self, event: Json) -> None:
        for application in self._hearers(event):
            self.asterisk.tell(application, {**event, "channel": self.json()})

    def _hearers(self, event: Json) -> list[str]:
        """Return the applications that listen; of Stasis only the one hears that has the call."""
        if event["type"] in {"StasisStart", "StasisEnd"}:
            return [self.application] if self.application in self.subscribed else []
        return sorted(self.subscribed)

    def leave_stasis(self) -> bool:
        self.playback_ends("failed")
        return self.tell({"type": "StasisEnd", "channel": self.json()})

    def plays(self, playback: Json) -> None:
        if self.where is not Where.STASIS:
            return
        self._playback = playback
        self.tell({"type": "PlaybackStarted", "playback": {**playback, "state": "playing"}})
        if self.hanging or not self.asterisk.prompts_play:
            self.playback_ends("failed")
        elif self.listens:
            self.playback_ends("done")

    def playback_ends(self, state: str) -> None:
        playback, self._playback = self._playback, None
        if playback is None:
            return
        event = {"type": "PlaybackFinished", "playback": {**playback, "state": state}}
        if state != "done":
            self.tell_end(event)
        elif self.tell(event):
            self.heard.append(playback["media_uri"].rpartition("/")[2])

    def dial(self, dialstatus: str) -> bool:
        handset = {"id": f"{self.id}-handset"}
        event = {"type": "Dial", "caller": self.json(), "peer": handset, "dialstring": "handset"}
        event["dialstatus"] = dialstatus
        if dialstatus == "CANCEL":
            self.tell_end(event)
            return True
        if not self.tell(event):
            return False
        self.was_called = True
        self.rings = dialstatus == "RINGING"
        self.rang |= self.rings
        return True

    async def ring(self) -> None:
        """Ring the handset until somebody gives up; ``dialstatus`` then says how that went."""
        self.app, self.app_data, self.variables["DIALSTATUS"] = "Dial", "PJSIP/handset,30,gi", ""
        if self.handset is Handset.UNREGISTERED:
            self.dialstatus = self.variables["DIALSTATUS"] = "CHANUNAVAIL"
            return
        self.rung_at = time.time()
        await self._step(partial(self.dial, ""))
        await self._step(partial(self.dial, "RINGING"))
        match self.handset:
            case Handset.NOBODY:
                await self._step(lambda: self._rung("NOANSWER"))
            case Handset.BUSY:
                await self._step(lambda: self._rung("BUSY"))
            case Handset.BY_HAND:
                dialstatus = await self._household.get()
                await self._step(lambda: self._rung(dialstatus))
                if dialstatus == "ANSWER":
                    await self._household.get()
                    self._household_hangs_up()
            case _:
                await self._step(lambda: self._rung("ANSWER"))
                if self.handset is Handset.ANSWERS:
                    await self._step(self._household_hangs_up)
                else:
                    await self._step(self.hangs_up)

    def _rung(self, dialstatus: str) -> None:
        if self.dial(dialstatus):
            self.dialstatus = self.variables["DIALSTATUS"] = dialstatus
            if dialstatus == "ANSWER":
                self.state, self.picked_up, self.answered_at = "Up", True, time.time()

    def _household_hangs_up(self) -> None:
        self.household_hung_up = True

    async def leaves_message(self, recording: Path) -> None:
        """Hear the prompt, and after the tone say something for a second, or nothing."""
        self.app, self.app_data, self.variables["MESSAGE"] = "Playback", "message,noanswer", "1"
        self.asked_for_message, self.state = True, "Up"
        await self._step(lambda: self.asterisk.passes("the tone"))
        if self.hanging or not self.is_there:
            return
        self.message_taken = True
        self.heard.append("message")
        recording.write_bytes((b"\0\x20\0\0" if self.speaks else b"\0\0\0\0") * 8000)
        if self.handset is Handset.BY_HAND:
            await self._household.get()
        await self._step(lambda: self.asterisk.passes("the end of the message"))

    def message_ends(self) -> None:
        self._household.put_nowait("message")

    async def _step(self, what: Callable[[], object]) -> None:
        """Let something happen once the screener knows all that came before it."""
        await self.asterisk.settled()
        if self.is_there and not self.hanging:
            what()
