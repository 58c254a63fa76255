"""Random campaigns: many runs of a test, each from a seed of its own, until one fails.

The first run meets no faults: what fails there needs none. After it every other run puts frames into rare orders (PCT: Burckhardt et
al., "A randomized scheduler with probabilistic guarantees of finding bugs", ASPLOS 2010; for messages Ozkan et al., "Randomized testing
of distributed systems with probabilistic guarantees", OOPSLA 2018), with the depth drawn anew and the number of frames taken from the
runs before.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any

from attrs import define, field

from bloompy.errors import InjectedNothing, NeverReached
from bloompy.sim.faults import Faults
from bloompy.sim.pool import EvaluatorPool
from bloompy.sim.search.collecting import collecting
from bloompy.sim.search.quiet import quiet
from bloompy.sim.search.running import Outcome, Plan, Test, run_once, traced
from bloompy.sim.search.shrinking import RUNS, TIME_LIMIT_S, Shrunk, shrink

MOST_DEPTH = 5
"""Greatest depth for PCT: most bugs need 2 or 3 ordered events, few more."""

FEW_FAULTS = 3
"""A counterexample with no more faults than this is good enough; with more, other failing runs are shrunk too."""

_MORE_FAILURES = 2


@define(kw_only=True, eq=False)
class Campaign:
    """What a campaign did.

    Attributes:
        runs: made before the first failure, that one included; shrinking does not count.
        failure: the first failing run, shrunk; None if none failed.
        counts: faults injected in all runs, by kind.
        reached: how often each `sometimes` was reached in all runs; 0 for those only declared.
        allowed: kinds of faults that could be injected.
        frames: sent in all runs.
        untraced: no run has asked for its trace yet, so none is kept.
        seconds: how long it took, shrinking included.
        interrupted: Ctrl-C ended it.
    """

    allowed: tuple[str, ...] = ()
    runs: int = 0
    failure: Shrunk | None = None
    counts: Counter[str] = field(factory=Counter)
    reached: Counter[str] = field(factory=Counter)
    frames: int = 0
    untraced: bool = True
    seconds: float = 0.0
    interrupted: bool = False

    @property
    def never_reached(self) -> tuple[str, ...]:
        """The names given to `sometimes` of which no run reached the state."""
        return tuple(name for name, times in self.reached.items() if not times)

    @property
    def never_injected(self) -> tuple[str, ...]:
        """The kinds of faults that were allowed and did not occur."""
        return tuple(kind for kind in self.allowed if not self.counts[kind])

    def check(self, *, every_kind: bool = True) -> None:
        """Raise what the campaign found, or what it lacks.

        Args:
            every_kind: each kind of faults allowed must have occurred, and not just one.

        Raises:
            the error of the failing run; else
            NeverReached: for a `sometimes` that no run reached.
            InjectedNothing: for faults that were allowed and did not occur.
        """
        if self.failure is not None:
            error = self.failure.outcome.error
            assert error is not None
            raise error
        if self.never_reached:
            raise NeverReached(self.never_reached, self.runs)
        if self.never_injected and (every_kind or len(self.never_injected) == len(self.allowed)):
            raise InjectedNothing(self.never_injected, self.runs)

    def __str__(self) -> str:
        parts = [f"{self.runs:,} {'run' if self.runs == 1 else 'runs'} in {self.seconds:.3g} s, {self.frames:,} frames"]
        parts.append(f"faults: {_counted(self.counts)}" if self.counts else "no faults")
        if self.reached:
            parts.append(f"reached: {_counted(self.reached)}")
        if self.failure is not None:
            parts.append(f"failed: {self.failure.outcome}")
        if self.interrupted:
            parts.append("interrupted")
        return "; ".join(parts)

    def add(self, outcome: Outcome) -> None:
        """Count a run."""
        self.runs += 1
        self.counts.update(outcome.counts)
        for name, times in outcome.reached.items():  # not `update`, which would lose names with 0
            self.reached[name] += times
        self.frames += outcome.frames
        self.untraced = outcome.plan.untraced


@quiet()
def campaign(
    test: Test,
    *,
    runs: int = 100,
    first_seed: int = 0,
    faults: Faults | None = None,
    time_limit_s: float | None = None,
    shrink_runs: int = RUNS,
    shrink_s: float = TIME_LIMIT_S,
    options: Mapping[str, Any] | None = None,
    on_run: Callable[[Campaign], object] | None = None,
) -> Campaign:
    """Run a test from many seeds, and shrink the first failure.

    Args:
        test: takes a simulation.
        runs: most runs.
        first_seed: of the seeds, one for each run.
        faults: the mix; `Faults.mix()` by default.
        time_limit_s: most seconds; none by default. A run is not cut off.
        shrink_runs, shrink_s: bounds of shrinking; 0 runs not to shrink.
        options: further arguments of `Simulation`. With `trace=True` every run keeps its trace, and not just those whose test looks at it.
        on_run: called after each run.

    Returns:
        what it did. It raises nothing but what is no failure of a run; see `Campaign.check`. Ctrl-C ends it with what was found so far.
    """
    mix = Faults.mix() if faults is None else faults
    given = {name: value for name, value in (options or {}).items() if name != "trace" or value}
    found, start = Campaign(allowed=mix.kinds, untraced="trace" not in given), time.monotonic()
    end = float("inf") if time_limit_s is None else start + time_limit_s
    plans = _plans(found, runs, first_seed, mix, {"pool": EvaluatorPool(), **given})
    try:
        for plan in collecting(plans):
            outcome = run_once(test, plan)
            found.add(outcome)
            if outcome.failed:
                found.failure = Shrunk(outcome=outcome, before=outcome, runs=0, seconds=0.0, complete=False)
                outcome = traced(test, outcome)
                found.failure = Shrunk(outcome=outcome, before=outcome, runs=0, seconds=0.0, complete=False)
                break
            if on_run is not None:
                on_run(found)
            outcome.sim.close()
            if time.monotonic() > end:
                break
        if found.failure is not None and shrink_runs:
            _shrink(found, test, plans, shrink_runs, shrink_s)
    except KeyboardInterrupt:
        found.interrupted = True
    found.seconds = time.monotonic() - start
    return found


def _plans(found: Campaign, runs: int, first_seed: int, mix: Faults, options: Mapping[str, Any]) -> Iterator[Plan]:
    for number in range(runs):
        seed = first_seed + number
        if number == 0:
            yield Plan(seed=seed, options=options, untraced=found.untraced)
        elif number % 2:
            yield Plan(seed=seed, faults=mix, options=options, untraced=found.untraced)
        else:
            depth, frames = Random(f"{seed} depth").randint(2, MOST_DEPTH), max(found.frames // found.runs, 1)
            yield Plan(seed=seed, faults=mix, options=options, order="pct", depth=depth, frames=frames, untraced=found.untraced)


def _shrink(found: Campaign, test: Test, plans: Iterator[Plan], runs: int, seconds: float) -> None:
    """Shrink the failure; while many faults are left, also others like it that further runs meet, and keep the smallest."""
    end = time.monotonic() + seconds
    assert found.failure is not None
    first = found.failure.before
    best = found.failure = shrink(test, first, runs=runs, time_limit_s=seconds)
    more = _MORE_FAILURES
    for plan in plans:
        left = end - time.monotonic()
        if best.interrupted or not best.repeats or not more or left < seconds / 4 or _changes(best) <= FEW_FAULTS:
            break
        outcome = run_once(test, plan)
        if outcome.kind != first.kind:
            outcome.sim.close()
        else:
            more -= 1
            other = shrink(test, outcome, runs=runs, time_limit_s=left)
            if other.repeats and _changes(other) < _changes(best):
                best = found.failure = other
            best = found.failure
    found.interrupted = best.interrupted


def _changes(shrunk: Shrunk) -> int:
    return sum(one.kind not in ("draw", "skip") for one in shrunk.outcome.schedule.decisions)


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {times:,}" for name, times in sorted(counts.items()))
