"""Design §2.1 and §2.2: collections and the statements that fill them."""

from __future__ import annotations

import pytest

from bloompy import Bloom, Row, agg, channel, interface, key, loopback, module, param, periodic, rule, scratch, table
from bloompy.errors import RowError


def test_the_program_of_the_design_finds_the_cheapest_paths(evaluator):
    class Routes(Bloom):
        link = table("src, dst -> cost: int")
        path = scratch("src, dst, hop, cost")
        best = scratch("src, dst -> cost")
        horizon = param(100)

        @rule
        def paths(self):
            self.path <= ((l.src, l.dst, l.dst, l.cost) for l in self.link)
            self.path <= ((l.src, p.dst, l.dst, l.cost + p.cost)
                          for l in self.link for p in self.path if l.dst == p.src and l.cost + p.cost < self.horizon)
            self.best <= ((p.src, p.dst, agg.min(p.cost)) for p in self.path)

    r = Routes(evaluator=evaluator)
    r.link.insert(("a", "b", 1), ("b", "c", 2), ("a", "c", 5))
    r.tick()
    assert set(r.best) == {("a", "b", 1), ("b", "c", 2), ("a", "c", 3)}
    r.link.insert(("c", "a", 1))
    r.tick()
    assert set(r.best) == {
        ("a", "b", 1), ("b", "c", 2), ("a", "c", 3), ("c", "a", 1), ("b", "a", 3), ("c", "b", 2), ("a", "a", 4), ("b", "b", 5), ("c", "c", 4),
    } - {("b", "b", 5)} | {("b", "b", 4)}
    small = Routes(evaluator=evaluator, horizon=3)
    small.link.insert(("a", "b", 1), ("b", "c", 2), ("a", "c", 5))
    small.tick()
    assert set(small.best) == {("a", "b", 1), ("b", "c", 2), ("a", "c", 5)}


def test_a_table_keeps_rows_a_scratch_and_an_input_hold_them_for_one_tick(evaluator):
    class P(Bloom):
        kept = table("k")
        shown = scratch("k")
        request = interface.input("k")
        answer = interface.output("k")

        @rule
        def rules(self):
            self.kept <= self.request
            self.shown <= self.request
            self.answer <= ((k.k * 10,) for k in self.kept)

    p = P(evaluator=evaluator)
    p.request.insert((1,))
    p.tick()
    assert (p.kept.rows(), p.shown.rows(), p.request.rows(), p.answer.rows()) == ({(1,)}, {(1,)}, {(1,)}, {(10,)})
    p.tick()
    assert (p.kept.rows(), p.shown.rows(), p.request.rows(), p.answer.rows()) == ({(1,)}, set(), set(), {(10,)})


def test_rows_may_be_staged_into_a_scratch_for_one_tick(evaluator):
    class P(Bloom):
        note = scratch("k")
        item = table("k")

        @rule
        def rules(self):
            self.note <= self.item

    p = P(evaluator=evaluator)
    p.item.insert((1,))
    p.tick()
    p.note.insert((1,), (2,))
    p.tick()
    assert p.note.rows() == {(1,), (2,)}
    p.item.delete((1,))
    p.note.insert((1,))
    p.tick()
    assert p.note.rows() == {(1,)}
    p.tick()
    assert p.note.rows() == set()


def test_a_schema_by_row_class_means_the_same(evaluator):
    class Link(Row):
        src: str = key()
        dst: str = key()
        cost: int

    class P(Bloom):
        link = table(Link)
        back = scratch(Link)

        @rule
        def rules(self):
            self.back <= (Link(l.dst, l.src, cost=l.cost) for l in self.link)

    p = P(evaluator=evaluator)
    p.link.insert(Link("a", "b", 1), ("b", "c", 2))
    p.tick()
    assert p.back.rows() == {("b", "a", 1), ("c", "b", 2)}
    assert p.back["b", "a"].cost == 1


def test_derived_rows_are_checked_at_channels_and_durable_tables(evaluator):
    class P(Bloom):
        request = interface.input("v")
        out = channel("@to: str, v: int")
        kept = table("v: int", durable=True)
        free = scratch("v: int")
        which = interface.input("name")

        @rule
        def rules(self):
            self.out <~ (("n2", r.v) for r in self.request for w in self.which if w.name == "out")
            self.kept <= ((r.v,) for r in self.request for w in self.which if w.name == "kept")
            self.free <= self.request

    for name in ("out", "kept"):
        p = P(evaluator=evaluator)
        p.which.insert((name,))
        p.request.insert(("x",))
        with pytest.raises(RowError, match=rf"{name}\.v: 'x'") as caught:
            p.tick()
        assert any("P.rules" in note for note in caught.value.__notes__)
    p = P(evaluator=evaluator)
    p.request.insert(("x",))
    p.tick()
    assert p.free.rows() == {("x",)}


def test_in_debug_mode_every_derived_row_is_checked(evaluator):
    class P(Bloom):
        request = interface.input("v")
        typed = scratch("v: int")

        @rule
        def rules(self):
            self.typed <= self.request

    p = P(evaluator=evaluator, debug=True)
    p.request.insert(("x",))
    with pytest.raises(RowError, match=r"typed\.v: 'x'"):
        p.tick()


def test_an_int_becomes_a_float_in_a_float_column_of_a_message(evaluator):
    class P(Bloom):
        item = table("k: int")
        out = channel("@to, v: float")

        @rule
        def rules(self):
            self.out <~ (("n2", i.k) for i in self.item)

    p = P(evaluator=evaluator)
    p.item.insert((1,))
    (row,) = p.tick().sent["out"]
    assert repr(row[1]) == "1.0"


