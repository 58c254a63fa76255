"""Design §2.1, §3.2, §3.4, §3.8: lattices as collections and as types of value columns (Bloom^L)."""

from __future__ import annotations

import math
import pickle
import re

import pytest

from bloompy import Bloom, Row, agg, channel, exec_source, interface, invariant, key, lattice, module, rule, scratch, table
from bloompy.engine.tick import Durable
from bloompy.errors import (
    ColumnTypeError,
    DeclarationError,
    IllegalOperator,
    InterfaceError,
    InvariantViolation,
    KeyConflict,
    RowError,
    SchemaError,
    UnorderableValues,
    Unstratifiable,
    UnsupportedStatement,
)
from bloompy.lattices import Bag, Map
from bloompy.program import machine_of

# --- collections ------------------------------------------------------------------------------------------------


class Kinds(Bloom):
    x = interface.input("k, v")
    most = lattice.lmax()
    least = lattice.lmin()
    seen = lattice.lset()
    big = lattice.lbool()
    bag = lattice.lbag()
    sizes = lattice.lpset()
    best = lattice.lmap(lattice.lmin)
    mixed = lattice.lmap()

    @rule
    def rules(self):
        self.most <= (x.v for x in self.x)
        self.least <= (x.v for x in self.x)
        self.seen <= (x.k for x in self.x)
        self.big <= (x.v > 5 for x in self.x)
        self.bag <= (Bag([x.k] * x.v) for x in self.x)
        self.sizes <= (x.v for x in self.x)
        self.best <= (Map({x.k: x.v}) for x in self.x)
        self.mixed <= (Map({x.k: frozenset([x.v]), "n": x.v}) for x in self.x)


def test_a_lattice_is_its_bottom_until_something_is_put_in(evaluator):
    p = Kinds(evaluator=evaluator)

    def values():
        return (p.most.value, p.least.value, p.seen.value, p.big.value, p.bag.value, p.sizes.value, p.best.value)

    bottoms = (-math.inf, math.inf, frozenset(), False, Bag(), frozenset(), Map())
    assert values() == bottoms
    p.tick()
    assert values() == bottoms


def test_a_lattice_holds_the_merge_of_all_that_was_ever_put_in(evaluator):
    p = Kinds(evaluator=evaluator)
    p.x.insert(("a", 2), ("b", 3), ("a", 1))
    p.tick()
    p.x.insert(("c", 7))
    p.tick()
    p.tick()
    assert (p.most.value, p.least.value, p.seen.value, p.big.value) == (7, 1, {"a", "b", "c"}, True)
    assert p.bag.value == Bag({"a": 2, "b": 3, "c": 7})
    assert p.sizes.value == {1, 2, 3, 7}
    assert p.best.value == {"a": 1, "b": 3, "c": 7}
    assert p.mixed.value == {"a": frozenset({1, 2}), "b": frozenset({3}), "c": frozenset({7}), "n": 7}


def test_a_tick_tells_how_a_lattice_grew(evaluator):
    p = Kinds(evaluator=evaluator)
    p.x.insert(("a", 2), ("a", 4))
    p.tick()
    p.x.insert(("a", 9), ("a", 1))
    tick = p.tick()
    assert tick.inserted["most"] == [(9,)]
    assert tick.deleted["most"] == [(4,)]
    p.x.insert(("a", 3))
    tick = p.tick()
    assert not {"most", "least", "seen", "big"} & (set(tick.inserted) | set(tick.deleted))


def test_what_is_put_in_from_outside_merges(evaluator):
    p = Kinds(evaluator=evaluator)
    p.most.insert(3, 8, 5)
    p.seen.insert("a", frozenset({"b", "c"}))
    p.bag.insert("a", Bag(["a", "a"]))
    p.best.insert({"a": 5}, Map({"a": 3, "b": 4}))
    p.tick()
    assert (p.most.value, p.seen.value, p.bag.value, p.best.value) == (8, {"a", "b", "c"}, Bag({"a": 2}), {"a": 3, "b": 4})
    p.most.insert(1)
    p.tick()
    assert p.most.value == 8


def test_an_lmax_holds_anything_with_an_order(evaluator):
    class P(Bloom):
        word = lattice.lmax()
        pair = lattice.lmin()
        late = scratch("w")

        @rule
        def rules(self):
            self.late <= ("late" for _ in (1,) if self.word.value > "k")

    p = P(evaluator=evaluator)
    p.tick()  # the bottom can be compared with a text
    assert p.late.rows() == set()
    p.word.insert("m", "b")
    p.pair.insert((2, "b"), (2, "a"), (3, ""))
    p.tick()
    assert (p.word.value, p.pair.value) == ("m", (2, "a"))
    assert p.late.rows() == {("late",)}


def test_next_tick_insertion_into_a_lattice_merges_then(evaluator):
    class P(Bloom):
        x = interface.input("v")
        most = lattice.lmax()

        @rule
        def rules(self):
            self.most <+ (x.v for x in self.x)

    p = P(evaluator=evaluator)
    p.x.insert((1,), (5,), (3,))
    p.tick()
    assert p.most.value == -math.inf
    assert machine_of(p).pending()
    p.tick()
    assert p.most.value == 5
    assert not machine_of(p).pending()


@pytest.mark.parametrize("operator", ["<-", "<+-"])
def test_a_lattice_cannot_shrink(operator):
    with pytest.raises(IllegalOperator, match=re.escape(f"{operator} into the lattice n")) as caught:
        program(f"self.n {operator} (x.v for x in self.t)")
    assert "takes <= <+" in caught.value.hint
    assert not hasattr(Kinds().most, "delete")
    assert not hasattr(Kinds().most, "upsert")


