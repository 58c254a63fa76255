"""Campaigns find what orders and faults break, shrink it, and show it again; right programs pass."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from bloompy import Bloom, errors, invariant, rule, scratch, table
from bloompy.sim import Decision, Faults, Schedule
from bloompy.sim.search.campaign import Campaign, campaign
from bloompy.sim.search.failures import kind_of
from bloompy.sim.search.running import Plan, check_deterministic, plan_of, replay, run_once
from bloompy.sim.search.shrinking import is_change, shrink
from bloompy.sim.search.values import candidates, complexity
from bloompy.testing.strategies import schedules
from tests.sim.search.programs import Retrying, broadcast, counted, elect, overtaken, two_ways

CRASHES = Faults(crashes=1, delay=0.3)


def changes(outcome):
    return [one for one in outcome.schedule.decisions if is_change(one)]


# --- campaigns --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("test", "faults", "kinds"),
    [
        (broadcast, Faults(drop=0.1), ["drop"]),
        (counted, Faults(duplicate=0.05), ["duplicate"]),
        (overtaken, Faults(), ["delay"]),  # PCT reorders without any fault
        (elect, CRASHES, ["delay", "crash"]),
    ],
    ids=["loss", "repetition", "order", "crash"],
)
def test_a_campaign_finds_what_breaks_a_protocol_and_shrinks_it(test, faults, kinds):
    found = campaign(test, runs=300, faults=faults)
    assert found.failure is not None
    assert sorted(one.kind for one in changes(found.failure.outcome)) == sorted(kinds)
    assert found.failure.complete
    assert found.failure.outcome.kind == found.failure.before.kind
    again = replay(test, found.failure.outcome.word)
    assert (again.kind, again.schedule, again.sim.trace.digest) == (
        found.failure.outcome.kind,
        found.failure.outcome.schedule,
        found.failure.outcome.sim.trace.digest,
    )


def test_a_right_protocol_passes_and_what_happened_is_counted():
    found = campaign(partial(broadcast, program=Retrying), runs=40)
    assert (found.runs, found.failure, found.never_injected) == (40, None, ())
    found.check()
    assert str(found).startswith("40 runs in ")
    assert f"crash {found.counts['crash']}" in str(found)


def test_the_first_run_meets_no_fault_and_others_are_put_into_rare_orders():
    plans = []

    def test(sim):
        plans.append((sim.seed, bool(sim.faults.kinds), sim.order))

    campaign(test, runs=4, first_seed=10)
    assert plans == [(10, False, "latency"), (11, True, "latency"), (12, True, "pct"), (13, True, "latency")]


def test_campaigns_are_the_same_from_the_same_seeds():
    one, other = (campaign(elect, runs=40, faults=CRASHES) for _ in range(2))
    assert one.counts == other.counts
    assert one.failure.outcome.word == other.failure.outcome.word


def test_a_state_that_no_run_reached_fails_a_campaign():
    def test(sim):
        sim.sometimes("seed 3", sim.seed == 3)
        sim.sometimes("seed 9", sim.seed == 9)

    found = campaign(test, runs=5, faults=Faults())
    assert dict(found.reached) == {"seed 3": 1, "seed 9": 0}
    with pytest.raises(errors.NeverReached, match=r"no run of 5 reached sometimes\('seed 9'\)") as caught:
        found.check()
    assert caught.value.names == ("seed 9",)


def test_a_campaign_that_injected_nothing_fails():
    found = campaign(lambda sim: None, runs=3, faults=Faults(drop=0.5, crashes=1))
    with pytest.raises(errors.InjectedNothing, match="no fault of the kind drop, crash was injected in 3 runs"):
        found.check()
    found.counts["drop"] = 1
    found.check(every_kind=False)
    with pytest.raises(errors.InjectedNothing, match="no fault of the kind crash"):
        found.check()


def test_a_failing_run_comes_before_what_is_lacking():
    def test(sim):
        sim.sometimes("never", False)
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        campaign(test, runs=3).check()


def test_a_time_limit_ends_a_campaign_between_two_runs():
    assert campaign(lambda sim: None, runs=1000, time_limit_s=0.0).runs == 1


def test_ctrl_c_ends_a_campaign_with_what_was_found():
    def test(sim):
        if sim.seed == 2:
            raise KeyboardInterrupt

    found = campaign(test, runs=10)
    assert (found.runs, found.interrupted, found.failure) == (2, True, None)
    assert str(found).endswith("interrupted")


def test_ctrl_c_while_shrinking_keeps_the_failure():
    calls = []

    def test(sim):
        calls.append(sim)
        if len(calls) == 4:
            raise KeyboardInterrupt
        sim.integer(0, 1000)
        raise ValueError("wrong")

    found = campaign(test, runs=10)
    assert found.interrupted
    assert found.failure is not None
    assert (found.failure.complete, found.failure.interrupted, found.failure.repeats) == (False, True, True)
    assert len(calls) == 5  # once more, for the trace
    with pytest.raises(ValueError, match="wrong"):
        found.check()


def test_skipping_is_no_failure():
    def test(sim):
        pytest.skip("not here")

    with pytest.raises(pytest.skip.Exception, match="not here"):
        campaign(test, runs=3)
    assert run_once(lambda sim: pytest.fail("there")).failed


def test_runs_are_told_one_by_one():
    told = []
    campaign(lambda sim: None, runs=3, on_run=lambda found: told.append(found.runs))
    assert told == [1, 2, 3]


# --- shrinking --------------------------------------------------------------------------------------------------


def of_decisions(needed, **settings):
    """A test that fails if all that is needed is in its schedule, and takes whatever else is in it."""

    def test(sim):
        sim._decisions._taken.update(sim._decisions._given)
        there = {(one.kind, one.at) for one in sim.schedule.decisions}
        assert not needed <= there

    return test


@given(schedules(most=8), st.data())
@settings(max_examples=60)
def test_what_is_not_needed_is_left_out(schedule, data):
    needed = data.draw(st.sets(st.sampled_from([(one.kind, one.at) for one in schedule.decisions])) if len(schedule) else st.just(set()))
    shrunk = shrink(of_decisions(needed), run_once(of_decisions(needed), schedule=schedule))
    assert {(one.kind, one.at) for one in shrunk.outcome.schedule.decisions} == needed
    assert shrunk.complete
    assert shrunk.repeats


def test_two_that_go_only_together_are_left_out_together():
    def test(sim):
        sim._decisions._taken.update(sim._decisions._given)
        there = [one.at[0] for one in sim.schedule.decisions]
        assert "c" not in there or ("a" in there) != ("b" in there)

    schedule = Schedule(tuple(Decision("skew", (name,), 0.1) for name in "abc"))
    assert [one.at for one in shrink(test, run_once(test, schedule=schedule)).outcome.schedule.decisions] == [("c",)]


def test_draws_and_operations_of_the_test_shrink():
    def test(sim):
        numbers = [sim.integer(5, 1000) for _ in range(5)]
        done = list(sim.operations(20, lambda i: i))
        assert not (max(numbers) >= 300 and {7, 11} <= set(done))

    for seed in range(5):
        outcome = run_once(test, seed=seed)
        assert outcome.failed
        shrunk = shrink(test, outcome).outcome
        assert [one.value for one in shrunk.schedule.decisions if one.kind == "draw"] == [295]
        assert sum(one.kind == "skip" for one in shrunk.schedule.decisions) == 18


def test_operations_that_only_count_ticks_before_a_crash_are_left_out() -> None:
    found = campaign(two_ways, runs=300, faults=Faults.mix()).failure
    assert found is not None
    assert [one.words for one in found.outcome.schedule.faults] == ["b crashes after its 3rd tick, and restarts at once"]
    assert [one.at for one in found.outcome.schedule.decisions if one.kind == "skip"] == [(n,) for n in (1, 2, 3, 4, 5, 7, 8)]


def test_many_lost_frames_become_one_partition():
    test = partial(broadcast, program=Retrying)
    lost = Schedule(tuple(Decision("drop", ("a", "b", number), True) for number in range(1, 90)))
    outcome = run_once(test, schedule=lost)
    assert outcome.failed
    found = changes(shrink(test, outcome, runs=300).outcome)
    assert [one.kind for one in found] == ["partition"]
    assert "b" in found[0].value[2] + found[0].value[3]


def test_only_the_same_failure_counts():
    def test(sim):
        sim._decisions._taken.update(sim._decisions._given)
        there = {one.at[0] for one in sim.schedule.decisions}
        if there == {"a"}:
            raise ValueError("another")
        assert "a" not in there

    schedule = Schedule((Decision("skew", ("a",), 0.1), Decision("skew", ("b",), 0.1)))
    shrunk = shrink(test, run_once(test, schedule=schedule))
    assert len(changes(shrunk.outcome)) == 2
    assert isinstance(shrunk.outcome.error, AssertionError)


def test_a_failure_that_does_not_repeat_is_kept_as_it_was():
    runs = []

    def test(sim):
        runs.append(sim)
        assert len(runs) > 1

    outcome = run_once(test)
    shrunk = shrink(test, outcome)
    assert (shrunk.repeats, shrunk.outcome, shrunk.runs) == (False, outcome, 1)


def test_shrinking_is_bounded():
    outcome = run_once(broadcast, seed=1, faults=Faults.mix())
    assert outcome.failed
    few = shrink(broadcast, outcome, runs=3)
    assert (few.runs, few.complete, few.repeats) == (3, False, True)
    assert not shrink(broadcast, outcome, time_limit_s=-1.0).complete


@given(schedules(kinds=["drop", "delay", "duplicate", "partition", "crash", "pause", "skew", "corrupt"], most=6))
def test_simpler_values_are_values_of_the_same_kind(schedule):
    for one in schedule.decisions:
        for value in candidates(one):
            assert type(value) is type(one.value) or one.kind in ("drift", "skew")
            assert Schedule.decode(Schedule((evolve(one, value=value),)).encode()).decisions[0].value == value
            if one.kind == "partition":
                start, end, group, other, _ = value
                assert end is None or start < end
                assert group
                assert other


@pytest.mark.parametrize(("simple", "hard"), [(0, 1), (1, 9), (9, 10), (299, 300), (999, 1000), (0.1, 0.123), (1.0, 1.5), (None, 0.1), ([1.0, "crash"], [1.0, "power"])])
def test_values_that_are_easier_to_read_weigh_less(simple, hard):
    assert complexity(simple) < complexity(hard)


# --- the same failure -------------------------------------------------------------------------------------------


class Watched(Bloom):
    put = table("k -> v: int")
    high = scratch("k")
    low = scratch("k")

    @rule
    def sort(self):
        self.high <= ((p.k,) for p in self.put if p.v > 10)
        self.low <= ((p.k,) for p in self.put if 100 // p.v < 0)

    @invariant
    def none_high(self):
        self.high

    @invariant
    def none_low(self):
        self.low


def failing(value):
    def test(sim):
        sim.add(Watched, "a").put.insert(("k", value))
        sim.settle()

    return run_once(test)


def test_the_kind_of_a_failure_is_its_class_and_place():
    high, low, raised = failing(11), failing(-5), failing(0)
    assert high.kind[0] == low.kind[0] == "bloompy.errors.InvariantViolation"
    assert "none_high" in high.kind[1]
    assert "none_low" in low.kind[1]
    assert raised.kind[-1].endswith(f"test_search.py:{Watched.program_ir.rules[1].span.line}")
    assert "ZeroDivisionError" in str(raised.kind)


def test_assertions_on_two_lines_differ():
    def test(sim):
        assert sim.seed != 1
        assert sim.seed != 2

    one, other = run_once(test, seed=1), run_once(test, seed=2)
    assert one.kind[0] == other.kind[0] == "builtins.AssertionError"
    assert one.kind[1] != other.kind[1]
    assert kind_of(ValueError("never raised")) == ("builtins.ValueError", "")


# --- replay and determinism -------------------------------------------------------------------------------------


def test_a_word_carries_seed_and_schedule():
    outcome = run_once(elect, seed=23, faults=CRASHES)
    plan = plan_of(outcome.word, options={"latency_s": 0.5})
    assert (plan.seed, plan.schedule, plan.options) == (23, outcome.schedule, {"latency_s": 0.5})
    assert plan_of(outcome.schedule.encode()) == Plan(schedule=outcome.schedule)
    with pytest.raises(errors.UsageError, match="'nonsense' is no schedule"):
        plan_of("nonsense")


def test_a_hundred_of_a_hundred_replay():
    for seed in range(100):
        first = run_once(elect, seed=seed, faults=Faults.mix(wipe=0.2, skew_s=0.1, drift=0.05, corrupt=0.05), order="pct" if seed % 2 else "latency")
        again = replay(elect, first.word)
        assert again.sim.trace.digest == first.sim.trace.digest, seed
        assert again.kind == first.kind
        assert {one.words for one in again.schedule.decisions} == {one.words for one in first.schedule.decisions}


def test_a_test_that_uses_what_is_not_decided_is_found_out():
    state = []

    def test(sim):
        state.append(1)
        node = sim.add(Watched, "a")
        node.put.insert(("k", len(state)))
        sim.settle()

    with pytest.raises(errors.NotDeterministic, match=r"(?s)two runs from seed 7 differ: once\n.*put.*'k', 1.*and then\n.*'k', 2"):
        check_deterministic(test, seed=7)
    assert check_deterministic(elect, seed=7, faults=CRASHES).sim.seed == 7


def test_a_test_that_fails_only_once_is_found_out():
    calls = []

    def test(sim):
        calls.append(sim)
        assert len(calls) != 2

    with pytest.raises(errors.NotDeterministic, match="once it passes and then it fails with AssertionError"):
        check_deterministic(test)


def test_runs_are_the_same_in_processes_with_other_hash_seeds():
    code = """
