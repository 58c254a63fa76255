"""Design §2.2: aggregates."""

from __future__ import annotations

import itertools
import math
import statistics

import pytest

from bloompy import Bloom, agg, aggregate, exec_source, interface, rule, scratch, table
from bloompy.agg import AGGREGATES
from bloompy.errors import BloomError, UnorderableValues, UsageError

PROGRAM = '''
from bloompy import Bloom, agg, scratch, rule, table

class P(Bloom):
    person = table("name -> team, pay, age")
    out = scratch("a, b")

    @rule
    def rules(self):
        self.out <= {query}
'''

PEOPLE = [("ann", "dev", 30, 2.5), ("bob", "dev", 40, 0.25), ("cid", "ops", 50, 1.5), ("dee", "dev", 30, 7.0)]


def ask(evaluator, query, people=PEOPLE):
    p = exec_source(PROGRAM.format(query=query))["P"](evaluator=evaluator)
    p.person.insert(*people)
    p.tick()
    return p.out.rows()


@pytest.mark.parametrize(
    ("call", "dev", "ops"),
    [
        ("agg.count()", 3, 1),
        ("agg.count_distinct(p.pay)", 2, 1),
        ("agg.sum(p.pay)", 100, 50),
        ("agg.sum(p.age)", 9.75, 1.5),
        ("agg.avg(p.pay)", 100 / 3, 50.0),
        ("agg.min(p.pay)", 30, 50),
        ("agg.max(p.pay)", 40, 50),
        ("agg.max(p.name)", "dee", "cid"),
        ("agg.any(p.pay > 35)", True, True),
        ("agg.all(p.pay > 35)", False, True),
        ("agg.any(p.pay > 45)", False, True),
        ("agg.choose(p.name)", "ann", "cid"),
        ("agg.collect(p.pay)", (30, 30, 40), (50,)),
        ("agg.collect_set(p.pay)", frozenset({30, 40}), frozenset({50})),
        ("agg.argmin(p.name, p.pay)", "ann", "cid"),
        ("agg.argmax(p.name, p.pay)", "bob", "cid"),
        ("agg.argmax(p.name, -p.pay)", "ann", "cid"),
        ("agg.percentile(p.age, 50)", 2.5, 1.5),
        ("agg.percentile(p.age, 0)", 0.25, 1.5),
        ("agg.percentile(p.age, 100)", 7.0, 1.5),
        ("agg.sum(p.pay) + agg.count()", 103, 51),
        ("agg.collect(p.pay)[0]", 30, 50),
        ("agg.min((p.pay, p.name))[1]", "ann", "cid"),
    ],
)
def test_an_aggregate_groups_by_the_other_columns_of_the_head(evaluator, call, dev, ops):
    assert ask(evaluator, f"((p.team, {call}) for p in self.person)") == {("dev", dev), ("ops", ops)}


def test_the_group_may_stand_after_the_aggregate(evaluator):
    assert ask(evaluator, "((agg.count(), p.team) for p in self.person)") == {(3, "dev"), (1, "ops")}


def test_several_aggregates_share_a_group(evaluator):
    assert ask(evaluator, "((agg.min(p.pay), agg.max(p.pay)) for p in self.person)") == {(30, 50)}


def test_a_group_may_be_an_expression(evaluator):
    assert ask(evaluator, "((p.pay // 40, agg.count()) for p in self.person if p.name != 'dee')") == {(0, 1), (1, 2)}


def test_an_empty_group_yields_no_row(evaluator):
    assert ask(evaluator, "(('all', agg.count()) for p in self.person if p.pay > 100)") == set()
    assert ask(evaluator, "(('all', agg.sum(p.pay)) for p in self.person)", people=[]) == set()


def test_bindings_count_not_values(evaluator):
    assert ask(evaluator, "(('pay', agg.sum(p.pay)) for p in self.person if p.team == 'dev')") == {("pay", 100)}
    assert ask(evaluator, "(('pairs', agg.count()) for p in self.person for q in self.person)") == {("pairs", 16)}
    assert ask(evaluator, "(('flat', agg.count()) for p in self.person for w in (1, 1))") == {("flat", 8)}


