"""Design §3.5: standing and transient facts, and what `<~` sends."""

from __future__ import annotations

from bloompy import Bloom, agg, bootstrap, channel, interface, loopback, module, periodic, rule, scratch, stdio, table


def sent(p, now=None):
    """The rows of the channel `out` that a tick sends."""
    return sorted(p.tick(now=now).sent.get("out", []))


def test_a_standing_row_is_sent_once_when_it_begins_to_hold(evaluator):
    class P(Bloom):
        peer = table("address")
        item = table("k")
        out = channel("@to, k")

        @rule
        def rules(self):
            self.out <~ ((p.address, i.k) for p in self.peer for i in self.item)

    p = P(evaluator=evaluator)
    p.peer.insert(("n1",))
    p.item.insert((1,))
    assert sent(p) == [("n1", 1)]
    assert sent(p) == []
    p.item.insert((2,))
    assert sent(p) == [("n1", 2)]
    p.peer.insert(("n2",))
    assert sent(p) == [("n2", 1), ("n2", 2)]


def test_a_standing_row_that_ceased_and_returned_is_sent_again(evaluator):
    class P(Bloom):
        item = table("k")
        out = channel("@to, k")

        @rule
        def rules(self):
            self.out <~ (("n2", i.k) for i in self.item)

    p = P(evaluator=evaluator)
    p.item.insert((1,))
    assert sent(p) == [("n2", 1)]
    p.item.delete((1,))
    assert sent(p) == []
    p.item.insert((1,))
    assert sent(p) == [("n2", 1)]


def test_a_standing_row_with_a_second_derivation_is_not_sent_again(evaluator):
    class P(Bloom):
        a = table("k")
        b = table("k")
        out = channel("@to, k")

        @rule
        def rules(self):
            self.out <~ (("n2", x.k) for x in self.a)
            self.out <~ (("n2", x.k) for x in self.b)

    p = P(evaluator=evaluator)
    p.a.insert((1,))
    assert sent(p) == [("n2", 1)]
    p.b.insert((1,))
    assert sent(p) == []
    p.a.delete((1,))
    assert sent(p) == []


def test_a_row_of_a_transient_rule_is_sent_in_every_tick_that_derives_it(evaluator):
    class P(Bloom):
        item = table("k")
        request = interface.input("k")
        out = channel("@to, k")

        @rule
        def rules(self):
            self.out <~ (("n2", i.k) for i in self.item for r in self.request if r.k == i.k)

    p = P(evaluator=evaluator)
    p.item.insert((1,))
    for _ in range(2):
        p.request.insert((1,))
        assert sent(p) == [("n2", 1)]
    assert sent(p) == []


def test_a_periodic_resends_what_stands(evaluator):
    class P(Bloom):
        item = table("k")
        beat = periodic(10)
        out = channel("@to, k")

        @rule
        def rules(self):
            self.out <~ (("n2", i.k) for i in self.item)
            self.out <~ (("n2", i.k) for i in self.item for b in self.beat)

    p = P(evaluator=evaluator)
    p.item.insert((1,))
    assert sent(p, 0) == [("n2", 1)]
    assert sent(p, 5) == []
    assert sent(p, 10) == [("n2", 1)]
    assert sent(p, 11) == []
    assert sent(p, 20) == [("n2", 1)]


def test_a_row_sent_for_two_reasons_in_one_tick_is_sent_once(evaluator):
    class P(Bloom):
        item = table("k")
        request = interface.input("k")
        out = channel("@to, k")

        @rule
        def rules(self):
            self.out <~ (("n2", i.k) for i in self.item)
            self.out <~ (("n2", r.k) for r in self.request)

    p = P(evaluator=evaluator)
    p.item.insert((1,))
    p.request.insert((1,))
    assert p.tick().sent == {"out": [("n2", 1)]}


def test_a_rule_that_reads_a_constant_of_the_tick_is_transient(evaluator):
    class P(Bloom):
        item = table("k")
        out = channel("@to, k, step")
        stamped = channel("@to, k")

        @rule
        def rules(self):
            self.out <~ (("n2", i.k, self.step) for i in self.item)
            self.stamped <~ (("n2", i.k) for i in self.item if self.now >= 0)

    p = P(evaluator=evaluator)
    p.item.insert((1,))
    assert p.tick().sent == {"out": [("n2", 1, 1)], "stamped": [("n2", 1)]}
    assert p.tick().sent == {"out": [("n2", 1, 2)], "stamped": [("n2", 1)]}


def test_the_own_address_is_the_same_in_every_tick_and_so_stands(evaluator):
    class P(Bloom):
        item = table("k")
        out = channel("@to, k")

        @rule
        def rules(self):
            self.out <~ ((self.me, i.k) for i in self.item)

    p = P("n1", evaluator=evaluator)
    p.item.insert((1,))
    assert p.tick().sent == {"out": [("n1", 1)]}
    assert p.tick().sent == {}
    assert p.out.rows() == {("n1", 1)}


