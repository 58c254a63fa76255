"""The bulk backend against the naive evaluator: the same rows, or a refusal."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from bloompy import Bloom, agg, param, rule, scratch, table
from tests.engine.bulk import Refusal, agree, bulk, lowered, on_columns

pytest.importorskip("numpy")

OFFSET = 3


class Closure(Bloom):
    edge = table("a, b")
    path = scratch("a, b")

    @rule
    def paths(self):
        self.path <= ((e.a, e.b) for e in self.edge)
        self.path <= ((e.a, p.b) for e in self.edge for p in self.path if e.b == p.a)


class RightClosure(Closure):
    @rule
    def paths(self):
        self.path <= self.edge
        self.path <= ((p.a, b) for p in self.path for a, b in self.edge if p.b == a)


class SquareClosure(Closure):
    @rule
    def paths(self):
        self.path <= self.edge
        self.path <= ((p.a, q.b) for p in self.path for q in self.path if p.b == q.a)


class SameGeneration(Bloom):
    par = table("a, b")
    sg = scratch("a, b")

    @rule
    def pairs(self):
        self.sg <= ((p.a, q.a) for p in self.par for q in self.par if p.b == q.b and p.a != q.a)
        self.sg <= ((p.a, q.a) for s in self.sg for p in self.par for q in self.par if p.b == s.a and q.b == s.b)


class PointsTo(Bloom):
    addr, assign, load, store = table("v, h"), table("v, u"), table("v, p"), table("p, u")
    pt = scratch("v, h")

    @rule
    def points(self):
        self.pt <= self.addr
        self.pt <= ((a.v, p.h) for a in self.assign for p in self.pt if a.u == p.v)
        self.pt <= ((l.v, q.h) for l in self.load for p in self.pt for q in self.pt if l.p == p.v and p.h == q.v)
        self.pt <= ((p.h, q.h) for s in self.store for p in self.pt for q in self.pt if s.p == p.v and s.u == q.v)


class Triangles(Bloom):
    edge = table("a, b")
    triangle = scratch("a, b, c")

    @rule
    def find(self):
        self.triangle <= ((x.a, x.b, y.b) for x in self.edge for y in self.edge for z in self.edge if x.b == y.a and x.a == z.a and y.b == z.b)


class Bounded(Bloom):
    """Calculated values that grow round by round."""

    link = table("src, dst -> cost: int")
    path = scratch("src, dst, cost")
    best = scratch("src, dst -> cost")
    reach = scratch("src -> n, total, low, high")
    horizon = param(30)

    @rule
    def paths(self):
        self.path <= ((l.src, l.dst, l.cost) for l in self.link)
        self.path <= ((l.src, p.dst, l.cost + p.cost) for l in self.link for p in self.path if l.dst == p.src and l.cost + p.cost < self.horizon)
        self.best <= ((p.src, p.dst, agg.min(p.cost)) for p in self.path)
        self.reach <= ((p.src, agg.count(), agg.sum(p.cost), agg.min(p.cost), agg.max(2 * p.cost) - OFFSET) for p in self.path)


class Conditions(Bloom):
    a = table("x, y")
    b = table("k -> v")
    c = table("k, x")
    plain, several, without, some, none, late, joined, ranged = (scratch("x, y") for _ in range(8))
    literal = scratch("x, y, z")

    @rule
    def rules(self):
        self.plain <= ((r.x, r.y) for r in self.a if r.x == r.y or not (r.x != 1 and r.y != 2))
        self.several <= ((r.x, s.v) for r in self.a for s in self.b if r.x == s.k and r.x in self.b)
        self.without <= ((r.x, r.y) for r in self.a if r.y not in self.b and (r.x, r.y) not in self.c)
        self.some <= ((r.x, r.y) for r in self.a if any(s.x == r.y and t.k == s.k for s in self.c for t in self.b))
        self.none <= ((r.x, r.y) for r in self.a if not any(s.k == r.x and s.x != r.y for s in self.c) or r.x in self.b)
        self.joined <= ((r.x, t.x) for r in self.a for s in self.c for t in self.c if r.y == s.x and s.k == t.k)
        self.literal <= ((r.x, 7, None) for r in self.a if r.y == 2)
        self.literal <= ("one", 2, None)


class Numbers(Bloom):
    a = table("x: int, y: int")
    ordered, calculated, divided, late = (scratch("x, y") for _ in range(4))

    @rule
    def rules(self):
        self.ordered <= ((r.x, r.y) for r in self.a if -2 < r.x <= r.y)
        self.calculated <= ((-r.x, r.x * r.y - 1) for r in self.a if r.x + r.y > 0)
        self.divided <= ((r.x // 3, r.y % 4) for r in self.a)
        self.late <= ((r.x, s.y) for r in self.a for s in self.a if r.x == s.y + OFFSET)


class Truths(Bloom):
    a = table("x -> ok")
    out = scratch("x")

    @rule
    def rules(self):
        self.out <= (r.x for r in self.a if r.ok)
        self.out <= (r.x for r in self.a if not r.ok and r.x is None)


CLOSURES = [Closure, RightClosure, SquareClosure]

NODES = {
    "ints": lambda n: list(range(n)),
    "far ints": lambda n: [i * 10**14 for i in range(n)],
    "huge ints": lambda n: [i << 70 for i in range(n)],
    "negative": lambda n: [-7 * i for i in range(n)],
    "strings": lambda n: [f"node {i}" for i in range(n)],
    "tuples": lambda n: [("t", i, None) for i in range(n)],
    "floats": lambda n: [i + 0.5 for i in range(n)],
    "mixed": lambda n: [i if i % 3 else str(i) if i % 2 else (i,) for i in range(n)] + [None],
    "frozensets": lambda n: [frozenset({i}) for i in range(n)],
}


def pairs(nodes, count, seed):
    drawn = random.Random(seed)
    return list(dict.fromkeys((drawn.choice(nodes), drawn.choice(nodes)) for _ in range(count)))


@pytest.mark.parametrize("kind", NODES)
@pytest.mark.parametrize("program", CLOSURES)
def test_closures_over_values_of_any_type(program, kind):
    for seed in range(3):
        agree(program(), {"edge": pairs(NODES[kind](12), 8 + 6 * seed, seed)})


@pytest.mark.parametrize("kind", NODES)
def test_conditions_over_values_of_any_type(kind):
    for seed in range(3):
        nodes = [*NODES[kind](6), 1, 2] if kind in ("ints", "mixed") else NODES[kind](6)
        values = dict(pairs(nodes, 4, seed + 1))
        agree(Conditions(), {"a": pairs(nodes, 20, seed), "b": list(values.items()), "c": pairs(nodes, 9, seed + 2)})


@pytest.mark.parametrize("seed", range(5))
def test_numbers(seed):
    drawn = random.Random(seed)
    rows = list({(drawn.randint(-9, 9), drawn.randint(-9, 9)): None for _ in range(40)})
    agree(Numbers(), {"a": rows})


@pytest.mark.parametrize("seed", range(5))
def test_bounded_paths_with_aggregates(seed):
    drawn = random.Random(seed)
    links = {(drawn.choice("abcdef"), drawn.choice("abcdef")): drawn.randint(1, 9) for _ in range(12)}
    agree(Bounded(), {"link": [(*key, cost) for key, cost in links.items()]})


@pytest.mark.parametrize("seed", range(5))
def test_several_recursive_joins(seed):
    nodes = list(range(9))
    agree(PointsTo(), {name: pairs(nodes, 8, f"{seed} {name}") for name in ("addr", "assign", "load", "store")})


def test_same_generation_and_triangles():
    drawn = random.Random(1)
    agree(SameGeneration(), {"par": [(i, drawn.randrange(i)) for i in range(1, 20)]})
    agree(Triangles(), {"edge": pairs(list(range(10)), 40, 3)})


@pytest.mark.parametrize("program", [*CLOSURES, Triangles])
def test_no_rows(program):
    assert agree(program(), {"edge": []}) is not None


@pytest.mark.parametrize("values", [[True, False, None, "", "x", 0, 3], [0.0, 1.5], [(), (0,)]])
def test_the_truth_of_values(values):
    rows = [(i, value) for i, value in enumerate(values) if not any(value == other for other in values[:i])]
    agree(Truths(), {"a": [*rows, (None, None)] if None not in [x for x, _ in rows] else rows})


def test_chunks_of_one_candidate_change_nothing(monkeypatch):
    monkeypatch.setattr("bloompy.engine.columnar.joins.CHUNK", 1)
    agree(PointsTo(), {name: pairs(list(range(7)), 6, name) for name in ("addr", "assign", "load", "store")})
    agree(Closure(), {"edge": pairs(list(range(9)), 14, 3)})


def test_domains_too_large_for_maps_change_nothing(monkeypatch):
    monkeypatch.setattr("bloompy.engine.columnar.distinct.MAP_LIMIT", 0)
    monkeypatch.setattr("bloompy.engine.columnar.distinct._SORTED", 0)
    agree(PointsTo(), {name: pairs(list(range(9)), 9, name) for name in ("addr", "assign", "load", "store")})
    for program in CLOSURES:
        agree(program(), {"edge": pairs(list(range(15)), 20, 3)})


def test_a_bit_for_each_possible_key():
    drawn = random.Random(2)
    nodes = [drawn.randrange(3000) for _ in range(3000)]
    edges = [(drawn.choice(nodes), drawn.choice(nodes)) for _ in range(9000)]
    edges = list(dict.fromkeys([*edges, *((b, a) for a, b in edges[:2000])]))
    held = set(edges)
    found = set(on_columns(Triangles(), {"edge": edges})["triangle"])
    after: dict[int, list[int]] = {}
    for a, b in edges:
        after.setdefault(a, []).append(b)
    expected = {(a, b, c) for a, b in edges for c in after.get(b, ()) if (a, c) in held}
    assert found == expected


# --- refusals ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "edges",
    [
        [(1, 2), (2.0, 3)],
        [(1, True), (0, 3)],
        [((1,), 2), ((1.0,), 3)],
        [(0.0, 1.5), (-0.0, 2.5)],
        [(float("nan"), 1)],
        [(frozenset({1}), 2), (frozenset({1.0}), 3)],
    ],
)
def test_equal_values_of_different_looks_are_left_to_python(edges):
    with pytest.raises(Refusal, match="equal values|NaN"):
        on_columns(Closure(), {"edge": edges})


def test_equal_values_of_different_types_that_never_meet_are_none_of_that():
    class Apart(Bloom):
        a = table("k, v")
        out = scratch("k, v")

        @rule
        def copy(self):
            self.out <= ((r.k, r.v) for r in self.a if r.k != 5)

    agree(Apart(), {"a": [(1, True), (2, False), (3, "1")]})


def test_a_literal_of_another_type_than_what_it_equals_is_left_to_python():
    class Compared(Bloom):
        a = table("x")
        out = scratch("x")

        @rule
        def same(self):
            self.out <= (r.x for r in self.a if r.x == 1.0)

    with pytest.raises(Refusal, match="equal values of different types"):
        on_columns(Compared(), {"a": [(1,), (2,)]})
    agree(Compared(), {"a": [(3,), (2,)]})


def test_two_rows_of_one_key_are_left_to_python():
    class Keyed(Bloom):
        a = table("x, y")
        out = scratch("x -> y")

        @rule
        def copy(self):
            self.out <= self.a

    agree(Keyed(), {"a": [(1, 2), (2, 2)]})
    with pytest.raises(Refusal, match="two rows of one key"):
        on_columns(Keyed(), {"a": [(1, 2), (1, 3)]})


def test_a_conflict_in_a_recursion_without_end_is_found_at_once():
    class Costs(Bloom):
        link = table("a, b -> cost: int")
        best = scratch("a, b -> cost")

        @rule
        def rules(self):
            self.best <= self.link
            self.best <= ((l.a, p.b, l.cost + p.cost) for l in self.link for p in self.best if l.b == p.a)

    with pytest.raises(Refusal, match="two rows of one key"):
        on_columns(Costs(), {"link": [(1, 2, 1), (2, 1, 1)]})


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([(2**61, 2**61)], "more than 62 bits"),
        ([(2**63, 1)], "what is no int"),
        ([(1.5, 1)], "what is no int"),
        ([(True, 1)], "what is no int"),
        ([("a", 1)], "what is no int"),
    ],
)
def test_numbers_that_int64_does_not_hold_are_left_to_python(rows, why):
    with pytest.raises(Refusal, match=why):
        on_columns(Numbers(), {"a": rows})


def test_a_division_by_zero_is_left_to_python():
    class Divided(Bloom):
        a = table("x, y")
        out = scratch("q")

        @rule
        def rules(self):
            self.out <= (r.x // r.y for r in self.a)

    assert agree(Divided(), {"a": [(7, -2), (6, 4)]})
    with pytest.raises(Refusal, match="division by zero"):
        on_columns(Divided(), {"a": [(1, 0)]})


def test_a_chain_of_many_rounds_is_left_to_python():
    class Reached(Bloom):
        edge = table("a, b")
        reached = scratch("a")

        @rule
        def rules(self):
            self.reached <= [(0,)]
            self.reached <= (e.b for e in self.edge for r in self.reached if e.a == r.a)

    agree(Reached(), {"edge": [(i, i + 1) for i in range(20)]})
    with pytest.raises(Refusal, match="many rounds of few rows"):
        on_columns(Reached(), {"edge": [(i, i + 1) for i in range(1000)]})


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("self.out <= (len(r.x) for r in self.a)", "the expression len"),
        ("self.out <= (r.x for r in self.a if r.x.startswith('a'))", "condition"),
        ("self.out <= (c for r in self.a for c in r.x)", "iteration"),
        ("self.out <= (agg.avg(r.x) for r in self.a)", "the aggregate avg"),
        ("self.out <= (self.step + r.x for r in self.a)", "self.step"),
        ("self.out <= (self.a.get(r.x, (0,)).x for r in self.a)", "expression"),
    ],
)
def test_expressions_that_are_left_to_python(statement, why):
    from bloompy import exec_source

    text = f"""
from bloompy import Bloom, agg, rule, scratch, table

class P(Bloom):
    a = table("x")
    out = scratch("x")

    @rule
    def rules(self):
        {statement}
"""
    program = exec_source(text)["P"]()
    [component] = [one for one in lowered(program).components if "out" in one.relations]
    refused = bulk(program, component, standing="step" not in statement)
    assert not refused.possible
    assert why in refused.reason


def test_tables_that_rules_fill_keep_what_they_have():
    class Kept(Bloom):
        edge = table("a, b")
        path = table("a, b")

        @rule
        def paths(self):
            self.path <= self.edge
            self.path <= ((p.a, e.b) for p in self.path for e in self.edge if p.b == e.a)

    agree(Kept(), {"edge": pairs(list(range(9)), 9, 1), "path": pairs(list(range(9)), 5, 2)})


# --- without numpy ------------------------------------------------------------------------------------------------


def test_whether_columns_can_do_it_is_known_without_importing_numpy():
    code = """
import sys
from bloompy.engine.columnar import bulk
assert bulk.available() and "numpy" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
