"""Design §2.3, §3.6, §3.7 and §3.8: stepping by hand, locality, determinism."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bloompy import Bloom, agg, channel, interface, loopback, rule, scratch, table
from bloompy.errors import KeyConflict, RowError, UsageError
from bloompy.program import machine_of


class Plain(Bloom):
    item = table("k -> v")
    one = table("k")
    pair = table("a, b -> v")
    view = scratch("k")
    out = channel("@to, k")

    @rule
    def rules(self):
        self.view <= ((i.k,) for i in self.item)
        self.out <~ (("n2", i.k) for i in self.item)


def test_reads_show_what_held_at_the_end_of_the_last_tick(evaluator):
    p = Plain(evaluator=evaluator)
    p.item.insert(("a", 1))
    assert (set(p.item), len(p.item), "a" in p.item, p.item.get("a")) == (set(), 0, False, None)
    p.tick()
    assert (set(p.item), len(p.item), "a" in p.item, p.item["a"]) == ({("a", 1)}, 1, True, ("a", 1))
    p.item.delete("a")
    assert p.item["a"].v == 1
    p.tick()
    assert "a" not in p.item
    with pytest.raises(KeyError, match="'a'"):
        p.item["a"]


def test_rows_read_have_named_columns_and_are_tuples(evaluator):
    p = Plain(evaluator=evaluator)
    p.pair.insert((1, 2, "x"))
    p.tick()
    row = p.pair[1, 2]
    assert (row.a, row.b, row.v) == (1, 2, "x")
    assert row == (1, 2, "x")
    assert p.pair.get((9, 9), (9, 9, "?")) == (9, 9, "?")
    assert isinstance(p.pair.rows(), frozenset)


def test_a_row_that_does_not_fit_is_refused_where_it_is_staged_and_none_is(evaluator):
    p = Plain(evaluator=evaluator)
    with pytest.raises(RowError, match="item"):
        p.item.insert(("a", 1), ("b",))
    with pytest.raises(RowError, match="hashable"):
        p.item.insert(("a", []))
    p.tick()
    assert p.item.rows() == set()


def test_deletes_take_rows_and_keys(evaluator):
    p = Plain(evaluator=evaluator)
    p.item.insert(("a", 1), ("b", 2), ("c", 3))
    p.pair.insert((1, 2, "x"), (3, 4, "y"))
    p.one.insert((1,), (2,))
    p.tick()
    p.item.delete("a", ("b", 2), ("c", 99))
    p.pair.delete((1, 2), (3, 4, "z"))
    p.one.delete(1)
    p.tick()
    assert (p.item.rows(), p.pair.rows(), p.one.rows()) == ({("c", 3)}, {(3, 4, "y")}, {(2,)})


def test_ticks_are_numbered_from_one_and_told_their_time(evaluator):
    p = Plain(evaluator=evaluator)
    first, second = p.tick(now=5), p.tick(now=6.5)
    assert (first.step, first.now, second.step, second.now) == (1, 5, 2, 6.5)
    assert (p.step, p.now) == (2, 6.5)


def test_time_is_that_of_the_clock_by_default(evaluator):
    p = Plain(evaluator=evaluator, clock=lambda: 42.0)
    assert p.tick().now == 42.0


def test_callbacks_are_called_with_each_row_that_begins_to_hold(evaluator):
    p = Plain(evaluator=evaluator)
    rows = []
    p.view.on_insert(rows.append)
    p.item.insert(("a", 1), ("b", 1))
    p.tick()
    p.item.upsert(("a", 2), ("c", 1))
    p.tick()
    assert sorted(row.k for row in rows) == ["a", "b", "c"]


def test_the_exception_of_a_callback_is_raised_when_all_have_run_and_the_tick_stays(evaluator):
    p = Plain(evaluator=evaluator)
    rows = []

    def bad(row):
        raise LookupError(f"no {row.k}")

    p.item.on_insert(bad)
    p.item.on_insert(rows.append)
    p.item.insert(("a", 1))
    with pytest.raises(LookupError, match="no a"):
        p.tick()
    assert rows == [("a", 1)]
    assert p.item.rows() == {("a", 1)}
    assert p.step == 1


def test_a_tick_by_hand_splits_nothing_it_raises(evaluator):
    class P(Bloom):
        request = interface.input("id -> v")
        log = table("id -> q")

        @rule
        def rules(self):
            self.log <= ((r.id, 10 // r.v) for r in self.request)

    p = P(evaluator=evaluator)
    p.request.insert((1, 5), (2, 0))
    with pytest.raises(ZeroDivisionError, match="zero"):
        p.tick()
    assert p.log.rows() == set()
    assert p.dead_letter.rows() == set()


def test_dead_letters_can_be_read_in_rules(evaluator):
    class P(Bloom):
        request = interface.input("id")
        alarm = scratch("channel, row, error")

        @rule
        def rules(self):
            self.alarm <= ((d.channel, d.row, d.error) for d in self.dead_letter)

    p = P(evaluator=evaluator)
    p.tick(now=3)
    machine_of(p).dead_letter("request", (7,), ValueError("bad"))
    p.tick(now=4)
    assert p.alarm.rows() == {("request", (7,), "ValueError: bad")}
    assert p.dead_letter[1].time == 3


def test_batching_is_free_for_rows_that_do_not_meet(evaluator):
    class P(Bloom):
        request = interface.input("id, v")
        log = table("id -> v")
        total = scratch("-> v")

        @rule
        def rules(self):
            self.log <= self.request
            self.total <= ((agg.sum(x.v),) for x in self.log)

    together, one_by_one = P(evaluator=evaluator), P(evaluator=evaluator)
    rows = [(i, i * i) for i in range(5)]
    together.request.insert(*rows)
    together.tick()
    for row in rows:
        one_by_one.request.insert(row)
        one_by_one.tick()
    assert together.log.rows() == one_by_one.log.rows() == set(rows)
    assert together.total.rows() == one_by_one.total.rows() == {(30,)}


def test_messages_to_others_leave_and_are_not_delivered_here(evaluator):
    p = Plain("n1", evaluator=evaluator)
    p.item.insert(("a", 1))
    assert p.tick().sent == {"out": [("n2", "a")]}
    p.tick()
    assert p.out.rows() == set()


def test_collections_of_the_program_cannot_be_replaced(evaluator):
    p = Plain(evaluator=evaluator)
    with pytest.raises(UsageError, match="item"):
        p.item = 3


SCRIPT = """
from bloompy import Bloom, agg, exec_source
namespace = exec_source('''
from bloompy import Bloom, agg, channel, loopback, rule, scratch, table

class P(Bloom):
    word = table("text")
    letter = scratch("a, b")
    joined = scratch("a, b, c")
    out = channel("@to, a, n")
    again = loopback("a")

    @rule
    def rules(self):
        self.letter <= ((w.text, c) for w in self.word for c in set(w.text))
        self.joined <= ((x.a, y.a, x.b) for x in self.letter for y in self.letter if x.b == y.b)
        self.out <~ ((j.c, j.a, agg.count()) for j in self.joined)
        self.again <~ ((j.b,) for j in self.joined)
''')
p = namespace["P"](evaluator=EVALUATOR)
p.word.insert(*[(w,) for w in "the quick brown fox jumps over a lazy dog".split()])
tick = p.tick(now=1)
print(list(tick.sent.items()), list(p.joined), list(tick.inserted.items()))
print(list(p.tick(now=2).inserted.items()))
"""


def test_the_order_of_rows_does_not_depend_on_hash_seeds(evaluator):
    outputs = set()
    for seed in ("1", "2", "3"):
        text = SCRIPT.replace("EVALUATOR", repr(evaluator))
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run([sys.executable, "-c", text], env=environment, capture_output=True, text=True, check=True)
        outputs.add(done.stdout)
    assert len(outputs) == 1


def test_the_result_does_not_depend_on_the_order_of_the_input(evaluator):
    class P(Bloom):
        item = table("k, v")
        first = scratch("v -> k")
        ranked = scratch("k, place")
        again = loopback("k")

        @rule
        def rules(self):
            self.first <= ((i.v, agg.argmin(i.k, i.v)) for i in self.item)
            self.ranked <= ((i.k, agg.rank(i.v)) for i in self.item)
            self.again <~ ((f.k,) for f in self.first)

    rows = [(k, (k * 7) % 5) for k in range(12)]
    results = []
    for order in (rows, rows[::-1], sorted(rows, key=lambda row: row[1])):
        p = P(evaluator=evaluator)
        p.item.insert(*order)
        p.tick()
        p.tick()
        results.append((p.first.rows(), p.ranked.rows(), p.again.rows()))
    assert results[0] == results[1] == results[2]


def test_a_conflict_by_hand_names_what_was_staged(evaluator):
    p = Plain(evaluator=evaluator)
    p.item.insert(("a", 1))
    p.tick()
    p.item.insert(("a", 2))
    with pytest.raises(KeyConflict, match="'item'") as caught:
        p.tick()
    assert caught.value.rows == (("a", 1), ("a", 2))
    assert caught.value.rules[1] == "inserted"
    assert p.item.rows() == {("a", 1)}