import json, sys
sys.path.insert(0, sys.argv[1])
from tests.sim.search.programs import broadcast, elect
from bloompy.sim import Faults
from bloompy.sim.search.campaign import campaign
from bloompy.sim.search.running import run_once
found = [run_once(test, seed=seed, faults=Faults.mix(), order=order).sim.trace.digest
         for test in (broadcast, elect) for seed in range(8) for order in ("latency", "pct")]
shrunk = campaign(elect, runs=30, faults=Faults(crashes=1, delay=0.3)).failure.outcome
print(json.dumps([*found, shrunk.word, shrunk.sim.trace.digest]))
"""
    root = str(Path(__file__).parents[3])
    found = []
    for hash_seed in ("0", "4711"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run([sys.executable, "-c", code, root], capture_output=True, text=True, check=True, env=environment)
        found.append(json.loads(done.stdout))
    assert found[0] == found[1]
    assert len(set(found[0])) > 20


def test_a_campaign_says_what_it_did():
    found = Campaign(runs=1, seconds=0.25)
    assert str(found) == "1 run in 0.25 s, 0 frames; no faults"


# --- traces -----------------------------------------------------------------------------------------------------


def test_a_campaign_keeps_a_trace_only_where_the_test_looks_at_it():
    looked = []

    def test(sim):
        sim.add(Watched, "a")
        sim.settle()
        if sim.seed >= 2:
            looked.append(len(sim.trace))

    found = campaign(test, runs=4, faults=Faults())
    assert found.runs == 4
    assert found.failure is None
    assert looked == [2, 2]  # seed 2 was run again with its trace, 3 at once


def test_a_test_that_swallows_the_lack_of_a_trace_is_run_again_all_the_same():
    def test(sim):
        sim.add(Watched, "a")
        sim.settle()
        try:
            seen = [event.kind for event in sim.trace]
        except Exception:
            seen = []
        assert "tick" not in seen

    found = campaign(test, runs=1)
    assert found.failure is not None
    assert found.failure.complete


@pytest.mark.parametrize("bounds", [{}, {"shrink_runs": 0}, {"options": {"trace": False}}, {"options": {"trace": True}}])
def test_the_failing_run_has_its_trace(bounds):
    found = campaign(broadcast, runs=50, faults=Faults(drop=0.2), **bounds)
    assert len(found.failure.outcome.sim.trace) > 10
