"""Time travel: the tables of any tick, and runs that go otherwise from a moment on."""

from __future__ import annotations

import pytest

from bloompy.errors import ClusterViolation, UsageError
from bloompy.sim import Decision, Faults, Schedule, Simulation
from bloompy.sim.search.running import run_once
from bloompy.sim.travel import at, changed, fork
from bloompy.testing import random_faults
from tests.sim.programs import Journal, Ping


def pings(sim: Simulation) -> None:
    """Three messages from a to b, one a second."""
    a, b = sim.add(Ping, "a"), sim.add(Ping, "b")
    for number in range(3):
        a.put.insert(("b", f"m{number}"))
        sim.run(for_s=1.0)
    texts = {row.text for row in b.got} if b.up else set()
    if len(texts) < 2:
        raise AssertionError(f"only {sorted(texts)}")


def sends(sim: Simulation) -> list[tuple[str, float]]:
    return [(one.kind, one.time) for one in sim.trace.events if one.kind in ("send", "drop")]


# --- tables of a tick ---------------------------------------------------------------------------------------------


def test_tables_are_as_they_were() -> None:
    sim = Simulation()
    pings(sim)
    last = sim["b"].step
    assert at(sim, "b")["got"] == tuple(sorted(tuple(row) for row in sim["b"].got))
    steps = [at(sim, "b", step)["got"] for step in range(last + 1)]
    assert [len(rows) for rows in steps] == [0, *sorted(len(rows) for rows in steps[1:])]
    assert [text for _, text, _ in steps[-2]] == ["m0", "m1"]
    assert at(sim, "b", time=1.5)["got"] == steps[-2]
    assert at(sim, "b", time=0.0)["got"] == ()


def test_what_changed_between_two_ticks() -> None:
    sim = Simulation()
    pings(sim)
    last = sim["b"].step
    found = changed(sim, "b", last - 1, last)
    assert [(one.how, one.row[1]) for one in found.changes["got"]] == [("+", "m2")]
    assert f"b, tick {last} at" in str(found)


def test_after_a_restart_the_store_is_what_there_was_before_the_first_tick() -> None:
    sim = Simulation()
    a = sim.add(Journal, "a")
    a.put.insert("x")
    sim.run(for_s=1.0)
    a.restart()
    a.put.insert("y")
    sim.run(for_s=1.0)
    assert at(sim, "a", 0)["kept"] == (("x",),)
    assert at(sim, "a")["kept"] == (("x",), ("y",))
    assert at(sim, "a")["seen"] == (("y",),)
    assert at(sim, "a", incarnation=1)["seen"] == (("x",),)
    assert at(sim, "a", time=0.5)["seen"] == (("x",),)
    assert "incarnation 2" in at(sim, "a").title


def test_what_there_was_not_is_said() -> None:
    sim = Simulation()
    pings(sim)
    with pytest.raises(UsageError, match=r"no node 'z'"):
        at(sim, "z")
    with pytest.raises(UsageError, match=r"no tick 99 of 'b', incarnation 1"):
        at(sim, "b", 99)
    with pytest.raises(UsageError, match=r"no tick 1 of 'b', incarnation 7"):
        at(sim, "b", 1, 7)


# --- forks --------------------------------------------------------------------------------------------------------

DROP_SECOND = Decision("drop", ("a", "b", 2), True)
DROP_THIRD = Decision("drop", ("a", "b", 3), True)


def test_a_fork_is_the_same_up_to_the_moment() -> None:
    run = run_once(pings, schedule=Schedule((Decision("drop", ("a", "b", 1), True),)))
    forked = fork(pings, run, 1.5, [DROP_THIRD])
    assert not run.failed
    assert forked.failed
    assert "only ['m1']" in str(forked.error)
    before = [str(one) for one in run.sim.trace.events if one.time < 1.5]
    assert before == [str(one) for one in forked.sim.trace.events if one.time < 1.5]
    assert len(before) > 5


def test_without_changes_nothing_goes_wrong_any_more() -> None:
    run = run_once(pings, schedule=Schedule((DROP_SECOND, DROP_THIRD)))
    assert run.failed
    assert not fork(pings, run, 1.5).failed
    assert [kind for kind, _ in sends(fork(pings, run, 1.5).sim)].count("drop") == 1
    assert fork(pings, run, 1.5, keep=True).failed


def test_a_fork_after_a_tick_decides_what_becomes_of_what_the_tick_sent() -> None:
    run = run_once(pings, schedule=Schedule((DROP_SECOND, DROP_THIRD)))
    lost = next(one for one in run.sim.trace.events if one.kind == "drop")
    forked = fork(pings, run, ("a", lost.step), [DROP_THIRD])
    assert [time for kind, time in sends(forked.sim) if kind == "drop"] == [pytest.approx(2.0)]
    assert not forked.failed


