"""Linearizable reads, by asking or by lease, and stale ones."""

from __future__ import annotations

from typing import Any

import pytest

from bloompy.sim import Simulation
from tests.paxos.groups import Customer, applied, eventually, group, leader, leaders, one
from tests.paxos.judge import Judge

pytestmark = pytest.mark.bloompy(trace=False)

FIVE = ("a", "b", "c", "d", "e")


def divided(sim: Simulation, **parameters: Any) -> tuple[Any, Any, Customer, Customer, list[Any]]:
    """A group of five with k = "old"; its leader is cut off with one other member and a customer, the rest has another one."""
    Judge(sim)
    nodes = group(sim, FIVE, **parameters)
    head = leader(sim, nodes)
    old, new = Customer(sim, "old", FIVE), Customer(sim, "new", FIVE)
    assert new.now(head.address, "write", ("put", "k", "old")) == "old"
    sim.run(for_s=0.1)
    friend = next(node for node in nodes if node is not head)
    rest = [node for node in nodes if node not in (head, friend)]
    sim.partition({head.address, friend.address, "old"}, {*(node.address for node in rest), "new"})
    return head, friend, old, new, rest


def test_a_read_sees_every_write_that_was_answered(sim: Simulation) -> None:
    Judge(sim)
    nodes = group(sim)
    x = Customer(sim, "x")
    head = leader(sim, nodes)
    for number in range(5):
        assert x.now(head.address, "write", ("put", "k", number)) == number
        assert x.now(sim.choose(nodes).address, "read", ("get", "k")) == number
    assert x.now(head.address, "read", ("get", "nothing")) is None


def test_a_read_takes_no_slot_and_one_round(sim: Simulation) -> None:
    nodes = group(sim)
    x = Customer(sim, "x")
    head = leader(sim, nodes)
    x.now(head.address, "write", ("put", "k", 1))
    sim.run(for_s=0.1)
    before, start = applied(head), sim.now
    assert x.now(head.address, "read", ("get", "k")) == 1
    assert sim.now - start < 0.0055, "to the leader, to the others and back, and back"
    assert applied(head) == before


def asking(sim: Simulation, customer: Customer, replica: str) -> list[tuple[float, Any]]:
    """From now on a read every 3 ms: when it was asked, and its answer."""
    asked: list[tuple[float, Any]] = []

    async def ask() -> None:
        while True:
            asked.append((sim.now, customer.send(replica, "read", ("get", "k"))))
            await sim.sleep(0.003)

    sim.spawn(ask)
    return asked


@pytest.mark.parametrize("lease_s", [0.0, 0.1])
def test_an_old_leader_answers_no_read_that_could_be_old(lease_s: float) -> None:
    sim = Simulation(5)
    head, _, old, new, rest = divided(sim, lease_s=lease_s)
    cut = sim.now
    asked = asking(sim, old, head.address)
    eventually(sim, lambda: leaders(rest), 1, "the rest has a leader")
    assert new.now(leaders(rest)[0].address, "write", ("put", "k", "new")) == "new"
    written = sim.now
    sim.run(for_s=0.6)
    answered = [at for at, answer in asked if answer.done()]
    assert all(at < written for at in answered)
    assert bool(answered) == bool(lease_s), "only a lease lets it answer alone"
    assert all(at < cut + lease_s for at in answered)


def test_without_a_majority_no_read_is_answered_but_stale_ones_are(sim: Simulation) -> None:
    Judge(sim)
    nodes = group(sim)
    x = Customer(sim, "x")
    head = leader(sim, nodes)
    x.now(head.address, "write", ("put", "k", 1))
    sim.run(for_s=0.1)
    for node in nodes:
        if node is not head:
            node.crash()
    assert x.now(head.address, "read", ("get", "k"), within_s=2) is None
    stale = x.send(head.address, "stale", ("get", "k"))
    sim.run_until(stale.done)
    assert (stale.result().result, stale.result().replica) == (1, head.address)


