"""What can break, how it is broken, how it comes right again, and how long a call may then wait."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from lab.proxy import Fate, Said
from lab.screener import Screener
from tests.faults.stage import SCREENING_SECONDS, Stage

IN_HAND_SECONDS: Final = 3.0  # from the crash to the ring of a call that the screener held
NOTICED_SECONDS: Final = 2.0  # more, where it must first be noticed that it hangs
NEW_SECONDS: Final = 1.5  # beyond the warning, for a call that comes afterwards
_BROKEN_SECONDS: Final = 3.0  # how long what comes right by itself stays broken

Strike = Callable[[Stage], Fate]
Relief = Callable[[Stage], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to break something.

    ``strike`` is done at the very step, and says what becomes of what was just being said;
    ``relief`` brings everything back. ``in_hand`` and ``new`` are the limits in seconds to the
    ring: from the fault for a call that was there, and, beyond the warning, from its start for one
    that came later. ``cuts_calls``: no call that was there can go on. ``again``: the next screener
    is killed as well, while it takes stock of the calls in hand. ``of_two``: another works
    beside the first screener.
    """

    name: str
    strike: Strike
    relief: Relief
    in_hand: float = IN_HAND_SECONDS
    new: float = NEW_SECONDS
    cuts_calls: bool = False
    every_step: bool = False
    again: bool = False
    of_two: bool = False


async def _killed_again(stage: Stage) -> None:
    """Wait until the next screener is killed, and the one after that is ready."""
    await stage.screener_is_back()  # started, if nothing else does it; it may be killed already
    with suppress(TimeoutError):
        async with asyncio.timeout(_BROKEN_SECONDS):
            await stage.struck_again.wait()
    if not stage.struck_again.is_set():  # by now there was no call of which this was to be said
        stage.strike_again()
    await stage.screener_is_back()


async def is_back(stage: Stage) -> None:
    """Wait until the screener is ready again."""
    await stage.screener_is_back()


def _sent(number: signal.Signals, fate: Fate = Fate.DROPPED) -> Strike:
    def strike(stage: Stage) -> Fate:
        stage.screener.send_to_worker(number)
        return fate

    return strike


def _both_killed(stage: Stage) -> Fate:
    stage.screener.send_to_all(signal.SIGKILL)
    return Fate.DROPPED


def _one_of_two_killed(stage: Stage) -> Fate:
    stage.screener_that_spoke.send_to_all(signal.SIGKILL)
    return Fate.DROPPED


async def _left_to_the_other(stage: Stage) -> None:
    """Start it anew only when the other must have done everything."""
    await asyncio.sleep(IN_HAND_SECONDS)
    if stage.screener.process.exit_code is not None:
        await stage.screener_is_back()


async def _released_and_started(stage: Stage) -> None:
    """What the unit file does: release, then start anew."""
    await stage.screener.must("release")
    await stage.screener_is_back()


def _mend(stage: Stage) -> None:
    stage.proxy.mend()
    stage.proxy.watch = stage.steps.watch


async def _outlasted(stage: Stage) -> None:
    await asyncio.sleep(_BROKEN_SECONDS)
    _mend(stage)


async def _outlasts_everybody(stage: Stage) -> None:
    await asyncio.sleep(SCREENING_SECONDS + 1)
    await _outlasted(stage)
    await _reconnected(stage)


async def _reconnected(stage: Stage) -> None:
    await stage.screener_is_back()
    _mend(stage)


def _told(what: Callable[[Stage], None], fate: Fate = Fate.DROPPED) -> Strike:
    def strike(stage: Stage) -> Fate:
        what(stage)
        return fate

    return strike


def _never_claims(stage: Stage) -> None:
    heard = stage.steps.watch

    def watch(said: Said) -> Fate:
        fate = heard(said)
        return Fate.DROPPED if said.message.get("type") == "CallBroadcast" else fate

    stage.proxy.watch = watch


def _refuses(stage: Stage) -> None:
    stage.proxy.refusing = True


def _slow(seconds: float) -> Callable[[Stage], None]:
    def slow(stage: Stage) -> None:
        stage.proxy.delay = seconds

    return slow


async def _second_of_the_same_name(stage: Stage) -> None:
    """Let another screener take the name, see the first one stop, and change back."""
    settings = {
        "asterisk": {"url": stage.proxy.url},
        "database": {"path": str(stage.screener.directory / "screener.db")},
        "prompts": {"directory": str(stage.asterisk.prompts)},
        "log": {"level": "info"},
    }
    async with Screener(stage.asterisk, settings=settings):
        code = await stage.screener.process.ended(10)
        if code != 2 or "another screener" not in stage.screener.process.tail():
            raise AssertionError(f"the replaced screener ended with {code}, without saying why")
    await stage.screener_is_back()


