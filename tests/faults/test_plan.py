"""Which faults are played, and that they are the same ones again."""

from tests.faults.catalogue import ASTERISK_KILLED, ASTERISK_STOPPED, FAULTS, KILLED
from tests.faults.crowd import KINDS, NOBODY_THERE, STRANGER
from tests.faults.plan import every_step, full
from tests.faults.steps import Step

STEPS = {
    kind.name: [
        Step("event begin"),
        Step(f"event {kind.name}"),
        *(Step("event more", turn) for turn in range(1, 6)),
    ]
    for kind in KINDS
}
STOCKS = {
    fault.name: [
        Step("command GET channels"),
        *(Step("command GET channels/ID", n) for n in (1, 2)),
    ]
    for fault in FAULTS
    if fault.again
}


def test_the_screener_is_killed_at_every_step_of_every_kind_of_call() -> None:
    """Of calls that take long, only where they differ from the others."""
    killed = {(blow.kind, blow.step) for blow in full(STEPS, STOCKS, 1) if blow.fault is KILLED}
    assert killed - {(STRANGER, None)} == set(every_step(STEPS))
    assert (NOBODY_THERE, Step("event begin")) not in killed
    assert all((kind, Step(f"event {kind.name}")) in killed for kind in KINDS)


def test_asterisk_ends_fifty_times_and_nothing_is_left_out() -> None:
    blows = full(STEPS, STOCKS, 1)
    ends = [blow for blow in blows if blow.fault in {ASTERISK_KILLED, ASTERISK_STOPPED}]
    assert len(ends) >= 50
    assert {blow.fault for blow in blows} == set(FAULTS)


def test_a_screener_is_killed_again_at_everything_said_when_the_next_takes_stock() -> None:
    blows = [blow for blow in full(STEPS, STOCKS, 1) if blow.fault.again]
    said = {(blow.fault.name, blow.again.what) for blow in blows if blow.again}
    assert said == {(name, step.what) for name, steps in STOCKS.items() for step in steps}
    assert len(blows) == len(said)


def test_the_same_seed_plays_the_same_and_another_something_else() -> None:
    assert full(STEPS, STOCKS, 1) == full(STEPS, STOCKS, 1)
    assert full(STEPS, STOCKS, 1) != full(STEPS, STOCKS, 2)
