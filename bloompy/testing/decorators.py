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

from bloompy.errors import UsageError
from bloompy.sim.faults import Faults
from bloompy.sim.search.campaign import Campaign, campaign
from bloompy.sim.search.running import Outcome, Plan, Test, check_deterministic, plan_of, run_once
from bloompy.sim.search.shrinking import Shrunk
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
    settings = Settings(runs=runs, faults=faults, first_seed=first_seed, time_limit_s=time_limit_s, options=options)

    def search(test: Test, session: Session, name: str) -> None:
        __tracebackhide__ = True
        _search(test, settings, session, name)

    return _decorate(function, search, settings)


def _decorate(function: Any, search: Callable[[Test, Session, str], None], settings: Settings) -> Any:
    """A decorator whose tests are searched in a way of their own; replay and regressions are the same for all."""

    def decorate(function: F) -> F:
        if "sim" not in inspect.signature(function).parameters:
            raise UsageError(f"{function.__qualname__} has no parameter `sim`", hint="the simulation is given by this name")

        @functools.wraps(function)
        def wrapper(*arguments: Any, **named: Any) -> None:
            __tracebackhide__ = True
            session, name = _located(function)

            def test(sim: Any) -> None:
                __tracebackhide__ = True
                function(*arguments, sim=sim, **named)

            if session.replay is not None:
                _again(test, session, name, session.replay, settings, "the run given by --bloompy-replay")
                return
            path, local = _regressions(session)
            for saved in regressions.of_test(path, local):
                _again(test, session, name, saved.word, settings, f"a saved run ({path.name})")
            search(test, session, name)

        signature = inspect.signature(function)
        kept = [one for one in signature.parameters.values() if one.name != "sim"]
        wrapper.__signature__ = signature.replace(parameters=kept)  # type: ignore[attr-defined]
        return wrapper  # type: ignore[return-value]

    return decorate if function is None else decorate(function)


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
    session.told(found)
    finish(found, session, name, every_kind=settings.faults is not None)


def finish(found: Campaign, session: Session, name: str, *, every_kind: bool = True) -> None:
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
    found.check(every_kind=every_kind)


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
    return error if session.full_traceback else error.with_traceback(reporting.trimmed(error))


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
