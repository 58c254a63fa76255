"""The arguments of one group's aggregate, kept from tick to tick, so that a change costs what it changes.

A group begins as the plain list that its rule collected, and stays one while it is small: going through some dozen values costs
less than anything cleverer. A change to a larger one makes a `Bag` of the list: adding, removing and the aggregates that have a
shortcut then cost O(log n). Values of several types, or without an order, have no shortcut: their aggregates are computed from all
values, by the functions of `bloompy.agg`, which say what is right.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from itertools import chain, repeat
from typing import Any, TypeAlias

from sortedcontainers import SortedList  # type: ignore[import-untyped]  # it has no annotations

from bloompy.agg import AGGREGATES

SMALL = 32
"""Up to so many values a group stays a list."""
_LONG = 1000
"""Beyond so many values a SortedList is quicker than a sorted list."""
_SCALARS = frozenset({int, str, bytes, bool, float, type(None)})
_PLAIN = frozenset({int, str, bytes, bool, type(None)})
"""Of these, equal values of one type are the same."""
_MIXED = object()
"""The shape of values of several."""

Sorted: TypeAlias = "list[Any] | SortedList"


class Bag:
    """A multiset of values.

    While all values have one shape (their type, or for tuples the types of their items) they are counted by value; else they are
    kept as they are, in a list.

    Args:
        values: with which it begins.
    """

    __slots__ = ("_counts", "_length", "_orders", "_shape", "_sum", "_values")

    def __init__(self, values: list[Any]) -> None:
        self._length = 0
        self._shape: Any = None
        self._counts: dict[Any, int] = {}
        self._values: list[Any] | None = None
        self._orders: dict[bool, Sorted] = {}  # of the different values; True: by the second item, then the first
        self._sum: int | Fraction | None = None
        for value in values:
            self.add(value)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Any]:
        if self._values is not None:
            return iter(self._values)
        return chain.from_iterable(repeat(value, count) for value, count in self._counts.items())

    def add(self, value: Any) -> None:
        """Put in one value. Never raises: what has no order raises when it is aggregated."""
        if type(value) is not self._shape or self._shape is float:
            if self._values is None and not self._fits(value):
                self._values = [*self, value]
                self._counts, self._orders, self._sum, self._shape = {}, {}, None, _MIXED
                self._length += 1
                return
            if self._values is not None:
                self._values.append(value)
                self._length += 1
                return
        counts = self._counts
        count = counts.get(value)
        if count is None:
            counts[value] = 1
            for paired, order in self._orders.items():
                self._orders[paired] = _put(order, _place(value, paired))
        else:
            counts[value] = count + 1
        if self._sum is not None:
            self._sum += _exact(value)
        self._length += 1

    def remove(self, value: Any) -> None:
        """Take out one value that is in it."""
        self._length -= 1
        if self._values is not None:
            take_out(self._values, value)
            return
        count = self._counts[value]
        if self._sum is not None:
            self._sum -= _exact(value)
        if count > 1:
            self._counts[value] = count - 1
            return
        del self._counts[value]
        for paired, order in self._orders.items():
            place = _place(value, paired)
            if isinstance(order, list):
                del order[bisect_left(order, place)]
            else:
                order.remove(place)

    def aggregate(self, name: str) -> Any:
        """What a built-in aggregate makes of the values, as `AGGREGATES[name]` does of a list of them."""
        if name == "count":
            return self._length
        if self._values is None and name in _SHORTCUTS:
            found = _SHORTCUTS[name](self)
            if found is not None:
                return found
        return AGGREGATES[name](list(self))

    # -- what the shortcuts need

    def distinct(self) -> int:
        """How many different values there are; only where they are counted."""
        return len(self._counts)

    def total(self) -> int | Fraction | None:
        """The exact sum of numbers, None where there is none."""
        if self._shape not in (int, bool, float):
            return None
        if self._sum is None:
            if self._shape is float and not all(map(math.isfinite, self._counts)):
                return None
            self._sum = sum(_exact(value) * count for value, count in self._counts.items())
        return self._sum

    @property
    def rounds(self) -> bool:
        """Whether sums are to be rounded to floats."""
        return self._shape is float

    def ordered(self, paired: bool = False) -> Sorted | None:
        """The different values in order, None where they have none."""
        order = self._orders.get(paired)
        if order is None:
            shapes = self._shape if isinstance(self._shape, tuple) else (self._shape,)
            if type(None) in shapes or (paired and len(shapes) != 2):
                return None
            order = self._orders[paired] = _sorted([_place(value, paired) for value in self._counts])
        return order

    def _fits(self, value: Any) -> bool:
        shape = tuple(map(type, value)) if type(value) is tuple else type(value)
        if self._length == 0:
            self._shape, self._orders, self._sum = shape, {}, None
            parts = shape if isinstance(shape, tuple) else (shape,)
            if not _SCALARS.issuperset(parts):
                return False
        if shape != self._shape:
            return False
        if shape is float:
            return bool(value == value) and (self._sum is None or math.isfinite(value))
        return not (isinstance(shape, tuple) and float in shape and any(item != item for item in value))


def _place(value: Any, paired: bool) -> Any:
    return (value[1], value[0]) if paired else value


def _exact(value: Any) -> int | Fraction:
    return Fraction(value) if type(value) is float else int(value)


def _sorted(values: list[Any]) -> Sorted:
    values.sort()
    return values if len(values) <= _LONG else SortedList(values)


def _put(order: Sorted, place: Any) -> Sorted:
    if not isinstance(order, list):
        order.add(place)
        return order
    insort(order, place)
    return order if len(order) <= _LONG else SortedList(order)


def take_out(values: list[Any], value: Any) -> None:
    """Take one value out of a list that has it; the same one rather than one that is merely equal. O(values)."""
    try:
        position = values.index(value)
    except ValueError:  # a NaN, calculated anew
        position = -1
    if position < 0 or not _same(values[position], value):
        position = _position(values, value)
    del values[position]


def _same(one: Any, other: Any) -> bool:
    """Whether two equal values are the same to every reader, as far as that is told quickly."""
    kind = type(one)
    if one is other or kind is not type(other):
        return one is other
    return kind in _PLAIN or (kind is tuple and all(map(_same, one, other)))


def _position(values: list[Any], value: Any) -> int:
    """Where a value stands, one of the same type and look if there is one."""
    look = repr(value)
    near = -1
    for i, one in enumerate(values):
        if one is value or (type(one) is type(value) and repr(one) == look):
            return i
        if near < 0 and one == value:
            near = i
    return near


# --- shortcuts: None where there is none for these values --------------------------------------------------------


def _least(bag: Bag) -> Any:
    order = bag.ordered()
    return None if order is None else order[0]


def _greatest(bag: Bag) -> Any:
    order = bag.ordered()
    return None if order is None else order[-1]


def _sum(bag: Bag) -> Any:
    total = bag.total()
    return float(total) if total is not None and bag.rounds else total


def _mean(bag: Bag) -> Any:
    total = _sum(bag)
    return None if total is None else total / len(bag)


def _argmin(bag: Bag) -> Any:
    order = bag.ordered(paired=True)
    return None if order is None else order[0][1]


def _argmax(bag: Bag) -> Any:
    order = bag.ordered(paired=True)
    if order is None:
        return None
    greatest = (order[-1][0],)
    return order[bisect_left(order, greatest) if isinstance(order, list) else order.bisect_left(greatest)][1]


_SHORTCUTS: Mapping[str, Callable[[Bag], Any]] = {
    "min": _least,
    "choose": _least,
    "max": _greatest,
    "sum": _sum,
    "avg": _mean,
    "count_distinct": Bag.distinct,
    "argmin": _argmin,
    "argmax": _argmax,
}
