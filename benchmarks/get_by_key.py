"""Get by key from tables of 1,000, 10,000 and 100,000 rows, one get a tick: the cost may not depend on the size."""
# ruff: noqa: B015
# fmt: off

from __future__ import annotations

import sqlite3
import statistics
import time
from collections.abc import Callable

from benchmarks.inputs import Generator
from benchmarks.measure import Figure, WrongResult, command
from bloompy import Bloom, interface, rule, table


class Store(Bloom):
    """A key-value store that answers gets."""

    put = interface.input("key -> value")
    get = interface.input("request -> key")
    answer = interface.output("request -> value")
    store = table("key -> value")

    @rule
    def serve(self):
        self.store <+- self.put
        self.answer <= ((g.request, s.value) for g in self.get for s in self.store if s.key == g.key)


def bloompy(size: int) -> Callable[[int, int], int]:
    """A loaded store; the function gets one key."""
    program = Store()
    program.put.insert(*((key, 3 * key) for key in range(size)))
    program.tick()
    program.tick()

    def get(request: int, key: int) -> int:
        program.get.insert((request, key))
        program.tick()
        return program.answer[request].value

    return get


def sqlite(size: int) -> Callable[[int, int], int]:
    """The same in a database in memory."""
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE store(key INTEGER PRIMARY KEY, value INT)")
    database.executemany("INSERT INTO store VALUES (?, ?)", ((key, 3 * key) for key in range(size)))
    return lambda request, key: database.execute("SELECT value FROM store WHERE key = ?", (key,)).fetchone()[0]


def figures(small: bool = False) -> list[Figure]:
    sizes, gets = ([100, 1000], 100) if small else ([1000, 10_000, 100_000], 5000)
    found = []
    for name, make in (("bloompy", bloompy), ("sqlite3", sqlite)):
        stores = {size: make(size) for size in sizes}
        generator = Generator()
        seconds: dict[int, list[float]] = {size: [] for size in sizes}
        for request in range(gets):
            for size, get in stores.items():
                key = generator.draw(size)
                start = time.perf_counter()
                value = get(request, key)
                seconds[size].append(time.perf_counter() - start)
                if value != 3 * key:
                    raise WrongResult(f"{name}: {key} -> {value}")
        medians = {size: statistics.median(times) * 1e6 for size, times in seconds.items()}
        if name == "bloompy":
            found.append(Figure("get by key: dearest / cheapest size", max(medians.values()) / min(medians.values()), "times", 1.2))
        found += [Figure(f"get by key of {size:,} rows, {name}", median, "µs") for size, median in medians.items()]
    return found


if __name__ == "__main__":
    command(__doc__, figures)
