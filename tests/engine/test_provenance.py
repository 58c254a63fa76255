"""Why rows hold and why others do not, in programs that one steps by hand."""

from __future__ import annotations

import time

import pytest

from bloompy import (
    Bloom,
    Node,
    agg,
    bootstrap,
    channel,
    exec_source,
    interface,
    lattice,
    loopback,
    module,
    param,
    periodic,
    rule,
    scratch,
    table,
)
from bloompy.engine.codegen import Codegen
from bloompy.errors import UsageError
from bloompy.program import machine_of


class Routes(Bloom):
    limit = param(100)
    link = table("src, dst -> cost: int")
    closed = table("node")
    path = scratch("src, dst, hop, cost")
    best = scratch("src, dst -> cost")

    @rule
    def paths(self):
        self.path <= ((l.src, l.dst, l.dst, l.cost) for l in self.link if l.src not in self.closed)
        self.path <= ((l.src, p.dst, l.dst, l.cost + p.cost)
                      for l in self.link for p in self.path if l.dst == p.src and l.cost + p.cost < self.limit)
        self.best <= ((p.src, p.dst, agg.min(p.cost)) for p in self.path)


FIRST_LINE = Routes.program_ir.rules[0].span.line


@pytest.fixture
def routes():
    program = Routes(provenance=True)
    program.link.insert(("a", "b", 1), ("b", "c", 2), ("c", "a", 4))
    program.tick(now=1.0)
    return program


def hows(found):
    """How each row of an answer came about, by text."""
    return {fact.text: [one.how for one in several] for fact, several in found.derivations.items()}


# --- why


def test_a_derived_row_leads_back_to_what_was_inserted(routes):
    found = routes.why("best", ("a", "c"))
    assert found.root.row == ("a", "c", 3)
    assert {fact.text for fact in found.inputs} == {"link('a', 'b', 1)", "link('b', 'c', 2)", "link('c', 'a', 4)"}
    [derivation] = found.derivations[found.root]
    assert derivation.premises[0].text == "path('a', 'c', 'b', 3)"
    assert derivation.rule.label == "Routes.paths"
    assert derivation.rule.place.endswith(f"test_provenance.py:{FIRST_LINE + 3}")


def test_a_row_that_was_read_knows_its_collection(routes):
    [row] = [row for row in routes.best if row[:2] == ("a", "c")]
    assert routes.why(row).root == routes.why("best", ("a", "c", 3)).root


def test_recursion_is_founded_though_the_graph_has_a_cycle(routes):
    found = routes.why("path", ("a", "b", "b", 8))
    text = str(found)
    assert text.count("path('a', 'b', 'b', 8)") == 1
    assert "path('a', 'b', 'b', 1)" in text


def test_the_tree_is_printed_with_rules_and_lines(routes):
    lines = str(routes.why("path", ("a", "c", "b", 3))).splitlines()
    assert lines == [
        "path('a', 'c', 'b', 3), tick 1 of local (1 s)",
        f"  by Routes.paths, test_provenance.py:{FIRST_LINE + 1}",
        "  ├ link('a', 'b', 1): inserted from outside",
        "  └ path('b', 'c', 'c', 2)",
        f"      by Routes.paths, test_provenance.py:{FIRST_LINE}",
        "      ├ link('b', 'c', 2): inserted from outside",
        "      └ no closed('b')",
    ]


def test_a_row_that_stood_leads_to_the_tick_that_put_it_there(routes):
    routes.tick(now=2.0)
    routes.tick(now=3.0)
    found = routes.why("link", ("a", "b"))
    assert [fact.tick for fact in found.derivations] == [3, 1]
    assert [several[0].how for several in found.derivations.values()] == ["stayed", "inserted"]
    assert "link('a', 'b', 1): inserted from outside, tick 1 of local (1 s)" in str(routes.why("best", ("a", "b")))


def test_an_earlier_tick_can_be_asked_about(routes):
    routes.link.delete(("a", "b"))
    routes.tick(now=2.0)
    assert routes.why("best", ("a", "c"), tick=1).root.tick == 1
    assert routes.why("best", ("a", "c")).root.tick == 1  # the last in which it held
    with pytest.raises(UsageError, match=r"best\('a', 'c', _\) does not hold in tick 2"):
        routes.why("best", ("a", "c"), tick=2)
    with pytest.raises(UsageError, match="local has no tick 7"):
        routes.why("best", ("a", "c"), tick=7)