@pytest.mark.parametrize("use", ["(r for r in self.most)", "(x for x in self.x if x.v in self.most)", "(self.most[()] for x in self.x)"])
def test_a_lattice_has_no_rows(use):
    text = f"""
from bloompy import *
class P(Bloom):
    x = table("v")
    most = lattice.lmax()
    s = scratch("v")

    @rule
    def rules(self):
        self.s <= {use}
"""
    with pytest.raises(UnsupportedStatement, match="self.most is a lattice") as caught:
        exec_source(text)
    assert "read it by self.most.value" in caught.value.hint


def test_a_lattice_as_a_query_is_its_value(evaluator):
    class P(Bloom):
        a = lattice.lset()
        b = lattice.lset()
        n = lattice.lmax()
        flag = lattice.lbool()

        @rule
        def rules(self):
            self.b <= self.a
            self.n <= len(self.b.value)
            self.flag <= (self.n.value >= 2)

    p = P(evaluator=evaluator)
    p.a.insert(1, 2)
    p.tick()
    assert (p.b.value, p.n.value, p.flag.value) == ({1, 2}, 2, True)


def test_lattices_are_inherited_and_modules_have_their_own(evaluator):
    class Counter(Bloom):
        add = interface.input("v")
        most = lattice.lmax()
        out = interface.output("-> v: lmax")

        @rule
        def rules(self):
            self.most <= (a.v for a in self.add)
            self.out <= self.most

    class Two(Counter):
        c = module(Counter)
        seen = lattice.lset()

        @rule
        def pass_on(self):
            self.c.add <= ((a.v * 10,) for a in self.add)
            self.seen <= (o.v for o in self.c.out)

    p = Two(evaluator=evaluator)
    p.add.insert((3,))
    p.tick()
    p.add.insert((2,))
    p.tick()
    assert (p.most.value, p.c.most.value, p.c.out.rows()) == (3, 30, {(30,)})
    assert p.seen.value >= {30}


def test_a_lattice_on_the_class_has_no_value():
    with pytest.raises(Exception, match="most is a declaration, read on the class"):
        Kinds.most.value  # noqa: B018


# --- columns ----------------------------------------------------------------------------------------------------


class Paths(Bloom):
    link = table("src, dst -> cost: int")
    path = scratch("src, dst -> cost: lmin")
    near = scratch("src, dst")

    @rule
    def paths(self):
        self.path <= ((l.src, l.dst, l.cost) for l in self.link)
        self.path <= ((l.src, p.dst, l.cost + p.cost) for l in self.link for p in self.path if l.dst == p.src)
        self.near <= ((p.src, p.dst) for p in self.path if p.cost < 4)


def floyd(links):
    best = {}
    for (a, b), cost in links.items():
        best[a, b] = min(cost, best.get((a, b), math.inf))
    nodes = {n for pair in links for n in pair}
    for k in nodes:
        for i in nodes:
            for j in nodes:
                through = best.get((i, k), math.inf) + best.get((k, j), math.inf)
                if through < best.get((i, j), math.inf):
                    best[i, j] = through
    return {(a, b, cost) for (a, b), cost in best.items()}


def test_shortest_paths_need_no_horizon_on_a_cyclic_graph_and_follow_every_change(evaluator):
    p = Paths(evaluator=evaluator)
    links = {("a", "b"): 1, ("b", "c"): 2, ("c", "a"): 5, ("a", "c"): 7, ("c", "d"): 1, ("d", "d"): 0}

    def check():
        p.tick()
        assert p.path.rows() == floyd(links)
        assert p.near.rows() == {(a, b) for a, b, cost in floyd(links) if cost < 4}

    p.link.insert(*((a, b, cost) for (a, b), cost in links.items()))
    check()
    links["b", "c"] = 9
    p.link.upsert(("b", "c", 9))
    check()
    del links["a", "c"]
    p.link.delete(("a", "c"))
    check()
    links["d", "a"] = 0
    p.link.insert(("d", "a", 0))
    check()
    del links["d", "a"], links["a", "b"]
    p.link.delete(("d", "a"), ("a", "b"))
    check()


def test_a_row_keeps_what_other_rows_derive_for_its_key(evaluator):
    class P(Bloom):
        x = table("a, b")
        big = scratch("b -> is_big: lbool")

        @rule
        def rules(self):
            self.big <= ((x.b, x.b > 2) for x in self.x)

    p = P(evaluator=evaluator)
    p.x.insert((4, 1), (2, 1))
    p.tick()
    p.x.delete((2, 1))
    p.tick()
    assert p.big.rows() == {(1, False)}
    p.x.delete((4, 1))
    p.tick()
    assert p.big.rows() == set()


def test_a_row_deleted_and_derived_anew_in_two_steps_is_told_once(evaluator):
    class P(Bloom):
        x = table("k, v")
        y = table("k, v")
        most = table("k -> v: lset")

        @rule
        def rules(self):
            self.most <= self.x
            self.most <= self.y

    p = P(evaluator=evaluator)
    p.x.insert(("a", 1))
    p.tick()
    p.y.insert(("a", 2))
    p.most.delete("a")
    tick = p.tick()
    assert tick.inserted["most"] == [("a", frozenset({1, 2}))]
    assert tick.deleted["most"] == [("a", frozenset({1}))]
    p.most.delete("a")
    tick = p.tick()
    assert p.most.rows() == {("a", frozenset({1, 2}))}
    assert "most" not in tick.inserted
    assert "most" not in tick.deleted


def test_an_upsert_of_a_value_that_cannot_be_compared_replaces(evaluator):
    class P(Bloom):
        t = table("a, b")
        most = table("k -> v: lmax")
        s = scratch("a, b")

        @rule
        def rules(self):
            self.s <= ((x.a, m.k) for x in self.t for m in self.most)
            self.s <= ((y.b, x.b) for x in self.s for y in self.s if x.b == y.a)

    p = P(evaluator=evaluator)
    p.t.insert((1, 2))
    p.most.insert((4, "text"))
    p.tick()
    p.most.upsert((4, 3))
    p.tick()
    assert p.most.rows() == {(4, 3)}


