"""The laws of lattices: those of bloompy keep them, broken ones and false claims are found with a counterexample."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from bloompy import lattice
from bloompy.errors import UsageError
from bloompy.testing import laws


@pytest.mark.parametrize(
    "kind",
    [*lattice.NAMES.values(), lattice.lmap[lattice.lmin], lattice.lmap[lattice.lmap[lattice.lset]], lattice.lmap[lattice.lbag]],
    ids=lambda kind: kind.__name__,
)
def test_the_lattices_keep_the_laws(kind):
    laws.check_lattice(kind)


@pytest.mark.parametrize("kind", [lattice.lmax, lattice.lmin], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("values", [st.text(), st.floats(allow_nan=False), st.tuples(st.text(), st.integers()), st.binary(), st.booleans()])
def test_lmax_and_lmin_of_anything_with_an_order(kind, values):
    class of_values(kind):
        numbers = False

    laws.check_lattice(of_values, values)


@pytest.mark.parametrize(
    "function",
    [
        *(lattice.lset.contains, lattice.lset.intersect, lattice.lset.product, lattice.lbag.multiplicity, lattice.lbag.contains),
        *(lattice.lbag.intersect, lattice.lmap.key_set, lattice.lbool.when_true),
    ],
    ids=lambda function: function.__qualname__,
)
def test_the_morphisms_are(function):
    laws.check_morphism(function, values=[None, st.sampled_from([1, "a"])] if None in lattice.growth_of(function).parameters else [])
    laws.check_monotone(function, values=[None, st.sampled_from([1, "a"])] if None in lattice.growth_of(function).parameters else [])


@pytest.mark.parametrize(
    "function",
    [lattice.lset.size, lattice.lpset.sum, lattice.lbag.size, lattice.lmap.size],
    ids=lambda function: function.__qualname__,
)
def test_the_monotone_functions_are_and_are_no_morphisms(function):
    laws.check_monotone(function)
    with pytest.raises(laws.LawBroken, match="a morphism"):
        laws.check_morphism(function)


@pytest.mark.parametrize("of", [lattice.lmin, lattice.lset, lattice.lmap[lattice.lmax]], ids=lambda kind: kind.__name__)
def test_at_is_a_morphism(of):
    laws.check_morphism(lattice.lmap.at, of=[lattice.lmap[of], None], to=of, values=[None, st.sampled_from("abz")])


@pytest.mark.parametrize(
    ("kinds", "to", "function"),
    [
        ([lattice.lmax], lattice.lmax, lambda a: a + 3),
        ([lattice.lmax, lattice.lmax], lattice.lmax, lambda a, b: a + b),
        ([lattice.lmax, lattice.lmin], lattice.lmax, lambda a, b: a - b),
        ([lattice.lmin], lattice.lmax, lambda a: -a),
        ([lattice.lmin], lattice.lmax, lambda a: 3 - a),
        ([lattice.lmax], lattice.lmin, lambda a: a * -2),
        ([lattice.lmax], lattice.lmax, lambda a: a // 3),
        ([lattice.lmin], lattice.lmax, lambda a: a / -3),
        ([lattice.lmax, lattice.lmax], lattice.lmax, max),
        ([lattice.lmax, lattice.lmax], lattice.lmax, min),
        ([lattice.lmin, lattice.lmin], lattice.lmin, max),
        ([lattice.lset], lattice.lmax, len),
        ([lattice.lset, lattice.lset], lattice.lset, lambda a, b: a | b),
        ([lattice.lset, lattice.lset], lattice.lset, lambda a, b: a & b),
        ([lattice.lset], lattice.lset, lambda a: a - {3}),
        ([lattice.lset], lattice.lbool, lambda a: a >= {1, 2}),
        ([lattice.lset], lattice.lbool, lambda a: a > {1}),
        ([lattice.lset], lattice.lbool, lambda a: 3 in a),
        ([lattice.lset], lattice.lmin, lambda a: min(a, default=lattice.GREATEST)),
        ([lattice.lbag, lattice.lbag], lattice.lbag, lambda a, b: a + b),
        ([lattice.lpset], lattice.lmax, sum),
        ([lattice.lmax], lattice.lbool, lambda a: a > 3),
        ([lattice.lmin, lattice.lmax], lattice.lbool, lambda a, b: a <= b),
        ([lattice.lbool, lattice.lbool], lattice.lbool, lambda a, b: a and b),
        ([lattice.lmap], lattice.lset, frozenset),
    ],
)
def test_the_forms_that_the_compiler_takes_for_monotone_are(kinds, to, function):
    laws.check_monotone(function, of=kinds, to=to)


# --- broken ones ------------------------------------------------------------------------------------------------


def broken(bottom=0, **namespace):
    """A lattice of integers from 0 on with another merge or claim."""
    merge = namespace.pop("merge", max)
    return type(lattice.Lattice)("wrong", (lattice.Lattice,), {"bottom": bottom, "merge": staticmethod(merge), **namespace})


@pytest.mark.parametrize(
    ("kind", "law"),
    [
        (broken(merge=lambda a, b: a + b), "idempotence"),
        (broken(merge=lambda a, b: a), "commutativity"),
        (broken(merge=lambda a, b: a if a == b else a + b), "associativity|new_of"),
        (broken(merge=lambda a, b: a if a == b else 0 if a + b > 4 else a + b), "associativity|new_of"),
        (broken(bottom=5), r"merge\(bottom, a\) == a"),
        (broken(merge=max, order=-1), "order"),
        (broken(merge=min, bottom=9, truth=True), "truth"),
        (broken(merge=min, bottom=9, order=1), "order"),
        (broken(merge_all=classmethod(lambda cls, values: list(values)[-1])), "merge_all"),
        (broken(lift=classmethod(lambda cls, value: min(value, 3)), merge=lambda a, b: 4 if {a, b} == {2, 3} else max(a, b)), "lift|bottom|associativity"),
    ],
)
def test_a_broken_lattice_is_found(kind, law):
    with pytest.raises(laws.LawBroken, match=rf"merge of wrong: .*{law}") as caught:
        laws.check_lattice(kind, st.integers(0, 9))
    assert caught.value.values


def test_the_counterexample_is_shown_and_small():
    with pytest.raises(laws.LawBroken) as caught:
        laws.check_lattice(broken(merge=lambda a, b: a + b), st.integers(0, 9))
    assert str(caught.value) == "merge of wrong: merge(a, a) == a (idempotence) does not hold for\n  a = 1\n  merge(a, a) = 2"


@lattice.monotone(lattice.lset, to=lattice.lmax)
def claims_too_much(values):
    return -len(values)


@lattice.morphism(lattice.lset, None, to=lattice.lset)
def no_morphism(values, least):
    return values if len(values) >= least else frozenset()


def test_false_claims_are_found_with_a_counterexample():
    with pytest.raises(laws.LawBroken, match=r"claims_too_much: the result grows with argument 1 \(monotone\)") as caught:
        laws.check_monotone(claims_too_much)
    assert caught.value.values == {"a": frozenset(), "grown": frozenset({0}), "f(a)": 0, "f(grown)": -1}
    laws.check_monotone(no_morphism, values=[None, st.integers(0, 3)])
    with pytest.raises(laws.LawBroken, match=r"no_morphism: f\(merge\(a, b\)\) == merge\(f\(a\), f\(b\)\)") as caught:
        laws.check_morphism(no_morphism, values=[None, st.integers(0, 3)])
    assert set(caught.value.values) == {"a", "b", "argument 2", "f(merge(a, b))", "merge(f(a), f(b))"}


def test_what_is_to_be_tried_must_be_said():
    with pytest.raises(UsageError, match="does not say of which lattices") as caught:
        laws.check_monotone(abs)
    assert "of=[lattice.lset]" in caught.value.hint
    with pytest.raises(UsageError, match="nothing to try for the lattice wrong"):
        laws.check_lattice(broken())
