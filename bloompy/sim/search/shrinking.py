"""Shrinking: from a run that fails, one that fails in the same way with as few faults, operations and draws as can be found.

What is shrunk is the set of decisions (delta debugging: Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input",
TSE 2002). Leaving a decision out gives a milder run, since each is named by its point and all others stay as they were.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations
from typing import Any, TypeAlias

from attrs import evolve, field, frozen

from bloompy.sim.schedule import Decision, Schedule
from bloompy.sim.search.running import Outcome, Test, run_once, traced
from bloompy.sim.search.values import candidates, complexity

ORDER = ("link", "delay", "duplicate", "corrupt", "skew", "drift", "pause", "rot", "disk", "drop", "partition", "crash")
"""Kinds of decisions in the order in which they are tried to be left out."""

RUNS = 2_000
"""Most runs of a test while shrinking."""

TIME_LIMIT_S = 30.0
"""Most seconds of shrinking."""

_MOST_PAIRS = 10
_EARLIEST = 3

Weight: TypeAlias = "tuple[int, int, int, float, int]"


@frozen(kw_only=True, eq=False)
class Shrunk:
    """What shrinking came to.

    Attributes:
        outcome: the smallest failing run that was found.
        before: the one begun with.
        runs: how many were tried.
        seconds: how long it took.
        complete: nothing that is tried can be left out; False where the bounds were reached, or Ctrl-C was pressed.
        repeats: the failure could be repeated from its schedule. If not, nothing was shrunk: the test is not deterministic.
    """

    outcome: Outcome
    before: Outcome
    runs: int
    seconds: float
    complete: bool = True
    repeats: bool = True
    interrupted: bool = field(default=False)


class _Enough(Exception):
    """The bounds were reached."""


def shrink(test: Test, outcome: Outcome, *, runs: int = RUNS, time_limit_s: float = TIME_LIMIT_S) -> Shrunk:
    """Shrink a failing run.

    Args:
        test: which failed.
        outcome: how.
        runs: most runs.
        time_limit_s: most seconds.
    """
    start = time.monotonic()
    search = _Shrinking(test, outcome, runs, start + time_limit_s)
    complete = interrupted = False
    try:
        if search.repeats():
            search.improve()
        complete = True
    except _Enough:
        pass
    except KeyboardInterrupt:
        interrupted = True
    best = search.best or outcome
    with contextlib.suppress(KeyboardInterrupt):  # pressed twice
        best = traced(test, best)
    return Shrunk(
        outcome=best,
        before=outcome,
        runs=search.runs,
        seconds=time.monotonic() - start,
        complete=complete,
        repeats=search.best is not None or not complete,
        interrupted=interrupted,
    )


def _at_earlier_points(decision: Decision) -> Iterator[Decision]:
    """A decision at the points up to its own, where these are counted."""
    last = decision.at[-1] if len(decision.at) > 1 else None
    if not isinstance(last, int):
        yield decision
        return
    for number in range(1, min(last, _EARLIEST) + 1):
        yield evolve(decision, at=(*decision.at[:-1], number))


def is_change(decision: Decision) -> bool:
    """Whether a decision changes what the network and the nodes do, and not what the test does."""
    return decision.kind not in ("draw", "skip")


class _Shrinking:
    """The state of one shrinking: the best run so far, and what was tried."""

    def __init__(self, test: Test, outcome: Outcome, runs: int, end: float) -> None:
        self._test, self._first, self._most, self._end = test, outcome, runs, end
        options = {name: value for name, value in outcome.plan.options.items() if name != "trace" or value}
        self._plan = evolve(outcome.plan, faults=None, order="latency", options=options, untraced="trace" not in options)
        self._tried: set[str] = set()
        self.best: Outcome | None = None
        self.runs = 0

    @property
    def _decisions(self) -> tuple[Decision, ...]:
        assert self.best is not None
        return self.best.schedule.decisions

    def repeats(self) -> bool:
        """Whether the failure comes again from its schedule; it is the best so far then."""
        return self._attempt(self._first.schedule.decisions)

    def improve(self) -> None:
        """Apply all passes until none makes the run smaller."""
        passes: Sequence[Callable[[], None]] = (
            self._leave_out_kinds,
            self._leave_out_changes,
            self._leave_out_operations,
            self._leave_out_draws,
            self._cut_off_in_place_of_drops,
            self._leave_out_pairs,
            self._earlier_points,
            self._one_operation,
            self._simplify_values,
        )
        before: Weight | None = None
        while before != (now := self._weight()):
            before = now
            for one in passes:
                one()

    # -- passes

    def _leave_out_kinds(self) -> None:
        """All changes; then all of each kind."""
        self._attempt(one for one in self._decisions if not is_change(one))
        for kind in ORDER:
            self._attempt(one for one in self._decisions if one.kind != kind)
        for kind in reversed(ORDER):  # only one kind is needed, often
            self._attempt(one for one in self._decisions if one.kind == kind or not is_change(one))

    def _leave_out_changes(self) -> None:
        for kind in ORDER:
            self._leave_out(lambda one, kind=kind: one.kind == kind)  # type: ignore[misc]

    def _leave_out_draws(self) -> None:
        self._leave_out(lambda one: one.kind == "draw")

    def _leave_out(self, chosen: Callable[[Decision], bool]) -> None:
        """Leave out runs of the chosen decisions, half of them first, at last one by one; the latest first."""
        size = (sum(map(chosen, self._decisions)) + 1) // 2
        while size:
            last = sum(map(chosen, self._decisions))
            while last > 0:
                found = [one for one in self._decisions if chosen(one)]
                last = min(last, len(found))
                gone = {(one.kind, one.at) for one in found[max(last - size, 0) : last]}
                self._attempt(one for one in self._decisions if (one.kind, one.at) not in gone)
                last -= size
            size //= 2

    def _leave_out_operations(self) -> None:
        """Skip runs of the test's operations, half of them first, at last one by one; the latest first."""
        assert self.best is not None
        total = self.best.sim.operation_count
        size = (total + 1) // 2
        while size:
            for end in range(total, 0, -size):
                skipped = {one.at for one in self._decisions if one.kind == "skip"}
                new = [(number,) for number in range(max(end - size, 0) + 1, end + 1) if (number,) not in skipped]
                if new:
                    self._attempt((*self._decisions, *(Decision("skip", at, True) for at in new)))
            size //= 2

    def _cut_off_in_place_of_drops(self) -> None:
        """One partition in place of many frames lost between the same nodes."""
        for frames in _by_link(one for one in self._decisions if one.kind == "drop"):
            gone = {(one.kind, one.at) for one in frames}
            kept = [one for one in self._decisions if (one.kind, one.at) not in gone]
            for partition in self._partitions(frames):
                if self._attempt((*kept, partition)):
                    break

    def _partitions(self, frames: Sequence[Decision]) -> Iterator[Decision]:
        """Partitions that lose these frames, the narrowest first."""
        assert self.best is not None
        wanted = {one.at for one in frames}
        events = traced(self._test, self.best).sim.trace.events
        times = [one.time for one in events if one.kind == "send" and (one.node, one.peer, one.ordinal) in wanted]
        if not times:
            return
        start, end = min(times), round(max(times) + 1e-6, 6)
        froms, tos = sorted({str(one.at[0]) for one in frames}), sorted({str(one.at[1]) for one in frames})
        at = (1 + max((int(one.at[0]) for one in self._decisions if one.kind == "partition"), default=-1),)
        if not set(froms) & set(tos):
            for until in (end, None):
                yield Decision("partition", at, [start, until, froms, tos, True])
                yield Decision("partition", at, [start, until, froms, tos, False])
        for node in {*froms, *tos} if len(froms) == 1 or len(tos) == 1 else ():
            others = sorted(set(self.best.sim.nodes) - {node})
            yield Decision("partition", at, [start, end, [node], others, False])

    def _earlier_points(self) -> None:
        """The same at an earlier frame, tick or synchronisation: then operations before it may not be needed."""
        for one in self._decisions:
            if is_change(one) and len(one.at) > 1 and isinstance(one.at[-1], int):
                taken = {other.at for other in self._decisions if other.kind == one.kind}
                earlier = [(*one.at[:-1], number) for number in (*range(1, min(one.at[-1], _EARLIEST + 1)), one.at[-1] - 1)]
                any(self._replace(one, evolve(one, at=at)) for at in earlier if at[-1] > 0 and at not in taken)

    def _one_operation(self) -> None:
        """One operation alone, and the one fault at each earlier point: those before it may only have kept the fault where it is."""
        assert self.best is not None
        total = self.best.sim.operation_count
        skipped = {one.at[0] for one in self._decisions if one.kind == "skip"}
        left = [number for number in range(1, total + 1) if number not in skipped]
        changes = [one for one in self._decisions if is_change(one)]
        if len(left) < 2 or len(changes) > 1:
            return
        moved = [[one] for change in changes for one in _at_earlier_points(change)] or [[]]
        for kept in reversed(left):
            others = [Decision("skip", (number,), True) for number in range(1, total + 1) if number != kept]
            if any(self._attempt((*others, *one)) for one in moved):
                return

    def _simplify_values(self) -> None:
        """Rounder times, shorter faults, smaller draws."""
        tried: set[tuple[str, Any]] = set()
        while (one := next((one for one in self._decisions if (one.kind, one.at) not in tried), None)) is not None:
            tried.add((one.kind, one.at))
            for value in candidates(one):
                self._replace(one, evolve(one, value=value))

    def _leave_out_pairs(self) -> None:
        """Two at once, where neither alone can be left out."""
        changes = [one for one in self._decisions if is_change(one)]
        if len(changes) <= _MOST_PAIRS:
            for pair in combinations(changes, 2):
                gone = {(one.kind, one.at) for one in pair}
                if self._attempt(one for one in self._decisions if (one.kind, one.at) not in gone):
                    return

    # -- attempts

    def _replace(self, old: Decision, new: Decision) -> bool:
        return self._attempt(new if (one.kind, one.at) == (old.kind, old.at) else one for one in self._decisions)

    def _attempt(self, decisions: Iterable[Decision]) -> bool:
        """Run with these decisions; returns whether that is the best now: it fails in the same way and is smaller."""
        schedule = Schedule(tuple(decisions))
        key = schedule.encode()
        if key in self._tried:
            return False
        self._tried.add(key)
        if self.runs >= self._most or time.monotonic() > self._end:
            raise _Enough
        self.runs += 1
        found = run_once(self._test, evolve(self._plan, schedule=schedule))
        if found.kind != self._first.kind or (self.best is not None and weight(found) >= self._weight()):
            found.sim.close()
            return False
        self.best = found
        self._plan = evolve(self._plan, untraced=found.plan.untraced)
        self._tried.add(found.schedule.encode())
        return True

    def _weight(self) -> Weight:
        assert self.best is not None
        return weight(self.best)


def weight(outcome: Outcome) -> Weight:
    """What shrinking makes less, the first number first: changes, operations, draws, how hard the values are to read, length."""
    kinds = Counter("change" if is_change(one) else one.kind for one in outcome.schedule.decisions)
    hard = sum(complexity(one.value) + _number(one) / 100 for one in outcome.schedule.decisions if one.kind != "skip")
    operations = outcome.sim.operation_count - kinds["skip"]
    return kinds["change"], operations, kinds["draw"], hard, outcome.length


def _number(decision: Decision) -> int:
    """Of the frame, tick or synchronisation at which it is taken."""
    return decision.at[-1] if is_change(decision) and len(decision.at) > 1 and isinstance(decision.at[-1], int) else 0


def _by_link(drops: Iterable[Decision]) -> Iterator[list[Decision]]:
    """Frames lost that one partition could lose: all, of one sender, to one receiver, of one link; two at least."""
    found = list(drops)
    groups: list[Callable[[Decision], Any]] = [lambda one: 0, lambda one: one.at[0], lambda one: one.at[1], lambda one: one.at[:2]]
    for group in groups:
        for key in dict.fromkeys(map(group, found)):
            members = [one for one in found if group(one) == key]
            if len(members) > 1:
                yield members
