"""The safety properties as watchdogs: they hold under faults, and each one speaks up when its property does not."""

from __future__ import annotations

from typing import Any

import pytest

from bloompy import Bloom, channel, module, param, rule
from bloompy.errors import CallTimeout, InvariantViolation
from bloompy.sim import Faults, Simulation
from bloompy.sim.search.campaign import campaign
from bloompy_paxos.batches import value_of
from bloompy_paxos.multipaxos import MultiPaxos
from tests.paxos.groups import ABC, Store, eventually
from tests.paxos.puppets import Puppet
from tests.paxos.watched import Witnessed, WitnessedLog

pytestmark = pytest.mark.bloompy(trace=False)

FAULTS = Faults.mix(drop=0.1, duplicate=0.1, crashes=2, power_loss=0.5, disk_errors=1, until_s=1.0, spare=frozenset("xy"))


class Asking(Bloom):
    """A client of a WitnessedLog."""

    ask = channel("@replica: str, client: str, number: int -> command")
    done = channel("@client: str, number: int, index: int")


async def work(sim: Simulation, node: Any, count: int, done: list[str]) -> None:
    for number in range(count):
        while True:
            try:
                await node.call("ask", (sim.choose(ABC), node.address, number, f"{node.address}{number}"), reply="done", timeout_s=0.2)
                break
            except CallTimeout:
                assert sim.now < 20, "no progress"
    done.append(node.address)


def scenario(sim: Simulation) -> None:
    """Two clients have their commands decided, under faults, and after them."""
    nodes = [sim.add(WitnessedLog, name, members=ABC) for name in ABC]
    done: list[str] = []
    for name in "xy":
        sim.spawn(work, sim, sim.add(Asking, name), 4, done)
    sim.run(until=1.0)
    sim.calm()
    eventually(sim, lambda: len(done) == 2, 20, "all is decided")
    assert max(row.index for node in nodes for row in node.program.written) >= 8


def test_they_hold_under_faults() -> None:
    campaign(scenario, runs=3, faults=FAULTS).check(every_kind=False)


@pytest.mark.slow
def test_they_hold_under_faults_for_long() -> None:
    campaign(scenario, runs=200, faults=FAULTS).check()


def value(name: str) -> Any:
    return value_of(1.0, ((name, 1, b"\x01"),), ())


def violated(sim: Simulation, name: str, seconds: float = 0.1) -> None:
    with pytest.raises(InvariantViolation, match=name):
        sim.run(for_s=seconds)


def alone(sim: Simulation, program: Any, names: str = "ab") -> Puppet:
    """Some nodes of five, which are never elected, and a puppet that has begun ballot (5, "z")."""
    for name in names:
        sim.add(program, name, members=(*"abcd", "z"))
    puppet = Puppet(sim, "z")
    sim.run(for_s=0.01)
    for name in names:
        puppet.say("p1a", name, "z", (5, "z"), 1)
    sim.run(for_s=0.01)
    return puppet


@pytest.mark.parametrize(("program", "name"), [(Store, "one_value_a_ballot"), (WitnessedLog, "one_value_a_ballot")])
def test_two_values_in_a_ballot(sim: Simulation, program: Any, name: str) -> None:
    puppet = alone(sim, program)
    puppet.say("p2a", "a", "z", (5, "z"), 1, value("one"))
    puppet.say("p2a", "b", "z", (5, "z"), 1, value("other"))
    violated(sim, name)


class PlainLog(Bloom):
    members: tuple[str, ...] = param(())
    log = module(MultiPaxos, members=members)


def test_two_values_decided(sim: Simulation) -> None:
    puppet = alone(sim, PlainLog)
    puppet.say("learn", "a", 1, value("one"))
    puppet.say("learn", "b", 1, value("other"))
    violated(sim, "agreement")


def test_a_decision_without_a_majority(sim: Simulation) -> None:
    puppet = alone(sim, WitnessedLog)
    for name in "ab":
        puppet.say("p2a", name, "z", (5, "z"), 1, value("one"))
    sim.run(for_s=0.01)
    puppet.say("decision", "a", "z", (5, "z"), 1)
    violated(sim, "a_majority_stands_behind_it")


def test_votes_of_two_ballots_are_no_majority(sim: Simulation) -> None:
    puppet = alone(sim, WitnessedLog, "abc")
    for name in "ab":
        puppet.say("p2a", name, "z", (5, "z"), 1, value("one"))
    puppet.say("p2a", "c", "z", (6, "z"), 1, value("one"))
    sim.run(for_s=0.01)
    puppet.say("learn", "a", 1, value("one"))
    violated(sim, "a_majority_stands_behind_it")


class Yielding(Witnessed):
    """Votes below what it has promised."""

    @rule
    def phase_2b(self) -> None:
        self.vote <+- ((m.slot, m.ballot, m.value) for m in self.p2a)


class YieldingLog(Bloom):
    log = module(Yielding, members=("a", "b", "c"))


def test_a_vote_of_a_lower_ballot_after_one_of_a_higher(sim: Simulation) -> None:
    sim.add(YieldingLog, "a")
    puppet = Puppet(sim, "z")
    sim.run(for_s=0.01)
    for number in (6, 5):
        puppet.say("p2a", "a", "z", (number, "z"), 1, value("one"))
        if number == 6:
            sim.run(for_s=0.01)
    violated(sim, "votes_are_not_taken_back")


class Hasty(MultiPaxos):
    """Votes without a promise."""

    @rule
    def phase_2b(self) -> None:
        self.vote <+- ((m.slot, (m.ballot[0] + 1, m.ballot[1]), m.value) for m in self.p2a)


class HastyLog(Bloom):
    log = module(Hasty, members=("a", "b", "c"))


def test_a_vote_above_what_is_promised(sim: Simulation) -> None:
    sim.add(HastyLog, "a")
    puppet = Puppet(sim, "z")
    sim.run(for_s=0.01)
    puppet.say("p2a", "a", "z", (5, "z"), 1, value("one"))
    violated(sim, "votes_keep_promises")


class Borrowing(MultiPaxos):
    """Begins the ballots of a."""

    @rule
    def beginning(self) -> None:
        self.begins <= (((9, "a"),) for p in self.pulse)


class BorrowingLog(Bloom):
    log = module(Borrowing, members=("a", "b", "c"))


def test_a_ballot_of_another_node(sim: Simulation) -> None:
    sim.add(BorrowingLog, "b")
    for name in "ac":
        Puppet(sim, name)
    violated(sim, "ballots_of_its_own")


class Skipping(MultiPaxos):
    """Applies what is not there."""

    @rule
    def skipping(self) -> None:
        self.applied <+- ((a.slot + 1, a.index) for p in self.pulse for a in self.applied)


class SkippingLog(Bloom):
    log = module(Skipping, members=("a",))


def test_an_applied_slot_that_was_not_decided(sim: Simulation) -> None:
    sim.add(SkippingLog, "a")
    violated(sim, "applied_was_decided")


class Egoistic(MultiPaxos):
    """Every node thinks that it is the only member from slot 7 on."""

    @rule
    def egoism(self) -> None:
        self.config <+- ((c.members, (self.me, *c.members), 7) for p in self.pulse for c in self.config if c.since == 0)


class EgoisticLog(Bloom):
    log = module(Egoistic, members=("a", "b"))


def test_two_configurations_of_a_slot(sim: Simulation) -> None:
    for name in "ab":
        sim.add(EgoisticLog, name)
    violated(sim, "one_configuration_a_slot")
