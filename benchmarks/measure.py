"""Measuring: contestants in interleaved rounds, medians, checked results, and the table of figures."""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import attrs
from attrs import frozen

Contestant = Callable[[], "tuple[float, int | Collection[Any]]"]
"""Does its work once; returns the seconds that count and its result rows, or the number of them."""


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

    @property
    def verdict(self) -> str:
        """The goal and whether it is reached; empty without a goal."""
        if self.goal is None:
            return ""
        bound = "at least" if self.rate else "at most"
        return f"{bound} {self.goal:,g} {self.unit}: {'reached' if self.reached else 'MISSED'}"


class WrongResult(Exception):
    """A contestant did other work than it should: its time means nothing."""


def timed(work: Callable[[], object]) -> float:
    """CPU seconds of this process for one call: what other processes of the machine do counts little."""
    start = time.process_time()
    work()
    return time.process_time() - start


def compare(contestants: Mapping[str, Contestant], rounds: int, expected: int) -> dict[str, float]:
    """The median seconds of each contestant; all take turns in each round, and each must give the expected rows.

    Where contestants return their rows, these must also be equal.

    Raises:
        WrongResult: naming the contestant.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    digests: dict[int, str] = {}
    for _ in range(rounds):
        for name, contestant in contestants.items():
            gc.collect()  # what one leaves behind is not for the next to clean up
            took, rows = contestant()
            count = rows if isinstance(rows, int) else len(rows)
            if count != expected:
                raise WrongResult(f"{name} gave {count:,} rows, not {expected:,}")
            if not isinstance(rows, int):
                digests.setdefault(digest(rows), name)
                if len(digests) > 1:
                    raise WrongResult(f"{' and '.join(digests.values())} gave different rows")
            del rows
            seconds[name].append(took)
    return {name: statistics.median(times) for name, times in seconds.items()}


def digest(rows: Iterable[Any]) -> int:
    """A number that is the same for the same rows in any order."""
    return sum(map(hash, rows))


def show(figures: Sequence[Figure]) -> None:
    """Print figures as a table, with their goals."""
    width = max((len(figure.what) for figure in figures), default=0)
    for figure in figures:
        goal = f"  goal: {figure.verdict}" if figure.verdict else ""
        print(f"{figure.what:<{width}}  {number(figure.value):>10} {figure.unit:<14}{goal}".rstrip(), flush=True)


def number(value: float) -> str:
    """A value with three significant digits or as a whole number."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def add_small(parser: argparse.ArgumentParser) -> None:
    """The option that all commands have."""
    parser.add_argument("--small", action="store_true", help="small inputs, one round: only to see that it works")


def command(about: str | None, figures: Callable[[bool], list[Figure]]) -> None:
    """Run one benchmark from the command line."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_small(parser)
    parser.add_argument("--json", metavar="FILE", help="also write the figures there, for a program to read")
    given = parser.parse_args()
    found = figures(given.small)
    show(found)
    if given.json:
        with open(given.json, "w", encoding="utf-8") as file:
            json.dump([attrs.asdict(figure) for figure in found], file)
