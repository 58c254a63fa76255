"""Design §2.2: every form of query."""

from __future__ import annotations

import pytest

from bloompy import Bloom, exec_source, interface, param, rule, scratch, table
from bloompy.errors import KeyConflict

PEOPLE = [("ann", "dev", 30), ("bob", "dev", 40), ("cid", "ops", 50), ("dee", None, 20)]
TEAMS = [("dev", "x"), ("ops", "y"), ("law", "z")]

PROGRAM = '''
from bloompy import Bloom, agg, param, rule, scratch, table

FLOOR = 35

def double(n):
    return 2 * n

class P(Bloom):
    person = table("name -> team, pay")
    team = table("id -> floor")
    tag = table("a, b")
    empty = table("k -> v")
    out = scratch("{columns}")
    limit = param(35)

    @staticmethod
    def half(n):
        return n // 2

    def above(self, n):
        return n > self.limit

    @rule
    def rules(self):
        self.out <= {query}
'''


def ask(evaluator, query, width=1, **parameters):
    """The rows of a query over the people and teams above."""
    text = PROGRAM.format(query=query, columns=", ".join("abcd"[:width]))
    p = exec_source(text)["P"](evaluator=evaluator, **parameters)
    p.person.insert(*PEOPLE)
    p.team.insert(*TEAMS)
    p.tag.insert((1, 2), (2, 3), (2, 2))
    p.tick()
    return p.out.rows()