def _nothing(_: Stage) -> Fate:
    return Fate.PASSED


def _told_to_stop(stage: Stage) -> Fate:
    stage.screener.process.send(signal.SIGTERM)
    return Fate.PASSED


async def _started_again(stage: Stage) -> None:
    code = await stage.screener.process.ended(30)
    if code != 0:
        raise AssertionError(f"told to stop, the screener ended with {code}")
    await stage.screener_is_back()


def _asterisk_killed(stage: Stage) -> Fate:
    stage.asterisk.process.send(signal.SIGKILL)
    return Fate.PASSED


def _asterisk_stopped(stage: Stage) -> Fate:
    stage.asterisk.process.send(signal.SIGTERM)
    return Fate.PASSED


async def _asterisk_back(stage: Stage) -> None:
    await stage.asterisk.process.ended(10)
    await stage.asterisk.start()
    await stage.screener_is_back()


_HANG: Final = IN_HAND_SECONDS + NOTICED_SECONDS
_SILENCE: Final = 6.0  # 2.5 s of it, a new connection, and the warning from its beginning
_WHOLE_LIMIT: Final = SCREENING_SECONDS + 2.0

KILLED: Final = Fault("screener: kill -9", _sent(signal.SIGKILL), is_back, every_step=True)
ASTERISK_KILLED: Final = Fault(
    "Asterisk: kill -9", _asterisk_killed, _asterisk_back, cuts_calls=True
)
ASTERISK_STOPPED: Final = Fault(
    "Asterisk: stopped and started", _asterisk_stopped, _asterisk_back, cuts_calls=True
)
KILLED_AGAIN: Final = Fault(
    "screener: kill -9, again in its stock", _sent(signal.SIGKILL), _killed_again, again=True
)
BOTH_KILLED_AGAIN: Final = Fault(
    "both: kill -9, again in its stock", _both_killed, _killed_again, _WHOLE_LIMIT, again=True
)
FAULTS: Final = (
    KILLED,
    KILLED_AGAIN,
    BOTH_KILLED_AGAIN,
    Fault("screener and supervisor: kill -9", _both_killed, _released_and_started),
    Fault("screener: SIGSTOP", _sent(signal.SIGSTOP), is_back, _HANG),
    Fault("screener: event loop blocked", _sent(signal.SIGVTALRM), is_back, _HANG),
    Fault("screener: event loop spins", _sent(signal.SIGXCPU), is_back, _HANG),
    Fault(
        "screener: 100 % CPU beside it", _sent(signal.SIGUSR2, Fate.PASSED), _outlasted, _HANG, 3.0
    ),
    Fault("screener: never claims", _told(_never_claims, Fate.PASSED), _outlasted),
    Fault("every command refused (500)", _told(_refuses, Fate.REFUSED), _outlasted, 5.0),
    Fault("answers slow by 0.4 s", _told(_slow(0.2), Fate.PASSED), _outlasted, 5.0, 3.0),
    Fault("answers slow by 1.6 s", _told(_slow(0.8), Fate.PASSED), _outlasted, 9.0, 3.0),
    Fault("socket: reset", _told(lambda s: s.proxy.reset()), _outlasted),
    Fault(
        "socket: half-open, Asterisk gone",
        _told(lambda s: s.proxy.leave_screener_hanging()),
        _reconnected,
        _SILENCE,
    ),
    Fault(
        "socket: stalls, but not a new one",
        _told(lambda s: s.proxy.stall_present(), Fate.PASSED),
        _reconnected,
        _SILENCE,
    ),
    Fault(
        "socket: half-open, screener gone",
        _told(lambda s: s.proxy.leave_asterisk_hanging()),
        _reconnected,
    ),
    Fault("socket: stalls for 3 s", _told(lambda s: s.proxy.stall(), Fate.PASSED), _outlasted, 6.0),
    Fault(
        "socket: stalls for good",
        _told(lambda s: s.proxy.stall(), Fate.PASSED),
        _outlasts_everybody,
        _WHOLE_LIMIT,
    ),
    Fault("one of two, and its supervisor", _one_of_two_killed, _left_to_the_other, of_two=True),
    Fault("a second screener of its name", _nothing, _second_of_the_same_name),
    Fault("screener: SIGTERM and start", _told_to_stop, _started_again),
    ASTERISK_KILLED,
    ASTERISK_STOPPED,
)
