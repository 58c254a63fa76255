"""What `explain()` says is what happens: strata, plans, indexes, counts."""

from __future__ import annotations

import re
from random import Random

import pytest

from bloompy import Bloom, agg, bootstrap, channel, exec_source, interface, invariant, param, periodic, rule, scratch, stdio, table
from bloompy.engine.explanation import Explanation
from bloompy.errors import ReservedName, UsageError
from tests.random.programs import random_source
from tests.random.views import random_views


class Routes(Bloom):
    limit = param(100)
    link = table("src, dst -> cost: int")
    closed = table("node")
    path = scratch("src, dst, cost: int")
    best = scratch("src, dst -> cost")
    ask = interface.input("src, dst")
    answer = scratch("src, dst, cost")

    @rule
    def paths(self):
        self.path <= ((l.src, l.dst, l.cost) for l in self.link if l.src not in self.closed)
        self.path <= ((l.src, p.dst, l.cost + p.cost) for l in self.link for p in self.path if l.dst == p.src and l.cost < self.limit)

    @rule
    def cheapest(self):
        self.best <= ((p.src, p.dst, agg.min(p.cost)) for p in self.path)

    @rule
    def answers(self):
        self.answer <= ((a.src, a.dst, self.best[a.src, a.dst].cost) for a in self.ask)


@pytest.fixture
def routes():
    program = Routes(profile=True)
    program.link.insert(("a", "b", 1), ("b", "c", 2))
    program.tick()
    return program


def steps(explanation: Explanation, label: str, driver: str, number: int = 0) -> list[str]:
    """The steps of the only plan of a driver in a rule."""
    rules = [one for one in explanation.rules if one.label.endswith(label)]
    [plan] = [one for one in rules[number].drivers if one.driver == driver]
    return [step.text for step in plan.steps]


# --- structure


def test_strata_come_in_the_order_of_evaluation(routes):
    found = routes.explain()
    assert [one.title for one in found.strata] == ["path", "best", "answer"]
    assert [one.recursive for one in found.strata] == [True, False, False]
    assert [one.name for one in found.given] == ["link", "closed", "ask"]


def test_relations_tell_how_long_rows_live_and_how_many_there_are(routes):
    shown = str(routes.explain())
    assert "link (src, dst -> cost: int): table, 2 rows" in shown
    assert "path (src, dst, cost: int): scratch, standing, 3 rows" in shown
    assert "ask (src, dst): input, transient, 0 rows" in shown


def test_every_stratum_says_how_it_is_kept(routes):
    recursive, grouped, transient = (one.upkeep for one in routes.explain().strata)
    assert "rederives" in recursive
    assert "counted; aggregates group by group" in grouped
    assert transient == "transient rows follow from those of the tick"


def test_a_rule_is_told_with_its_place_and_its_text(routes):
    [cheapest] = routes.explain("cheapest").rules
    assert cheapest.label == "Routes.cheapest"
    assert re.fullmatch(r".*test_explain\.py:\d+", cheapest.place)
    assert cheapest.text == "self.best <= ((p.src, p.dst, agg.min(p.cost)) for p in self.path)"


def test_each_driver_has_its_plan(routes):
    explained = routes.explain()
    assert steps(explained, "paths", "Δlink", 1) == [
        "drive l of Δlink",
        "test l.cost < self.limit",
        "probe p of path by index: src = l.dst",
        "insert (l.src, p.dst, l.cost + p.cost) into path",
    ]
    assert steps(explained, "paths", "Δpath", 1) == [
        "drive p of Δpath",
        "probe l of link by index: dst = p.src",
        "test l.cost < self.limit",
        "insert (l.src, p.dst, l.cost + p.cost) into path",
    ]
    assert steps(explained, "cheapest", "Δpath")[1:] == ["group by p.src, p.dst", "insert (p.src, p.dst, agg.min(p.cost)) into best"]


def test_a_collection_in_a_condition_leads_back_to_the_rows_it_concerns(routes):
    assert steps(routes.explain(), "paths", "Δclosed in an expression") == [
        "drive Δclosed",
        "probe l of link by index: src = closed.node",
        "test l.src not in self.closed",
        "derive before and now, and compare",
    ]


def test_a_deletion_from_a_recursive_view_asks_what_else_it_follows_from(routes):
    assert steps(routes.explain(), "paths", "a deletion")[0] == "find l of link by key: src = row.src, dst = row.dst"


def test_a_lookup_is_told_by_the_name_of_its_collection(routes):
    assert steps(routes.explain(), "answers", "every tick") == [
        "scan a of ask",
        "find best by key: src = a.src, dst = a.dst",
        "insert (a.src, a.dst, best.cost) into answer",
    ]


def test_indexes_are_told_with_who_reads_them(routes):
    [link] = [one for one in routes.explain().given if one.name == "link"]
    assert [(one.columns, one.users, one.made) for one in link.indexes] == [
        (("src",), ("Routes.paths (Δclosed in an expression)", "Routes.paths (a deletion)"), False),
        (("dst",), ("Routes.paths (Δpath)",), True),
    ]


