"""The lattices of bloompy."""

from __future__ import annotations

import copyreg
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from operator import eq, getitem
from typing import Any, ClassVar, cast

from bloompy.durability import Durability
from bloompy.errors import DeclarationError, UnorderableValues
from bloompy.lattices.base import Lattice, LatticeType, is_lattice
from bloompy.lattices.growth import Growth
from bloompy.lattices.values import GREATEST, LEAST, Bag, Map
from bloompy.span import Span


class lmax(Lattice):
    """Numbers, or other values of one type with an order, of which the greatest counts. Bottom is minus infinity."""

    bottom = LEAST
    order = 1
    numbers = True

    @classmethod
    def lift(cls, value: Any) -> Any:
        return LEAST if type(value) is float and value == LEAST else _orderable(value)

    @staticmethod
    def merge(a: Any, b: Any) -> Any:
        return b if _less(a, b) else a


class lmin(Lattice):
    """Numbers, or other values of one type with an order, of which the least counts. Bottom is infinity."""

    bottom = GREATEST
    order = -1
    numbers = True

    @classmethod
    def lift(cls, value: Any) -> Any:
        return GREATEST if type(value) is float and value == GREATEST else _orderable(value)

    @staticmethod
    def merge(a: Any, b: Any) -> Any:
        return b if _less(b, a) else a


_ORDERED = frozenset({int, str, bytes, bool})


def _orderable(value: Any) -> Any:
    if type(value) in _ORDERED:
        return value
    if isinstance(value, set | frozenset | Mapping | Bag):
        raise TypeError(f"a {type(value).__name__} has no total order; use lset, lmap or lbag")
    try:
        itself, less = value == value, value < value
        hash(value)
    except (TypeError, ArithmeticError) as error:
        raise TypeError(f"it has no order: {error}") from None
    if not itself or less:
        raise TypeError("it does not equal itself, so it has no place in an order")
    return value


def _less(a: Any, b: Any) -> bool:
    try:
        if a < b:
            return True
        if type(a) is type(b) and type(a) in _ORDERED or b < a or a == b:
            return False
    except TypeError as error:
        raise UnorderableValues(f"cannot order {a!r} and {b!r}: {error}", hint="give values of one type that has an order") from None
    raise UnorderableValues(f"cannot order {a!r} and {b!r}: neither is less", hint="give values of one type that has an order")


class lbool(Lattice):
    """False, that may become True."""

    bottom = False
    order = 1
    truth = True

    @classmethod
    def lift(cls, value: Any) -> Any:
        if type(value) is not bool:
            raise TypeError("write bool(…) or a comparison")
        return value

    @staticmethod
    def merge(a: Any, b: Any) -> Any:
        return a or b

    @staticmethod
    def when_true(value: bool, row: Any) -> frozenset[Any]:
        """The row alone in a set, or an empty set while the value is False: for `for` in a query. A morphism to lset."""
        return frozenset((row,)) if value else frozenset()


class lset(Lattice):
    """A frozenset; sets merge by union. What is put in and is no set is one element."""

    bottom = frozenset[Any]()
    order = 1
    elements = True
    truth = True

    @classmethod
    def lift(cls, value: Any) -> Any:
        lifted = frozenset(value) if isinstance(value, set | frozenset) else frozenset((value,))
        if not all(map(eq, lifted, lifted)):
            raise TypeError("a NaN equals nothing, so it could not be found in a set")
        return lifted

    @staticmethod
    def merge(a: Any, b: Any) -> Any:
        return a if b <= a else a | b

    @classmethod
    def merge_all(cls, values: Iterable[Any]) -> Any:
        first, *others = values
        merged = first.union(*others)
        return first if len(merged) == len(first) else merged

    @classmethod
    def new_of(cls, value: Any, old: Any) -> Any:
        return value - old

    @staticmethod
    def size(value: frozenset[Any]) -> int:
        """How many elements. Monotone, to lmax; `len(value)` does as well."""
        return len(value)

    @staticmethod
    def contains(value: frozenset[Any], element: Any) -> bool:
        """Whether an element is there. A morphism to lbool; `element in value` does as well."""
        return element in value

    @staticmethod
    def intersect(value: frozenset[Any], other: frozenset[Any]) -> frozenset[Any]:
        """What both have. A morphism; `value & other` does as well."""
        return value & other

    @staticmethod
    def product(value: frozenset[Any], other: frozenset[Any]) -> frozenset[tuple[Any, Any]]:
        """All pairs of an element of each. A morphism."""
        return frozenset([(a, b) for a in value for b in other])


