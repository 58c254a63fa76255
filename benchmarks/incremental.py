"""Views of tables of 1,000 to 1,000,000 rows under one change a tick: the cost may not depend on the size."""
# ruff: noqa: B015
# fmt: off

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.inputs import Generator, measurements
from benchmarks.measure import Figure, WrongResult, command
from benchmarks.ticks import Step, Times, in_turns
from bloompy import Bloom, agg, rule, scratch, table


class Items(Bloom):
    """What all views are of."""

    item = table("id -> group, value")


class Group(Items):
    """Four aggregates of each group."""

    groups = scratch("group -> rows, total, least, most")

    @rule
    def summarize(self):
        self.groups <= ((i.group, agg.count(), agg.sum(i.value), agg.min(i.value), agg.max(i.value)) for i in self.item)


class Argmin(Items):
    """The item of the least value in each group."""

    cheapest = scratch("group -> id")

    @rule
    def choose(self):
        self.cheapest <= ((i.group, agg.argmin(i.id, i.value)) for i in self.item)


class NotIn(Items):
    """The items that are not taken."""

    taken = table("id")
    free = scratch("id -> value")

    @rule
    def leave_out(self):
        self.free <= ((i.id, i.value) for i in self.item if i.id not in self.taken)


class Projection(Items):
    """The values of each group: a row may follow from several items."""

    pair = scratch("group, value")

    @rule
    def project(self):
        self.pair <= ((i.group, i.value) for i in self.item)


class Join(Items):
    """Items with the owner of their group."""

    owner = table("group -> name")
    owned = scratch("id -> name, value")

    @rule
    def join(self):
        self.owned <= ((i.id, o.name, i.value) for i in self.item for o in self.owner if i.group == o.group)


class AllViews(Group, Argmin, NotIn, Projection, Join):
    """All five over one table."""


Mirror = dict[int, tuple[int, int, int]]

VIEWS: dict[type[Items], str] = {
    Group: "group", Argmin: "argmin", NotIn: "not in", Projection: "projection", Join: "join", AllViews: "all five views"
}


class Stream:
    """A loaded program and its changes; the table keeps its size.

    Args:
        make: the program's class.
        size: rows of the table.
        groups: how many groups they are in.
    """

    def __init__(self, make: type[Items], size: int, groups: int) -> None:
        self.program, self.groups, self.generator = make(), groups, Generator(size)
        rows = measurements(size, groups)
        self.items: Mirror = {row[0]: row for row in rows}
        self.taken: dict[int, None] = dict.fromkeys(range(0, size, 4))
        self.program.item.insert(*rows)
        if isinstance(self.program, NotIn):
            self.program.taken.insert(*self.taken)
        if isinstance(self.program, Join):
            self.program.owner.insert(*((group, f"owner {group}") for group in range(groups)))
        self.program.tick()

    def rounds(self) -> Iterator[list[Step]]:
        """Without end: delete a random item, insert it with another group and value, upsert another one; take one, or give it back."""
        item = self.program.item
        while True:
            gone, again, changed = self._id(), self._row(), self._row()
            steps: list[Step] = [
                ("delete", lambda id=gone: item.delete(id)),  # type: ignore[misc]
                ("insert", lambda row=(gone, *again): item.insert(row)),  # type: ignore[misc]
            ]
            self.items[gone] = (gone, *again)
            other = self._id()
            steps.append(("upsert", lambda row=(other, *changed): item.upsert(row)))  # type: ignore[misc]
            self.items[other] = (other, *changed)
            if isinstance(self.program, NotIn):
                steps.append(self._take(self._id()))
            yield steps

    def _id(self) -> int:
        return self.generator.draw(len(self.items))

    def _row(self) -> tuple[int, int]:
        return self.generator.draw(self.groups), self.generator.draw(1000)

    def _take(self, id: int) -> Step:
        assert isinstance(self.program, NotIn)
        taken = self.program.taken
        if id in self.taken:
            del self.taken[id]
            return "delete of what is not in", lambda: taken.delete(id)
        self.taken[id] = None
        return "insert of what is not in", lambda: taken.insert(id)

    def check(self) -> None:
        """Raises WrongResult where a view is not what its items say."""
        for name, expected in EXPECTED.items():
            if hasattr(self.program, name) and getattr(self.program, name).rows() != expected(self):
                raise WrongResult(f"{type(self.program).__name__}: {name} is wrong after {self.program.step} ticks")


def _groups(stream: Stream) -> dict[int, list[tuple[int, int]]]:
    found: dict[int, list[tuple[int, int]]] = {}
    for id, group, value in stream.items.values():
        found.setdefault(group, []).append((value, id))
    return found


EXPECTED: dict[str, Callable[[Stream], set[tuple[Any, ...]]]] = {
    "groups": lambda s: {
        (group, len(rows), sum(value for value, _ in rows), min(rows)[0], max(rows)[0]) for group, rows in _groups(s).items()
    },
    "cheapest": lambda s: {(group, min(rows)[1]) for group, rows in _groups(s).items()},
    "free": lambda s: {(id, value) for id, _, value in s.items.values() if id not in s.taken},
    "pair": lambda s: {(group, value) for _, group, value in s.items.values()},
    "owned": lambda s: {(id, f"owner {group}", value) for id, group, value in s.items.values()},
}
"""View -> its rows, computed from the items."""


def measure(make: type[Items], sizes: list[int], rounds: int, groups: Callable[[int], int]) -> dict[int, Times]:
    """Times by size."""
    streams = {size: Stream(make, size, groups(size)) for size in sizes}
    found = in_turns({size: (stream.program.tick, stream.rounds()) for size, stream in streams.items()}, rounds)
    for stream in streams.values():
        stream.check()
    return found


def figures(small: bool = False) -> list[Figure]:
    sizes, rounds = ([100, 1000], 20) if small else ([1000, 10_000, 100_000, 1_000_000], 1500)
    found: list[Figure] = []
    small_groups = {f"{name}, 10 rows a group": (make, lambda size: size // 10) for make, name in VIEWS.items()}
    large_groups = {f"{VIEWS[make]}, 100 groups": (make, lambda size: 100) for make in (Group, Argmin, Projection, AllViews)}
    for what, (make, groups) in {**small_groups, **large_groups}.items():
        times = measure(make, sizes, rounds, groups)
        medians = {size: max(each.median_us(kind) for kind in each.ticks) for size, each in times.items()}
        mean = statistics.fmean(medians.values())
        largest = sizes[-1]
        for size, median in medians.items():
            found.append(Figure(f"{what}: dearest change of {size:,} rows ({times[size].dearest()})", median, "µs", 30))
        apart = max(abs(median / mean - 1) for median in medians.values())
        found.append(Figure(f"{what}: largest difference from the mean of sizes", apart * 100, "%", 30))
        found.append(Figure(f"{what}: of it staging, {largest:,} rows", statistics.median(times[largest].staging["upsert"]) * 1e6, "µs"))
        found.append(Figure(f"{what}: first changes after the load, {largest:,} rows", times[largest].first_s * 1000, "ms"))
        if make is AllViews:
            found += [Figure(f"{what}: {kind}, {largest:,} rows", times[largest].median_us(kind), "µs") for kind in times[largest].ticks]
    return found


if __name__ == "__main__":
    command(__doc__, figures)
