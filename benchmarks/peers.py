"""Databases as contestants: one statement each over rows already loaded, on one thread, in memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.measure import Contestant, timed


def sqlite(create: str, insert: str, rows: Sequence[tuple[Any, ...]], statement: str, count: str) -> Contestant:
    """sqlite3: load, then time one statement and count its rows."""

    def contestant() -> tuple[float, int]:
        database = sqlite3.connect(":memory:")
        database.executescript(create)
        database.executemany(insert, rows)
        took = timed(lambda: database.execute(statement))
        (found,) = database.execute(count).fetchone()
        database.close()
        return took, found

    return contestant


def duckdb(create: str, source: str, columns: Iterable[Sequence[Any]], statement: str, count: str) -> Contestant | None:
    """DuckDB likewise, or None where it is not installed. `columns` are lists of integers, loaded by unnest."""
    try:
        import duckdb as library
    except ImportError:
        return None
    loaded = [list(column) for column in columns]

    def contestant() -> tuple[float, int]:
        database = library.connect(":memory:")
        database.execute("SET threads = 1")
        for each in filter(None, create.split(";")):
            database.execute(each)
        database.execute(f"INSERT INTO {source} SELECT {', '.join('unnest(?)' for _ in loaded)}", loaded)
        took = timed(lambda: database.execute(statement))
        (found,) = database.execute(count).fetchone()
        database.close()
        return took, found

    return contestant
