"""Every state that a model can reach, nearest first, and what was found there."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterator

from attrs import define, field, frozen

from bloompy.errors import CounterexampleFound, IncompleteExploration, NeverReached, UsageError
from bloompy.sim.exploring.checks import Checks
from bloompy.sim.exploring.counterexample import Counterexample, described
from bloompy.sim.exploring.liveness import unfulfilled
from bloompy.sim.exploring.model import Model
from bloompy.sim.exploring.reduction import Reduction
from bloompy.sim.exploring.space import FAULTS, Space, State, Step, Taken
from bloompy.sim.exploring.symmetry import Symmetry
from bloompy.sim.exploring.view import View

_LOOK = 1024
"""States between two looks at the clock."""


@frozen
class Progress:
    """How far an exploration is.

    Attributes:
        states, steps, depth: found so far.
        waiting: states that were found and not yet left.
        seconds: since it began.
    """

    states: int
    steps: int
    depth: int
    waiting: int
    seconds: float

    def __str__(self) -> str:
        rate = self.states / self.seconds if self.seconds else 0.0
        return f"{self.states:,} states, {self.waiting:,} waiting, depth {self.depth}, {self.seconds:.0f} s, {rate:,.0f} states/s"


@define(repr=False)
class Exploration:
    """What was found.

    Attributes:
        model: what was explored.
        states: how many different ones; where nodes are interchangeable, states that differ only in which is which count as one.
        transitions: steps from one to another or to itself, each once for every state that it was taken in.
        depth: steps from the beginning to the farthest state.
        ends: states that nothing but a fault leads away from.
        ticks: how many different ticks the rules were evaluated for.
        complete: whether all states were seen.
        reduced: whether orders were left out that make no difference.
        counterexample: the first failure; None where everything holds.
        missed: the names of what should hold sometimes and holds in no state that was seen.
        seconds: how long it took.
    """

    model: Model
    states: int = 0
    transitions: int = 0
    depth: int = 0
    ends: int = 0
    ticks: int = 0
    complete: bool = False
    reduced: bool = False
    counterexample: Counterexample | None = None
    missed: tuple[str, ...] = ()
    seconds: float = 0.0
    _space: Space | None = None
    _all: list[State] = field(factory=list)
    _terminal: list[int] = field(factory=list)

    @property
    def ok(self) -> bool:
        """Whether all states were seen and every property holds."""
        return self.complete and self.counterexample is None and not self.missed

    def raise_if_failed(self) -> None:
        """Raise for the first thing that is wrong.

        Raises:
            CounterexampleFound: for a property that fails.
            IncompleteExploration: where a limit was reached.
            NeverReached: for what should hold sometimes and never does.
        """
        if self.counterexample is not None:
            raise CounterexampleFound(self.counterexample.what, self.counterexample)
        if not self.complete:
            what = f"after {self.states:,} states the limit was reached, and there are more"
            raise IncompleteExploration(what, hint="a smaller model, or more max_states or limit_s")
        if self.missed:
            raise NeverReached(self.missed, 1)

    def views(self) -> Iterator[View]:
        """Every state that was found, in the order in which it was."""
        assert self._space is not None
        return (View(self._space, state) for state in self._all)

    def ended(self) -> Iterator[View]:
        """The states that nothing but a fault leads away from."""
        assert self._space is not None
        return (View(self._space, self._all[index]) for index in self._terminal)

    def __repr__(self) -> str:
        return f"<Exploration: {self}>"

    def __str__(self) -> str:
        parts = [
            f"{self.states:,} states, {self.transitions:,} transitions, depth {self.depth}, {self.ends:,} ends",
            "up to renaming" if self.model.groups else "",
            "reduced" if self.reduced else "",
            "" if self.complete else "not complete" if self.counterexample is None else "stopped at a counterexample",
            f"{self.ticks:,} ticks evaluated in {self.seconds:.2f} s",
            f"never: {', '.join(self.missed)}" if self.missed else "",
        ]
        text = "; ".join(part for part in parts if part)
        return text if self.counterexample is None else f"{text}\n{self.counterexample}"


def explore(
    model: Model,
    *,
    reduce: bool = False,
    max_states: int | None = None,
    limit_s: float | None = None,
    progress: Callable[[Progress], object] | None = None,
) -> Exploration:
    """Look at every state of a model that can be reached, nearest first, until a property fails.

    Args:
        model: it.
        reduce: leave out orders of messages of which it is known that they make no difference (partial-order reduction). Ends,
            and verdicts on all properties, stay what they are; with `eventually` or `leads_to` nothing is left out.
        max_states, limit_s: stop there; then the exploration is not complete.
        progress: called about once a second.

    Returns:
        what was found: exact counts, and the shortest counterexample if there is one.

    Raises:
        UsageError: for a model without nodes, or what its programs do that a model cannot have.
    """
    if not model.members:
        raise UsageError("a model without nodes has no states", hint="model.add(Program, address)")
    kept: frozenset[int] = frozenset()
    while True:
        search = _Search(model, reduce, kept, max_states, limit_s, progress)
        search.run()
        doubtful = frozenset() if search.reduction is None else search.reduction.doubtful()
        if not doubtful - kept:
            return search.found
        kept |= doubtful


class _Search:
    """One exploration under way."""

    def __init__(
        self,
        model: Model,
        reduce: bool,
        kept: frozenset[int],
        max_states: int | None,
        limit_s: float | None,
        progress: Callable[[Progress], object] | None,
    ) -> None:
        self.model, self.space = model, Space(model)
        self.checks = Checks(model, self.space)
        self.reduction = Reduction(self.space, kept) if reduce and not self.checks.lasting else None
        self.found = Exploration(model, reduced=self.reduction is not None)
        self.found._space, self.states = self.space, self.found._all
        self.symmetry = Symmetry(self.space) if model.groups else None
        if self.symmetry is not None and self.checks.lasting:
            what = "with interchangeable nodes there is no `eventually` and no `leads_to`"
            raise UsageError(what, hint="ask for either in a model of its own")
        self.index: dict[State, int] = {}
        self.parents, self.depths = array("q"), array("l")
        self.max_states, self.limit_s, self.progress = max_states, limit_s, progress
        self.began = self.told = time.monotonic()

    def run(self) -> None:
        """All of it."""
        found = self.found
        initial = self.space.initial()
        if self.symmetry is not None:
            self.symmetry.check_beginning([state for _, state in initial if state is not None])
        found.complete = not self._discover(-1, initial) and self._spread()
        if found.complete:
            self._last()
        found.states, found.transitions = len(self.states), self.space.steps
        found.depth = max(self.depths, default=0)
        found.ends = len(found._terminal)
        found.ticks = sum(len(local.outcomes) for process in self.space.processes for local in process.locals)
        found.missed = self.checks.missed()
        found.seconds = time.monotonic() - self.began

    def _spread(self) -> bool:
        """Leave every state in the order of discovery; returns whether that came to its end."""
        at, states, discover = 0, self.states, self._discover
        successors = self.space.successors if self.reduction is None else self._reduced
        while at < len(states):
            if not at % _LOOK and self._limited(at):
                return False
            if discover(at, successors(states[at])):
                return False
            at += 1
        return True

    def _reduced(self, state: State) -> list[Step]:
        assert self.reduction is not None
        return self.reduction.step(state, self._is_new) or self.space.successors(state)

    def _is_new(self, state: State) -> bool:
        return (state if self.symmetry is None else self.symmetry.key(state)) not in self.index

    def _limited(self, at: int) -> bool:
        """Whether to stop; and tell how far it is."""
        now = time.monotonic()
        if self.progress is not None and now - self.told >= 1:
            self.told = now
            self.progress(Progress(len(self.states), self.space.steps, self.depths[-1], len(self.states) - at, now - self.began))
        return self.limit_s is not None and now - self.began > self.limit_s

    def _discover(self, parent: int, steps: list[Step]) -> bool:
        """Take in where steps lead; returns whether to stop: something failed, or a limit is reached."""
        index, states = self.index, self.states
        leads_away = parent < 0
        here = None if leads_away else states[parent]
        for action, state in steps:
            if state is None:
                return self._fail_by_error(parent, action)
            if action.kind not in FAULTS and state != here:
                leads_away = True
            key = state if self.symmetry is None else self.symmetry.key(state)
            if key not in index:
                if self.max_states is not None and len(states) >= self.max_states:
                    return True
                index[key] = len(states)
                states.append(state)
                self.parents.append(parent)
                self.depths.append(self.depths[parent] + 1 if parent >= 0 else 0)
                if (failed := self.checks.wrong(View(self.space, state), self.space, state)) is not None:
                    return self._fail(failed, len(states) - 1)
        return not leads_away and self._end(parent)

    def _end(self, index: int) -> bool:
        self.found._terminal.append(index)
        failed = self.checks.wrong_end(self.space, self.states[index])
        return failed is not None and self._fail(failed, index)

    # -- failures

    def path(self, index: int) -> list[int]:
        """The states from the beginning to one."""
        found = []
        while index >= 0:
            found.append(index)
            index = self.parents[index]
        return found[::-1]

    def _fail(self, what: str, index: int) -> bool:
        return self._show(what, [self.states[i] for i in self.path(index)], None)

    def _fail_by_error(self, parent: int, action: Taken) -> bool:
        assert action.outcome is not None
        error = action.outcome.error
        return self._show(f"{type(error).__name__}: {error}", [self.states[i] for i in self.path(parent)], action)

    def _show(self, what: str, path: list[State], last: Taken | None, loop: int | None = None) -> bool:
        self.found.counterexample = described(what, self.space, path, last, loop)
        return True

    # -- what only the whole graph can tell

    def _last(self) -> None:
        for one in self.checks.lasting:
            cycle = unfulfilled(one, self.space, self.states, self.index, self.parents)
            if cycle is not None:
                path, loop = cycle
                self._show(f"{one.name}: it need not come", [self.states[i] for i in path], None, loop)
                return
