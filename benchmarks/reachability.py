"""What a node reaches in a random graph of 100,000 nodes and 200,000 edges, while one edge a tick comes or goes."""
# ruff: noqa: B015
# fmt: off

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks.inputs import Generator, Pair, random_edges
from benchmarks.measure import Figure, WrongResult, command, timed
from benchmarks.ticks import Step, in_turns
from bloompy import Bloom, rule, scratch, table


class Reachability(Bloom):
    """Two rules."""

    edge = table("src, dst")
    start = table("node")
    reach = scratch("node")

    @rule
    def follow(self):
        self.reach <= self.start
        self.reach <= (e.dst for r in self.reach for e in self.edge if e.src == r.node)


def search(edges: dict[Pair, None], start: int) -> set[int]:
    """Again from nothing."""
    after: dict[int, list[int]] = {}
    for src, dst in edges:
        after.setdefault(src, []).append(dst)
    reached, todo = {start}, [start]
    while todo:
        for node in after.get(todo.pop(), ()):
            if node not in reached:
                reached.add(node)
                todo.append(node)
    return reached


Stage = Callable[[Pair], object]


def changes(edges: dict[Pair, None], nodes: int, insert: Stage, delete: Stage) -> Iterator[list[Step]]:
    """Without end: a random edge goes, a random new one comes. Keeps `edges`."""
    generator = Generator(7)
    order = list(edges)
    while True:
        at = generator.draw(len(order))
        gone, order[at] = order[at], order[-1]
        order.pop()
        del edges[gone]
        new = gone
        while new in edges or new == gone:
            new = generator.draw(nodes), generator.draw(nodes)
        order.append(new)
        edges[new] = None
        yield [("delete", lambda gone=gone: delete(gone)), ("insert", lambda new=new: insert(new))]  # type: ignore[misc]


def figures(small: bool = False) -> list[Figure]:
    nodes, rounds = (500, 50) if small else (100_000, 10_000)
    edges = dict.fromkeys(random_edges(nodes, 2 * nodes, Generator()))
    start = next(src for src, _ in edges if len(search(edges, src)) > nodes / 2)
    program = Reachability()
    program.edge.insert(*edges)
    program.start.insert(start)
    load_s = timed(program.tick)
    steps = changes(edges, nodes, program.edge.insert, program.edge.delete)
    times = in_turns({"bloompy": (program.tick, steps)}, rounds)["bloompy"]
    reached: list[set[int]] = []
    search_s = timed(lambda: reached.append(search(edges, start)))
    if {row.node for row in program.reach} != reached[0]:
        raise WrongResult(f"the reached nodes are wrong after {program.step} ticks")
    what = f"reachability, {nodes:,} nodes"
    return [
        Figure(f"{what}: insert of an edge", times.median_us("insert"), "µs", 15),
        Figure(f"{what}: delete of an edge", times.median_us("delete"), "µs", 25),
        Figure(f"{what}: delete of an edge, mean", times.mean_us("delete"), "µs", 200),
        Figure(f"{what}: insert of an edge, mean", times.mean_us("insert"), "µs"),
        Figure(f"{what}: dearest delete", max(times.both("delete")) * 1e6, "µs"),
        Figure(f"{what}: first tick", load_s * 1000, "ms"),
        Figure(f"{what}: first delete and insert", times.first_s * 1000, "ms"),
        Figure(f"{what}: search again by hand", search_s * 1000, "ms"),
    ]


if __name__ == "__main__":
    command(__doc__, figures)
