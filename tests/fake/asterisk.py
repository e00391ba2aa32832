"""A fake Asterisk: channels, Stasis and the dialplan, as unkind as the real one can be.

What it answers, and in which order it tells of things, was compared with Asterisk 22.10.1.
"""

import asyncio
import itertools
import re
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.fake.door import Door
from tests.fake.people import EMERGENCY, Caller, Handset, Where
from tests.fake.wire import Answer, Command, Json

if TYPE_CHECKING:
    from pathlib import Path

Query = dict[str, str]

_NOT_FOUND: Answer = (404, {"message": "Channel not found"})
_NOT_OURS: Answer = (409, {"message": "Channel not in Stasis application"})
_NO_CONTENT: Answer = (204, None)


class FakeAsterisk(Door):
    """Asterisk as the screener sees it, with the project's dialplan and one handset.

    ``callers`` are all who ever called. A command to a caller who is gone gets 404, to one who is
    not in Stasis 409. ``early`` (its usual way) says what a command led to before it answers the
    command; otherwise after.
    """

    def __init__(
        self, version: str = "22.10.1", *, password: str = "", claim_seconds: float = 0.5
    ) -> None:
        super().__init__(version, password or "of this test")
        self.callers: list[Caller] = []
        self.offered_to = re.compile("^screener")
        self.early = True
        self.hangup_takes_time = False
        self.prompts_play = True
        self.takes_messages = True
        self.globals: dict[str, str] = {}  # variables of the dialplan, as the screener set them
        self.live: Path | None = None  # where it records calls, and tells of those that are over
        self._claim_seconds = claim_seconds
        self._tasks: set[asyncio.Task[None]] = set()
        self._ids = itertools.count(1)
        self._applications: set[str] = set()

    @property
    def has_broadcast(self) -> bool:
        return self.numbers >= (22, 7) or (20, 17) <= self.numbers < (21,)

    # ---- levers --------------------------------------------------------------------------------

    def offer(
        self,
        number: str = "0312345678",
        name: str = "",
        line: str = "0398765432",
        handset: Handset = Handset.ANSWERS,
        *,
        window: bool = False,
    ) -> Caller:
        """Let somebody call: offered to all screeners, or put into the hands of ``screener``.

        In an emergency ``window``, and from emergency numbers, past all screeners.
        """
        call_id = f"{id(self)}.{next(self._ids)}"
        caller = Caller(self, call_id, number, name, line, handset, window=window)
        self.callers.append(caller)
        if window or number in EMERGENCY:
            self.go_on(caller, "ring", "unrecorded")
        elif self.has_broadcast:
            self._broadcast(caller, [], "without-screener", "s")
        else:
            self._enter_stasis(caller, "screener", [], "without-screener", "s")
        return caller

    def _broadcast(self, caller: Caller, args: list[str], context: str, extension: str) -> None:
        """Offer a call to all screeners; unclaimed it goes on elsewhere in the dialplan."""
        caller.where, caller.args = Where.OFFERED, args
        caller.app, caller.app_data = (
            "StasisBroadcast",
            ",".join(["500,^screener(-[0-9]+)?$", *([":".join(args)] if args else [])]),
        )
        for application in sorted({each.application for each in self.lines}):
            if args or self.offered_to.search(application):
                self.tell(application, {"type": "CallBroadcast", "channel": caller.json()})

        def time_is_over() -> None:
            if caller.where is Where.OFFERED and caller.args is args:
                self.go_on(caller, context, extension)

        asyncio.get_running_loop().call_later(self._claim_seconds, time_is_over)

    def restarts(self) -> None:
        """Forget all calls without a word, as a crash does."""
        for caller in self.there:
            caller.where = Where.GONE
        self._applications.clear()
        self.drop()

    @property
    def there(self) -> list[Caller]:
        return [caller for caller in self.callers if caller.where is not Where.GONE]

    @property
    def held(self) -> list[Caller]:
        return [caller for caller in self.callers if caller.where is Where.STASIS]

    # ---- what the dialplan does ----------------------------------------------------------------

    def go_on(self, caller: Caller, context: str, extension: str) -> None:
        """Let the caller go on in the dialplan, as far as that goes without a screener."""
        extension, _, told = extension.partition("-")
        if told:
            seconds, _, caller.owner = told.partition("-")
            caller.seconds = int(seconds)
        caller.where = Where.DIALPLAN
        caller.been_in.append(f"{context}/{extension}")
        caller.app = "NoOp"
        task = asyncio.create_task(self._dialplan(caller, context, extension))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _dialplan(self, caller: Caller, context: str, extension: str) -> None:
        await self.settled()
        match context, extension:
            case "without-screener", _ if caller.is_there:
                caller.state = "Up"
                caller.heard.append("warning from the dialplan")
                caller.warned_by_dialplan = True
                await self.settled()
                if caller.is_there and not caller.hanging:
                    self.go_on(caller, "ring", "recorded")
            case "ring", "over" if caller.is_there:
                self._destroy(caller)
            case "message", "for" if caller.is_there:
                assert self.live
                await caller.leaves_message(self.live / f"{caller.id}.raw")
                if caller.is_there and not caller.hanging:
                    self._come_back(caller, ["message"], "message")
            case "message", "over" if caller.is_there:
                caller.heard.append("message_kept from the dialplan")
                self._destroy(caller)
            case "ring", _ if caller.is_there:
                await caller.ring()
                if caller.is_there and not caller.hanging:
                    self._come_back(caller, ["rang", caller.dialstatus], "ring")

    def _come_back(self, caller: Caller, args: list[str], context: str) -> None:
        """Go to the screener that had the call; to any other only if that one is not there."""
        if self.has_broadcast and not self.connected(caller.owner):
            self._broadcast(caller, args, context, "over")
        else:
            self._enter_stasis(caller, caller.owner, args, context)

    def _enter_stasis(
        self,
        caller: Caller,
        application: str,
        args: list[str],
        context: str = "ring",
        extension: str = "over",
    ) -> None:
        if not self.connected(application):
            self.go_on(caller, context, extension)
            return
        caller.where, caller.application = Where.STASIS, application
        caller.app, caller.app_data = "Stasis", ",".join([application, *args])
        self._start_stasis(caller, args)

    def _start_stasis(self, caller: Caller, args: list[str]) -> None:
        caller.subscribed.add(caller.application)
        event = {"type": "StasisStart", "args": args, "channel": caller.json()}
        told = caller.tell(event)
        caller.was_held |= told and not caller.hanging
        caller.came_back |= told and bool(args)

    def makes_way(self, caller: Caller) -> None:
        """End a call that is not a talk yet: the household calls for help on its channel."""
        if caller.is_there and not caller.hanging and not caller.picked_up:
            caller.gave_way = caller.hanging = True
            self._destroy(caller)

    def hang_up(self, caller: Caller) -> None:
        """Tell that the caller hung up; what follows may take a moment."""
        if not caller.is_there or caller.hanging:
            return
        caller.hanging = caller.hung_up = True
        caller.tell_end({"type": "ChannelHangupRequest", "cause": 16})
        caller.playback_ends("failed")
        if self.hangup_takes_time:
            task = asyncio.create_task(self._destroy_later(caller))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            self._destroy(caller)

    async def _destroy_later(self, caller: Caller) -> None:
        for _ in range(3):
            await self.settled()
        self._destroy(caller)

    def _destroy(self, caller: Caller) -> None:
        if not caller.is_there:
            return
        was, caller.where = caller.where, Where.GONE
        caller.playback_ends("failed")
        if was is Where.STASIS:
            caller.tell_end({"type": "StasisEnd"})
        elif caller.rings:
            caller.dial("CANCEL")
        caller.tell_end({"type": "ChannelHangupRequest", "soft": True, "cause": 16})
        if self.live:
            (self.live / f"{caller.id}.cdr").write_text(caller.details())
        caller.tell_end({"type": "ChannelDestroyed", "cause": 16})
        caller.is_gone.set()

    # ---- ARI -----------------------------------------------------------------------------------

    def connected(self, application: str) -> bool:
        if found := super().connected(application):
            self._applications.add(application)
        return found

    def carry_out(self, command: Command) -> Answer:  # noqa: PLR0911  (a table)
        query = dict(command.query)
        match command.method, *command.path.split("/"):
            case "GET", "channels":
                return 200, [caller.json() for caller in self.there]
            case "GET", "applications":
                names = self._applications | {each.application for each in self.lines}
                return 200, [{"name": name} for name in sorted(names)]
            case "GET", "applications", name:
                return self._application(name)
            case "POST", "applications", name, "subscription":
                caller = self._caller(query["eventSource"].removeprefix("channel:"))
                if caller is None:
                    return 422, {"message": "Event source does not exist"}
                caller.subscribed.add(name)
                return self._application(name)
            case "POST", "events", "claim":
                return self._claim(query["channelId"], query["application"])
            case "POST", "asterisk", "variable":
                self.globals[query["variable"]] = query["value"]
                return _NO_CONTENT
            case method, "channels", channel_id, *verb:
                caller = self._caller(channel_id)
                if caller is None:
                    return _NOT_FOUND
                return self._of_channel(caller, method, verb, query)
        return 404, {"message": "Resource not found"}

    def _caller(self, channel_id: str) -> Caller | None:
        return next((caller for caller in self.there if caller.id == channel_id), None)

    def _application(self, name: str) -> Answer:
        if not self.connected(name) and name not in self._applications:
            return 404, {"message": "Application not found"}
        # The real one names some that are long gone, and those that are in the dialplan.
        ids = ["long-gone.1", *(each.id for each in self.callers if name in each.subscribed)]
        return 200, {"name": name, "channel_ids": ids}

    def _claim(self, channel_id: str, application: str) -> Answer:
        caller = self._caller(channel_id)
        if caller is not None and caller.where is Where.STASIS:
            return 409, {"message": "Channel has already been claimed by another application"}
        if caller is None or caller.where is not Where.OFFERED:
            return 404, {"message": "Channel not found or not in broadcast state"}
        caller.where, caller.application = Where.STASIS, application
        self._soon(lambda: self._start_stasis(caller, caller.args))
        return _NO_CONTENT

    def _of_channel(  # noqa: C901, PLR0911  (a table)
        self, caller: Caller, method: str, verb: list[str], query: Query
    ) -> Answer:
        match method, *verb:
            case ["GET"]:
                return 200, caller.json()
            case "GET", "variable" if query["variable"].startswith("DIALPLAN_EXISTS(message,"):
                return 200, {"value": "1" if self.takes_messages else "0"}
            case "GET", "variable":
                if query["variable"] not in caller.variables:
                    return 404, {"message": "Provided variable was not found"}
                return 200, {"value": caller.variables[query["variable"]]}
            case ["DELETE"]:
                caller.ended_by_us = caller.hanging = True
                caller.tell_end({"type": "ChannelHangupRequest", "soft": True, "cause": 32})
                self._soon(lambda: self._destroy(caller))
                return _NO_CONTENT
        if caller.where is not Where.STASIS:
            return _NOT_OURS
        match method, *verb:
            case "POST", "answer" if caller.hanging:
                return 500, {"message": "Failed to answer channel"}
            case "POST", "answer":
                caller.state = "Up"
                return _NO_CONTENT
            case "POST", "play", playback_id:
                return self._play(caller, playback_id, query["media"])
            case "POST", "continue":
                if caller.leave_stasis() and not caller.hanging:
                    self.go_on(caller, query["context"], query["extension"])
                return _NO_CONTENT
        return 404, {"message": "Resource not found"}

    def _play(self, caller: Caller, playback_id: str, media: str) -> Answer:
        playback: Json = {
            "id": playback_id,
            "media_uri": media,
            "target_uri": f"channel:{caller.id}",
            "state": "queued",
        }
        self._soon(lambda: caller.plays(playback))
        return 201, playback

    def _soon(self, what: Callable[[], None]) -> None:
        """Do it before the command is answered, or right after."""
        if self.early:
            what()
        else:
            asyncio.get_running_loop().call_soon(what)

    async def __aexit__(self, *exc: object) -> None:
        for task in list(self._tasks):
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*self._tasks, return_exceptions=True)
        await super().__aexit__(*exc)