CASES = [
    # comprehensions in any brackets
    ("((p.name,) for p in self.person)", 1, {("ann",), ("bob",), ("cid",), ("dee",)}),
    ("[(p.name,) for p in self.person if p.pay > 30]", 1, {("bob",), ("cid",)}),
    ("{(p.name,) for p in self.person if p.pay > 30}", 1, {("bob",), ("cid",)}),
    # heads that are no tuples
    ("(p.name for p in self.person if p.pay > 45)", 1, {("cid",)}),
    ("(t for t in self.tag)", 2, {(1, 2), (2, 3), (2, 2)}),
    ("self.tag", 2, {(1, 2), (2, 3), (2, 2)}),
    ("((*t, t.a + t.b) for t in self.tag)", 3, {(1, 2, 3), (2, 3, 5), (2, 2, 4)}),
    # joins, in any order of for and if
    ("((p.name, t.floor) for p in self.person for t in self.team if p.team == t.id)", 2, {("ann", "x"), ("bob", "x"), ("cid", "y")}),
    ("((p.name, t.floor) for t in self.team for p in self.person if t.id == p.team if p.pay < 45)", 2, {("ann", "x"), ("bob", "x")}),
    ("((p.name, t.floor) for p in self.person if p.pay < 45 for t in self.team if t.id == p.team)", 2, {("ann", "x"), ("bob", "x")}),
    ("((p.name, q.name) for p in self.person for q in self.person if p.team == q.team and p.name < q.name)", 2, {("ann", "bob")}),
    ("((x.a, y.b) for x in self.tag for y in self.tag if x.b == y.a)", 2, {(1, 3), (1, 2), (2, 3), (2, 2)}),
    ("((x.a, z.b) for x in self.tag for y in self.tag for z in self.tag if x.b == y.a and y.b == z.a and y.a == y.b)", 2, {(1, 3), (1, 2), (2, 3), (2, 2)}),
    ("((x.a,) for x in self.tag for e in self.empty)", 1, set()),
    # unpacking
    ("((n, pay) for n, _, pay in self.person if pay >= 40)", 2, {("bob", 40), ("cid", 50)}),
    ("((n, f) for n, team, _ in self.person for id, f in self.team if team == id)", 2, {("ann", "x"), ("bob", "x"), ("cid", "y")}),
    # conditions
    ("((p.name,) for p in self.person if 30 < p.pay <= 50 and p.team == 'dev' or p.name == 'dee')", 1, {("bob",), ("dee",)}),
    ("((p.name,) for p in self.person if not (p.pay > 30))", 1, {("ann",), ("dee",)}),
    ("((p.name,) for p in self.person if p.team is None)", 1, {("dee",)}),
    ("((p.name,) for p in self.person if p.name in ('ann', 'cid', 'zoe'))", 1, {("ann",), ("cid",)}),
    ("((p.name.upper(), p.name[0]) for p in self.person if p.name.startswith('a'))", 2, {("ANN", "a")}),
    ("(('high' if p.pay > 35 else 'low',) for p in self.person)", 1, {("high",), ("low",)}),
    ("((f'{p.name}-{p.pay:03d}',) for p in self.person if p.pay < 25)", 1, {("dee-020",)}),
    # functions
    ("((double(p.pay), self.half(p.pay)) for p in self.person if p.pay > FLOOR)", 2, {(80, 20), (100, 25)}),
    ("((p.name,) for p in self.person if self.above(p.pay))", 1, {("bob",), ("cid",)}),
    ("((p.name,) for p in self.person if p.pay > self.limit)", 1, {("bob",), ("cid",)}),
    # flat map
    ("((c,) for p in self.person for c in p.name if p.pay == 20)", 1, {("d",), ("e",)}),
    ("((p.name, n) for p in self.person for n in range(p.pay // 20))", 2, {("ann", 0), ("bob", 0), ("bob", 1), ("cid", 0), ("cid", 1), ("dee", 0)}),
    ("((k, v) for t in self.tag for k, v in [(t.a, 'a'), (t.b, 'b')] if k > 1)", 2, {(2, "a"), (2, "b"), (3, "b")}),
    ("((k, v) for k, (v, _) in [(1, (2, 3))])", 2, {(1, 2)}),
    ("((sum(w for w in (t.a, t.b)),) for t in self.tag)", 1, {(3,), (5,), (4,)}),
    ("((tuple(t.a * w for w in (1, 2)),) for t in self.tag if t.b == 3)", 1, {((2, 4),)}),
    ("((sorted([t.a, t.b], key=lambda w: -w * t.a)[0],) for t in self.tag)", 1, {(2,), (3,)}),
    # membership of keys
    ("((p.name,) for p in self.person if p.team in self.team)", 1, {("ann",), ("bob",), ("cid",)}),
    ("((p.name,) for p in self.person if p.team not in self.team)", 1, {("dee",)}),
    ("((t.id,) for t in self.team if (1, 2) in self.tag)", 1, {("dev",), ("ops",), ("law",)}),
    ("((t.a,) for t in self.tag if (t.b, t.a) in self.tag)", 1, {(2,)}),
    ("((t.a,) for t in self.tag if (t.b, t.a) not in self.tag and t.a in (1, 2))", 1, {(1,), (2,)}),
    # any, not any, all
    ("((t.id,) for t in self.team if any(p.team == t.id for p in self.person))", 1, {("dev",), ("ops",)}),
    ("((t.id,) for t in self.team if any(p.pay > 45 for p in self.person if p.team == t.id))", 1, {("ops",)}),
    ("((t.id,) for t in self.team if not any(p.team == t.id for p in self.person))", 1, {("law",)}),
    ("((t.id,) for t in self.team if all(p.pay < 45 for p in self.person if p.team == t.id))", 1, {("dev",), ("law",)}),
    ("((t.id,) for t in self.team if not all(p.pay < 45 for p in self.person if p.team == t.id))", 1, {("ops",)}),
    ("((t.id,) for t in self.team if any(p.name == q for p in self.person for q in [t.floor, 'cid'] if p.team == t.id))", 1, {("ops",)}),
    ("((t.id,) for t in self.team if any(any(q.pay > p.pay for q in self.person if q.team == p.team) for p in self.person if p.team == t.id))", 1, {("dev",)}),
    ("((t.id,) for t in self.team if any(w == 'dev' for w in [t.id]))", 1, {("dev",)}),
    # rows by key
    ("((p.name, self.team[p.team].floor) for p in self.person)", 2, {("ann", "x"), ("bob", "x"), ("cid", "y")}),
    ("((p.name,) for p in self.person if self.team[p.team].floor == 'x')", 1, {("ann",), ("bob",)}),
    ("((t.a, self.tag[t.a, 2].b) for t in self.tag)", 2, {(1, 2), (2, 2)}),
    ("((p.name, self.team.get(p.team, ('?', 'none')).floor) for p in self.person)", 2, {("ann", "x"), ("bob", "x"), ("cid", "y"), ("dee", "none")}),
    ("((p.name, self.empty.get(p.pay, (0, p.pay)).v) for p in self.person if p.pay < 35)", 2, {("ann", 30), ("dee", 20)}),
    # both are evaluated lazily
    ("((p.name,) for p in self.person if p.team is None or self.team[p.team].floor == 'y')", 1, {("cid",), ("dee",)}),
    ("((p.name,) for p in self.person if self.team[p.team].floor == 'y' or p.team is None)", 1, {("cid",)}),
    ("((self.team[p.team].floor if p.team else p.name,) for p in self.person)", 1, {("x",), ("y",), ("dee",)}),
    ("((p.name,) for p in self.person if p.team is not None and self.team[p.team].floor == 'x')", 1, {("ann",), ("bob",)}),
    # guards keep what they guard from being evaluated
    ("((100 // t.a,) for t in self.tag if t.a > 1)", 1, {(50,)}),
    ("((p.name,) for p in self.person for t in self.team if p.team == t.id and p.team[0] == 'd')", 1, {("ann",), ("bob",)}),
    # rows as values
    ("((p.name, len(p)) for p in self.person if p == ('ann', 'dev', 30))", 2, {("ann", 3)}),
    ("((max(p, ('b',))[0],) for p in self.person if p.pay == 20)", 1, {("dee",)}),
    # names that shadow
    ("((p.name,) for p in self.person if [p for p in (1, 2)] == [1, 2] and p.pay == 20)", 1, {("dee",)}),
]