def test_an_aggregate_into_a_recursive_view_is_of_the_whole_group(evaluator):
    class P(Bloom):
        t = table("a, b")
        link = table("a, b")
        total = scratch("a -> v: lmax")

        @rule
        def rules(self):
            self.total <= ((x.a, agg.sum(x.b)) for x in self.t)
            self.total <= ((l.b, y.v) for l in self.link for y in self.total if l.a == y.a)

    p = P(evaluator=evaluator)
    p.link.insert((2, 3))
    p.t.insert((2, 1))
    p.tick()
    p.t.insert((2, 2))
    p.tick()
    assert p.total.rows() == {(2, 3), (3, 3)}
    p.t.delete((2, 2))
    p.tick()
    assert p.total.rows() == {(2, 1), (3, 1)}


def test_several_lattice_columns_merge_each_for_itself(evaluator):
    class P(Bloom):
        x = table("no -> k, v")
        span = scratch("k -> low: lmin, high: lmax, values: lset")

        @rule
        def rules(self):
            self.span <= ((x.k, x.v, x.v, x.v) for x in self.x)

    p = P(evaluator=evaluator)
    p.x.insert((1, "a", 5), (2, "a", 3), (3, "b", 1), (4, "a", 4))
    p.tick()
    assert p.span.rows() == {("a", 3, 5, frozenset({3, 4, 5})), ("b", 1, 1, frozenset({1}))}
    assert p.span["a"].high == 5


def test_a_scratch_column_shrinks_with_its_causes_and_a_table_column_does_not(evaluator):
    class P(Bloom):
        x = table("no -> v")
        present = scratch("-> most: lmax")
        ever = table("-> most: lmax")

        @rule
        def rules(self):
            self.present <= (x.v for x in self.x)
            self.ever <= (x.v for x in self.x)

    p = P(evaluator=evaluator)
    p.x.insert((1, 5), (2, 3))
    p.tick()
    p.x.delete((1, 5))
    p.tick()
    assert (p.present.rows(), p.ever.rows()) == ({(3,)}, {(5,)})
    p.x.delete((2, 3))
    p.tick()
    assert (p.present.rows(), p.ever.rows()) == (set(), {(5,)})


class Versions(Bloom):
    item = table("k -> v: lmax")
    add = interface.input("k, v")
    put = interface.input("k, v")
    drop = interface.input("k")

    @rule
    def rules(self):
        self.item <+ self.add
        self.item <+- self.put
        self.item <- self.drop


def changed(evaluator, before=(), staged=(), **inputs):
    p = Versions(evaluator=evaluator)
    p.item.insert(*before)
    p.tick()
    for name, rows in inputs.items():
        getattr(p, name).insert(*rows)
    p.tick()
    for operation, row in staged:
        getattr(p.item, operation)(row)
    p.tick()
    return p.item.rows()


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({"add": [("a", 3)]}, {("a", 5)}),
        ({"add": [("a", 7), ("a", 9), ("b", 1)]}, {("a", 9), ("b", 1)}),
        ({"put": [("a", 3)]}, {("a", 3)}),
        ({"put": [("a", 3), ("a", 4)]}, {("a", 4)}),
        ({"put": [("a", 3)], "add": [("a", 4)]}, {("a", 4)}),
        ({"put": [("a", 4)], "add": [("a", 3)]}, {("a", 4)}),
        ({"drop": [("a",)]}, set()),
        ({"drop": [("a",)], "add": [("a", 2)]}, {("a", 2)}),
    ],
)
def test_next_tick_changes_of_one_key_merge_an_upsert_replaces_and_a_delete_deletes(evaluator, inputs, expected):
    assert changed(evaluator, [("a", 5)], **inputs) == expected


@pytest.mark.parametrize(
    ("staged", "expected"),
    [
        ([("insert", ("a", 3)), ("insert", ("a", 7))], {("a", 7)}),
        ([("upsert", ("a", 3)), ("insert", ("a", 2))], {("a", 3)}),
        ([("insert", ("a", 9)), ("upsert", ("a", 3))], {("a", 3)}),
        ([("insert", ("a", 9)), ("delete", "a")], set()),
        ([("delete", "a"), ("insert", ("a", 1))], {("a", 1)}),
        ([("delete", ("a", 5))], set()),
        ([("delete", ("a", 4))], {("a", 5)}),
    ],
)
def test_staged_changes_fold_in_call_order(evaluator, staged, expected):
    assert changed(evaluator, [("a", 5)], staged) == expected


def test_staged_and_pending_changes_meet(evaluator):
    assert changed(evaluator, [("a", 5)], [("insert", ("a", 8))], put=[("a", 6)]) == {("a", 8)}
    assert changed(evaluator, [("a", 5)], [("insert", ("a", 4))], put=[("a", 3)]) == {("a", 4)}
    assert changed(evaluator, [("a", 5)], [("delete", "a")], add=[("a", 3)]) == {("a", 3)}


def test_inserts_into_a_lattice_column_conflict_with_nothing(evaluator):
    p = Versions(evaluator=evaluator)
    p.item.insert(("a", 1), ("a", 3), ("a", 2))
    p.tick()
    assert p.item.rows() == {("a", 3)}

    class Plain(Bloom):
        item = table("k -> v")

    q = Plain(evaluator=evaluator)
    q.item.insert(("a", 1), ("a", 3))
    with pytest.raises(KeyConflict, match="two rows with one key in 'item'"):
        q.tick()


