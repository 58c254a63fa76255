"""The pytest plugin: tests learn the command line's options, failures get their reports, campaigns and coverage a summary.

The part that is loaded at every start of pytest, whether a test needs bloompy or not, is `entry.py`.
"""

from __future__ import annotations

import hashlib
import time
import traceback
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from bloompy.errors import CounterexampleFound, IncompleteExploration, InjectedNothing, NeverReached, NotDeterministic, StatesMiscounted
from bloompy.sim.search.campaign import Campaign
from bloompy.sim.search.failures import is_failure, kind_of
from bloompy.sim.search.running import Outcome, Plan, plan_of
from bloompy.sim.simulation import Simulation
from bloompy.testing import reporting
from bloompy.testing.coverage import Coverage, merged, summary
from bloompy.testing.session import Session, begin

PROGRESS_S = 5.0
"""Seconds between two lines about a long campaign, with -v."""

_CAMPAIGN = "bloompy campaign"
_COVERAGE = "bloompy_coverage"
_WITHOUT_A_RUN = (CounterexampleFound, IncompleteExploration, InjectedNothing, NeverReached, NotDeterministic, StatesMiscounted)
_PLAN = pytest.StashKey[Plan]()


class Plugin:
    """Registered once a collected test needs it.

    Args:
        config: of the session.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._verbose = config.get_verbosity() > 0
        self._campaigns: list[tuple[str, str]] = []
        self._shown = 0.0
        self._coverage: Coverage | None = None
        self._elsewhere: list[dict[str, Any]] = []
        if config.getoption("--bloompy-coverage"):
            self._coverage = Coverage()
            self._coverage.begin()

    # -- one test

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Have the decorators know the options; check what the fixture's simulation was to reach."""
        __tracebackhide__ = True
        before = begin(self._session(item))
        try:
            try:
                result = yield
            except BaseException as error:
                _report(item, error)
                raise
            _finish(item)
            return result
        finally:
            begin(before)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Put what is told about a failing run below its traceback; what a campaign lacks has no traceback of interest."""
        report = yield
        error = call.excinfo.value if call.excinfo is not None else None
        told = getattr(error, reporting.REPORT, None)
        if told is not None and report.failed:
            report.sections.append(("bloompy: a failing run", str(told)))
        elif isinstance(error, _WITHOUT_A_RUN) and report.failed:
            report.longrepr = "".join(traceback.format_exception_only(error)).rstrip()
        return report

    def _session(self, item: pytest.Item) -> Session:
        option = self._config.getoption
        name = item.name

        def told(text: str, interrupted: bool) -> None:
            item.user_properties.append((_CAMPAIGN, text))
            if interrupted:  # there may be no report of this test
                self._campaigns.append((item.nodeid, text))

        def stop(reason: str) -> None:
            item.session.shouldstop = reason

        return Session(
            replay=option("--bloompy-replay"),
            save=option("--bloompy-save"),
            regressions=option("--bloompy-regressions"),
            runs=option("--bloompy-runs"),
            first_seed=option("--bloompy-seed"),
            twice=option("--bloompy-twice"),
            under_pytest=True,
            full_traceback=bool(option("--full-trace")),
            test=(Path(item.path), item.nodeid),
            progress=(lambda campaign, runs: self._progress(name, campaign, runs)) if self._verbose else None,
            told=told,
            stop=stop,
        )

    def _progress(self, name: str, campaign: Campaign, runs: int) -> None:
        now = time.monotonic()
        if campaign.runs == 1:
            self._shown = now
        if now < self._shown + PROGRESS_S:
            return
        self._shown = now
        terminal, capture = (self._config.pluginmanager.getplugin(one) for one in ("terminalreporter", "capturemanager"))
        if terminal is not None and capture is not None:
            with capture.global_and_fixture_disabled():
                terminal.ensure_newline()
                terminal.write_line(f"{name}: {campaign.runs:,} of {runs:,} runs, {campaign.frames:,} frames")

    # -- the summary

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what campaigns did, also where the test ran in another process."""
        if report.when == "call":
            found = ((report.nodeid, str(text)) for name, text in report.user_properties if name == _CAMPAIGN)
            self._campaigns += [one for one in found if one not in self._campaigns]

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A process of pytest-xdist ended: what it covered counts."""
        found = getattr(node, "workeroutput", {}).get(_COVERAGE)
        if found is not None:
            self._elsewhere.append(found)

    def pytest_sessionfinish(self) -> None:
        """In a process of pytest-xdist, hand on what was covered."""
        if self._coverage is not None and hasattr(self._config, "workeroutput"):
            self._config.workeroutput[_COVERAGE] = self._coverage.data()

    def pytest_terminal_summary(self, terminalreporter: Any, exitstatus: int) -> None:
        """Campaigns with -v, or when Ctrl-C ended one; rules that never fired with --bloompy-coverage."""
        if self._campaigns and (self._verbose or exitstatus == pytest.ExitCode.INTERRUPTED):
            terminalreporter.section("bloompy: campaigns")
            for nodeid, text in self._campaigns:
                terminalreporter.write_line(f"{nodeid}: {text}")
        if self._coverage is not None:
            terminalreporter.section("bloompy: rules that never fired")
            for line in summary(merged([self._coverage.data(), *self._elsewhere]), Path(self._config.rootpath)):
                terminalreporter.write_line(line)

    def pytest_unconfigure(self) -> None:
        """End counting."""
        if self._coverage is not None:
            self._coverage.end()


# --- the fixture ------------------------------------------------------------------------------------------------


def simulation(request: pytest.FixtureRequest) -> Simulation:
    """What the fixture `sim` gives."""
    item = request.node
    options: dict[str, Any] = {}
    for marker in item.iter_markers("bloompy"):  # the closest comes first, and counts
        options = {**marker.kwargs, **options}
    options |= getattr(request, "param", None) or {}
    seed = options.pop("seed", None)
    first = item.config.getoption("--bloompy-seed")
    plan = Plan(
        seed=seed_of(item) + (first or 0) if seed is None else seed,
        faults=options.pop("faults", None),
        order=options.pop("order", "latency"),
        depth=options.pop("depth", 3),
        frames=options.pop("frames", 100),
        schedule=options.pop("schedule", None),
        options=options,
    )
    word = item.config.getoption("--bloompy-replay")
    item.stash[_PLAN] = plan if word is None else plan_of(word, options=options)
    made: Simulation = item.stash[_PLAN].simulation()
    return made


def seed_of(item: Any) -> int:
    """A seed made from a test's name, the same in any process and wherever the tests lie."""
    name = f"{Path(item.path).name}::{item.nodeid.partition('::')[2]}"
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")


