"""Relations while a component is evaluated: their columns, and the indexes and key sets over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from bloompy.engine.columnar.codes import Array
from bloompy.engine.columnar.distinct import KeySet
from bloompy.engine.columnar.packing import Packing, span
from bloompy.engine.columnar.refusal import Refused

Read = Callable[[int], Array]
"""Gives one column of some rows."""

_BITS_LIMIT = 1 << 30
"""Up to this many possible keys, membership is looked up in a map of one bit for each (128 MB)."""


class Index:
    """Rows in the order of some columns. A probe finds, for each key, where its rows start and how many they are.

    Args:
        length: number of rows.
        columns: by which they are ordered.
        read: the columns of the rows.
    """

    def __init__(self, length: int, columns: tuple[int, ...], read: Read) -> None:
        self.length, self._read = length, read
        key_columns = [read(i) for i in columns]
        self.packing = Packing.of([span(column) for column in key_columns])
        keys = self.packing.pack(key_columns, length)
        self._order = None if bool(np.all(keys[1:] >= keys[:-1])) else np.argsort(keys, kind="stable")
        if self._order is not None:
            keys = keys[self._order]
        self._keys: Array | None = None
        if self.packing.size <= 8 * length + 1024:
            counts = np.bincount(keys, minlength=self.packing.size)
        else:
            starts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
            self._keys = keys[starts]
            counts = np.diff(np.append(starts, length))
        self._starts = np.zeros(len(counts) + 1, np.int64)
        np.cumsum(counts, out=self._starts[1:])
        self._loaded: dict[int, Array] = {}

    def probe(self, key: Sequence[Array], length: int) -> tuple[Array, Array]:
        """For each of `length` keys, given column by column: the position of its first row, and how many it has."""
        within = self.packing.within(key)
        if within is not None:
            key = [np.where(within, column, low) for column, low in zip(key, self.packing.lows, strict=True)]
        keys = self.packing.pack(key, length)
        if self._keys is not None:
            at = np.searchsorted(self._keys, keys)
            at[at == len(self._keys)] = 0
            there = self._keys[at] == keys
            within = there if within is None else within & there
            keys = at
        starts = self._starts[keys]
        counts = self._starts[keys + 1] - starts
        return starts, counts if within is None else np.where(within, counts, 0)

    def column(self, i: int) -> Array:
        """A column in the order of the index."""
        found = self._loaded.get(i)
        if found is None:
            found = self._read(i)
            found = self._loaded[i] = found if self._order is None else found[self._order]
        return found


class Members:
    """Which keys occur in some columns of a relation that does not change."""

    def __init__(self, length: int, columns: Sequence[Array]) -> None:
        self._packing = Packing.of([span(column) for column in columns])
        keys = self._packing.pack(columns, length)
        size = self._packing.size
        self._bits: Array | None = None
        if 1 << 22 < size <= _BITS_LIMIT and size <= 4096 * length:
            self._bits = np.zeros((size >> 3) + 1, np.uint8)
            np.bitwise_or.at(self._bits, keys >> 3, _BIT[keys & 7])
        else:
            self._keys = KeySet(size)
            self._keys.add(keys)

    def hold(self, key: Sequence[Array], length: int) -> Array:
        """Which of some keys, given column by column, occur."""
        within = self._packing.within(key)
        if within is not None:
            key = [np.where(within, column, low) for column, low in zip(key, self._packing.lows, strict=True)]
        keys = self._packing.pack(key, length)
        found = (self._bits[keys >> 3] & _BIT[keys & 7]) != 0 if self._bits is not None else self._keys.holds(keys)
        return found if within is None else found & within


_BIT = np.left_shift(1, np.arange(8)).astype(np.uint8)


class Store:
    """A relation that is only read.

    Args:
        columns: those that are needed, by position.
        length: number of rows.
    """

    def __init__(self, columns: Mapping[int, Array], length: int) -> None:
        self._columns, self.length = columns, length
        self._indexes: dict[tuple[int, ...], Index] = {}
        self._members: dict[tuple[int, ...], Members] = {}

    def column(self, i: int) -> Array:
        """One column of all rows."""
        return self._columns[i] if self.length else np.empty(0, np.int64)

    def indexes(self, columns: tuple[int, ...]) -> Sequence[Index]:
        """Indexes that together have all rows."""
        if not self.length:
            return ()
        found = self._indexes.get(columns)
        if found is None:
            found = self._indexes[columns] = Index(self.length, columns, self.column)
        return (found,)

    def hold(self, columns: tuple[int, ...], key: Sequence[Array], length: int) -> Array:
        """For which of some keys there is a row with them in some columns."""
        if not self.length:
            return np.zeros(length, bool)
        found = self._members.get(columns)
        if found is None:
            found = self._members[columns] = Members(self.length, [self.column(i) for i in columns])
        return found.hold(key, length)


class Head:
    """A relation that is being filled: a set of rows.

    Args:
        width: number of columns.
        key: positions of the key columns.
        ranges: of the columns; None where it is not known before.
    """

    def __init__(self, width: int, key: tuple[int, ...], ranges: Sequence[tuple[int, int] | None]) -> None:
        self.width, self.length = width, 0
        self._key = key if len(key) < width else None
        self._fixed = [one is not None for one in ranges]
        self._packing = Packing.of([one or (0, 0) for one in ranges])
        self._known = KeySet(self._packing.size)
        self._runs: list[Array] = []
        self.rounds: list[int] = []
        self._fresh = np.empty(0, np.int64)
        self._key_packing: Packing | None = None
        self._keys: KeySet | None = None
        self._indexes: dict[tuple[int, ...], list[tuple[Index, Array]]] = {}

    def offer(self, columns: Sequence[Array], length: int) -> None:
        """Rows that may be new."""
        if not all(self._fixed):
            self._fit(columns)
        self._known.offer(self._packing.pack(columns, length))

    def take(self) -> int:
        """Make the new rows of this round known, and what drives the next; how many they are.

        Raises:
            Refused: for two rows of one key.
        """
        self._fresh = self._known.take()
        self.rounds.append(len(self._fresh))
        if len(self._fresh):
            if self._key is not None:
                self._check_keys(self._key)
            self._runs.append(self._fresh)
            self.length += len(self._fresh)
        return len(self._fresh)

    def fresh(self, i: int) -> Array:
        """A column of the rows of the last round."""
        return self._packing.unpack(self._fresh, i)

    @property
    def fresh_length(self) -> int:
        """How many rows the last round found."""
        return len(self._fresh)

    def drive(self, columns: Sequence[Array], length: int) -> None:
        """Have some known rows drive the next round."""
        self._fresh = self._packing.pack(columns, length)

    def column(self, i: int) -> Array:
        """A column of all rows."""
        return self._packing.unpack(self._all(), i)

    def columns_after(self, rows: int) -> tuple[list[Array], int]:
        """All columns of the rows behind the first ones."""
        keys = self._all()[rows:]
        return [self._packing.unpack(keys, i) for i in range(self.width)], len(keys)

    def indexes(self, columns: tuple[int, ...]) -> Sequence[Index]:
        """Indexes that together have all rows; each is at least twice as large as the next."""
        runs = self._indexes.setdefault(columns, [])
        indexed = sum(len(keys) for _, keys in runs)
        if indexed < self.length:
            keys = self._all()[indexed:]
            while runs and len(runs[-1][1]) < 2 * len(keys):
                keys = np.concatenate((runs.pop()[1], keys))
            runs.append((Index(len(keys), columns, lambda i: self._packing.unpack(keys, i)), keys))
        return [index for index, _ in runs]

    def hold(self, columns: tuple[int, ...], key: Sequence[Array], length: int) -> Array:
        """For which of some keys there is a row with them in some columns."""
        found = np.zeros(length, bool)
        for index in self.indexes(columns):
            found |= index.probe(key, length)[1] > 0
        return found

    def _all(self) -> Array:
        if len(self._runs) != 1:
            self._runs = [np.concatenate(self._runs) if self._runs else np.empty(0, np.int64)]
        return self._runs[0]

    def _check_keys(self, key: tuple[int, ...]) -> None:
        columns = [self.fresh(i) for i in key]
        packing = self._key_packing
        if packing is None or packing.within(columns) is not None:
            columns = [self._unpacked(i) for i in key]
            packing = self._key_packing = Packing.of([(self._packing.lows[i], self._packing.highs[i]) for i in key])
            self._keys = KeySet(packing.size)
        assert self._keys is not None
        keys = packing.pack(columns, len(columns[0]) if columns else self.length + len(self._fresh))
        if len(self._keys.add(keys)) < len(keys):
            raise Refused("two rows of one key")

    def _unpacked(self, i: int) -> Array:
        return np.concatenate((self.column(i), self.fresh(i)))

    def _fit(self, columns: Sequence[Array]) -> None:
        """Widen the packing where calculated values exceed it."""
        if self._packing.within(columns) is None:
            return
        ranges = []
        for i, column in enumerate(columns):
            low, high = self._packing.lows[i], self._packing.highs[i]
            least, greatest = span(column)
            if least < low:
                low = least - (high - least) // 2
            if greatest > high:
                high = greatest + (greatest - low) // 2
            ranges.append((low, high))
        old, self._packing = self._packing, Packing.of(ranges)

        def moved(keys: Array) -> Array:
            return self._packing.pack([old.unpack(keys, i) for i in range(self.width)], len(keys))

        offered = [moved(keys) for keys in self._known.offered()]
        self._runs = [moved(run) for run in self._runs]
        self._fresh = moved(self._fresh)
        self._indexes = {}
        self._known = KeySet(self._packing.size)
        for run in self._runs:
            self._known.add(run)
        for keys in offered:
            self._known.offer(keys)
