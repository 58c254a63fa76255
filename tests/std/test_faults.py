"""The protocols that ask, vote, lease and commit, under every fault that their pages name; the properties are those of `tests/mutants`."""

from __future__ import annotations

import pytest

from bloompy.sim import Faults, Simulation
from bloompy.sim.search.campaign import campaign
from bloompy.std import AccrualFailureDetector, Membership
from tests.mutants import failure_detector, ids_and_timers, leases, two_phase_commit, voting
from tests.mutants.mutant import Subject, right

USUAL = Faults.mix(crashes=2, disk_errors=1, corrupt=0.02, delay_s=(0.0, 0.3), down_s=(0.0, 0.3), pause_s=(0.01, 0.4), partition_s=(0.01, 0.6), skew_s=100.0)
PROTOCOLS = [
    (two_phase_commit.COMMIT, USUAL),
    (voting.VOTING, USUAL),
    (leases.LEASES, Faults.mix(crashes=2, disk_errors=1, delay_s=(0.0, 0.6), down_s=(0.0, 0.3), drift=leases.DRIFT, skew_s=100.0)),
    (failure_detector.DETECTOR, Faults.mix(pauses=0, crashes=2)),
    (ids_and_timers.IDS, USUAL),
    (ids_and_timers.FLAKES, USUAL),
    (ids_and_timers.RETRY, Faults(drop=0.3, duplicate=0.2, delay=0.3, pauses=2, pause_s=(0.01, 0.4))),
]


def holds(subject: Subject, faults: Faults, runs: int) -> None:
    campaign(right(subject).test(), runs=runs, faults=faults, options={"trace": False}).check(every_kind=False)


@pytest.mark.parametrize(("subject", "faults"), [pytest.param(*each, id=each[0].name) for each in PROTOCOLS])
def test_what_the_page_promises_holds(subject: Subject, faults: Faults) -> None:
    holds(subject, faults, 8)


@pytest.mark.slow
@pytest.mark.parametrize(("subject", "faults"), [pytest.param(*each, id=each[0].name) for each in PROTOCOLS])
def test_what_the_page_promises_holds_in_many_runs(subject: Subject, faults: Faults) -> None:
    holds(subject, faults, 1000)


def test_two_leases_at_once_where_clocks_run_beyond_the_bound() -> None:
    """The search finds it; the bound of the holders is a tenth, clocks are wrong by half."""
    found = campaign(
        right(leases.LEASES).test(), runs=300, faults=Faults(partitions=1, partition_s=(0.5, 1.5), drift=0.5), shrink_runs=0, options={"trace": False}
    )
    assert found.failure is not None
    assert "one holder" in str(found.failure.outcome.error)
    assert found.runs < 150


def test_members_agree_once_the_faults_end() -> None:
    def test(sim: Simulation) -> None:
        for name in "abcd":
            sim.add(Membership, name, seeds=("a", "b"), interval_s=0.2, timeout_s=0.6, increment_s=0.2)
        sim.run(until=2)
        sim.calm()
        sim.run(for_s=4)
        for node in sim:
            assert {row.member for row in node.live} == set("abcd")
        sim["c"].crash()
        sim.run(for_s=3)
        for node in sim.up:
            assert {row.member for row in node.live} == set("abd")

    campaign(test, runs=4, faults=Faults.mix(crashes=2), options={"trace": False}).check(every_kind=False)


def test_the_accrual_detector_is_complete_under_faults() -> None:
    def test(sim: Simulation) -> None:
        for name in "abc":
            sim.add(AccrualFailureDetector, name, peers=tuple("abc"), interval_s=0.2, first_gap_s=0.2)
        sim.run(until=3)
        sim.calm()
        sim["c"].crash()
        sim.run(for_s=8)
        for node in sim.up:
            assert "c" in {row.peer for row in node.suspected}

    campaign(test, runs=4, faults=Faults.mix(), options={"trace": False}).check(every_kind=False)
