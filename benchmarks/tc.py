"""Transitive closure of dense random digraphs, from tuples to tuples: 1,022,069 and 10,260,217 paths."""
# ruff: noqa: B015
# fmt: off

from __future__ import annotations

from benchmarks.bulk import in_children, ratios, tuples_to_tuples
from benchmarks.inputs import DIGRAPH_PATHS, Pair, digraph
from benchmarks.measure import Contestant, Figure, command, compare, timed
from benchmarks.peers import duckdb_tuples
from bloompy import Bloom, rule, scratch, table


class Closure(Bloom):
    """Two rules."""

    edge = table("src, dst")
    path = scratch("src, dst")

    @rule
    def paths(self):
        self.path <= self.edge
        self.path <= ((p.src, e.dst) for p in self.path for e in self.edge if p.dst == e.src)


QUERY = """
WITH RECURSIVE path(src, dst) AS (
    SELECT src, dst FROM edge
    UNION SELECT path.src, edge.dst FROM path JOIN edge ON path.dst = edge.src
) SELECT src, dst FROM path"""


def by_hand(edges: list[Pair]) -> list[Pair]:
    """What a programmer would write: the new ends of each start, round by round, as sets."""
    after: dict[int, set[int]] = {}
    for src, dst in edges:
        after.setdefault(src, set()).add(dst)
    found = []
    for start, ends in after.items():
        reached, fresh = set(ends), ends
        while fresh:
            fresh = set().union(*[after[end] for end in fresh if end in after]) - reached
            reached |= fresh
        found += [(start, end) for end in reached]
    return found


def contestants(size: int) -> dict[str, Contestant]:
    edges = digraph(size, 2)
    tables = {"edge": ("src dst", edges)}

    def python() -> tuple[float, list[Pair]]:
        found: list[list[Pair]] = []
        return timed(lambda: found.append(by_hand(edges))), found[0]

    return {
        "bloompy": tuples_to_tuples(Closure, {"edge": edges}, "path"),
        "DuckDB": duckdb_tuples(tables, QUERY),
        "DuckDB by numpy columns": duckdb_tuples(tables, QUERY, columns=True),
        "Python sets": python,
    }


def figures(small: bool = False) -> list[Figure]:
    first, second, rounds = (100, 200, 1) if small else (1250, 4000, 5)
    medians = compare(contestants(first), rounds, DIGRAPH_PATHS[first])
    large = in_children("benchmarks.tc", ["bloompy", "DuckDB"], second, min(rounds, 3), DIGRAPH_PATHS[second])
    what = f"closure of {second:,} nodes"
    return [
        *ratios(f"closure of {first:,} nodes", medians, {"DuckDB": 0.7}),
        *ratios(what, {name: child.seconds for name, child in large.items()}, {"DuckDB": 0.8}),
        Figure(f"{what}, peak memory / DuckDB", large["bloompy"].peak_bytes / large["DuckDB"].peak_bytes, "times", 1.5),
        *(Figure(f"{what}, peak memory, {name}", child.peak_bytes / 1e6, "MB") for name, child in large.items()),
    ]


if __name__ == "__main__":
    command(__doc__, figures)
