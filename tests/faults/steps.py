"""The steps of a call, as seen between the screener and Asterisk: commands, answers and events."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lab.frames import Json
from lab.proxy import Fate, Said

_CHANNEL = re.compile(r"\d{9,}\.\d+")  # Asterisk's own id: seconds, a dot, a count
_TELLING = ("media", "context", "extension", "variable", "eventSource")


@dataclass(frozen=True, slots=True, order=True)
class Step:
    """Something said of one call: the ``turn``-th time that it was."""

    what: str
    turn: int = 1

    def __str__(self) -> str:
        return self.what if self.turn == 1 else f"{self.what} ({self.turn})"


@dataclass
class Steps:
    """Hears what is said and keeps, for each channel, its steps in order.

    ``numbers`` are the callers' numbers by channel. ``reached`` is called with every step before
    it is passed on, and may have it dropped. So is ``overall`` with every command and answer, of
    whatever call or none, each with its turn since ``overall`` was set. ``screener`` is the one
    that spoke last, or was spoken to.
    """

    reached: Callable[[str, Step], Fate] = field(default=lambda channel, step: Fate.PASSED)
    overall: Callable[[Step], Fate] | None = None
    numbers: dict[str, str] = field(default_factory=dict)
    of: dict[str, list[Step]] = field(default_factory=dict)
    screener: int = 0
    _asked: dict[tuple[int, str], tuple[str, str]] = field(default_factory=dict)
    _overall: Counter[str] = field(default_factory=Counter)
    _turns: Counter[tuple[str, str]] = field(default_factory=Counter)

    def watch(self, said: Said, screener: int = 0) -> Fate:
        """Hear one thing; to be given to the proxy, with the number of the screener behind it."""
        self.screener = screener
        message = said.message
        match message.get("type"):
            case "RESTRequest" if not said.by_asterisk:
                what, channel = _command(message)
                self._asked[screener, str(message.get("request_id"))] = (what, channel)
                return self._of_both(channel, f"command {what}")
            case "RESTResponse" if said.by_asterisk:
                what, channel = self._asked.pop(
                    (screener, str(message.get("request_id"))), ("", "")
                )
                return self._of_both(channel, f"answer to {what}")
            case str(kind) if said.by_asterisk:
                return self._event(kind, message)
        return Fate.PASSED

    def _event(self, kind: str, message: Json) -> Fate:
        about = message.get("channel") or message.get("caller") or message.get("playback") or {}
        if "caller" in about:
            self.numbers.setdefault(str(about.get("id")), str(about["caller"].get("number", "")))
        more = message.get("dialstatus") or " ".join(message.get("args") or ())
        return self._step(_channel(str(about)), f"event {kind} {more}".strip())

    def _of_both(self, channel: str, what: str) -> Fate:
        fate = self._step(channel, what)
        if self.overall is None:
            return fate
        self._overall[what] += 1
        return self.overall(Step(what, self._overall[what])) if fate is Fate.PASSED else fate

    def _step(self, channel: str, what: str) -> Fate:
        if not channel:
            return Fate.PASSED
        self._turns[channel, what] += 1
        step = Step(what, self._turns[channel, what])
        self.of.setdefault(channel, []).append(step)
        return self.reached(channel, step)

    def of_number(self, number: str) -> list[Step]:
        """Return the steps of the calls of a caller."""
        return [
            step
            for channel, steps in self.of.items()
            if self.numbers.get(channel) == number
            for step in steps
        ]

    def screened(self, number: str) -> bool:
        """Say whether a screener ever had a call of that number in its hands."""
        return Step("event StasisStart") in self.of_number(number)


def _command(message: Json) -> tuple[str, str]:
    """Return a command in words, without the channel's id, and that id."""
    query: dict[str, Any] = {
        str(pair.get("name")): str(pair.get("value", ""))
        for pair in message.get("query_strings") or ()
    }
    uri = str(message.get("uri", ""))
    channel = _channel(f"{uri} {' '.join(query.values())}")
    verb = "".join(uri.partition("/play")[:2])
    told = [query[key].rpartition("/")[2] for key in _TELLING if key in query]
    words = " ".join([str(message.get("method")), verb, *told])
    return words.replace(channel, "ID") if channel else words, channel


def _channel(text: str) -> str:
    found = _CHANNEL.search(text)
    return found[0] if found else ""