def test_messages_of_one_key_merge(evaluator):
    class P(Bloom):
        gossip = channel("@to, item -> version: lmax")
        heard = table("item -> version: lmax")

        @rule
        def rules(self):
            self.heard <= ((g.item, g.version) for g in self.gossip)

    p = P(evaluator=evaluator)
    p.gossip.insert(("local", "a", 3), ("local", "a", 5), ("local", "b", 1))
    p.tick()
    assert p.gossip.rows() == {("local", "a", 5), ("local", "b", 1)}
    p.gossip.insert(("local", "a", 4))
    p.tick()
    assert p.heard.rows() == {("a", 5), ("b", 1)}


def test_a_value_that_grows_is_sent_again_as_it_is_then(evaluator):
    class P(Bloom):
        x = interface.input("v")
        seen = lattice.lset()
        out = channel("@to -> all: lset")

        @rule
        def rules(self):
            self.seen <= (x.v for x in self.x)
            self.out <~ [("n2", self.seen.value)]

    p = P(evaluator=evaluator)
    p.x.insert((1,), (2,))
    assert p.tick().sent == {"out": [("n2", frozenset({1, 2}))]}
    p.x.insert((2,))
    assert p.tick().sent == {}
    p.x.insert((3,))
    assert p.tick().sent == {"out": [("n2", frozenset({1, 2, 3}))]}


def test_a_scratch_with_standing_and_transient_rows_merges_them_for_one_tick(evaluator):
    class P(Bloom):
        base = table("k, v")
        extra = interface.input("k, v")
        top = scratch("k -> v: lmax")
        high = scratch("k")

        @rule
        def rules(self):
            self.top <= self.base
            self.top <= self.extra
            self.high <= (t.k for t in self.top if t.v > 5)

    p = P(evaluator=evaluator)
    p.base.insert(("a", 3), ("b", 4))
    p.tick()
    p.extra.insert(("a", 9), ("b", 1), ("c", 7))
    p.tick()
    assert p.top.rows() == {("a", 9), ("b", 4), ("c", 7)}
    assert p.high.rows() == {("a",), ("c",)}
    p.tick()
    assert p.top.rows() == {("a", 3), ("b", 4)}
    assert p.high.rows() == set()


def test_a_row_class_names_lattices(evaluator):
    class Best(Row):
        src: str = key()
        cost: lattice.lmin
        via: lattice.lset

    class P(Bloom):
        x = table("src, cost")
        best = scratch(Best)

        @rule
        def rules(self):
            self.best <= ((x.src, x.cost, x.cost) for x in self.x)

    p = P(evaluator=evaluator)
    p.x.insert(("a", 3), ("a", 2))
    p.tick()
    assert p.best.rows() == {("a", 2, frozenset({2, 3}))}
    assert str(P.best.schema) in ("src: str -> cost: lmin, via: lset", "src: str -> cost: lattice.lmin, via: lattice.lset")


# --- functions --------------------------------------------------------------------------------------------------


class Functions(Bloom):
    names = lattice.lset()
    others = lattice.lset()
    prices = lattice.lpset()
    words = lattice.lbag()
    best = lattice.lmap(lattice.lmax)
    done = lattice.lbool()
    out = scratch("what, value")

    @rule
    def rules(self):
        self.out <= (("name", n) for n in self.names.value)
        self.out <= (("both", n) for n in self.names.value & self.others.value)
        self.out <= (("pair", n) for n in lattice.lset.product(self.names.value, self.others.value))
        self.out <= (("common", n) for n in lattice.lset.intersect(self.names.value, self.others.value))
        self.out <= (("a is there", True) for _ in (1,) if "a" in self.names.value)
        self.out <= (("b is there", True) for _ in (1,) if lattice.lset.contains(self.names.value, "b"))
        self.out <= (("three", True) for _ in (1,) if lattice.lset.size(self.names.value) >= 3)
        self.out <= (("dear", True) for _ in (1,) if lattice.lpset.sum(self.prices.value) > 10)
        self.out <= (("twice", w) for w in self.words.value if self.words.value.multiplicity(w) > 1)
        self.out <= (("z", True) for _ in (1,) if lattice.lbag.contains(self.words.value, "z"))
        self.out <= (("x at least 3", True) for _ in (1,) if self.best.value.at("x") >= 3)
        self.out <= (("key", k) for k in lattice.lmap.key_set(self.best.value))
        self.out <= (("done", w) for w in lattice.lbool.when_true(self.done.value, "yes"))


def test_thresholds_and_morphisms_turn_lattices_into_rows(evaluator):
    p = Functions(evaluator=evaluator)
    p.tick()
    assert p.out.rows() == set()
    p.names.insert("a", "b")
    p.others.insert("b")
    p.prices.insert(4, 6)
    p.words.insert(Bag("zoo"))
    p.best.insert({"x": 2})
    p.tick()
    first = {("name", "a"), ("name", "b"), ("both", "b"), ("common", "b"), ("pair", ("a", "b")), ("pair", ("b", "b"))}
    first |= {("a is there", True), ("b is there", True), ("twice", "o"), ("z", True), ("key", "x")}
    assert p.out.rows() == first
    p.names.insert("c")
    p.prices.insert(0.5)
    p.best.insert({"x": 3})
    p.done.insert(True)
    p.tick()
    more = {("name", "c"), ("pair", ("c", "b")), ("three", True), ("dear", True), ("x at least 3", True), ("done", "yes")}
    assert p.out.rows() == first | more


@lattice.monotone(lattice.lset, to=lattice.lmax)
def span(values):
    return max(values, default=0) - min(values, default=0)


@lattice.morphism(lattice.lset, to=lattice.lset)
def doubled(values):
    return frozenset(2 * one for one in values)


