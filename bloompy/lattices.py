"""Lattices (Bloom^L): values that only grow, and functions that keep growth.

From "Logic and Lattices for Distributed Programming" (Conway, Marczak, Alvaro, Hellerstein, Maier; SoCC 2012). Programs name
this module as `lattice`:

    from bloompy import Bloom, lattice, scratch

    class Election(Bloom):
        votes = lattice.lset()                                     # a collection: one value that only grows
        best = scratch("src, dst -> cost: lmin")                   # a type: rows of one key merge

A lattice is a class that says how two values merge; it is never the values' own class: those are plain immutable Python
values, or a `Map` or `Bag`. Merging is associative, commutative and idempotent (`bloompy.testing.laws` checks that), so that
neither order nor repetition of what arrives matters. An instance of the class, in the body of a program, declares a collection.
"""

from __future__ import annotations

import copyreg
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, reduce
from operator import eq, getitem
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast, overload

from attrs import frozen

from bloompy.errors import DeclarationError, UnorderableValues
from bloompy.span import Span

F = TypeVar("F", bound=Callable[..., Any])

# --- values -----------------------------------------------------------------------------------------------------


class _Least(float):
    """Minus infinity, which can be compared with values of any type and is below all of them; arithmetic leaves it infinite."""

    __slots__ = ()

    def __lt__(self, other: Any) -> bool:
        return not self == other

    def __le__(self, other: Any) -> bool:
        return True

    def __gt__(self, other: Any) -> bool:
        return False

    def __ge__(self, other: Any) -> bool:
        return bool(self == other)

    def __neg__(self) -> float:
        return GREATEST

    def __add__(self, other: Any) -> float:
        return self

    __radd__ = __sub__ = __add__

    def __rsub__(self, other: Any) -> float:
        return GREATEST

    def __mul__(self, other: Any) -> float:
        return self if other > 0 else GREATEST if other < 0 else 0.0

    __rmul__ = __truediv__ = __floordiv__ = __mul__

    def __reduce__(self) -> str:
        return "LEAST"


class _Greatest(float):
    """Infinity, which can be compared with values of any type and is above all of them; arithmetic leaves it infinite."""

    __slots__ = ()

    def __lt__(self, other: Any) -> bool:
        return False

    def __le__(self, other: Any) -> bool:
        return bool(self == other)

    def __gt__(self, other: Any) -> bool:
        return not self == other

    def __ge__(self, other: Any) -> bool:
        return True

    def __neg__(self) -> float:
        return LEAST

    def __add__(self, other: Any) -> float:
        return self

    __radd__ = __sub__ = __add__

    def __rsub__(self, other: Any) -> float:
        return LEAST

    def __mul__(self, other: Any) -> float:
        return self if other > 0 else LEAST if other < 0 else 0.0

    __rmul__ = __truediv__ = __floordiv__ = __mul__

    def __reduce__(self) -> str:
        return "GREATEST"


LEAST, GREATEST = _Least("-inf"), _Greatest("inf")
"""The bottoms of lmax and lmin: equal to the infinities, and comparable with anything."""