class lpset(lset):
    """An lset of numbers from 0 on, so that their sum grows with the set."""

    @classmethod
    def lift(cls, value: Any) -> Any:
        lifted = frozenset(value) if isinstance(value, set | frozenset) else frozenset((value,))
        for one in lifted:
            if isinstance(one, bool) or not isinstance(one, int | float) or not one >= 0:
                raise TypeError(f"{one!r} is no number from 0 on")
        return lifted

    @staticmethod
    def sum(value: frozenset[Any]) -> Any:
        """The sum of the elements, of floats exactly rounded. Monotone, to lmax."""
        return math.fsum(value) if any(isinstance(one, float) for one in value) else sum(value)


class lbag(Lattice):
    """A `Bag`; each element is there as often as in that of the two which has it more often."""

    bottom = Bag()
    elements = True
    truth = True

    @classmethod
    def lift(cls, value: Any) -> Any:
        lifted = value if isinstance(value, Bag) else Bag(value) if isinstance(value, Counter) else Bag((value,))
        if not all(map(eq, lifted._counts, lifted._counts)):
            raise TypeError("a NaN equals nothing, so it could not be found in a bag")
        return lifted

    @staticmethod
    def merge(a: Any, b: Any) -> Any:
        return lbag.merge_all((a, b))

    @classmethod
    def merge_all(cls, values: Iterable[Any]) -> Any:
        first, *others = values
        counts: dict[Any, int] | None = None
        for other in others:
            for element, count in other._counts.items():
                if count > (first._counts if counts is None else counts).get(element, 0):
                    counts = dict(first._counts) if counts is None else counts
                    counts[element] = count
        return first if counts is None else Bag.made(counts)

    @staticmethod
    def multiplicity(value: Bag, element: Any) -> int:
        """How often an element is there. A morphism to lmax; `value.multiplicity(element)` does as well."""
        return value.multiplicity(element)

    @staticmethod
    def contains(value: Bag, element: Any) -> bool:
        """Whether an element is there. A morphism to lbool; `element in value` does as well."""
        return element in value

    @staticmethod
    def intersect(value: Bag, other: Bag) -> Bag:
        """What both have, as often as both have it. A morphism; `value & other` does as well."""
        return value & other

    @staticmethod
    def size(value: Bag) -> int:
        """How many elements, each as often as it is there. Monotone, to lmax; `len(value)` does as well."""
        return len(value)


class ByType(Lattice):
    """The lattice of an lmap's values where none is named: by type an lbool, lset, lmap or lbag, anything else an lmax."""

    bottom = LEAST
    order = 1

    @classmethod
    def lift(cls, value: Any) -> Any:
        return value if value is LEAST else _by_type(value).lift(value)

    @staticmethod
    def merge(a: Any, b: Any) -> Any:
        if a is LEAST or b is LEAST:
            return b if a is LEAST else a
        kinds = _by_type(a), _by_type(b)
        if kinds[0] is not kinds[1]:
            raise UnorderableValues(f"cannot merge {a!r} and {b!r}", hint="give values of one type, or name their lattice: lmap(lmax)")
        return kinds[0].merge(a, b)


class _Unchecked(ByType):
    """As ByType, of values that nobody has checked."""


def _by_type(value: Any) -> type[Lattice]:
    for kind, found in ((bool, lbool), (frozenset, lset), (set, lset), (Map, lmap), (dict, lmap), (Bag, lbag)):
        if isinstance(value, kind):
            return found
    return lmax


Map.by_type, Map.unchecked = ByType, _Unchecked