def test_what_is_asked_later_is_known_later(routes):
    assert routes.why("best", ("a", "b")).root.tick == 1
    routes.link.insert(("c", "d", 1))
    routes.tick(now=2.0)
    assert routes.why("best", ("a", "d")).root.row == ("a", "d", 4)


def test_so_many_rows_are_followed_and_no_more(routes):
    found = routes.why("best", ("a", "c"), limit=2)
    assert len(found.derivations) == 2
    assert "not followed any further" in str(found)


def test_next_ticks_messages_timers_and_lines():
    class Chain(Bloom):
        said = interface.input("x")
        kept = table("x")
        beat = periodic(1.0)
        echo = loopback("x")
        sent = channel("@to, x")
        seen = table("x, how")

        @rule
        def go(self):
            self.kept <+ ((s.x,) for s in self.said)
            self.echo <~ ((k.x,) for k in self.kept)
            self.sent <~ ((self.me, k.x) for k in self.kept)
            self.seen <= ((e.x, "echo") for e in self.echo)
            self.seen <= ((s.x, "sent") for s in self.sent)
            self.seen <= ((b.no, "beat") for b in self.beat)

    program = Chain(provenance=True)
    program.said.insert(("a",))
    for now in range(4):
        program.tick(now=float(now))
    assert [one[0] for one in hows(program.why("seen", ("a", "echo"))).values()] == ["rule", "message", "next", "inserted"]
    assert [one[0] for one in hows(program.why("seen", ("a", "sent"))).values()] == ["rule", "message", "next", "inserted"]
    [message] = program.why("seen", ("a", "sent")).messages
    assert (message.source, message.target, message.tick) == ("local", "local", 2)
    assert hows(program.why("seen", (1, "beat")))["beat(1, 1.0)"] == ["timer"]


def test_a_message_from_elsewhere_came_from_outside():
    class Hears(Bloom):
        message = channel("@to, x")
        heard = table("x")

        @rule
        def hear(self):
            self.heard <= ((m.x,) for m in self.message)

    program = Hears(provenance=True)
    program.message.insert(("local", 1))
    program.tick()
    assert hows(program.why("heard", 1)) == {"heard(1)": ["rule"], "message('local', 1)": ["received"]}


def test_alternative_derivations_are_told_apart():
    class Twice(Bloom):
        a = table("x")
        b = table("x")
        c = scratch("x")

        @rule
        def both(self):
            self.c <= self.a
            self.c <= self.b

    program = Twice(provenance=True)
    program.a.insert((1,))
    program.b.insert((1,))
    program.tick()
    found = program.why("c", 1)
    assert [one.premises[0].collection for one in found.derivations[found.root]] == ["a", "b"]
    assert "or by Twice.both" in str(found)


def test_a_row_never_supports_itself():
    class Echoes(Bloom):
        a = table("x")
        b = scratch("x")
        c = scratch("x")

        @rule
        def go(self):
            self.b <= self.a
            self.b <= self.c
            self.c <= self.b

    program = Echoes(provenance=True)
    program.a.insert((1,))
    program.tick()
    assert [one.premises[0].collection for one in program.why("b", 1).derivations[program.why("b", 1).root]] == ["a"]


def test_a_condition_that_is_true_for_two_reasons_does_not_support_itself():
    class Either(Bloom):
        e = table("a, b")
        v = scratch("a")

        @rule
        def go(self):
            self.v <= ((x.b,) for x in self.e if x.a in self.v or x.a == 3)

    program = Either(provenance=True)
    program.e.insert((3, 3), (3, 1))
    program.tick()
    found = program.why("v", 3)
    assert [premise.text for premise in found.derivations[found.root][0].premises] == ["e(3, 3)"]


