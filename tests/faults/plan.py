"""Which faults are played, and at which steps: all of them for a killed screener, else a choice."""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from tests.faults.catalogue import ASTERISK_KILLED, ASTERISK_STOPPED, FAULTS, KILLED, Fault
from tests.faults.crowd import FRIEND, KINDS, NOBODY_THERE, STRANGER, TAKE_LONG, Kind
from tests.faults.play import Blow
from tests.faults.steps import Step

STEPS_OF_OTHERS: Final = 4
ASTERISK_KILLS: Final = 40
ASTERISK_STOPS: Final = 10


def full(
    steps: Mapping[str, Sequence[Step]], stocks: Mapping[str, Sequence[Step]], seed: int
) -> list[Blow]:
    """Return every blow of the full form.

    ``steps`` are those of an undisturbed call of each kind, by name; ``stocks`` what is said when
    stock is taken after each fault that strikes again then. The same steps and the same seed give
    the same blows in the same order.
    """
    chance = random.Random(seed)  # noqa: S311  (not a secret)
    every = every_step(steps)
    blows = [Blow(KILLED, kind, step) for kind, step in every]
    people = [(kind, step) for kind, step in every if kind in {STRANGER, FRIEND}]
    for fault, count in ((ASTERISK_KILLED, ASTERISK_KILLS), (ASTERISK_STOPPED, ASTERISK_STOPS)):
        blows += [Blow(fault, *chance.choice(people)) for _ in range(count)]
    for fault in FAULTS:
        if fault.again:
            blows += _again(fault, stocks[fault.name], steps, chance)
        elif fault not in {KILLED, ASTERISK_KILLED, ASTERISK_STOPPED}:
            blows.append(Blow(fault))
            chosen = chance.sample(people, STEPS_OF_OTHERS)
            blows += [Blow(fault, kind, step) for kind, step in chosen]
    blows.append(Blow(KILLED))
    chance.shuffle(blows)
    return blows


def _again(
    fault: Fault,
    stock: Sequence[Step],
    steps: Mapping[str, Sequence[Step]],
    chance: random.Random,
) -> Iterator[Blow]:
    """Yield a blow for everything said in a stock-taking, under calls that are still there then."""
    early = steps[NOBODY_THERE.name][: len(steps[NOBODY_THERE.name]) // 2]
    for again in sorted({Step(step.what) for step in stock}):
        yield Blow(fault, NOBODY_THERE, chance.choice(early), again)


def every_step(steps: Mapping[str, Sequence[Step]]) -> list[tuple[Kind, Step]]:
    """Return every kind with every step; what long calls share with others is left out."""
    shared = set(steps[STRANGER.name])
    return [
        (kind, step)
        for kind in KINDS
        for step in steps[kind.name]
        if kind not in TAKE_LONG or step not in shared
    ]


def short() -> list[Blow]:
    """Return the few blows of every test run: one of each sort, where it hurts most."""
    by_name = {fault.name: fault for fault in FAULTS}
    return [
        Blow(by_name["socket: reset"], FRIEND, Step("event StasisStart")),
        Blow(ASTERISK_KILLED, STRANGER, Step("event Dial ANSWER")),
        Blow(KILLED, STRANGER, Step("command POST channels/ID/play warning")),
        Blow(by_name["screener: SIGSTOP"], STRANGER, Step("answer to POST channels/ID/answer")),
    ]
