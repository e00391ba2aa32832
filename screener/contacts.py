"""What keeps the household's lists in order beside the calls: books read, old entries swept."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from screener.books.carddav import CardDavBook
from screener.books.contact import BookError
from screener.domain.numbers import Country
from screener.store.file import StoreError
from screener.store.lists import HouseholdLists

log: Final = structlog.get_logger(__name__)

KEPT_EXPIRED: Final = timedelta(days=30)  # so that people still see what has run out
SWEPT_EVERY: Final = 24 * 3600.0  # seconds
RETRY_SECONDS: Final = 600.0


async def sweep(lists: HouseholdLists) -> None:
    """Forget entries that expired long ago, now and once a day, for ever."""
    while True:
        try:
            await lists.sweep(datetime.now(UTC) - KEPT_EXPIRED)
        except StoreError as error:
            log.warning("lists_not_swept", error=str(error))
        await asyncio.sleep(SWEPT_EVERY)


async def keep_in_step(
    lists: HouseholdLists, book: CardDavBook, country: Country, every: float
) -> None:
    """Read the address book now and every so many seconds, for ever.

    While that fails the entries stay as they were last read; the log says so once.
    """
    failing = False
    while True:
        try:
            now = datetime.now(UTC)
            found = await book.read(country, now)
            change = await lists.replace_origin(book.origin, found.entries, now)
        except Exception as error:
            # Whatever a server makes of its cards, it must not end the screening of calls.
            if not isinstance(error, BookError | StoreError):
                log.exception("address_book_unreadable")
            elif not failing:
                log.warning("address_book_as_last_known", error=str(error))
            failing = True
            await asyncio.sleep(min(every, RETRY_SECONDS))
            continue
        failing = False
        log.info(
            "address_book_read",
            origin=book.origin,
            numbers=len(found.entries),
            added=change.added,
            removed=change.removed,
            left_out=found.faults.total,
        )
        await asyncio.sleep(every)
