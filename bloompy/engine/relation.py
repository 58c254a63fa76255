"""Rows of one collection with the indexes over them, and what changed in them in the tick under way.

A row's life: it is inserted (into `rows`, and `inserted`), it may be deleted (out of `rows`, into `deleted`), and when the tick
ends both lists are forgotten. If the tick is rolled back they are undone instead. `before()` shows the rows as they were when
the tick began.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from operator import itemgetter
from typing import Any, TypeAlias

from bloompy.engine.tick import PlainRow
from bloompy.errors import UnorderableValues
from bloompy.schema import Key, Schema

Bucket: TypeAlias = "tuple[PlainRow] | dict[PlainRow, None]"
"""The rows of one value: bare in a tuple while there is one, since most indexes have a row a value."""

Index: TypeAlias = dict[Any, Bucket]
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
        inserted, deleted: the change of standing rows in this tick, net when the relation's component is done;
            transient rows count as inserted.
        transient: of an OVERLAY, the rows that something of this tick derived.
        base: of an OVERLAY, the relation of its standing rows.
        again: of a view without recursion, by row how many derivations it has besides the first (rows with none are not in it).
        ranks: of a recursive view, by row when it was derived: every row has a derivation from rows of lower ranks.
        growing: where rows of one key merge (lattices), the schema; a row that grew counts as deleted and another as inserted.
    """

    __slots__ = (
        "_before", "_ranks_lost", "_saved_again", "_saved_rows", "_saved_transient",
        "again", "base", "deleted", "growing", "indexes", "inserted", "key", "kind", "name", "ranks", "rows", "transient",
    )  # fmt: skip

    def __init__(self, name: str, kind: Kind, key: Callable[[PlainRow], Key]) -> None:
        self.name, self.kind, self.key = name, kind, key
        self.rows: dict[Key, PlainRow] = {}
        self.indexes: dict[tuple[int, ...], Index] = {}
        self.inserted: list[PlainRow] = []
        self.deleted: list[PlainRow] = []
        self.transient: dict[PlainRow, None] = {}
        self.base: Relation | None = None
        self.again: dict[PlainRow, int] = {}
        self.ranks: dict[PlainRow, float] | None = None
        self.growing: Schema | None = None
        self._before: Before | None = None
        self._saved_rows: tuple[dict[Key, PlainRow], dict[PlainRow, int], dict[PlainRow, float] | None] | None = None
        self._saved_again: dict[PlainRow, int] = {}
        self._saved_transient: dict[PlainRow, None] = {}
        self._ranks_lost: dict[PlainRow, float] = {}

    def reset(self) -> None:
        """Be empty, as at the start. What was told of rows before stays as it is."""
        self.rows, self.indexes = {}, {}
        self.inserted, self.deleted = [], []
        self.transient, self.again = {}, {}
        if self.ranks is not None:
            self.ranks = {}
        self._before, self._saved_rows = None, None
        self._saved_again, self._saved_transient, self._ranks_lost = {}, {}, {}

    @property
    def size(self) -> int:
        """Number of rows."""
        return len(self.rows)

    @property
    def changed(self) -> bool:
        """Whether something was inserted or deleted in this tick."""
        return bool(self.inserted or self.deleted)

    def index(self, columns: tuple[int, ...]) -> Index:
        """Rows by some columns, made when it is first asked for. O(rows) once, then O(1)."""
        index = self.indexes.get(columns)
        if index is None:
            index = self.indexes[columns] = {}
            _extend(index, columns, self.rows.values())
        return index

    def before(self) -> Before | Relation:
        """The rows as they were when the tick began."""
        if not (self.inserted or self.deleted):
            return self
        if self._before is None:
            self._before = Before(self)
        return self._before

    # -- changes

    def added(self, rows: list[PlainRow]) -> None:
        """Rows that were just put into `rows`: bring the indexes up to date and note the change. O(added · indexes)."""
        if self.indexes:
            self._index(rows)
        self.inserted += rows

    def insert(self, row: PlainRow) -> None:
        """Put in one row whose key is free."""
        self.rows[self.key(row)] = row
        self.added([row])

    def delete(self, row: PlainRow) -> None:
        """Take out one row that is there."""
        self._take_out(row)
        self.deleted.append(row)
        if self.ranks is not None:
            self._ranks_lost.setdefault(row, self.ranks.pop(row))

    def merge(self, rows: Iterable[PlainRow], touch: Callable[[Relation], None]) -> list[PlainRow]:
        """Merge rows into those of their keys, where `growing`; rows of one key at once, since each merge copies the value.

        Args:
            rows: as derived.
            touch: called before something changes.

        Returns:
            the rows that are new or have grown, as they are now.

        Raises:
            RowError, UnorderableValues: for values that are none of their lattices, or cannot be compared.
        """
        assert self.growing is not None
        schema, held_rows, groups = self.growing, self.rows, dict[Key, list[PlainRow]]()
        name = self.name.rstrip("!")
        for row in rows:
            row = schema.lifted(name, row)
            groups.setdefault(self.key(row), []).append(row)
        grown: list[PlainRow] = []
        try:
            for key, group in groups.items():
                held = held_rows.get(key)
                merged = schema.merged_all(name, group if held is None else [held, *group])
                if merged != held:
                    touch(self)
                    if held is not None:
                        self.delete(held)
                    held_rows[key] = merged
                    grown.append(merged)
        finally:  # of a tick that fails, what was changed is rolled back
            if grown:
                self.added(grown)
        return grown

    def current(self, rows: list[PlainRow]) -> list[PlainRow]:
        """Those of some rows that have not grown since."""
        return [row for row in rows if self.rows.get(self.key(row)) is row]

    @property
    def shrunk(self) -> bool:
        """Whether something was lost in this tick: a row that has grown was not."""
        if self.growing is None or not self.deleted:
            return bool(self.deleted)
        now = [(row, self.rows.get(self.key(row))) for row in self.deleted]
        return not all(grown is not None and self._has_grown(row, grown) for row, grown in now)

    def part(self, before: bool, elements: bool) -> list[PlainRow]:
        """Of the rows deleted (or, not `before`, inserted) in this tick, those that do not just say that a row has grown.

        Args:
            before: the rows deleted.
            elements: in the place of a row that has grown, give it with what is new of its values.
        """
        assert self.growing is not None
        schema, key_of = self.growing, self.key
        held = {key_of(row): row for row in self.deleted}
        grown = {key: old for row in self.inserted if (old := held.get(key := key_of(row))) is not None and self._has_grown(old, row)}
        if before:
            return [row for row in self.deleted if key_of(row) not in grown]
        found = []
        for row in self.inserted:
            last = grown.get(key_of(row))
            if last is None:
                found.append(row)
            elif elements:
                found.append(schema.new_of(row, last))
        return found

    def _has_grown(self, old: PlainRow, new: PlainRow) -> bool:
        assert self.growing is not None
        try:
            return self.growing.merged(self.name, new, old) == new
        except UnorderableValues:  # an upsert of a value of another type
            return False

    def doom(self, row: PlainRow) -> None:
        """Give a row that is to be deleted the highest rank."""
        assert self.ranks is not None
        self._ranks_lost.setdefault(row, self.ranks[row])
        self.ranks[row] = math.inf

    def count(self, row: PlainRow, more: int) -> None:
        """Note that a row has so many derivations more (or, negative, fewer) besides its first."""
        have = self.again.get(row, 0)
        self._saved_again.setdefault(row, have)
        if have + more:
            self.again[row] = have + more
        else:
            self.again.pop(row, None)

    def net(self) -> None:
        """Strike out what was deleted and inserted again in this tick, but for what stood and now is transient."""
        if self.growing is not None:
            if self.deleted:
                self._net_by_key()
        elif self.inserted and self.deleted:
            if len(self.inserted) == len(self.deleted) == 1 and self.inserted[0] != self.deleted[0]:
                return
            back = {row for row in set(self.inserted).intersection(self.deleted) if not self._passes(row)}
            if back:
                self.inserted = [row for row in self.inserted if row not in back]
                self.deleted = [row for row in self.deleted if row not in back]

    def _net_by_key(self) -> None:
        """Of rows that grew several times, and went and came between, what was first and what is now."""
        events: dict[Key, tuple[list[PlainRow], list[PlainRow]]] = {}
        for number, rows in enumerate((self.deleted, self.inserted)):
            for row in rows:
                events.setdefault(self.key(row), ([], []))[number].append(row)
        self.deleted, self.inserted = [], []
        for key, (gone, came) in events.items():
            now = self.rows.get(key)
            was_there = len(gone) - len(came) == (0 if now is not None else 1)
            old = gone[0] if was_there else None
            if old != now:
                if old is not None:
                    self.deleted.append(old)
                if now is not None:
                    self.inserted.append(now)

    # -- ticks

    def begin(self) -> None:
        """Drop the transient rows of the tick before."""
        self._saved_transient, self.transient = self.transient, {}
        if len(self._saved_transient) == len(self.rows) and not (self.base is not None and self.base.rows):
            self.rows, self.indexes = {}, {}  # nothing stands
            return
        for row in self._saved_transient:
            key = self.key(row)
            if self.base is None or self.base.rows.get(key) != row:  # else it has come to stand
                self._take_out(row)

    def close(self, told: list[Difference], passing: list[Relation]) -> None:
        """Tell what the tick changed, and whether there are transient rows, to be dropped when the next one begins."""
        if self.kind is Kind.OVERLAY:
            told.append(self._difference())
        else:
            if self.deleted:
                self.net()
            told.append((self, self.inserted, self.deleted, _NONE, _NONE))
        if self.transient:
            passing.append(self)

    def _difference(self) -> Difference:
        """Of standing rows, and transient ones above them."""
        if not self.deleted and not self._saved_transient:
            return self, self.inserted, [], _NONE, _NONE
        gone = dict.fromkeys([*self.deleted, *self._saved_transient])
        ceased = [row for row in gone if self.rows.get(self.key(row)) != row]
        before = set(self.deleted)
        began = [row for row in self.inserted if row not in before or self._passes(row)]
        return self, began, ceased, _NONE, _NONE

    def _passes(self, row: PlainRow) -> bool:
        """Whether only something of this tick derives a row."""
        return row in self.transient and (self.base is None or self.base.rows.get(self.base.key(row)) != row)

    def clear(self) -> None:
        """Empty a view that is to be computed again; `settle` finds the change."""
        if self._saved_rows is None:
            self._undo()  # what has changed already in this tick
            self.inserted, self.deleted = [], []
            self._saved_rows = self.rows, self.again, self.ranks
        self.rows, self.indexes, self.again, self._saved_again, self._ranks_lost = {}, {}, {}, {}, {}
        self.ranks = None if self.ranks is None else {}

    @property
    def was_empty(self) -> bool:
        """Whether a view that was cleared had no rows when the tick began."""
        return self._saved_rows is not None and not self._saved_rows[0]

    def settle(self) -> None:
        """After a recomputation, note what it changed against the rows before `clear`."""
        assert self._saved_rows is not None
        old, new = self._saved_rows[0], self.rows
        if not old:
            self.inserted, self.deleted = list(new.values()), []
            return
        self.inserted = [row for key, row in new.items() if old.get(key) != row]
        self.deleted = [row for key, row in old.items() if new.get(key) != row]

    def finish(self) -> None:
        """Forget the changes: the tick is done."""
        self.inserted, self.deleted = [], []
        self._before = self._saved_rows = None
        if self._saved_again:
            self._saved_again = {}
        if self._ranks_lost:
            self._ranks_lost = {}
        if self._saved_transient:
            self._saved_transient = {}

    def roll_back(self) -> None:
        """Undo the changes: the tick has not happened."""
        if self._saved_rows is not None:
            self.rows, self.again, self.ranks = self._saved_rows
            self.indexes = {}
        else:
            self._undo()
        self.transient, self._saved_transient = self._saved_transient, {}
        for row in self.transient:
            key = self.key(row)
            if key not in self.rows:
                self.rows[key] = row
                self._index([row])
        self.finish()

    def _undo(self) -> None:
        self.net()
        for row in self.inserted:
            if self.rows.get(self.key(row)) is row:
                self._take_out(row)
            if self.ranks is not None:
                self.ranks.pop(row, None)
        for row in self.deleted:
            self.rows[self.key(row)] = row
        self._index(self.deleted)
        if self.ranks is not None:
            self.ranks.update(self._ranks_lost)
        for row, have in self._saved_again.items():
            if have:
                self.again[row] = have
            else:
                self.again.pop(row, None)

    def _index(self, rows: list[PlainRow]) -> None:
        for columns, index in self.indexes.items():
            _extend(index, columns, rows)

    def _take_out(self, row: PlainRow) -> None:
        del self.rows[self.key(row)]
        for columns, index in self.indexes.items():
            at = itemgetter(*columns)(row)
            bucket = index[at]
            if isinstance(bucket, tuple):
                del index[at]
            else:
                del bucket[row]
                if len(bucket) == 1:
                    index[at] = tuple(bucket)  # type: ignore[assignment]  # of one row

    def __repr__(self) -> str:
        return f"<{self.kind.value} {self.name}: {len(self.rows)} rows, +{len(self.inserted)} -{len(self.deleted)}>"