def test_a_periodic_fires_when_its_period_has_passed(evaluator):
    class P(Bloom):
        every = param(5)
        beat = periodic(every)
        half = periodic(2.5)
        seen = table("name, no, time")

        @rule
        def rules(self):
            self.seen <= (("beat", b.no, b.time) for b in self.beat)
            self.seen <= (("half", h.no, h.time) for h in self.half)

    p = P(evaluator=evaluator)
    for now in (100, 102, 103, 105, 106, 130, 131):
        p.tick(now=now)
    assert p.seen.rows() == {
        ("half", 1, 103), ("half", 2, 105), ("beat", 1, 105), ("half", 3, 130), ("beat", 2, 130),
    }


def test_literal_rows_hold(evaluator):
    class P(Bloom):
        one = scratch("a, b")
        two = scratch("a, b")
        three = scratch("a")
        flag = scratch("-> on")

        @rule
        def rules(self):
            self.one <= (1, 2)
            self.two <= [(1, 2), (3, 4)]
            self.three <= {(1,), (2,)}
            self.flag <= [(True,)]

    p = P(evaluator=evaluator)
    p.tick()
    assert (p.one.rows(), p.two.rows(), p.three.rows(), p.flag.rows()) == ({(1, 2)}, {(1, 2), (3, 4)}, {(1,), (2,)}, {(True,)})
    p.tick()
    assert p.two.rows() == {(1, 2), (3, 4)}


def test_a_temporary_holds_in_its_method(evaluator):
    class P(Bloom):
        link = table("src, dst, cost")
        cheap = scratch("src, dst")
        pair = scratch("a, b")
        swapped = scratch("a, b")

        @rule
        def rules(self):
            near = ((l.src, l.dst) for l in self.link if l.cost < 3)
            self.cheap <= near
            self.pair <= ((n.src, m.dst) for n in near for m in near if n.dst == m.src)
            both = ((n.src + 1, n.dst + 1) for n in near)
            self.swapped <= ((b, a) for a, b in both)

    p = P(evaluator=evaluator)
    p.link.insert((1, 2, 1), (2, 3, 2), (3, 4, 9))
    p.tick()
    assert p.cheap.rows() == {(1, 2), (2, 3)}
    assert p.pair.rows() == {(1, 3)}
    assert p.swapped.rows() == {(3, 2), (4, 3)}


def test_by_key_deletion_takes_bare_keys_and_key_tuples(evaluator):
    class P(Bloom):
        one = table("k -> v")
        two = table("a, b -> v")
        gone = interface.input("k")

        @rule
        def rules(self):
            self.one <- (g.k for g in self.gone)
            self.two <- ((t.a, t.b) for t in self.two for g in self.gone if t.a == g.k)

    p = P(evaluator=evaluator)
    p.one.insert((1, "x"), (2, "y"))
    p.two.insert((1, 1, "x"), (1, 2, "y"), (2, 1, "z"))
    p.gone.insert((1,))
    p.tick()
    p.tick()
    assert (p.one.rows(), p.two.rows()) == ({(2, "y")}, {(2, 1, "z")})


def test_a_module_is_an_own_copy_with_its_parameters(evaluator):
    class Counter(Bloom):
        start = param(0)
        bump = interface.input("by")
        total = table("-> n")
        value = interface.output("-> n")

        @rule
        def rules(self):
            self.total <= [(self.start,)]
            self.value <= self.total

    class Two(Bloom):
        base = param(7)
        one = module(Counter, start=5)
        two = module(Counter, start=base)
        seen = scratch("name, n")

        @rule
        def rules(self):
            self.seen <= (("one", v.n) for v in self.one.value)
            self.seen <= (("two", v.n) for v in self.two.value)

    p = Two(evaluator=evaluator)
    p.tick()
    assert p.seen.rows() == {("one", 5), ("two", 7)}
    assert p.one.value.rows() == {(5,)}
    q = Two(evaluator=evaluator, base=9)
    q.tick()
    assert q.seen.rows() == {("one", 5), ("two", 9)}


def test_a_subclass_inherits_collections_and_rules_and_overrides_by_name(evaluator):
    class Base(Bloom):
        item = table("k")
        view = scratch("k")

        @rule
        def fill(self):
            self.view <= self.item

        @rule
        def other(self):
            self.view <= ((i.k + 100,) for i in self.item)

    class Derived(Base):
        extra = scratch("k")

        @rule
        def other(self):
            self.view <= ((i.k + 200,) for i in self.item)

        @rule
        def more(self):
            self.extra <= self.view

    p = Derived(evaluator=evaluator)
    p.item.insert((1,))
    p.tick()
    assert p.extra.rows() == {(1,), (201,)}


def test_a_subclass_may_fill_inherited_inputs_and_read_inherited_outputs(evaluator):
    class Base(Bloom):
        request = interface.input("k")
        answer = interface.output("k")

        @rule
        def rules(self):
            self.answer <= ((r.k + 1,) for r in self.request)

    class Derived(Base):
        item = table("k")
        result = table("k")

        @rule
        def wire(self):
            self.request <= self.item
            self.result <= self.answer

    p = Derived(evaluator=evaluator)
    p.item.insert((1,))
    p.tick()
    assert p.result.rows() == {(2,)}


def test_a_loopback_delivers_in_the_next_tick(evaluator):
    class P(Bloom):
        request = interface.input("k")
        again = loopback("k")

        @rule
        def rules(self):
            self.again <~ self.request
            self.again <~ ((a.k - 1,) for a in self.again if a.k > 0)

    p = P(evaluator=evaluator)
    p.request.insert((2,))
    seen = []
    for _ in range(5):
        p.tick()
        seen.append(p.again.rows())
    assert seen == [set(), {(2,)}, {(1,)}, {(0,)}, set()]
