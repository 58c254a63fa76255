"""Dotted version vectors as a lattice, and the store that keeps concurrent writes."""

from __future__ import annotations

from functools import partial
from itertools import permutations
from typing import Any

import pytest
from hypothesis import strategies as st

from bloompy import rule
from bloompy.lattices import Map
from bloompy.sim import Faults, Simulation
from bloompy.std import KeyValueClient, VersionedServer, VersionedStore
from bloompy.std.versions import context_of, greatest, has, lversions, values_of, written
from bloompy.testing import laws
from tests.std.scenarios import campaign, finds, group, no_lost_write, told

MIX = Faults.mix(crashes=2)


# --- the lattice ------------------------------------------------------------------------------------------------

@st.composite
def writes(draw: st.DrawFn) -> Any:
    """A write whose context is older than itself, as in any run; a dot has one value."""
    node, number = draw(st.sampled_from("ab")), draw(st.integers(1, 3))
    context = draw(st.dictionaries(st.sampled_from("ab"), st.integers(1, 3)))
    return written(node, number, f"{node}{number}", {other: count for other, count in context.items() if other != node or count < number})


def test_versions_are_a_lattice() -> None:
    laws.check_lattice(lversions, st.lists(writes(), min_size=1, max_size=4).map(lversions.merge_all), examples=40)


def test_a_write_replaces_what_its_writer_had_read_and_nothing_else() -> None:
    one, other = written("a", 1, "x", {}), written("a", 2, "y", {})
    both = lversions.merge(one, other)
    assert (values_of(both), dict(context_of(both))) == (("x", "y"), {"a": 2})
    replaced = lversions.merge(both, written("b", 1, "z", context_of(one)))
    assert values_of(replaced) == ("y", "z")
    assert values_of(lversions.merge(replaced, written("c", 1, "w", context_of(replaced)))) == ("w",)


def test_what_was_replaced_does_not_come_back() -> None:
    old = written("a", 1, "x", {})
    new = written("b", 1, "y", context_of(old))
    for order in permutations([old, new, old]):
        assert values_of(lversions.merge_all(order)) == ("y",)


def test_numbers_of_a_node_are_known_also_when_replaced() -> None:
    state = lversions.merge(written("a", 3, "x", {}), written("b", 1, "y", {"a": 3}))
    assert (greatest(state, "a"), greatest(state, "b"), greatest(state, "c")) == (3, 1, 0)
    assert has(state, "a", 2)
    assert not has(state, "a", 4)


@pytest.mark.parametrize("value", ["x", ((), ()), ([], frozenset()), (frozenset(), ())])
def test_something_else_is_no_value_of_the_lattice(value: object) -> None:
    with pytest.raises(TypeError, match=r"written\(…\)"):
        lversions.lift(value)


# --- the store --------------------------------------------------------------------------------------------------


def responses(sim: Simulation) -> dict:
    """Values by request."""
    return {one.row[0]: one.row[2] for one in told(sim, "response")}


def contexts(sim: Simulation) -> dict:
    """Contexts by request."""
    return {one.row[0]: one.row[3] for one in told(sim, "response")}


def test_two_writes_of_one_context_are_siblings_and_the_next_write_replaces_both(evaluator: str) -> None:
    sim = Simulation()
    a = sim.add(VersionedStore, "a", evaluator=evaluator)
    a.put.insert((1, "k", "x", Map()))
    sim.run(for_s=0.1)
    a.put.insert((2, "k", "y", Map()))  # had not read x, though this replica had it
    sim.run(for_s=0.1)
    assert responses(sim) == {1: ("x",), 2: ("x", "y")}
    a.put.insert((3, "k", "z", contexts(sim)[2]))
    sim.run(for_s=0.1)
    assert responses(sim)[3] == ("z",)


def test_two_writes_of_one_tick_are_siblings() -> None:
    sim = Simulation()
    a = sim.add(VersionedStore, "a")
    a.put.insert((1, "k", "x", Map()), (2, "k", "y", Map()), (3, "j", "w", Map()))
    sim.run(for_s=0.1)
    assert responses(sim) == {1: ("x", "y"), 2: ("x", "y"), 3: ("w",)}


def test_writes_on_both_sides_of_a_partition_are_siblings() -> None:
    sim = Simulation()
    a, b, c = group(sim, VersionedStore, "abc", gossip_s=0.5)
    sim.run(for_s=0.1)
    a.put.insert((1, "cart", "milk", Map()))
    sim.run(for_s=0.1)
    sim.partition({"c"})
    a.put.insert((2, "cart", "milk, bread", contexts(sim)[1]))
    c.put.insert((3, "cart", "milk, tea", contexts(sim)[1]))
    sim.run(for_s=2)
    sim.heal()
    sim.run(for_s=2)
    b.get.insert((4, "cart"))
    sim.run(for_s=0.1)
    assert responses(sim)[4] == ("milk, bread", "milk, tea")
    b.put.insert((5, "cart", "milk, bread, tea", contexts(sim)[4]))
    sim.run(for_s=2)
    assert a.store.rows() == b.store.rows() == c.store.rows()
    assert responses(sim)[5] == ("milk, bread, tea",)


