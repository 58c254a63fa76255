"""The store replicated by lattices: any replica, any order, one result."""

from __future__ import annotations

from functools import partial

import pytest

from bloompy import lattice, rule
from bloompy.sim import Faults, Simulation
from bloompy.std import KeyValueClient, ReplicatedServer, ReplicatedStore
from tests.std.scenarios import campaign, convergence, finds, group, told
from tests.std.stepping import Stepped

MIX = Faults.mix(crashes=2)


def test_values_of_a_key_merge_by_their_type(evaluator: str) -> None:
    store = ReplicatedStore(evaluator=evaluator)
    puts = [
        (1, "count", 3),
        (2, "count", 2),
        (3, "seen", frozenset({"a"})),
        (4, "seen", frozenset({"b"})),
        (5, "flag", False),
        (6, "flag", True),
        (7, "map", lattice.Map({"x": 1, "y": 5})),
        (8, "map", lattice.Map({"x": 4})),
    ]
    store.put.insert(*puts)
    store.tick()
    store.get.insert((9, "count"), (10, "nothing"))
    store.tick()
    assert {row.request: row.value for row in store.response} == {9: 3, 10: None}
    assert store.store.rows() == {("count", 3), ("seen", frozenset("ab")), ("flag", True), ("map", lattice.Map({"x": 4, "y": 5}))}


def test_a_replica_takes_puts_alone_and_all_converge_when_the_network_heals() -> None:
    sim = Simulation()
    a, b, c = nodes = group(sim, ReplicatedStore, "abc", gossip_s=0.2)
    sim.run(for_s=0.1)
    sim.partition({"a"})
    a.put.insert((1, "k", frozenset({"a"})))
    b.put.insert((2, "k", frozenset({"b"})))
    sim.run(for_s=2)
    assert a.store.rows() == {("k", frozenset("a"))}
    assert b.store.rows() == c.store.rows() == {("k", frozenset("b"))}
    sim.heal()
    sim.run(for_s=1)
    assert [node.store.rows() for node in nodes] == [{("k", frozenset("ab"))}] * 3


def test_what_a_replica_has_is_not_sent_again() -> None:
    cluster = Stepped(partial(ReplicatedStore, gossip_s=0.5), "ab")
    for name in "ab":
        cluster[name].join.insert("a", "b")
    cluster.run(0.2)
    cluster["a"].put.insert((1, "k", 5))
    cluster.run(2)
    assert cluster.sent == {"replicate": 1, "ack": 1}
    cluster["b"].put.insert((2, "k", 3))  # adds nothing
    cluster.run(2)
    assert cluster.sent == {"replicate": 1, "ack": 1}


def test_a_replica_that_joins_later_is_told_everything() -> None:
    sim = Simulation()
    a, _ = group(sim, ReplicatedStore, "ab")
    a.put.insert((1, "k", 5), (2, "j", 6))
    sim.run(for_s=1)
    z = sim.add(ReplicatedStore, "z")
    a.join.insert("z")
    sim.run(for_s=1)
    assert z.store.rows() == {("k", 5), ("j", 6)}


def test_replicas_converge_under_faults() -> None:
    campaign(partial(convergence, store=ReplicatedStore), 15, MIX)


class Volatile(ReplicatedStore):
    """Sends what is new once, as if nothing could be lost."""

    @rule
    def spread(self) -> None:
        self.behind <= ((r.address, s.key, s.value) for r in self.replica for s in self.store if r.address != self.me)
        self.replicate <~ ((b.address, self.me, b.key, b.value) for b in self.behind)


def test_replication_without_repetition_is_found_out() -> None:
    assert finds(partial(convergence, store=Volatile), 20, MIX) is not None


@pytest.mark.slow
def test_replicas_converge_for_long() -> None:
    campaign(partial(convergence, store=ReplicatedStore, count=30), 200, Faults.mix(crashes=4, partitions=3, disk_errors=1), 1_000)


def test_clients_reach_any_replica() -> None:
    sim = Simulation()
    group(sim, ReplicatedServer, "ab")
    client = sim.add(KeyValueClient, "c")
    sim.run(for_s=0.1)
    client.request.insert((1, "a", "put", "k", 7))
    sim.run(for_s=1)
    client.request.insert((2, "b", "get", "k", None))
    sim.run(for_s=1)
    assert [one.row for one in told(sim, "response", "c")] == [(1, "k", 7), (2, "k", 7)]
