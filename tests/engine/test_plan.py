"""Join orders: chosen by what is bound, never at the expense of a guard."""

from __future__ import annotations

import pytest

from bloompy import Bloom, agg, channel, exec_source, interface, param, periodic, rule, scratch, table
from bloompy.engine import plan as planning
from bloompy.engine.lower import lower
from bloompy.engine.plan import Drive, Find, Flatten, Probe, ScanAll, layouts_of, plan
from bloompy.engine.types import ANY, column_types
from bloompy.errors import UnsupportedStatement

TESTED = planning.Test


class Joins(Bloom):
    a = table("k -> v")
    b = table("x, y")
    out = scratch("v, y")

    @rule
    def rules(self):
        self.out <= ((p.v, q.y) for p in self.a for q in self.b if p.v > 0 and p.k == q.x)


def steps(program: type[Bloom], driver: int | None, label: str = "", **parameters):
    """The plan of the only rule, or of the only one of a method."""
    lowered = lower(program.program_ir, frozenset(), False)
    derivations = [one for component in lowered.components for one in component.derivations]
    [derivation] = [one for one in derivations if one.rule.label.endswith(label)]
    return plan(derivation.query.body, layouts_of(lowered, parameters), driver)


def kinds(program: type[Bloom], driver: int | None, label: str = "", **parameters):
    return [type(step) for step in steps(program, driver, label, **parameters)]


def types_of(program: type[Bloom], name: str, debug: bool = False, **parameters) -> list[set[type]]:
    return [set(one) for one in column_types(lower(program.program_ir, frozenset(), debug), parameters)[name]]


# --- the order of joins


def test_in_full_a_query_starts_where_the_rest_is_reached_by_key():
    assert kinds(Joins, None) == [ScanAll, Find, TESTED]
    assert steps(Joins, None)[0].scan.collection == "b"


def test_driven_from_the_side_of_the_key_it_probes_an_index():
    assert kinds(Joins, 0) == [Drive, TESTED, Probe]


def test_driven_from_the_other_side_it_finds_by_key():
    assert kinds(Joins, 1) == [Drive, Find, TESTED]


class Turns(Bloom):
    applied = table("-> slot: int")
    vote = table("slot: int -> ballot: int, value")
    told = interface.input("ballot: int, upto: int")
    asked = interface.input("ballot: int, by")
    out = scratch("slot, value")
    heard = scratch("by, slot")

    @rule
    def learn(self):
        self.out <= ((v.slot, v.value) for t in self.told for a in self.applied for slot in range(a.slot + 1, t.upto + 1)
                     for v in self.vote if v.slot == slot and v.ballot == t.ballot)

    @rule
    def hear(self):
        self.heard <= ((m.by, a.slot) for m in self.asked for a in self.applied if m.ballot == a.slot)


def test_a_flat_map_that_leads_to_a_key_comes_before_an_index():
    found = steps(Turns, None, "learn")
    assert [type(one) for one in found] == [ScanAll, ScanAll, Flatten, Find, TESTED]
    assert [found[0].scan.collection, found[3].scan.collection] == ["applied", "vote"]


def test_a_relation_of_one_row_comes_first_and_needs_no_index():
    found = steps(Turns, None, "hear")
    assert [type(one) for one in found] == [ScanAll, ScanAll, TESTED]
    assert [one.scan.collection for one in found[:2]] == ["applied", "asked"]


class Chain(Bloom):
    a = table("x, y")
    b = table("y, z")
    c = table("z, w")
    lone = table("u")
    out = scratch("x, w, u")

    @rule
    def rules(self):
        self.out <= ((p.x, r.w, s.u) for p in self.a for s in self.lone for r in self.c for q in self.b if p.y == q.y and q.z == r.z)


@pytest.mark.parametrize("driver", [None, 0, 2, 3])
def test_no_cross_product_before_the_joins_are_done(driver):
    assert [step.scan.collection for step in steps(Chain, driver)][-1] == "lone"
    assert kinds(Chain, driver).count(ScanAll) == (2 if driver is None else 1)


