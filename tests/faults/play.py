"""One fault played: calls of all kinds, the blow at its step, calls meanwhile, and afterwards."""

import asyncio
import time
from contextlib import AsyncExitStack, nullcontext
from dataclasses import dataclass, field, replace
from typing import Final

from lab import LabError
from lab.listen import heard, load, tone
from lab.ports import Address
from lab.prompts import SECONDS as WARNING_SECONDS
from lab.proxy import Fate
from lab.rtp import Ear, ear
from lab.sipp import Leg, Sipp, calling, handset
from screener.domain.call_record import CallRecord
from screener.store.database import open_store
from tests.faults.catalogue import Fault, is_back
from tests.faults.crowd import (
    CALLER_TONE,
    FRIEND,
    NOBODY_THERE,
    STRANGER,
    TAKE_LONG,
    Group,
    Kind,
    household,
)
from tests.faults.judge import Judged, Limits, Seen, judge
from tests.faults.stage import Size, Stage
from tests.faults.steps import Step

FIRST_LOOK: Final = "command GET channels"  # at what is there: so every screener begins
FIRST_CLAIM: Final = "command POST events/claim"
_REACHED_SECONDS: Final = 15.0  # for the step to come
_OVER_SECONDS: Final = 45.0  # for all calls to end
_MEANWHILE_SECONDS: Final = 0.1  # after the blow: new calls
_HEARD: Final = 0.7  # how much of the warning must have come to the ear
_NEWEST: Final = 100  # rows of the log, more than one fault makes


@dataclass(frozen=True, slots=True)
class Blow:
    """What is broken and when: at a step of a kind of call; without a step, before any call."""

    fault: Fault
    kind: Kind = STRANGER
    step: Step | None = None
    again: Step | None = None  # of the next screener

    def __str__(self) -> str:
        when = f"at {self.step} of a {self.kind.name}" if self.step else "before anybody calls"
        return f"{self.fault.name}, {when}" + (f", again at {self.again}" if self.again else "")


@dataclass
class Played:
    """What came of it."""

    blow: str
    fault: str
    calls: list[Judged] = field(default_factory=list)
    left_over: list[str] = field(default_factory=list)
    trouble: str = ""
    sizes: list[Size] = field(default_factory=list)  # of every program, afterwards

    @property
    def failed(self) -> bool:
        """Whether anything was not as it must be."""
        wrong = any(call.lost or call.faults for call in self.calls)
        return bool(self.trouble or self.left_over or wrong)


async def steps_of(stage: Stage, kind: Kind, run: int) -> list[Step]:
    """Let one call of a kind happen undisturbed; return its steps."""
    steps = stage.begin()
    group = Group(kind, kind.number(run, 0), 1, 1)
    place, password = stage.asterisk.place, stage.asterisk.handset_password
    async with (
        handset(place, household(stage.household_voice), password),
        calling(place, group.caller(stage.voice)) as caller,
    ):
        await caller.finished(_OVER_SECONDS)
        await stage.tidy(set(group.numbers()))
    return steps.of_number(next(group.numbers()))


async def stock_of(stage: Stage, fault: Fault, run: int) -> list[Step]:
    """Kill a screener in the midst of calls; return what the next says and is told at first."""
    kind, step = NOBODY_THERE, Step("command POST channels/ID/play warning")
    scene = _Scene(stage, Blow(replace(fault, relief=is_back), kind, step), run)
    await scene.happens()
    return scene.stock


async def play(stage: Stage, blow: Blow, run: int) -> Played:
    """Play a fault and judge every call of it; ``run`` tells its callers' numbers apart."""
    played = Played(str(blow), blow.fault.name)
    await stage.be_as_new()
    scene = _Scene(stage, blow, run)
    try:
        await scene.happens()
    except TimeoutError:
        played.trouble = "something took too long" if scene.struck else "the step was not reached"
    except (LabError, AssertionError) as error:
        played.trouble = str(error)
    else:
        played.left_over = scene.left_over
        played.calls = await scene.judged()
        played.sizes = await stage.sizes()
    return played


