"""Points of order: which programs have some, where, of which kind, and that running them agrees."""

from __future__ import annotations

import pytest

from bloompy import Bloom, agg, bootstrap, channel, interface, loopback, module, periodic, rule, scratch, table
from bloompy.analysis.order import order
from bloompy.analysis.remedies import remedy, what, why
from bloompy.testing.confluence import check_confluence
from tests.analysis import carts


def points(program, changing=()):
    """Kind, collection and head of each point."""
    return [(one.kind, one.collection, one.rule.head) for one in order(program.program_ir, changing).points]


@pytest.mark.parametrize("program", [carts.Disorderly, carts.Votes, carts.Remembered, carts.Tombstones, carts.Newest])
def test_programs_that_only_grow_have_no_point_of_order(program):
    assert points(program) == []


def test_a_deletion_by_a_message_is_a_point_and_a_request_that_meets_a_table_as_well():
    assert points(carts.Destructive) == [("deletion", "held", "held"), ("meeting", "held", "receipt")]


def test_an_aggregate_is_a_point_where_a_count_on_the_way_is_kept():
    (point,) = order(carts.Count.program_ir).points
    assert (point.kind, point.collection, [one.head for one in point.seen]) == ("aggregation", "votes", ["decided"])
    assert [step.collection for step in point.way] == ["vote", "votes"]
    assert point.span.text[point.span.column : point.span.end_column] == "agg.count()"


def test_a_view_that_nothing_keeps_may_aggregate_and_negate():
    class Seen(Bloom):
        vote = channel("@to, ballot, voter")
        votes = table("ballot, voter")
        number = scratch("ballot -> n")

        @rule
        def count(self):
            self.votes <= ((v.ballot, v.voter) for v in self.vote)
            self.number <= ((v.ballot, agg.count()) for v in self.votes)

    assert points(Seen) == []


def test_what_is_shown_outside_or_sent_is_kept():
    class Shown(Bloom):
        vote = channel("@to, voter")
        votes = table("voter")
        number = interface.output("n")
        tell = channel("@to, n")

        @rule
        def count(self):
            self.votes <= ((v.voter,) for v in self.vote)
            self.number <= [(agg.count(),) for v in self.votes]
            self.tell <~ (("b", agg.count()) for v in self.votes)

    assert points(Shown) == [("aggregation", "votes", "number"), ("aggregation", "votes", "tell")]


def test_different_rows_for_a_key_are_a_point_of_their_own_kind():
    (point,) = order(carts.Store.program_ir).points
    assert (point.kind, point.collection) == ("key", "store")
    assert point.span.text[point.span.column : point.span.end_column] == "p.value"


def test_values_that_follow_from_the_key_are_no_point():
    class Squares(Bloom):
        number = channel("@to, n")
        known = table("n")
        square = table("n -> square")
        name = table("n -> name, square")

        @rule
        def compute(self):
            self.known <= ((x.n,) for x in self.number)
            self.square <= ((k.n, k.n * k.n) for k in self.known)
            self.name <= ((k.n, str(k.n), s.square) for k in self.known for s in self.square if s.n == k.n)

    assert points(Squares) == []


def test_two_rules_may_fill_different_keys():
    class Kinds(Bloom):
        number = channel("@to, n")
        known = table("kind, n -> twice")
        mixed = table("n -> twice")

        @rule
        def compute(self):
            self.known <= (("even", x.n, 2 * x.n) for x in self.number)
            self.known <= (("odd", x.n, 2 * x.n + 1) for x in self.number)
            self.mixed <= ((x.n, 2 * x.n) for x in self.number)
            self.mixed <= ((x.n, 2 * x.n + 1) for x in self.number)

    (point,) = order(Kinds.program_ir).points
    assert (point.kind, point.collection) == ("key", "mixed")
    assert point.other is not None


def test_two_messages_that_must_come_together_are_a_point():
    class Both(Bloom):
        one = channel("@to, n")
        other = channel("@to, n")
        both = table("n")

        @rule
        def meet(self):
            self.both <= ((a.n,) for a in self.one for b in self.other if a.n == b.n)

    (point,) = order(Both.program_ir).points
    assert (point.kind, point.collection, point.mover, point.together) == ("meeting", "other", "one", True)
    found = check_confluence(Both, {"one": [("local", 1)], "other": [("local", 1)]})
    assert found.difference is not None


def test_a_self_join_of_messages_is_a_point():
    class Pairs(Bloom):
        one = channel("@to, n")
        pair = table("a, b")

        @rule
        def meet(self):
            self.pair <= ((a.n, b.n) for a in self.one for b in self.one)

    assert points(Pairs) == [("meeting", "one", "pair")]


def test_tables_that_no_rule_fills_are_taken_to_be_there():
    class Told(Bloom):
        news = channel("@to, what")
        peer = table("address")
        tell = channel("@to, what")
        quiet = table("what")

        @rule
        def spread(self):
            self.tell <~ ((p.address, n.what) for n in self.news for p in self.peer)
            self.quiet <= ((n.what,) for n in self.news if n.what not in self.peer)

    assert points(Told) == []
    assert points(Told, changing=["peer"]) == [("meeting", "peer", "tell"), ("negation", "peer", "quiet")]