def _finish(item: pytest.Item) -> None:
    """A test with the fixture passed: what it declared by `sometimes` must have been reached."""
    __tracebackhide__ = True
    sim = _simulation(item)
    if sim is None:
        return
    never = [name for name, times in sim.reached.items() if not times]
    if never:
        raise NeverReached(never, 1)
    if item.config.getoption("--bloompy-twice"):
        _run_again(item, sim)


def _run_again(item: pytest.Item, first: Simulation) -> None:
    """Run a test with the fixture once more; its other fixtures stay as the first run left them."""
    __tracebackhide__ = True
    assert isinstance(item, pytest.Function)
    second = item.stash[_PLAN].simulation()
    item.funcargs["sim"] = second
    try:
        item.runtest()
    finally:
        item.funcargs["sim"] = first
    difference = first.trace.difference(second.trace)
    if difference is not None:
        raise NotDeterministic(f"two runs from seed {first.seed} differ: once\n  {difference[0]}\nand then\n  {difference[1]}")


def _report(item: pytest.Item, error: BaseException) -> None:
    """Give the failure of a test with the fixture its report."""
    sim = _simulation(item)
    if sim is None or hasattr(error, reporting.REPORT) or not is_failure(error):
        return
    plan = item.stash[_PLAN]
    outcome = Outcome(plan=plan, error=error, kind=kind_of(error), schedule=sim.schedule, sim=sim)
    report = reporting.report_of(outcome, f"failed with the seed {plan.seed}", item.nodeid, under_pytest=True)
    setattr(error, reporting.REPORT, report)
    if not item.config.getoption("--full-trace"):
        reporting.shorten(error)


def _simulation(item: pytest.Item) -> Simulation | None:
    found = getattr(item, "funcargs", {}).get("sim")
    return found if isinstance(found, Simulation) and _PLAN in item.stash else None
