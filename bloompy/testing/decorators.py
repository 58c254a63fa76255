"""Decorators that turn a function of a simulation into a test of many runs.

    @random_faults(runs=200, faults=Faults.mix(crashes=2))
    def test_agreement(sim):
        …

They work on pytest's test functions, also in classes, with further fixtures and with `parametrize`, and on functions that one calls.
Only `sim` is new in every run: other fixtures are made once.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, overload

from attrs import evolve, frozen

from bloompy.errors import IncompleteExploration, StatesMiscounted, UsageError
from bloompy.sim.faults import Faults
from bloompy.sim.search.campaign import Campaign, campaign
from bloompy.sim.search.running import DECORATED, Outcome, Plan, Test, check_deterministic, plan_of, run_once
from bloompy.sim.search.shrinking import Shrunk, shrink
from bloompy.sim.simulation import Simulation
from bloompy.testing import regressions, reporting
from bloompy.testing.session import Session, current

F = TypeVar("F", bound=Callable[..., Any])

RUNS = 100
"""How many runs a test has by default."""


@frozen(kw_only=True)
class Settings:
    """What a decorator was given.

    Attributes:
        runs, faults, first_seed, time_limit_s: see `random_faults`.
        options: further arguments of `Simulation`.
    """

    runs: int = RUNS
    faults: Faults | None = None
    first_seed: int = 0
    time_limit_s: float | None = None
    options: Mapping[str, Any] = {}


@overload
def random_faults(function: F) -> F: ...
@overload
def random_faults(
    *, runs: int = ..., faults: Faults | None = ..., first_seed: int = ..., time_limit_s: float | None = ..., **options: Any
) -> Callable[[F], F]: ...
def random_faults(
    function: Any = None,
    *,
    runs: int = RUNS,
    faults: Faults | None = None,
    first_seed: int = 0,
    time_limit_s: float | None = None,
    **options: Any,
) -> Any:
    """Run a test many times, each from a seed of its own, under faults and orders drawn at random.

    The first failing run is shrunk. A campaign that passes fails all the same if no run reached a state given to `sim.sometimes`, or if
    faults that were asked for never occurred.

    Args:
        function: a test with a parameter `sim`.
        runs: how many; the first one meets no faults.
        faults: the mix; `Faults.mix()` by default.
        first_seed: seeds are counted from it.
        time_limit_s: begin no run after so many seconds.
        **options: further arguments of `Simulation`, such as `latency_s`.
    """
    if runs < 1:
        raise UsageError(f"runs={runs!r}", hint="give at least 1")
    _check_options("random_faults", options)
    settings = Settings(runs=runs, faults=faults, first_seed=first_seed, time_limit_s=time_limit_s, options=options)

    def search(test: Test, session: Session, name: str) -> None:
        __tracebackhide__ = True
        _search(test, settings, session, name)

    return _decorate(function, search, settings)


@overload
def lineage_driven(function: F) -> F: ...
@overload
def lineage_driven(
    *, end_of_faults_s: float = ..., crashes: int = ..., omissions: bool = ..., max_runs: int = ..., seed: int = ..., **options: Any
) -> Callable[[F], F]: ...
def lineage_driven(
    function: Any = None,
    *,
    end_of_faults_s: float = 1.0,
    crashes: int = 0,
    omissions: bool = True,
    max_runs: int = 1_000,
    seed: int = 0,
    **options: Any,
) -> Any:
    """Search for faults that break the outcome of a test, led by what the outcome relies on (see `bloompy.sim.lineage`).

    The test says at its end what it expects, by `bloompy.sim.lineage.expect`. It passes when no set of faults within the bounds
    can take away what was expected; it fails if `max_runs` do not suffice to know.

    Args:
        function: a test with a parameter `sim`.
        end_of_faults_s: faults are before this time.
        crashes: at most so many nodes crash, for ever.
        omissions: whether messages are lost.
        max_runs: give up after so many.
        seed, **options: of the simulations.
    """
    _check_options("lineage_driven", options)
    settings = Settings(first_seed=seed, options=options)

    def search(test: Test, session: Session, name: str) -> None:
        __tracebackhide__ = True
        from bloompy.sim import lineage  # these tests are few

        result = lineage.lineage_driven(
            test, end_of_faults_s=end_of_faults_s, crashes=crashes, omissions=omissions, max_runs=max_runs, seed=seed, **options
        )
        session.told(str(result).splitlines()[0], False)
        if result.schedule is not None:
            outcome = run_once(test, Plan(seed=seed, schedule=result.schedule, options=options))
            origin = f"found in run {result.runs:,} of a search led by lineage"
            if not outcome.failed:  # only the faults as they were tried break it, by their times
                outcome = evolve(outcome, error=result.error, sim=result.sim)
                raise _told(outcome, session, name, origin)
            raise _told((shrunk := shrink(test, outcome)).outcome, session, name, origin, shrunk)
        if not result.complete:
            raise IncompleteExploration(str(result), hint="more max_runs, or fewer crashes or a shorter end_of_faults_s")

    return _decorate(function, search, settings)


@overload
def exhaustive(function: F) -> F: ...
@overload
def exhaustive(
    *, states: int | None = ..., reduce: bool = ..., max_states: int | None = ..., limit_s: float | None = ..., **options: Any
) -> Callable[[F], F]: ...
def exhaustive(
    function: Any = None,
    *,
    states: int | None = None,
    reduce: bool = False,
    max_states: int | None = None,
    limit_s: float | None = None,
    **options: Any,
) -> Any:
    """Look at every state that a small cluster can reach (see `bloompy.sim.exploring`).

        @exhaustive(network="set", states=56)
        def test_two_phase_commit(model):
            model.add(…)
            model.always("agreement", lambda view: …)

    Args:
        states: the test fails too if there are not just so many.
        reduce, max_states, limit_s: of `Model.explore`.
        **options: of the `Model` that the test is given.
    """

    def decorate(function: F) -> F:
        call = _calling(function, "model")

        def run(arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
            __tracebackhide__ = True
            from bloompy.sim.exploring import Model

            model = Model(**options)
            call(model, arguments, named)
            session, _ = _located(function)
            found = model.explore(reduce=reduce, max_states=max_states, limit_s=limit_s)
            session.told(str(found).splitlines()[0], False)
            found.raise_if_failed()
            if states is not None and found.states != states:
                raise StatesMiscounted(f"there are {found.states:,} states, and not {states:,}", hint=str(found))

        return _without(function, "model", run)

    return decorate if function is None else decorate(function)


def _check_options(decorator: str, options: Mapping[str, Any]) -> None:
    """What a decorator passes on must be an argument of `Simulation`."""
    known = inspect.signature(Simulation).parameters
    for name in options:
        if name not in known:
            hint = f"kinds of faults go into faults=Faults({name}=…)" if hasattr(Faults(), name) else f"there are {', '.join(known)}"
            raise UsageError(f"@{decorator}({name}=…) is no argument of the decorator, nor of Simulation", hint=hint)


def _decorate(function: Any, search: Callable[[Test, Session, str], None], settings: Settings) -> Any:
    """A decorator whose tests are searched in a way of their own; replay and regressions are the same for all."""

    def decorate(function: F) -> F:
        call = _calling(function, "sim")

        def run(arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
            __tracebackhide__ = True
            session, name = _located(function)

            def test(sim: Any) -> None:
                __tracebackhide__ = True
                call(sim, arguments, named)

            if session.replay is not None:
                _again(test, session, name, session.replay, settings, "the run given by --bloompy-replay")
                return
            path, local = _regressions(session)
            for saved in regressions.of_test(path, local):
                _again(test, session, name, saved.word, settings, f"a saved run ({path.name})")
            search(test, session, name)

        return _without(function, "sim", run)

    return decorate if function is None else decorate(function)


def _calling(function: Callable[..., Any], name: str) -> Callable[[Any, tuple[Any, ...], dict[str, Any]], None]:
    """Calls a function with arguments that lack one of its parameters, and a value for that one."""
    parameters = inspect.signature(function).parameters
    if name not in parameters:
        raise UsageError(f"{function.__qualname__} has no parameter `{name}`", hint="what it works with is given by this name")
    if inspect.iscoroutinefunction(function):
        hint = "write a plain function; clients that wait are coroutines given to sim.spawn"
        raise UsageError(f"{function.__qualname__} is a coroutine function", hint=hint)
    place = list(parameters).index(name)

    def call(value: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        __tracebackhide__ = True
        if len(arguments) > place:
            function(*arguments[:place], value, *arguments[place:], **named)
        else:
            function(*arguments, **{name: value}, **named)

    return call


def _without(function: F, parameter: str, run: Callable[[tuple[Any, ...], dict[str, Any]], None]) -> F:
    """A function in place of another that lacks one of its parameters, so that pytest looks for no fixture of this name."""

    @functools.wraps(function)
    def wrapper(*arguments: Any, **named: Any) -> None:
        __tracebackhide__ = True
        run(arguments, named)

    signature = inspect.signature(function)
    kept = [one for one in signature.parameters.values() if one.name != parameter]
    wrapper.__signature__ = signature.replace(parameters=kept)  # type: ignore[attr-defined]
    setattr(wrapper, DECORATED, function)
    return wrapper  # type: ignore[return-value]


def _search(test: Test, settings: Settings, session: Session, name: str) -> None:
    __tracebackhide__ = True
    first_seed = settings.first_seed if session.first_seed is None else session.first_seed
    runs = settings.runs if session.runs is None else session.runs
    if session.twice:
        check_deterministic(test, Plan(seed=first_seed, options=settings.options))
        check_deterministic(test, Plan(seed=first_seed + 1, faults=settings.faults or Faults.mix(), options=settings.options))
    progress = session.progress
    found = campaign(
        test,
        runs=runs,
        first_seed=first_seed,
        faults=settings.faults,
        time_limit_s=settings.time_limit_s,
        options=settings.options,
        on_run=None if progress is None else lambda campaign: progress(campaign, runs),
    )
    session.told(str(found), found.interrupted)
    _finish(found, session, name, settings)


def _finish(found: Campaign, session: Session, name: str, settings: Settings) -> None:
    """Raise what a campaign found, with its report."""
    __tracebackhide__ = True
    if found.interrupted:
        if found.failure is None:
            raise KeyboardInterrupt(f"after {found}")
        session.stop("Ctrl-C while a failing run was being shrunk")
    if found.failure is not None:
        shrunk = found.failure
        origin = f"failed with the seed {shrunk.before.plan.seed}, in run {found.runs:,}"
        raise _told(shrunk.outcome, session, name, origin, shrunk)
    if found.runs >= settings.runs or session.runs is None:  # fewer runs than the test asks for need not get everywhere
        found.check(every_kind=settings.faults is not None)


def _again(test: Test, session: Session, name: str, word: str, settings: Settings, what: str) -> None:
    """Have a run again, and raise its failure."""
    __tracebackhide__ = True
    plan = plan_of(word, options=settings.options)
    outcome = check_deterministic(test, plan) if session.twice else run_once(test, plan)
    if outcome.failed:
        raise _told(outcome, evolve(session, save=False), name, f"failed in {what}")


def _told(outcome: Outcome, session: Session, name: str, origin: str, shrunk: Shrunk | None = None) -> BaseException:
    """The error of a run, with its report, and a short traceback; the run is saved if that was asked for."""
    error = outcome.error
    assert error is not None
    words = reporting.shrunk_words(shrunk) if shrunk is not None else ""
    report = reporting.report_of(outcome, origin, name, shrunk=words, under_pytest=session.under_pytest)
    setattr(error, reporting.REPORT, report)
    if not session.under_pytest:
        error.add_note(str(report))
    if session.save:
        path, local = _regressions(session)
        first = f"{type(error).__name__}: {error}".splitlines()[0]
        regressions.save(path, regressions.Regression(local, report.word, (first, *reporting.changes(report.schedule))))
    if not session.full_traceback:
        reporting.shorten(error)
    return error


def _located(function: Callable[..., Any]) -> tuple[Session, str]:
    """The session, knowing which test is run, and the name by which to run it again."""
    session = current()
    if session.test is not None:
        return session, session.test[1]
    file = Path(inspect.getsourcefile(function) or "tests.py")
    name = function.__qualname__.replace(".<locals>.", ".")
    return evolve(session, test=(file, f"{file.name}::{name.replace('.', '::')}")), name


def _regressions(session: Session) -> tuple[Path, str]:
    """The file of regressions of a test, and the test's name in it: its file's name and its own, without folders."""
    assert session.test is not None
    file, name = session.test
    return file.with_name(session.regressions), f"{file.name}::{name.partition('::')[2]}"