def test_every_index_that_is_there_is_told(routes):
    routes.closed.insert("a")
    routes.tick()
    routes.link.delete(("b", "c"))
    routes.tick()
    explained = routes.explain()
    told = {(one.name, index.columns) for stratum in explained.strata for one in stratum.relations for index in one.indexes if index.users}
    told |= {(one.name, index.columns) for one in explained.given for index in one.indexes if index.users}
    relations = routes._machine.evaluator._relations.values()
    schemas = {name: one.schema.names for name, one in routes._machine.evaluator._lowered.relations.items()}
    made = {(one.name, tuple(schemas[one.name][i] for i in columns)) for one in relations for columns in one.indexes}
    assert made
    assert made <= told


class Everything(Bloom):
    a = table("k: int -> v: int", durable=True)
    b = table("k: int -> v: int")
    inbox = channel("@to: str, k: int")
    out = channel("@to: str, k: int")
    screen = stdio()
    clock = periodic(1)
    both = scratch("k")
    event = interface.input("k")

    @rule
    def rules(self):
        """All the operators."""
        known = (x.k for x in self.a if any(y.k == x.k and y.v > 3 for y in self.b))
        self.b <+ ((x.k, w) for x in self.inbox for w in range(x.k))
        self.b <- (k.k for k in known)
        self.a <+- ((t.no, 1) for t in self.clock)
        self.out <~ (("there", x.k) for x in self.a)
        self.screen <~ (f"{x.k}" for x in self.inbox)
        self.both <= (x.k for x in self.a)
        self.both <= self.event

    @bootstrap
    def start(self):
        self.a <+ (1, 2)

    @invariant
    def few(self):
        (x.k for x in self.a if x.v > 100)


def test_what_leaves_is_told():
    explained = Everything().explain()
    assert [one.title for one in explained.strata if one.title.endswith("at the next tick")] == [
        "b <+ …, at the next tick", "b <- …, at the next tick", "a <+- …, at the next tick", "a <+ …, at the next tick",
    ]  # fmt: skip
    assert {"messages on out", "messages on screen", "invariant Everything.few"} <= {one.title for one in explained.strata}
    assert "out sends rows when they begin to hold" in explained.notes
    assert "screen sends rows in every tick that derives them" in explained.notes
    assert "b changes at the next tick: <+, <- in Everything.rules" in explained.notes
    assert "Everything.few must have no rows: ((x.k,) for x in self.a if x.v > 100)" in explained.notes


def test_the_steps_of_an_any_stand_below_its_test():
    [rule] = [one for one in Everything().explain("rules").rules if one.head == "rules:known"]
    [plan] = [one for one in rule.drivers if one.driver == "Δa"]
    [test] = [step for step in plan.steps if step.text.startswith("test")]
    assert [step.text for step in test.inner] == ["find y of b by key: k = x.k", "test y.v > 3"]


def test_a_scratch_of_both_kinds_and_the_first_tick():
    shown = str(Everything().explain())
    assert "both (its standing rows)" in shown
    assert "both (k): scratch, standing rows, and transient ones above them" in shown
    assert "scan the first tick" in shown
    assert "unnest w in range(x.k)" in shown
    assert "durable table" in shown
    assert "·" not in shown


def test_a_part_is_a_collection_or_a_rule(routes):
    assert {one.head for one in routes.explain("path").rules} == {"path"}
    assert {one.label for one in routes.explain("Routes.paths").rules} == {"Routes.paths"}
    assert [one.name for one in routes.explain("link").given] == ["link"]
    with pytest.raises(UsageError, match=r"Routes has no collection or rule 'pats'"):
        routes.explain("pats")


def test_why_a_recursive_view_is_computed_anew_is_said():
    class Split(Bloom):
        word = table("text")
        part = scratch("text")

        @rule
        def words(self):
            self.word <= self.part
            self.part <= (part for w in self.word for part in w.text.split())

    stratum = Split().explain("part").strata[-1]
    assert "computes it anew: word is a table, whose rows stay" in stratum.upkeep
    assert "a deletion" not in {one.driver for rule in stratum.rules for one in rule.drivers}


def test_rules_that_do_not_recur_are_told_apart_and_once():
    class Loud(Bloom):
        seed = table("text")
        word = scratch("text")

        @rule
        def words(self):
            self.word <= (s.text.upper() for s in self.seed)
            self.word <= (w.text[1:] for w in self.word if w.text)

    explained = Loud().explain()
    assert [one.title for one in explained.strata] == ["word (what does not recur)", "word, word (the bindings of a rule)"]
    assert [len(one.rules) for one in explained.strata] == [1, 1]


def test_a_row_deleted_from_a_table_asks_the_rules_that_fill_it():
    class Copies(Bloom):
        a = table("k")
        b = table("k")

        @rule
        def copying(self):
            self.b <= (x.k for x in self.a)

    assert steps(Copies().explain(), "copying", "a deletion") == ["find x of a by key: k = row.k", "the row is there again"]