class Map(Mapping[Any, Any]):
    """The value of an lmap: an immutable mapping from keys to lattice values.

    Args:
        items: a mapping, or pairs of key and value.
        of: the lattice of its values; None: each merges by its type (see `lmap`).
    """

    __slots__ = ("_hash", "_items", "of")
    _items: dict[Any, Any]
    of: type[Lattice]

    def __init__(self, items: Mapping[Any, Any] | Iterable[tuple[Any, Any]] = (), of: type[Lattice] | None = None) -> None:
        of = of or ByType
        _put(self, "_items", {key: of.lift(value) for key, value in dict(items).items()})
        _put(self, "of", of)
        _put(self, "_hash", None)

    @classmethod
    def _made(cls, items: dict[Any, Any], of: type[Lattice]) -> Map:
        made = object.__new__(cls)
        _put(made, "_items", items)
        _put(made, "of", of)
        _put(made, "_hash", None)
        return made

    @classmethod
    def received(cls, items: Iterable[tuple[Any, Any]]) -> Map:
        """A map from outside, whose values the column that it goes into has yet to check."""
        return cls._made(dict(items), _Unchecked)

    def __getitem__(self, key: Any) -> Any:
        return self._items[key]

    def __contains__(self, key: object) -> bool:
        return key in self._items

    def __iter__(self) -> Iterator[Any]:
        return iter(_in_order(self._items))

    def __len__(self) -> int:
        return len(self._items)

    def at(self, key: Any) -> Any:
        """The value of a key; the bottom of its lattice where there is none. A morphism."""
        return self._items.get(key, self.of.bottom)

    def key_set(self) -> frozenset[Any]:
        """The keys. A morphism to lset."""
        return frozenset(self._items)

    def size(self) -> int:
        """How many keys. Monotone, to lmax."""
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Map):
            return self._items == other._items
        return self._items == other if isinstance(other, dict) else NotImplemented

    def __hash__(self) -> int:
        if self._hash is None:
            _put(self, "_hash", hash(frozenset(self._items.items())))
        return self._hash or 0

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("a Map cannot be changed; merge it with another")

    def __repr__(self) -> str:
        return f"Map({{{', '.join(f'{key!r}: {self._items[key]!r}' for key in self)}}})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Map, (self._items, self.of)

    _hash: int | None


class Bag:
    """The value of an lbag: an immutable multiset.

    Args:
        elements: an iterable of elements, or a mapping from elements to how often each is there (from 1).
    """

    __slots__ = ("_counts", "_hash")
    _counts: dict[Any, int]
    _hash: int | None

    def __init__(self, elements: Iterable[Any] | Mapping[Any, int] = ()) -> None:
        counts = dict(elements) if isinstance(elements, Mapping) else dict(Counter(elements))
        for element, count in counts.items():
            if type(count) is not int or count < 1:
                raise ValueError(f"{element!r} cannot be in a Bag {count!r} times")
        _put(self, "_counts", counts)
        _put(self, "_hash", None)

    @classmethod
    def _made(cls, counts: dict[Any, int]) -> Bag:
        made = object.__new__(cls)
        _put(made, "_counts", counts)
        _put(made, "_hash", None)
        return made

    def multiplicity(self, element: Any) -> int:
        """How often an element is there. A morphism to lmax."""
        return self._counts.get(element, 0)

    def contains(self, element: Any) -> bool:
        """Whether an element is there. A morphism to lbool."""
        return element in self._counts

    __contains__ = contains

    def size(self) -> int:
        """How many elements, each as often as it is there. Monotone, to lmax."""
        return sum(self._counts.values())

    __len__ = size

    def __iter__(self) -> Iterator[Any]:
        """The different elements, in order."""
        return iter(_in_order(self._counts))

    def counts(self) -> dict[Any, int]:
        """A new dictionary from elements to how often each is there."""
        return dict(self._counts)

    def __add__(self, other: Bag) -> Bag:
        """The elements of both, counted together. Monotone."""
        return Bag._made(dict(Counter(self._counts) + Counter(other._counts))) if isinstance(other, Bag) else NotImplemented

    def __and__(self, other: Bag) -> Bag:
        """What both have, as often as both have it. A morphism."""
        return Bag._made(dict(Counter(self._counts) & Counter(other._counts))) if isinstance(other, Bag) else NotImplemented

    def __eq__(self, other: object) -> bool:
        return self._counts == other._counts if isinstance(other, Bag) else NotImplemented

    def __hash__(self) -> int:
        if self._hash is None:
            _put(self, "_hash", hash(frozenset(self._counts.items())))
        return self._hash or 0

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("a Bag cannot be changed; merge it with another")

    def __repr__(self) -> str:
        return f"Bag({{{', '.join(f'{element!r}: {self._counts[element]!r}' for element in self)}}})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Bag, (self._counts,)


_put = object.__setattr__


def _in_order(items: Iterable[Any]) -> list[Any]:
    """Different values in an order that depends neither on hash seeds nor on how they came together."""
    found = list(items)
    if {type(item) for item in found} in ({int}, {str}, {bytes}):
        return sorted(found)
    return sorted(found, key=lambda item: (type(item).__name__, repr(item)))


