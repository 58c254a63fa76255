"""Measuring: contestants in interleaved rounds, medians, checked results, and the table of figures."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

from attrs import frozen

Contestant = Callable[[], "tuple[float, int]"]
"""Does its work once; returns the seconds that count and the number of its result rows."""


@frozen
class Figure:
    """One measured value.

    Attributes:
        what: what was measured.
        value: in the unit.
        unit: as printed.
        goal: at least (for rates) or at most (for costs) this; None for a value shown for comparison.
        rate: whether more is better.
    """

    what: str
    value: float
    unit: str
    goal: float | None = None
    rate: bool = False

    @property
    def reached(self) -> bool:
        """Whether the goal is reached."""
        return self.goal is None or (self.value >= self.goal if self.rate else self.value <= self.goal)


class WrongResult(Exception):
    """A contestant did other work than it should: its time means nothing."""


def timed(work: Callable[[], object]) -> float:
    """CPU seconds of this process for one call: what other processes of the machine do counts little."""
    start = time.process_time()
    work()
    return time.process_time() - start


def compare(contestants: Mapping[str, Contestant], rounds: int, expected: int) -> dict[str, float]:
    """The median seconds of each contestant; all take turns in each round, and each must give the expected rows.

    Raises:
        WrongResult: naming the contestant.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, contestant in contestants.items():
            took, rows = contestant()
            if rows != expected:
                raise WrongResult(f"{name} gave {rows:,} rows, not {expected:,}")
            seconds[name].append(took)
    return {name: statistics.median(times) for name, times in seconds.items()}


def show(figures: Sequence[Figure]) -> None:
    """Print figures as a table, with their goals."""
    width = max(len(figure.what) for figure in figures)
    for figure in figures:
        goal = ""
        if figure.goal is not None:
            bound = "at least" if figure.rate else "at most"
            goal = f"  goal: {bound} {figure.goal:,g} {figure.unit}: {'reached' if figure.reached else 'MISSED'}"
        print(f"{figure.what:<{width}}  {number(figure.value):>10} {figure.unit:<14}{goal}".rstrip(), flush=True)


def number(value: float) -> str:
    """A value with three significant digits or as a whole number."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def arguments(about: str) -> argparse.Namespace:
    """The command line of a benchmark."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="small inputs, one round: only to see that it works")
    return parser.parse_args()


def command(about: str | None, figures: Callable[[bool], list[Figure]]) -> None:
    """Run one benchmark from the command line."""
    show(figures(arguments(about or "").small))
