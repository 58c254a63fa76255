"""A relation whose value columns merge, lmin or lmax: of each key the best value so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bloompy.engine.columnar.codes import LARGEST, Array
from bloompy.engine.columnar.distinct import distinct
from bloompy.engine.columnar.packing import Packing
from bloompy.engine.columnar.refusal import Refused
from bloompy.engine.columnar.stores import Index

_DENSE_LIMIT = 1 << 23
"""Up to this many possible keys, values are kept at the place of their key."""
_NONE = 2 * LARGEST - 1


class Merged:
    """See the module; it offers what `stores.Head` does. A greatest value is kept as the least of the negated ones.

    Args:
        width: number of columns.
        key: positions of the key columns.
        merged: of each value column, "min" or "max".
        ranges: of the columns; None where it is not known before.
    """

    def __init__(self, width: int, key: tuple[int, ...], merged: Mapping[int, str], ranges: Sequence[tuple[int, int] | None]) -> None:
        self.width, self._key, self._merged = width, key, merged
        found = [ranges[i] for i in key]
        if None in found:
            raise Refused("a calculated key of lattice values")
        self._packing = Packing.of([one for one in found if one is not None])
        self._best = _Dense(self._packing.size, len(merged)) if self._packing.size <= _DENSE_LIMIT else _Sparse(len(merged))
        self._fresh = np.empty(0, np.int64)
        self._loaded: dict[int, Array] = {}

    @property
    def length(self) -> int:
        """Number of rows."""
        return self._best.count

    @property
    def rounds(self) -> list[int]:
        """Rows are not told apart by rounds."""
        return [self.length]

    @property
    def fresh_length(self) -> int:
        """How many keys have got a better value."""
        return len(self._fresh)

    def offer(self, columns: Sequence[Array], length: int) -> None:
        """Rows that may improve on what is known."""
        keys = self._packing.pack([columns[i] for i in self._key], length)
        self._best.offer(keys, [columns[i] if how == "min" else -columns[i] for i, how in self._merged.items()])

    def take(self) -> int:
        """Make the keys that have improved those that drive the next round; how many they are."""
        self._fresh = self._best.take()
        self._loaded = {}
        return len(self._fresh)

    def fresh(self, i: int) -> Array:
        """A column of the keys that improved in the last round."""
        return self._column(self._fresh, i)

    def drive(self, columns: Sequence[Array], length: int) -> None:
        """Have some known rows drive the next round."""
        self._fresh = self._packing.pack([columns[i] for i in self._key], length)

    def column(self, i: int) -> Array:
        """A column of all rows."""
        found = self._loaded.get(i)
        if found is None:
            found = self._loaded[i] = self._column(self._best.keys(), i)
        return found

    def columns_after(self, rows: int) -> tuple[list[Array], int]:
        """All columns; what was known before may have improved, so that no row can be left out."""
        return [self.column(i) for i in range(self.width)], self.length

    def indexes(self, columns: tuple[int, ...]) -> Sequence[Index]:
        """An index of all rows as they are now."""
        return (Index(self.length, columns, self.column),) if self.length else ()

    def hold(self, columns: tuple[int, ...], key: Sequence[Array], length: int) -> Array:
        """For which of some keys there is a row with them in some columns."""
        found = np.zeros(length, bool)
        for index in self.indexes(columns):
            found |= index.probe(key, length)[1] > 0
        return found

    def _column(self, keys: Array, i: int) -> Array:
        if i in self._key:
            return self._packing.unpack(keys, self._key.index(i))
        values = self._best.values(keys, list(self._merged).index(i))
        return values if self._merged[i] == "min" else -values


class _Dense:
    """Values at the place of their key."""

    def __init__(self, size: int, count: int) -> None:
        self._values = [np.full(size, _NONE) for _ in range(count)]
        self._touched: list[Array] = []

    @property
    def count(self) -> int:
        return int(np.count_nonzero(self._values[0] != _NONE))

    def offer(self, keys: Array, values: Sequence[Array]) -> None:
        for held, offered in zip(self._values, values, strict=True):
            better = offered < held[keys]
            improved = keys[better]
            if len(improved):
                np.minimum.at(held, improved, offered[better])
                self._touched.append(improved)

    def take(self) -> Array:
        touched, self._touched = self._touched, []
        return distinct(np.concatenate(touched)) if touched else np.empty(0, np.int64)

    def keys(self) -> Array:
        return np.flatnonzero(self._values[0] != _NONE)

    def values(self, keys: Array, number: int) -> Array:
        found: Array = self._values[number][keys]
        return found


class _Sparse:
    """Sorted keys with their values."""

    def __init__(self, count: int) -> None:
        self._keys = np.empty(0, np.int64)
        self._values = [np.empty(0, np.int64) for _ in range(count)]
        self._offered: list[tuple[Array, list[Array]]] = []

    @property
    def count(self) -> int:
        return len(self._keys)

    def offer(self, keys: Array, values: Sequence[Array]) -> None:
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        starts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
        self._offered.append((keys[starts], [np.minimum.reduceat(one[order], starts) for one in values]))

    def take(self) -> Array:
        offered, self._offered = self._offered, []
        if not offered:
            return np.empty(0, np.int64)
        count, old = len(self._values), [self._keys, *self._values]
        keys = np.concatenate([self._keys, *(one for one, _ in offered)])
        values = [np.concatenate([self._values[i], *(parts[i] for _, parts in offered)]) for i in range(count)]
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        starts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
        self._keys = keys[starts]
        self._values = [np.minimum.reduceat(one[order], starts) for one in values]
        at = np.searchsorted(self._keys, old[0])
        improved = np.ones(len(self._keys), bool)
        improved[at] = False
        for now, before in zip(self._values, old[1:], strict=True):
            improved[at] |= now[at] < before
        return self._keys[improved]

    def keys(self) -> Array:
        return self._keys

    def values(self, keys: Array, number: int) -> Array:
        found: Array = self._values[number][np.searchsorted(self._keys, keys)]
        return found
