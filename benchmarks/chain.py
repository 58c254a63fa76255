"""One tuple through a chain of 200 scratch rules."""

from __future__ import annotations

import statistics

from benchmarks.many_rules import create, ticker
from benchmarks.measure import Figure, command


def figures(small: bool = False) -> list[Figure]:
    ticks = 50 if small else 3000
    lengths = [20, 200]
    tickers = {length: ticker(create(1, length)[0], length) for length in lengths}
    seconds: dict[int, list[float]] = {length: [] for length in lengths}
    for i in range(ticks):
        for length, tick in tickers.items():
            seconds[length].append(tick(i))
    medians = {length: statistics.median(each) * 1e6 for length, each in seconds.items()}
    goals = {200: 300}
    return [Figure(f"tick of one tuple through {length} rules", medians[length], "µs", goals.get(length)) for length in lengths]


if __name__ == "__main__":
    command(__doc__, figures)