@pytest.mark.parametrize(("query", "width", "rows"), CASES, ids=[case[0] for case in CASES])
def test_a_query_yields_exactly_its_rows(evaluator, query, width, rows):
    assert ask(evaluator, query, width) == rows


def test_parameters_are_constants_of_the_instance(evaluator):
    query = "((p.name,) for p in self.person if p.pay > self.limit)"
    assert ask(evaluator, query, limit=45) == {("cid",)}
    assert ask(evaluator, query, limit=15) == {("ann",), ("bob",), ("cid",), ("dee",)}


def test_module_level_functions_are_found_when_they_are_called(evaluator):
    text = PROGRAM.format(query="((double(p.pay),) for p in self.person)", columns="a")
    namespace = exec_source(text)
    p = namespace["P"](evaluator=evaluator)
    namespace["double"] = lambda n: -n
    p.person.insert(("ann", "dev", 30))
    p.tick()
    assert p.out.rows() == {(-30,)}


def test_constants_of_a_closure_are_captured_when_the_instance_is_made(evaluator):
    def made(factor):
        class P(Bloom):
            item = table("k")
            out = scratch("k")

            @rule
            def rules(self):
                self.out <= ((i.k * factor,) for i in self.item if any(j.k * factor > 0 for j in self.item))

        return P

    two, three = made(2)(evaluator=evaluator), made(3)(evaluator=evaluator)
    for p in (two, three):
        p.item.insert((1,))
        p.tick()
    assert (two.out.rows(), three.out.rows()) == ({(2,)}, {(3,)})


def test_a_join_reads_rows_derived_in_the_same_tick(evaluator):
    class P(Bloom):
        item = table("k")
        a = scratch("k")
        b = scratch("k")

        @rule
        def rules(self):
            self.b <= ((x.k + y.k,) for x in self.a for y in self.a)
            self.a <= ((i.k,) for i in self.item)

    p = P(evaluator=evaluator)
    p.item.insert((1,), (2,))
    p.tick()
    assert p.b.rows() == {(2,), (3,), (4,)}


def test_views_follow_their_tables_under_insert_delete_and_upsert(evaluator):
    class P(Bloom):
        left = table("k -> v")
        right = table("k -> v")
        both = scratch("k, l, r")
        only = scratch("k")

        @rule
        def rules(self):
            self.both <= ((l.k, l.v, r.v) for l in self.left for r in self.right if l.k == r.k)
            self.only <= ((l.k,) for l in self.left if l.k not in self.right)

    p = P(evaluator=evaluator)
    p.left.insert((1, "a"), (2, "b"))
    p.tick()
    assert (p.both.rows(), p.only.rows()) == (set(), {(1,), (2,)})
    p.right.insert((1, "x"), (3, "z"))
    p.tick()
    assert (p.both.rows(), p.only.rows()) == ({(1, "a", "x")}, {(2,)})
    p.right.upsert((1, "y"))
    p.left.delete(2)
    p.tick()
    assert (p.both.rows(), p.only.rows()) == ({(1, "a", "y")}, set())
    p.right.delete(1, 3)
    p.tick()
    assert (p.both.rows(), p.only.rows()) == (set(), {(1,)})


def test_a_row_of_another_collection_as_default_and_key(evaluator):
    class P(Bloom):
        item = table("a, b")
        other = table("a, b")
        hit = scratch("a, b")

        @rule
        def rules(self):
            self.hit <= (i for i in self.item if i in self.other)

    p = P(evaluator=evaluator)
    p.item.insert((1, 2), (3, 4))
    p.other.insert((1, 2))
    p.tick()
    assert p.hit.rows() == {(1, 2)}