# --- functions that keep growth ---------------------------------------------------------------------------------


@frozen
class Growth:
    """What is known of a function of lattice values.

    Attributes:
        parameters: the lattice of each argument, None for one that does not grow; () where that is not said.
        result: the lattice of the result; None where it is that of the column it goes into.
        morphism: it keeps merges: f(merge(a, b)) == merge(f(a), f(b)).
        builtin: the name of a function of Python whose growth depends on its arguments.
    """

    parameters: tuple[type[Lattice] | None, ...] = ()
    result: type[Lattice] | None = None
    morphism: bool = False
    builtin: str = ""


@overload
def monotone(function: F, /) -> F: ...
@overload
def monotone(*parameters: type[Lattice] | None, to: type[Lattice]) -> Callable[[F], F]: ...
def monotone(*given: Any, to: type[Lattice] | None = None) -> Any:
    """Declare that a function keeps growth: when its arguments grow, so does its result.

        @lattice.monotone(lattice.lset, to=lattice.lmax)
        def total(prices): ...

    Rules that use it within a recursion are taken at their word; `bloompy.testing.laws.check_monotone` tries it.

    Args:
        given: the lattice of each argument, None for one that does not grow; or, for the plain `@lattice.monotone`, the
            function: then arguments may be of any lattice, and the result is of that of the column it goes into.
        to: the lattice of the result.

    Returns:
        the function itself, marked.
    """
    return _marked(given, to, False)


@overload
def morphism(function: F, /) -> F: ...
@overload
def morphism(*parameters: type[Lattice] | None, to: type[Lattice]) -> Callable[[F], F]: ...
def morphism(*given: Any, to: type[Lattice] | None = None) -> Any:
    """Declare that a function keeps merges: f(merge(a, b)) == merge(f(a), f(b)), in each argument. It is monotone then.

    Args and result as in `monotone`; `bloompy.testing.laws.check_morphism` tries it.
    """
    return _marked(given, to, True)


def _marked(given: tuple[Any, ...], to: type[Lattice] | None, morphism: bool) -> Any:
    if len(given) == 1 and to is None and callable(given[0]) and not is_lattice(given[0]):
        given[0].__bloompy_growth__ = Growth(morphism=morphism)
        return given[0]
    word = "morphism" if morphism else "monotone"
    if to is None or not is_lattice(to) or not all(one is None or is_lattice(one) for one in given):
        raise DeclarationError(
            f"@lattice.{word} is given {', '.join(map(repr, given)) or 'nothing'}, to={to!r}",
            Span.of_caller(2),
            hint=f"write @lattice.{word}, or @lattice.{word}(lattice.lset, to=lattice.lmax) with the lattices of arguments and result",
        )

    def mark(function: F) -> F:
        function.__bloompy_growth__ = Growth(given, to, morphism)  # type: ignore[attr-defined]
        return function

    return mark


_BUILTINS: dict[Any, Growth] = {one: Growth(builtin=one.__name__) for one in (len, sum, min, max)}


def growth_of(function: Any) -> Growth | None:
    """What is known of a function, or None."""
    function = getattr(function, "__func__", function)
    found: Growth | None = getattr(function, "__bloompy_growth__", None)
    if found is None and isinstance(function, type(len)):
        found = _BUILTINS.get(function)
    return found


# --- lattices ---------------------------------------------------------------------------------------------------


class _LatticeType(type):
    def __repr__(cls) -> str:
        return cls.__qualname__


