"""Invariants of the cluster: over the rows of all nodes, whatever the class is made of."""
# ruff: noqa: B015
# mypy: disable-error-code="operator"
# fmt: off

from __future__ import annotations

import pytest

from bloompy import Bloom, agg, channel, interface, invariant, lattice, module, param, rule, scratch, table
from bloompy.errors import DeclarationError, InvariantViolation, SchemaError
from bloompy.sim import Simulation


class Lock(Bloom):
    """Who thinks to hold a lock: a view of a table."""

    grant = interface.input("name")
    release = interface.input("name")
    granted = table("name")
    holds = scratch("name")
    most = param(1)

    @rule
    def rules(self):
        self.granted <+ self.grant
        self.granted <- ((r.name,) for r in self.release)
        self.holds <= ((g.name,) for g in self.granted)

    @invariant(scope="cluster")
    def exclusive(self):
        """No lock has more holders than allowed."""
        counts = ((h.name, agg.count()) for h in self.holds)
        ((name, number) for name, number in counts if number > self.most)


class Service(Bloom):
    """Has a lock inside."""

    lock = module(Lock)
    take = interface.input("name")

    @rule
    def rules(self):
        self.lock.grant <= self.take


class SecondLock(Lock):
    """Inherits the invariant, and adds one over nodes of its own class."""

    @invariant(scope="cluster")
    def somebody_else(self):
        (h for h in self.holds if h.name == "forbidden" and not any(o.at_node != h.at_node for o in self.holds if o.name == "forbidden"))


def two(kind: type[Bloom], **parameters: object) -> tuple[Simulation, ...]:
    sim = Simulation()
    return sim, sim.add(kind, "a", **parameters), sim.add(kind, "b", **parameters)  # type: ignore[return-value]


def test_views_aggregates_and_temporaries_range_over_all_nodes() -> None:
    sim, a, b = two(Lock)
    a.grant.insert(("x",))
    b.grant.insert(("y",))
    sim.settle()
    a.release.insert(("x",))
    sim.settle()
    b.grant.insert(("x",))
    sim.settle()
    a.grant.insert(("x",))
    with pytest.raises(InvariantViolation, match=r"Lock\.exclusive") as caught:
        sim.settle()
    assert [tuple(row) for row in caught.value.rows] == [("x", 2)]


def test_params_count_and_a_node_that_is_down_holds_nothing_in_memory() -> None:
    sim, a, b = two(Lock, most=2)
    for node in (a, b):
        node.grant.insert(("x",))
    sim.settle()
    sim, a, b = two(Lock)
    a.grant.insert(("x",))
    sim.settle()
    a.crash()
    b.grant.insert(("x",))
    sim.settle()
    a.restart()
    sim.settle()
    a.grant.insert(("x",))
    with pytest.raises(InvariantViolation, match="exclusive"):
        sim.settle()


def test_those_of_inner_modules_and_of_parents_hold_too() -> None:
    sim, a, b = two(Service)
    for node in (a, b):
        node.take.insert(("x",))
    with pytest.raises(InvariantViolation, match=r"Lock\.exclusive"):
        sim.settle()

    sim, a, b = two(SecondLock)
    a.grant.insert(("forbidden",))
    with pytest.raises(InvariantViolation, match="somebody_else"):
        sim.settle()
    sim, a, b = two(SecondLock)
    for node in (a, b):
        node.grant.insert(("x",))
    with pytest.raises(InvariantViolation, match=r"Lock\.exclusive"):
        sim.settle()


class Counter(Bloom):
    """A lattice that must not differ by more than two between nodes, and a channel."""

    add = interface.input("n: int")
    best = table("-> n: lmax")
    told = channel("@to, n: int")

    @rule
    def rules(self):
        self.best <= ((a.n,) for a in self.add)

    @invariant(scope="cluster")
    def near(self):
        ((a.at_node, b.at_node) for a in self.best for b in self.best if a.n - b.n > 2)


def test_lattices_are_compared_as_plain_values() -> None:
    sim, a, b = two(Counter)
    a.add.insert((1,))
    b.add.insert((3,))
    sim.settle()
    b.add.insert((4,))
    with pytest.raises(InvariantViolation, match="near") as caught:
        sim.settle()
    assert [tuple(row) for row in caught.value.rows] == [("b", "a")]


def test_stepped_by_hand_they_are_not_checked() -> None:
    p = Lock("a")
    p.grant.insert(("x",))
    p.tick()
    p.tick()
    assert len(p.holds) == 1


def test_other_scopes_and_a_column_of_that_name_are_errors() -> None:
    with pytest.raises(DeclarationError, match="scope='galaxy'"):
        invariant(scope="galaxy")  # type: ignore[call-overload]
    with pytest.raises(SchemaError, match="two columns are named 'at_node'"):

        class Clash(Bloom):
            seen = table("at_node, x")

            @invariant(scope="cluster")
            def never(self):
                (s.x for s in self.seen)


def test_the_column_is_there_for_the_cluster_only() -> None:
    class Fine(Bloom):
        seen = table("at_node, x")
        sums = lattice.lmax()

        @invariant
        def never(self):
            (s.at_node for s in self.seen if s.x < 0)

    assert Fine.cluster_ir.rules == ()
