"""A fake Asterisk and a database for each test that asks for one."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog

from screener.audio.recording import Recordings
from screener.store.database import Store, open_store
from tests.fake.asterisk import FakeAsterisk


@pytest.fixture
async def asterisk() -> AsyncIterator[FakeAsterisk]:
    async with FakeAsterisk() as fake:
        yield fake


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(tmp_path / "screener.db") as opened:
        yield opened


@pytest.fixture
def recordings(tmp_path: Path) -> Recordings:
    (tmp_path / "recordings" / "live").mkdir(parents=True)
    return Recordings(tmp_path / "recordings")


@pytest.fixture(autouse=True)
def _plain_log() -> Iterator[None]:
    """Let the log of a failing test be short: drawn tracebacks would take most of the time."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["event"]),
        ]
    )
    yield
    structlog.reset_defaults()
