"""Several integer columns as one int64 key: the first column in the highest bits, so that keys sort as rows do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from attrs import frozen

from bloompy.engine.columnar.codes import Array
from bloompy.engine.columnar.refusal import Refused


@frozen
class Packing:
    """How columns become one key.

    Attributes:
        lows: the least value of each column.
        highs: the greatest.
        shifts: by how many bits each is moved.
        size: keys are in range(size).
    """

    lows: tuple[int, ...]
    highs: tuple[int, ...]
    shifts: tuple[int, ...]
    size: int

    @classmethod
    def of(cls, ranges: Sequence[tuple[int, int]]) -> Packing:
        """The packing for columns of given ranges (least, greatest).

        Raises:
            Refused: where 62 bits do not hold them.
        """
        shifts, shift, size = [], 0, 1
        for low, high in reversed(ranges):
            shifts.append(shift)
            size = (high - low + 1) << shift
            shift += (high - low).bit_length()
        if shift > 62:
            raise Refused("keys of more than 62 bits")
        return cls(tuple(low for low, _ in ranges), tuple(high for _, high in ranges), tuple(reversed(shifts)), size)

    def pack(self, columns: Sequence[Array], length: int) -> Array:
        """The keys of some rows that are within the ranges."""
        if not columns:
            return np.zeros(length, np.int64)
        key: Array | None = None
        for column, low, shift in zip(columns, self.lows, self.shifts, strict=True):
            part = column - low if low else column
            part = part << shift if shift else part
            key = part if key is None else key | part
        assert key is not None
        return key

    def within(self, columns: Sequence[Array]) -> Array | None:
        """Which rows are within the ranges; None for all."""
        found: Array | None = None
        for column, low, high in zip(columns, self.lows, self.highs, strict=True):
            least, greatest = span(column)
            if least < low or greatest > high:
                fits = (column >= low) & (column <= high)
                found = fits if found is None else found & fits
        return found

    def unpack(self, keys: Array, column: int) -> Array:
        """One column of the rows with given keys."""
        part = keys >> self.shifts[column] if self.shifts[column] else keys
        if column:
            part = part & ((1 << (self.highs[column] - self.lows[column]).bit_length()) - 1)
        found: Array = part + self.lows[column] if self.lows[column] else part
        return found


def span(column: Array) -> tuple[int, int]:
    """The least and the greatest value; (0, 0) of an empty column."""
    return (int(column.min()), int(column.max())) if len(column) else (0, 0)


def joint(spans: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The range that holds some ranges."""
    return (min(low for low, _ in spans), max(high for _, high in spans)) if spans else (0, 0)