def test_a_tick_of_a_later_incarnation_is_meant_where_it_is_said() -> None:
    def test(sim: Simulation) -> None:
        pings(sim)
        sim["b"].restart()
        pings_on(sim)

    def pings_on(sim: Simulation) -> None:
        sim["a"].put.insert(("b", "m9"))
        sim.run(for_s=1.0)

    run = run_once(test)
    times: list[float] = []
    for moment in (("b", 2), ("b", 2, 2)):
        fork(test, run, moment, then=lambda sim: times.append(sim.now))
    assert times[0] < 3.0 <= times[1]


def test_faults_by_hand_from_a_moment_on() -> None:
    run = run_once(pings)
    forked = fork(pings, run, 0.5, then=lambda sim: sim.partition("a", "b"))
    assert "only ['m0']" in str(forked.error)
    crashed = fork(pings, run, ("b", 1), then=lambda sim: sim["b"].crash(down_s=0.5))
    assert sum(one.kind == "restart" for one in crashed.sim.trace.events) == 1


def test_a_random_run_can_be_forked_and_its_draws_stay() -> None:
    drawn: list[list[int]] = []

    def test(sim: Simulation) -> None:
        drawn.append([sim.integer(0, 1_000)])
        pings(sim)
        drawn[-1].append(sim.integer(0, 1_000))

    run = next(one for one in (run_once(test, seed=seed, faults=Faults.mix(drop=0.5, crashes=0)) for seed in range(50)) if one.counts["drop"])
    first = next(time for kind, time in sends(run.sim) if kind == "drop")
    drawn[:] = [drawn[-1]]
    calm = fork(test, run, first)
    assert calm.counts["drop"] == 0
    assert drawn[-1] == drawn[0]


def test_partitions_that_begin_later_are_not_kept() -> None:
    early = Decision("partition", (0,), [0.5, 0.9, ["a"], ["b"], False])
    late = Decision("partition", (1,), [1.5, None, ["a"], ["b"], False])
    run = run_once(pings, schedule=Schedule((early, late)))
    assert fork(pings, run, 1.2).schedule.decisions == (early,)
    assert fork(pings, run, 1.2, keep=True).schedule.decisions == (early, late)


def test_what_was_decided_cannot_be_decided_otherwise() -> None:
    run = run_once(pings, schedule=Schedule((Decision("duplicate", ("a", "b", 1), 0.1),)))
    with pytest.raises(UsageError, match=r"that was decided before 1\.5 s"):
        fork(pings, run, 1.5, [Decision("duplicate", ("a", "b", 1), 0.2)])


def test_a_moment_must_be_reached() -> None:
    run = run_once(pings)
    with pytest.raises(UsageError, match=r"did not reach 99 s"):
        fork(pings, run, 99.0)
    with pytest.raises(UsageError, match=r"did not reach tick 77 of b"):
        fork(pings, run, ("b", 77))
    broken = run_once(pings, schedule=Schedule((DROP_SECOND, DROP_THIRD)))
    with pytest.raises(UsageError, match=r"did not reach tick 9 of a, incarnation 2"):
        fork(pings, broken, ("a", 9, 2))


def test_a_run_that_failed_can_be_forked_before_its_failure() -> None:
    def test(sim: Simulation) -> None:
        sim.always(lambda: sim.now < 1.5, "time stands still")
        pings(sim)

    run = run_once(test)
    assert isinstance(run.error, ClusterViolation)
    assert [str(one) for one in fork(test, run, 1.0, keep=True).sim.trace.events] == [str(one) for one in run.sim.trace.events]


def test_a_decorated_test_is_forked_as_it_was_written() -> None:
    decorated = random_faults(runs=1)(pings)
    run = run_once(decorated)
    assert not run.failed
    assert "only ['m0']" in str(fork(decorated, run, 0.5, then=lambda sim: sim.partition("a", "b")).error)
    assert "only ['m0']" in str(fork(decorated, run, ("a", 2), [DROP_SECOND, DROP_THIRD]).error)


def test_waiting_for_the_moment_does_not_keep_a_run_from_settling() -> None:
    def test(sim: Simulation) -> None:
        sim.add(Ping, "a").put.insert(("b", "m"))
        sim.add(Ping, "b")
        sim.settle()

    with pytest.raises(UsageError, match=r"did not reach 5 s"):
        fork(test, run_once(test), 5.0)
