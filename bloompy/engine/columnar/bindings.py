"""Bindings, and what expressions make of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
from attrs import frozen

from bloompy.engine.columnar.codes import LARGEST, Array
from bloompy.engine.columnar.operations import Arithmetic, Belongs, Comparison, Folded, Literal, Logic, Operand, Slot, Some, Test, Truth
from bloompy.engine.columnar.packing import span
from bloompy.engine.columnar.refusal import Refused
from bloompy.engine.columnar.spaces import Spaces
from bloompy.engine.columnar.stores import Index

Value: TypeAlias = "Array | int"


class Readable(Protocol):
    """A relation, filled or being filled."""

    @property
    def length(self) -> int: ...

    def column(self, i: int) -> Array: ...

    def indexes(self, columns: tuple[int, ...]) -> Sequence[Index]: ...

    def hold(self, columns: tuple[int, ...], key: Sequence[Array], length: int) -> Array: ...


@frozen(eq=False)
class Binding:
    """Arrays of one length by slot."""

    slots: Mapping[int, Array]
    length: int

    def where(self, mask: Array) -> Binding:
        """The bindings that a mask selects."""
        chosen = np.flatnonzero(mask)
        if len(chosen) == self.length:
            return self
        return Binding({slot: values[chosen] for slot, values in self.slots.items()}, len(chosen))

    def part(self, start: int, stop: int) -> Binding:
        """Some that follow each other."""
        return Binding({slot: values[start:stop] for slot, values in self.slots.items()}, stop - start)


class Expressions:
    """Evaluates operands and tests.

    Args:
        spaces: how values are held.
        values: gives those of the literals.
        stores: the relations.
    """

    def __init__(self, spaces: Spaces, values: Callable[[Literal], Any], stores: Mapping[str, Readable]) -> None:
        self._spaces, self._values, self._stores = spaces, values, stores

    def array(self, operand: Operand, binding: Binding, folded: Sequence[Array] = ()) -> Array:
        """An operand as an array of the binding's length."""
        value = self.value(operand, binding, folded)
        return value if isinstance(value, np.ndarray) else np.full(binding.length, value, np.int64)

    def value(self, operand: Operand, binding: Binding, folded: Sequence[Array] = ()) -> Value:
        """An operand as an array, or as one number for all.

        Raises:
            Refused: for a division by zero, or a number that may leave 62 bits.
        """
        match operand:
            case Slot(number):
                return binding.slots[number]
            case Folded(number):
                return folded[number]
            case Literal(_, _, _, attribute):
                value = self._values(operand)
                if attribute is not None:
                    return self._spaces[attribute].literal(value)
                if type(value) is not int or abs(value) > LARGEST:
                    raise Refused("calculation with what is no int")
                return value
            case Arithmetic(operator, left, right):
                return _calculated(operator, self.value(left, binding, folded), self.value(right, binding, folded))
        raise AssertionError(operand)

    def mask(self, test: Test, binding: Binding) -> Array:
        """For which bindings a test holds."""
        match test:
            case Comparison(operator, left, right):
                found = _COMPARED[operator](self.value(left, binding), self.value(right, binding))
                return found if isinstance(found, np.ndarray) else np.full(binding.length, found)
            case Truth(operand):
                space = self._spaces[operand.attribute]
                column = space.give_out(binding.slots[operand.number])
                truths: Array = column.values != 0 if column.codes is None else column.codes.truths()[column.values]
                return truths
            case Logic("not", (one,)):
                return ~self.mask(one, binding)
            case Logic(operator, parts):
                masks = [self.mask(one, binding) for one in parts]
                combined: Array = (np.logical_and if operator == "and" else np.logical_or).reduce(masks)
                return combined
            case Belongs(relation, columns, key, negated):
                held = self._stores[relation].hold(columns, [self.array(one, binding) for one in key], binding.length)
                return ~held if negated else held
            case Some():
                return self.some(test, binding)
        raise AssertionError(test)

    @abstractmethod
    def some(self, test: Some, binding: Binding) -> Array:
        """For which bindings a pipeline leaves something; pipelines are run elsewhere."""


_COMPARED: Mapping[str, Any] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def _calculated(operator: str, left: Value, right: Value) -> Value:
    lefts, rights = _range(left), _range(right)
    if operator in ("//", "%"):
        if rights[0] <= 0 <= rights[1] and np.any(np.equal(right, 0)):
            raise Refused("a division by zero")
        found: Value = left // right if operator == "//" else left % right
        return found
    reached: list[int] = []
    match operator:
        case "+":
            reached, found = [lefts[0] + rights[0], lefts[1] + rights[1]], left + right
        case "-":
            reached, found = [lefts[0] - rights[1], lefts[1] - rights[0]], left - right
        case "*":
            reached, found = [one * other for one in lefts for other in rights], left * right
    if min(reached) < -LARGEST or max(reached) > LARGEST:
        raise Refused("numbers of more than 62 bits")
    return found


def _range(value: Value) -> tuple[int, int]:
    return span(value) if isinstance(value, np.ndarray) else (value, value)
