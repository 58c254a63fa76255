"""Simulated schedules of two-phase commit a second: 4 nodes, faults on, every run checked for atomicity and termination."""
# ruff: noqa: B015
# fmt: off

from __future__ import annotations

import statistics
import time
from collections import Counter

from benchmarks.measure import Figure, WrongResult, command
from bloompy import rule
from bloompy.sim import Faults, Simulation
from bloompy.sim.search.campaign import campaign
from bloompy.std.two_phase_commit import Coordinator, Participant

PARTICIPANTS = ("p", "q", "r")
FAULTS = Faults.mix(partition_s=(0.01, 0.5), down_s=(0.0, 0.5), pause_s=(0.01, 0.5))
FAULTY_S = 1.0
"""Seconds of virtual time in which things go wrong."""


class Voter(Participant):
    """Votes as the work says."""

    @rule
    def opinion(self):
        self.vote <= ((a.coordinator, a.tx, a.work) for a in self.ask)


def transaction(sim: Simulation) -> None:
    """One run: a transaction of one coordinator and three participants, with faults for a second; then it must end.

    Raises:
        WrongResult: if two nodes decided differently.
        SimulationError: if it did not end.
    """
    coordinator = sim.add(Coordinator, "c", timeout_s=0.8)
    nodes = [sim.add(Voter, name) for name in PARTICIPANTS]
    coordinator.submit.insert(*((1, name, not sim.chance(0.1)) for name in PARTICIPANTS))

    def ended() -> bool:
        return all(node.up and not len(node.prepared) for node in nodes) and coordinator.up and not len(coordinator.owed)

    sim.run(until=FAULTY_S)
    sim.calm()
    sim.run_until(ended, limit_s=10.0)
    if len({row.commit for node in nodes for row in node.decided}) > 1:
        raise WrongResult("committed and aborted")


def measured(runs: int, rounds: int, trace: bool) -> tuple[float, Counter[str]]:
    """Schedules a second of CPU time, the median over the rounds, and the faults injected."""
    rates: list[float] = []
    faults: Counter[str] = Counter()
    for number in range(rounds):
        start = time.process_time()
        found = campaign(transaction, runs=runs, first_seed=number * runs, faults=FAULTS, options={"trace": trace})
        rates.append(runs / (time.process_time() - start))
        if found.failure is not None:
            raise WrongResult(str(found))
        faults += found.counts
    return statistics.median(rates), faults


def figures(small: bool = False) -> list[Figure]:
    runs, rounds = (10, 1) if small else (200, 5)
    measured(2, 1, trace=False)  # what is made once for the classes is no matter of schedules
    rate, faults = measured(runs, rounds, trace=False)
    traced, _ = measured(runs, rounds, trace=True)
    injected = sum(faults[kind] for kind in FAULTS.kinds) / (runs * rounds)
    return [
        Figure("two-phase commit, 4 nodes, faults on", rate, "schedules/s", 300, rate=True),
        Figure("the same with the trace kept", traced, "schedules/s"),
        Figure("faults injected in a schedule", injected, "faults"),
    ]


if __name__ == "__main__":
    command(__doc__, figures)