def test_messages_may_be_aggregated_one_by_one():
    class Words(Bloom):
        line = channel("@to, no, text")
        length = table("no, text, words")

        @rule
        def count(self):
            self.length <= ((x.no, x.text, agg.count()) for x in self.line for w in x.text.split())

    assert points(Words) == [("aggregation", "line", "length")]  # the address is a part of the key

    class Input(Bloom):
        line = interface.input("no, text")
        length = table("no, text, words")

        @rule
        def count(self):
            self.length <= ((x.no, x.text, agg.count()) for x in self.line for w in x.text.split())

    assert points(Input) == []


def test_the_clock_and_what_a_timer_says_are_points_but_that_it_fires_is_none():
    class Clock(Bloom):
        beat = periodic(1)
        seen = table("at")
        fired = table("what")
        stamped = table("what, at")
        news = channel("@to, what")

        @rule
        def note(self):
            self.seen <= ((b.time,) for b in self.beat)
            self.fired <= (("fired",) for b in self.beat)
            self.stamped <= ((n.what, self.now) for n in self.news)

    assert points(Clock) == [("clock", "beat", "seen"), ("clock", "now", "stamped")]


def test_replacing_is_a_point():
    class Last(Bloom):
        put = channel("@to, key, value")
        store = table("key -> value")

        @rule
        def keep(self):
            self.store <+- ((p.key, p.value) for p in self.put)

    assert points(Last) == [("replacement", "store", "store")]


def test_a_tombstone_is_a_point_where_the_row_is_read_before_it_goes():
    class Read(carts.Tombstones):
        ever = table("key")

        @rule
        def remember(self):
            self.ever <= self.held

    (point,) = order(Read.program_ir).points
    assert (point.kind, point.collection, [one.head for one in point.seen]) == ("deletion", "held", ["ever"])


def test_merged_messages_may_be_passed_on_but_not_measured():
    class Measured(Bloom):
        write = channel("@to, key -> who: lset")
        many = table("key")
        each = table("key, who")

        @rule
        def keep(self):
            self.many <= ((w.key,) for w in self.write if len(w.who) > 1)
            self.each <= ((w.key, one) for w in self.write for one in w.who)

    assert points(Measured) == [("merging", "write", "many")]
    found = check_confluence(Measured, {"write": [("local", 1, "a"), ("local", 1, "b")]})
    assert found.difference is not None


def test_what_a_rule_passes_to_the_next_tick_cannot_be_taken_apart():
    class Next(Bloom):
        number = interface.input("n")
        wait = scratch("n")
        one = scratch("-> n")

        @rule
        def pass_on(self):
            self.wait <+ self.number
            self.one <= ((w.n,) for w in self.wait)

    assert points(Next) == [("key", "one", "one")]


def test_a_rule_of_the_first_tick_misses_what_comes_later():
    class Start(Bloom):
        number = channel("@to, n")
        known = table("n")
        first = table("n")

        @rule
        def keep(self):
            self.known <= ((x.n,) for x in self.number)

        @bootstrap
        def begin(self):
            self.first <= self.known

    assert points(Start) == [("meeting", "known", "first")]


def test_points_of_an_inner_module_count():
    class Outer(Bloom):
        inner = module(carts.Destructive)
        go = loopback("cart, item")

        @rule
        def use(self):
            self.inner.add <= self.go

    assert {point[1] for point in points(Outer)} == {"inner.held"}


@pytest.mark.parametrize("program", [carts.Destructive, carts.Count, carts.Store, carts.Ask])
def test_every_point_has_a_reason_and_a_remedy(program):
    for point in order(program.program_ir).points:
        assert point.collection in what(point)
        assert len(why(point)) > 20
        assert len(remedy(point)) > 20


INPUTS = {
    carts.Destructive: {"add": [("c", 1)], "remove": [("c", 1)], "checkout": [("c",)]},
    carts.Count: {"vote": [("local", "b", voter) for voter in "xyz"]},
    carts.Store: {"put": [("local", "k", 1), ("local", "k", 2)]},
    carts.Ask: {"put": [("local", "k", 1)], "get": [("local", "k", "far")]},
    carts.Disorderly: {"add": [("local", "c", 1, "x"), ("local", "c", 2, "y")], "remove": [("local", "c", 1, "x")]},
    carts.Votes: {"vote": [("local", "b", voter) for voter in "xyz"]},
    carts.Remembered: {"put": [("local", "k", 1)], "get": [("local", "k", "far")]},
    carts.Tombstones: {"add": [(1,), (2,)], "remove": [(1,), (3,)]},
    carts.Newest: {"write": [("local", "k", 1), ("local", "k", 3), ("local", "l", 2)]},
}


CONFLUENT = [carts.Disorderly, carts.Votes, carts.Remembered, carts.Tombstones, carts.Newest]


@pytest.mark.parametrize("program", INPUTS)
def test_running_agrees_with_the_analysis(program):
    check_confluence(program, INPUTS[program], runs=40, confluent=program in CONFLUENT)


@pytest.mark.parametrize("program", CONFLUENT)
def test_the_reference_evaluator_agrees_too(program):
    check_confluence(program, INPUTS[program], runs=12, evaluator="naive", confluent=True)
