"""Rows of a relation as arrays, and back."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import repeat
from typing import Any

import numpy as np
from attrs import define, frozen

from bloompy.engine.columnar.codes import Array, Codes, whole_numbers

Rows = Sequence[tuple[Any, ...]]


@frozen(eq=False)
class Column:
    """Values of one column: numbers themselves (int64), or codes.

    Attributes:
        types: the Python types of the values (and perhaps others).
    """

    values: Array
    codes: Codes | None
    types: frozenset[type]

    def objects(self) -> Array:
        """The Python values, as an array of objects; equal ints are one object where that is cheap."""
        if self.codes is not None:
            return self.codes.decode(self.values)
        low, high = int(self.values.min()), int(self.values.max())
        if high - low < 4 * len(self.values) + 1024:
            found: Array = np.fromiter(range(low, high + 1), object, high - low + 1)[self.values - low]
            return found
        return self.values.astype(object)

    @classmethod
    def of(cls, values: Sequence[Any], codes: Codes) -> Column:
        """Encode values.

        Raises:
            Refused: where they cannot be.
        """
        numbers = whole_numbers(values)
        if numbers is not None:
            return cls(numbers, None, frozenset({int}))
        return cls(codes.encode(values), codes, frozenset(map(type, values)))


@define(eq=False)
class Columns:
    """All rows of a relation as columns; never changed once made.

    Attributes:
        length: number of rows.
        rounds: how many of them, in order, each round of a recursion found.
    """

    columns: tuple[Column, ...]
    length: int
    rounds: tuple[int, ...] = ()

    def __len__(self) -> int:
        return self.length

    def column(self, i: int) -> Column:
        """One column."""
        return self.columns[i]

    def rows(self) -> list[tuple[Any, ...]]:
        """The rows as plain tuples. About 60 ns a row of two columns."""
        with without_collection(self.length):
            if not self.columns or not self.length:
                return [()] * self.length
            return list(zip(*self._lists(), strict=True))

    def rows_of(self, row: type[tuple[Any, ...]]) -> list[Any]:
        """The rows as instances of a class of tuples, made without plain ones in between."""
        with without_collection(self.length):
            if not self.columns or not self.length:
                return [tuple.__new__(row, ()) for _ in range(self.length)]
            return list(map(tuple.__new__, repeat(row), zip(*self._lists(), strict=True)))

    def _lists(self) -> list[list[Any]]:
        return [column.objects().tolist() for column in self.columns]


class Encoded:
    """The columns of a relation that is kept as rows, each encoded when it is first asked for."""

    def __init__(self, rows: Rows, codes: Codes) -> None:
        self._rows, self._codes = rows, codes
        self._columns: dict[int, Column] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def column(self, i: int) -> Column:
        """One column.

        Raises:
            Refused: where its values cannot be encoded.
        """
        found = self._columns.get(i)
        if found is None:
            found = self._columns[i] = Column.of([row[i] for row in self._rows], self._codes)
        return found


@contextmanager
def without_collection(count: int) -> Iterator[None]:
    """Keep the garbage collector from walking over so many new tuples, again and again while they are made and once afterwards.

    Afterwards they count as old at once: to freeze all objects and to thaw them moves them there without looking at them.
    """
    enabled = gc.isenabled() and count > _MANY
    if not enabled:
        yield
        return
    gc.disable()
    try:
        yield
        if not gc.get_freeze_count():
            gc.freeze()
            gc.unfreeze()
    finally:
        gc.enable()


_MANY = 10_000