def test_a_negative_reference_to_a_transient_collection_makes_a_rule_transient(evaluator):
    class P(Bloom):
        item = table("k")
        block = interface.input("k")
        out = channel("@to, k")

        @rule
        def rules(self):
            self.out <~ (("n2", i.k) for i in self.item if i.k not in self.block)

    p = P(evaluator=evaluator)
    p.item.insert((1,), (2,))
    p.block.insert((1,))
    assert sent(p) == [("n2", 2)]
    assert sent(p) == [("n2", 1), ("n2", 2)]
    assert sent(p) == [("n2", 1), ("n2", 2)]


def test_a_negative_reference_to_a_table_stands(evaluator):
    class P(Bloom):
        item = table("k")
        done = table("k")
        out = channel("@to, k")

        @rule
        def rules(self):
            self.out <~ (("n2", i.k) for i in self.item if i.k not in self.done)

    p = P(evaluator=evaluator)
    p.item.insert((1,), (2,))
    p.done.insert((1,))
    assert sent(p) == [("n2", 2)]
    assert sent(p) == []
    p.done.delete((1,))
    assert sent(p) == [("n2", 1)]


def test_a_scratch_fed_by_both_kinds_counts_row_by_row(evaluator):
    class P(Bloom):
        item = table("k")
        request = interface.input("k")
        both = scratch("k")
        out = channel("@to, k")

        @rule
        def rules(self):
            self.both <= self.item
            self.both <= self.request
            self.out <~ (("n2", b.k) for b in self.both)

    p = P(evaluator=evaluator)
    p.item.insert((1,))
    p.request.insert((2,))
    assert sent(p) == [("n2", 1), ("n2", 2)]
    p.request.insert((2,))
    assert sent(p) == [("n2", 2)]
    p.request.insert((1,))
    assert sent(p) == []
    p.item.insert((2,))
    p.request.insert((2,))
    assert sent(p) == [("n2", 2)]
    assert sent(p) == []


def test_what_follows_from_the_transient_rows_of_a_mixed_scratch_is_transient(evaluator):
    class P(Bloom):
        link = table("a, b")
        extra = interface.input("a, b")
        path = scratch("a, b")
        out = channel("@to, a, b")

        @rule
        def rules(self):
            self.path <= self.link
            self.path <= self.extra
            self.path <= ((x.a, y.b) for x in self.path for y in self.path if x.b == y.a)
            self.out <~ (("n2", x.a, x.b) for x in self.path)

    p = P(evaluator=evaluator)
    p.link.insert((1, 2), (3, 4))
    assert sent(p) == [("n2", 1, 2), ("n2", 3, 4)]
    p.extra.insert((2, 3))
    assert sent(p) == [("n2", 1, 3), ("n2", 1, 4), ("n2", 2, 3), ("n2", 2, 4)]
    tick = p.tick()
    assert p.path.rows() == {(1, 2), (3, 4)}
    assert sorted(tick.deleted["path"]) == [(1, 3), (1, 4), (2, 3), (2, 4)]
    p.link.insert((2, 3))
    assert sent(p) == [("n2", 1, 3), ("n2", 1, 4), ("n2", 2, 3), ("n2", 2, 4)]
    assert sent(p) == []


def test_an_aggregate_over_a_mixed_scratch_is_transient(evaluator):
    class P(Bloom):
        item = table("k")
        request = interface.input("k")
        both = scratch("k")
        out = channel("@to, n")

        @rule
        def rules(self):
            self.both <= self.item
            self.both <= self.request
            self.out <~ (("n2", agg.count()) for b in self.both)

    p = P(evaluator=evaluator)
    p.item.insert((1,))
    assert sent(p) == [("n2", 1)]
    assert sent(p) == [("n2", 1)]


def test_an_aggregate_over_a_table_stands(evaluator):
    class P(Bloom):
        item = table("k, v")
        out = channel("@to, k, n")

        @rule
        def rules(self):
            self.out <~ (("n2", i.k, agg.sum(i.v)) for i in self.item)

    p = P(evaluator=evaluator)
    p.item.insert(("a", 1), ("b", 5))
    assert sent(p) == [("n2", "a", 1), ("n2", "b", 5)]
    p.item.insert(("a", 2))
    assert sent(p) == [("n2", "a", 3)]
    p.item.delete(("a", 2))
    assert sent(p) == [("n2", "a", 1)]


def test_a_table_row_stands_even_if_a_transient_rule_derived_it(evaluator):
    class P(Bloom):
        request = interface.input("k")
        seen = table("k")
        out = channel("@to, k")

        @rule
        def rules(self):
            self.seen <= self.request
            self.out <~ (("n2", s.k) for s in self.seen)

    p = P(evaluator=evaluator)
    p.request.insert((1,))
    assert sent(p) == [("n2", 1)]
    p.request.insert((1,))
    assert sent(p) == []


def test_a_literal_row_stands(evaluator):
    class P(Bloom):
        out = channel("@to, k")

        @rule
        def rules(self):
            self.out <~ ("n2", 1)

    p = P(evaluator=evaluator)
    assert sent(p) == [("n2", 1)]
    assert sent(p) == []