def test_merged_values_have_all_that_made_them():
    class Reach(Bloom):
        edge = table("a, b")
        reach = scratch("a -> to: lset")

        @rule
        def go(self):
            self.reach <= ((e.a, e.b) for e in self.edge)
            self.reach <= ((e.a, r.to) for e in self.edge for r in self.reach if r.a == e.b)

    program = Reach(provenance=True)
    program.edge.insert((1, 2), (2, 1), (2, 3))
    program.tick()
    found = program.why("reach", 1)
    assert {fact.text for fact in found.inputs} == {"edge(1, 2)", "edge(2, 1)", "edge(2, 3)"}
    assert any(fact.partial for fact in found.facts)


def test_the_greatest_of_several_values_is_reason_enough():
    class Most(Bloom):
        seen = interface.input("no, x: int")
        most = lattice.lmax()

        @rule
        def go(self):
            self.most <= ((s.x) for s in self.seen)

    program = Most(provenance=True)
    program.seen.insert((1, 3), (2, 7), (3, 5))
    program.tick()
    assert [fact.text for fact in program.why("most", (7,)).inputs] == ["seen(2, 7)"]


def test_a_bootstrap_rule_and_a_module():
    class Inner(Bloom):
        put = interface.input("x")
        got = interface.output("x")

        @rule
        def go(self):
            self.got <= self.put

    class Outer(Bloom):
        start = table("x")
        inner = module(Inner)

        @bootstrap
        def first(self):
            self.start <= ("a",)

        @rule
        def go(self):
            self.inner.put <= self.start

    program = Outer(provenance=True)
    program.tick()
    assert [fact.collection for fact in program.why("inner.got", "a").derivations] == ["inner.got", "inner.put", "start"]


def test_restored_rows_come_from_the_store():
    class Keeps(Bloom):
        kept = table("x", durable=True)

    program = Keeps(provenance=True)
    machine_of(program).restore({"kept": [(1,)]})
    program.tick()
    assert [one[0] for one in hows(program.why("kept", 1)).values()][-1] == "restored"


def test_the_other_evaluator_is_recorded_as_well():
    program = Routes(provenance=True, evaluator="naive")
    program.link.insert(("a", "b", 1))
    program.tick()
    assert len(program.why("best", ("a", "b")).inputs) == 1


def test_a_program_that_a_node_runs_can_be_asked():
    program = Routes(provenance=True)
    with Node(program):
        program.link.insert(("a", "b", 1))
        deadline = time.monotonic() + 30
        while ("a", "b") not in program.best and time.monotonic() < deadline:
            time.sleep(0.005)
        assert [fact.text for fact in program.why("best", ("a", "b")).inputs] == ["link('a', 'b', 1)"]


def test_a_tick_that_failed_has_not_happened(routes):
    routes.link.insert(("a", "b", 7))
    with pytest.raises(Exception, match="two rows with one key"):
        routes.tick(now=2.0)
    routes.link.insert(("x", "y", 1))
    routes.tick(now=3.0)
    assert routes.why("best", ("x", "y")).root.tick == 2


def test_a_row_that_was_deleted_and_derived_again_did_not_stay():
    class Again(Bloom):
        source = table("x")
        kept = table("x")
        drop = interface.input("x")

        @rule
        def go(self):
            self.kept <= self.source
            self.kept <- ((d.x,) for d in self.drop)

    program = Again(provenance=True)
    program.source.insert((1,))
    program.tick(now=1.0)
    program.drop.insert((1,))
    program.tick(now=2.0)
    program.tick(now=3.0)
    found = program.why("kept", 1)
    assert [one.how for one in found.derivations[found.root]] == ["rule"]
    assert [one.how for one in program.why("kept", 1, tick=2).derivations[program.why("kept", 1, tick=2).root]] == ["stayed"]


def test_that_all_have_voted_rests_on_every_vote():
    class Votes(Bloom):
        open = table("tx")
        agent = table("name")
        vote = table("tx, name")
        done = scratch("tx")

        @rule
        def go(self):
            self.done <= ((o.tx,) for o in self.open if not any((o.tx, a.name) not in self.vote for a in self.agent))

    program = Votes(provenance=True)
    program.open.insert((1,))
    program.agent.insert(("x",), ("y",))
    program.vote.insert((1, "x"), (1, "y"), (2, "x"))
    program.tick()
    assert {fact.text for fact in program.why("done", 1).inputs} == {"open(1)", "vote(1, 'x')", "vote(1, 'y')"}


