"""Formulas over what an outcome relies on, and the fault sets that break them, against trying all fault sets."""

from __future__ import annotations

from itertools import chain, combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bloompy.sim.support import Bounds, Breaking, Crash, Formulas, Omission, Ran, Sent, is_harder

NODES = "abc"
TIMES = (1.0, 2.0, 3.0)


@pytest.fixture
def made():
    return Formulas()


def test_a_formula_is_simplified(made):
    sent, ran = made.leaf(Sent("a", "b", 1.0)), made.leaf(Ran("a", 1.0))
    assert made.every([sent, made.true]) is sent
    assert made.some([sent, made.true]) is made.true
    assert made.every([sent, made.false]) is made.false
    assert made.every([sent, ran]) is made.every([ran, sent])
    assert made.every([ran, made.leaf(Ran("a", 2.0))]) is made.leaf(Ran("a", 2.0))


def test_a_crash_takes_what_comes_after_it(made):
    ran = made.leaf(Ran("a", 2.0))
    assert not ran.stands(frozenset([Crash("a", 1.0)]))
    assert ran.stands(frozenset([Crash("a", 2.0)]))
    assert ran.stands(frozenset([Crash("b", 1.0)]))


def test_the_smallest_sets_come_first_and_none_is_left_when_all_were_tried(made):
    way, other = made.leaf(Sent("a", "c", 1.0)), made.every([made.leaf(Sent("a", "b", 1.0)), made.leaf(Sent("b", "c", 2.0))])
    search = Breaking([made.some([way, other])], Bounds(9.0, 0, True, {}))
    assert list(search.of_size(1)) == []
    assert search.cut_short
    found = set(search.of_size(2))
    assert found == {
        frozenset([Omission("a", "c", 1.0), Omission("a", "b", 1.0)]),
        frozenset([Omission("a", "c", 1.0), Omission("b", "c", 2.0)]),
    }
    assert not search.cut_short


def test_faults_end(made):
    search = Breaking([made.leaf(Sent("a", "c", 5.0))], Bounds(5.0, 0, True, {}))
    assert list(search.of_size(3)) == []
    assert not search.cut_short


def test_no_more_nodes_crash_than_may(made):
    goal = made.some([made.leaf(Ran("a", 2.0)), made.leaf(Ran("b", 2.0))])
    points = {"a": [1.0], "b": [1.0]}
    assert list(Breaking([goal], Bounds(9.0, 1, False, points)).of_size(2)) == []
    assert list(Breaking([goal], Bounds(9.0, 2, False, points)).of_size(2)) == [frozenset([Crash("a", 1.0), Crash("b", 1.0)])]


def test_what_is_spared_spares_what_is_harder(made):
    goal = made.leaf(Ran("a", 3.0))
    bounds = Bounds(9.0, 1, False, {"a": [0.0, 1.0, 2.0]})
    assert [set(one) for one in Breaking([goal], bounds).of_size(1)] == [{Crash("a", 2.0)}, {Crash("a", 1.0)}, {Crash("a", 0.0)}]
    spared = [frozenset([Crash("a", 1.0)])]
    assert [set(one) for one in Breaking([goal], bounds, spared).of_size(1)] == [{Crash("a", 2.0)}]


def test_harder_is_more_faults_or_an_earlier_crash():
    lost, late, early = Omission("a", "b", 1.0), Crash("a", 2.0), Crash("a", 1.0)
    assert is_harder(frozenset([lost, early]), frozenset([late]))
    assert not is_harder(frozenset([late]), frozenset([early]))
    assert not is_harder(frozenset([early]), frozenset([lost]))


def test_what_matters_only_under_some_faults_is_broken_beside_them(made):
    base = frozenset([Omission("x", "y", 1.0)])
    search = Breaking([made.leaf(Sent("a", "b", 1.0))], Bounds(9.0, 0, True, {}), (), [base])
    assert list(search.of_size(1)) == [base | {Omission("a", "b", 1.0)}]


leaves = st.one_of(
    st.builds(Sent, st.sampled_from(NODES), st.sampled_from(NODES), st.sampled_from(TIMES)),
    st.builds(Ran, st.sampled_from(NODES), st.sampled_from(TIMES)),
)
trees = st.recursive(leaves, lambda inner: st.tuples(st.booleans(), st.lists(inner, min_size=1, max_size=3)), max_leaves=8)


def formula(made, tree):
    if isinstance(tree, Sent | Ran):
        return made.leaf(tree)
    every, parts = tree
    return (made.every if every else made.some)([formula(made, part) for part in parts])


def truth(tree, faults):
    """The meaning of a tree, without formulas."""
    if isinstance(tree, Sent | Ran):
        return tree.stands(faults)
    return (all if tree[0] else any)(truth(part, faults) for part in tree[1])


FAULTS = [
    *(Omission(source, target, time) for source in "ab" for target in "bc" for time in (1.0, 2.0)),
    *(Crash(node, time) for node in "ab" for time in (0.0, 1.0)),
]
ALL = [frozenset(some) for some in chain.from_iterable(combinations(FAULTS, size) for size in range(4))]


@given(trees, st.sampled_from(ALL))
def test_a_formula_means_what_the_tree_means(tree, faults):
    found = formula(Formulas(), tree)
    assert found.stands(faults) == truth(tree, faults)
    proof = found.proof(faults)
    assert (proof is not None) == truth(tree, faults)
    assert all(leaf.stands(faults) for leaf in proof or ())


@given(trees)
@settings(max_examples=60)
def test_every_breaking_set_contains_one_that_is_found(tree):
    made = Formulas()
    bounds = Bounds(3.0, 1, True, {"a": [0.0, 1.0], "b": [0.0, 1.0]})
    search = Breaking([formula(made, tree)], bounds)
    found = list(search.of_size(3))
    for one in found:
        assert not truth(tree, one)
    allowed = [one for one in ALL if len({fault.node for fault in one if isinstance(fault, Crash)}) <= 1]
    for one in allowed:
        if len([fault for fault in one if isinstance(fault, Crash)]) <= 1 and not truth(tree, one):
            assert any(other <= one for other in found)


@given(trees)
@settings(max_examples=60)
def test_not_cut_short_means_that_larger_sets_find_nothing_else(tree):
    bounds = Bounds(3.0, 1, True, {"a": [0.0, 1.0], "b": [0.0, 1.0]})
    search = Breaking([formula(Formulas(), tree)], bounds)
    found = set(search.of_size(2))
    if not search.cut_short:
        assert set(search.of_size(6)) == found
