"""Which attributes share an encoding: those whose values are compared with each other or flow from one to the other."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import define, field

from bloompy.engine.columnar.operations import Attribute, Literal


@define
class Class:
    """Attributes of one encoding.

    Attributes:
        members: the attributes.
        literals: constants that are compared with them or put into them.
        numbers: they are calculated with or ordered, which only numbers allow.
        open: calculated values flow into it, so that its range is known only when they are.
    """

    members: list[Attribute]
    literals: list[Literal] = field(factory=list)
    numbers: bool = False
    open: bool = False


class Classes:
    """A partition of attributes, made coarser as rules are compiled."""

    def __init__(self) -> None:
        self._classes: dict[Attribute, Class] = {}

    def __getitem__(self, attribute: Attribute) -> Class:
        found = self._classes.get(attribute)
        if found is None:
            found = self._classes[attribute] = Class([attribute])
        return found

    def add(self, attribute: Attribute) -> None:
        """Have an attribute take part, if only in a class of its own."""
        self[attribute]

    def unite(self, one: Attribute, other: Attribute) -> None:
        """Have two attributes share an encoding."""
        large, small = self[one], self[other]
        if large is small:
            return
        large.members += small.members
        large.literals += small.literals
        large.numbers |= small.numbers
        large.open |= small.open
        self._classes.update(dict.fromkeys(small.members, large))

    def __iter__(self) -> Iterator[Class]:
        return iter({id(one): one for one in self._classes.values()}.values())
