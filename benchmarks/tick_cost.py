"""One tick of a program of one rule with one input row, and a node that has nothing to do."""
# ruff: noqa: B015
# fmt: off

from __future__ import annotations

import statistics
import time

from benchmarks.measure import Figure, WrongResult, command
from bloompy import Bloom, Node, interface, rule


class One(Bloom):
    """One rule."""

    source = interface.input("a -> b")
    target = interface.output("a -> b")

    @rule
    def copy(self):
        self.target <= ((s.a, s.b + 1) for s in self.source)


def one_row(ticks: int) -> tuple[float, float]:
    """Median µs of staging a row, and of the tick that takes it."""
    program = One()
    clock = time.perf_counter
    inserts, seconds = [], []
    for i in range(ticks):
        start = clock()
        program.source.insert((i, i))
        staged = clock()
        program.tick()
        seconds.append(clock() - staged)
        inserts.append(staged - start)
        if program.target[i].b != i + 1:
            raise WrongResult(f"tick {i}")
    return statistics.median(inserts) * 1e6, statistics.median(seconds) * 1e6


def idle(seconds: float) -> tuple[int, float]:
    """Ticks of a node in so many seconds after its work is done, and the CPU seconds that the process took meanwhile."""
    program = One()
    with Node(program) as node:
        program.source.insert((1, 1))
        deadline = time.monotonic() + 10
        while 1 not in program.target:
            if time.monotonic() > deadline:
                raise WrongResult("the node does not tick at all")
            time.sleep(0.01)
        time.sleep(0.1)
        ticks, spent = node.counters.ticks, time.process_time()
        time.sleep(seconds)
        return node.counters.ticks - ticks, time.process_time() - spent


def figures(small: bool = False) -> list[Figure]:
    insert, tick = one_row(200 if small else 20_000)
    ticks, spent = idle(0.1 if small else 1.0)
    return [
        Figure("tick() of one rule and one row", tick, "µs", 10),
        Figure("insert() of that row", insert, "µs"),
        Figure("ticks of an idle node", ticks, "a second", 0),
        Figure("CPU of an idle node", spent * 1e6, "µs a second"),
    ]


if __name__ == "__main__":
    command(__doc__, figures)