class Lattice(metaclass=_LatticeType):
    """How values merge. Subclass it for a lattice of your own, with `bottom` and `merge`:

        class lmaxpair(lattice.Lattice):
            bottom = (0, 0)

            @staticmethod
            def merge(a, b):
                return (max(a[0], b[0]), max(a[1], b[1]))

    Then `lmaxpair` is the type of a value column, and `lmaxpair()` declares a collection.

    Args (of an instance, which is the declaration of a collection):
        durable: keep the value over a crash of the node.

    Attributes (of the class):
        bottom: the value below all others.
        values: the type of values that are none of the closed set that may be sent and stored; None where all are of it.
        order: 1 where a greater value (by Python's `>`) has grown, -1 where a lesser one has, 0 where `>` says nothing.
        elements: whether iterating a value, and `in`, gives ever more elements while it grows.
        truth: whether a value that is true stays true while it grows.
        numbers: whether adding a number to a value keeps growth.
    """

    bottom: ClassVar[Any]
    values: ClassVar[Any] = None
    order: ClassVar[int] = 0
    elements: ClassVar[bool] = False
    truth: ClassVar[bool] = False
    numbers: ClassVar[bool] = False

    def __init__(self, *, durable: bool = False) -> None:
        self.lattice: type[Lattice] = type(self)
        self.durable, self.span = durable, Span.of_caller()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name, what in (("bottom", "bottom = the least value"), ("merge", "a static method merge(a, b)")):
            if not hasattr(cls, name):
                raise DeclarationError(f"the lattice {cls.__qualname__} has no {name}", Span.of_caller(), hint=f"give it {what}")

    if TYPE_CHECKING:

        @staticmethod
        def merge(a: Any, b: Any) -> Any:
            """The least value that is at least both; `a` itself where `b` adds nothing."""

        # As an attribute a declaration is a collection, and as the type of a column any value.
        def __get__(self, instance: Any, owner: Any = None) -> Any: ...
        def __set__(self, instance: Any, value: Any) -> None: ...

    @classmethod
    def lift(cls, value: Any) -> Any:
        """What is put in as a value of the lattice: a single element as the set of it, for example.

        Raises:
            TypeError: for what cannot be one, with the reason.
        """
        return value

    @classmethod
    def merge_all(cls, values: Iterable[Any]) -> Any:
        """All values merged into the first of them, at least one."""
        return reduce(cls.merge, values)

    @classmethod
    def new_of(cls, value: Any, old: Any) -> Any:
        """What is new of a value that has grown: merged with the old one it gives the value."""
        return value

    @classmethod
    def below(cls, a: Any, b: Any) -> bool:
        """Whether b has grown from a, or equals it."""
        return bool(cls.merge(a, b) == b)


def is_lattice(annotation: Any) -> bool:
    """Whether a type is a lattice."""
    return isinstance(annotation, _LatticeType)


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
        return first if counts is None else Bag._made(counts)

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


class lmap(Lattice):
    """A `Map`: keys stay, and the values of one key merge. What is put in may be a dict.

    Args:
        of: the lattice of the values, also written `lmap[lmin]`, as in the type of a column; without it they merge by
            their type: booleans as lbool, sets as lset, maps as lmap, bags as lbag, anything else as lmax.
        durable: as for every lattice.
    """

    bottom = Map._made({}, ByType)
    elements = True
    truth = True
    of: ClassVar[type[Lattice]] = ByType

    def __init__(self, of: type[Lattice] | None = None, *, durable: bool = False) -> None:
        if of is not None and not is_lattice(of):
            raise DeclarationError(f"lmap({of!r})", Span.of_caller(), hint="give the lattice of the values: lmap(lattice.lmin)")
        self.lattice = _map_of(of) if of is not None else type(self)
        self.durable, self.span = durable, Span.of_caller()

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
        return first if items is None else Map._made(items, cls.of)

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
    namespace = {"of": of, "bottom": Map._made({}, of), "__doc__": f"A Map whose values are of {of.__qualname__}.", "__module__": __name__}
    return cast("type[Lattice]", _LatticeType(f"lmap[{of.__qualname__}]", (lmap,), namespace))


def _reduce(cls: Any) -> Any:
    """A lattice is pickled by its name, lmap[…] by that of its values."""
    return (getitem, (lmap, cls.of)) if cls.__name__.startswith("lmap[") else cls.__qualname__


copyreg.pickle(_LatticeType, _reduce)

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

NAMES: Mapping[str, type[Lattice]] = {
    one.__name__: one for one in (lmax, lmin, lbool, lset, lpset, lbag, lmap)
}
"""The lattices that the text of a schema may name without an import."""
