"""Which task goes where: FCFS, tick by tick (spec B.3)."""

from __future__ import annotations

import pytest
from harness import Hand, started

pytestmark = pytest.mark.usefixtures("evaluator")


def test_a_task_goes_to_a_free_slot_in_the_tick_after_it_is_known():
    hand = Hand()
    hand.heartbeat("t1")
    hand.submit(maps=1)
    assert hand.launched(hand.tick()) == []  # tick 1: the job and the tracker arrive, they count from the next tick
    assert hand.launched(hand.tick()) == []  # tick 2: assigned
    assert hand.launched(hand.tick()) == [("t1", 1, 0, 0)]  # tick 3: the attempt is there and is sent


def test_nothing_is_assigned_without_a_tracker_and_nothing_is_lost_by_waiting():
    hand = Hand()
    hand.submit(maps=1)
    assert hand.launched(hand.settle()) == []
    hand.heartbeat("t1")
    assert hand.launched(hand.settle()) == [("t1", 1, 0, 0)]


def test_slots_are_never_exceeded():
    hand = started(maps=7, trackers=2, slots=(2, 1))
    assert hand.jt.load.rows() == {("t1", "map", 2), ("t2", "map", 2)}
    hand.report("t1", 0, state="DONE")
    hand.settle()
    assert hand.jt.load.rows() == {("t1", "map", 2), ("t2", "map", 2), ("t1", "reduce", 1)}


def test_a_task_is_given_to_one_tracker_only():
    hand = started(maps=1, trackers=3)
    assert len(hand.jt.attempt) == 1


def test_the_tracker_with_more_free_slots_is_given_the_task():
    hand = Hand()
    hand.heartbeat("t1", slots=(1, 1))
    hand.heartbeat("t2", slots=(3, 1))
    hand.submit(maps=1)
    assert hand.launched(hand.settle()) == [("t2", 1, 0, 0)]


def test_the_job_of_less_priority_number_goes_first_then_the_older_one():
    hand = Hand()
    hand.submit(maps=1, reduces=0)
    hand.tick(1)
    hand.submit(maps=1, reduces=0)
    hand.tick(1)
    hand.submit(maps=1, reduces=0, priority=-1)
    hand.tick(1)
    hand.heartbeat("t1", slots=(1, 0))
    assert hand.launched(hand.settle()) == [("t1", 3, 0, 0)]
    for expected in (1, 2):
        hand.report("t1", 0, state="DONE", jobid=3 if expected == 1 else 1)
        hand.settle()
        hand.report("t1", 0, state="COMMITTED", jobid=3 if expected == 1 else 1)
        assert hand.launched(hand.settle()) == [("t1", expected, 0, 0)]


def test_the_priority_of_a_job_can_be_changed():
    hand = Hand()
    hand.submit(maps=1)
    hand.tick(1)
    hand.submit(maps=1)
    hand.tick(1)
    hand.jt.set_priority.insert(("jt", "c", 99, 2, -5))
    hand.settle()
    assert hand.sent.get("priority_set") or hand.jt.job[2].priority == -5
    hand.heartbeat("t1", slots=(1, 0))
    assert hand.launched(hand.settle()) == [("t1", 2, 0, 0)]


def test_jobs_submitted_in_one_tick_get_numbers_in_order_of_client_and_request():
    hand = Hand()
    hand.submit(client="b", reqid=1)
    hand.submit(client="a", reqid=2)
    hand.submit(client="a", reqid=1)
    assert [(row[0], row[2], row[3]) for row in sorted(hand.tick()["submitted"], key=lambda row: row[3])] == [
        ("a", 1, 1), ("a", 2, 2), ("b", 1, 3),
    ]


def test_a_repeated_submission_makes_one_job_and_gets_the_same_answer():
    hand = Hand()
    for _ in range(3):
        hand.submit(client="a", reqid=1)
        assert [row[3] for row in hand.tick()["submitted"]] == [1]
    assert len(hand.jt.job) == 1


