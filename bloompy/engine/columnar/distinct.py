"""Removing duplicates of keys: within a batch, and against what is known."""

from __future__ import annotations

import numpy as np

from bloompy.engine.columnar.codes import Array

MAP_LIMIT = 1 << 26
"""Up to this many possible keys, what is known is a map of one byte for each (64 MB)."""
_SORTED = 1 << 11
"""Batches up to this size are sorted; hashing larger ones is quicker."""


def distinct(keys: Array) -> Array:
    """The different keys, in an order that depends on the keys alone. O(keys)."""
    if len(keys) <= _SORTED:
        keys = np.sort(keys)
        return keys[_changes(keys)]
    return keys[first_of_each(keys)]


def first_of_each(keys: Array) -> Array:
    """Positions of one occurrence of each key, ascending but for rare collisions.

    Each key writes its position into a slot that its hash chooses. Keys that read back their own are the winners; those that read
    the position of an equal key are duplicates; the few others, whose slot a different key took, play again.
    """
    winners: list[Array] = []
    positions = np.arange(len(keys), dtype=np.int32)
    multiplier = _MULTIPLIER
    while len(keys):
        bits = max(len(keys).bit_length() + 2, 6)
        hashes = (keys.view(np.uint64) * np.uint64(multiplier)) >> np.uint64(64 - bits)
        hashes = hashes.view(np.int64)
        slots = np.empty(1 << bits, np.int32)
        places = np.arange(len(keys), dtype=np.int32)
        slots[hashes] = places
        holders = slots[hashes]
        won = holders == places
        winners.append(positions[won])
        lost = keys[holders] != keys
        keys, positions = keys[lost], positions[lost]
        multiplier = (multiplier * _MULTIPLIER) & (2**64 - 1) | 1
    return np.concatenate(winners) if winners else positions


_MULTIPLIER = 0x9E3779B97F4A7C15


def _changes(keys: Array) -> Array:
    """Of sorted keys, which differ from the one before."""
    found = np.empty(len(keys), bool)
    found[:1] = True
    np.not_equal(keys[1:], keys[:-1], out=found[1:])
    return found


class KeySet:
    """Keys that are known. In a round, candidates are offered in any number of batches; `take` returns what was new.

    Args:
        size: keys are in range(size).
    """

    def __init__(self, size: int) -> None:
        self.size, self.count = size, 0
        self._map: Array | None = np.zeros(size, np.uint8) if size <= MAP_LIMIT else None
        self._table = _Table() if self._map is None else None
        self._offered: list[Array] = []

    def offer(self, keys: Array) -> None:
        """Candidates, which may repeat and may be known."""
        if self._map is not None:
            keys = keys[self._map[keys] == 0]
            self._map[keys] = 2
        else:
            assert self._table is not None
            keys = self._table.insert(keys)
        if len(keys):
            self._offered.append(keys)

    def take(self) -> Array:
        """The new keys since the last call; now they are known."""
        offered, self._offered = self._offered, []
        if not offered:
            return np.empty(0, np.int64)
        if self._map is None:
            found = np.concatenate(offered) if len(offered) > 1 else offered[0]
        elif sum(map(len, offered)) * 32 > self.size:
            found = np.flatnonzero(self._map == 2)
            self._map[found] = 1
        else:
            found = distinct(np.concatenate(offered) if len(offered) > 1 else offered[0])
            self._map[found] = 1
        self.count += len(found)
        return found

    def offered(self) -> list[Array]:
        """What was offered and new since the last `take`; it may repeat."""
        return list(self._offered)

    def add(self, keys: Array) -> Array:
        """Offer and take at once."""
        self.offer(keys)
        return self.take()

    def holds(self, keys: Array) -> Array:
        """Which of some keys are known."""
        if self._map is not None:
            found: Array = self._map[keys] != 0
            return found
        assert self._table is not None
        return self._table.holds(keys)


class _Table:
    """A hash table of keys with linear probing, filled and searched by whole arrays."""

    def __init__(self) -> None:
        self.count = 0
        self._bits = 12
        self._slots = np.full(1 << self._bits, _EMPTY)

    def insert(self, keys: Array) -> Array:
        """Put in keys; returns those that were not there, each once. O(keys)."""
        keys = distinct(keys)
        keys = keys[~self.holds(keys)]
        if (self.count + len(keys)) * 2 > len(self._slots):
            self._grow(self.count + len(keys))
        self._put(keys)
        self.count += len(keys)
        return keys

    def holds(self, keys: Array) -> Array:
        """Which keys are there."""
        found = np.zeros(len(keys), bool)
        at = self._hash(keys)
        positions: Array | None = None
        while len(keys):
            slots = self._slots[at]
            here = slots == keys
            if positions is None:
                found = here.copy()
            else:
                found[positions[here]] = True
            going = np.flatnonzero(~here & (slots != _EMPTY))
            keys, at = keys[going], (at[going] + 1) & (len(self._slots) - 1)
            positions = going if positions is None else positions[going]
        return found

    def _put(self, keys: Array) -> None:
        """Put in distinct keys that are not there: each tries the next free slot until it finds itself in one."""
        at = self._hash(keys)
        while len(keys):
            free = np.flatnonzero(self._slots[at] == _EMPTY)
            self._slots[at[free]] = keys[free]
            going = np.flatnonzero(self._slots[at] != keys)
            keys, at = keys[going], (at[going] + 1) & (len(self._slots) - 1)

    def _grow(self, count: int) -> None:
        old = self._slots[self._slots != _EMPTY]
        self._bits = max(self._bits, count.bit_length() + 2)
        self._slots = np.full(1 << self._bits, _EMPTY)
        self._put(old)

    def _hash(self, keys: Array) -> Array:
        return ((keys.view(np.uint64) * np.uint64(_MULTIPLIER)) >> np.uint64(64 - self._bits)).view(np.int64)


_EMPTY = np.int64(-1)