def test_functions_marked_as_keeping_growth_may_be_used_in_recursion(evaluator):
    class P(Bloom):
        numbers = lattice.lset()
        widest = lattice.lmax()
        wide = scratch("n")

        @staticmethod
        @lattice.morphism(lattice.lset, to=lattice.lset)
        def plus_one(values):
            return frozenset(one + 1 for one in values if one < 6)

        @rule
        def rules(self):
            self.widest <= span(self.numbers.value)
            self.numbers <= self.plus_one(self.numbers.value)
            self.numbers <= (doubled(self.numbers.value) & frozenset([8]) for _ in (1,) if self.widest.value >= 4)
            self.wide <= ((n,) for n in self.numbers.value if self.widest.value > 5)

    p = P(evaluator=evaluator)
    p.numbers.insert(2)
    p.tick()
    assert (p.numbers.value, p.widest.value, len(p.wide)) == ({2, 3, 4, 5, 6, 8}, 6, 6)


# --- monotone or not --------------------------------------------------------------------------------------------


def program(*rules):
    """A program with some rules over lattices of every kind."""
    lines = "\n".join(f"        {one}" for one in rules)
    return exec_source(
        f"""
from bloompy import *
@lattice.monotone
def known(x):
    return x
def unknown(x):
    return x
class P(Bloom):
    t = table("k, v")
    up = scratch("k -> v: lmax")
    down = scratch("k -> v: lmin")
    sets = scratch("k -> v: lset")
    flags = scratch("k -> v: lbool")
    maps = scratch("k -> v: lmap[lmin]")
    bags = scratch("k -> v: lbag")
    n = lattice.lmax()
    members = lattice.lset()
    done = lattice.lbool()
    s = scratch("v")
    two = scratch("k, v")

    @rule
    def r(self):
{lines}
"""
    )["P"]


MONOTONE = [
    "self.up <= ((x.k, x.v) for x in self.up)",
    "self.up <= ((k, v + 1) for k, v in self.up)",
    "self.up <= ((x.k, x.v + y.v) for x in self.up for y in self.up)",
    "self.up <= ((x.k, 3 - x.v) for x in self.down); self.down <= ((x.k, -x.v) for x in self.up)",
    "self.up <= ((x.k, max(x.v, 3)) for x in self.up)",
    "self.down <= ((x.k, min(x.v, y.v) * 2) for x in self.down for y in self.down)",
    "self.down <= ((x.k, x.v * -1) for x in self.up); self.up <= ((x.k, x.v / -2) for x in self.down)",
    "self.s <= ((x.k,) for x in self.up if x.v > 3); self.up <= ((y.v, 1) for y in self.s)",
    "self.s <= ((x.k,) for x in self.down if x.v <= 3 and 7 > x.v); self.down <= ((y.v, 1) for y in self.s)",
    "self.s <= ((x.k,) for x in self.up for y in self.down if x.v > y.v); self.up <= ((y.v, 1) for y in self.s)",
    "self.s <= ((e,) for x in self.sets for e in x.v); self.sets <= ((y.v, y.v) for y in self.s)",
    "self.s <= ((x.k,) for x in self.sets if 3 in x.v); self.sets <= ((y.v, y.v) for y in self.s)",
    "self.sets <= ((x.k, (x.v | y.v) & x.v) for x in self.sets for y in self.sets)",
    "self.sets <= ((x.k, x.v - frozenset([1])) for x in self.sets)",
    "self.s <= ((x.k,) for x in self.sets if len(x.v) > 2 or 5 in x.v); self.sets <= ((y.v, y.v) for y in self.s)",
    "self.s <= ((x.k,) for x in self.sets if x.v); self.sets <= ((y.v, y.v) for y in self.s)",
    "self.s <= ((x.k,) for x in self.flags if x.v); self.flags <= ((y.v, True) for y in self.s)",
    "self.s <= ((x.k,) for x in self.maps if x.v.at(3) < 2); self.maps <= ((y.v, lattice.Map({1: 2})) for y in self.s)",
    "self.s <= ((m,) for x in self.maps for m in x.v); self.maps <= ((y.v, lattice.Map({1: 2})) for y in self.s)",
    "self.bags <= ((x.k, x.v + x.v) for x in self.bags)",
    "self.up <= ((x.k, known(x.v)) for x in self.up)",
    "self.down <= ((x.k, known(x.v)) for x in self.up); self.up <= ((x.k, known(x.v)) for x in self.down)",
    "self.s <= ((x.k,) for x in self.t if any(u.v > 3 for u in self.up if u.k == x.k)); self.up <= ((y.v, 1) for y in self.s)",
    "self.s <= ((t.k,) for t in self.t if self.up[t.k].v > 3); self.up <= ((y.v, 1) for y in self.s)",
    "self.n <= self.n.value + 0",
    "self.n <= len(self.members.value); self.members <= (t.v for t in self.t if self.n.value > 2)",
    "self.members <= (t.k for t in self.t if self.done.value); self.done <= (len(self.members.value) > 2)",
    "self.s <= ((x.k,) for x in self.up); self.up <= ((y.v, 1) for y in self.s)",
    "self.up <= ((x.k, min(x.v)) for x in self.sets); self.sets <= ((x.k, x.v) for x in self.t)",
]
NOT_MONOTONE = [
    "self.up <= ((x.k, -x.v) for x in self.up)",
    "self.up <= ((x.k, 3 - x.v) for x in self.up)",
    "self.up <= ((x.k, x.v * y.v) for x in self.up for y in self.up)",
    "self.up <= ((x.k, x.v % 3) for x in self.up)",
    "self.up <= ((x.v, 1) for x in self.up)",
    "self.up <= ((x.k, unknown(x.v)) for x in self.up)",
    "self.up <= ((x.k, len(f'{x}')) for x in self.up)",
    "self.up <= ((x.k, x.v) for x in self.down); self.down <= ((x.k, x.v) for x in self.up)",
    "self.s <= ((x.v,) for x in self.up); self.up <= ((y.v, 1) for y in self.s)",
    "self.s <= ((x.k,) for x in self.up if x.v < 3); self.up <= ((y.v, 1) for y in self.s)",
    "self.s <= ((x.k,) for x in self.up if not x.v > 3); self.up <= ((y.v, 1) for y in self.s)",
    "self.s <= ((x.k,) for x in self.up if x.v == 3); self.up <= ((y.v, 1) for y in self.s)",
    "self.s <= ((x.k,) for x in self.up if x.v); self.up <= ((y.v, 1) for y in self.s)",
    "self.s <= ((x.k,) for x in self.down if x.v > 3); self.down <= ((y.v, 1) for y in self.s)",
    "self.s <= ((x.k,) for x in self.up for y in self.up if x.v > y.v); self.up <= ((y.v, 1) for y in self.s)",
    "self.s <= ((x.k,) for x in self.sets if 3 not in x.v); self.sets <= ((y.v, y.v) for y in self.s)",
    "self.s <= ((x.k,) for x in self.sets if not x.v); self.sets <= ((y.v, y.v) for y in self.s)",
    "self.s <= ((x.k,) for x in self.sets if len(x.v) == 2); self.sets <= ((y.v, y.v) for y in self.s)",
    "self.s <= ((x.k,) for x in self.flags if not x.v); self.flags <= ((y.v, True) for y in self.s)",
    "self.s <= ((x.k,) for x in self.maps if x.v.at(3) > 2); self.maps <= ((y.v, lattice.Map({1: 2})) for y in self.s)",
    "self.s <= ((x.k,) for x in self.maps if x.v[3] < 2); self.maps <= ((y.v, lattice.Map({1: 2})) for y in self.s)",
    "self.sets <= ((x.k, frozenset([1]) - x.v) for x in self.sets)",
    "self.s <= ((x.k,) for x in self.t if not any(u.v > 3 for u in self.up)); self.up <= ((y.v, 1) for y in self.s)",
    "self.s <= ((t.k,) for t in self.t for u in self.up if not any(z.k > u.v for z in self.t)); self.up <= ((y.v, 1) for y in self.s)",
    "self.s <= ((self.up[x.v].v,) for x in self.t); self.up <= ((y.v, 1) for y in self.s)",
    "self.two <= self.up; self.up <= self.two",
    "self.n <= 0 - self.n.value",
    "self.members <= (t.k for t in self.t if not self.done.value); self.done <= (len(self.members.value) > 2)",
    "self.n <= (self.n.value if self.done.value else 0); self.done <= (self.n.value > 2)",
    "self.up <= ((x.k, 1) for x in self.t if (x.k, x.v) in self.two); self.two <= ((x.k, x.v) for x in self.up)",
]


