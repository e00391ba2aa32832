"""Whether calls are screened, go the dialplan's way, or find nobody: one word, and why."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from screener.ari import AriError, NoAri, Refused, TooOld
from screener.ari.probe import Probe


class State(StrEnum):
    """What becomes of a call that comes in now."""

    HEALTHY = "healthy"  # it is screened
    DEGRADED = "degraded"  # Asterisk alone warns, records and rings
    DOWN = "down"  # nobody takes it


@dataclass(frozen=True, slots=True)
class Readiness:
    """A state and the reason for it."""

    state: State
    reason: str

    def __str__(self) -> str:
        return f"{self.state}: {self.reason}"


async def readiness(
    ask: Callable[[], Awaitable[Probe]], taking: Callable[[Probe], list[str]]
) -> Readiness:
    """Ask Asterisk; ``taking`` tells which screeners take calls of those that it knows."""
    try:
        probe = await ask()
    except NoAri as error:
        return Readiness(State.DOWN, str(error))
    except (Refused, TooOld) as error:
        return Readiness(State.DEGRADED, str(error))
    except AriError as error:
        return Readiness(State.DOWN, str(error))
    screeners = taking(probe)
    if not screeners:
        reason = f"no screener is connected, so Asterisk {probe.version} warns, records and rings"
        return Readiness(State.DEGRADED, reason)
    if len(screeners) == 1:
        reason = f"a screener is connected to Asterisk {probe.version}"
    else:
        there = ", ".join(screeners)
        reason = f"{len(screeners)} screeners are connected to Asterisk {probe.version}: {there}"
    return Readiness(State.HEALTHY, reason)
