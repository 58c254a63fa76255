"""Time travel: the tables of any tick of any node, and runs that are the same up to a moment and go otherwise from there.

A tick is a function of what held before it and of its input, so what held after any tick is found by replaying the inputs that the
trace kept. A run is a function of its test, its seed and its schedule, so a fork is a run of the same test with the decisions that
were taken before some moment, and others after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from inspect import unwrap
from typing import Any, TypeAlias

from attrs import evolve

from bloompy.errors import UsageError
from bloompy.pictures.tables import Tables, TablesDifference, of_interest, tables_from
from bloompy.pictures.tables import difference as tables_difference
from bloompy.program import machine_of
from bloompy.sim.provenance import Run, cluster_of
from bloompy.sim.schedule import Decision, Schedule, seconds
from bloompy.sim.search.running import Outcome, Plan, Test, run_once
from bloompy.sim.simulation import Simulation

Moment: TypeAlias = "float | tuple[str, int] | tuple[str, int, int]"
"""A time in seconds, before anything that happens at it; or (node, tick) or (node, tick, incarnation), right after that tick."""

_INPUT = frozenset({"draw", "skip", "link"})  # what the test asks for and how the network is built: no fault, and the same in a fork
_IN_TIME = frozenset({"partition", "pause"})  # decided by their time


def at(sim: Simulation, node: str, step: int | None = None, incarnation: int | None = None, *, time: float | None = None) -> Tables:
    """The tables of a node as they were at the end of one of its ticks.

    Args:
        sim: the simulation, which has kept its trace.
        node: address.
        step: number of the tick; 0 for what its store held when it started. By default the last.
        incarnation: of the node; by default the last, or the one that ran at the time.
        time: in place of a number, seconds: the last tick that was no later.

    Raises:
        UsageError: for a node or a tick that there was not.
    """
    cluster = cluster_of(sim)
    which = incarnation if incarnation is not None else _incarnation(cluster.runs_of(node), sim, time)
    run = cluster.runs.get((node, which))
    times = [one for one in run.times if time is None or one <= time] if run is not None else []
    step = step if step is not None else len(times)
    if run is None or not 0 <= step <= len(times):
        hint = f"it had {len(times)} ticks" if run is not None else "its last is the default"
        raise UsageError(f"there is no tick {step} of {node!r}, incarnation {which}", hint=hint)
    facts = cluster.prover(node, which).replay.at(step)
    program = machine_of(sim.nodes[node].program).program
    title = f"{node}, tick {step} at {seconds(times[step - 1])}" if step else f"{node}, before its first tick"
    title += f", incarnation {which}" if which > 1 else ""
    return tables_from(program, {one.name: facts[one.name].values() for one in of_interest(program)}, title)


def changed(sim: Simulation, node: str, first: int, last: int, incarnation: int | None = None) -> TablesDifference:
    """What changed in the tables of a node between the ends of two of its ticks."""
    return tables_difference(at(sim, node, first, incarnation), at(sim, node, last, incarnation))


def _incarnation(runs: Sequence[Run], sim: Simulation, time: float | None) -> int:
    node = runs[0].node
    starts = [one for one in sim.trace.events if one.node == node and one.kind in ("start", "restart")]
    return max((one.incarnation for one in starts if time is None or one.time <= time), default=1)


# --- forks --------------------------------------------------------------------------------------------------------


def fork(
    test: Test,
    run: Outcome | Simulation,
    moment: Moment,
    changes: Iterable[Decision] | Schedule = (),
    *,
    keep: bool = False,
    then: Callable[[Simulation], object] | None = None,
) -> Outcome:
    """Run a test again: as it went up to a moment, and otherwise from there.

    Args:
        test: the test that was run, a function of a simulation.
        run: how it was run: what `run_once` or `replay` returned, or the simulation itself (if it was made without further arguments).
        moment: up to when it goes as it did.
        changes: decisions for afterwards. Without any, nothing goes wrong any more.
        keep: also the run's own decisions for afterwards are taken, but where `changes` has one for the same point.
        then: called at the moment with the new simulation, for faults by hand.

    Returns:
        the new run, with its simulation and the error that ended it, if any. What the test draws is as it was.

    Raises:
        UsageError: for a moment that the run did not reach.
    """
    plan = run.plan if isinstance(run, Outcome) else Plan(seed=run.seed)
    plan = evolve(plan, schedule=run.schedule)
    before = _decided_before(test, plan, moment)
    kept = {(one.kind, one.at): one for one in run.schedule.decisions if keep or one.kind in _INPUT}
    kept |= {(one.kind, one.at): one for one in before}
    changing = changes.decisions if isinstance(changes, Schedule) else tuple(changes)
    for one in changing:
        if any((one.kind, one.at) == (known.kind, known.at) and one != known for known in before):
            raise UsageError(f"{one.words}: that was decided before {_words(moment)}", hint="fork at an earlier moment")
        kept[one.kind, one.at] = one
    schedule = Schedule(tuple(kept.values()))
    return run_once(_telling(test, moment, then) if then is not None else test, evolve(plan, schedule=schedule))


class _Reached(BaseException):
    """Ends a run at the moment at which it is to be forked. No `Exception`: no test may catch it."""


def _decided_before(test: Test, plan: Plan, moment: Moment) -> tuple[Decision, ...]:
    """The decisions that the run took before the moment, found by running it up to there."""
    sim = plan.simulation()

    def stop() -> None:
        raise _Reached

    _on(sim, moment, stop)
    try:
        unwrap(test)(sim)
    except _Reached:
        now = moment if isinstance(moment, float | int) else sim.now
        return tuple(one for one in sim.schedule.decisions if one.kind not in _IN_TIME or _start(one) < now)
    except Exception as error:
        raise UsageError(f"the run did not reach {_words(moment)}", hint=f"it ended at {sim.now:g} s by {type(error).__name__}") from error
    raise UsageError(f"the run did not reach {_words(moment)}", hint=f"it ended at {sim.now:g} s")


def _telling(test: Test, moment: Moment, then: Callable[[Simulation], object]) -> Test:
    """The test, with something done at a moment."""

    def told(sim: Simulation) -> object:
        _on(sim, moment, lambda: sim.agenda.at(sim.now, lambda: _done(then(sim))))
        return unwrap(test)(sim)

    return told


def _on(sim: Simulation, moment: Moment, call: Callable[[], object]) -> None:
    """Have something called at a moment, once."""
    if isinstance(moment, float | int):
        sim.agenda.at(moment, lambda: _done(call()), idle=True)
        return
    node, step, *which = moment
    left = [call]

    def look() -> None:
        found = sim.nodes.get(node)
        if left and found is not None and found.safe_step == step and (not which or found.incarnation == which[0]):
            left.pop()()

    sim.always(look)


def _start(decision: Decision) -> float:
    return float(decision.value[0])


def _words(moment: Moment) -> str:
    if isinstance(moment, float | int):
        return seconds(moment)
    node, step, *which = moment
    return f"tick {step} of {node}" + (f", incarnation {which[0]}" if which else "")


def _done(value: Any) -> None:
    """Calls of the agenda return nothing."""
