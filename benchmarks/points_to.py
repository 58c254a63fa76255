"""Points-to analysis (Andersen) of 6,000 variables, four rules, two of them three-way recursive joins: 1,663,481 facts."""
# ruff: noqa: B015
# fmt: off

from __future__ import annotations

from collections import defaultdict

from benchmarks.bulk import in_children, ratios, tuples_to_tuples
from benchmarks.inputs import POINTS_TO, Pair, assignments
from benchmarks.measure import Contestant, Figure, command, compare, timed
from bloompy import Bloom, rule, scratch, table


class PointsTo(Bloom):
    """What each variable may point to, whatever the order of the statements."""

    address = table("to, of")        # to = &of
    copy = table("to, source")       # to = source
    load = table("to, pointer")      # to = *pointer
    store = table("pointer, source") # *pointer = source
    points = scratch("variable, target")

    @rule
    def analyse(self):
        self.points <= self.address
        self.points <= ((c.to, p.target) for c in self.copy for p in self.points if c.source == p.variable)
        self.points <= ((d.to, q.target) for d in self.load for p in self.points for q in self.points
                        if d.pointer == p.variable and p.target == q.variable)
        self.points <= ((p.target, q.target) for s in self.store for p in self.points for q in self.points
                        if s.pointer == p.variable and s.source == q.variable)


def by_hand(address: list[Pair], copy: list[Pair], load: list[Pair], store: list[Pair]) -> list[Pair]:
    """The loop of textbooks: a work list of variables, each with the set of its new targets, over a graph of copies that grows."""
    points: dict[int, set[int]] = defaultdict(set)
    copies: dict[int, set[int]] = defaultdict(set)
    loads: dict[int, list[int]] = defaultdict(list)
    stores: dict[int, list[int]] = defaultdict(list)
    fresh: dict[int, set[int]] = defaultdict(set)
    for to, source in copy:
        copies[source].add(to)
    for to, pointer in load:
        loads[pointer].append(to)
    for pointer, source in store:
        stores[pointer].append(source)
    for to, of in address:
        fresh[to].add(of)

    def add_copy(source: int, to: int) -> None:
        if to not in copies[source]:
            copies[source].add(to)
            if missing := points[source] - points[to]:
                fresh[to] |= missing

    while fresh:
        variable, new = fresh.popitem()
        new -= points[variable]
        if new:
            points[variable] |= new
            for target in new:
                for to in loads.get(variable, ()):
                    add_copy(target, to)
                for source in stores.get(variable, ()):
                    add_copy(source, target)
            for to in copies[variable]:
                if missing := new - points[to]:
                    fresh[to] |= missing
    return [(variable, target) for variable, targets in points.items() for target in targets]


def contestants(size: int) -> dict[str, Contestant]:
    statements = assignments(size)

    def python() -> tuple[float, list[Pair]]:
        found: list[list[Pair]] = []
        return timed(lambda: found.append(by_hand(**statements))), found[0]

    return {
        "bloompy": tuples_to_tuples(PointsTo, statements, "points"),
        "Python sets": python,
    }


def figures(small: bool = False) -> list[Figure]:
    size, rounds = (300, 1) if small else (6000, 3)
    what = f"points-to of {size:,} variables"
    medians = compare(contestants(size), rounds, POINTS_TO[size])
    children = in_children("benchmarks.points_to", ["bloompy", "Python sets"], size, 1, POINTS_TO[size])
    return [
        *ratios(what, medians, {"Python sets": 0.8}),
        *(Figure(f"{what}, peak memory, {name}", child.peak_bytes / 1e6, "MB", 1000 if name == "bloompy" else None)
          for name, child in children.items()),
    ]


if __name__ == "__main__":
    command(__doc__, figures)
