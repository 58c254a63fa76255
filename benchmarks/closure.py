"""Transitive closure of a graph of 2,000 edges over 1,000 nodes: 650,546 paths."""
# ruff: noqa: B015
# fmt: off

from __future__ import annotations

from benchmarks.inputs import CLOSURE_PATHS, graph
from benchmarks.measure import Contestant, Figure, command, compare, timed
from benchmarks.peers import duckdb, sqlite
from bloompy import Bloom, rule, scratch, table


class Closure(Bloom):
    """Two rules: the hand-written loop below does the same joins."""

    edge = table("src: int, dst: int")
    path = scratch("src, dst")

    @rule
    def paths(self):
        self.path <= ((e.src, e.dst) for e in self.edge)
        self.path <= ((p.src, e.dst) for p in self.path for e in self.edge if p.dst == e.src)


def by_hand(edges: list[tuple[int, int]]) -> set[tuple[int, int]]:
    """The semi-naive loop over tuples that a programmer would write."""
    after: dict[int, list[int]] = {}
    for src, dst in edges:
        after.setdefault(src, []).append(dst)
    paths = set(edges)
    fresh = list(paths)
    while fresh:
        last, fresh = fresh, []
        for src, middle in last:
            for dst in after.get(middle, ()):
                path = (src, dst)
                if path not in paths:
                    paths.add(path)
                    fresh.append(path)
    return paths


def figures(small: bool = False) -> list[Figure]:
    size, rounds = (250, 1) if small else (2000, 5)
    edges = graph(size)

    def bloompy() -> tuple[float, int]:
        program = Closure()

        def work() -> None:
            program.edge.insert(*edges)
            program.tick()

        return timed(work), len(program.path)

    def python() -> tuple[float, int]:
        found: list[set[tuple[int, int]]] = []
        return timed(lambda: found.append(by_hand(edges))), len(found[0])

    recursion = (
        "INSERT INTO path WITH RECURSIVE p(src, dst) AS (SELECT src, dst FROM edge "
        "UNION SELECT p.src, edge.dst FROM p JOIN edge ON p.dst = edge.src) SELECT src, dst FROM p"
    )
    create = "CREATE TABLE edge(src INT, dst INT); CREATE TABLE path(src INT, dst INT);"
    count = "SELECT count(*) FROM path"
    contestants: dict[str, Contestant] = {"bloompy": bloompy, "python": python}
    contestants["sqlite3"] = sqlite(create + "CREATE INDEX i ON edge(src, dst)", "INSERT INTO edge VALUES (?, ?)", edges, recursion, count)
    if duck := duckdb(create, "edge", zip(*edges, strict=True), recursion, count):
        contestants["DuckDB"] = duck
    medians = compare(contestants, rounds, CLOSURE_PATHS[size])
    return [
        Figure("closure / hand-written semi-naive loop", medians["bloompy"] / medians["python"], "times", 1.5),
        *(Figure(f"closure / {name}", medians["bloompy"] / medians[name], "times") for name in list(medians)[2:]),
        *(Figure(f"closure, {name}", seconds * 1000, "ms") for name, seconds in medians.items()),
    ]


if __name__ == "__main__":
    command(__doc__, figures)
