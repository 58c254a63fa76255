"""The part of the pytest plugin that every start of pytest loads (entry point): options, the marker, and the fixture `sim`.

It imports nothing of the language and its engine. What it does is in `bloompy.testing.plugin`, which is loaded when a collected
test needs it.
"""

from __future__ import annotations

import sys
from typing import Any

import pytest

_DECORATORS = "bloompy.testing.decorators"
_PLUGIN = "bloompy.testing"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("bloompy", "bloompy: simulated runs")
    group.addoption("--bloompy-replay", metavar="WORD", help="make just this run of the tests selected; a failure's report has the word")
    group.addoption("--bloompy-save", action="store_true", help="write failing runs into the file of regressions beside their test")
    group.addoption(
        "--bloompy-regressions", metavar="NAME", default="bloompy-regressions.txt", help="name of that file (default: %(default)s)"
    )
    group.addoption("--bloompy-runs", metavar="N", type=int, help="make N runs of each test, whatever its decorator says")
    group.addoption("--bloompy-seed", metavar="N", type=int, help="count seeds from N, to have other runs")
    group.addoption("--bloompy-twice", action="store_true", help="run everything twice, and show the first difference")
    group.addoption("--bloompy-coverage", action="store_true", help="show the rules that never fired")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "bloompy(**options): arguments of the Simulation that the fixture `sim` gives, such as faults")
    if config.getoption("--bloompy-coverage"):
        _load(config)


def pytest_collection_finish(session: pytest.Session) -> None:
    if _DECORATORS in sys.modules or any("sim" in getattr(item, "fixturenames", ()) for item in session.items):
        _load(session.config)


@pytest.fixture
def sim(request: pytest.FixtureRequest) -> Any:
    """A `bloompy.sim.Simulation`, its seed made from the test's name; options by `@pytest.mark.bloompy(…)` or indirect parameters."""
    from bloompy.testing import plugin

    return plugin.simulation(request)


def _load(config: pytest.Config) -> None:
    if not config.pluginmanager.has_plugin(_PLUGIN):
        from bloompy.testing.plugin import Plugin

        config.pluginmanager.register(Plugin(config), _PLUGIN)
