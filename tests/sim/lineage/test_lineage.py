"""Lineage-driven fault injection on the classic cases: what is wrong is found in few runs, what is right is told to be complete."""

from __future__ import annotations

import pytest

from bloompy import Bloom, channel, interface, periodic, rule, scratch, table
from bloompy.errors import OutcomeMissing, UsageError
from bloompy.sim import Simulation
from bloompy.sim.lineage import expect, lineage_driven
from bloompy.sim.support import Crash
from tests.sim.lineage.cases import CASES, RIGHT, Case, search
from tests.sim.lineage.programs.broadcast import Acknowledged, Redundant, Simple
from tests.sim.lineage.scenarios import broadcast, replication, two_phase


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_counterexample_is_found_in_few_runs(case: Case):
    found = search(case)
    assert found.found, str(found)
    assert found.runs <= case.runs
    assert isinstance(found.error, OutcomeMissing)
    assert found.confirmed
    assert sorted({decision.kind for decision in found.schedule.decisions}) == list(case.kinds)
    assert all(one.time < case.end_of_faults_s for one in found.faults)
    assert len([one for one in found.faults if isinstance(one, Crash)]) <= case.crashes


@pytest.mark.parametrize("case", RIGHT, ids=lambda case: case.name)
def test_right_programs_are_complete(case: Case):
    found = search(case)
    assert not found.found, str(found)
    assert found.complete
    assert found.runs <= case.runs
    assert str(found).startswith("complete after")


def test_the_schedule_alone_gives_the_counterexample_again():
    found = lineage_driven(broadcast(Simple), end_of_faults_s=3.0)
    with pytest.raises(OutcomeMissing, match=r"b does not hold log\('hello'\)"):
        broadcast(Simple)(Simulation(schedule=found.schedule))
    assert found.schedule.words() == ["the 1st frame from a to b is lost"]
    assert "counterexample in run 2" in str(found)
    assert "was lost" in str(found.sim.why_not("b", "log", "hello"))


def test_each_fault_of_a_counterexample_is_needed():
    found = lineage_driven(replication, end_of_faults_s=4.0, crashes=1)
    for number in range(len(found.schedule)):
        decisions = found.schedule.decisions
        replication(Simulation(schedule=found.schedule.of(decisions[:number] + decisions[number + 1 :])))


def test_two_phase_commit_blocks_where_the_coordinator_stops():
    found = lineage_driven(two_phase, end_of_faults_s=4.0, crashes=1, omissions=False)
    [crash] = found.faults
    assert crash.node == "c"


def test_the_search_is_the_same_every_time():
    one, other = (lineage_driven(broadcast(Acknowledged), end_of_faults_s=2.0, crashes=1) for _ in range(2))
    assert one.trials == other.trials


def test_a_test_that_fails_without_faults_is_its_own_counterexample():
    def test(sim: Simulation) -> None:
        sim.add(Simple, "a").said.insert(("x",))
        sim.run(until=1)
        expect(sim, "a", "log", "y")

    found = lineage_driven(test, end_of_faults_s=1.0)
    assert (found.runs, found.faults, len(found.schedule)) == (1, frozenset(), 0)
    assert "no fault is needed" in str(found)


def test_a_test_that_expects_nothing_is_refused():
    def test(sim: Simulation) -> None:
        sim.add(Simple, "a")
        sim.run(until=1)

    with pytest.raises(UsageError, match="the test expects nothing"):
        lineage_driven(test, end_of_faults_s=1.0)


def test_a_search_that_gives_up_says_so():
    found = lineage_driven(broadcast(Acknowledged), end_of_faults_s=3.0, crashes=1, max_runs=2)
    assert (found.runs, found.complete, found.found) == (2, False, False)
    assert "not complete" in str(found)


def test_a_node_that_is_down_owes_nothing():
    sim = Simulation()
    sim.add(Redundant, "a")
    sim.run(until=1)
    sim["a"].crash()
    expect(sim, "a", "log", "never")


class Relay(Bloom):
    """Passes on by itself what it is told, through its own table, over a restart."""

    said = interface.input("to, text")
    kept = table("to, text", durable=True)
    heard = table("text")
    message = channel("@to, text")

    @rule
    def relay(self):
        self.kept <= self.said
        self.message <~ self.kept
        self.heard <= ((m.text,) for m in self.message)


def test_a_restart_stands_between_a_message_and_its_cause():
    def test(sim: Simulation) -> None:
        a, _ = sim.add(Relay, "a"), sim.add(Relay, "b")
        sim.at(0.5, lambda: a.said.insert(("b", "x")))
        sim.link("a", "b").drop = lambda ordinal: ordinal == 1
        sim.at(1.0, a.crash)
        sim.at(2.0, a.restart)
        sim.run(until=4)
        expect(sim, "b", "heard", "x")

    sim = Simulation()
    test(sim)
    told = str(sim.why("b", "heard", "x"))
    assert "restored from the store" in told
    assert "inserted from outside" in told
    assert sim.why("b", "heard", "x").inputs[0].incarnation == 1


class Watches(Bloom):
    """Says every second whether the other is well: it is unless it was not heard for long."""

    watched = table("address")
    beat = channel("@to, sender")
    heard = table("sender -> time")
    again = periodic(1.0)
    silent = scratch("address")
    suspect = scratch("address")
    well = table("no")

    @rule
    def go(self):
        self.beat <~ (("b", self.me) for t in self.again if self.me == "a")
        self.heard <+- ((b.sender, self.now) for b in self.beat)
        self.silent <= ((w.address,) for t in self.again for w in self.watched
                        if not any(h.sender == w.address and t.time - h.time < 2.5 for h in self.heard))
        self.suspect <= self.silent
        self.well <= ((t.no,) for t in self.again if t.no > 2 for w in self.watched if w.address not in self.suspect)


def test_what_kept_something_absent_is_support_as_well():
    def test(sim: Simulation) -> None:
        sim.add(Watches, "a")
        sim.add(Watches, "b").watched.insert(("a",))
        sim.run(until=3.5)
        expect(sim, "b", "well", 3)

    found = lineage_driven(test, end_of_faults_s=9.0)
    assert found.found
    assert found.runs <= 4
    assert found.schedule.words() == ["the 1st frame from a to b is lost", "the 2nd frame from a to b is lost"]