def test_conditions_do_not_multiply_bindings(evaluator):
    assert ask(evaluator, "(('n', agg.count()) for p in self.person if any(q.team == p.team for q in self.person))") == {("n", 4)}
    assert ask(evaluator, "(('n', agg.count()) for p in self.person if p.name in self.person)") == {("n", 4)}
    assert ask(evaluator, "(('n', agg.sum(self.person[p.name].pay)) for p in self.person)") == {("n", 150)}


def test_a_binding_without_the_row_that_an_aggregate_looks_up_is_dropped(evaluator):
    assert ask(evaluator, "((p.team, agg.count_distinct(self.person[p.age].pay)) for p in self.person)") == set()


def test_floats_are_summed_exactly_whatever_their_order(evaluator):
    class P(Bloom):
        value = table("k -> v")
        total = scratch("-> v")

        @rule
        def rules(self):
            self.total <= ((agg.sum(x.v),) for x in self.value)

    for order in itertools.permutations([1e16, 1.0, -1e16, 0.1, 1]):
        p = P(evaluator=evaluator)
        p.value.insert(*enumerate(order))
        p.tick()
        assert p.total.rows() == {(2.1,)}


def test_groups_follow_their_table(evaluator):
    class P(Bloom):
        person = table("name -> team, pay")
        total = scratch("team -> pay, n")

        @rule
        def rules(self):
            self.total <= ((p.team, agg.sum(p.pay), agg.count()) for p in self.person)

    p = P(evaluator=evaluator)
    p.person.insert(("ann", "dev", 1), ("bob", "dev", 2), ("cid", "ops", 4))
    p.tick()
    assert p.total.rows() == {("dev", 3, 2), ("ops", 4, 1)}
    p.person.upsert(("bob", "ops", 8))
    tick = p.tick()
    assert p.total.rows() == {("dev", 1, 1), ("ops", 12, 2)}
    assert sorted(tick.inserted["total"]) == [("dev", 1, 1), ("ops", 12, 2)]
    assert sorted(tick.deleted["total"]) == [("dev", 3, 2), ("ops", 4, 1)]
    p.person.delete("ann")
    tick = p.tick()
    assert p.total.rows() == {("ops", 12, 2)}
    assert tick.deleted["total"] == [("dev", 1, 1)]
    assert "total" not in tick.inserted


def test_rank_counts_the_bindings_that_are_strictly_less(evaluator):
    assert ask(evaluator, "((p.name, agg.rank(p.pay)) for p in self.person)") == {("ann", 0), ("dee", 0), ("bob", 2), ("cid", 3)}


def test_rank_groups_nothing_but_partitions(evaluator):
    assert ask(evaluator, "((p.name, agg.rank(-p.pay, per=(p.team,))) for p in self.person)") == {("bob", 0), ("ann", 1), ("dee", 1), ("cid", 0)}
    assert ask(evaluator, "((p.name, agg.rank((p.pay, p.name), per=p.team)) for p in self.person)") == {
        ("ann", 0), ("dee", 1), ("bob", 2), ("cid", 0),
    }


def test_a_user_aggregate_receives_the_values_of_a_group(evaluator):
    @aggregate
    def median(values):
        return statistics.median(values)

    @aggregate
    def weighted(pairs):
        return sum(value * weight for value, weight in pairs)

    class P(Bloom):
        person = table("name -> team, pay, weight")
        middle = scratch("team -> pay, weighted")

        @rule
        def rules(self):
            self.middle <= ((p.team, median(p.pay), weighted(p.pay, p.weight)) for p in self.person)

    p = P(evaluator=evaluator)
    p.person.insert(("ann", "dev", 1, 1), ("bob", "dev", 5, 2), ("cid", "dev", 3, 3), ("dee", "ops", 9, 1))
    p.tick()
    assert p.middle.rows() == {("dev", 3, 20), ("ops", 9, 9)}
    assert median([1, 2, 9]) == 2


