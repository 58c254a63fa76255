"""Projection of 100,000 rows into a table, in one tick."""
# ruff: noqa: B015
# fmt: off

from __future__ import annotations

from benchmarks.inputs import measurements
from benchmarks.measure import Contestant, Figure, command, compare, timed
from benchmarks.peers import duckdb, sqlite
from bloompy import Bloom, interface, rule, table


class Projection(Bloom):
    """One rule."""

    source = interface.input("id -> group, value")
    target = table("id -> value")

    @rule
    def project(self):
        self.target <= ((s.id, s.value) for s in self.source)


def figures(small: bool = False) -> list[Figure]:
    size, rounds = (1000, 1) if small else (100_000, 5)
    rows = measurements(size)
    staging: list[float] = []

    def bloompy() -> tuple[float, int]:
        program = Projection()
        staging.append(timed(lambda: program.source.insert(*rows)))
        return timed(program.tick), len(program.target)

    def python() -> tuple[float, int]:
        target: dict[int, tuple[int, int]] = {}

        def work() -> None:
            for id, _, value in rows:
                target[id] = (id, value)

        return timed(work), len(target)

    create = "CREATE TABLE source(id INT PRIMARY KEY, grp INT, value INT); CREATE TABLE target(id INT PRIMARY KEY, value INT);"
    statement, count = "INSERT INTO target SELECT id, value FROM source", "SELECT count(*) FROM target"
    contestants: dict[str, Contestant] = {"bloompy": bloompy, "python": python}
    contestants["sqlite3"] = sqlite(create, "INSERT INTO source VALUES (?, ?, ?)", rows, statement, count)
    if duck := duckdb(create, "source", zip(*rows, strict=True), statement, count):
        contestants["DuckDB"] = duck
    medians = compare(contestants, rounds, size)
    return [
        Figure("projection, bloompy", medians["bloompy"] / size * 1e6, "µs a row", 2.5),
        *(Figure(f"projection, {name}", medians[name] / size * 1e6, "µs a row") for name in medians if name != "bloompy"),
        Figure("staging the rows (insert, checked)", min(staging) / size * 1e6, "µs a row"),
    ]


if __name__ == "__main__":
    command(__doc__, figures)