def test_a_bootstrap_row_of_a_scratch_is_transient(evaluator):
    class P(Bloom):
        hello = scratch("k")
        out = channel("@to, k")

        @bootstrap
        def start(self):
            self.hello <= [(1,)]

        @rule
        def rules(self):
            self.out <~ (("n2", h.k) for h in self.hello)

    p = P(evaluator=evaluator)
    assert sent(p) == [("n2", 1)]
    assert sent(p) == []
    assert p.hello.rows() == set()


def test_next_tick_rows_of_a_scratch_are_transient(evaluator):
    class P(Bloom):
        item = table("k")
        later = scratch("k")
        out = channel("@to, k")

        @rule
        def rules(self):
            self.later <+ self.item
            self.out <~ (("n2", x.k) for x in self.later)

    p = P(evaluator=evaluator)
    p.item.insert((1,))
    assert [sent(p), sent(p), sent(p)] == [[], [("n2", 1)], [("n2", 1)]]


def test_an_input_filled_by_an_outer_module_counts_as_its_rules_do(evaluator):
    class Inner(Bloom):
        wanted = interface.input("k")
        out = channel("@to, k")

        @rule
        def rules(self):
            self.out <~ (("n2", w.k) for w in self.wanted)

    class Outer(Bloom):
        item = table("k")
        request = interface.input("k")
        one = module(Inner)
        two = module(Inner)

        @rule
        def rules(self):
            self.one.wanted <= self.item
            self.two.wanted <= self.request

    p = Outer(evaluator=evaluator)
    p.item.insert((1,))
    p.request.insert((1,))
    assert p.tick().sent == {"one.out": [("n2", 1)], "two.out": [("n2", 1)]}
    p.request.insert((1,))
    assert p.tick().sent == {"two.out": [("n2", 1)]}
    assert p.tick().sent == {}


def test_next_tick_changes_apply_to_all_rows_of_the_right_side_in_every_tick(evaluator):
    class P(Bloom):
        source = table("k")
        copy = table("k")

        @rule
        def rules(self):
            self.copy <+ self.source

    p = P(evaluator=evaluator)
    p.source.insert((1,))
    p.tick()
    p.tick()
    assert p.copy.rows() == {(1,)}
    p.copy.delete((1,))
    p.tick()
    assert p.copy.rows() == {(1,)}  # the pending insert wins over the staged delete
    p.source.delete((1,))
    p.copy.delete((1,))
    p.tick()
    assert p.copy.rows() == {(1,)}
    p.copy.delete((1,))
    p.tick()
    assert p.copy.rows() == set()


def test_stdio_prints_at_the_end_of_the_tick(evaluator, capsys):
    class P(Bloom):
        item = table("k")
        terminal = stdio()

        @rule
        def rules(self):
            self.terminal <~ ((f"item {i.k}",) for i in self.item)

    p = P(evaluator=evaluator)
    p.item.insert((1,))
    p.tick()
    p.tick()
    assert capsys.readouterr().out == "item 1\n"


def test_a_tick_tells_what_began_and_what_ceased_to_hold(evaluator):
    class P(Bloom):
        item = table("k -> v")
        request = interface.input("k")
        view = scratch("k")

        @rule
        def rules(self):
            self.view <= ((i.k,) for i in self.item)
            self.view <= self.request

    p = P(evaluator=evaluator)
    p.item.insert((1, "a"))
    p.request.insert((2,))
    tick = p.tick()
    assert {name: sorted(rows) for name, rows in tick.inserted.items()} == {"item": [(1, "a")], "request": [(2,)], "view": [(1,), (2,)]}
    assert tick.deleted == {}
    p.item.upsert((1, "b"))
    p.request.insert((2,))
    tick = p.tick()
    assert tick.inserted == {"item": [(1, "b")], "request": [(2,)], "view": [(2,)]}  # a transient row begins anew
    assert tick.deleted == {"item": [(1, "a")]}
    p.item.delete(1)
    tick = p.tick()
    assert tick.inserted == {}
    assert {name: sorted(rows) for name, rows in tick.deleted.items()} == {"item": [(1, "b")], "request": [(2,)], "view": [(1,), (2,)]}


def test_messages_to_the_node_itself_arrive_in_its_next_tick(evaluator):
    class P(Bloom):
        request = interface.input("to, k")
        out = channel("@to, k")
        own = loopback("k")
        got = table("k, step")

        @rule
        def rules(self):
            self.out <~ self.request
            self.own <~ ((o.k + 10,) for o in self.out)
            self.got <= ((o.k, self.step) for o in self.out)
            self.got <= ((o.k, self.step) for o in self.own)

    p = P("n1", evaluator=evaluator)
    p.request.insert(("n1", 1), ("n2", 2))
    assert sent(p) == [("n1", 1), ("n2", 2)]
    assert p.got.rows() == set()
    p.tick()
    p.tick()
    p.tick()
    assert p.got.rows() == {(1, 2), (11, 3)}