@pytest.mark.parametrize("call", ["agg.min(p.pay)", "agg.max(p.pay)", "agg.choose(p.pay)", "agg.collect(p.pay)", "agg.argmin(p.name, p.pay)", "agg.percentile(p.pay, 50)"])
@pytest.mark.parametrize("values", [(1, "x"), (None, 2), (1.0, math.nan), (frozenset({1}), frozenset({2}))], ids=repr)
def test_values_that_cannot_be_ordered_raise_an_error_that_names_rule_group_and_values(evaluator, call, values):
    people = [("ann", "dev", values[0], 0), ("bob", "dev", values[1], 0)]
    with pytest.raises(UnorderableValues, match=r"P\.rules.*dev.*cannot order") as caught:
        ask(evaluator, f"((p.team, {call}) for p in self.person)", people=people)
    assert repr(values[0]) in str(caught.value)


@pytest.mark.parametrize("call", ["agg.min(p.pay)", "agg.max(p.pay)", "agg.collect(p.pay)", "agg.argmax(p.name, p.pay)"])
def test_nan_cannot_be_ordered_in_a_group_of_its_own_either(evaluator, call):
    with pytest.raises(UnorderableValues, match=r"P\.rules.*dev.*cannot order nan: it does not equal itself"):
        ask(evaluator, f"((p.team, {call}) for p in self.person)", people=[("ann", "dev", math.nan, 0)])


def test_ranks_of_values_that_cannot_be_ordered_raise(evaluator):
    people = [("ann", "dev", 1, 0), ("bob", "dev", "x", 0)]
    with pytest.raises(UnorderableValues, match=r"P\.rules.*dev.*cannot order"):
        ask(evaluator, "((p.name, agg.rank(p.pay, per=p.team)) for p in self.person)", people=people)


def test_an_error_of_a_user_aggregate_tells_the_rule(evaluator):
    @aggregate
    def broken(values):
        raise ValueError("no good")

    class P(Bloom):
        request = interface.input("k")
        out = scratch("k")

        @rule
        def rules(self):
            self.out <= (broken(r.k) for r in self.request)

    p = P(evaluator=evaluator)
    p.request.insert((1,))
    with pytest.raises(ValueError, match="no good") as caught:
        p.tick()
    assert any("P.rules" in note for note in caught.value.__notes__)


@pytest.mark.parametrize("q", [-1, 101])
def test_a_percentile_outside_0_to_100_is_an_error(evaluator, q):
    with pytest.raises(BloomError, match="percentile"):
        ask(evaluator, f"((p.team, agg.percentile(p.pay, {q})) for p in self.person)")


def test_percentiles_are_of_the_nearest_rank():
    percentile = AGGREGATES["percentile"]
    values = [15, 20, 35, 40, 50]
    assert [percentile([(x, q) for x in values]) for q in (0, 5, 30, 40, 50, 100)] == [15, 15, 20, 20, 35, 50]
    assert percentile([(x, 7) for x in range(1, 101)]) == 7  # 7 / 100 * 100 is above 7 in floats


@pytest.mark.parametrize("name", sorted(set(AGGREGATES) - {"argmin", "argmax", "percentile"}))
def test_no_aggregate_depends_on_the_order_of_its_values(name):
    results = {repr(AGGREGATES[name](list(order))) for order in itertools.permutations([1, 1.0, True, 0.1, 3, 1e16, -1e16])}
    if name == "collect_set":
        assert {frozenset(eval(one)) for one in results} == {frozenset({1, 0.1, 3, 1e16, -1e16})}
    else:
        assert len(results) == 1


def test_a_sum_that_overflows_on_the_way_is_still_the_sum():
    for order in itertools.permutations([1e308, 1e308, -1e308, -1e308, 2.5]):
        assert AGGREGATES["sum"](list(order)) == 2.5


@pytest.mark.parametrize("call", ["count()", "sum(1)", "min(1)", "rank(1)", "collect(1)", "argmin(1, 2)", "percentile(1, 2)", "any(True)"])
def test_an_aggregate_called_outside_a_rule_raises_with_a_hint(call):
    with pytest.raises(UsageError, match="outside the head of a rule") as caught:
        eval(f"agg.{call}", {"agg": agg})
    assert "@rule" in caught.value.hint
