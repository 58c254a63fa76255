# ruff: noqa: B015
# fmt: off
"""A counter that every node keeps a part of, told to all others: the order of messages makes no difference, and is not looked at."""

from __future__ import annotations

import pytest

from bloompy import Bloom, agg, bootstrap, channel, interface, param, rule, scratch, table
from bloompy.sim.exploring import Model, View


class Counter(Bloom):
    """Parts by node, each of which only grows."""

    peers = param(())
    peer = table("name")
    count = interface.input("upto: int")
    part = table("node -> value: lmax")
    total = scratch("-> value: int")
    told = channel("@to, node, value: int")

    @bootstrap
    def begin(self):
        self.peer <= (name for name in self.peers)

    @rule
    def counting(self):
        self.part <= ((self.me, c.upto) for c in self.count)
        self.part <= ((t.node, t.value) for t in self.told)
        self.told <~ ((p.name, self.me, c.upto) for c in self.count for p in self.peer)

    @rule
    def summing(self):
        self.total <= (agg.sum(p.value) for p in self.part)


class Gossip(Counter):
    """Tells all that it knows, whenever that grows: how often depends on the order in which it heard of it."""

    @rule
    def counting(self):
        self.part <= ((self.me, c.upto) for c in self.count)
        self.part <= ((t.node, t.value) for t in self.told)
        self.told <~ ((p.name, t.node, t.value) for t in self.part for p in self.peer)


def counters(size: int, network: str = "bag", program: type[Counter] = Counter) -> Model:
    model = Model(network=network)
    names = tuple(f"c{i}" for i in range(size))
    for i, name in enumerate(names):
        model.add(program, name, peers=tuple(other for other in names if other != name))
        model.input(name, "count", (i + 1,))
    model.at_end("all agree", agree)
    return model


def agree(view: View) -> bool:
    return len({tuple(view[node].part) for node in view}) == 1


@pytest.mark.parametrize("network", ["set", "bag", "fifo"])
@pytest.mark.parametrize(("size", "states", "steps"), [(2, 9, 4), (3, 125, 9)])
def test_orders_that_make_no_difference_are_left_out(network: str, size: int, states: int, steps: int) -> None:
    """Of each counter's own count and those of all others every subset may have arrived; one way there is enough."""
    whole, reduced = counters(size, network).explore(), counters(size, network).explore(reduce=True)
    for found in (whole, reduced):
        found.raise_if_failed()
    assert (whole.states, reduced.states) == (states, steps + 1)
    assert [view.content() for view in whole.ended()] == [view.content() for view in reduced.ended()]


def test_a_count_of_messages_that_depends_on_the_order_is_not_left_out() -> None:
    whole, reduced = counters(2, program=Gossip).explore(), counters(2, program=Gossip).explore(reduce=True)
    assert (whole.states, reduced.states) == (16, 16)


def test_what_a_property_sees_is_not_left_out() -> None:
    model = counters(2)
    model.sometimes("one is ahead", lambda view: len(view["c0"].part) > len(view["c1"].part), reads=["part"])
    assert model.explore(reduce=True).states == 9
    model.sometimes("whatever", lambda view: True)
    assert model.explore(reduce=True).states == 9
