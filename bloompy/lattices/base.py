"""What a lattice is."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import TYPE_CHECKING, Any, ClassVar

from bloompy.durability import Durability
from bloompy.errors import DeclarationError
from bloompy.span import Span


class LatticeType(type):
    """The type of lattices, which are classes: shows them by name."""

    def __repr__(cls) -> str:
        return cls.__qualname__


class Lattice(metaclass=LatticeType):
    """How values merge. Subclass it for a lattice of your own, with `bottom` and `merge`:

        class lmaxpair(lattice.Lattice):
            bottom = (0, 0)

            @staticmethod
            def merge(a, b):
                return (max(a[0], b[0]), max(a[1], b[1]))

    Then `lmaxpair` is the type of a value column, and `lmaxpair()` declares a collection.

    Args (of an instance, which is the declaration of a collection):
        durable: keep the value over a crash of the node; True or "delayed", as of `table`.

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

    def __init__(self, *, durable: Durability = False) -> None:
        self.lattice: type[Lattice] = type(self)
        self.durable: Durability = durable
        self.span = Span.of_caller()

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
    return isinstance(annotation, LatticeType)