@pytest.mark.parametrize("rules", MONOTONE)
def test_recursion_through_monotone_uses_is_allowed(rules):
    program(*rules.split("; "))


@pytest.mark.parametrize("rules", NOT_MONOTONE)
def test_recursion_through_other_uses_is_rejected(rules):
    with pytest.raises(Unstratifiable, match="a lattice value used non-monotonically") as caught:
        program(*rules.split("; "))
    assert "direction of its growth" in caught.value.hint


def test_the_cycle_shows_whose_value_is_used():
    with pytest.raises(Unstratifiable) as caught:
        program("self.s <= ((x.v,) for x in self.up)", "self.up <= ((y.v, 1) for y in self.s)")
    assert "s <= … the value of up …" in str(caught.value)
    assert "up <= … s …" in str(caught.value)


def test_a_value_used_in_another_way_is_complete_first(evaluator):
    class P(Bloom):
        x = table("v")
        n = lattice.lmax()
        few = scratch("v")
        shown = scratch("n")
        open = scratch("v")
        closed = lattice.lbool()

        @rule
        def rules(self):
            self.few <= ((x.v,) for x in self.x if self.n.value < 3)
            self.shown <= ((self.n.value,) for _ in (1,))
            self.open <= ((x.v,) for x in self.x if not self.closed.value)
            self.n <= (x.v for x in self.x)
            self.closed <= (x.v > 7 for x in self.x)

    p = P(evaluator=evaluator)
    p.x.insert((1,), (2,))
    p.tick()
    assert (p.few.rows(), p.shown.rows(), p.open.rows()) == ({(1,), (2,)}, {(2,)}, {(1,), (2,)})
    p.x.insert((8,))
    p.tick()
    assert (p.few.rows(), p.shown.rows(), p.open.rows()) == (set(), {(8,)}, set())


def test_negation_and_aggregates_over_lattice_columns(evaluator):
    class P(Bloom):
        link = table("src, dst -> cost: int")
        path = scratch("src, dst -> cost: lmin")
        far = scratch("src -> cost")
        lonely = scratch("n")

        @rule
        def rules(self):
            self.path <= self.link
            self.path <= ((p.src, l.dst, p.cost + l.cost) for p in self.path for l in self.link if p.dst == l.src)
            self.far <= ((p.src, agg.max(p.cost)) for p in self.path)
            self.lonely <= ((l.dst,) for l in self.link if not any(p.cost < 10 for p in self.path if p.src == l.dst))

    p = P(evaluator=evaluator)
    p.link.insert(("a", "b", 1), ("b", "c", 20))
    p.tick()
    assert (p.far.rows(), p.lonely.rows()) == ({("a", 21), ("b", 20)}, {("b",), ("c",)})


