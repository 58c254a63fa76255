"""The disk of a simulated node: what is on it survives the node, and may be damaged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary
from zlib import crc32

import msgspec

from bloompy.engine.tick import Durable, PlainRow
from bloompy.errors import StoreError
from bloompy.program import Bloom
from bloompy.schema import Schema
from bloompy.stores.keys import key_bytes
from bloompy.transports.rows import RowCodec

_Entry: TypeAlias = "tuple[str, bytes, bytes | None]"
"""Table, key, and the row, or None where it is gone."""

_CODECS: WeakKeyDictionary[type[Bloom], dict[str, RowCodec]] = WeakKeyDictionary()
_ENTRIES = msgspec.msgpack.Decoder(list[tuple[str, bytes, bytes | None]])
_SUM_BYTES = 4


class Disk:
    """A log of transactions, each with its checksum. Outlives the incarnations of its node.

    Attributes:
        full: nothing more can be written.
    """

    def __init__(self) -> None:
        self.full = False
        self._records: list[bytes] = []
        self._schemas: dict[str, str] = {}
        self._fail_syncs: list[str] = []
        self._torn = False

    def __repr__(self) -> str:
        return f"<Disk of {len(self._records):,} transactions, {sum(map(len, self._records)):,} bytes{', full' if self.full else ''}>"

    # -- what may happen to it

    def fail_sync(self, why: str = "input/output error") -> None:
        """Have the next synchronisation fail; the node must stop, since nobody knows what was written."""
        self._fail_syncs.append(why)

    def wipe(self) -> None:
        """Lose everything."""
        self._records, self._torn = [], False
        self._schemas.clear()

    def tear(self, record: bytes) -> None:
        """Half of a transaction that was being written when the power failed."""
        self._records.append(record[: len(record) // 2])
        self._torn = True

    def rot(self, position: int = 0) -> bool:
        """Flip a bit somewhere in what was synchronised; returns whether there was any."""
        total = sum(map(len, self._records))
        if not total:
            return False
        position %= total
        for i, record in enumerate(self._records):
            if position < len(record):
                self._records[i] = record[:position] + bytes([record[position] ^ 0x10]) + record[position + 1 :]
                return True
            position -= len(record)
        raise AssertionError("the position lies in one of them")

    # -- what a store does with it

    def check(self, tables: Mapping[str, Schema]) -> None:
        """Compare the tables with those known. Raises StoreError for another schema."""
        for name, schema in tables.items():
            if self._schemas.setdefault(name, str(schema)) != str(schema):
                raise StoreError(f"table {name!r} was stored as {self._schemas[name]!r}, the program declares {str(schema)!r}")

    def append(self, record: bytes) -> None:
        """Write a transaction and synchronise it. Raises StoreError for an error that was asked for, and when it is full."""
        if self._fail_syncs:
            raise StoreError(f"the disk failed: {self._fail_syncs.pop(0)}")
        if self.full:
            raise StoreError("the disk is full")
        self._records.append(record)

    def entries(self) -> list[_Entry]:
        """All that was written, oldest first; a last transaction that is torn is cut off.

        Raises:
            StoreError: if another is damaged.
        """
        if self._torn:
            self._records.pop()
            self._torn = False
        found: list[_Entry] = []
        for number, record in enumerate(self._records, 1):
            body = record[_SUM_BYTES:]
            if crc32(body).to_bytes(_SUM_BYTES, "big") != record[:_SUM_BYTES]:
                raise StoreError(f"the disk is damaged: transaction {number} does not have its checksum", hint="restore a copy")
            found += _ENTRIES.decode(body)
        return found


class DiskStore:
    """The `Store` of one incarnation of a node.

    Args:
        disk: what it stands on.
        program: the class, whose codecs are shared by its nodes.
        crashing: asked before and after each synchronisation; raises to crash the node there. It gets the point and the record.
    """

    def __init__(self, disk: Disk, program: type[Bloom], crashing: Callable[[str, bytes], None]) -> None:
        self._disk, self._program, self._crashing = disk, program, crashing
        self._codecs: dict[str, RowCodec] = {}
        self._written: list[_Entry] = []

    def open(self, tables: Mapping[str, Schema]) -> None:
        """Compare the schemas of the tables with those on the disk."""
        self._disk.check(tables)
        codecs = _CODECS.get(self._program)
        if codecs is None:
            codecs = _CODECS[self._program] = {name: RowCodec(name, schema) for name, schema in tables.items()}
        self._codecs = codecs

    def load(self) -> dict[str, list[PlainRow]]:
        """All rows by table."""
        held: dict[str, dict[bytes, bytes]] = {name: {} for name in self._codecs}
        for name, key, row in self._disk.entries():
            if row is None:
                held.get(name, {}).pop(key, None)
            elif name in held:
                held[name][key] = row
        return {name: [self._row(name, row) for _, row in sorted(rows.items())] for name, rows in held.items()}

    def write(self, change: Durable) -> None:
        """Encode a change."""
        entries: list[_Entry] = []
        for name, keys in change.deleted.items():
            entries += [(name, key_bytes(name, self._codecs[name].schema, key), None) for key in keys]
        for name, rows in change.upserted.items():
            codec = self._codecs[name]
            entries += [(name, key_bytes(name, codec.schema, codec.schema.key_of(row)), codec.encode((row,))) for row in rows]
        self._written += entries

    def sync(self) -> None:
        """Append one transaction."""
        written, self._written = self._written, []
        body = msgspec.msgpack.encode(written)
        record = crc32(body).to_bytes(_SUM_BYTES, "big") + body
        self._crashing("before_sync", record)
        self._disk.append(record)
        self._crashing("after_sync", record)

    def close(self) -> None:
        """Forget what was not synchronised."""
        self._written = []

    def _row(self, name: str, data: bytes) -> PlainRow:
        faults: list[Exception] = []
        rows: list[Any] = self._codecs[name].decode(data, faults.append)
        if len(rows) != 1:
            raise StoreError(f"a row of {name!r} does not fit the program: {faults[0] if faults else 'no row'}")
        return tuple(rows[0])
