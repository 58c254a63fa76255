"""Who leads: elected, replaced in time, deposed; and never without need."""

from __future__ import annotations

from typing import Any

import pytest

from bloompy.sim import Faults, Simulation
from tests.paxos.groups import ABC, Customer, Store, ballots, eventually, group, leader, leaders, one
from tests.paxos.judge import Judge
from tests.paxos.puppets import Puppet

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


def test_who_was_held_up_itself_does_not_take_that_for_silence_of_the_leader() -> None:
    """Its timer and the heartbeats that waited come in one tick."""
    node = Store(me="b", members=ABC)
    for step in range(3):
        node.tick(now=step * 0.01)
    node.log.heartbeat.insert(("b", "a", (1, "a"), 1, 0, 0.02))
    node.tick(now=0.03)
    for number, now in enumerate((1.0, 2.0)):
        node.log.heartbeat.insert(("b", "a", (1, "a"), 2 + number, 0, now))
        assert "log.canvass" not in node.tick(now=now).sent
        node.log.canvass.insert(("b", "c", (9, "c"), 0))
        node.log.heartbeat.insert(("b", "a", (1, "a"), 20 + number, 0, now))
        assert "log.favour" not in node.tick(now=now + 0.5).sent
    assert "log.canvass" in node.tick(now=3.0).sent
    node.log.canvass.insert(("b", "c", (9, "c"), 0))
    assert "log.favour" in node.tick(now=3.1).sent


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


def test_no_two_replicas_follow_each_other_and_no_request_circles(sim: Simulation) -> None:
    """A leader was cut off in one direction; who was to take its place has lost its majority in the middle of it."""
    nodes = group(sim, FIVE)
    old = leader(sim, nodes)
    x = Customer(sim, "x", FIVE)
    rest = [node for node in nodes if node is not old]
    sim.partition({old.address}, {node.address for node in rest}, one_way=True)
    sim.run_until(lambda: any(len(node.program.log.ballot) for node in rest), limit_s=3)
    new = next(node for node in rest if len(node.program.log.ballot))
    for node in rest:
        if node is not new:
            node.crash()
    sim.run(for_s=0.05)
    sim.heal()
    sim.run(for_s=1)
    x.send(old.address, "write", ("put", "k", 1))
    before = old.tick_count + new.tick_count
    sim.run(for_s=1)
    assert old.tick_count + new.tick_count - before < 200, "pulses and candidacies, and one request"
    assert [row.leader for node in (old, new) for row in node.program.log.following] == [new.address] * 2


def test_a_late_heartbeat_of_an_older_ballot_is_none(sim: Simulation) -> None:
    a, c = Puppet(sim, "a"), Puppet(sim, "c")
    e = sim.add(Store, "e", members=FIVE, lease_s=0.12)
    sim.run(for_s=0.15)
    c.say("p1a", "e", "c", (1, "c"), 1)
    sim.run(for_s=0.01)
    c.say("heartbeat", "e", "c", (1, "c"), 10, 0, sim.now)
    sim.run(for_s=0.15)
    a.say("heartbeat", "e", "a", (2, "a"), 20, 0, sim.now)  # it was elected by others
    sim.run(for_s=0.005)
    assert [row.no for row in a.heard["alive"]] == [20]
    c.say("heartbeat", "e", "c", (1, "c"), 11, 0, sim.now - 0.1)
    sim.run(for_s=0.005)
    assert one(e.program.log.following).leader == "a"
    assert [row.promised for row in c.heard["nack"]] == [(2, "a")]
    c.say("p1a", "e", "c", (3, "c"), 1)
    sim.run(for_s=0.005)
    assert [row.ballot for row in c.heard["p1b"]] == [(1, "c")], "the lease that a may count on has not ended"


@pytest.mark.parametrize("busy_s", [0.15, 0.3])
def test_slow_disks_depose_nobody_for_ever(busy_s: float) -> None:
    """Each synchronisation takes longer than a leader may be silent, at first."""
    sim = Simulation(1, trace=False)
    Judge(sim)
    nodes = group(sim)
    for node in nodes:
        store = node.driver._store
        store.sync = slow(node, store.sync, busy_s)
    x = Customer(sim, "x")
    done: list[int] = []

    async def work() -> None:
        for number in range(6):
            await x.ask("write", ("put", "k", number))
            done.append(number)

    sim.spawn(work)
    eventually(sim, lambda: len(done) == 6, 40, "all is decided")
    sim.run(for_s=5)
    before = ballots(nodes)
    sim.run(for_s=5)
    assert ballots(nodes) == before, "and one leads"


def slow(node: Any, sync: Any, busy_s: float) -> Any:
    """A synchronisation after which the node is busy for a time."""

    def synchronise() -> None:
        sync()
        node.pause(busy_s)

    return synchronise