class Transient(Relation):
    """A relation of kind TRANSIENT: as nothing of it outlives the next tick, it costs little."""

    __slots__ = ("_emptied",)

    def __init__(self, name: str, key: Callable[[PlainRow], Key]) -> None:
        super().__init__(name, Kind.TRANSIENT, key)
        self._emptied: dict[Key, PlainRow] | None = None  # the rows of the tick before

    def reset(self) -> None:
        """Be empty, as at the start."""
        super().reset()
        self._emptied = None

    def begin(self) -> None:
        """Drop the rows of the tick before."""
        self._emptied, self.rows = self.rows, {}
        if self.indexes:
            self.indexes = {}

    def close(self, told: list[Difference], passing: list[Relation]) -> None:
        """Tell what the tick changed, and whether there are rows."""
        rows, began = self.rows, self.inserted
        if self.base is not None:  # made anew in every tick, also of what stands
            new = set(self.base.inserted)
            began = [row for row in began if row in new or self.base.rows.get(self.key(row)) != row]
        told.append((self, began, self.deleted, self._emptied or _NONE, rows or _NONE))  # if empty, it is filled by a later tick
        if rows:
            passing.append(self)

    def finish(self) -> None:
        """Forget the tick before."""
        self.inserted, self._emptied, self._before = [], None, None
        if self.deleted:  # by rows that had grown, in a tick that failed
            self.deleted = []

    def roll_back(self) -> None:
        """Undo the changes."""
        self.rows, self.indexes = self._emptied or {}, {}
        self.finish()


