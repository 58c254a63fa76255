"""What a commit costs: messages and synchronisations by the formula, as they are counted in a run."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from bloompy.sim import Simulation
from tests.paxos.groups import Customer, applied, group, leader

pytestmark = pytest.mark.bloompy(trace=False)


class Counting:
    """Counts what the replicas send to others, by channel, and their synchronisations."""

    def __init__(self, sim: Simulation, nodes: list[Any]) -> None:
        self.nodes = nodes
        self.sent: Counter[str] = Counter()
        self.order: list[tuple[str, str]] = []
        ticked = sim.ticked

        def count(node: Any, batch: Any, tick: Any) -> None:
            if node in self.nodes:
                for channel, rows in tick.sent.items():
                    self.sent[channel.removeprefix("log.")] += sum(row[0] != node.address for row in rows)
            ticked(node, batch, tick)

        sim.ticked = count  # type: ignore[method-assign]
        self.begin()

    def begin(self) -> None:
        """Count from now on."""
        self.sent.clear()
        self._syncs = {node.address: node.sync_count for node in self.nodes}
        self._frames = sum(node.send_count for node in self.nodes)

    def syncs(self) -> dict[str, int]:
        """By node, since the beginning."""
        return {node.address: node.sync_count - self._syncs[node.address] for node in self.nodes}

    def frames(self) -> int:
        """Of all replicas, since the beginning."""
        return sum(node.send_count for node in self.nodes) - self._frames


def quiet(sim: Simulation, names: str, **parameters: Any) -> tuple[list[Any], Any, Customer, Counting]:
    """A group with a leader, and heartbeats so rare that nothing but commits is counted."""
    nodes = group(sim, names, pulse_s=100.0, election_s=300.0, **parameters)
    for node in nodes:
        node.skew(1_000.0)
    head = leader(sim, nodes, 2_000)
    x = Customer(sim, "x", names)
    counting = Counting(sim, nodes)
    x.now(head.address, "write", ("put", "k", "first"))
    sim.run(for_s=2)
    counting.begin()
    return nodes, head, x, counting


@pytest.mark.parametrize("names", ["abc", "abcde"])
def test_messages_of_a_commit(names: str) -> None:
    """n - 1 of 2a and 2b a slot; what is decided goes with the next 2a, so no message of its own says so."""
    sim = Simulation(1, trace=False)
    others = len(names) - 1
    nodes, head, x, counting = quiet(sim, names)
    slots = 10
    for number in range(slots):
        assert x.now(head.address, "write", ("put", "k", number)) == number
        sim.run(for_s=0.01)
    assert counting.sent == {"p2a": slots * others, "p2b": slots * others, "decision": slots * others, "reply": slots}
    assert counting.frames() == slots * (2 * others + 1), "a decision shares the frame of a 2a"


@pytest.mark.parametrize("names", ["abc", "abcde"])
def test_one_synchronisation_a_replica_and_slot(names: str) -> None:
    sim = Simulation(1, trace=False)
    nodes, head, x, counting = quiet(sim, names)
    for number in range(10):
        x.now(head.address, "write", ("put", "k", number))
        sim.run(for_s=0.01)
    assert counting.syncs() == dict.fromkeys(names, 10)


def noting(steps: list[str], name: str, after: Any) -> Any:
    """A point of a store that is noted."""

    def note(point: str, record: bytes) -> None:
        steps.append(f"{name} {point}")
        after(point, record)

    return note


def noting_sends(steps: list[str], name: str, send: Any) -> Any:
    """A transport's sending, noted."""

    def note(address: str, frame: bytes) -> None:
        steps.append(f"{name} sends")
        send(address, frame)

    return note


def test_one_synchronisation_deep(sim: Simulation) -> None:
    """The 2a leaves before the leader has its own vote on disk: a commit waits for the disks side by side, not one after the other."""
    nodes, head, x, counting = quiet(sim, "abc")
    steps: list[str] = []
    follower = next(node for node in nodes if node is not head)
    for node, name in ((head, "leader"), (follower, "other")):
        node.driver._store._crashing = noting(steps, name, node.driver._store._crashing)
        node.transport.send = noting_sends(steps, name, node.transport.send)
    x.now(head.address, "write", ("put", "k", 1))
    first = steps.index("leader sends")
    assert first < steps.index("leader before_sync")
    assert steps.index("other after_sync") < steps.index("other sends")
    assert steps.count("leader after_sync") == steps.count("other after_sync") == 1


def test_many_commands_share_a_slot_its_messages_and_its_synchronisation(sim: Simulation) -> None:
    nodes, head, x, counting = quiet(sim, "abc", batch_commands=100)
    before = applied(head)
    answers = [x.send(head.address, "write", ("put", "k", number), acked=1) for number in range(100)]
    sim.run_until(lambda: all(answer.done() for answer in answers))
    assert applied(head) == before + 1
    assert (counting.sent["p2a"], counting.sent["p2b"]) == (2, 2)
    assert counting.syncs() == {"a": 1, "b": 1, "c": 1}


def test_phase_one_is_once_for_a_leadership(sim: Simulation) -> None:
    nodes = group(sim)
    counting = Counting(sim, nodes)
    head = leader(sim, nodes)
    x = Customer(sim, "x")
    for number in range(20):
        x.now(head.address, "write", ("put", "k", number))
        sim.run(for_s=0.03)
    assert (counting.sent["p1a"], counting.sent["p1b"], counting.sent["report"]) == (2, 2, 0)
    assert counting.sent["p2a"] == counting.sent["p2b"] == 40


def test_an_idle_group_only_beats(sim: Simulation) -> None:
    nodes = group(sim, pulse_s=0.05)
    head = leader(sim, nodes)
    sim.run(until=1.0)
    counting = Counting(sim, nodes)
    sim.run(until=2.0)
    assert counting.sent == {"heartbeat": 40, "alive": 40}
    assert counting.syncs() == {"a": 0, "b": 0, "c": 0}
    assert head.up


def test_a_lost_proposal_is_sent_again_to_who_has_not_voted(sim: Simulation) -> None:
    nodes = group(sim)
    head = leader(sim, nodes)
    x = Customer(sim, "x")
    sim.run(for_s=0.2)
    others = [node for node in nodes if node is not head]
    counting = Counting(sim, nodes)
    for node in others:
        sim.link(head.address, node.address).drop = 1.0
    answer = x.send(head.address, "write", ("put", "k", 1))
    sim.run(for_s=0.01)
    sim.link(head.address, others[0].address).drop = 0.0
    sim.run_until(answer.done, limit_s=0.3)
    assert counting.sent["p2a"] <= 2 + 4
    sim.link(head.address, others[1].address).drop = 0.0
    sim.run(for_s=1)
    assert applied(others[1]) == applied(head)
    counting.begin()
    sim.run(for_s=1)
    assert counting.sent["p2a"] == 0