def test_a_map_goes_to_a_tracker_that_holds_its_input():
    hand = Hand()
    hand.heartbeat("t1", "t2", slots=(1, 0))
    hand.submit(maps=2, hosts=(("h2",), ("h1",)))
    assert sorted(hand.launched(hand.settle())) == [("t1", 1, 1, 0), ("t2", 1, 0, 0)]


def test_a_map_without_a_near_tracker_goes_anywhere():
    hand = Hand()
    hand.heartbeat("t1", slots=(2, 0))
    hand.submit(maps=2, hosts=(("elsewhere",), ("h1",)))
    assert hand.launched(hand.settle()) == [("t1", 1, 1, 0), ("t1", 1, 0, 0)]  # the local one first


def test_a_failed_task_goes_before_fresh_ones():
    hand = started(maps=3, reduces=0, trackers=1, slots=(1, 0))
    hand.report("t1", 0, state="FAILED", error="boom")
    hand.settle()
    assert ("t1", 1, 0, 1) in {(a.tracker, a.jobid, a.taskid, a.n) for a in hand.jt.live}


def test_a_failed_task_goes_to_another_tracker_while_there_is_one():
    hand = started(maps=1, reduces=0, trackers=2, slots=(1, 0))
    (first,) = hand.jt.live
    hand.report(first.tracker, 0, state="FAILED")
    hand.settle()
    (second,) = hand.jt.live
    assert second.tracker != first.tracker
    hand.report(second.tracker, 0, 1, state="FAILED")
    hand.settle()
    assert len(hand.jt.live) == 1  # it has failed on every tracker, so it may run anywhere again


def test_reduces_wait_for_a_part_of_the_maps():
    hand = started(maps=2, trackers=1, slow_start=0.5)
    assert {a.kind for a in hand.jt.live} == {"map"}
    hand.report("t1", 0, state="DONE")
    hand.settle()
    assert sorted((a.kind, a.taskid) for a in hand.jt.live) == [("map", 1), ("reduce", 2)]


def test_a_job_without_input_runs_its_reduces():
    hand = started(maps=0, reduces=2, trackers=1)
    assert sorted(a.taskid for a in hand.jt.live) == [0, 1]


def test_all_free_slots_are_filled_in_one_tick_and_evenly():
    hand = started(maps=6, trackers=3, slots=(4, 1))
    assert {a.start for a in hand.jt.live} == {0.0}
    assert sorted(row.attempts for row in hand.jt.load) == [2, 2, 2]


def test_the_matching_does_not_depend_on_the_order_of_candidates():
    from itertools import permutations

    from bloompy_mr.fcfs import Rank
    from bloompy_mr.matching import greedy_matching

    def rank(task_class: int, taskid: int) -> Rank:
        return Rank(0, 0.0, 1, task_class, 0, taskid)

    candidates = [(rank(1, 7), 1, "a"), (rank(2, 7), 2, "b"), (rank(2, 3), 1, "a"), (rank(2, 3), 2, "b"), (rank(2, 4), 2, "b")]
    results = {greedy_matching(list(order)) for order in permutations(candidates)}
    assert results == {((rank(1, 7), "a"), (rank(2, 3), "b"), (rank(2, 4), "b"))}


def test_a_near_task_is_found_far_back_in_a_long_queue():
    hand = Hand()
    hand.heartbeat("t1", slots=(1, 0))
    hand.submit(maps=200, hosts=(("elsewhere",),) * 150 + (("h1",),) * 2 + (("elsewhere",),) * 48)
    assert hand.launched(hand.settle()) == [("t1", 1, 150, 0)]


def test_more_slots_than_are_looked_at_in_a_tick_are_filled_in_the_next(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("bloompy_mr.matching.FRONT", 3)
    hand = started(maps=10, trackers=4, slots=(2, 1))
    assert len(hand.jt.live) == 8
    assert sorted(a.taskid for a in hand.jt.live) == list(range(8))
