"""The values of lattices that Python has none of its own for: what is below or above all, maps, bags."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

from bloompy.lattices.base import Lattice


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
    by_type: ClassVar[type[Lattice]]
    """The lattice of values where none is named; set by `kinds`."""
    unchecked: ClassVar[type[Lattice]]
    """The same, of values that nobody has checked."""
    _items: dict[Any, Any]
    of: type[Lattice]

    def __init__(self, items: Mapping[Any, Any] | Iterable[tuple[Any, Any]] = (), of: type[Lattice] | None = None) -> None:
        of = of or Map.by_type
        _put(self, "_items", {key: of.lift(value) for key, value in dict(items).items()})
        _put(self, "of", of)
        _put(self, "_hash", None)

    @classmethod
    def made(cls, items: dict[Any, Any], of: type[Lattice]) -> Map:
        """The map of a dictionary that nobody else keeps, whose values are of the lattice."""
        made = object.__new__(cls)
        _put(made, "_items", items)
        _put(made, "of", of)
        _put(made, "_hash", None)
        return made

    @classmethod
    def received(cls, items: Iterable[tuple[Any, Any]]) -> Map:
        """A map from outside, whose values the column that it goes into has yet to check."""
        return cls.made(dict(items), cls.unchecked)

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
    def made(cls, counts: dict[Any, int]) -> Bag:
        """The bag of a dictionary that nobody else keeps."""
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
        return Bag.made(dict(Counter(self._counts) + Counter(other._counts))) if isinstance(other, Bag) else NotImplemented

    def __and__(self, other: Bag) -> Bag:
        """What both have, as often as both have it. A morphism."""
        return Bag.made(dict(Counter(self._counts) & Counter(other._counts))) if isinstance(other, Bag) else NotImplemented

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
