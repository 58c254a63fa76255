"""Exhaustive exploration through the rules: two-phase commit with 5 resource managers (8,832 states) and Paxos with 2 ballots (15,120).

The ticks of the rules are evaluated once for each local state and input; the rest is looking up. Beside it, the same models written
by hand in Python, which know nothing of rules.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable

from benchmarks.measure import Figure, WrongResult, command, timed
from bloompy.sim.exploring import Exploration, Model
from tests.sim.exploring.models.paxos import paxos
from tests.sim.exploring.models.test_paxos import ByHand
from tests.sim.exploring.models.test_two_phase import by_hand
from tests.sim.exploring.models.two_phase import two_phase

COMMIT = {3: 288, 5: 8_832}
PAXOS = {1: 140, 2: 15_120}


def explored(model: Callable[[], Model], states: int, rounds: int) -> tuple[float, Exploration]:
    """The median seconds of an exploration, from the classes on."""
    found: list[Exploration] = []
    seconds = [timed(lambda: found.append(model().explore())) for _ in range(rounds)]
    if not found[-1].ok or found[-1].states != states:
        raise WrongResult(f"{found[-1]}, not {states:,} states")
    return statistics.median(seconds), found[-1]


def of_model(what: str, model: Callable[[], Model], states: int, by_hand: Callable[[], int], rounds: int) -> list[Figure]:
    """The figures of one model."""
    seconds, found = explored(model, states, rounds)
    counted: list[int] = []
    other = timed(lambda: counted.append(by_hand()))
    if counted != [states]:
        raise WrongResult(f"by hand {what} has {counted[0]:,} states, not {states:,}")
    return [
        Figure(f"{what}: states", found.states / seconds, "a second", 5_000, rate=True),
        Figure(f"{what}: {states:,} states", seconds, "s", 3 if what.startswith("two-phase") else None),
        Figure(f"{what}: transitions", found.transitions / seconds, "a second", rate=True),
        Figure(f"{what}: different ticks", found.ticks, "ticks"),
        Figure(f"{what} / by hand in Python", seconds / other, "times"),
    ]


def figures(small: bool = False) -> list[Figure]:
    managers, ballots, rounds = (3, 1, 1) if small else (5, 2, 5)
    return [
        *of_model(
            f"two-phase commit, {managers} managers",
            lambda: two_phase(managers),
            COMMIT[managers],
            lambda: by_hand(managers),
            rounds,
        ),
        *of_model(f"Paxos, {ballots} ballots", lambda: paxos(ballots), PAXOS[ballots], ByHand(ballots).count, rounds),
    ]


if __name__ == "__main__":
    command(__doc__, figures)