def test_an_invariant_may_read_lattices(evaluator):
    class P(Bloom):
        n = lattice.lmax()

        @invariant
        def bounded(self):
            ((self.n.value,) for _ in (1,) if self.n.value > 9)

    p = P(evaluator=evaluator)
    p.n.insert(9)
    p.tick()
    p.n.insert(10)
    with pytest.raises(InvariantViolation, match="bounded"):
        p.tick()
    assert p.n.value == 9


# --- user-defined lattices --------------------------------------------------------------------------------------


class lpair(lattice.Lattice):
    """Pairs of numbers, each of which only grows."""

    bottom = (0, 0)

    @staticmethod
    def merge(a, b):
        return (max(a[0], b[0]), max(a[1], b[1]))

    @classmethod
    def lift(cls, value):
        if not isinstance(value, tuple):
            raise TypeError("give a pair")
        return value


def test_a_lattice_of_ones_own_is_a_collection_and_a_type(evaluator):
    class P(Bloom):
        x = table("k, v")
        clock = lpair()
        clocks = scratch("k -> c: lpair")

        @rule
        def rules(self):
            self.clock <= (((x.v, 10 - x.v),) for x in self.x)
            self.clocks <= ((x.k, (x.v, 10 - x.v)) for x in self.x)

    p = P(evaluator=evaluator)
    assert p.clock.value == (0, 0)
    p.x.insert(("a", 3), ("a", 8), ("b", 1))
    p.tick()
    assert p.clock.value == (8, 9)
    assert p.clocks.rows() == {("a", (8, 7)), ("b", (1, 9))}


def test_a_user_lattice_without_bottom_or_merge_is_an_error():
    with pytest.raises(DeclarationError, match="the lattice .*wrong has no bottom"):

        class wrong(lattice.Lattice):
            @staticmethod
            def merge(a, b):
                return a

    with pytest.raises(DeclarationError, match="has no merge"):

        class worse(lattice.Lattice):
            bottom = 0


def test_a_lattice_that_is_not_called_is_an_error_and_one_defined_within_a_class_is_not():
    with pytest.raises(DeclarationError, match="P.most is the lattice lmax itself") as caught:

        class P(Bloom):
            most = lattice.lmax

    assert "most = lattice.lmax()" in caught.value.hint

    class Q(Bloom):
        class llast(lattice.lmax):
            """A lattice of the class itself."""

        last = llast()

    assert Q.last.lattice is Q.llast


def test_a_lattice_of_a_module_is_its_own():
    class Inner(Bloom):
        most = lattice.lmax()

    with pytest.raises(InterfaceError, match="most is a lattice of the module inner and is not read from outside"):

        class Outer(Bloom):
            inner = module(Inner)
            s = scratch("v")

            @rule
            def rules(self):
                self.s <= ((self.inner.most.value,) for _ in (1,))


def test_a_mark_of_something_that_is_no_lattice_is_an_error():
    with pytest.raises(DeclarationError, match="@lattice.monotone is given") as caught:
        lattice.monotone(int, to=lattice.lmax)
    assert "lattice.lset, to=lattice.lmax" in caught.value.hint


# --- durable ----------------------------------------------------------------------------------------------------


def test_durable_lattices_come_back(evaluator):
    class P(Bloom):
        seen = lattice.lset(durable=True)
        item = table("k -> v: lmax", durable=True)
        x = interface.input("k, v")

        @rule
        def rules(self):
            self.seen <= (x.k for x in self.x)
            self.item <+ self.x

    stored: dict[str, dict] = {}

    def commit(durable: Durable) -> None:
        for name, rows in durable.upserted.items():
            schema = P.program_ir.by_name[name].schema
            stored.setdefault(name, {}).update((schema.key_of(row), row) for row in rows)

    first = P(evaluator=evaluator)
    for rows in ([("a", 2)], [("a", 1), ("b", 4)], [("a", 7)]):
        first.x.insert(*rows)
        machine_of(first).run(machine_of(first).take(1.0), commit)
    assert stored == {"seen": {(): (frozenset({"a", "b"}),)}, "item": {"a": ("a", 7), "b": ("b", 4)}}
    second = P(evaluator=evaluator)
    machine_of(second).restore({name: list(rows.values()) for name, rows in stored.items()})
    assert second.seen.value == {"a", "b"}
    second.x.insert(("c", 1))
    second.tick()
    assert second.seen.value == {"a", "b", "c"}


# --- values -----------------------------------------------------------------------------------------------------


def test_values_compare_by_what_they_hold_and_cannot_be_changed():
    assert Map({"a": 1, "b": 2}) == Map([("b", 2), ("a", 1)])
    assert hash(Map({"a": 1, "b": 2})) == hash(Map({"b": 2, "a": 1}))
    assert repr(Map({"b": 2, "a": 1})) == "Map({'a': 1, 'b': 2})"
    assert Map({"a": 1})["a"] == 1
    assert Map({"a": 1}).at("b") == -math.inf
    assert (Bag("aab"), hash(Bag("aab")), len(Bag("aab"))) == (Bag({"a": 2, "b": 1}), hash(Bag("baa")), 3)
    assert repr(Bag("baa")) == "Bag({'a': 2, 'b': 1})"
    assert (Bag("aab") + Bag("a"), Bag("aab") & Bag("ab")) == (Bag("aaab"), Bag("ab"))
    for value in (Map(), Bag()):
        with pytest.raises(AttributeError, match="cannot be changed"):
            value.of = 1
    with pytest.raises(ValueError, match="cannot be in a Bag 0 times"):
        Bag({"a": 0})


@pytest.mark.parametrize(
    "thing", [Map({"a": 1}, lattice.lmin), Bag("aab"), lattice.LEAST, lattice.GREATEST, lattice.lmax, lattice.lmap[lattice.lmap[lattice.lmin]]]
)
def test_values_and_lattices_are_pickled(thing):
    again = pickle.loads(pickle.dumps(thing))
    assert again == thing
    assert not isinstance(thing, Map) or again.of is thing.of


