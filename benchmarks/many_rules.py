"""A class of 200 rules in 20 chains: its creation, and a tick that touches one chain."""

from __future__ import annotations

import statistics
import time
from typing import Any

from benchmarks.measure import Figure, WrongResult, command
from bloompy import exec_source


def source(chains: int, length: int) -> str:
    """A program of chains of rules, each from one scratch to the next, ending in a table."""
    lines = ["from bloompy import Bloom, interface, rule, scratch, table", "", "class Chains(Bloom):"]
    for chain in range(chains):
        lines.append(f"    start{chain} = interface.input('a -> b')")
        lines += [f"    c{chain}_{i} = scratch('a -> b')" for i in range(length)]
    for chain in range(chains):
        lines += ["    @rule", f"    def chain{chain}(self):"]
        for i in range(length):
            before = f"start{chain}" if i == 0 else f"c{chain}_{i - 1}"
            lines.append(f"        self.c{chain}_{i} <= ((x.a, x.b + 1) for x in self.{before} if x.b >= 0)")
    return "\n".join(lines) + "\n"


def create(chains: int, length: int) -> tuple[Any, float]:
    """An instance of a new class, and the seconds from source to its first tick, in which the evaluator is made."""
    start = time.process_time()
    namespace = exec_source(source(chains, length), {"__name__": f"chains_{chains}_{length}"})
    program = namespace["Chains"]()
    program.tick()
    return program, time.process_time() - start


def ticker(program: Any, length: int) -> Any:
    """A function that runs one tick through chain 0 and gives its seconds."""

    def tick(i: int) -> float:
        program.start0.insert((i, 0))
        start = time.perf_counter()
        program.tick()
        took = time.perf_counter() - start
        if getattr(program, f"c0_{length - 1}")[i].b != length:
            raise WrongResult(f"tick {i}")
        return took

    return tick


def figures(small: bool = False) -> list[Figure]:
    rounds, ticks = (1, 50) if small else (5, 3000)
    seconds = statistics.median(create(20, 10)[1] for _ in range(rounds))
    programs = {(20, 10): "200 rules, 10 touched", (1, 10): "10 rules, 10 touched", (40, 5): "200 rules, 5 touched"}
    tickers = {shape: ticker(create(*shape)[0], shape[1]) for shape in programs}
    times: dict[tuple[int, int], list[float]] = {shape: [] for shape in programs}
    for i in range(ticks):
        for shape, tick in tickers.items():
            times[shape].append(tick(i))
    medians = {shape: statistics.median(each) * 1e6 for shape, each in times.items()}
    return [
        Figure("class of 200 rules: creation, first instance and tick", seconds, "s", 1.0),
        Figure("tick touching one chain: of 200 rules / of 10 rules", medians[20, 10] / medians[1, 10], "times", 1.2),
        *(Figure(f"tick, {name}", medians[shape], "µs") for shape, name in programs.items()),
    ]


if __name__ == "__main__":
    command(__doc__, figures)
