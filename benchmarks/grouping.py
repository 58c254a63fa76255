"""Sum, count and least of 100,000 rows in 10,000 groups, in one tick."""
# ruff: noqa: B015
# fmt: off

from __future__ import annotations

from benchmarks.inputs import measurements
from benchmarks.measure import Contestant, Figure, command, compare, timed
from benchmarks.peers import duckdb, sqlite
from bloompy import Bloom, agg, interface, rule, scratch


class Grouping(Bloom):
    """One rule with three aggregates."""

    source = interface.input("id -> group, value")
    groups = scratch("group -> total, rows, least")

    @rule
    def group(self):
        self.groups <= ((s.group, agg.sum(s.value), agg.count(), agg.min(s.value)) for s in self.source)


def by_hand(rows: list[tuple[int, int, int]]) -> dict[int, list[int]]:
    """One pass, one list a group."""
    groups: dict[int, list[int]] = {}
    for _, group, value in rows:
        found = groups.get(group)
        if found is None:
            groups[group] = [value, 1, value]
        else:
            found[0] += value
            found[1] += 1
            if value < found[2]:
                found[2] = value
    return groups


def figures(small: bool = False) -> list[Figure]:
    size, rounds = (1000, 1) if small else (100_000, 5)
    rows = measurements(size)
    wanted = {(group, *found) for group, found in by_hand(rows).items()}

    def bloompy() -> tuple[float, int]:
        program = Grouping()
        program.source.insert(*rows)
        took = timed(program.tick)
        return took, len(wanted) if set(program.groups) == wanted else -1

    def python() -> tuple[float, int]:
        found: list[dict[int, list[int]]] = []
        return timed(lambda: found.append(by_hand(rows))), len(found[0])

    create = "CREATE TABLE source(id INT PRIMARY KEY, grp INT, value INT); CREATE TABLE target(grp INT, total INT, rows INT, least INT);"
    statement = "INSERT INTO target SELECT grp, sum(value), count(*), min(value) FROM source GROUP BY grp"
    count = "SELECT count(*) FROM target"
    contestants: dict[str, Contestant] = {"bloompy": bloompy, "python": python}
    contestants["sqlite3"] = sqlite(create, "INSERT INTO source VALUES (?, ?, ?)", rows, statement, count)
    if duck := duckdb(create, "source", zip(*rows, strict=True), statement, count):
        contestants["DuckDB"] = duck
    medians = compare(contestants, rounds, len(wanted))
    return [
        Figure("grouping, bloompy", medians["bloompy"] / size * 1e6, "µs a row", 2.5),
        *(Figure(f"grouping, {name}", medians[name] / size * 1e6, "µs a row") for name in medians if name != "bloompy"),
    ]


if __name__ == "__main__":
    command(__doc__, figures)
