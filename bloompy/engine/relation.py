"""Rows of one collection with the indexes over them, and what changed in them in the tick under way.

A row's life: it is inserted (into `rows`, and `inserted`), it may be deleted (out of `rows`, into `deleted`), and when the tick
ends both lists are forgotten. If the tick is rolled back they are undone instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum
from operator import itemgetter
from typing import Any

from bloompy.engine.tick import PlainRow
from bloompy.schema import Key

Index = dict[Any, dict[PlainRow, None]]
"""Rows by the value of some columns (bare for one column)."""


class Kind(Enum):
    """How long rows live (design §3.5)."""

    TABLE = "table"
    STANDING = "standing"
    """A view that follows from tables alone; kept from tick to tick."""
    TRANSIENT = "transient"
    """Emptied when the next tick begins."""
    OVERLAY = "overlay"
    """The standing rows of a scratch and, for one tick, transient ones above them."""


class Relation:
    """See the module.

    Attributes:
        rows: all rows by key, in the order of insertion.
        inserted, deleted: the net change of standing rows in this tick; transient rows count as inserted.
        transient: of an OVERLAY, the rows that something of this tick derived.
        base: of an OVERLAY, the relation of its standing rows.
    """

    __slots__ = ("_saved", "_saved_transient", "base", "deleted", "indexes", "inserted", "key", "kind", "name", "rows", "transient")

    def __init__(self, name: str, kind: Kind, key: Callable[[PlainRow], Key]) -> None:
        self.name, self.kind, self.key = name, kind, key
        self.rows: dict[Key, PlainRow] = {}
        self.indexes: dict[tuple[int, ...], Index] = {}
        self.inserted: list[PlainRow] = []
        self.deleted: list[PlainRow] = []
        self.transient: dict[PlainRow, None] = {}
        self.base: Relation | None = None
        self._saved: dict[Key, PlainRow] | None = None
        self._saved_transient: dict[PlainRow, None] = {}

    def index(self, columns: tuple[int, ...]) -> Index:
        """Rows by some columns, made when it is first asked for. O(rows) once, then O(1)."""
        index = self.indexes.get(columns)
        if index is None:
            index = self.indexes[columns] = {}
            _extend(index, columns, self.rows.values())
        return index

    def added(self, rows: list[PlainRow]) -> None:
        """Rows that were just put into `rows`: bring the indexes up to date and note the change. O(added · indexes)."""
        for columns, index in self.indexes.items():
            _extend(index, columns, rows)
        self.inserted += rows

    def insert(self, row: PlainRow) -> None:
        """Put in one row whose key is free."""
        self.rows[self.key(row)] = row
        self.added([row])

    def delete(self, row: PlainRow) -> None:
        """Take out one row that is there."""
        self._take_out(row)
        self.deleted.append(row)

    def begin(self) -> None:
        """Drop the transient rows of the tick before; `previous` still tells them until the tick ends."""
        if self.kind is Kind.TRANSIENT:
            self._saved, self.rows, self.indexes = self.rows, {}, {}
        else:
            self._saved_transient, self.transient = self.transient, {}
            for row in self._saved_transient:
                key = self.key(row)
                if self.base is None or self.base.rows.get(key) != row:  # else it has come to stand
                    self._take_out(row)

    def previous(self) -> Iterable[PlainRow]:
        """The transient rows that `begin` dropped."""
        return self._saved.values() if self.kind is Kind.TRANSIENT and self._saved is not None else self._saved_transient

    def clear(self) -> None:
        """Empty a view that is to be computed again; `settle` finds the change."""
        if self._saved is None:
            self._saved = self.rows
        self.rows, self.indexes = {}, {}

    def settle(self) -> None:
        """After a recomputation, note what it changed against the rows before `clear`."""
        assert self._saved is not None
        old, new = self._saved, self.rows
        if not old:
            self.inserted, self.deleted = list(new.values()), []
            return
        self.inserted = [row for key, row in new.items() if old.get(key) != row]
        self.deleted = [row for key, row in old.items() if new.get(key) != row]

    def finish(self) -> None:
        """Forget the changes: the tick is done."""
        self.inserted, self.deleted = [], []
        self._saved = None
        self._saved_transient = {}

    def roll_back(self) -> None:
        """Undo the changes: the tick has not happened."""
        if self._saved is not None:
            self.rows, self.indexes = self._saved, {}
        else:
            for row in self.inserted:
                if self.rows.get(self.key(row)) is row:
                    self._take_out(row)
            for row in self.deleted:
                self.rows[self.key(row)] = row
            self.indexes = {}
        self.transient = self._saved_transient
        for row in self.transient:
            self.rows[self.key(row)] = row
        self.finish()

    def _take_out(self, row: PlainRow) -> None:
        del self.rows[self.key(row)]
        for columns, index in self.indexes.items():
            at = itemgetter(*columns)(row)
            bucket = index[at]
            del bucket[row]
            if not bucket:
                del index[at]

    def __repr__(self) -> str:
        return f"<{self.kind.value} {self.name}: {len(self.rows)} rows, +{len(self.inserted)} -{len(self.deleted)}>"


def _extend(index: Index, columns: tuple[int, ...], rows: Iterable[PlainRow]) -> None:
    pick = itemgetter(*columns)
    for row in rows:
        at = pick(row)
        bucket = index.get(at)
        if bucket is None:
            index[at] = {row: None}
        else:
            bucket[row] = None
