"""The store as the service keeps it: whatever befalls the database, calls go on and are told."""

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from screener.domain.inert import inert
from screener.store import last_known
from screener.store.damage import copy_of, damage, is_gone, log_of, put_aside, unused_name
from screener.store.database import PATIENCE, Store, make_ready, store_in
from screener.store.file import StoreError, StoreFile, WrongFileError, open_file, trouble
from screener.store.wal import is_broken

log = structlog.stdlib.get_logger(__name__)

_COMPARE = "look through the household's lists (screener list): who is on none is screened"

LOOK = 10.0  # seconds between two looks at the database while nothing else asks for it


@asynccontextmanager
async def keep_store(
    path: Path, patience: float = PATIENCE, look: float = LOOK
) -> AsyncIterator[Store]:
    """Open the store for a service that must go on, as ``open_store`` does where it can.

    A damaged database is put aside, and a fresh one begun with the household's lists as they were
    last known; so too where the file is gone, now or later. One that is locked, or on a disk that
    is full or cannot be written to, is tried again every ``look`` seconds and with every call:
    until then calls are kept in memory. Only WrongFileError is raised: the path is not for us.
    """
    keeper = _Keeper(path, patience)
    async with (
        open_file(path, patience, keeper.make_ready) as file,
        store_in(file, patience, keeper.known) as store,
    ):
        try:
            await keeper.look_at(file, store)
        except WrongFileError:
            raise
        except StoreError as error:
            keeper.complain(error)
        looking = asyncio.create_task(keeper.look_after(file, store, look), name="database")
        try:
            yield store
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)


class _Keeper:
    """Sees to the database of a service; ``known`` are the household's lists as last known."""

    def __init__(self, path: Path, patience: float) -> None:
        self.known = last_known.load(copy_of(path))
        self._path = path
        self._patience = patience
        self._copied = self.known if copy_of(path).exists() else None
        self._recalled = False
        self._failing = False
        self._copying = True

    async def make_ready(self) -> None:
        """Have a database at the path that can be opened; StoreError where that cannot be."""
        lost = is_gone(self._path)
        lost |= await asyncio.to_thread(self._put_damage_aside)
        begun = await make_ready(self._path, self._patience, self.known)
        if begun and lost:
            log.error(
                "database_begun_anew",
                database=str(self._path),
                entries_on_lists=len(self.known),
                advice=_COMPARE,
            )

    async def look_after(self, file: StoreFile, store: Store, seconds: float) -> None:
        """Look at the database for ever, so often, and say when it fails and when it is back."""
        while True:
            await asyncio.sleep(seconds)
            try:
                await self.look_at(file, store)
            except StoreError as error:
                self.complain(error)
            else:
                if self._failing:
                    log.info("database_usable_again")
                self._failing = False

    async def look_at(self, file: StoreFile, store: Store) -> None:
        """Learn what is in the database, and copy the household's lists; StoreError if it fails."""
        await file.open()
        if not self._recalled:
            await store.calls.recall()
            self._recalled = True
        self.known = await store.lists.current()
        if self.known != self._copied:
            await self._copy()

    def complain(self, error: StoreError) -> None:
        """Say once that the database cannot be used."""
        if not self._failing:
            log.error(
                "database_unusable",
                problem=str(error),
                meanwhile="calls are screened by the lists last known, and written down later",
            )
        self._failing = True

    async def _copy(self) -> None:
        copy = copy_of(self._path)
        try:
            await asyncio.to_thread(last_known.save, copy, self.known)
        except OSError as error:
            if self._copying:
                log.warning("lists_not_copied", copy=str(copy), problem=error.strerror)
            self._copying = False
        else:
            self._copied, self._copying = self.known, True

    def _put_damage_aside(self) -> bool:
        """Put aside what is broken, and say so; True where the database itself is, or is gone."""
        path = self._path
        try:
            broken = "gone, or empty" if is_gone(path) else damage(path, self._patience)
            if broken:
                aside = put_aside(path)
                log.error("database_lost", problem=broken, kept_as=str(aside or "nothing"))
            elif is_broken(log_of(path)):
                # SQLite reads as much of it as it can; what is beyond that would be deleted.
                aside = log_of(unused_name(path))
                shutil.copy2(log_of(path), aside)
                log.error("database_log_damaged", kept_as=str(aside), advice=_COMPARE)
        except sqlite3.Error as error:
            raise trouble(path, error) from error
        except OSError as error:
            name = inert(str(path))
            raise StoreError(
                f"database {name} is damaged and cannot be put aside: {error.strerror}"
            ) from error
        return broken is not None