_NONE: dict[Key, PlainRow] = {}

Difference: TypeAlias = "tuple[Relation, list[PlainRow], list[PlainRow], Mapping[Key, PlainRow], Mapping[Key, PlainRow]]"
"""What a tick changed in a relation: rows that began to hold, rows that ceased to, and where rows were dropped
that may be there again, those before and those now, by key."""


def ceased(difference: Difference) -> list[PlainRow]:
    """The rows that held at the end of the tick before and do not now."""
    relation, _, deleted, before, now = difference
    return [row for row in before.values() if now.get(relation.key(row)) != row] if before else deleted


class Before:
    """The rows of a relation as they were when the tick began; made when its change of this tick is complete."""

    def __init__(self, relation: Relation) -> None:
        self._relation = relation
        self._inserted = set(relation.inserted)
        changed: dict[Key, PlainRow | None] = {relation.key(row): None for row in relation.inserted}
        changed.update((relation.key(row), row) for row in relation.deleted)
        self.rows = RowsBefore(relation.rows, changed)
        self._indexes: dict[tuple[int, ...], IndexBefore] = {}

    def index(self, columns: tuple[int, ...]) -> IndexBefore:
        """As `Relation.index`."""
        index = self._indexes.get(columns)
        if index is None:
            gone: Index = {}
            _extend(gone, columns, self._relation.deleted)
            index = self._indexes[columns] = IndexBefore(self._relation.index(columns), self._inserted, gone)
        return index