def test_a_relation_that_nothing_connects_is_crossed_only_where_it_drives():
    assert kinds(Chain, 1) == [Drive, ScanAll, Probe, Probe]


class Buckets(Bloom):
    event = interface.input("a, b")
    wide = table("k -> a, b")
    narrow = table("a, b, c")
    keyed = table("a -> v")
    other = interface.input("b, v")
    out = scratch("x")

    @rule
    def keyed_first(self):
        self.out <= (e.a for e in self.event for w in self.wide for k in self.keyed if w.a == e.a and k.a == e.a)

    @rule
    def more_columns_first(self):
        self.out <= (e.a for e in self.event for w in self.wide for n in self.narrow if w.a == e.a and n.a == e.a and n.b == e.b)

    @rule
    def events_first(self):
        self.out <= (e.a for e in self.event for w in self.wide for o in self.other if w.a == e.a and o.b == e.b)


@pytest.mark.parametrize(
    ("label", "second"), [("keyed_first", "keyed"), ("more_columns_first", "narrow"), ("events_first", "other")]
)
def test_the_smallest_bucket_comes_first(label, second):
    assert steps(Buckets, 0, label)[1].scan.collection == second


def test_a_large_bucket_waits():
    class Two(Bloom):
        event = interface.input("a")
        crowded = table("k -> a")
        sparse = table("k -> a")
        out = scratch("x")

        @rule
        def rules(self):
            self.out <= (e.a for e in self.event for c in self.crowded for s in self.sparse if c.a == e.a and s.a == e.a)

    lowered = lower(Two.program_ir, frozenset(), False)
    [derivation] = lowered.components[-1].derivations

    def order(sizes):
        found = plan(derivation.query.body, layouts_of(lowered, {}, sizes), 0)
        return [step.scan.collection for step in found]

    assert order(None) == ["event", "crowded", "sparse"]
    assert order(lambda relation, columns: 10_000.0 if relation == "crowded" else 1.0) == ["event", "sparse", "crowded"]


# --- when conditions are tested


