"""The short form of the fault harness: a few blows, where they hurt most. All: make faults."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.faults.plan import short
from tests.faults.play import Blow, play
from tests.faults.stage import Stage, a_stage
from tests.faults.table import complaints

RUNS = list(enumerate(short()))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[Stage]:
    """Where all of them are played, one after the other."""
    async with a_stage() as made:
        yield made


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("run", "blow"), RUNS, ids=[str(blow) for _, blow in RUNS])
async def test_no_fault_costs_a_call(stage: Stage, run: int, blow: Blow) -> None:
    """Every call rings in time, is warned, recorded and logged, and nothing is left over."""
    played = await play(stage, blow, run)
    assert played.calls
    assert list(complaints(played)) == []