def test_whether_columns_fill_a_view_is_told():
    class Closure(Bloom):
        edge = table("a: int, b: int")
        path = scratch("a, b")
        shown = scratch("text")

        @rule
        def rules(self):
            self.path <= self.edge
            self.path <= ((e.a, p.b) for e in self.edge for p in self.path if e.b == p.a)
            self.shown <= (str(p.a) for p in self.path)

    pytest.importorskip("numpy")
    program = Closure()
    path, shown = program.explain().strata
    assert path.bulk == "filled on columns from 250 rows on, from 2,000 where numpy is yet to be imported"
    assert shown.bulk == "filled row by row: columns cannot, the expression str(p.a)"
    program.edge.insert(*((i, i + 1) for i in range(0, 6000, 2)))
    program.tick()
    path, shown = program.explain().strata
    assert re.fullmatch(r"filled on columns: [12] rounds, [\d,]+ candidates, [\d.e-]+ s", path.bulk)
    assert shown.bulk == "filled row by row, not on columns: the expression str(p.a)"
    assert "filled on columns: " in str(program.explain())


def test_explaining_changes_nothing(routes):
    before = str(routes.explain())
    assert str(routes.explain()) == before
    other = Routes()
    other.explain()
    other.link.insert(("a", "b", 1))
    other.tick()
    assert other.path.rows() == {("a", "b", 1)}


def test_the_naive_evaluator_shows_the_plans_of_the_default_one():
    naive = Routes(evaluator="naive")
    naive.link.insert(("a", "b", 1))
    naive.tick()
    shown = str(naive.explain())
    assert "computes everything anew in every tick" in shown
    assert "table, 1 row" in shown
    assert "probe p of path by index: src = l.dst" in shown


def test_an_explanation_shows_itself(routes):
    explained = routes.explain()
    assert repr(explained) == str(explained)
    html = explained._repr_html_()
    assert html.count("<details") == html.count("</details>") > 10
    assert "probe p of path by index: src = l.dst" in html


def test_nothing_in_the_html_is_markup_of_the_program():
    class Markup(Bloom):
        a = table("k")
        b = scratch("k")

        @rule
        def rules(self):
            self.b <= (x.k for x in self.a if x.k != "<script>alert(1)</script>" and x.k < "&amp;")

    html = Markup().explain()._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "&amp;amp;" in html


# --- counts


def test_profiling_counts_runs_and_rows(routes):
    routes.link.insert(("c", "d", 3))
    routes.tick()
    [first, second] = [one for one in routes.explain().rules if one.label == "Routes.paths"]
    [link] = [one.counts for one in first.drivers if one.driver == "Δlink"]
    assert (link.runs, link.rows_in, link.rows_out) == (1, 1, 1)
    [path] = [one.counts for one in second.drivers if one.driver == "Δpath"]
    assert path.rows_in >= 2
    assert path.seconds > 0


def test_a_profile_begins_with_what_took_longest(routes):
    explained = routes.explain()
    assert explained.ticks == 1
    shares = [share for share, _ in explained.hottest()]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1)
    assert "profile of 1 tick" in str(explained)
    assert "profile of 1 tick" in explained._repr_html_()


def test_a_rule_whose_inputs_do_not_change_is_not_counted_again(routes):
    before = [one.counts.runs for one in routes.explain().rules]
    routes.tick()
    assert [one.counts.runs for one in routes.explain().rules] == before


def test_without_profiling_nothing_is_counted():
    program = Routes()
    program.link.insert(("a", "b", 1))
    program.tick()
    explained = program.explain()
    assert explained.ticks is None
    assert "profile" not in str(explained)
    assert all(one.counts is None for rule in explained.rules for one in rule.drivers)


def test_a_rule_that_raises_is_counted_too_and_raises_the_same():
    class Dividing(Bloom):
        a = table("k: int")
        b = scratch("k")

        @rule
        def rules(self):
            self.b <= (1 // x.k for x in self.a)

    program = Dividing(profile=True)
    program.a.insert(0)
    with pytest.raises(ZeroDivisionError) as caught:
        program.tick()
    assert any(note.startswith("in rule Dividing.rules") for note in caught.value.__notes__)
    [told] = program.explain().rules
    assert told.counts.runs == 1


def test_a_param_cannot_have_the_name_of_what_programs_take():
    with pytest.raises(ReservedName, match="every program takes 'profile' for itself"):

        class Wrong(Bloom):
            profile = param(1)


@pytest.mark.parametrize("write", [random_source, random_views])
def test_whatever_is_written_is_explained(write):
    for seed in range(15):
        program = exec_source(write(Random(seed)).text)["P"]
        explained = program(profile=True).explain()
        assert {one.label for one in program.program_ir.rules} <= {one.label for one in explained.rules}
        assert "·" not in str(explained)
        html = explained._repr_html_()
        assert all(html.count(f"<{tag}") == html.count(f"</{tag}>") for tag in ("details", "ul", "ol", "table", "div", "code"))