class Typed(Bloom):
    limit = param(3)
    a = table("k: str -> v: int")
    b = table("x: str, y: float")
    out = scratch("v, y")

    @rule
    def compared(self):
        self.out <= ((p.v, q.y) for p in self.a for q in self.b if p.k == q.x and p.v > 0 and self.limit <= p.v + 1 < 10)

    @rule
    def divided(self):
        self.out <= ((p.v, q.y) for p in self.a for q in self.b if p.k == q.x and 10 // p.v > 0)

    @rule
    def mixed(self):
        self.out <= ((p.v, q.y) for p in self.a for q in self.b if p.k == q.x and p.k > p.v)


def test_a_condition_is_tested_as_soon_as_its_variables_are_bound():
    assert kinds(Typed, 0, "compared", limit=3) == [Drive, TESTED, TESTED, Probe]
    assert kinds(Typed, 1, "compared", limit=3) == [Drive, Find, TESTED, TESTED]


def test_conditions_keep_the_place_that_they_have_in_the_text():
    tests = [step for step in steps(Typed, 0, "compared", limit=3) if isinstance(step, TESTED)]
    columns = [step.condition.test.span.column for step in tests]
    assert columns == sorted(columns)
    assert len(set(columns)) == 2


@pytest.mark.parametrize("label", ["divided", "mixed"])
def test_what_could_raise_waits_for_the_conditions_before_it(label):
    assert kinds(Typed, 0, label) == [Drive, Probe, TESTED]


def test_a_param_of_another_type_could_raise():
    assert kinds(Typed, 0, "compared", limit="three") == [Drive, TESTED, Probe, TESTED]


class Semijoins(Bloom):
    a = table("k: str -> v: int")
    b = table("x: str, y: int")
    c = table("k: str -> z: int")
    out = scratch("v")

    @rule
    def absent(self):
        self.out <= (p.v for p in self.a for q in self.b if p.k == q.x and not any(r.k == p.k and r.z > p.v for r in self.c))

    @rule
    def after_the_key(self):
        self.out <= (q.y for q in self.b for p in self.a if not any(r.z > q.y for r in self.c) and p.k == q.x)


def test_a_semijoin_that_cannot_raise_comes_before_a_join():
    assert kinds(Semijoins, 0, "absent") == [Drive, TESTED, Probe]


def test_a_semijoin_comes_after_what_is_reached_by_key():
    assert kinds(Semijoins, 0, "after_the_key") == [Drive, Find, TESTED]


def test_a_semijoin_by_equality_looks_into_the_index_and_tests_the_rest_at_once():
    [_, test, _] = steps(Semijoins, 0, "absent")
    lowered = lower(Semijoins.program_ir, frozenset(), False)
    body = test.condition.test.parts[0].body if hasattr(test.condition.test, "parts") else test.condition.test.body
    inner = plan(body, layouts_of(lowered, {}), bound=frozenset({"p"}))
    assert [type(step) for step in inner] == [Find, TESTED]


def test_a_condition_that_could_raise_waits_for_the_guard_before_it():
    class Guarded(Bloom):
        a = table("k -> ok: bool")
        b = table("k -> v: int")
        out = scratch("q")

        @rule
        def rules(self):
            self.out <= (10 // y.v for x in self.a for y in self.b if x.ok if x.k == y.k if 10 // y.v > 1)

    program = Guarded()
    program.a.insert(("zero", False), ("one", True))
    program.tick()
    program.b.insert(("zero", 0), ("one", 1))  # drives the rule from `b`, where v is 0
    program.tick()
    assert program.out.rows() == {(10,)}


def test_an_equality_that_could_raise_is_no_shortcut_past_its_guard():
    class Guarded(Bloom):
        a = table("d: int")
        b = table("v")
        out = scratch("v")

        @rule
        def rules(self):
            self.out <= (y.v for x in self.a for y in self.b if x.d != 0 and y.v == 10 // x.d)

    program = Guarded()
    program.b.insert(5)
    program.tick()
    program.a.insert(0, 2)
    program.tick()
    assert program.out.rows() == {(5,)}


def test_an_index_finds_a_value_that_does_not_equal_itself_but_the_condition_does_not():
    class Values(Bloom):
        a = table("k -> v")
        b = table("k -> v")
        out = scratch("k, l")

        @rule
        def rules(self):
            self.out <= ((x.k, y.k) for x in self.a for y in self.b if x.v == y.v)

    nan = float("nan")
    program = Values()
    program.a.insert((1, nan), (2, 2.0))
    program.b.insert((3, nan), (4, 2))
    program.tick()
    assert program.out.rows() == {(2, 4)}


# --- which types are certain


class Flow(Bloom):
    entered = table("k: int -> v: float | None")
    filled = table("k: int -> v: int")
    durable = table("k: int -> v: int", durable=True)
    untyped = table("k -> v")
    view = scratch("k, v")
    total = scratch("-> n, s, m")
    message = channel("@to: str, n: int")
    timer = periodic(1)
    closure = scratch("a, b")
    late = table("k: str")
    cut = table("k: int")
    growing = scratch("k: int -> low: lmin")

    @rule
    def rules(self):
        self.filled <= ((m.n, u.v) for m in self.message for u in self.untyped)
        self.durable <= ((u.k, u.v) for u in self.untyped)
        self.view <= ((d.k, d.v + 1) for d in self.durable)
        self.view <= ((1, "x") for d in self.durable)
        self.total <= ((agg.count(), agg.sum(d.v), agg.max(e.v)) for d in self.durable for e in self.entered if e.v is not None)
        self.message <~ (("n", u.v) for u in self.untyped)
        self.closure <= ((d.k, d.v) for d in self.durable)
        self.closure <= ((x.a, y.b) for x in self.closure for y in self.closure if x.b == y.a)
        self.late <+ (u.k for u in self.untyped)
        self.cut <- (u.k for u in self.untyped)
        self.growing <= ((d.k, d.v) for d in self.durable)


@pytest.mark.parametrize(
    ("name", "types"),
    [
        ("entered", [{int}, {float, type(None)}]),
        ("filled", [{int}, set(ANY)]),  # a rule fills it with what nobody checks
        ("durable", [{int}, {int}]),  # rows that rules derive are checked
        ("untyped", [set(ANY), set(ANY)]),
        ("view", [{int}, {int, str}]),  # not declared: what its rules yield
        ("total", [{int}, {int}, {float, type(None)}]),
        ("message", [{str}, {int}]),  # checked when it is sent and when it arrives
        ("timer", [{int}, {float}]),
        ("closure", [{int}, {int}]),
        ("late", [set(ANY)]),  # what `<+` brings is not checked either
        ("cut", [{int}]),
        ("growing", [{int}, set(ANY)]),  # the values of a lattice are those of other classes
    ],
)
def test_a_type_is_certain_where_rows_are_checked_or_rules_can_yield_nothing_else(name, types):
    assert types_of(Flow, name) == types


def test_with_debug_every_row_is_checked():
    assert types_of(Flow, "filled", debug=True) == [{int}, {int}]
    assert types_of(Flow, "late", debug=True) == [{str}]


def test_a_wrong_row_behind_a_guard_raises_nothing():
    class Unchecked(Bloom):
        source = table("k, v")
        filled = table("k -> v: int")
        kind = table("k -> number: bool")
        out = scratch("v")

        @rule
        def rules(self):
            self.filled <= ((s.k, s.v) for s in self.source)
            self.out <= (f.v for f in self.filled for t in self.kind if t.k == f.k if t.number if f.v > 0)

    program = Unchecked()
    program.kind.insert(("a", True), ("b", False))
    program.tick()
    program.source.insert(("a", 1), ("b", "text"))  # drives the rule from `filled`
    program.tick()
    assert program.out.rows() == {(1,)}


@pytest.mark.parametrize("first", ["a", "b"])
def test_the_order_in_which_tables_fill_does_not_matter(first):
    program = Joins()
    loads = {"a": lambda: program.a.insert((1, 5), (2, -1)), "b": lambda: program.b.insert((1, "p"), (2, "q"), (3, "r"))}
    loads.pop(first)()
    program.tick()
    next(iter(loads.values()))()
    program.tick()
    assert program.out.rows() == {(5, "p")}


def _path_of(edges: int) -> type[Bloom]:
    loops = "".join(f" for x{i} in self.edge if x{i}.a == x{i - 1}.b" for i in range(1, edges))
    text = f"""
from bloompy import Bloom, rule, scratch, table

class Path(Bloom):
    edge = table("a, b")
    path = scratch("a, b")

    @rule
    def walk(self):
        self.path <= ((x0.a, x{edges - 1}.b) for x0 in self.edge{loops})
"""
    return exec_source(text)["Path"]


def test_a_join_of_a_dozen():
    p = _path_of(12)()
    p.edge.insert(*((i, i + 1) for i in range(13)))
    p.tick()
    assert p.path.rows() == {(0, 12), (1, 13)}


def test_a_join_deeper_than_python_nests_loops_says_what_to_do():
    p = _path_of(25)()
    p.edge.insert((1, 2))
    with pytest.raises(UnsupportedStatement, match=r"Path\.walk: too many statically nested blocks .*line 10\)\nhint: join a part of it in a temporary"):
        p.tick()


def test_sizes_are_those_of_the_first_plan_also_for_who_explains_it():
    from bloompy.engine.plan import Measured
    from bloompy.engine.relation import Kind, Relation

    rows = Relation("r", Kind.TABLE, lambda row: row)
    measured = Measured({"r": rows})
    assert measured("r", ()) == 0
    for i in range(6):
        rows.insert((i, i % 2))
    rows.index((1,))
    looked = measured.copy()
    assert (looked("r", ()), looked("r", (1,)), looked("r", (0,))) == (0, 4, 0)  # powers of two
    rows.insert((7, 7))
    assert measured("r", (1,)) == 2  # who looked has left no trace
