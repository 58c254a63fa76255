"""The table of cases for lineage-driven fault injection, after the corpus of Molly: program, bounds, what is expected."""

from __future__ import annotations

from attrs import frozen

from bloompy.sim.lineage import LineageResult, lineage_driven
from tests.sim.lineage.programs.broadcast import Acknowledged, OneRetryMissing, Redundant, Retrying, Simple
from tests.sim.lineage.scenarios import Test, broadcast, replication, three_phase, two_phase


@frozen
class Case:
    """One search.

    Attributes:
        name: of the case.
        test: of a simulation.
        end_of_faults_s, crashes, omissions: the bounds.
        runs: at most so many are wanted.
        kinds: of the decisions in the counterexample; empty where there is none.
    """

    name: str
    test: Test
    end_of_faults_s: float
    crashes: int
    omissions: bool
    runs: int
    kinds: tuple[str, ...] = ()


CASES = [
    Case("simple broadcast, sent once", broadcast(Simple), 3.0, 0, True, 10, ("drop",)),
    Case("simple broadcast, one retry missing", broadcast(OneRetryMissing), 3.0, 0, True, 10, ("drop",)),
    Case("broadcast with retries, its sender may crash", broadcast(Retrying), 3.0, 1, True, 10, ("crash", "drop")),
    Case("two-phase commit, one crash", two_phase, 4.0, 1, False, 10, ("crash",)),
    Case("three-phase commit, loss", three_phase, 9.0, 0, True, 10, ("drop",)),
    Case("replication whose in-sync set shrinks", replication, 4.0, 1, True, 30, ("crash", "drop")),
]
"""Those that are wrong."""

RIGHT = [
    Case("broadcast with retries, loss only", broadcast(Retrying), 3.0, 0, True, 10),
    Case("redundant broadcast", broadcast(Redundant), 2.0, 1, True, 20),
    Case("acknowledged broadcast", broadcast(Acknowledged), 2.0, 1, True, 40),
    Case("two-phase commit, loss only", two_phase, 1.0, 0, True, 10),
    Case("three-phase commit, one crash", three_phase, 9.0, 1, False, 10),
]
"""Those that are right within the bounds."""


def search(case: Case) -> LineageResult:
    """Run one."""
    return lineage_driven(case.test, end_of_faults_s=case.end_of_faults_s, crashes=case.crashes, omissions=case.omissions, max_runs=200)
