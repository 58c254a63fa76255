"""One tick of a program of one rule, with one input row."""
# ruff: noqa: B015
# fmt: off

from __future__ import annotations

import statistics
import time

from benchmarks.measure import Figure, WrongResult, command
from bloompy import Bloom, interface, rule


class One(Bloom):
    """One rule."""

    source = interface.input("a -> b")
    target = interface.output("a -> b")

    @rule
    def copy(self):
        self.target <= ((s.a, s.b + 1) for s in self.source)


def figures(small: bool = False) -> list[Figure]:
    ticks = 200 if small else 20_000
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
    tick, insert = statistics.median(seconds) * 1e6, statistics.median(inserts) * 1e6
    return [Figure("tick() of one rule and one row", tick, "µs", 20), Figure("insert() of that row", insert, "µs")]


if __name__ == "__main__":
    command(__doc__, figures)