def test_a_stale_read_may_be_old_and_says_which_replica_answered(sim: Simulation) -> None:
    head, friend, _, new, rest = divided(sim)
    eventually(sim, lambda: leaders(rest), 1, "a new leader")
    assert new.now(leaders(rest)[0].address, "write", ("put", "k", "new")) == "new"
    sim.run(for_s=0.1)
    x = Customer(sim, "x", FIVE)
    replies = {}
    for node in (friend, rest[0]):
        answer = x.send(node.address, "stale", ("get", "k"))
        sim.run_until(answer.done)
        replies[node.address] = answer.result()
    assert {at: reply.replica for at, reply in replies.items()} == {friend.address: friend.address, rest[0].address: rest[0].address}
    assert replies[friend.address].result == "old"
    assert replies[rest[0].address].result == "new"


def test_a_new_leader_answers_reads_when_it_has_what_was_decided_before(sim: Simulation) -> None:
    """The old leader told nobody of its last decision, but answered it."""
    Judge(sim)
    nodes = group(sim)
    x = Customer(sim, "x")
    head = leader(sim, nodes)
    assert x.now(head.address, "write", ("put", "k", 1)) == 1
    head.crash()
    others = [node for node in nodes if node is not head]
    assert {applied(node) for node in others} == {0}, "they have voted, and do not know yet"
    eventually(sim, lambda: leaders(others), 1, "a new leader")
    assert x.now(leaders(others)[0].address, "read", ("get", "k")) == 1


# --- leases ------------------------------------------------------------------------------------------------------


def test_with_a_lease_a_read_is_answered_at_once(sim: Simulation) -> None:
    Judge(sim)
    nodes = group(sim, lease_s=0.1)
    x = Customer(sim, "x")
    head = leader(sim, nodes)
    x.now(head.address, "write", ("put", "k", 1))
    sim.run(for_s=0.2)
    start = sim.now
    assert x.now(head.address, "read", ("get", "k")) == 1
    assert sim.now - start < 0.0025, "to the leader and back"


@pytest.mark.parametrize(("leader_rate", "others_rate"), [(1.0, 1.0), (0.99, 1.01), (1.01, 0.99)])
def test_a_lease_ends_before_another_can_lead(leader_rate: float, others_rate: float) -> None:
    """Within the drift that is assumed, whoever's clock runs fast."""
    sim = Simulation(7)
    head, _, old, _, rest = divided(sim, lease_s=0.1)
    head.drift(leader_rate)
    for node in rest:
        node.drift(others_rate)
    asked = asking(sim, old, head.address)
    eventually(sim, lambda: any(node.program.log.ballot for node in rest), 2, "another begins a ballot")
    began = sim.now
    sim.run(for_s=0.3)
    assert any(answer.done() for _, answer in asked)
    assert all(at < began for at, answer in asked if answer.done())


def test_a_node_that_restarts_still_keeps_the_lease_that_it_may_have_given(sim: Simulation) -> None:
    Judge(sim)
    nodes = group(sim, lease_s=0.1)
    head = leader(sim, nodes)
    sim.run(for_s=0.3)
    b, c = (node for node in nodes if node is not head)
    b.restart()
    before = one(b.program.log.promised).ballot
    c.driver.outbox.add("log.p1a", ((b.address, c.address, (99, c.address), 1),))
    c.driver.wake()
    sim.run(for_s=0.01)
    assert one(b.program.log.promised).ballot == before
    assert leaders(nodes) == [head]


@pytest.mark.parametrize("back_s", [0.2, 2.0])
def test_a_clock_that_is_set_back_ends_the_lease(back_s: float) -> None:
    """What was answered long ago would else count as answered just now, or soon."""
    sim = Simulation(11)
    head, _, old, _, rest = divided(sim, lease_s=0.1)
    sim.run(for_s=0.02)
    head.skew(-back_s)
    sim.run(for_s=0.12)
    asked = asking(sim, old, head.address)
    sim.run(for_s=back_s + 1)
    assert not [at for at, answer in asked if answer.done()]
    assert leaders(rest)
