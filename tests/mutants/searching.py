"""The default search, put to every row of the table."""

from __future__ import annotations

import time
from typing import Any

from attrs import frozen

from bloompy.sim.search.campaign import campaign
from bloompy.sim.search.running import Outcome, replay

from .mutant import Mutant

LIMIT_S = 60.0
"""Most seconds of the search for one mutant."""

RUNS = 20_000
SHRINK_RUNS = 2_000
RIGHT_RUNS = 300
"""Most runs of a row that should have no counterexample."""

_OPTIONS: dict[str, Any] = {"trace": False}


@frozen(kw_only=True)
class Found:
    """What the search said of a row.

    Attributes:
        mutant: the row.
        runs, seconds: of the search, shrinking included in the seconds.
        search_s: of the search alone.
        error: of the counterexample, shrunk; empty if there was none.
        faults: in the shrunk counterexample.
        words: it, as a person would say it.
        replayed: whether its word gave the same failure again.
    """

    mutant: Mutant
    runs: int
    seconds: float
    search_s: float
    error: str = ""
    faults: int = 0
    words: tuple[str, ...] = ()
    replayed: bool = False

    @property
    def right(self) -> bool:
        """Whether the search said what is expected: a counterexample to the property named, or none."""
        if not self.mutant.expected:
            return not self.error
        return any(name in self.error for name in self.mutant.properties)

    @property
    def verdict(self) -> str:
        """In a word."""
        if not self.error:
            return "none" if self.right else "NOT FOUND"
        return "found" if self.right else "WRONG" if self.mutant.expected else "FALSE ALARM"


def search(mutant: Mutant, *, runs: int | None = None, limit_s: float = LIMIT_S, shrink_runs: int = SHRINK_RUNS) -> Found:
    """Search a row for a counterexample, shrink it, and replay it.

    Args:
        mutant: the row.
        runs: most runs; by default as many as fit for a mutant, and `RIGHT_RUNS` where none is expected; never more than the subject's.
        limit_s: most seconds of searching.
        shrink_runs: most runs of shrinking.
    """
    test, faults = mutant.test(), mutant.faults or mutant.subject.faults
    start = time.monotonic()
    most = min(runs or (RUNS if mutant.expected else RIGHT_RUNS), mutant.subject.runs or RUNS)
    first = campaign(test, runs=most, faults=faults, time_limit_s=limit_s, options=_OPTIONS, shrink_runs=shrink_runs)
    seconds = time.monotonic() - start
    if first.failure is None:
        return Found(mutant=mutant, runs=first.runs, seconds=seconds, search_s=seconds)
    shrunk = first.failure
    return Found(
        mutant=mutant,
        runs=first.runs,
        seconds=seconds,
        search_s=max(0.0, seconds - shrunk.seconds),
        error=_said(shrunk.outcome),
        faults=len(shrunk.outcome.schedule.faults),
        words=tuple(shrunk.outcome.schedule.words()),
        replayed=_same(replay(test, shrunk.outcome.word, options=_OPTIONS), shrunk.outcome),
    )


def _said(outcome: Outcome) -> str:
    return f"{type(outcome.error).__name__}: {outcome.error}"


def _same(one: Outcome, other: Outcome) -> bool:
    return one.failed and _said(one) == _said(other) and one.schedule == other.schedule