def test_an_upsert_of_a_merging_row_replaces_what_was_there():
    class Levels(Bloom):
        level = table("k -> v: lmax")
        put = interface.input("k, v")

        @rule
        def go(self):
            self.level <+- self.put

    program = Levels(provenance=True)
    program.level.insert(("a", 7))
    program.tick(now=1.0)
    program.put.insert(("a", 3))
    program.tick(now=2.0)
    program.tick(now=3.0)
    assert program.level["a"].v == 3
    assert [fact.text for fact in program.why("level", "a").inputs] == ["put('a', 3)"]


# --- why not


def test_the_nearest_rule_and_what_it_lacked(routes):
    found = routes.why_not("best", ("a", "z"))
    assert found.nearest.rule.label == "Routes.paths"
    assert found.nearest.missing == "path('a', 'z', _, _)"
    assert [one.pattern for one in found.walk()] == ["best('a', 'z', _)", *(f"path({node!r}, 'z', _, _)" for node in "abc")]
    assert "✗ for p in self.path:  there is no path('b', 'z', _, _)" in str(found)


def test_another_row_has_the_key(routes):
    found = routes.why_not("best", ("a", "c", 9))
    assert found.reasons == ("its key has best('a', 'c', 3)",)
    assert found.nearest.steps[-1].said == "it gives best('a', 'c', 3)"


def test_what_was_deleted_tells_who_did_it():
    class Closes(Bloom):
        item = table("x")
        close = interface.input("x")

        @rule
        def go(self):
            self.item <- ((c.x,) for c in self.close)

    program = Closes(provenance=True)
    program.item.insert((1,), (2,), (3,))
    program.tick(now=1.0)
    program.close.insert((1,))
    program.tick(now=2.0)
    program.item.delete(2)
    program.tick(now=3.0)
    program.tick(now=4.0)
    [one] = [each for each in program.why_not("item", 1).reasons if "held" in each]
    assert one.startswith("item(1) held from tick 1 to tick 2, then Closes.go, test_provenance.py:")
    assert one.endswith("deleted it for close(1)")
    assert "item(2) held from tick 1 to tick 2, then it was deleted from outside" in program.why_not("item", 2).reasons
    assert program.why_not("item", 9).reasons == ("no rule fills it, and nothing such was ever inserted",)


def test_what_stood_in_the_way_is_told(routes):
    routes.closed.insert(("b",))
    routes.tick(now=2.0)
    found = routes.why_not("path", ("b", "c", "c", 2))
    [step] = [step for attempt in found.attempts for step in attempt.steps if not step.met and "closed" in step.text]
    assert step.said == "there is closed('b')"


def test_values_of_a_condition_are_told():
    strict = Routes(provenance=True, limit=3)
    strict.link.insert(("a", "b", 1), ("b", "c", 2))
    strict.tick()
    said = [step.said for attempt in strict.why_not("path", ("a", "c", "b", ...)).attempts for step in attempt.steps if not step.met]
    assert "false with l.cost = 1, p.cost = 2" in said


def test_rules_of_the_tick_before_are_asked_too():
    class Later(Bloom):
        said = interface.input("x")
        kept = table("x")

        @rule
        def go(self):
            self.kept <+ ((s.x,) for s in self.said if s.x > 3)

    program = Later(provenance=True)
    program.said.insert((1,))
    program.tick(now=1.0)
    program.tick(now=2.0)
    found = program.why_not("kept", 1)
    assert found.nearest.how == "next"
    assert found.nearest.where == "in the tick before"
    assert [step.met for step in found.nearest.steps] == [True, False]


def test_of_all_bindings_that_came_nearest_counts():
    class Joins(Bloom):
        a = table("x, k")
        b = table("k")
        c = scratch("k")

        @rule
        def go(self):
            self.c <= ((y.k,) for x in self.a if x.x > 1 for y in self.b if y.k == x.k)

    program = Joins(provenance=True)
    program.a.insert((1, "k"), (2, "k"), (0, "k"))
    program.tick()
    nearest = program.why_not("c", "k").nearest
    assert [step.met for step in nearest.steps] == [True, True, False]
    assert nearest.steps[0].said == "a(2, 'k')"
    assert nearest.missing == "b('k')"
    assert nearest.reached == 0.4


