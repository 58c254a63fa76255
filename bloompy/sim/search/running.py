"""One run of a test: what it did and whether it failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from attrs import evolve, field, frozen

from bloompy.errors import NotDeterministic, UsageError
from bloompy.sim.faults import Faults
from bloompy.sim.schedule import Schedule, packed, unpacked
from bloompy.sim.search.failures import Kind, is_failure, kind_of
from bloompy.sim.simulation import Simulation
from bloompy.sim.trace import Trace

Test: TypeAlias = Callable[[Simulation], object]
"""What makes nodes in a simulation, runs it, and raises if something is wrong."""


DECORATED = "bloompy_test"
"""The attribute of a decorated test that holds the function that was decorated."""


@frozen(kw_only=True)
class Plan:
    """How to run a test.

    Attributes:
        seed: of everything drawn.
        schedule: the decisions to take; None to draw them.
        faults: from which mix.
        order, depth, frames: see `Simulation`.
        options: further arguments of `Simulation`.
        untraced: keep no trace, which halves the time of a run; one in which somebody asks for the trace is run again with it.
    """

    seed: int = 0
    schedule: Schedule | None = None
    faults: Faults | None = None
    order: str = "latency"
    depth: int = 3
    frames: int = 100
    options: Mapping[str, Any] = field(factory=dict)
    untraced: bool = False

    def simulation(self) -> Simulation:
        """One to run it in."""
        options: dict[str, Any] = {**self.options, "trace": False} if self.untraced else dict(self.options)
        return Simulation(
            self.seed,
            faults=self.faults,
            schedule=self.schedule,
            order=self.order,  # type: ignore[arg-type]
            depth=self.depth,
            frames=self.frames,
            **options,
        )


@frozen(kw_only=True, eq=False)
class Outcome:
    """What a run did.

    Attributes:
        plan: how it was run.
        error: how it failed; None if it did not.
        kind: of the failure; empty if there was none.
        schedule: the decisions taken. With the plan's seed they give this run again.
        sim: the simulation as the run left it.
    """

    plan: Plan
    error: BaseException | None
    kind: Kind
    schedule: Schedule
    sim: Simulation = field(repr=False)

    @property
    def failed(self) -> bool:
        """Whether it did."""
        return self.error is not None

    @property
    def counts(self) -> Counter[str]:
        """Faults by kind."""
        return self.sim.counts

    @property
    def reached(self) -> Counter[str]:
        """How often each `sometimes` was reached; 0 where it was only declared."""
        return self.sim.reached

    @property
    def frames(self) -> int:
        """Frames sent."""
        return sum(link.sent for link in self.sim.network.links)

    @property
    def length(self) -> int:
        """Frames and ticks."""
        return self.frames + sum(node.tick_count for node in self.sim)

    @property
    def word(self) -> str:
        """The run as one word, for `--bloompy-replay` and `replay`."""
        return packed([self.plan.seed, _listed(self.schedule)])

    def __str__(self) -> str:
        end = f"{type(self.error).__name__}: {self.error}".splitlines()[0] if self.failed else "passed"
        return f"seed {self.plan.seed}: {end}"


def run_once(test: Test, plan: Plan | None = None, **changes: Any) -> Outcome:
    """Run a test in a simulation of its own.

    Args:
        test: it; of a decorated one, the function that was decorated.
        plan: how; or give its attributes by name, such as `run_once(test, seed=7)`.

    Raises:
        only what is no failure of the run: KeyboardInterrupt, `pytest.skip`.
    """
    plan = plan if plan is not None else Plan(**changes)
    sim = plan.simulation()
    none = _NoTrace(sim.trace) if plan.untraced else None
    if none is not None:
        sim.trace = none
    error: BaseException | None = None
    try:
        getattr(test, DECORATED, test)(sim)
    except BaseException as raised:
        if not is_failure(raised):
            raise
        error = raised
    if none is not None:
        sim.trace = Trace()
        if none.asked:
            return run_once(test, evolve(plan, untraced=False))
    return Outcome(plan=plan, error=error, kind=kind_of(error) if error is not None else (), schedule=sim.schedule, sim=sim)


def traced(test: Test, outcome: Outcome) -> Outcome:
    """The same run with its trace; the one given where it has it already, or does not come again."""
    if not outcome.plan.untraced:
        return outcome
    again = run_once(test, evolve(outcome.plan, untraced=False, schedule=outcome.schedule))
    return again if again.kind == outcome.kind else outcome


class _NoTrace(Trace):
    """Stands for the trace of a run that keeps none, and knows whether anybody asked for it."""

    def __init__(self, of: Trace) -> None:
        self.programs, self.partitions = of.programs, of.partitions
        self.asked = False

    @property
    def events(self) -> Any:  # type: ignore[override]
        self.asked = True
        raise UsageError("this run keeps no trace", hint="it is run again with one, if this error comes out of it or not")


def plan_of(word: str, **settings: Any) -> Plan:
    """The plan that repeats the run of a word (`Outcome.word`).

    Args:
        word: also a schedule's own (`Schedule.encode`), which is run with the seed 0.
        **settings: further attributes of the plan.

    Raises:
        UsageError: if it is none.
    """
    data = unpacked(word)
    if isinstance(data, list) and len(data) == 2 and isinstance(data[0], int) and isinstance(data[1], list):
        return Plan(seed=data[0], schedule=Schedule.decode(packed(data[1])), **settings)
    return Plan(schedule=Schedule.decode(word), **settings)


def replay(test: Test, word: str, **settings: Any) -> Outcome:
    """Run a test again as a word says."""
    return run_once(test, plan_of(word, **settings))


def check_deterministic(test: Test, plan: Plan | None = None, **changes: Any) -> Outcome:
    """Run a test twice from the same seed.

    Returns:
        the first of the two runs, which may have failed.

    Raises:
        NotDeterministic: with the first line of the two traces in which they differ.
    """
    first, second = run_once(test, plan, **changes), run_once(test, plan, **changes)
    difference = first.sim.trace.difference(second.sim.trace)
    if difference is None and first.kind == second.kind and first.schedule == second.schedule:
        return first
    hint = "the test or a program in it uses what the simulation does not decide: a clock, random numbers, the order of a set, a state kept"
    raise NotDeterministic(f"two runs from seed {first.plan.seed} differ: {_difference(first, second, difference)}", hint=hint)


def _difference(first: Outcome, second: Outcome, lines: tuple[str, str] | None) -> str:
    if lines is not None:
        return f"once\n  {lines[0]}\nand then\n  {lines[1]}"
    if first.kind != second.kind:
        return f"once {_end(first)} and then {_end(second)}"
    return f"once the schedule is\n{first.schedule}\nand then\n{second.schedule}"


def _end(outcome: Outcome) -> str:
    return f"it fails with {type(outcome.error).__name__}" if outcome.failed else "it passes"


def _listed(schedule: Schedule) -> Any:
    return unpacked(schedule.encode())
