"""LATE: its rules against its statement in plain Python, and its clauses one by one."""

from __future__ import annotations

from typing import Any

import pytest
from harness import Hand
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from late_statement import Choice, late_choices

from bloompy_mr.fcfs import SPECULATIVE


def rules_choices(hand: Hand) -> Choice:
    """What the rules proposed in the last tick."""
    found: Choice = {}
    for c in sorted(hand.jt.candidate):
        if c.rank.task_class == SPECULATIVE:
            found.setdefault(c.kind, []).append((c.tracker, c.rank.jobid, c.rank.taskid))
    return {kind: sorted(rows) for kind, rows in found.items()}


def step(hand: Hand, asking: set[str], seconds: float) -> Choice:
    """A tick in which some trackers send heartbeats, checked against the statement."""
    hand.heartbeat(*sorted(asking), slots=(2, 2))
    hand.tick(seconds)
    found = rules_choices(hand)
    assert found == {kind: sorted(rows) for kind, rows in late_choices(hand.jt, asking, hand.now).items()}
    return found


# -- clauses


def running_maps(progress: dict[int, float], *, seconds: float = 100.0, trackers: int = 4) -> Hand:
    """A job whose maps all run, with their progress so many seconds after the start; nothing waits."""
    hand = Hand(late=True, slow_start=1.0, expiry_s=1e9)
    hand.heartbeat(*(f"t{i + 1}" for i in range(trackers)))
    hand.submit(len(progress), 1)
    hand.settle()
    assert len(hand.jt.live) == len(progress)
    for a in hand.jt.live:
        hand.report(a.tracker, a.taskid, progress=progress[a.taskid])
    hand.tick(seconds)
    hand.settle()
    return hand


def tracker_of(hand: Hand, taskid: int) -> str:
    return next(a.tracker for a in hand.jt.live if a.taskid == taskid and not a.speculative)


def others(hand: Hand, taskid: int) -> set[str]:
    return {t.name for t in hand.jt.tracker} - {tracker_of(hand, taskid)}


SLOW = {0: 0.9, 1: 0.9, 2: 0.9, 3: 0.9, 4: 0.1, 5: 0.9}  # task 4 is far behind


@pytest.mark.usefixtures("evaluator")
def test_the_slow_task_gets_a_second_attempt_on_another_tracker():
    hand = running_maps({**SLOW, 3: 0.2})
    (((tracker, jobid, taskid),),) = step(hand, others(hand, 4), 1).values()
    assert (jobid, taskid) == (1, 4)
    assert tracker != tracker_of(hand, 4)
    hand.settle()
    assert {(a.taskid, a.n, a.tracker) for a in hand.jt.live if a.speculative} == {(4, 1, tracker)}


def test_of_slow_tasks_the_one_with_the_longest_time_left():
    hand = running_maps({0: 0.9, 1: 0.9, 2: 0.8, 3: 0.3, 4: 0.05, 5: 0.1, 6: 0.9, 7: 0.9}, trackers=5)
    (((_, _, taskid),),) = step(hand, others(hand, 4), 1).values()
    assert taskid == 4


def test_of_equal_times_left_the_least_task():
    hand = running_maps({0: 0.9, 1: 0.9, 2: 0.5, 3: 0.9, 4: 0.9, 5: 0.9, 6: 0.0, 7: 0.0, 8: 0.5}, trackers=5)
    asking = others(hand, 6) & others(hand, 7)
    (((_, _, taskid),),) = step(hand, asking, 1).values()
    assert taskid == 6


def test_no_attempt_is_judged_before_the_lag():
    hand = running_maps({**SLOW, 3: 0.2}, seconds=58)
    assert step(hand, others(hand, 4), 1) == {}
    assert step(hand, others(hand, 4), 2) != {}


def test_nothing_is_speculated_while_a_task_waits():
    hand = running_maps({**SLOW, 3: 0.2})
    hand.submit(20, 1)
    hand.settle()
    assert step(hand, others(hand, 4), 1) == {}


def test_a_slow_tracker_is_given_nothing():
    hand = running_maps({**SLOW, 3: 0.2})
    scores = {t.name: sum(hand.jt.progress[1, a.taskid, 0].progress for a in hand.jt.live if a.tracker == t.name) for t in hand.jt.tracker}
    slowest = min(scores, key=lambda name: (scores[name], name))
    assert sum(score == scores[slowest] for score in scores.values()) == 1
    chosen = step(hand, {slowest}, 1)
    assert (chosen == {}) == (len(scores) >= 5)  # with four trackers the 25th percentile by nearest rank is the slowest itself


def test_a_fresh_tracker_that_ran_nothing_of_the_job_counts_as_slow():
    hand = running_maps({**SLOW, 3: 0.2})
    hand.heartbeat("t9")
    hand.settle()
    assert step(hand, {"t9"}, 1) == {}


