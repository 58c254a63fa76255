"""The laws of lattices, tried on generated values (Bloom^L, section 3).

    from bloompy.testing import laws

    def test_my_lattice():
        laws.check_lattice(lmaxpair, st.tuples(st.integers(0), st.integers(0)))
        laws.check_morphism(swapped, of=[lmaxpair], to=lmaxpair, values=[…])

A law that does not hold is a `LawBroken` with the smallest counterexample that was found. Values that two checks share are
generated in the same order in every run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from bloompy.errors import UsageError
from bloompy.lattices import Bag, ByType, Lattice, Map, growth_of, lbag, lbool, lmap, lmax, lmin, lpset, lset

EXAMPLES = 250
"""How many examples a check tries."""


class LawBroken(AssertionError):
    """A lattice or function that does not keep a law that it claims to keep.

    Attributes:
        law: the law.
        values: the counterexample, by name.
    """

    def __init__(self, subject: str, law: str, values: dict[str, Any]) -> None:
        self.law, self.values = law, values
        shown = "\n".join(f"  {name} = {value!r}" for name, value in values.items())
        super().__init__(f"{subject}: {law} does not hold for\n{shown}")


def check_lattice(lattice: type[Lattice], values: SearchStrategy[Any] | None = None, *, examples: int = EXAMPLES) -> None:
    """Check that merging is associative, commutative and idempotent, that bottom is below all, and what the class claims of itself.

    Args:
        lattice: it.
        values: what may be put in; may be left out for the lattices of bloompy.
        examples: how many to try.

    Raises:
        LawBroken: with a counterexample.
    """
    merge, name = lattice.merge, f"merge of {lattice.__qualname__}"
    drawn = _values(lattice, values)

    def law(law: str, holds: bool, **shown: Any) -> None:
        if not holds:
            raise LawBroken(name, law, shown)

    def laws(a: Any, b: Any, c: Any) -> None:
        ab = merge(a, b)
        law("merge(a, a) == a (idempotence)", merge(a, a) == a, a=a, **{"merge(a, a)": merge(a, a)})
        ba = merge(b, a)
        law("merge(a, b) == merge(b, a) (commutativity)", ab == ba, a=a, b=b, **{"merge(a, b)": ab, "merge(b, a)": ba})
        left, right = merge(ab, c), merge(a, merge(b, c))
        shown = {"merge(merge(a, b), c)": left, "merge(a, merge(b, c))": right}
        law("merge(merge(a, b), c) == merge(a, merge(b, c)) (associativity)", left == right, a=a, b=b, c=c, **shown)
        law("merge(bottom, a) == a", merge(lattice.bottom, a) == a, bottom=lattice.bottom, a=a)
        together = lattice.merge_all([a, b, c])
        law("merge_all([a, b, c]) == merge(merge(a, b), c)", together == left, a=a, b=b, c=c, merge_all=together)
        law("lift(merge(a, b)) == merge(a, b)", lattice.lift(ab) == ab, a=a, b=b)
        law("hash(merge(a, b)) == hash(merge(b, a))", hash(ab) == hash(ba), a=a, b=b)
        new = lattice.new_of(ab, a)
        law("merge(a, new_of(merge(a, b), a)) == merge(a, b)", merge(a, new) == ab, a=a, b=b, new_of=new)
        grown = {"a": a, "b": b, "merge(a, b)": ab}
        if lattice.order:
            law("what has grown is greater (order)", bool(ab >= a if lattice.order > 0 else ab <= a), **grown)
        if lattice.elements:
            law("what has grown has all elements (elements)", set(a) <= set(ab), **grown)
        if lattice.truth:
            law("what has grown is still true (truth)", bool(ab) >= bool(a), **grown)
        if lattice.numbers:
            law("adding a number keeps growth (numbers)", merge(a + 3, b + 3) == ab + 3, **grown)

    _try(laws, [drawn, drawn, drawn], examples)


def check_monotone(
    function: Callable[..., Any],
    *,
    of: Sequence[type[Lattice] | None] = (),
    to: type[Lattice] | None = None,
    values: Sequence[SearchStrategy[Any] | None] = (),
    examples: int = EXAMPLES,
) -> None:
    """Check that the result of a function grows when its arguments do.

    Args:
        function: it.
        of: the lattice of each argument, None for one that does not grow; by default what it was marked with.
        to: the lattice of the result; by default what it was marked with.
        values: for each argument what may be given; None, or too few, for the lattices of bloompy.
        examples: how many to try.

    Raises:
        LawBroken: with a counterexample.
    """
    of, to, drawn = _claims(function, of, to, values)

    def grows(result: Any, more: Any) -> bool:
        return to.below(to.lift(result), to.lift(more))

    for i, lattice in enumerate(of):
        if lattice is not None:
            _check_monotone(function, i, lattice, grows, drawn, examples)


def check_morphism(
    function: Callable[..., Any],
    *,
    of: Sequence[type[Lattice] | None] = (),
    to: type[Lattice] | None = None,
    values: Sequence[SearchStrategy[Any] | None] = (),
    examples: int = EXAMPLES,
) -> None:
    """Check that a function keeps merges in each argument: f(merge(a, b)) == merge(f(a), f(b)).

    Args and errors as for `check_monotone`.
    """
    of, to, drawn = _claims(function, of, to, values)
    name = _name(function)

    def check(i: int, lattice: type[Lattice]) -> None:
        def law(other: Any, *given: Any) -> None:
            def result(value: Any) -> Any:
                return to.lift(function(*given[:i], value, *given[i + 1 :]))

            merged, apart = result(lattice.merge(given[i], other)), to.merge(result(given[i]), result(other))
            if merged != apart:
                shown = {"a": given[i], "b": other, **_others(i, given), "f(merge(a, b))": merged, "merge(f(a), f(b))": apart}
                raise LawBroken(name, f"f(merge(a, b)) == merge(f(a), f(b)) in argument {i + 1} (a morphism)", shown)

        _try(law, [drawn[i], *drawn], examples)

    for i, lattice in enumerate(of):
        if lattice is not None:
            check(i, lattice)


def _check_monotone(
    function: Callable[..., Any],
    i: int,
    lattice: type[Lattice],
    grows: Callable[[Any, Any], bool],
    drawn: list[SearchStrategy[Any]],
    examples: int,
) -> None:
    def law(other: Any, *given: Any) -> None:
        grown = lattice.merge(given[i], other)
        result, more = function(*given), function(*given[:i], grown, *given[i + 1 :])
        if not grows(result, more):
            shown = {"a": given[i], "grown": grown, **_others(i, given), "f(a)": result, "f(grown)": more}
            raise LawBroken(_name(function), f"the result grows with argument {i + 1} (monotone)", shown)

    _try(law, [drawn[i], *drawn], examples)


def _others(i: int, given: tuple[Any, ...]) -> dict[str, Any]:
    return {f"argument {j + 1}": value for j, value in enumerate(given) if j != i}


def _try(law: Callable[..., None], strategies: list[SearchStrategy[Any]], examples: int) -> None:
    """Run a law on examples; hypothesis looks for the smallest that breaks it."""
    quiet = settings(
        max_examples=examples, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck), print_blob=False
    )

    @quiet
    @given(st.tuples(*strategies))
    def run(values: tuple[Any, ...]) -> None:
        law(*values)

    run()


def _claims(
    function: Callable[..., Any], of: Sequence[type[Lattice] | None], to: type[Lattice] | None, values: Sequence[SearchStrategy[Any] | None]
) -> tuple[Sequence[type[Lattice] | None], type[Lattice], list[SearchStrategy[Any]]]:
    """The lattices of arguments and result, and what to give."""
    growth = growth_of(function)
    of = of or (growth.parameters if growth is not None else ())
    to = to or (growth.result if growth is not None else None)
    if not of or to is None:
        raise UsageError(
            f"{_name(function)} does not say of which lattices it is",
            hint="mark it @lattice.monotone(lattice.lset, to=lattice.lmax), or give of=[lattice.lset], to=lattice.lmax",
        )
    given = [*values, *[None] * (len(of) - len(values))]
    return of, to, [_values(lattice, strategy) for lattice, strategy in zip(of, given, strict=True)]


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", repr(function))


_SMALL = st.integers(-3, 9)


def _values(lattice: type[Lattice] | None, values: SearchStrategy[Any] | None) -> SearchStrategy[Any]:
    """What to try for one argument: lifted, and the bottom now and then."""
    if lattice is None:
        return values if values is not None else _SMALL
    found = values if values is not None else values_of(lattice)
    if found is None:
        raise UsageError(
            f"there is nothing to try for the lattice {lattice.__qualname__}", hint="give a hypothesis strategy of its values as `values`"
        )
    return st.just(lattice.bottom) | found.map(lattice.lift)


def values_of(lattice: type[Lattice]) -> SearchStrategy[Any] | None:
    """What may be put into a lattice of bloompy; None for one of which nothing is known."""
    if issubclass(lattice, lmap):
        of = values_of(lattice.of)
        return None if of is None else st.dictionaries(st.sampled_from("abcde"), of, max_size=3).map(lambda items: Map(items, lattice.of))
    for kind, strategy in (
        (lmax, _SMALL),
        (lmin, _SMALL),
        (ByType, _SMALL),
        (lbool, st.booleans()),
        (lpset, st.frozensets(st.integers(0, 9), max_size=4)),
        (lset, st.frozensets(_SMALL, max_size=4)),
        (lbag, st.lists(st.sampled_from("abc"), max_size=5).map(Bag)),
    ):
        if issubclass(lattice, kind):
            return strategy
    return None
