"""Aggregates: what rule heads name (`agg.min(p.cost)`), and what they compute from the values of a group.

The public functions exist for rules, which are read, never run, and for type checkers, which read them too. What they
mean is `AGGREGATES`: from the list of one group's arguments (values, or tuples of them where there are several) to a
value. No result depends on the order of that list.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from functools import reduce
from operator import add
from typing import Any, NoReturn, TypeVar

from bloompy.errors import UnorderableValues, UsageError

T = TypeVar("T")
R = TypeVar("R")

# --- in rules ---------------------------------------------------------------------------------------------------


def count() -> int:
    """How many bindings the group has."""
    _executed("count()")


def count_distinct(x: object) -> int:
    """How many different values."""
    _executed("count_distinct(x)")


def sum(x: T) -> T:
    """The sum; of floats exactly rounded (Shewchuk 1997)."""
    _executed("sum(x)")


def avg(x: float) -> float:
    """The mean."""
    _executed("avg(x)")


def min(x: T) -> T:
    """The least value."""
    _executed("min(x)")


def max(x: T) -> T:
    """The greatest value."""
    _executed("max(x)")


def any(x: object) -> bool:
    """Whether a value is true."""
    _executed("any(x)")


def all(x: object) -> bool:
    """Whether all values are true."""
    _executed("all(x)")


def choose(x: T) -> T:
    """One of the values: the least."""
    _executed("choose(x)")


def collect(x: T) -> tuple[T, ...]:
    """All values, sorted, with duplicates."""
    _executed("collect(x)")


def collect_set(x: T) -> frozenset[T]:
    """The different values."""
    _executed("collect_set(x)")


def argmin(what: T, by: object) -> T:
    """The `what` of the least `by`; the least of several."""
    _executed("argmin(what, by)")


def argmax(what: T, by: object) -> T:
    """The `what` of the greatest `by`; the least of several."""
    _executed("argmax(what, by)")


def percentile(x: T, q: float) -> T:
    """The least value that at least `q` per cent (0 to 100) of the values do not exceed: nearest rank."""
    _executed("percentile(x, q)")


def rank(order: object, per: object = ()) -> int:
    """For each binding, how many of its partition have a strictly smaller order; groups nothing.

    Args:
        order: what to rank by.
        per: the partition, a value or a tuple of values; without it there is one partition.
    """
    _executed("rank(order)")


def aggregate(function: Callable[[list[Any]], R]) -> Callable[..., R]:
    """Mark a function of a list as an aggregate: a rule's head may then name it.

        @aggregate
        def median(values: list[float]) -> float:
            return statistics.median(values)

        self.middle <= ((p.department, median(p.pay)) for p in self.person)

    Args:
        function: receives the list of a group's values, or of tuples where the rule gives several arguments. Its result
            must not depend on the order of the list.

    Returns:
        the function itself, which outside rules can be called with a list.
    """
    function.__bloompy_aggregate__ = True  # type: ignore[attr-defined]
    return function


def _executed(call: str) -> NoReturn:
    raise UsageError(
        f"agg.{call} was called outside the head of a rule; rules are read, never run",
        hint="decorate the method with @rule and do not call it; outside rules use Python's own functions",
    )


# --- what they compute ------------------------------------------------------------------------------------------


def in_order(values: Iterable[Any]) -> list[Any]:
    """The values sorted; equal ones of different types (1 and 1.0) in the order of their types.

    Raises:
        UnorderableValues: where they have no total order, such as numbers with texts, NaN, or sets.
    """
    items = builtins.list(values)
    if _uniform(items):
        items.sort()
        return items
    types = set(map(type, items))
    if not types <= _TOTAL or len(types) > 1:
        items.sort(key=lambda value: (type(value).__name__, repr(value)))
    try:
        items.sort()
    except TypeError as error:
        raise _unorderable(items, str(error)) from None
    if not types <= _TOTAL:
        for low, high in zip(items, items[1:]):  # noqa: B905  # pairs of neighbours
            if not (low < high or low == high):
                raise _unorderable([low, high], "neither is less than the other")
        for value in items:
            if value != value:
                raise _unorderable([value], "it does not equal itself")
    return items


_TOTAL = frozenset({int, bool, str, bytes})
"""Types any two values of which can be compared, and that no comparison with another of them surprises."""


def _uniform(values: Sequence[Any]) -> bool:
    """Whether all are of one type that is total, or tuples that are so column by column: then equal ones cannot be told apart."""
    types = set(map(type, values))
    if len(types) > 1:
        return False
    if types <= _TOTAL:
        return True
    return types == _TUPLES and len(set(map(len, values))) == 1 and builtins.all(map(_uniform, zip(*values, strict=True)))


_TUPLES = frozenset({tuple})


def _unorderable(values: list[Any], why: str) -> UnorderableValues:
    shown = ", ".join(repr(value) for value in values[:5]) + (", …" if len(values) > 5 else "")
    return UnorderableValues(f"cannot order {shown}: {why}", hint="aggregate over values of one type that has an order")


def _least(values: list[Any]) -> Any:
    return builtins.min(values) if _simple(values) else in_order(values)[0]


def _greatest(values: list[Any]) -> Any:
    if _simple(values):
        return builtins.max(values)
    ordered = in_order(values)
    return next(value for value in ordered if value == ordered[-1])


def _simple(values: list[Any]) -> bool:
    """Whether Python's own `min` and `max` do not depend on the order."""
    if type(values[0]) is float:
        return set(map(type, values)) == _FLOATS and not builtins.any(map(math.isnan, values))
    return _uniform(values)