def test_the_cap_bounds_running_speculative_attempts():
    hand = running_maps({0: 0.9, 1: 0.9, 2: 0.9, 3: 0.3, 4: 0.05, 5: 0.1, 6: 0.9, 7: 0.9, 8: 0.9}, trackers=9)
    for _ in range(5):
        step(hand, {t.name for t in hand.jt.tracker}, 1)
        hand.settle()
    assert [a.taskid for a in hand.jt.live if a.speculative] == [4]  # tasks 4 and 5 are slow, but a tenth of 18 slots is 1


def test_the_attempt_that_loses_is_killed_whichever_it_is():
    for winner in (0, 1):
        hand = running_maps({**SLOW, 3: 0.2})
        step(hand, others(hand, 4), 1)
        hand.settle()
        where = {a.n: a.tracker for a in hand.jt.live if a.taskid == 4}
        hand.report(where[winner], 4, winner, "DONE")
        hand.settle()
        assert {e.n: e.state for e in hand.jt.ended if e.taskid == 4} == {winner: "SUCCEEDED", 1 - winner: "KILLED"}


@pytest.mark.parametrize("count_finished", [False, True])
def test_the_last_straggler_is_found_only_if_finished_attempts_count(count_finished: bool):
    hand = Hand(late=True, slow_start=1.0, expiry_s=1e9, count_finished=count_finished)
    hand.heartbeat("t1", "t2", slots=(3, 2))
    hand.submit(5, 1)
    hand.settle()
    hand.tick(20)
    for a in list(hand.jt.live):
        if a.taskid != 0:
            hand.report(a.tracker, a.taskid, state="DONE")
    hand.settle()
    hand.tick(60)
    straggler = tracker_of(hand, 0)
    other = "t2" if straggler == "t1" else "t1"
    hand.heartbeat("t1", "t2", slots=(3, 2))
    hand.tick(1)
    assert rules_choices(hand) == ({"map": [(other, 1, 0)]} if count_finished else {})


# -- streams of events


@st.composite
def streams(draw: st.DrawFn) -> Any:
    """Trackers, jobs, speeds of attempts, and for each tick: seconds, who sends heartbeats, who is silent, failures, restarts."""
    trackers = draw(st.integers(2, 7))
    jobs = draw(st.lists(st.tuples(st.integers(1, 12), st.integers(0, 4), st.integers(0, 1)), min_size=1, max_size=2))
    speeds = draw(st.lists(st.sampled_from([0.0, 0.0005, 0.001, 0.003, 0.004, 0.005, 0.006, 0.01, 0.03]), min_size=4, max_size=12))
    ticks = draw(
        st.lists(
            st.tuples(
                st.sampled_from([0.0, 1.0, 7.0, 25.0, 61.0]),
                st.sets(st.integers(1, trackers)),
                st.sets(st.integers(0, 30), max_size=3),
                st.integers(0, 300),
                st.sampled_from([False] * 19 + [True]),
            ),
            min_size=8,
            max_size=25,
        )
    )
    return trackers, jobs, speeds, ticks, draw(st.booleans())


def play(stream: Any) -> int:
    """Run a stream, comparing in every tick; returns in how many LATE chose something."""
    trackers, jobs, speeds, ticks, count_finished = stream
    hand = Hand(late=True, expiry_s=1e9, max_attempts=6, count_finished=count_finished)
    hand.heartbeat(*(f"t{i + 1}" for i in range(trackers)))
    for maps, reduces, priority in jobs:
        hand.submit(maps, reduces, priority=priority)
    chosen = 0
    for seconds, asking, silent, failing, restarted in ticks:
        for i, a in enumerate(sorted(hand.jt.live)):
            if i not in silent:
                speed = speeds[(a.jobid * 5 + a.taskid + 3 * a.n) % len(speeds)]
                progress = round(min(1.0, speed * (hand.now - a.start)), 3)
                granted = hand.jt.grant.get((a.jobid, a.taskid))
                state = "RUNNING" if progress < 1 else "DONE" if granted is None or granted.n != a.n else "COMMITTED"
                hand.report(a.tracker, a.taskid, a.n, "FAILED" if i == failing else state, progress, a.jobid)
        names = {f"t{i}" for i in asking}
        if restarted and names:
            hand.heartbeat(min(names), incarnation=f"again at {hand.seq}")
        hand.heartbeat(*sorted(names - {min(names)} if restarted and names else names))
        hand.tick(seconds)
        found = rules_choices(hand)
        expected = late_choices(hand.jt, names, hand.now, count_finished=count_finished)
        assert found == {kind: sorted(rows) for kind, rows in expected.items()}
        chosen += bool(found)
    return chosen


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(streams())
def test_rules_and_statement_choose_the_same_in_every_tick(stream):
    play(stream)


@pytest.mark.slow
@settings(max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(streams())
def test_rules_and_statement_choose_the_same_in_many_streams(stream):
    play(stream)


def test_the_streams_do_make_late_choose():
    """A stream in which it does, so that the comparison above is not about nothing."""
    everyone = {1, 2, 3, 4}
    ticks = [(10.0, everyone, set(), 300, False)] * 12
    assert play((4, [(6, 2, 0)], [0.005, 0.006, 0.001, 0.005, 0.006, 0.005, 0.006], ticks, False)) >= 1