class lmap(Lattice):
    """A `Map`: keys stay, and the values of one key merge. What is put in may be a dict.

    Args:
        of: the lattice of the values, also written `lmap[lmin]`, as in the type of a column; without it they merge by
            their type: booleans as lbool, sets as lset, maps as lmap, bags as lbag, anything else as lmax.
        durable: as for every lattice.
    """

    bottom = Map.made({}, ByType)
    elements = True
    truth = True
    of: ClassVar[type[Lattice]] = ByType

    def __init__(self, of: type[Lattice] | None = None, *, durable: Durability = False) -> None:
        if of is not None and not is_lattice(of):
            raise DeclarationError(f"lmap({of!r})", Span.of_caller(), hint="give the lattice of the values: lmap(lattice.lmin)")
        self.lattice = _map_of(of) if of is not None else type(self)
        self.durable: Durability = durable
        self.span = Span.of_caller()

    def __class_getitem__(cls, of: Any) -> type[Lattice]:
        if not is_lattice(of):
            raise TypeError(f"lmap is of a lattice, as in lmap[lmin], not of {of!r}")
        return _map_of(of)

    @classmethod
    def lift(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise TypeError("give a Map or a dict")
        return value if isinstance(value, Map) and value.of is cls.of else Map(value, cls.of)

    @classmethod
    def merge(cls, a: Any, b: Any) -> Any:
        return cls.merge_all((a, b))

    @classmethod
    def merge_all(cls, values: Iterable[Any]) -> Any:
        first, *others = values
        items: dict[Any, Any] | None = None
        for other in others:
            for key, value in other._items.items():
                held = (first._items if items is None else items).get(key, _NOTHING)
                merged = value if held is _NOTHING else cls.of.merge(held, value)
                if merged is not held and merged != held:
                    items = dict(first._items) if items is None else items
                    items[key] = merged
        return first if items is None else Map.made(items, cls.of)

    @staticmethod
    def at(value: Map, key: Any) -> Any:
        """The value of a key, or the bottom of its lattice. A morphism; `value.at(key)` does as well."""
        return value.at(key)

    @staticmethod
    def key_set(value: Map) -> frozenset[Any]:
        """The keys. A morphism to lset; `value.key_set()` does as well."""
        return value.key_set()

    @staticmethod
    def size(value: Map) -> int:
        """How many keys. Monotone, to lmax; `len(value)` does as well."""
        return len(value)


_NOTHING = object()


@cache
def _map_of(of: type[Lattice]) -> type[Lattice]:
    namespace = {"of": of, "bottom": Map.made({}, of), "__doc__": f"A Map whose values are of {of.__qualname__}.", "__module__": __name__}
    return cast("type[Lattice]", LatticeType(f"lmap[{of.__qualname__}]", (lmap,), namespace))


def _reduce(cls: Any) -> Any:
    """A lattice is pickled by its name, lmap[…] by that of its values."""
    return (getitem, (lmap, cls.of)) if cls.__name__.startswith("lmap[") else cls.__qualname__


copyreg.pickle(LatticeType, _reduce)

for _function, _growth in {
    lbool.when_true: Growth((lbool, None), lset, True),
    lset.size: Growth((lset,), lmax),
    lset.contains: Growth((lset, None), lbool, True),
    lset.intersect: Growth((lset, lset), lset, True),
    lset.product: Growth((lset, lset), lset, True),
    lpset.sum: Growth((lpset,), lmax),
    lbag.multiplicity: Growth((lbag, None), lmax, True),
    lbag.contains: Growth((lbag, None), lbool, True),
    lbag.intersect: Growth((lbag, lbag), lbag, True),
    lbag.size: Growth((lbag,), lmax),
    lmap.at: Growth((lmap, None), None, True, "at"),
    lmap.key_set: Growth((lmap,), lset, True),
    lmap.size: Growth((lmap,), lmax),
}.items():
    _function.__bloompy_growth__ = _growth  # type: ignore[attr-defined]

METHODS: Mapping[tuple[type[Lattice] | None, str], Callable[..., Any]] = {
    (lmap, "at"): lmap.at,
    (lmap, "key_set"): lmap.key_set,
    (lmap, "size"): lmap.size,
    (lbag, "multiplicity"): lbag.multiplicity,
    (lbag, "contains"): lbag.contains,
    (lbag, "size"): lbag.size,
}
"""Methods of values that are functions of their lattice."""

NAMES: Mapping[str, type[Lattice]] = {one.__name__: one for one in (lmax, lmin, lbool, lset, lpset, lbag, lmap)}
"""The lattices that the text of a schema may name without an import."""