_FLOATS = frozenset({float})


def _sum(values: list[Any]) -> Any:
    types = set(map(type, values))
    if types <= {int, bool}:
        return builtins.sum(values)
    if types <= {int, bool, float}:
        return _float_sum(values)
    return reduce(add, in_order(values))  # sorted, since the addition of a type may round


def _float_sum(values: list[Any]) -> float:
    unbounded = [value for value in values if not _finite(value)]
    if unbounded:
        return math.fsum(unbounded)
    if builtins.all(type(value) is float for value in values):
        try:
            return math.fsum(values)
        except OverflowError:  # of an intermediate sum, which depends on the order
            pass
    return float(builtins.sum(map(Fraction, values)))


def _finite(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def _argmin(pairs: list[tuple[Any, Any]]) -> Any:
    best = _least([by for _, by in pairs])
    return _least([what for what, by in pairs if by == best])


def _argmax(pairs: list[tuple[Any, Any]]) -> Any:
    best = _greatest([by for _, by in pairs])
    return _least([what for what, by in pairs if by == best])


def _percentile(pairs: list[tuple[Any, Any]]) -> Any:
    q = pairs[0][1]
    for _, other in pairs:
        if other != q:
            raise UsageError(f"percentile with q = {q!r} and {other!r} in one group", hint="q is one number in 0 to 100 for a group")
    if not 0 <= q <= 100:
        raise UsageError(f"percentile with q = {q!r}", hint="q is a number in 0 to 100")
    ordered = in_order(x for x, _ in pairs)
    return ordered[builtins.max(math.ceil(Fraction(q) * len(ordered) / 100), 1) - 1]


AGGREGATES: Mapping[str, Callable[[list[Any]], Any]] = {
    "count": len,
    "count_distinct": lambda values: len(set(values)),
    "sum": _sum,
    "avg": lambda values: _sum(values) / len(values),
    "min": _least,
    "max": _greatest,
    "any": builtins.any,
    "all": builtins.all,
    "choose": _least,
    "collect": lambda values: tuple(in_order(values)),
    "collect_set": frozenset,
    "argmin": _argmin,
    "argmax": _argmax,
    "percentile": _percentile,
}
"""The built-in aggregates but `rank`, from the list of a group's arguments to the value. Lists are not empty."""


def ranks(orders: list[Any]) -> list[int]:
    """For each value, how many are strictly less.

    Raises:
        UnorderableValues: where they have no total order.
    """
    first: dict[Any, int] = {}
    for position, order in enumerate(in_order(orders)):
        first.setdefault(order, position)
    return [first[order] for order in orders]
