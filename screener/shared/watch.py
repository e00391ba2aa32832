"""The shared lists of a running service: read again when another version counts."""

import asyncio
import contextlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import structlog

from screener.domain.inert import inert
from screener.shared.lists import FraudLists, Standing

if TYPE_CHECKING:
    from screener.shared.compiled import FraudList

log: Final = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 5.0
UPDATE_SECONDS: Final = 3600.0  # how often an update is started; what is due, it finds itself
_MOST_SECONDS: Final = 3000.0  # that all lists may take together
_STOP_SECONDS: Final = 5.0


class Watch:
    """Holds the lists that count; ``lists`` is always there, and never waits for anything.

    ``command`` updates what is due in a process of its own, so that no call waits for it.
    """

    def __init__(self, known: FraudLists, command: Sequence[str] = ()) -> None:
        self._known = known
        self._command = command
        self._stamps: dict[str, object] = {}
        self._found: dict[str, FraudList] = {}
        self.lists: Sequence[FraudList] = ()

    async def look(self) -> None:
        """Read again what has changed; a list that cannot be read stays as it was."""
        for name in self._known.sources:
            stamp = self._known.shelf(name).stamp()
            if name in self._stamps and self._stamps[name] == stamp:
                continue
            self._stamps[name] = stamp
            try:
                standing = await asyncio.to_thread(self._known.standing, name, datetime.now(UTC))
            except Exception as error:  # noqa: BLE001  (a list must keep nobody from taking calls)
                log.warning("fraud_list_faulty", list=name, fault=inert(repr(error), 300))
            else:
                self._take(name, standing)

    async def run(
        self, look_seconds: float = LOOK_SECONDS, update_seconds: float = UPDATE_SECONDS
    ) -> None:
        """Look every few seconds, and start an update now and then, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            if self._command:
                tasks.create_task(self._updating(update_seconds))
            while True:
                await asyncio.sleep(look_seconds)
                await self.look()

    def _take(self, name: str, standing: Standing) -> None:
        if standing.complaint:
            log.warning("fraud_list_faulty", list=name, fault=standing.complaint)
        found, before = standing.current, self._found.get(name)
        if found is None or (before and before.head == found.head):
            return
        self._found[name] = found
        self.lists = tuple(self._found[each] for each in self._known.sources if each in self._found)
        log.info("fraud_list_read", list=name, version=found.version, entries=found.head.count)
        for fault in found.head.faults:
            log.warning("fraud_list_faulty", list=name, fault=fault)

    async def _updating(self, seconds: float) -> None:
        while True:
            try:
                await self._update()
            except OSError as error:
                log.warning("fraud_lists_not_updated", error=str(error))
            await asyncio.sleep(seconds)

    async def _update(self) -> None:
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(_MOST_SECONDS):
                said, complaint = await process.communicate()
        except TimeoutError:
            log.warning("fraud_lists_not_updated", error=f"no end after {_MOST_SECONDS:g} seconds")
            return
        finally:
            await _end(process)
        _tell(said, complaint.decode(errors="replace"))


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the process if it still runs; an update may be ended anywhere."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()


def _tell(said: bytes, complaint: str) -> None:
    """Put into the log what an update did."""
    try:
        outcomes = json.loads(said)
    except ValueError:
        log.warning("fraud_lists_not_updated", error=inert(complaint.strip(), 300))
        return
    for outcome in outcomes:
        match outcome:
            case {"state": "taken" | "unchanged"}:
                log.info("fraud_list_updated", **outcome)
            case _:
                log.warning("fraud_list_not_updated", **outcome)
