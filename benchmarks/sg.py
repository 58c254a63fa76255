"""Pairs of one generation in a random recursive tree of 2,900 nodes, from tuples to tuples: 817,974 pairs."""
# ruff: noqa: B015
# fmt: off

from __future__ import annotations

from benchmarks.bulk import ratios, tuples_to_tuples
from benchmarks.inputs import SAME_GENERATION, Pair, tree
from benchmarks.measure import Contestant, Figure, command, compare, timed
from benchmarks.peers import duckdb_tuples
from bloompy import Bloom, rule, scratch, table


class SameGeneration(Bloom):
    """Siblings, and children of parents of one generation."""

    child = table("node, parent")
    same = scratch("a, b")

    @rule
    def pairs(self):
        self.same <= ((x.node, y.node) for x in self.child for y in self.child if x.parent == y.parent and x.node != y.node)
        self.same <= ((x.node, y.node) for x in self.child for s in self.same for y in self.child if x.parent == s.a and y.parent == s.b)


QUERY = """
WITH RECURSIVE same(a, b) AS (
    SELECT x.node, y.node FROM child x JOIN child y ON x.parent = y.parent AND x.node <> y.node
    UNION SELECT x.node, y.node FROM child x JOIN same ON x.parent = same.a JOIN child y ON y.parent = same.b
) SELECT a, b FROM same"""


def by_hand(rows: list[Pair]) -> list[Pair]:
    """Semi-naive over pairs, with the children of each parent at hand."""
    children: dict[int, list[int]] = {}
    for node, parent in rows:
        children.setdefault(parent, []).append(node)
    same = {(a, b) for siblings in children.values() for a in siblings for b in siblings if a != b}
    fresh = same
    while fresh:
        fresh = {(x, y) for a, b in fresh if a in children and b in children for x in children[a] for y in children[b]} - same
        same |= fresh
    return list(same)


def contestants(size: int) -> dict[str, Contestant]:
    rows = tree(size)

    def python() -> tuple[float, list[Pair]]:
        found: list[list[Pair]] = []
        return timed(lambda: found.append(by_hand(rows))), found[0]

    return {
        "bloompy": tuples_to_tuples(SameGeneration, {"child": rows}, "same"),
        "DuckDB": duckdb_tuples({"child": ("node parent", rows)}, QUERY),
        "Python sets": python,
    }


def figures(small: bool = False) -> list[Figure]:
    size, rounds = (100, 1) if small else (2900, 5)
    return ratios(f"same generation of {size:,} nodes", compare(contestants(size), rounds, SAME_GENERATION[size]), {"DuckDB": 0.8})


if __name__ == "__main__":
    command(__doc__, figures)
