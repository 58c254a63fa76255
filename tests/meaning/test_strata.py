"""Design §3.4: stratification."""

from __future__ import annotations

import pytest

from bloompy import Bloom, agg, loopback, rule, scratch, table
from bloompy.errors import Unstratifiable


def test_recursion_reaches_the_least_fixpoint_on_a_cycle(evaluator):
    class P(Bloom):
        link = table("a, b")
        path = scratch("a, b")

        @rule
        def rules(self):
            self.path <= self.link
            self.path <= ((l.a, p.b) for l in self.link for p in self.path if l.b == p.a)

    p = P(evaluator=evaluator)
    p.link.insert((1, 2), (2, 3), (3, 1))
    p.tick()
    assert p.path.rows() == {(a, b) for a in (1, 2, 3) for b in (1, 2, 3)}
    p.link.delete((3, 1))
    p.tick()
    assert p.path.rows() == {(1, 2), (2, 3), (1, 3)}


def test_mutual_recursion_between_collections(evaluator):
    class P(Bloom):
        start = table("n")
        even = scratch("n")
        odd = scratch("n")

        @rule
        def rules(self):
            self.even <= self.start
            self.odd <= ((e.n + 1,) for e in self.even if e.n < 5)
            self.even <= ((o.n + 1,) for o in self.odd if o.n < 5)

    p = P(evaluator=evaluator)
    p.start.insert((0,))
    p.tick()
    assert (p.even.rows(), p.odd.rows()) == ({(0,), (2,), (4,)}, {(1,), (3,), (5,)})


def test_what_is_negated_is_complete_whatever_the_order_of_the_rules(evaluator):
    class P(Bloom):
        node = table("n")
        link = table("a, b")
        reached = scratch("n")
        lost = scratch("n")

        @rule
        def rules(self):
            self.lost <= ((n.n,) for n in self.node if n.n not in self.reached)
            self.reached <= ((l.b,) for l in self.link for r in self.reached if l.a == r.n)
            self.reached <= ((n.n,) for n in self.node if n.n == 1)

    p = P(evaluator=evaluator)
    p.node.insert((1,), (2,), (3,), (4,))
    p.link.insert((1, 2), (2, 3))
    p.tick()
    assert p.lost.rows() == {(4,)}
    p.link.delete((2, 3))
    p.tick()
    assert p.lost.rows() == {(3,), (4,)}


def test_what_is_aggregated_is_complete(evaluator):
    class P(Bloom):
        link = table("a, b")
        path = scratch("a, b")
        count = scratch("a -> n")
        most = scratch("-> n")

        @rule
        def rules(self):
            self.most <= ((agg.max(c.n),) for c in self.count)
            self.count <= ((p.a, agg.count()) for p in self.path)
            self.path <= ((l.a, p.b) for l in self.link for p in self.path if l.b == p.a)
            self.path <= self.link

    p = P(evaluator=evaluator)
    p.link.insert((1, 2), (2, 3), (3, 4))
    p.tick()
    assert p.count.rows() == {(1, 3), (2, 2), (3, 1)}
    assert p.most.rows() == {(3,)}


@pytest.mark.parametrize(
    "condition",
    ["i.k not in self.a", "not any(x.k == i.k for x in self.a)", "all(x.k != i.k for x in self.a)", "self.a.get(i.k, (0,)).k == 0"],
)
def test_recursion_through_something_not_monotone_is_refused_with_the_cycle(condition):
    from bloompy import exec_source

    text = f"""
from bloompy import Bloom, rule, scratch, table

class P(Bloom):
    item = table("k")
    a = scratch("k")
    b = scratch("k")

    @rule
    def one(self):
        self.b <= ((i.k,) for i in self.item if {condition})

    @rule
    def two(self):
        self.a <= self.b
"""
    with pytest.raises(Unstratifiable, match="depends on itself") as caught:
        exec_source(text)
    assert "P.one" in str(caught.value)
    assert "P.two" in str(caught.value)


def test_recursion_through_an_aggregate_is_refused():
    with pytest.raises(Unstratifiable, match="'a' depends on itself"):

        class P(Bloom):
            a = scratch("n")

            @rule
            def rules(self):
                self.a <= ((agg.count(),) for x in self.a)


def test_recursion_through_the_next_tick_is_allowed(evaluator):
    class P(Bloom):
        light = table("-> on: bool")
        hop = loopback("n")

        @rule
        def rules(self):
            self.light <+- ((not l.on,) for l in self.light)
            self.hop <~ ((h.n + 1,) for h in self.hop if (h.n + 1) not in self.hop)

    p = P(evaluator=evaluator)
    p.light.insert((False,))
    p.hop.insert((0,))
    seen = []
    for _ in range(3):
        p.tick()
        seen.append((p.light[()].on, p.hop.rows()))
    assert seen == [(False, {(0,)}), (True, {(1,)}), (False, {(2,)})]


def test_a_lookup_and_a_positive_membership_may_be_recursive(evaluator):
    class P(Bloom):
        parent = table("n -> up")
        root = scratch("n -> top")
        near = scratch("n")

        @rule
        def rules(self):
            self.root <= ((p.n, p.n) for p in self.parent if p.up is None)
            self.root <= ((p.n, self.root[p.up].top) for p in self.parent)
            self.near <= ((p.n,) for p in self.parent if p.up is None or p.up in self.near)

    p = P(evaluator=evaluator)
    p.parent.insert((1, None), (2, 1), (3, 2), (9, 8))
    p.tick()
    assert p.root.rows() == {(1, 1), (2, 1), (3, 1)}
    assert p.near.rows() == {(1,), (2,), (3,)}