@pytest.mark.parametrize("other", [0, -3.5, 10**400, "a", (1,), b"", -math.inf, math.inf])
def test_the_bottoms_can_be_compared_with_anything(other):
    least = other == -math.inf
    assert (lattice.LEAST < other, lattice.LEAST >= other, other > lattice.LEAST, other <= lattice.LEAST) == (not least, least, not least, least)
    greatest = other == math.inf
    assert (lattice.GREATEST > other, lattice.GREATEST <= other, other < lattice.GREATEST) == (not greatest, greatest, not greatest)
    assert (lattice.LEAST + 1, 1 - lattice.LEAST, lattice.LEAST * -2, lattice.LEAST // 2) == (-math.inf, math.inf, math.inf, -math.inf)


# --- errors -----------------------------------------------------------------------------------------------------


def test_a_lattice_has_no_place_in_a_key():
    with pytest.raises(SchemaError, match="the key column 'v' is of the lattice lmax") as caught:
        table("k, v: lmax")
    assert 'behind the arrow, as in "id -> v: lmax"' in caught.value.hint


def test_all_value_columns_are_lattices_or_none():
    with pytest.raises(SchemaError, match="the value column 'name' is no lattice, others are") as caught:
        table("k -> name, v: lmax")
    assert "make all value columns lattices" in caught.value.hint


@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        ("lmax", math.nan, "does not equal itself"),
        ("lmin", None, "it has no order"),
        ("lmax", 1j, "it has no order"),
        ("lmax", frozenset({1}), "use lset"),
        ("lbool", 1, "write bool"),
        ("lset", math.nan, "NaN equals nothing"),
        ("lpset", -1, "no number from 0 on"),
        ("lpset", "a", "no number from 0 on"),
        ("lmap", 3, "give a Map or a dict"),
        ("lmap[lmin]", {"a": math.nan}, "does not equal itself"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_where_it_enters(evaluator, column, value, why):
    p = exec_source(f"from bloompy import *\nclass P(Bloom):\n    t = table('k -> v: {column}')\n")["P"](evaluator=evaluator)
    with pytest.raises(RowError, match="t.v: .* is not of type") as caught:
        p.t.insert(("a", value))
    assert why in caught.value.hint


def test_a_derived_value_that_does_not_fit_names_rule_and_column(evaluator):
    class P(Bloom):
        x = table("k, v")
        n = scratch("k -> v: lmax")

        @rule
        def rules(self):
            self.n <= self.x

    p = P(evaluator=evaluator)
    p.x.insert(("a", None))
    with pytest.raises(RowError, match="n.v: None is not of type lmax") as caught:
        p.tick()
    assert any("in rule P.rules" in note for note in caught.value.__notes__)


def test_values_that_cannot_be_compared_name_collection_and_rows(evaluator):
    class P(Bloom):
        x = table("no -> k, v")
        n = scratch("k -> v: lmax")

        @rule
        def rules(self):
            self.n <= ((x.k, x.v) for x in self.x)

    p = P(evaluator=evaluator)
    p.x.insert((1, "a", 5), (2, "a", "five"))
    with pytest.raises(UnorderableValues, match="n: cannot merge .*: cannot order 5 and 'five'"):
        p.tick()


def test_a_literal_that_does_not_fit_is_an_error_of_the_class():
    with pytest.raises(ColumnTypeError, match="3 is not of type lbool"):
        program('self.flags <= ("a", 3)')


# --- cost -------------------------------------------------------------------------------------------------------


class counted(lattice.lset):
    """An lset that counts the elements that merging copies."""

    copied = 0

    @staticmethod
    def merge(a, b):
        merged = lattice.lset.merge(a, b)
        counted.copied += len(merged) if merged is not a else 0
        return merged

    @classmethod
    def merge_all(cls, values):
        merged = lattice.lset.merge_all(values)
        counted.copied += len(merged)
        return merged


def test_thousands_of_elements_of_one_tick_are_merged_at_once(evaluator):
    class P(Bloom):
        x = interface.input("v")
        seen = counted()
        columns = scratch("k -> v: counted")

        @rule
        def rules(self):
            self.seen <= (x.v for x in self.x)
            self.columns <= (("a", x.v) for x in self.x)

    p = P(evaluator=evaluator)
    p.x.insert(*((i,) for i in range(8_000)))
    counted.copied = 0
    p.tick()
    assert len(p.seen.value) == len(p.columns["a"].v) == 8_000
    assert counted.copied < 20 * 8_000  # one by one it would be 64,000,000


def test_thousands_of_elements_inserted_one_by_one_are_merged_at_once(evaluator):
    class P(Bloom):
        seen = counted()

    p = P(evaluator=evaluator)
    for i in range(8_000):
        p.seen.insert(i)
    counted.copied = 0
    p.tick()
    assert len(p.seen.value) == 8_000
    assert counted.copied < 20 * 8_000


def test_a_row_that_supports_itself_goes_though_a_value_had_grown_meanwhile(evaluator):
    class P(Bloom):
        kept = scratch("a, b")
        row = table("a, b")
        map = lattice.lmap(lattice.lmin)

        @rule
        def rules(self):
            self.kept <= ((x.a, x.b) for x in self.row if x.b in self.map.value)
            self.kept <= ((x.a, x.b) for x in self.kept if len(self.map.value) > 1)

    p = P(evaluator=evaluator)
    p.row.insert((4, 0))
    p.map.insert({0: 0}, {2: 4})
    p.tick()
    p.map.insert({1: 3})
    p.tick()
    p.row.delete((4, 0))
    p.tick()
    assert p.kept.rows() == set()
