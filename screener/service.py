"""The service: builds everything from the settings and runs until told to stop."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NoReturn

import structlog

from screener import checkup, cli, contacts, logs, settings
from screener.ari import Ari, Refused, TooOld
from screener.ari.probe import Probe, probe
from screener.audio import prompts
from screener.audio.recording import Recordings
from screener.audio.voice import caller_speaks
from screener.books.book import origin_of
from screener.books.carddav import CardDavBook
from screener.books.contact import BookError
from screener.calls.desk import Desk
from screener.calls.release import CannotReleaseError, Door, release
from screener.calls.room import keep_room
from screener.calls.switchboard import Switchboard
from screener.doctor import Finding
from screener.domain.call_record import CallRecord
from screener.domain.caller import Caller
from screener.domain.dialled import worth_knowing
from screener.domain.lists import Lists
from screener.domain.numbers import country, identify
from screener.readiness import Readiness, State, readiness
from screener.settings import Settings, SettingsError
from screener.shared.watch import Watch
from screener.store import whose
from screener.store.call_details import CallDetailsFiles
from screener.store.colleagues import Colleagues
from screener.store.damage import is_gone
from screener.store.database import Store, StoreError, open_store
from screener.store.keeping import keep_store
from screener.supervisor.heartbeat import beating

log: Final = structlog.get_logger(__name__)

# A verdict does not wait for a database: what was known a moment ago decides.
_LISTS_SECONDS: Final = 0.2
_DRAIN_SECONDS: Final = 20.0
_FLUSH_SECONDS: Final = 5.0
_UPDATE: Final = ("lists", "update", "--background", "--json")


class Screener:
    """One household's screener, as the settings describe it."""

    def __init__(self, chosen: Settings, file: Path | None = None) -> None:
        self._settings = chosen
        self._file = file
        self.country = country(chosen.country)
        self.language = chosen.language
        self.household = chosen.household()
        self.fraud_lists = chosen.fraud_lists()
        self.update_hours = chosen.lists.update_hours
        self._recordings = Recordings(chosen.recordings.directory)
        self._calls_at_hand: Callable[[], int] = lambda: 0

    @asynccontextmanager
    async def store(self, *, lookup: bool = False) -> AsyncIterator[Store]:
        """Open the call log and the household's lists; raises StoreError.

        For a mere ``lookup``, where there is no database yet, an empty one that is gone afterwards.
        """
        path = self._settings.database.path
        with ExitStack() as afterwards:
            if lookup and not path.exists() and not is_gone(path):
                path = Path(afterwards.enter_context(TemporaryDirectory())) / path.name
            async with open_store(path) as store:
                yield store

    async def lists(self, store: Store) -> Lists:
        """Return the household's lists and the fraud list as they are now; raises StoreError."""
        shared = self.fraud_lists.current(datetime.now(UTC))
        return Lists(household=await store.lists.current(), shared=shared)

    def identify(self, given: str, name: str) -> Caller:
        """Return who a caller with this number and name is."""
        trunk_format = self._settings.trunk_format
        return identify(given, name, country=self.country, trunk_format=trunk_format)

    def carddav(self) -> CardDavBook:
        """Return the address book that the settings name; raises Failure where they name none."""
        chosen = self._settings.books
        if not chosen.carddav:
            raise cli.Failure("[books] carddav names no server: see docs/address-books.md")

        def password() -> str:
            try:
                return self._settings.books_password().get_secret_value()
            except SettingsError as error:
                raise BookError(str(error)) from None

        origin = origin_of(chosen.name)
        return CardDavBook(chosen.carddav, chosen.user, password, origin=origin)

    def supervise(self) -> NoReturn:
        """Become a supervisor that runs ``screener work``; raises Failure instead."""
        self._door()  # what cannot work is said at once
        chosen = self._settings.log
        supervisor = [*_python(), "screener.supervisor", chosen.format, chosen.level]
        # In our place, so that who started us sees one process, and little of it.
        os.execv(sys.executable, [*supervisor, *self._command("work")])  # noqa: S606

    async def serve(self, pipe: int | None = None) -> None:
        """Screen calls until told to stop, with a supervisor on the other end of ``pipe`` if any.

        Raises Failure where that cannot begin or go on.
        """
        logs.configure(self._settings.log.format, self._settings.log.level)
        door = self._door()
        ari = Ari(**asdict(door))
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self._say_what_is_at_hand)
        async with beating(pipe, door, lambda: ari.version is not None, stop):
            await self._serve(ari, stop)

    def _say_what_is_at_hand(self) -> None:
        """Say it in the log, as somebody asks: at rest no call, and always as many tasks."""
        log.info("at_hand", calls=self._calls_at_hand(), tasks=len(asyncio.all_tasks()))

    async def _serve(self, ari: Ari, stop: asyncio.Event) -> None:
        self._complain()
        watch = Watch(self.fraud_lists, self._update_command())
        await watch.look()
        path = self._settings.database.path
        colleagues = Colleagues(path, self._settings.asterisk.application)
        # Left last: what is not written yet is ours until it is.
        with colleagues:
            async with keep_store(path) as store:
                await self._screen_calls(ari, stop, watch, store, colleagues)
        log.info("stopped")

    async def _screen_calls(
        self, ari: Ari, stop: asyncio.Event, watch: Watch, store: Store, colleagues: Colleagues
    ) -> None:
        switchboard = Switchboard(
            ari,
            self._desk(store, watch, colleagues),
            partial(self._unfinished, store, colleagues),
            self._release_for,
            max_calls=self._settings.call.max_calls,
        )
        self._calls_at_hand = lambda: switchboard.at_hand
        try:
            async with asyncio.TaskGroup() as tasks:
                reader = tasks.create_task(ari.run())
                taking = tasks.create_task(switchboard.run())
                tidying = self._tidying(ari, store, tasks)
                watching = tasks.create_task(watch.run())
                await stop.wait()
                log.info("stopping")
                watching.cancel()
                await switchboard.drain(_DRAIN_SECONDS)
                taking.cancel()
                await asyncio.wait([taking])
                reader.cancel()
                for task in tidying:
                    task.cancel()
        except* (Refused, TooOld) as errors:
            raise cli.Failure(str(errors.exceptions[0])) from None

    async def checkup(self) -> list[Finding]:
        """Look at every part of the installation."""
        chosen = self._settings
        found: list[Finding] = []
        found.append(checkup.check_readiness(await self.readiness()))
        try:
            self._password()
            found += await checkup.check_asterisk(
                self._probe,
                self._of_both(),
                self._longest_prompt(),
                self._taking_calls,
                chosen.asterisk.application,
            )
        except cli.Failure as error:
            advice = "Start Asterisk once: it makes the password. Or set [asterisk] password."
            found.append(Finding("ARI", False, str(error), advice))
        found += checkup.check_set_aside(chosen.database.path)
        try:
            async with self.store() as store:
                found.append(Finding("database", True, str(chosen.database.path), ""))
                hidden = await store.calls.lines_without_numbers()
                found += checkup.check_caller_id(self.household, hidden)
        except StoreError as error:
            advice = "Correct [database] path, or put a copy of the database in its place."
            found.append(Finding("database", False, str(error), advice))
        found += checkup.check_fraud_lists(self.fraud_lists, datetime.now(UTC))
        found += checkup.check_prompts(chosen.prompts.directory, chosen.language)
        found += checkup.check_disk(chosen.recordings.directory, chosen.recordings.reserve_mb)
        return found

    def _tidying(
        self, ari: Ari, store: Store, tasks: asyncio.TaskGroup
    ) -> list[asyncio.Task[None]]:
        """Begin what keeps the disk and the household's lists in order beside the calls."""
        chosen = self._settings.books
        reserve = self._settings.recordings.reserve_mb * 1_000_000
        begun = [
            tasks.create_task(contacts.sweep(store.lists)),
            tasks.create_task(keep_room(ari, self._recordings.free, reserve)),
        ]
        if chosen.carddav and chosen.sync_hours:
            every = chosen.sync_hours * 3600.0
            keeping = contacts.keep_in_step(store.lists, self.carddav(), self.country, every)
            begun.append(tasks.create_task(keeping))
        return begun

    async def readiness(self) -> Readiness:
        """Tell in a word whether calls are screened."""
        try:
            self._password()
        except cli.Failure as error:
            return Readiness(State.DOWN, str(error))
        return await readiness(self._probe, self._taking_calls)

    def release(self) -> int:
        """Hand every held call back to Asterisk and return how many; raises Failure."""
        try:
            return release(self._door())
        except CannotReleaseError as error:
            raise cli.Failure(str(error)) from None

    async def _probe(self) -> Probe:
        door = self._door()
        variables = (*self._of_both(), checkup.SCREENING_SECONDS, checkup.APPLICATION)
        return await probe(door.url, door.user, door.password, variables)

    def _taking_calls(self, found: Probe) -> list[str]:
        """Return the screeners that take calls, of those Asterisk knows: some may be dead.

        Where it cannot be seen who lives, what Asterisk says of ours counts.
        """
        ours = self._settings.asterisk.application
        living = Colleagues(self._settings.database.path, ours).connected()
        return sorted(found.applications & ({ours} if living is None else living))

    def _of_both(self) -> dict[str, str]:
        """Return the settings that Asterisk's start has to be told as well, by their names."""
        return {"COUNTRY": self.country.code, "LANGUAGE": self.language}

    def _longest_prompt(self) -> float:
        """Return how long the longest sound is that a call hears in our hands, in seconds."""
        place = (self._settings.prompts.directory, self._settings.language)
        return max(prompts.seconds(*place, prompt) for prompt in prompts.WHILE_HELD)

    def _door(self) -> Door:
        """Return the way to Asterisk; raises Failure where the password is not to be had."""
        asterisk = self._settings.asterisk
        return Door(asterisk.url, asterisk.application, asterisk.user, self._password())

    async def _release_for(self, application: str) -> int:
        """Hand back what a screener of that name held when it died; raises CannotReleaseError."""
        try:
            door = replace(self._door(), application=application)
        except cli.Failure as error:  # the password's file may be away for a moment
            raise CannotReleaseError(str(error)) from None
        return await asyncio.to_thread(release, door)

    async def _unfinished(self, store: Store, colleagues: Colleagues) -> list[CallRecord]:
        """Return the rows without an end, and those whose recording was not finished.

        Those of other screeners only where they are gone; then they are ours from here on.
        """
        await self._written(store)
        return await whose.unfinished(store.calls, colleagues, self._recordings.left_over())

    @staticmethod
    async def _written(store: Store) -> None:
        """Wait until the call log says on disk what was kept so far; StoreError if it does not."""
        if not await store.calls.flush(_FLUSH_SECONDS):
            raise StoreError("the call log cannot be written, so it cannot be read either")

    def _desk(self, store: Store, watch: Watch, colleagues: Colleagues) -> Desk:
        chosen = self._settings
        place = (chosen.prompts.directory, chosen.language)
        lengths = {prompt: prompts.seconds(*place, prompt) for prompt in prompts.Prompt}

        async def lists() -> Lists:
            try:
                async with asyncio.timeout(_LISTS_SECONDS):
                    household = await store.lists.current()
            except (StoreError, TimeoutError) as error:
                log.warning("lists_as_last_known", error=str(error) or "the database is slow")
                household = store.lists.last_known
            return Lists(household=household, shared=watch.lists)

        async def row(call_id: str) -> CallRecord | None:
            await self._written(store)
            return await store.calls.get(call_id)

        async def take_row(call_id: str) -> CallRecord | None:
            await self._written(store)
            return await whose.taken(store.calls, colleagues, call_id)

        async def dialled(number: str, at: datetime) -> None:
            own = await store.calls.lines() if chosen.known.dialled else []
            key = worth_knowing(number, await lists(), at, own=own, country=self.country)
            if chosen.known.dialled and key and await store.lists.learn(key, at, chosen.known.days):
                log.info("number_learnt", number=key)

        async def discard_raw(record: CallRecord) -> None:
            with suppress(StoreError):
                kept = await row(record.id)
                if kept and kept.recording:
                    self._recordings.discard_raw(record)

        return Desk(
            identify=self.identify,
            lists=lists,
            household=self.household,
            shows_numbers=store.calls.shows_numbers,
            keep=store.calls.keep,
            archive=self._recordings.archive,
            discard_raw=discard_raw,
            recorded_until=self._recordings.recorded_until,
            recorded_seconds=self._recordings.recorded_seconds,
            caller_speaks=caller_speaks,
            row=row,
            take_row=take_row,
            details=CallDetailsFiles(self._recordings.live_directory),
            colleagues=colleagues,
            dialled=dialled,
            now=lambda: datetime.now(UTC),
            media=partial(prompts.media, *place),
            prompt_seconds=lengths.__getitem__,
            ring_seconds=chosen.call.ring_seconds,
            message_seconds=chosen.call.message_seconds,
            record_known=chosen.recordings.record_known,
        )

    def _update_command(self) -> list[str]:
        """Return the command that updates the shared lists, none where they are not to be."""
        if not (self.update_hours and self.fraud_lists.sources):
            return []
        return self._command(*_UPDATE)

    def _command(self, *words: str) -> list[str]:
        """Return a command of ours with the same settings."""
        chosen = [] if self._file is None else ["--config", str(self._file)]
        return [*_python(), "screener", *chosen, *words]

    def _complain(self) -> None:
        """Say at start what is wrong but stops no call from ringing."""
        chosen = self._settings
        for fault in prompts.faults(chosen.prompts.directory, chosen.language):
            log.error("prompt_unusable", fault=fault)
        for finding in checkup.check_disk(
            chosen.recordings.directory, chosen.recordings.reserve_mb
        ):
            if not finding.ok:
                log.error("recordings_in_danger", fault=finding.detail, advice=finding.advice)

    def _password(self) -> str:
        try:
            return self._settings.ari_password().get_secret_value()
        except SettingsError as error:
            raise cli.Failure(str(error)) from None


def _python() -> list[str]:
    """Return the words that start a module of ours.

    A copy of us must find what we found: in the directory we are in only if we look there, too.
    """
    safely = [] if str(Path.cwd()) in sys.path else ["-P"]
    return [sys.executable, *safely, "-m"]


def load(path: Path | None) -> Screener:
    """Make the screener from a settings file; raises Failure with what is wrong in it."""
    try:
        return Screener(settings.load(path), path)
    except SettingsError as error:
        raise cli.Failure(str(error)) from None


def main() -> None:
    """Run the ``screener`` command."""
    cli.build(load)()
