"""A view that was filled by columns (`engine.columnar`) and that nobody has asked for a row yet.

Its rows are made when somebody does: by key, by index, or one by one. Until then it costs what its columns cost, and all of its
rows can be read straight from them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, ValuesView
from itertools import chain, count, islice
from typing import TYPE_CHECKING, Any, cast, overload

from bloompy.engine.relation import Difference, Kind, Relation
from bloompy.engine.tick import PlainRow
from bloompy.schema import Key

if TYPE_CHECKING:
    from bloompy.engine.columnar.columns import Columns

_ROWS, _INSERTED, _RANKS = (vars(Relation)[name] for name in ("rows", "inserted", "ranks"))


class Loaded(Relation):
    """See the module. The places of rows, inserted rows and ranks hold the columns, whether the rows are new in this tick, and
    the rank of the first rows, until the rows are made; then the relation is a `Relation` like any other.
    """

    __slots__ = ()

    @property
    def columns(self) -> Columns:
        """All rows, as columns."""
        return cast("Columns", _ROWS.__get__(self))

    @property
    def size(self) -> int:
        """Number of rows."""
        return len(self.columns)

    @property
    def changed(self) -> bool:
        """Whether something was inserted or deleted in this tick."""
        return bool(_INSERTED.__get__(self)) and self.size > 0

    if not TYPE_CHECKING:

        @property
        def rows(self) -> dict[Key, PlainRow]:
            """All rows by key."""
            return self.made().rows

        @property
        def ranks(self) -> dict[PlainRow, float] | None:
            """As of `Relation`."""
            return None if _RANKS.__get__(self) is None else self.made().ranks

        @property
        def inserted(self) -> Sequence[PlainRow]:
            """All rows, in the tick in which they were found."""
            return _Inserted(self, self.columns) if self.changed else []

    def made(self) -> Relation:
        """The relation with its rows made; from then on one like any other. O(rows)."""
        columns, new, first = self.columns, _INSERTED.__get__(self), _RANKS.__get__(self)
        rows = columns.rows()
        relation = _as_relation(self)
        keys = rows if rows and self.key(rows[0]) is rows[0] else map(self.key, rows)
        relation.rows = dict(zip(keys, rows, strict=True))
        relation.inserted = rows if new else []
        if first is not None:
            # Within a round, too, every row has a rank of its own: the more rows are of lower rank, the more support a row.
            rounds = (islice(count(first + number, 1 / (found + 1)), found) for number, found in enumerate(columns.rounds))
            relation.ranks = dict(zip(rows, chain.from_iterable(rounds), strict=True))
        return relation

    def reading(self) -> Reading:
        """What readers outside get in place of `rows`."""
        return Reading(self)

    # -- what would change rows, or undo a change, makes them first

    def added(self, rows: list[PlainRow]) -> None:
        """As of `Relation`."""
        self.made().added(rows)

    def clear(self) -> None:
        """As of `Relation`."""
        self.made().clear()

    # -- ticks

    def net(self) -> None:
        """Nothing was deleted."""

    def difference(self) -> Difference:
        """What the tick changed."""
        return self, self.inserted, [], {}, {}

    def finish(self) -> None:
        """Forget the changes: the tick is done."""
        _INSERTED.__set__(self, False)
        self._before = self._saved_rows = None

    def roll_back(self) -> None:
        """Undo the load: the tick has not happened. What was there before is in `_saved_rows`."""
        relation = _as_relation(self)
        relation.rows, relation.inserted, relation.ranks = {}, [], None
        relation.roll_back()

    def __repr__(self) -> str:
        return f"<{self.kind.value} {self.name}: {self.size} rows as columns>"


def load(relation: Relation, columns: Columns, first: float | None) -> None:
    """Put columns in the place of a view's rows, none of which held before this tick.

    Args:
        relation: a standing view that was cleared in this tick.
        columns: all its rows.
        first: the rank of the rows of the first round, where the view has ranks.
    """
    assert relation.kind is Kind.STANDING
    relation.deleted = []
    relation.indexes = {}
    relation.again = {}
    _ROWS.__set__(relation, columns)
    _INSERTED.__set__(relation, True)
    _RANKS.__set__(relation, first)
    relation.__class__ = Loaded


def _as_relation(loaded: Relation) -> Relation:
    loaded.__class__ = Relation
    return loaded


class _Inserted(Sequence[PlainRow]):
    """The inserted rows of a loaded relation, made when one is asked for; as many as there are."""

    def __init__(self, relation: Loaded, columns: Columns) -> None:
        self._relation, self._columns = relation, columns

    def __len__(self) -> int:
        return len(self._columns)

    def __iter__(self) -> Iterator[PlainRow]:
        return iter(self._rows())

    @overload
    def __getitem__(self, at: int) -> PlainRow: ...
    @overload
    def __getitem__(self, at: slice) -> list[PlainRow]: ...
    def __getitem__(self, at: Any) -> Any:
        return self._rows()[at]

    def __eq__(self, other: object) -> bool:
        return self._rows() == other

    def _rows(self) -> list[PlainRow]:
        if type(self._relation) is Loaded and self._relation.changed:
            self._relation.made()
        if len(self._relation.inserted) == len(self):
            return self._relation.inserted
        return self._columns.rows()


class Reading(Mapping[Key, PlainRow]):
    """The rows of a loaded relation by key, for readers outside; all of them together are had without the keys."""

    def __init__(self, relation: Loaded) -> None:
        self._relation, self._columns = relation, relation.columns

    def __len__(self) -> int:
        return len(self._columns)

    def __getitem__(self, key: Key) -> PlainRow:
        return self._relation.rows[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._relation.rows)

    def rows_of(self, row: type[PlainRow]) -> list[Any]:
        """All rows as instances of a class of tuples."""
        return self._columns.rows_of(row)

    def values(self) -> ValuesView[PlainRow]:
        """All rows."""
        return cast("ValuesView[PlainRow]", self._columns.rows())