class _Scene:
    """The calls around one blow."""

    def __init__(self, stage: Stage, blow: Blow, run: int) -> None:
        self.struck = 0.0
        self.left_over: list[str] = []
        self.stock: list[Step] = []
        self._stage, self._blow = stage, blow
        self._place = stage.asterisk.place
        self._steps = stage.begin()
        self._steps.reached = self._reached
        self._blown = asyncio.Event()
        self._mended = 0.0
        kind, other = blow.kind, FRIEND if blow.kind is STRANGER else STRANGER
        self._target = Group(kind, kind.number(run, 0), 3 if kind in TAKE_LONG else 5, 5)
        self._others = Group(other, other.number(run, 1), 3, 3)
        self._witness = Group(STRANGER, STRANGER.number(run, 2), 1, 1)
        self._meanwhile = Group(STRANGER, STRANGER.number(run, 3), 2, 20)
        self._afterwards = Group(FRIEND, FRIEND.number(run, 4), 1, 1)
        self._groups = (
            self._target, self._others, self._witness, self._meanwhile, self._afterwards,
        )  # fmt: skip
        numbers = list(self._target.numbers())
        self._struck_at = set(numbers[len(numbers) // 2 :])  # others are then before and behind
        self._legs: dict[str, Leg] = {}
        self._rung: dict[str, list[Leg]] = {}
        self._listening: Ear | None = None

    def _reached(self, channel: str, step: Step) -> Fate:
        if self.struck or step != self._blow.step:
            return Fate.PASSED
        if self._steps.numbers.get(channel) not in self._struck_at:
            return Fate.PASSED
        return self._strike()

    def _strike(self) -> Fate:
        self.struck = time.time()
        self._blown.set()
        if self._blow.fault.again:
            self._steps.overall = self._overall
        return self._blow.fault.strike(self._stage)

    def _overall(self, step: Step) -> Fate:
        """Hear what the next screener says and is told, from its first look at what is there."""
        if step.what == FIRST_CLAIM:  # the next call: it was done
            self._steps.overall = None
        if self._steps.overall is None or not (self.stock or step.what == FIRST_LOOK):
            return Fate.PASSED
        self.stock.append(step)
        if self._stage.struck_again.is_set() or step != self._blow.again:
            return Fate.PASSED
        self._stage.strike_again()
        return Fate.DROPPED

    async def happens(self) -> None:
        """Let everybody call, and break what is to be broken; TimeoutError, LabError."""
        here = Address(self._place.trunk, self._place.media_port(self._place.trunk))
        password = self._stage.asterisk.handset_password
        async with (
            self._stage.second_screener() if self._blow.fault.of_two else nullcontext(),
            AsyncExitStack() as people,
            handset(self._place, household(self._stage.household_voice), password) as phone,
            ear(here, says=tone(CALLER_TONE, 30)) as self._listening,
        ):
            callers = await self._place_calls(people, here.port)
            await self._are_over(callers)
            self._legs = {_shown(leg): leg for sipp in callers for leg in sipp.legs()}
            if not self._legs:  # nothing could be judged
                raise LabError(f"SIPp told of no call at all:\n{callers[0].process.tail()}")
            for leg in phone.legs():
                self._rung.setdefault(_shown(leg), []).append(leg)
            self.left_over = await self._stage.tidy(self._logged())

    async def _place_calls(self, people: AsyncExitStack, hears_at: int) -> list[Sipp]:
        async def call(group: Group, hears_at: int | None = None) -> Sipp:
            who = group.caller(self._stage.voice, hears_at)
            return await people.enter_async_context(
                calling(self._place, who, calls=group.calls, per_second=group.per_second)
            )

        if self._blow.fault.cuts_calls:
            await self._stage.telephone_is_kept()
        if self._blow.step is None:
            self._strike()
        callers = [
            await call(self._witness, hears_at), await call(self._target), await call(self._others),
        ]  # fmt: skip
        async with asyncio.timeout(_REACHED_SECONDS):
            await self._blown.wait()
        relief = asyncio.create_task(self._blow.fault.relief(self._stage))
        try:
            await asyncio.sleep(_MEANWHILE_SECONDS)
            callers.append(await call(self._meanwhile))
            await relief
        finally:
            relief.cancel()
        self._mended = time.time()
        return [*callers, await call(self._afterwards)]

    async def _are_over(self, callers: list[Sipp]) -> None:
        """Wait for the end of all calls that can have one."""
        for sipp in callers[3:] if self._blow.fault.cuts_calls else callers:
            await sipp.finished(_OVER_SECONDS)

    def _logged(self) -> set[str]:
        """Return the numbers of the calls that must be in the log."""
        return {
            number
            for group in self._groups
            for number in group.numbers()
            if number in self._legs and self._legs[number].outcome not in {0, 503}
        }

    async def judged(self) -> list[Judged]:
        """Judge every call."""
        async with open_store(self._stage.screener.directory / "screener.db") as store:
            rows = await store.calls.newest(_NEWEST)
        fault = self._blow.fault
        limits = Limits(
            struck=self.struck, mended=self._mended, warning=WARNING_SECONDS,
            in_hand=fault.in_hand, new=fault.new, cuts_calls=fault.cuts_calls,
        )  # fmt: skip
        return [
            judge(self._seen(number, group, rows), limits)
            for group in self._groups
            for number in group.numbers()
        ]

    def _seen(self, number: str, group: Group, rows: list[CallRecord]) -> Seen:
        return Seen(
            number=number,
            kind=group.kind,
            caller=self._legs.get(number),
            handset=self._rung.get(number, []),
            rows=[row for row in rows if row.caller.given == number],
            screened=self._steps.screened(number),
            hears_warning=self._hears_warning() if group is self._witness else None,
        )

    def _hears_warning(self) -> bool:
        if self._listening is None:
            return False
        _, sound = self._listening.heard()
        # On a machine with too much to do, an ear of ours misses a little.
        return heard(sound, load(self._stage.warning)[0]).share >= _HEARD


def _shown(leg: Leg) -> str:
    """Return the number that a call shows."""
    return leg.messages[0].header("From").partition("sip:")[2].partition("@")[0]
