"""Lineage-driven fault injection: from a good run, only the faults that could have broken it.

A test says at its end which rows are its good outcome (`expect`). It is run without faults; the derivations of these rows, over all
nodes, tell which messages and which nodes they relied on. A fault set that leaves no known derivation standing is tried next; either the
outcome is missing, which is a counterexample, or it came about in another way, whose derivation is learned, and the search goes on. When no
such fault set is left, the test is complete up to the bounds: the end of the run, the end of the faults, the number of crashes.

Source: Alvaro, Rosen, Hellerstein, "Lineage-driven Fault Injection", SIGMOD 2015. Differences: messages and crashes are named by the
(virtual) time at which they happen; a lost frame is all that one node sends to another at that time; and proofs are cut one by one
instead of being handed to a solver. What an outcome owes to the *absence* of rows of a view counts with the rows that kept them absent;
that a row of a table, or a message, did not come does not count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from inspect import unwrap
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

from attrs import define, evolve, field, frozen

from bloompy.engine.provenance import asking
from bloompy.engine.provenance.answers import Derivation, Fact
from bloompy.errors import OutcomeMissing, UsageError
from bloompy.sim.node import SimNode
from bloompy.sim.provenance import Cluster, cluster_of
from bloompy.sim.schedule import Decision, Schedule
from bloompy.sim.search.failures import is_failure, kind_of
from bloompy.sim.simulation import Simulation
from bloompy.sim.support import Bounds, Breaking, Faults, Formula, Formulas, Omission, Ran, Sent, is_harder

Test: TypeAlias = Callable[[Simulation], object]
"""Adds nodes to a simulation, runs it, and says what it expects; it raises if something else is wrong."""

Goal: TypeAlias = tuple[str, str, Any]
"""Node, collection and row of a good outcome."""

_JUST_AFTER_S = 1e-9
_MOST_FAULTS = 64

_EXPECTED: WeakKeyDictionary[Simulation, dict[Goal, Fact]] = WeakKeyDictionary()


def expect(sim: Simulation, node: str | SimNode, collection: str, row: Any) -> None:
    """State that a row is part of the good outcome: now, at the end of a test.

    A node that is down owes nothing: `expect` says nothing about it then.

    Args:
        sim: the simulation.
        node: address, or the node.
        collection: full name.
        row: the row, or its key.

    Raises:
        OutcomeMissing: if the node is up and does not hold it.
    """
    address = node.address if isinstance(node, SimNode) else node
    if not sim[address].up:
        return
    cluster = cluster_of(sim)
    run, tick = cluster.moment(address, None, None)
    prover = cluster.prover(address, run.incarnation)
    fact = asking.holding(prover, collection, row, tick)
    if fact is None:
        shown = asking.shown(prover, collection, row)
        missing = OutcomeMissing(f"{address} does not hold {shown} at {sim.now:.6g} s", hint="sim.why_not tells what it lacks")
        missing.asked = address, collection, row
        raise missing
    known = asking.known_of(prover.program.schemas[collection], collection, row)
    _EXPECTED.setdefault(sim, {})[address, collection, tuple(sorted(known.items()))] = fact


@frozen
class Trial:
    """One run: the faults that were tried, and how it ended.

    Attributes:
        faults: tried.
        end: in words.
    """

    faults: Faults
    end: str


@frozen
class LineageResult:
    """What a lineage-driven search found.

    Attributes:
        faults: of the counterexample; None where there is none.
        schedule: the same for `Simulation(schedule=…)`; None where there is none.
        error: how the run failed.
        confirmed: whether the schedule, run once more, fails in the same way.
        trials: the runs, in order.
        complete: whether every fault set within the bounds was tried or is known to leave a derivation standing.
        end_s: time at which the test ended without faults.
        bounds: of the faults.
        sim: the last run, for `sim.trace`, `sim.why` and `sim.why_not`.
    """

    faults: Faults | None
    schedule: Schedule | None
    error: BaseException | None
    confirmed: bool
    trials: tuple[Trial, ...]
    complete: bool
    end_s: float
    bounds: Bounds
    sim: Simulation = field(repr=False, eq=False)

    @property
    def found(self) -> bool:
        """Whether there is a counterexample."""
        return self.faults is not None

    @property
    def runs(self) -> int:
        """Number of runs up to the counterexample, or in all."""
        return len(self.trials)

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        bounds = self.bounds
        losses = f"losses before {bounds.end_s:.6g} s" if bounds.omissions else "no losses"
        upto = f"end at {self.end_s:.6g} s, {losses}, at most {bounds.crashes} crash{'' if bounds.crashes == 1 else 'es'}"
        runs = f"{self.runs:,} run{'' if self.runs == 1 else 's'}"
        if self.faults is None:
            yield f"complete after {runs}, up to: {upto}" if self.complete else f"nothing found in {runs}, not complete: {upto}"
            return
        yield f"counterexample in run {self.runs:,} ({upto})"
        assert self.schedule is not None
        yield from (f"  {line}" for line in self.schedule.words() or ["no fault is needed"])
        yield f"  {type(self.error).__name__}: {self.error}"
        if not self.confirmed:
            yield "  (the schedule, run by itself, does not fail in the same way)"


def lineage_driven(
    test: Test,
    *,
    end_of_faults_s: float,
    crashes: int = 0,
    omissions: bool = True,
    max_runs: int = 1_000,
    seed: int = 0,
    **options: Any,
) -> LineageResult:
    """Search for faults that break the outcome of a test, led by what the outcome relies on.

    Args:
        test: see `Test`; of a decorated one, the function that was decorated. It must `expect` something when nothing goes wrong.
        end_of_faults_s: all faults are before this time.
        crashes: at most so many nodes crash, for ever.
        omissions: whether messages are lost.
        max_runs: give up after so many.
        seed, **options: of the simulations.

    Raises:
        UsageError: if the test expects nothing.
    """
    return _Search(unwrap(test), Bounds(end_of_faults_s, crashes, omissions, {}), max_runs, seed, options).result()


@define
class _Known:
    """What is known of one expected row.

    Attributes:
        born: number of runs before the first in which it was expected.
        formulas: of the runs that had it.
        spared: the faults under which nobody expected it.
        bases: the smallest fault sets known under which it is expected.
        least: fault sets of smaller sizes are all tried, since more is known of the outcome only; counted from 1.
        closed: so are all others.
    """

    born: int
    formulas: list[Formula] = field(factory=list)
    spared: list[Faults] = field(factory=list)
    bases: list[Faults] = field(factory=list)
    least: int = 1
    closed: bool = False

    def reopen(self) -> None:
        """There are new faults that could be tried."""
        self.least, self.closed = 1, False


@frozen
class _Ended:
    """A run that has ended."""

    sim: Simulation
    error: BaseException | None


class _Search:
    """The state of one search."""

    def __init__(self, test: Test, bounds: Bounds, max_runs: int, seed: int, options: dict[str, Any]) -> None:
        self.test, self.bounds, self.max_runs, self.seed, self.options = test, bounds, max_runs, seed, options
        self.formulas = Formulas()
        self.known: dict[Goal, _Known] = {}
        self.trials: list[Trial] = []
        self.tried: set[Faults] = set()
        self.points: dict[str, dict[float, None]] = {}
        self.end_s = 0.0

    def result(self) -> LineageResult:
        """Search."""
        faults: Faults | None = frozenset()
        while faults is not None and len(self.trials) < self.max_runs:
            ended = self._run(faults)
            if not self.trials:
                self.end_s = ended.sim.now
            self.tried.add(faults)
            if ended.error is not None:
                self.trials.append(Trial(faults, f"{type(ended.error).__name__}: {ended.error}".splitlines()[0]))
                return self._counterexample(faults, ended)
            self._learn(faults, ended.sim)
            faults = self._next()
        return LineageResult(None, None, None, False, tuple(self.trials), faults is None, self.end_s, self.bounds, ended.sim)

    # -- runs

    def _run(self, faults: Faults) -> _Ended:
        sim = Simulation(self.seed, **self.options)
        losses: dict[tuple[str, str], set[float]] = {}
        for one in faults:
            if isinstance(one, Omission):
                losses.setdefault((one.source, one.target), set()).add(one.time)
            else:
                sim.at(one.time + _JUST_AFTER_S, _crash(sim, one.node))
        for (source, target), times in losses.items():
            sim.link(source, target).drop = _at_times(sim, times)
        try:
            self.test(sim)
        except BaseException as error:
            if not is_failure(error):
                raise
            return _Ended(sim, error)
        return _Ended(sim, None)

    def _counterexample(self, faults: Faults, ended: _Ended) -> LineageResult:
        schedule = schedule_of(ended.sim)
        again = Simulation(self.seed, schedule=schedule, **self.options)
        confirmed = False
        try:
            self.test(again)
        except BaseException as error:
            if not is_failure(error):
                raise
            assert ended.error is not None
            confirmed = kind_of(error) == kind_of(ended.error)
        return LineageResult(
            faults, schedule, ended.error, confirmed, tuple(self.trials), False, self.end_s, self.bounds, again if confirmed else ended.sim
        )

    # -- learning

    def _learn(self, faults: Faults, sim: Simulation) -> None:
        """Take in the derivations of what was expected, and note what was not."""
        goals = _EXPECTED.get(sim, {})
        if not goals and not self.trials:
            raise UsageError("the test expects nothing", hint='call expect(sim, "node", "collection", row) at its end')
        cluster = cluster_of(sim)
        self._learn_points(cluster)
        support = _Support(cluster, self.formulas, self.bounds)
        for goal, fact in goals.items():
            known = self.known.setdefault(goal, _Known(len(self.trials)))
            known.formulas.append(support.of(fact))
            if not any(is_harder(faults, base) for base in known.bases):
                known.bases.append(faults)
                known.reopen()
        for goal, known in self.known.items():
            if goal not in goals:
                known.spared.append(faults)
        end = "the outcome is there" if goals else "nothing was expected"
        self.trials.append(Trial(faults, end))

    def _learn_points(self, cluster: Cluster) -> None:
        """The times after which nodes could crash: those of their ticks."""
        for run in cluster.runs.values():
            for time in run.times if self.bounds.crashes else ():
                if time < self.bounds.end_s:
                    self.points.setdefault(run.node, {})[round(time, 9)] = None
        points = {name: list(times) for name, times in self.points.items()}
        if points != self.bounds.points:
            self.bounds = evolve(self.bounds, points=points)
            for known in self.known.values():
                known.reopen()

    def _next(self) -> Faults | None:
        """The smallest fault set that leaves no known derivation of some row standing and was not tried; None if there is none.

        Where a row is expected only under some faults, those do not count; and rows that came to be expected last come first: faults
        that changed the outcome have led away from what was good without them.
        """
        for size in range(1, _MOST_FAULTS + 1):
            still = sorted((known for known in self.known.values() if not known.closed), key=lambda known: -known.born)
            if not still:
                return None
            for known in still:
                if known.least <= size:
                    search = Breaking(known.formulas, self.bounds, known.spared, known.bases)
                    for faults in search.of_size(size):
                        if faults not in self.tried:
                            return faults
                    known.least, known.closed = size + 1, not search.cut_short
        return None


class _Support:
    """Turns the derivations of a run into formulas.

    What a row owes to its own node being up at the end does not count: a node that is down owes no row.
    """

    def __init__(self, cluster: Cluster, formulas: Formulas, bounds: Bounds) -> None:
        self.cluster, self.formulas, self.bounds = cluster, formulas, bounds
        self._known: dict[Fact, Formula] = {}

    def of(self, goal: Fact) -> Formula:
        """Of a row."""
        self._own = goal.node
        self._known = {}
        for fact, several in _postorder(goal, self._derivations):
            self._known[fact] = self.formulas.some([self._derivation(one) for one in several])
        return self._known[goal]

    def _derivations(self, fact: Fact) -> tuple[Derivation, ...]:
        """With what kept absent what had to be."""
        return tuple(
            evolve(one, premises=(*one.premises, *self._blocking(one))) if one.absences else one
            for one in self.cluster.prover(fact.node, fact.incarnation).derivations(fact, collapse=False)
        )

    def _blocking(self, one: Derivation) -> list[Fact]:
        found = [
            fact for absence in one.absences for fact in self.cluster.prover(absence.node, absence.incarnation).blocking(absence)
        ]
        return [fact for fact in found if fact not in one.premises and fact != one.fact]

    def _derivation(self, one: Derivation) -> Formula:
        parts = [self._known[premise] for premise in one.premises]
        parts += self._ran(one.fact.node, one.fact.time)
        message = one.message
        if message is not None and message.source != message.target:
            parts += self._ran(message.source, message.sent)
            parts += self._leaf(Sent(message.source, message.target, round(message.sent, 9)))
        return self.formulas.every(parts)

    def _ran(self, node: str, time: float) -> list[Formula]:
        return [] if node == self._own else self._leaf(Ran(node, round(time, 9)))

    def _leaf(self, leaf: Sent | Ran) -> list[Formula]:
        return [self.formulas.leaf(leaf)] if self.bounds.cuttable(leaf) else []


def _postorder(root: Fact, derivations: Callable[[Fact], tuple[Derivation, ...]]) -> Iterator[tuple[Fact, tuple[Derivation, ...]]]:
    """Facts with their derivations, premises before what follows from them."""
    done: set[Fact] = set()
    stack: list[tuple[Fact, tuple[Derivation, ...] | None]] = [(root, None)]
    while stack:
        fact, several = stack.pop()
        if several is not None:
            if fact not in done:
                done.add(fact)
                yield fact, several
        elif fact not in done:
            found = derivations(fact)
            stack.append((fact, found))
            stack += [(premise, None) for one in found for premise in one.premises if premise not in done]


def schedule_of(sim: Simulation) -> Schedule:
    """The losses and crashes of a run as a schedule that repeats them."""
    found: dict[tuple[str, Any], Decision] = {}
    ticks: dict[str, int] = {}
    for event in sim.trace:
        if event.kind == "tick":
            ticks[event.node] = ticks.get(event.node, 0) + 1
        elif event.kind == "drop" and event.text == "lost":
            at = event.node, event.peer, event.ordinal
            found["drop", at] = Decision("drop", at, True)
        elif event.kind == "crash":
            place = event.node, "tick", ticks.get(event.node, 0)
            found["crash", place] = Decision("crash", place, [None, "crash"])
    return Schedule(tuple(found.values()))


def _crash(sim: Simulation, node: str) -> Callable[[], None]:
    def crash() -> None:
        if node in sim.nodes and sim[node].up:
            sim[node].crash()

    return crash


def _at_times(sim: Simulation, times: set[float]) -> Callable[[int], bool]:
    return lambda ordinal: round(sim.now, 9) in times
