"""Which faults are played, and at which steps: all of them for a killed screener, else a choice."""

import random
from collections.abc import Mapping, Sequence
from typing import Final

from tests.faults.catalogue import ASTERISK_KILLED, ASTERISK_STOPPED, FAULTS, KILLED
from tests.faults.crowd import FRIEND, KINDS, STRANGER, TAKE_LONG, Kind
from tests.faults.play import Blow
from tests.faults.steps import Step

STEPS_OF_OTHERS: Final = 4
ASTERISK_KILLS: Final = 40
ASTERISK_STOPS: Final = 10


def full(steps: Mapping[str, Sequence[Step]], seed: int) -> list[Blow]:
    """Return every blow of the full form; ``steps`` of an undisturbed call of each kind, by name.

    The same steps and the same seed give the same blows in the same order.
    """
    chance = random.Random(seed)  # noqa: S311  (not a secret)
    every = every_step(steps)
    blows = [Blow(KILLED, kind, step) for kind, step in every]
    people = [(kind, step) for kind, step in every if kind in {STRANGER, FRIEND}]
    for fault, count in ((ASTERISK_KILLED, ASTERISK_KILLS), (ASTERISK_STOPPED, ASTERISK_STOPS)):
        blows += [Blow(fault, *chance.choice(people)) for _ in range(count)]
    for fault in FAULTS:
        if fault not in {KILLED, ASTERISK_KILLED, ASTERISK_STOPPED}:
            blows.append(Blow(fault))
            chosen = chance.sample(people, STEPS_OF_OTHERS)
            blows += [Blow(fault, kind, step) for kind, step in chosen]
    blows.append(Blow(KILLED))
    chance.shuffle(blows)
    return blows


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