class RowsBefore:
    """By key; has what generated functions ask of a dict."""

    def __init__(self, rows: dict[Key, PlainRow], changed: dict[Key, PlainRow | None]) -> None:
        self._rows, self._changed = rows, changed

    def get(self, key: Key, default: Any = None) -> Any:
        """The row of a key."""
        if key in self._changed:
            row = self._changed[key]
            return default if row is None else row
        return self._rows.get(key, default)

    def __contains__(self, key: Key) -> bool:
        return self.get(key) is not None

    def values(self) -> Iterator[PlainRow]:
        """All rows."""
        changed = self._changed
        yield from (row for key, row in self._rows.items() if key not in changed)
        yield from (row for row in changed.values() if row is not None)


class IndexBefore:
    """By the value of some columns; has what generated functions ask of an index."""

    def __init__(self, index: Index, inserted: set[PlainRow], gone: Index) -> None:
        self._index, self._inserted, self._gone = index, inserted, gone

    def get(self, at: Any, default: Any = ()) -> list[PlainRow]:
        """The rows of a value."""
        inserted = self._inserted
        rows = [row for row in self._index.get(at, ()) if row not in inserted]
        return rows + list(self._gone.get(at, ()))


def _extend(index: Index, columns: tuple[int, ...], rows: Iterable[PlainRow]) -> None:
    pick = itemgetter(*columns)
    for row in rows:
        at = pick(row)
        bucket = index.get(at)
        if bucket is None:
            index[at] = (row,)
        elif isinstance(bucket, tuple):
            index[at] = {bucket[0]: None, row: None}
        else:
            bucket[row] = None
