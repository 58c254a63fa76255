"""Cheapest costs between all pairs of 1,000 nodes of a cyclic graph, from tuples to tuples: 628,248 pairs."""
# ruff: noqa: B015
# fmt: off

from __future__ import annotations

import heapq

from benchmarks.bulk import ratios, tuples_to_tuples
from benchmarks.inputs import CHEAPEST, Triple, weighted
from benchmarks.measure import Contestant, Figure, command, compare, timed
from benchmarks.peers import duckdb_tuples
from bloompy import Bloom, rule, scratch, table


class Cheapest(Bloom):
    """The cost is a lattice: of two paths between the same nodes the cheaper one holds."""

    link = table("src, dst -> cost: int")
    path = scratch("src, dst -> cost: lmin")

    @rule
    def paths(self):
        self.path <= self.link
        self.path <= ((p.src, k.dst, p.cost + k.cost) for p in self.path for k in self.link if p.dst == k.src)


QUERY = """
WITH RECURSIVE path(src, dst, cost) USING KEY (src, dst) AS (
    SELECT src, dst, cost FROM link
    UNION
    SELECT p.src, l.dst, min(p.cost + l.cost)
    FROM path p JOIN link l ON p.dst = l.src LEFT JOIN recurring.path known ON known.src = p.src AND known.dst = l.dst
    WHERE known.cost IS NULL OR p.cost + l.cost < known.cost
    GROUP BY p.src, l.dst
) SELECT src, dst, cost FROM path"""


def by_hand(links: list[Triple]) -> list[Triple]:
    """Dijkstra from every node: another algorithm, which only graphs know. A path has at least one link."""
    after: dict[int, list[tuple[int, int]]] = {}
    for src, dst, cost in links:
        after.setdefault(src, []).append((dst, cost))
    found = []
    for start, firsts in after.items():
        best: dict[int, int] = {}
        queue = [(cost, dst) for dst, cost in firsts]
        heapq.heapify(queue)
        while queue:
            cost, node = heapq.heappop(queue)
            if node not in best:
                best[node] = cost
                for dst, more in after.get(node, ()):
                    if dst not in best:
                        heapq.heappush(queue, (cost + more, dst))
        found += [(start, node, cost) for node, cost in best.items()]
    return found


def contestants(size: int) -> dict[str, Contestant]:
    links = weighted(size, 2)

    def python() -> tuple[float, list[Triple]]:
        found: list[list[Triple]] = []
        return timed(lambda: found.append(by_hand(links))), found[0]

    return {
        "bloompy": tuples_to_tuples(Cheapest, {"link": links}, "path"),
        "DuckDB": duckdb_tuples({"link": ("src dst cost", links)}, QUERY),
        "Dijkstra in Python": python,
    }


def figures(small: bool = False) -> list[Figure]:
    size, rounds = (100, 1) if small else (1000, 5)
    return ratios(f"cheapest paths of {size:,} nodes", compare(contestants(size), rounds, CHEAPEST[size]), {"DuckDB": 0.5})


if __name__ == "__main__":
    command(__doc__, figures)
