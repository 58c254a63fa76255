"""The test of confluence: what it runs, what counts as the same, and what it shows of a difference."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bloompy import Bloom, channel, interface, lattice, loopback, periodic, rule, scratch, table
from bloompy.errors import RowError
from bloompy.testing.confluence import check_confluence, runs_of
from tests.analysis import carts


class Gossip(Bloom):
    """Nodes that tell each other what they know."""

    peer = table("address")
    tell = channel("@to, what")
    known = table("what")
    start = interface.input("what")

    @rule
    def spread(self):
        self.known <= ((t.what,) for t in self.tell)
        self.known <= self.start
        self.tell <~ ((p.address, k.what) for p in self.peer for k in self.known)


def test_runs_that_end_alike_are_counted():
    found = check_confluence(carts.Votes, {"vote": [("local", "b", who) for who in "abc"]}, runs=20)
    assert (found.runs, found.difference, found.unsettled) == (20, None, 0)
    assert str(found) == "the analysis finds no point of order; 20 runs ended alike"


def test_a_difference_is_shown_with_as_few_inputs_as_do():
    inputs = {"add": [("c", i) for i in range(4)], "remove": [("c", 1), ("d", 9)], "checkout": [("e",)]}
    found = check_confluence(carts.Destructive, inputs)
    assert found.difference is not None
    assert {str(item) for item in found.difference.inputs} == {"add('c', 1)", "remove('c', 1)"}
    lines = str(found.difference).splitlines()
    assert lines[0] == "two runs of Destructive with the same 2 inputs end differently"
    assert "table held:" in lines
    assert any(line.strip() in ("in the first only: ('c', 1)", "in the second only: ('c', 1)") for line in lines)


def test_inputs_come_in_different_orders_groups_and_twice():
    seen = [run.ticks for run in runs_of(carts.Tombstones, {"add": [(1,), (2,)], "remove": [(1,)]}, runs=60)]
    assert len({tuple(item for tick in ticks for item in tick) for ticks in seen}) > 5
    assert {len(ticks) for ticks in seen} >= {1, 2, 3}
    assert any(sum(len(tick) for tick in ticks) > 3 for ticks in seen)


def test_all_inputs_come_at_least_once():
    for run in runs_of(carts.Tombstones, {"add": [(1,), (2,)], "remove": [(1,)]}, runs=60):
        assert {str(item) for tick in run.ticks for item in tick} == {"add(1)", "add(2)", "remove(1)"}


def test_several_nodes_talk_to_each_other():
    found = check_confluence(Gossip, {"start": [(1,), (2,)]}, given={"peer": [("a",), ("b",)]}, nodes=("a", "b"), runs=40)
    assert found.difference is None
    run = next(runs_of(Gossip, {"start": [(1,)]}, given={"peer": [("a",), ("b",)]}, nodes=("a", "b")))
    assert run.outcome.tables["b", "known"] == {(1,)}


def test_what_goes_to_others_is_noted():
    run = next(runs_of(Gossip, {"start": [(1,)]}, given={"peer": [("far",)]}))
    assert run.outcome.sent["", "tell"] == {("far", 1)}


def test_messages_of_lattices_are_compared_merged():
    class Merged(Bloom):
        put = channel("@to, value")
        top = lattice.lmax()
        peer = table("address")
        tell = channel("@to -> value: lmax")

        @rule
        def tell_all(self):
            self.top <= (p.value for p in self.put)
            self.tell <~ ((p.address, self.top.value) for p in self.peer)

    check_confluence(Merged, {"put": [("local", 3), ("local", 5), ("local", 4)]}, given={"peer": [("far",)]}, confluent=True)


def test_timers_fire_before_the_end():
    class Timer(Bloom):
        beat = periodic(7)
        ask = interface.input("k")
        kept = table("k")
        fired = table("k")

        @rule
        def wait(self):
            self.kept <= self.ask
            self.fired <= ((k.k,) for b in self.beat for k in self.kept)

    found = check_confluence(Timer, {"ask": [(1,), (2,)]}, confluent=True, runs=30)
    assert found.unsettled == 0
    assert next(runs_of(Timer, {"ask": [(1,)]})).outcome.tables["local", "fired"] == {(1,)}


def test_a_message_that_fails_alone_is_an_error_and_others_are_not_hurt():
    class Divide(Bloom):
        number = interface.input("n")
        share = table("n, share")

        @rule
        def divide(self):
            self.share <= ((x.n, 12 // x.n) for x in self.number)

    found = check_confluence(Divide, {"number": [(0,), (3,), (4,)]}, runs=30, confluent=True)
    assert found.difference is None
    run = next(runs_of(Divide, {"number": [(0,), (3,)]}))
    assert run.outcome.errors == {"ZeroDivisionError: number(0)"}
    assert run.outcome.tables["local", "share"] == {(3, 4)}


def test_conflicts_of_messages_in_one_tick_are_taken_apart():
    class Once(Bloom):
        number = interface.input("n")
        one = scratch("-> n")
        seen = table("n")

        @rule
        def keep(self):
            self.one <= self.number
            self.seen <= self.one

    run = list(runs_of(Once, {"number": [(1,), (2,)]}, runs=2))[1]
    assert len(run.ticks) == 1
    assert (run.outcome.tables["local", "seen"], run.outcome.errors) == ({(1,), (2,)}, frozenset())


def test_a_program_that_never_rests_is_left_out():
    class Restless(Bloom):
        start = interface.input("n")
        turn = loopback("n")
        last = table("-> n")

        @rule
        def go(self):
            self.turn <~ self.start
            self.turn <~ ((t.n + 1,) for t in self.turn)
            self.last <+- self.turn

    found = check_confluence(Restless, {"start": [(1,)]}, runs=4)
    assert (found.unsettled, found.difference) == (4, None)


def test_what_was_not_expected_is_an_error():
    with pytest.raises(AssertionError, match="two runs of Store with the same 2 inputs end differently"):
        check_confluence(carts.Store, {"put": [("local", "k", 1), ("local", "k", 2)]}, confluent=True)
    with pytest.raises(AssertionError, match="though order was expected to show"):
        check_confluence(carts.Store, {"put": [("local", "k", 1)]}, confluent=False, runs=5)


def test_inputs_are_checked():
    with pytest.raises(RowError, match="put"):
        check_confluence(carts.Store, {"put": [("local", "k")]})


votes = st.lists(st.tuples(st.just("local"), st.sampled_from("ab"), st.sampled_from("xyz")), max_size=5)


@given(votes, st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_inputs_may_be_drawn(rows, seed):
    check_confluence(carts.Votes, {"vote": rows}, runs=8, seed=seed, confluent=True)
