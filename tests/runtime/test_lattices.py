"""Lattices between nodes and in the store."""
# ruff: noqa: B015
# mypy: disable-error-code="operator"
# fmt: off

from __future__ import annotations

from pathlib import Path

import pytest

from bloompy import Bloom, Node, channel, lattice, rule, table
from bloompy.errors import UsageError
from bloompy.lattices import Bag, Map
from tests.runtime.waiting import until

pytestmark = pytest.mark.anyio


class Gossip(Bloom):
    """Nodes tell each other what they have seen; order, loss and repetition do not matter."""

    peer = table("address")
    seen = lattice.lset(durable=True)
    clock = lattice.lmap(lattice.lmax, durable=True)
    words = lattice.lbag(durable=True)
    best = table("item -> cost: lmin, tags: lset", durable=True)
    tell = channel("@to -> seen: lset, clock: lmap[lmax], words: lbag")
    offer = channel("@to, item -> cost: lmin, tags: lset")

    @rule
    def spread(self):
        self.tell <~ ((p.address, self.seen.value, self.clock.value, self.words.value) for p in self.peer)
        self.seen <= (e for t in self.tell for e in t.seen)
        self.clock <= (t.clock for t in self.tell)
        self.words <= (t.words for t in self.tell)
        self.offer <~ ((p.address, b.item, b.cost, b.tags) for p in self.peer for b in self.best)
        self.best <= ((o.item, o.cost, o.tags) for o in self.offer)


async def test_values_of_nodes_that_tell_each_other_converge(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    async with Node(Gossip(), listen="127.0.0.1:0", store=path) as a, Node(Gossip(), listen="127.0.0.1:0") as b:
        a.program.seen.insert(1, "x")
        a.program.clock.insert({"a": 3})
        a.program.words.insert(Bag("aab"))
        a.program.best.insert(("tea", 5, "green"), ("tea", 4, "black"))
        b.program.seen.insert((2, "y"))
        b.program.clock.insert({"a": 1, "b": 7})
        b.program.words.insert(Bag("abb"))
        b.program.best.insert(("tea", 6, "white"))
        a.program.peer.insert((b.address,))
        b.program.peer.insert((a.address,))
        seen, best = {1, "x", (2, "y")}, {("tea", 4, frozenset({"green", "black", "white"}))}
        for node in (a, b):
            await until(lambda node=node: node.program.seen.value == seen and node.program.best.rows() == best)
            await until(lambda node=node: node.program.clock.value == Map({"a": 3, "b": 7}))
            await until(lambda node=node: node.program.words.value == Bag("aabb"))
    async with Node(Gossip(), store=path) as again:
        assert again.program.seen.value == seen
        assert again.program.clock.value == Map({"a": 3, "b": 7})
        assert again.program.clock.value.of is lattice.lmax
        assert again.program.words.value == Bag("aabb")
        assert again.program.best.rows() == best


class Thing:
    """Something that cannot be sent."""


class lthing(lattice.Lattice):
    """A lattice of it."""

    bottom = Thing()
    values = Thing

    @staticmethod
    def merge(a: Thing, b: Thing) -> Thing:
        return a


class Kept(Bloom):
    thing = lthing(durable=True)


class Loose(Bloom):
    most = lattice.lmax(durable=True)


async def test_a_lattice_whose_values_cannot_be_stored_is_named_when_the_node_starts(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="column 'value' of 'thing' has type lthing, whose values cannot be sent or stored"):
        async with Node(Kept(), store=tmp_path / "kept.db"):
            pass


async def test_the_bottom_is_stored_too(tmp_path: Path) -> None:
    async with Node(Loose(), store=tmp_path / "loose.db"):
        pass
    async with Node(Loose(), store=tmp_path / "loose.db") as node:
        assert node.program.most.value == float("-inf")
        node.program.most.insert(3.5)
        await until(lambda: node.program.most.value == 3.5)
    async with Node(Loose(), store=tmp_path / "loose.db") as node:
        assert node.program.most.value == 3.5
