"""The encoding of each class of attributes for one evaluation: numbers as they are where that is dense enough, else codes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from attrs import frozen

from bloompy.engine.columnar.classes import Class, Classes
from bloompy.engine.columnar.codes import LARGEST, Array, Codes
from bloompy.engine.columnar.columns import Column
from bloompy.engine.columnar.operations import Attribute, Literal
from bloompy.engine.columnar.packing import joint, span
from bloompy.engine.columnar.refusal import Refused

_TABLE_LIMIT = 1 << 24


class Source(Protocol):
    """Rows of a relation that can be had column by column."""

    def __len__(self) -> int: ...

    def column(self, i: int) -> Column:
        """One column; raises Refused where it cannot be encoded."""


@frozen(eq=False)
class Space:
    """How the values of a class are held while a component is evaluated.

    Attributes:
        codes: what gives values their codes; None for numbers.
        labels: what is held is the position in this sorted array of codes or numbers; None for those themselves.
        range: the least and the greatest of what is held; None where calculated values may exceed it.
        types: the Python types of the values.
    """

    codes: Codes | None
    labels: Array | None
    range: tuple[int, int] | None
    types: frozenset[type]
    _table: Array | None = None

    def take_in(self, column: Column) -> Array:
        """A column as it is held here."""
        values = _coded(column, self.codes).values if self.codes is not None else column.values
        if self.labels is None or not len(values):
            return values
        if self._table is not None:
            found: Array = self._table[values - self.labels[0]]
            return found
        return np.searchsorted(self.labels, values)

    def give_out(self, held: Array) -> Column:
        """What is held here as a column."""
        return Column(held if self.labels is None else self.labels[held], self.codes, self.types)

    def literal(self, value: Any) -> int:
        """A literal of the class as it is held."""
        raw = int(self.codes.encode([value])[0]) if self.codes is not None else int(value)
        return raw if self.labels is None else int(np.searchsorted(self.labels, raw))


class Spaces:
    """The spaces of all classes."""

    def __init__(self, classes: Classes, spaces: Mapping[int, Space]) -> None:
        self._classes, self._spaces = classes, spaces

    def __getitem__(self, attribute: Attribute) -> Space:
        return self._spaces[id(self._classes[attribute])]


def resolved(
    classes: Classes, sources: Mapping[str, Source], needed: Mapping[str, Sequence[int]], values: Callable[[Literal], Any], codes: Codes
) -> Spaces:
    """Decide how the values of each class are held.

    Args:
        classes: all of them.
        sources: the relations that have rows.
        needed: of each, the columns that take part.
        values: gives those of the literals.
        codes: of the instance.

    Raises:
        Refused: where the values of a class allow no encoding.
    """
    found = {}
    for one in classes:
        columns = [
            sources[relation].column(i)
            for relation, i in one.members
            if relation in sources and len(sources[relation]) and i in needed[relation]
        ]
        found[id(one)] = _space(one, columns, [values(literal) for literal in one.literals], codes)
    return Spaces(classes, found)


def _space(one: Class, columns: list[Column], literals: list[Any], codes: Codes) -> Space:
    numeric = all(column.codes is None for column in columns) and all(type(value) is int and abs(value) <= LARGEST for value in literals)
    if numeric:
        types: frozenset[type] = frozenset({int})
        arrays = [column.values for column in columns]
        extra = np.array(literals, np.int64)
    elif one.numbers:
        raise Refused("calculation with what is no int")
    else:
        types = frozenset(map(type, literals)).union(*(column.types for column in columns))
        arrays = [_coded(column, codes).values for column in columns]
        extra = codes.encode(literals) if literals else np.empty(0, np.int64)
        if len(types) > 1:
            codes.check_distinct(_union([*arrays, extra]))
    if one.open:
        return Space(None, None, None, types)
    low, high = joint([span(array) for array in (*arrays, extra) if len(array)])
    held = None if numeric else codes
    if one.numbers or high - low <= 4 * sum(map(len, arrays)) + 1024:
        return Space(held, None, (low, high), types)
    labels = _union([*arrays, extra])
    table = None
    if high - low < _TABLE_LIMIT:
        table = np.zeros(high - low + 1, np.int64)
        table[labels - low] = np.arange(len(labels))
    return Space(held, labels, (0, len(labels) - 1), types, table)


def _coded(column: Column, codes: Codes) -> Column:
    """A column of numbers as one of codes."""
    if column.codes is not None:
        return column
    numbers, inverse = np.unique(column.values, return_inverse=True)
    coded: Array = codes.encode(numbers.tolist())[inverse] if len(numbers) else numbers
    return Column(coded, codes, column.types)


def _union(arrays: Sequence[Array]) -> Array:
    return np.unique(np.concatenate([np.unique(array) for array in arrays]))
