"""The garbage collector during a campaign."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from bloompy.errors import DeadLetter
from bloompy.sim import Simulation
from bloompy.sim.search.campaign import campaign
from tests.sim.programs import Fragile, Ping


@pytest.fixture(autouse=True)
def _enabled() -> Iterator[None]:
    gc.enable()
    yield
    gc.enable()


def test_it_rests_within_a_campaign_and_goes_on_afterwards_also_after_a_failure() -> None:
    def test(sim: Simulation) -> None:
        assert not gc.isenabled()
        sim.add(Ping, "a")
        sim.settle()

    found = campaign(test, runs=3)
    assert found.failure is None
    assert found.runs == 3
    assert gc.isenabled()

    def fails(sim: Simulation) -> None:
        raise ValueError("as it should")

    assert campaign(fails, runs=3).failure is not None
    assert gc.isenabled()


def test_one_that_was_off_stays_off() -> None:
    gc.disable()
    campaign(lambda sim: None, runs=2)
    assert not gc.isenabled()


def test_what_runs_leave_behind_does_not_pile_up() -> None:
    def test(sim: Simulation) -> None:
        for name in "ab":
            sim.add(Ping, name)
        sim.settle()

    campaign(test, runs=60)
    before = sum(isinstance(one, Simulation) for one in gc.get_objects())
    campaign(test, runs=200)
    assert sum(isinstance(one, Simulation) for one in gc.get_objects()) <= before + 60


def test_nodes_log_nothing_within_a_campaign(caplog: pytest.LogCaptureFixture) -> None:
    def test(sim: Simulation) -> None:
        a, b = sim.add(Fragile, "a"), sim.add(Fragile, "b")
        b.driver.outbox.add("ask", [("a", 0)])
        b.driver.wake()
        sim.settle()
        assert a.up

    assert campaign(test, runs=3, shrink_runs=5).failure is not None
    assert not caplog.records
    with pytest.raises(DeadLetter, match="ZeroDivisionError"):
        test(Simulation())
    assert "set aside" in caplog.text