def test_an_error_within_a_query_tells_the_rows_that_the_loops_have_bound(evaluator):
    class P(Bloom):
        item = table("k -> v")
        divisor = interface.input("by")
        out = scratch("k, q")

        @rule
        def rules(self):
            self.out <= ((i.k, i.v // d.by) for i in self.item for d in self.divisor)

    p = P(evaluator=evaluator)
    p.item.insert(("a", 7))
    p.tick()
    p.divisor.insert((0,))
    with pytest.raises(ZeroDivisionError, match="zero") as caught:
        p.tick()
    notes = "\n".join(caught.value.__notes__)
    assert "P.rules" in notes
    assert "k='a', v=7" in notes
    assert "by=0" in notes


def test_constants_of_the_tick(evaluator):
    class P(Bloom):
        item = table("k")
        seen = table("me, now, step, rand")
        again = scratch("rand")

        @rule
        def rules(self):
            self.seen <= ((self.me, self.now, self.step, self.rand) for i in self.item)
            self.again <= ((self.rand,) for i in self.item)

    p = P("n7", evaluator=evaluator, seed=3)
    p.item.insert((1,))
    p.tick(now=10)
    p.tick(now=20.5)
    rows = sorted(p.seen, key=lambda row: row.step)
    assert [(row.me, row.now, row.step) for row in rows] == [("n7", 10, 1), ("n7", 20.5, 2)]
    assert all(0 <= row.rand < 1 for row in rows)
    assert rows[0].rand != rows[1].rand
    assert p.again.rows() == {(rows[1].rand,)}


def test_equal_seeds_draw_equal_numbers(evaluator):
    class P(Bloom):
        seen = table("step, rand")

        @rule
        def rules(self):
            self.seen <= [(self.step, self.rand)]

    def run(seed):
        p = P("n1", evaluator=evaluator, seed=seed)
        p.tick(now=1)
        p.tick(now=2)
        return p.seen.rows()

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_two_heads_of_one_key_conflict_only_if_they_differ(evaluator):
    class P(Bloom):
        item = table("a, b")
        view = scratch("a -> n")

        @rule
        def rules(self):
            self.view <= ((i.a, i.b % 2) for i in self.item)

    p = P(evaluator=evaluator)
    p.item.insert((1, 2), (1, 4))
    p.tick()
    assert p.view.rows() == {(1, 0)}
    p.item.insert((1, 3))
    with pytest.raises(KeyConflict, match="'view'"):
        p.tick()
    assert p.view.rows() == {(1, 0)}


def test_a_parameter_may_be_any_value(evaluator):
    class P(Bloom):
        names = param(("a", "b"))
        item = table("k")
        hit = scratch("k")

        @rule
        def rules(self):
            self.hit <= ((i.k,) for i in self.item if i.k in self.names)

    p = P(evaluator=evaluator, names=("b", "c"))
    p.item.insert(("a",), ("b",))
    p.tick()
    assert p.hit.rows() == {("b",)}


SHADOWS = '''
from bloompy import Bloom, agg, rule, scratch, table

def NAME(x):
    return x + 100

class P(Bloom):
    item = table("k -> v")
    other = table("k -> v")
    out = scratch("k, v")
    used = scratch("k, v")
    groups = scratch("k -> n, most")
    ranks = scratch("k, place")

    @rule
    def bound(self):
        self.out <= ((NAME.k, NAME.v) for NAME in self.item if self.other[NAME.k].v > 0 or NAME.k in self.other)
        self.out <= ((a, NAME) for a, NAME in self.item for z in [a, NAME] if any(NAME == o.v for o in self.other))
        self.groups <= ((NAME.k, agg.count(), agg.max(self.other[NAME.k].v if NAME.v else 0)) for NAME in self.item)
        self.ranks <= ((NAME, agg.rank(a)) for a, NAME in self.item)

    @rule
    def called(self):
        self.used <= ((i.k, NAME(i.v)) for i in self.item if any(NAME(o.v) > 5 for o in self.other))
'''


@pytest.mark.parametrize("name", ["row", "_row", "_rows", "_new", "_key", "_find", "_group", "_lists", "_ordered", "_context", "_Missing", "_0"])
def test_no_name_of_the_user_meets_one_of_the_evaluator(evaluator, name):
    p = exec_source(SHADOWS.replace("NAME", name))["P"](evaluator=evaluator)
    p.item.insert(("a", 0), ("b", 1))
    p.other.insert(("a", 1), ("b", 2))
    p.tick()
    p.item.insert(("c", 2))
    p.tick()
    assert p.out.rows() == {("a", 0), ("b", 1), ("c", 2)}
    assert p.used.rows() == {("a", 100), ("b", 101), ("c", 102)}
    assert p.groups.rows() == {("a", 1, 0), ("b", 1, 2)}
    assert p.ranks.rows() == {(0, 0), (1, 1), (2, 2)}
