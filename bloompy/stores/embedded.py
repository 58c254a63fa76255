"""Durable tables in one file: sqlite3 from the standard library, in WAL mode, synchronised at every commit.

One transaction for all ticks since the last one, in the node's own thread. Nothing of a tick may leave before it is safe, so the
node has nothing else to do meanwhile; what arrives waits in the sockets and shares the next transaction. A thread that synchronises
while the node goes on was measured with `benchmarks/group_commit.py`: with the same ticks to a transaction it changes nothing (0.9 to
1.05 times the requests), and begun at once, so that what comes meanwhile waits for a second one, it makes anything from 1.5 times to
0.4 times of them, according to how requests fall into step. Readers would then see ticks that may still be lost.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeAlias
from urllib.parse import quote
from zlib import crc32

from bloompy.engine.tick import Durable, PlainRow
from bloompy.errors import StoreError
from bloompy.schema import Schema
from bloompy.stores.keys import key_bytes
from bloompy.stores.log import Log
from bloompy.transports.rows import RowCodec

_APPLICATION = 0x626C6F6F  # "bloo", in the header of the file
_FORMAT = 1
_CREATE = """
BEGIN IMMEDIATE;
CREATE TABLE collections (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, schema TEXT NOT NULL);
CREATE TABLE rows (
    collection INTEGER NOT NULL, key BLOB NOT NULL, row BLOB NOT NULL, checksum INTEGER NOT NULL,
    PRIMARY KEY (collection, key)
) WITHOUT ROWID;
PRAGMA application_id = {application};
PRAGMA user_version = {format};
COMMIT;
"""

_LOG_BYTES = 4_400_000
"""sqlite3 begins its log anew after 1,000 pages of 4 kB; so much of it stays in use."""

_Encoded: TypeAlias = dict[tuple[int, bytes], tuple[bytes, int] | None]
"""By number of the collection and key: the row with its checksum, or None where it is gone."""


class EmbeddedStore:
    """A `Store` in a file.

    Args:
        path: of the file; sqlite3 keeps a second one, `path-wal`, beside it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._connection: sqlite3.Connection | None = None
        self._failed = False
        self._written: _Encoded = {}
        self._files: dict[str, tuple[int, int]] = {}
        self._codecs: dict[str, RowCodec] = {}
        self._ids: dict[str, int] = {}

    def open(self, tables: Mapping[str, Schema]) -> None:
        """Open or make the file, lock it, and compare the schemas of its tables with these."""
        codecs = {name: RowCodec(name, schema) for name, schema in tables.items()}
        try:
            with self._errors("opened"):
                log_has_rest = self._check_log()
                self._connection = sqlite3.connect(self.path, timeout=0, isolation_level=None)
                self._lock()
                if log_has_rest:
                    # What a torn transaction left would lie behind new commits and look like a later one.
                    self._execute("PRAGMA wal_checkpoint(TRUNCATE)")
                self._prepare()
                self._ids = {name: self._register(name, schema) for name, schema in tables.items()}
                self._files = {name: _identity(name) for name in self._names()}
                self._lengthen_log()
        except StoreError:
            self.close()
            raise
        self._codecs, self._failed = codecs, False

    def load(self) -> dict[str, list[PlainRow]]:
        """All rows by table, each checked against its checksum and schema."""
        found: dict[str, list[PlainRow]] = {name: [] for name in self._ids}
        names = {number: name for name, number in self._ids.items()}
        with self._errors("read"):
            for number, key, data, checksum in self._execute("SELECT collection, key, row, checksum FROM rows ORDER BY collection, key"):
                if number not in names:
                    continue  # of a table that the program no longer has: kept, in case it comes back
                name = names[number]
                if crc32(data, crc32(key)) != checksum:
                    raise StoreError(f"{self.path} is damaged: a row of {name!r} does not have its checksum", hint=_RESTORE)
                found[name].append(self._row(name, data))
        return found

    def write(self, change: Durable) -> None:
        """Encode a change, which takes the place of what earlier ones say about its keys."""
        self._written |= self._encoded(change)

    def sync(self) -> None:
        """Write one transaction and synchronise it."""
        written, self._written = self._written, {}
        gone = [at for at, row in written.items() if row is None]
        rows = [(*at, *row) for at, row in written.items() if row is not None]
        with self._errors("written"):
            self._execute("BEGIN")
            self._connected().executemany("DELETE FROM rows WHERE collection = ? AND key = ?", gone)
            self._connected().executemany("INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?)", rows)
            self._execute("COMMIT")
            self._check_files()

    def close(self) -> None:
        """Close the file and let others have it."""
        connection, self._connection, self._written = self._connection, None, {}
        if connection is not None:
            try:
                connection.close()
            except sqlite3.Error as error:
                raise StoreError(f"{self.path} cannot be closed: {error}") from error

    # -- opening

    def _check_log(self) -> bool:
        """Whether the log has frames behind those that sqlite3 will take; raises if any of them were synchronised.

        That is done before sqlite3 opens the files, which even when closed at once would write the log's pages into the main file and
        remove it, so nothing could be mended.
        """
        name = os.path.realpath(self.path)
        log_name = f"{name}-wal"
        if not _size_bytes(log_name):
            return False
        if _size_bytes(name):  # with an empty one, sqlite3 would throw the log away
            _check_not_in_use(name)
        with open(log_name, "rb") as file:
            data = file.read()
        log = Log(data)
        if not log.has_header or not _size_bytes(name):  # sqlite3 would throw it away, which is right only if all is in the main file
            log = Log(data, _page_bytes(name))
            if not _has_pages(name, log.pages()):
                raise StoreError(f"{log_name} does not belong to {name} or is damaged: what was synchronised last is lost", hint=_RESTORE)
        elif log.is_damaged:
            lost = f"{log.lost} or more synchronised transactions behind it are lost"
            raise StoreError(f"{log_name} is damaged at byte {log.damaged_at}: {lost}", hint=_RESTORE)
        return log.has_rest

    def _lock(self) -> None:
        connection = self._connected()
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        # In this mode the lock taken here is held until the file is closed or the process ends, however it ends.
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("COMMIT")

    def _prepare(self) -> None:
        application, version = self._number("application_id"), self._number("user_version")
        if application == 0 and self._one("SELECT count(*) FROM sqlite_master") == 0:
            self._connected().executescript(_CREATE.format(application=_APPLICATION, format=_FORMAT))
        elif application != _APPLICATION:
            raise StoreError(f"{self.path} is a database of another program", hint="give a path of its own for the node's store")
        elif version != _FORMAT:
            raise StoreError(f"{self.path} has format {version}, this version of bloompy reads {_FORMAT}")

    def _register(self, name: str, schema: Schema) -> int:
        known = self._execute("SELECT id, schema FROM collections WHERE name = ?", (name,)).fetchone()
        if known is None:
            return int(self._execute("INSERT INTO collections (name, schema) VALUES (?, ?)", (name, str(schema))).lastrowid or 0)
        number, stored = known
        if stored != str(schema):
            raise StoreError(
                f"{self.path}: table {name!r} was stored as {stored!r}, the program declares {str(schema)!r}",
                hint="declare it as it was, give the new form a new name, or start with a new store",
            )
        return int(number)

    def _names(self) -> list[str]:
        """The absolute paths of the file and its log; none where sqlite3 has no file (":memory:")."""
        name = self._execute("PRAGMA database_list").fetchone()[2]
        return [name, f"{name}-wal"] if name else []

    def _lengthen_log(self) -> None:
        """Give the log its full size, with zeros, which sqlite3 takes for no frames.

        To synchronise a file that has grown, the file system commits the new size as well, which takes up to ten times as long.
        """
        for name in list(self._files)[1:]:
            with open(name, "r+b", buffering=0) as log:
                size = os.fstat(log.fileno()).st_size
                if size < _LOG_BYTES:
                    os.pwrite(log.fileno(), bytes(_LOG_BYTES - size), size)
                    os.fsync(log.fileno())

    def _check_files(self) -> None:
        """sqlite3 would go on writing to files that were removed or replaced, and all of that would be lost."""
        for name, identity in self._files.items():
            if _identity(name) != identity:
                raise StoreError(f"{name} was replaced while it was in use; what was written last is lost", hint=_RESTORE)

    # -- rows

    def _encoded(self, change: Durable) -> _Encoded:
        found: _Encoded = {}
        for name, keys in change.deleted.items():
            codec, number = self._codecs[name], self._ids[name]
            for key in keys:
                found[number, key_bytes(name, codec.schema, key)] = None
        for name, rows in change.upserted.items():
            codec, number = self._codecs[name], self._ids[name]
            for row in rows:
                at, data = key_bytes(name, codec.schema, codec.schema.key_of(row)), codec.encode((row,))
                found[number, at] = data, crc32(data, crc32(at))
        return found

    def _row(self, name: str, data: bytes) -> PlainRow:
        faults: list[Exception] = []
        rows = self._codecs[name].decode(data, faults.append)
        if len(rows) != 1:
            fault = faults[0] if faults else "no row"
            schema = self._codecs[name].schema
            raise StoreError(f"{self.path}: a row of {name!r} does not fit the program: {fault}", hint=f"its columns are {schema}")
        return rows[0]

    # -- sqlite3

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        if self._failed:
            raise StoreError(f"{self.path} failed before; what was written last is unknown", hint="start the node again")
        try:
            yield
        except StoreError:
            self._failed = what == "written"
            raise
        except (sqlite3.Error, OSError) as error:
            self._failed = what != "opened"
            if "locked" in str(error):
                raise StoreError(f"{self.path} is in use by another node", hint="stop it, or give this node its own store") from error
            raise StoreError(f"{self.path} cannot be {what}: {error}", hint=_RESTORE if "malformed" in str(error) else None) from error

    def _execute(self, statement: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
        return self._connected().execute(statement, values)

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StoreError(f"{self.path} is not open")
        return self._connection

    def _number(self, pragma: str) -> int:
        return int(self._one(f"PRAGMA {pragma}"))

    def _one(self, statement: str) -> int:
        return int(self._execute(statement).fetchone()[0])


def _identity(name: str) -> tuple[int, int]:
    status = os.stat(name)
    return status.st_dev, status.st_ino


def _size_bytes(name: str) -> int:
    """0 also for a file that does not exist."""
    return os.stat(name).st_size if os.path.exists(name) else 0


def _check_not_in_use(name: str) -> None:
    """Raise the error of sqlite3 if another connection has the file, and leave it as it is otherwise."""
    connection = None
    try:
        connection = sqlite3.connect(f"file:{quote(name)}?mode=ro", timeout=0, uri=True)
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA schema_version")
    except sqlite3.Error as error:
        if "locked" in str(error):
            raise  # all others are for the connection that may write; this one lacks a lock for that
    finally:
        if connection is not None:
            connection.close()


def _page_bytes(name: str) -> int:
    """As the header of a main file has it, 1 standing for 65536."""
    if not _size_bytes(name):
        return 0
    with open(name, "rb") as file:
        stored = int.from_bytes(file.read(18)[16:], "big")
    return 65536 if stored == 1 else stored


def _has_pages(name: str, pages: Mapping[int, bytes]) -> bool:
    """Whether the main file has these pages, by their numbers from 1 on."""
    if not pages or not _size_bytes(name):
        return not pages
    with open(name, "rb") as file:
        return all(os.pread(file.fileno(), len(page), (number - 1) * len(page)) == page for number, page in pages.items())


_RESTORE = "restore the file from a copy, or start with a new store"
