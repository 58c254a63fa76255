"""A store in memory: outlives its node, not its process. For tests and simulations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bloompy.engine.tick import Durable, PlainRow
from bloompy.errors import StoreError
from bloompy.schema import Schema


class MemoryStore:
    """A `Store` that keeps rows as they are. Give the same one to the next node to restart with its tables."""

    def __init__(self) -> None:
        self._schemas: dict[str, Schema] = {}
        self._rows: dict[str, dict[Any, PlainRow]] = {}
        self._written: list[Durable] = []
        self._open = False

    def open(self, tables: Mapping[str, Schema]) -> None:
        """Take the store, if its tables have the same schemas."""
        if self._open:
            raise StoreError("this store is in use by another node", hint="stop that node first")
        for name, schema in tables.items():
            if name in self._schemas and str(self._schemas[name]) != str(schema):
                raise StoreError(f"table {name!r} was stored as {str(self._schemas[name])!r}, the program declares {str(schema)!r}")
        self._schemas.update(tables)
        self._open = True

    def load(self) -> dict[str, list[PlainRow]]:
        """All rows by table."""
        return {name: list(self._rows.get(name, {}).values()) for name in self._schemas}

    def write(self, change: Durable) -> None:
        """Take in a change."""
        self._written.append(change)

    def sync(self) -> None:
        """Apply the changes taken in."""
        written, self._written = self._written, []
        for change in written:
            for name, keys in change.deleted.items():
                for key in keys:
                    self._rows.get(name, {}).pop(key, None)
            for name, rows in change.upserted.items():
                held = self._rows.setdefault(name, {})
                held.update((self._schemas[name].key_of(row), row) for row in rows)

    def close(self) -> None:
        """Let the next node have it, without what was not synchronised."""
        self._open, self._written = False, []
