"""What a tick evaluates: only what changed. Counted by the calls of functions in rules, never by time."""

from __future__ import annotations

import pytest

from bloompy import Bloom, agg, interface, lattice, rule, scratch, table

CALLS: list[object] = []


def seen(value):
    CALLS.append(value)
    return value


@pytest.fixture(autouse=True)
def calls():
    CALLS.clear()
    return CALLS


class Views(Bloom):
    big = table("k: int -> v: int")
    other = table("k: int -> v: int")
    request = interface.input("k: int")
    view = scratch("k, v")
    joined = scratch("k, v, w")
    answer = scratch("k, v")
    total = scratch("-> s")

    @rule
    def rules(self):
        self.view <= ((b.k, seen(b.v)) for b in self.big)
        self.answer <= ((r.k, seen(b.v)) for b in self.big for r in self.request if b.k == r.k)
        self.joined <= ((b.k, b.v, seen(o.v)) for b in self.big for o in self.other if b.k == o.k)
        self.total <= (agg.sum(seen(o.v)) for o in self.other)


@pytest.fixture
def loaded(calls):
    program = Views()
    program.big.insert(*((i, i) for i in range(100)))
    program.tick()
    calls.clear()
    return program


def test_a_tick_without_input_evaluates_nothing(loaded, calls):
    tick = loaded.tick()
    assert calls == []
    assert tick.touched == 0


def test_an_insert_evaluates_the_rules_over_its_table_for_the_new_row(loaded, calls):
    loaded.big.insert((1000, 7))
    tick = loaded.tick()
    assert calls == [7]
    assert tick.touched == 2


def test_a_request_reaches_its_row_by_key_whatever_the_order_of_the_loops(loaded, calls):
    loaded.request.insert(42)
    loaded.tick()
    assert calls == [42]
    assert loaded.answer.rows() == {(42, 42)}


def test_a_join_is_driven_by_the_relation_that_changed(loaded, calls):
    loaded.other.insert((5, 50))
    loaded.tick()
    assert sorted(calls) == [50, 50]  # once in the join, once in the sum
    assert loaded.joined.rows() == {(5, 5, 50)}


def test_views_that_do_not_depend_on_a_change_are_left_alone(loaded, calls):
    loaded.other.insert((7, 5000))
    loaded.tick()
    calls.clear()
    loaded.big.delete(7)
    loaded.tick()
    assert sorted(calls) == [7, 5000]  # what was lost: a row of the view, a row of the join; the sum over `other` is left alone
    assert (len(loaded.view), loaded.joined.rows(), loaded.total.rows()) == (99, set(), {(5000,)})


def test_a_program_with_many_rules_runs_only_those_below_the_change():
    class Chains(Bloom):
        a = interface.input("k")
        b = interface.input("k")
        a1 = scratch("k")
        b1 = scratch("k")

        @rule
        def chains(self):
            self.a1 <= (seen((x.k, "a"))[0] for x in self.a)
            self.b1 <= (seen((x.k, "b"))[0] for x in self.b)

    program = Chains()
    program.tick()
    program.a.insert(1)
    program.tick()
    assert CALLS == [(1, "a")]


def test_of_a_set_that_grows_only_what_is_new_is_evaluated():
    class P(Bloom):
        x = interface.input("v")
        row = table("v")
        values = lattice.lset()
        groups = table("k -> v: lset, w: lmax")
        out = scratch("e")
        inside = scratch("v")
        keys = scratch("k")
        count = scratch("n")

        @rule
        def rules(self):
            self.values <= (x.v for x in self.x)
            self.groups <= ((x.v % 2, x.v, x.v) for x in self.x)
            self.out <= ((seen(e),) for e in self.values.value)
            self.inside <= ((seen(r.v),) for r in self.row for g in self.groups if r.v in g.v)
            self.keys <= ((seen(g.k),) for g in self.groups)
            self.count <= ((agg.count(),) for e in self.values.value if seen(e) >= 0)

    p = P()
    p.x.insert(*((i,) for i in range(100)))
    p.row.insert(*((i,) for i in range(0, 200, 5)))
    p.tick()
    CALLS.clear()
    p.x.insert((105,))
    p.tick()
    assert sorted(CALLS) == [105, 105, 105]  # of values, inside, count; no key is new
    assert p.count.rows() == {(101,)}
    assert len(p.out) == 101
    assert (105,) in p.inside.rows()
