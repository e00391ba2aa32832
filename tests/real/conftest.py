"""A real Asterisk for each test worker; after each test nothing may be left in it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from lab.asterisk import Asterisk
from lab.outside import Outside, outside_world
from lab.ports import Place, own_place
from lab.prompts import quick_prompts as quick_prompts_below
from lab.screener import Screener


@pytest.fixture(scope="session")
def place() -> Iterator[Place]:
    """Addresses and ports that no other worker has."""
    with own_place() as found:
        yield found


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def one_asterisk(place: Place) -> AsyncIterator[Asterisk]:
    """The worker's Asterisk; tests take ``asterisk``."""
    # A test that dials 119 would stop the screening of those after it.
    async with Asterisk(place, settings={"ASTERISK_EMERGENCY_MINUTES": "0"}) as running:
        yield running


@pytest_asyncio.fixture
async def asterisk(one_asterisk: Asterisk) -> AsyncIterator[Asterisk]:
    """The worker's Asterisk, which must be without channels and telephones afterwards.

    What earlier calls left is gone: a screener would write them into its log.
    """
    for left in (one_asterisk.recordings / "live").iterdir():
        left.unlink()
    yield one_asterisk
    await one_asterisk.idle()
    assert "sip:" not in await one_asterisk.cli("pjsip show aor handset")


@pytest_asyncio.fixture
async def own_asterisk() -> AsyncIterator[Asterisk]:
    """An Asterisk for one test alone, which may kill it."""
    with own_place() as somewhere:
        async with Asterisk(somewhere) as running:
            yield running


@pytest.fixture(scope="session")
def quick_prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prompts of one second each, for tests that need not hear them out."""
    return quick_prompts_below(tmp_path_factory.mktemp("prompts"))


@pytest_asyncio.fixture
async def screener(asterisk: Asterisk, quick_prompts: Path) -> AsyncIterator[Screener]:
    """A screener of the test's own, with an empty call log and quick prompts."""
    settings = {"prompts": {"directory": str(quick_prompts)}}
    async with Screener(asterisk, settings=settings) as running:
        yield running


@pytest_asyncio.fixture
async def outside(asterisk: Asterisk) -> AsyncIterator[Outside]:
    """The outside world around the worker's Asterisk: people with ears."""
    async with outside_world(asterisk) as world:
        yield world
