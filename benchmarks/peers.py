"""Databases as contestants, on one thread, in memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
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


def duckdb_tuples(tables: Mapping[str, tuple[str, Sequence[tuple[int, ...]]]], query: str, *, columns: bool = False) -> Contestant:
    """DuckDB from tuples to tuples: load, query and fetch are all timed.

    Of the ways to load tuples of integers (DuckDB 2.0, 400,000 pairs) a numpy array registered as a table is the quickest, 0.06 s;
    lists given to `unnest` take 0.6 s, and `executemany` 140 µs a row.

    Args:
        tables: name -> column names separated by spaces, and rows.
        query: its result is what counts.
        columns: fetch numpy columns and zip them, instead of `fetchall`: the quickest for results of integers alone.
    """
    import duckdb as library
    import numpy as np

    def contestant() -> tuple[float, list[tuple[Any, ...]]]:
        database = library.connect(":memory:")
        database.execute("SET threads = 1")
        found: list[list[tuple[Any, ...]]] = []

        def work() -> None:
            for name, (names, rows) in tables.items():
                array = np.array(rows, dtype=np.int32)
                database.register("source", {column: np.ascontiguousarray(array[:, i]) for i, column in enumerate(names.split())})
                database.execute(f"CREATE TABLE {name} AS SELECT * FROM source")
                database.unregister("source")
            result = database.execute(query)
            if columns:
                found.append(list(zip(*(column.tolist() for column in result.fetchnumpy().values()), strict=True)))
            else:
                found.append(result.fetchall())

        took = timed(work)
        database.close()
        return took, found[0]

    return contestant
