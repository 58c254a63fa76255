"""Changes one a tick: what staging and the tick take, over several programs in turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from attrs import Factory, define

Step = tuple[str, Callable[[], object]]
"""What kind of change, and a function that stages one."""

BUDGET_S = 20.0
"""A program whose ticks are slow gives up after so many seconds, with fewer measured."""


@define
class Times:
    """Seconds of every step by kind: of staging, and of the tick.

    Attributes:
        first_s: seconds of the first round, which is not in the others: it makes functions, indexes, and the rows of views that
            were filled on columns.
    """

    first_s: float = 0.0
    staging: dict[str, list[float]] = Factory(dict)
    ticks: dict[str, list[float]] = Factory(dict)

    def note(self, kind: str, staging_s: float, tick_s: float) -> None:
        self.staging.setdefault(kind, []).append(staging_s)
        self.ticks.setdefault(kind, []).append(tick_s)

    def both(self, kind: str) -> list[float]:
        """Staging and tick together, step by step."""
        return [staging + tick for staging, tick in zip(self.staging[kind], self.ticks[kind], strict=True)]

    def median_us(self, kind: str) -> float:
        """Of staging and tick together."""
        return statistics.median(self.both(kind)) * 1e6

    def mean_us(self, kind: str) -> float:
        """Of staging and tick together."""
        return statistics.fmean(self.both(kind)) * 1e6

    def dearest(self) -> str:
        """The kind with the highest median."""
        return max(self.ticks, key=self.median_us)


def nothing() -> None:
    """The tick of what has no ticks: staging does all the work."""


def run(tick: Callable[[], object], steps: Iterable[Step], times: Times) -> None:
    """Run steps, a tick each."""
    clock = time.perf_counter
    for kind, stage in steps:
        start = clock()
        stage()
        staged = clock()
        tick()
        times.note(kind, staged - start, clock() - staged)


def in_turns(contestants: Mapping[Any, tuple[Callable[[], object], Iterator[list[Step]]]], rounds: int) -> dict[Any, Times]:
    """Run some rounds of steps of each contestant; all take turns in each round.

    Args:
        contestants: by name, each with its tick and its rounds of steps.
        rounds: how many after the first; a contestant over its budget, or without further steps, stops earlier.
    """
    found = {name: Times() for name in contestants}
    spent = dict.fromkeys(contestants, 0.0)
    for name, (tick, steps) in contestants.items():
        start = time.perf_counter()
        run(tick, next(steps, []), Times())
        found[name].first_s = time.perf_counter() - start
    for _ in range(rounds):
        for name, (tick, steps) in contestants.items():
            if spent[name] < BUDGET_S:
                start = time.perf_counter()
                run(tick, next(steps, []), found[name])
                spent[name] += time.perf_counter() - start
    return found