def test_what_an_expression_raises_is_told():
    class Raises(Bloom):
        a = table("x")
        b = scratch("x")

        @rule
        def go(self):
            self.b <= ((1 // y.x,) for y in self.a if y.x > 0 and 1 // y.x > 7)

    program = Raises(provenance=True)
    program.a.insert((2,))
    program.tick()
    assert not program.why_not("b", 9).nearest.steps[-1].met


def test_why_and_why_not_send_one_to_the_other(routes):
    with pytest.raises(UsageError, match="does not hold in any tick") as told:
        routes.why("best", ("a", "z"))
    assert told.value.hint == "ask why_not"
    with pytest.raises(UsageError, match="holds in tick 1") as told:
        routes.why_not("best", ("a", "c"))
    assert told.value.hint == "ask why"


# --- how it is asked


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("bset", ("a", "c")), "Routes has no collection 'bset'"),
        (("best", 3), "3 is neither a row nor a key"),
        (("best",), "names no row"),
        (((1, 2),), "names no row"),
    ],
)
def test_questions_that_make_no_sense(routes, arguments, message):
    with pytest.raises(UsageError, match=message):
        routes.why(*arguments)


def test_without_a_record_there_is_no_answer():
    program = Routes()
    program.tick()
    with pytest.raises(UsageError, match="Routes keeps no record of its ticks") as told:
        program.why("best", ("a", "c"))
    assert told.value.hint == "make it as Routes(…, provenance=True)"


def test_before_the_first_tick_nothing_holds():
    with pytest.raises(UsageError, match="local has not ticked yet"):
        Routes(provenance=True).why("best", ("a", "c"))


def test_a_row_that_could_be_of_several_collections():
    class Same(Bloom):
        a = table("x")
        b = table("x")

    source = exec_source("from bloompy import Bloom, Row, table\nclass R(Row):\n    x: int\nclass P(Bloom):\n    a = table(R)\n    b = table(R)\n")
    program = source["P"](provenance=True)
    program.a.insert((1,))
    program.b.insert((1,), (2,))
    program.tick()
    with pytest.raises(UsageError, match="may be of a, b"):
        program.why(next(iter(program.a)))
    assert program.why(program.b[2]).root.collection == "b"


def test_without_provenance_nothing_stands_before_the_evaluator():
    assert type(machine_of(Routes()).evaluator) is Codegen


# --- what is shown


def test_values_are_shown_and_never_obeyed():
    class Shows(Bloom):
        a = table("x")
        b = scratch("x")

        @rule
        def go(self):
            self.b <= self.a

    class Evil:
        def __repr__(self):
            return "\x1b[2J<script>"

    program = Shows(provenance=True)
    evil = Evil()
    program.a.insert((evil,), ("<b>\u202e\x1b[1m",))
    program.tick()
    for value in (evil, "<b>\u202e\x1b[1m"):
        for found in (program.why("b", (value,)), program.why_not("b", ("no\x1b<b>",))):
            assert str(found).replace("\n", "").isprintable()
            html = found._repr_html_()
            assert "<script>" not in html
            assert "<b>" not in html
            assert "\x1b" not in html


def test_a_value_that_cannot_be_shown_does_not_spoil_the_answer():
    class Broken:
        def __repr__(self):
            raise RuntimeError("no")

    class Shows(Bloom):
        a = table("x")

    program = Shows(provenance=True)
    broken = Broken()
    program.a.insert((broken,))
    program.tick()
    assert "a(<Broken: RuntimeError in repr>)" in str(program.why("a", (broken,)))


def test_long_answers_are_cut():
    class Many(Bloom):
        a = table("x")
        n = scratch("-> n")

        @rule
        def go(self):
            self.n <= ((agg.count(),) for x in self.a)

    program = Many(provenance=True)
    program.a.insert(*((i,) for i in range(2_000)))
    program.tick()
    found = program.why("n", (2_000,))
    assert len(str(found).splitlines()) < 20
    assert "and 1,988 more" in str(found)
    assert len(found._repr_html_()) < 20_000
