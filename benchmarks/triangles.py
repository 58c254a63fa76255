"""Triangles of a random digraph of 400,000 edges over 20,000 nodes, from tuples to tuples: 7,967."""
# ruff: noqa: B015
# fmt: off

from __future__ import annotations

from benchmarks.bulk import ratios, tuples_to_tuples
from benchmarks.inputs import TRIANGLES, Pair, Triple, digraph
from benchmarks.measure import Contestant, Figure, command, compare, timed
from benchmarks.peers import duckdb_tuples
from bloompy import Bloom, rule, scratch, table


class Triangles(Bloom):
    """One rule, a join of three."""

    edge = table("src, dst")
    triangle = scratch("a, b, c")

    @rule
    def find(self):
        self.triangle <= ((x.src, x.dst, y.dst) for x in self.edge for y in self.edge for z in self.edge
                          if x.dst == y.src and z.src == x.src and z.dst == y.dst)


QUERY = """
SELECT x.src, x.dst, y.dst FROM edge x JOIN edge y ON x.dst = y.src JOIN edge z ON z.src = x.src AND z.dst = y.dst"""


def by_hand(edges: list[Pair]) -> list[Triple]:
    """Sets of what comes after each node, met."""
    after: dict[int, set[int]] = {}
    for src, dst in edges:
        after.setdefault(src, set()).add(dst)
    nothing: set[int] = set()
    return [(a, b, c) for a, b in edges for c in after[a] & after.get(b, nothing)]


def contestants(size: int) -> dict[str, Contestant]:
    edges = digraph(size, 20)

    def python() -> tuple[float, list[Triple]]:
        found: list[list[Triple]] = []
        return timed(lambda: found.append(by_hand(edges))), found[0]

    return {
        "bloompy": tuples_to_tuples(Triangles, {"edge": edges}, "triangle"),
        "DuckDB": duckdb_tuples({"edge": ("src dst", edges)}, QUERY),
        "Python sets": python,
    }


def figures(small: bool = False) -> list[Figure]:
    size, rounds = (500, 1) if small else (20_000, 5)
    return ratios(f"triangles of {size:,} nodes", compare(contestants(size), rounds, TRIANGLES[size]), {"DuckDB": 1.0})


if __name__ == "__main__":
    command(__doc__, figures)
