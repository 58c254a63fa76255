"""Who leads: elected, replaced in time, deposed; and never without need."""

from __future__ import annotations

import pytest

from bloompy.sim import Faults, Simulation
from tests.paxos.groups import ABC, Customer, ballots, eventually, group, leader, leaders, one
from tests.paxos.judge import Judge

pytestmark = pytest.mark.bloompy(trace=False)

FIVE = ("a", "b", "c", "d", "e")
BOUND_S = 0.4
"""From the death of a leader to the next one, at default settings (the issue's figure)."""


def test_one_of_them_is_elected_and_the_others_follow(sim: Simulation) -> None:
    Judge(sim)
    nodes = group(sim)
    head = leader(sim, nodes, BOUND_S)
    sim.run(for_s=0.1)
    assert {one(node.program.log.following).leader for node in nodes} == {head.address}
    assert ballots(nodes) == {one(head.program.log.leads).ballot}
    assert one(head.program.log.leads).ballot[1] == head.address


@pytest.mark.parametrize("seed", range(5))
def test_a_leader_that_dies_is_replaced_in_time(seed: int) -> None:
    sim = Simulation(seed, trace=False)
    Judge(sim)
    nodes = group(sim)
    x = Customer(sim, "x")
    head = leader(sim, nodes)
    assert x.now(head.address, "write", ("put", "k", 1)) == 1
    head.crash()
    others = [node for node in nodes if node is not head]
    eventually(sim, lambda: leaders(others), BOUND_S, "a new leader")
    assert x.now(leaders(others)[0].address, "write", ("put", "k", 2), within_s=0.02) == 2


def test_a_group_of_one_leads_itself(sim: Simulation) -> None:
    Judge(sim)
    [alone] = group(sim, "a")
    leader(sim, [alone], BOUND_S)
    assert Customer(sim, "x", "a").now("a", "write", ("put", "k", 1)) == 1


def test_without_a_majority_nobody_leads(sim: Simulation) -> None:
    Judge(sim)
    nodes = group(sim, FIVE)
    leader(sim, nodes)
    for node in [node for node in nodes if not leaders([node])][:3]:
        node.crash()
    sim.run(for_s=1)
    assert not leaders(nodes)
    promised = ballots(nodes)
    sim.run(for_s=5)
    assert ballots(nodes) == promised, "candidates only ask for favour, which they do not get"


def test_a_leader_cut_off_steps_down_and_the_rest_goes_on(sim: Simulation) -> None:
    Judge(sim)
    nodes = group(sim, FIVE)
    head = leader(sim, nodes)
    x = Customer(sim, "x", FIVE)
    sim.partition({head.address, "x"})
    lost = x.send(head.address, "write", ("put", "k", "lost"))
    eventually(sim, lambda: head not in leaders(nodes), 0.5, "the old leader steps down")
    eventually(sim, lambda: leaders(nodes), 0.5, "a new leader")
    assert not lost.done()
    [new] = leaders(nodes)
    sim.heal()
    sim.run(for_s=0.5)
    assert leaders(nodes) == [new], "who comes back follows"
    assert one(head.program.log.following).leader == new.address


def test_a_node_that_only_was_away_disturbs_nobody(sim: Simulation) -> None:
    """Pre-vote: it asks, and the others hear their leader."""
    Judge(sim)
    nodes = group(sim)
    head = leader(sim, nodes)
    ballot = one(head.program.log.leads).ballot
    away = next(node for node in nodes if node is not head)
    for one_way in (False, True):
        sim.partition({away.address}, one_way=one_way, for_s=1)
        sim.run(for_s=2)
        assert ballots(nodes) == {ballot}
    sim.partition({head.address}, {away.address}, one_way=True, for_s=1)  # it hears all but the leader
    sim.run(for_s=2)
    assert ballots(nodes) == {ballot}


def test_duelling_candidates_come_to_an_end() -> None:
    """All begin at once, again and again, and still one wins before long."""
    for seed in range(3):
        sim = Simulation(seed, trace=False)
        Judge(sim)
        nodes = group(sim, FIVE, election_s=0.15, pulse_s=0.05)
        held = sim.hold()
        sim.run(for_s=0.5)
        held.drop()
        eventually(sim, lambda nodes=nodes: len(leaders(nodes)) == 1, 3, "one of them leads")
        sim.run(for_s=1)
        assert len(leaders(nodes)) == 1


def test_a_candidate_that_lags_is_not_elected(sim: Simulation) -> None:
    """Who has to catch up first would serve nobody in the meantime."""
    Judge(sim)
    nodes = group(sim, window=2)
    head = leader(sim, nodes)
    behind, other = (node for node in nodes if node is not head)
    sim.partition({behind.address}, {head.address, other.address})
    x = Customer(sim, "x")
    for number in range(10):
        x.now(head.address, "write", ("put", "k", number))
    sim.run(for_s=0.2)
    head.crash()
    sim.heal()
    eventually(sim, lambda: leaders(nodes), 3, "a new leader")
    assert leaders(nodes) == [other]


def idle(seconds: float, seed: int, faults: Faults | None = None, slow: float = 1.0) -> None:
    """So long no ballot but the one that leads is begun, and nobody stops to lead."""
    sim = Simulation(seed, faults=faults, trace=False)
    nodes = group(sim)
    head = leader(sim, nodes)
    sim.run(for_s=0.5)
    head.drift(slow)
    before = ballots(nodes)
    sim.run(for_s=seconds)
    assert ballots(nodes) == before == {one(head.program.log.leads).ballot}


LOSS = Faults(drop=0.01, delay=0.05, delay_s=(0, 0.02))


def test_idle_without_a_change_of_ballot() -> None:
    idle(10, 1)


def test_idle_with_a_slow_leader_and_loss_without_a_change_of_ballot() -> None:
    idle(10, 3, LOSS, 0.8)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("faults", "slow"), [(None, 1.0), (LOSS, 0.8), (LOSS, 1.25)])
def test_ten_idle_minutes_without_a_change_of_ballot(seed: int, faults: Faults | None, slow: float) -> None:
    idle(600, seed, faults, slow)


def test_clocks_that_are_set_back_do_not_stop_elections(sim: Simulation) -> None:
    Judge(sim)
    nodes = group(sim)
    head = leader(sim, nodes)
    for node in nodes:
        node.skew(-3_600)
    sim.run(for_s=0.5)
    assert len(leaders(nodes)) == 1
    head = leaders(nodes)[0]
    for node in nodes:
        node.skew(-3_600)
    head.crash()
    eventually(sim, lambda: leaders(nodes), 1, "a new leader")


def test_ballots_of_a_node_are_never_used_twice(sim: Simulation) -> None:
    """Also when it crashes right after it has begun one: who begins a ballot has promised it."""
    judge = Judge(sim)
    nodes = group(sim)
    for _ in range(6):
        head = leader(sim, nodes, 5)
        head.power_loss(down_s=0.01)
        sim.run(for_s=0.05)
    rounds = [ballot[0] for ballot in sorted(judge.leaders)]
    assert len(rounds) == len(set(rounds)) >= 5
    assert set(ABC) >= set(judge.leaders.values())
