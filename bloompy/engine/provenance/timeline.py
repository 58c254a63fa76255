"""The rows of a collection over the ticks of a run: from when to when each held.

A row's life here is a `Stretch` of ticks. Rows of one tick are kept by their tick and long ones in a list, so that the rows of a tick
are found without looking at every message that there ever was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from attrs import define, field

from bloompy.engine.tick import PlainRow
from bloompy.schema import Key

_CACHED_TICKS = 64


@define
class Stretch:
    """The ticks in which a row held without interruption: the first, and the last (None while it still holds)."""

    row: PlainRow
    since: int
    until: int | None = None

    def holds(self, tick: int) -> bool:
        """Whether it held at the end of that tick."""
        return self.since <= tick and (self.until is None or tick <= self.until)


class Rows(Mapping[Key, PlainRow]):
    """The rows of one collection at the end of one tick, by key, with indexes that are made when they are asked for."""

    def __init__(self, rows: dict[Key, PlainRow]) -> None:
        self.rows = rows
        self._indexes: dict[tuple[int, ...], dict[PlainRow, list[PlainRow]]] = {}

    def find(self, values: Mapping[int, Any]) -> Iterable[PlainRow]:
        """The rows with these values in these columns. O(rows) the first time for some columns, then O(found)."""
        if not values:
            return self.rows.values()
        columns = tuple(values)
        index = self._indexes.get(columns)
        if index is None:
            index = self._indexes[columns] = {}
            for row in self.rows.values():
                index.setdefault(tuple([row[i] for i in columns]), []).append(row)
        try:
            return index.get(tuple(values.values()), ())
        except TypeError:  # a value that cannot be hashed equals none in a row
            return ()

    def __getitem__(self, key: Key) -> PlainRow:
        return self.rows[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


@define
class Timeline:
    """All stretches of one collection, told tick by tick."""

    key_of: Callable[[PlainRow], Key]
    by_key: dict[Key, list[Stretch]] = field(factory=dict)
    _brief: dict[int, list[Stretch]] = field(factory=dict)
    _long: list[Stretch] = field(factory=list)
    _open: dict[Key, Stretch] = field(factory=dict)
    _made: dict[int, Rows] = field(factory=dict)

    def tell(self, tick: int, inserted: Iterable[PlainRow], deleted: Iterable[PlainRow]) -> None:
        """What changed in a tick; ticks are told in order."""
        for row in deleted:
            stretch = self._open.pop(self.key_of(row), None)
            if stretch is not None:
                self._close(stretch, tick - 1)
        for row in inserted:
            key = self.key_of(row)
            stretch = self._open.get(key)
            if stretch is not None and stretch.row == row:  # a transient row begins anew in each tick that has it
                continue
            if stretch is not None:
                self._close(stretch, tick - 1)
            self._open[key] = stretch = Stretch(row, tick)
            self.by_key.setdefault(key, []).append(stretch)

    def show(self, tick: int, rows: Mapping[Key, PlainRow]) -> None:
        """All rows that hold at the end of a tick."""
        gone = [one.row for key, one in self._open.items() if rows.get(key) != one.row]
        self.tell(tick, list(rows.values()), gone)

    def _close(self, stretch: Stretch, until: int) -> None:
        stretch.until = until
        if until == stretch.since:
            self._brief.setdefault(until, []).append(stretch)
        else:
            self._long.append(stretch)

    def at(self, tick: int) -> Rows:
        """The rows at the end of a tick, in the order in which they began to hold."""
        found = self._made.get(tick)
        if found is None:
            held = [*self._brief.get(tick, ()), *(one for one in self._long if one.holds(tick))]
            held += [one for one in self._open.values() if one.since <= tick]
            held.sort(key=lambda one: one.since)
            found = Rows({self.key_of(one.row): one.row for one in held})
            if len(self._made) >= _CACHED_TICKS:
                del self._made[next(iter(self._made))]
            self._made[tick] = found
        return found

    def stretch(self, key: Key, tick: int) -> Stretch | None:
        """The one of a key that holds at the end of a tick."""
        return next((one for one in reversed(self.by_key.get(key, ())) if one.holds(tick)), None)

    def last(self, row: PlainRow, until: int) -> Stretch | None:
        """The latest stretch of a row that begins no later than a tick."""
        return next((one for one in reversed(self.by_key.get(self.key_of(row), ())) if one.row == row and one.since <= until), None)