def test_a_put_waits_for_its_copies_and_is_answered_over_a_crash() -> None:
    sim = Simulation()
    a, b = group(sim, VersionedStore, "ab", write_copies=2, retry_s=0.2)
    sim.run(for_s=0.1)
    sim.partition({"a"})
    a.put.insert((1, "k", "x", Map()))
    sim.run(for_s=2)
    assert responses(sim) == {}
    a.restart()
    sim.run(for_s=1)
    assert responses(sim) == {}
    sim.heal()
    sim.run(for_s=1)
    assert responses(sim) == {1: ("x",)}
    assert b.store.rows() == a.store.rows()
    assert (len(a.writing), len(a.reading), len(a.found)) == (0, 0, 0)


def test_a_read_repairs_replicas_that_are_behind() -> None:
    sim = Simulation()
    a, b, c = group(sim, VersionedStore, "abc", read_copies=3, gossip_s=1_000.0)
    sim.run(for_s=0.1)
    sim.partition({"c"})
    a.put.insert((1, "k", "x", Map()))
    sim.run(for_s=1)
    sim.heal()
    sim.run(for_s=5)
    assert c.store.rows() == set()  # nobody has told it
    b.get.insert((2, "k"))
    sim.run(for_s=1)
    assert responses(sim)[2] == ("x",)
    assert c.store.rows() == a.store.rows()


def test_a_reader_that_is_behind_is_repaired_too() -> None:
    sim = Simulation()
    a, _, c = group(sim, VersionedStore, "abc", read_copies=2, gossip_s=1_000.0)
    sim.run(for_s=0.1)
    sim.partition({"c"})
    a.put.insert((1, "k", "x", Map()))
    sim.run(for_s=1)
    sim.heal()
    c.get.insert((2, "k"))
    sim.run(for_s=1)
    assert responses(sim)[2] == ("x",)
    assert c.store.rows() == a.store.rows()


@pytest.mark.parametrize("copies", [1, 2], ids=["one copy", "quorums"])
def test_no_accepted_write_is_lost_and_siblings_are_concurrent(copies: int) -> None:
    campaign(partial(no_lost_write, store=VersionedStore, write_copies=copies, read_copies=copies), 10, MIX)


@pytest.mark.slow
@pytest.mark.parametrize("copies", [1, 2], ids=["one copy", "quorums"])
def test_no_accepted_write_is_lost_for_long(copies: int) -> None:
    faults = Faults.mix(crashes=4, partitions=3, disk_errors=1)
    campaign(partial(no_lost_write, store=VersionedStore, write_copies=copies, read_copies=copies, rounds=8), 200, faults, 1_000)


class LastWriterWins(VersionedStore):
    """Takes the replica's own state for what the writer had read: the error of a plain vector clock for each replica."""

    @rule
    def serve(self) -> None:
        self.store <+ ((a.key, written(self.me, a.number, a.value, context_of(self.store[a.key].versions))) for a in self.accepted)


def test_a_store_that_takes_its_own_state_for_the_context_is_found_out() -> None:
    assert finds(partial(no_lost_write, store=LastWriterWins), 10, MIX) is not None


class SmallQuorums(VersionedStore):
    """Reads from one replica, whatever it is told."""

    @rule
    def respond_early(self) -> None:
        self.done <= ((r.request, r.key) for r in self.reading)


def test_a_read_without_its_quorum_is_found_out() -> None:
    assert finds(partial(no_lost_write, store=SmallQuorums, write_copies=2, read_copies=2), 30, MIX) is not None


def test_clients_of_versioned_servers() -> None:
    sim = Simulation()
    group(sim, VersionedServer, "ab")
    client = sim.add(KeyValueClient, "c")
    sim.run(for_s=0.1)
    client.request.insert((1, "a", "put", "k", ("x", Map())), (2, "b", "put", "k", ("y", Map())))
    sim.run(for_s=1)
    client.request.insert((3, "b", "get", "k", None))
    sim.run(for_s=1)
    values, context = {one.row[0]: one.row[2] for one in told(sim, "response", "c")}[3]
    assert (values, context) == (("x", "y"), {"a": 1, "b": 1})
    client.request.insert((4, "a", "put", "k", ("z", context)))
    sim.run(for_s=1)
    assert {one.row[0]: one.row[2][0] for one in told(sim, "response", "c")}[4] == ("z",)
