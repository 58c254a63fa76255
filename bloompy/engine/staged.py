"""What is staged for one table: inserts, which are most of it, as plain rows; what is more than one insert of a key as a `Change`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from bloompy.engine.tick import Change, PlainRow
from bloompy.schema import Key


class Staged(Mapping[Key, Change]):
    """The changes of one table by key.

    Attributes:
        inserts: rows by key of which one insert is staged and nothing else.
        changes: all other keys.
    """

    __slots__ = ("changes", "inserts")

    def __init__(self) -> None:
        self.inserts: dict[Key, PlainRow] = {}
        self.changes: dict[Key, Change] = {}

    def stage(self, key: Key, operation: str, row: PlainRow | None) -> None:
        """Add one operation, after those already staged."""
        change = self.changes.get(key)
        if change is None and key in self.inserts:
            change = self.changes[key] = Change([("insert", self.inserts.pop(key))])
        if change is not None:
            change.operations.append((operation, row))
        elif operation == "insert" and row is not None:
            self.inserts[key] = row
        else:
            self.changes[key] = Change([(operation, row)])

    def insert_all(self, rows: dict[Key, PlainRow]) -> None:
        """Add inserts of distinct keys."""
        if self.inserts.keys().isdisjoint(rows.keys()) and self.changes.keys().isdisjoint(rows.keys()):
            self.inserts.update(rows)
        else:
            for key, row in rows.items():
                self.stage(key, "insert", row)

    def get(self, key: Key, default: Any = None) -> Any:
        """The change of a key."""
        change = self.changes.get(key)
        if change is None and key in self.inserts:
            change = Change([("insert", self.inserts[key])])
        return default if change is None else change

    def __getitem__(self, key: Key) -> Change:
        change: Change | None = self.get(key)
        if change is None:
            raise KeyError(key)
        return change

    def __iter__(self) -> Iterator[Key]:
        return chain(self.inserts, self.changes)

    def __len__(self) -> int:
        return len(self.inserts) + len(self.changes)

    def __repr__(self) -> str:
        return repr(dict(self.items()))
