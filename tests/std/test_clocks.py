"""Lamport clocks and vector clocks, against the happened-before of the trace."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloompy import lattice
from bloompy.lattices import Map
from bloompy.sim import Faults
from bloompy.std import LamportClock, VectorClock, concurrent, happened_before
from bloompy.std.clocks import covers, merged
from tests.std.scenarios import campaign, finds, lamport, vector
from tests.std.stepping import Stepped

FAULTS = Faults.mix(crashes=2, partitions=0, delay=0.5, delay_s=(0.0, 0.3))
CLOCKS = st.dictionaries(st.sampled_from("abc"), st.integers(1, 4)).map(Map)


def test_events_of_a_tick_are_numbered_in_their_order(evaluator: str) -> None:
    clock = LamportClock("a", evaluator=evaluator)
    clock.event.insert("y", "x")
    clock.tick()
    assert clock.stamped.rows() == {("x", 1), ("y", 2)}
    clock.event.insert("z")
    clock.tick()
    assert clock.stamped.rows() == {("z", 3)}


def test_an_event_comes_after_the_times_that_the_same_tick_brings(evaluator: str) -> None:
    clock = LamportClock("a", evaluator=evaluator)
    clock.event.insert("x")
    clock.witnessed.insert(7, 3)
    clock.tick()
    assert clock.stamped.rows() == {("x", 8)}
    clock.witnessed.insert(2)
    clock.event.insert("y")
    clock.tick()
    assert clock.stamped.rows() == {("y", 9)}


def test_a_vector_clock_counts_what_its_node_has_seen_of_each(evaluator: str) -> None:
    clock = VectorClock("a", evaluator=evaluator)
    clock.event.insert("x", "y")
    clock.witnessed.insert((Map({"b": 4}),), (Map({"b": 2, "c": 1}),))
    clock.tick()
    assert clock.stamped.rows() == {("x", Map({"a": 1, "b": 4, "c": 1})), ("y", Map({"a": 2, "b": 4, "c": 1}))}
    clock.event.insert("z")
    clock.tick()
    assert clock.stamped.rows() == {("z", Map({"a": 3, "b": 4, "c": 1}))}


@pytest.mark.parametrize("clock", [LamportClock, VectorClock])
def test_a_clock_never_goes_back_over_a_crash(clock: type) -> None:
    node = Stepped(clock, "a")
    for no in range(3):
        node["a"].event.insert((no,))
        node.tick("a")
        node.crash("a")
        node.start("a")
    stamps = [row[1] for row in node.out("stamped")]
    assert stamps in ([1, 2, 3], [{"a": 1}, {"a": 2}, {"a": 3}])


def test_lamport_times_agree_with_what_happened_before() -> None:
    campaign(partial(lamport, clock=LamportClock), 20, FAULTS)


def test_vector_clocks_say_exactly_what_happened_before() -> None:
    campaign(partial(vector, clock=VectorClock), 20, FAULTS)


def test_lamport_times_do_not_say_what_is_concurrent() -> None:
    class Counting(LamportClock):
        pass

    assert finds(partial(vector, clock=as_vector(Counting)), 20, FAULTS) is not None


def as_vector(clock: type) -> type:
    """A clock that gives a Lamport time as if it were a vector with one entry for all."""
    from bloompy import Bloom, interface, module, rule

    class AsVector(Bloom):
        event = interface.input("event")
        witnessed = interface.input("clock")
        stamped = interface.output("event -> clock")
        inner = module(clock)

        @rule
        def wrap(self) -> None:
            self.inner.event <= self.event
            self.inner.witnessed <= ((w.clock["all"],) for w in self.witnessed)
            self.stamped <= ((s.event, Map({"all": s.time})) for s in self.inner.stamped)

    return AsVector


@given(CLOCKS, CLOCKS)
def test_two_clocks_are_equal_before_after_or_concurrent(one: Map, other: Map) -> None:
    assert [one == other, happened_before(one, other), happened_before(other, one), concurrent(one, other)].count(True) == 1


@given(CLOCKS, CLOCKS)
def test_the_merge_is_the_least_clock_that_covers_both(one: Map, other: Map) -> None:
    both = merged(one, other)
    assert covers(both, one)
    assert covers(both, other)
    assert all(both[node] in (one.get(node), other.get(node)) for node in both)
    assert both == lattice.lmap[lattice.lmax].merge(Map(one, lattice.lmax), Map(other, lattice.lmax))
