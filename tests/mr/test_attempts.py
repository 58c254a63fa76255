"""Attempts: one commits, others are killed, retries, lost trackers, lost map output (spec B.3, "must add")."""

from __future__ import annotations

import pytest
from harness import Hand, started

pytestmark = pytest.mark.usefixtures("evaluator")


def states(hand: Hand) -> dict[tuple[int, int], str]:
    return {(e.taskid, e.n): e.state for e in hand.jt.ended}


def with_second_attempt(hand: Hand, taskid: int, tracker: str, kind: str) -> None:
    """As a speculative policy would: another attempt of a running task."""
    hand.jt.attempt.insert((1, taskid, 1, kind, tracker, "i", hand.now, True))
    hand.settle()


def test_a_job_succeeds_when_all_tasks_have():
    hand = started(maps=2, reduces=1, trackers=1)
    for taskid in (0, 1):
        hand.report("t1", taskid, state="DONE")
    hand.settle()
    assert states(hand) == {(0, 0): "SUCCEEDED", (1, 0): "SUCCEEDED"}
    hand.report("t1", 2, state="DONE")
    assert hand.settle()["commit"] == [("t1", 1, 2, 0)]
    assert not hand.jt.over  # not before it has committed
    hand.report("t1", 2, state="COMMITTED")
    sent = hand.settle()
    assert [(o.jobid, o.status) for o in hand.jt.over] == [(1, "SUCCEEDED")]
    assert sent["forget_job"] == [("t1", 1)]


def test_of_two_attempts_that_finish_in_one_tick_one_commits():
    hand = started(maps=1, reduces=0, trackers=2, slots=(1, 0))
    (first,) = hand.jt.live
    other = "t2" if first.tracker == "t1" else "t1"
    with_second_attempt(hand, 0, other, "map")
    hand.report(first.tracker, 0, 0, "DONE")
    hand.report(other, 0, 1, "DONE")
    assert hand.settle()["commit"] == [(first.tracker, 1, 0, 0)]
    hand.report(first.tracker, 0, 0, "COMMITTED")
    hand.report(other, 0, 1, "COMMITTED")  # a tracker that commits without leave is not believed
    hand.settle()
    assert states(hand) == {(0, 0): "SUCCEEDED", (0, 1): "KILLED"}


def test_the_first_attempt_that_finishes_wins_and_the_other_is_killed():
    hand = started(maps=1, reduces=1, trackers=2, slots=(1, 0))
    (first,) = hand.jt.live
    other = "t2" if first.tracker == "t1" else "t1"
    with_second_attempt(hand, 0, other, "map")
    hand.report(other, 0, 1, "DONE")
    sent = hand.settle()
    assert states(hand) == {(0, 0): "KILLED", (0, 1): "SUCCEEDED"}
    assert (first.tracker, 1, 0, 0, "KILLED") in sent["release"]


def test_repeated_reports_change_nothing():
    hand = started(maps=1, reduces=1, trackers=1)
    for _ in range(3):
        hand.report("t1", 0, state="DONE", counters=(("seen", 5),))
        hand.settle()
    hand.jt.ask_status.insert(("jt", "c", 1, 1))
    (status,) = hand.settle()["job_status"]
    assert dict(status[-1]) == {"seen": 5}
    assert states(hand) == {(0, 0): "SUCCEEDED"}


def test_counters_of_attempts_that_do_not_commit_do_not_count():
    hand = started(maps=1, reduces=1, trackers=2, slots=(1, 1))
    (first,) = hand.jt.live
    other = "t2" if first.tracker == "t1" else "t1"
    with_second_attempt(hand, 0, other, "map")
    hand.report(first.tracker, 0, 0, "DONE", counters=(("seen", 5),))
    hand.settle()
    hand.report(other, 0, 1, "DONE", counters=(("seen", 5),))
    hand.settle()
    assert {(c.n, c.value) for c in hand.jt.counter} == {(0, 5)}


def test_if_the_attempt_with_leave_to_commit_fails_another_gets_it():
    hand = started(maps=1, reduces=0, trackers=2, slots=(1, 0))
    (first,) = hand.jt.live
    other = "t2" if first.tracker == "t1" else "t1"
    with_second_attempt(hand, 0, other, "map")
    hand.report(first.tracker, 0, 0, "DONE")
    hand.settle()
    hand.report(other, 0, 1, "DONE")
    assert "commit" not in hand.settle()
    hand.report(first.tracker, 0, 0, "FAILED")
    hand.settle()
    hand.report(other, 0, 1, "DONE")  # as every heartbeat repeats
    assert hand.settle()["commit"] == [(other, 1, 0, 1)]


def test_a_job_fails_with_the_users_error_when_a_task_has_failed_four_times():
    hand = started(maps=1, reduces=1, trackers=1)
    for n in range(4):
        assert [(a.taskid, a.n) for a in hand.jt.live] == [(0, n)]
        hand.report("t1", 0, n, "FAILED", error="ZeroDivisionError: in the user's map")
        hand.settle()
    (over,) = hand.jt.over
    assert over.status == "FAILED"
    assert "task 0 failed 4 times" in over.error
    assert "ZeroDivisionError: in the user's map" in over.error
    assert not hand.jt.live


def test_killed_attempts_do_not_count_as_failures():
    hand = started(maps=1, reduces=1, trackers=1, expiry_s=10.0)
    for i in range(6):
        hand.heartbeat("t1", incarnation=f"life {i}")
        hand.settle()
    assert not hand.jt.over
    assert set(states(hand).values()) == {"KILLED"}


def test_kill_ends_the_job_and_its_attempts():
    hand = started(maps=2, reduces=1, trackers=1)
    hand.jt.kill_job.insert(("jt", "c", 7, 1))
    sent = hand.settle()
    assert sent["job_killed"] == [("c", "jt", 7, True)]
    assert [(o.status, o.error) for o in hand.jt.over] == [("KILLED", "killed by c")]
    assert sorted(row[:4] for row in sent["release"]) == [("t1", 1, 0, 0), ("t1", 1, 1, 0)]
    assert hand.launched(sent) == []


def test_an_attempt_that_nobody_waits_for_is_released_whenever_it_reports():
    hand = started(maps=1, reduces=1, trackers=1)
    hand.report("t1", 5, 3)
    assert ("t1", 1, 5, 3, "KILLED") in hand.tick()["release"]


def test_launch_is_repeated_until_the_attempt_is_reported():
    hand = started(maps=1, trackers=1)
    hand.heartbeat("t1")
    assert hand.launched(hand.tick()) == [("t1", 1, 0, 0)]
    hand.report("t1", 0)
    hand.settle()
    hand.heartbeat("t1")
    assert hand.launched(hand.tick()) == []


# -- lost trackers


def lose(hand: Hand, lost: str, *others: str) -> None:
    """Silence of one tracker, the others heard, until it has expired."""
    for _ in range(13):
        hand.heartbeat(*others)
        hand.tick(1.0)
    hand.settle()


def test_running_attempts_of_a_lost_tracker_are_killed_and_run_elsewhere():
    hand = started(maps=2, reduces=0, trackers=2, slots=(1, 0))
    on = {a.tracker: a.taskid for a in hand.jt.live}
    lose(hand, "t1", "t2")
    assert states(hand) == {(on["t1"], 0): "KILLED"}
    assert "t1" not in hand.jt.tracker
    hand.report("t2", on["t2"], state="DONE")
    hand.settle()
    hand.report("t2", on["t2"], state="COMMITTED")
    hand.settle()
    assert [(a.tracker, a.taskid, a.n) for a in hand.jt.live] == [("t2", on["t1"], 1)]


def test_completed_maps_of_a_lost_tracker_run_again_and_completed_reduces_do_not():
    hand = started(maps=2, reduces=2, trackers=2, slots=(1, 1))
    on = {a.tracker: a.taskid for a in hand.jt.live}
    for tracker, taskid in on.items():
        hand.report(tracker, taskid, state="DONE")
    hand.settle()
    reduce_on = {a.tracker: a.taskid for a in hand.jt.live}
    assert set(reduce_on) == {"t1", "t2"}
    hand.report("t1", reduce_on["t1"], state="DONE")
    hand.settle()
    hand.report("t1", reduce_on["t1"], state="COMMITTED")
    hand.settle()
    lose(hand, "t1", "t2")
    assert states(hand)[on["t1"], 0] == "KILLED"
    assert states(hand)[reduce_on["t1"], 0] == "SUCCEEDED"
    assert {(a.tracker, a.taskid, a.n) for a in hand.jt.live} == {("t2", on["t1"], 1), ("t2", reduce_on["t2"], 0)}
    hand.report("t2", on["t1"], 1, "DONE")
    sent = hand.settle()
    assert ("t2", 1, on["t1"], 1, "t2:data") in sent["map_output"]  # the waiting reduce learns of the new output


def test_completed_maps_of_a_job_of_maps_only_are_kept():
    hand = started(maps=2, reduces=0, trackers=2, slots=(1, 0))
    on = {a.tracker: a.taskid for a in hand.jt.live}
    hand.report("t1", on["t1"], state="DONE")
    hand.settle()
    hand.report("t1", on["t1"], state="COMMITTED")
    hand.settle()
    lose(hand, "t1", "t2")
    assert states(hand) == {(on["t1"], 0): "SUCCEEDED"}


def test_a_restarted_tracker_has_lost_its_attempts_and_its_map_output():
    hand = started(maps=2, reduces=1, trackers=1, slots=(2, 0))
    hand.report("t1", 0, state="DONE")
    hand.settle()
    hand.heartbeat("t1", incarnation="second", slots=(2, 0))
    hand.settle()
    assert states(hand) == {(0, 0): "KILLED", (1, 0): "KILLED"}
    assert {(a.taskid, a.n, a.incarnation) for a in hand.jt.live} == {(0, 1, "second"), (1, 1, "second")}


def test_a_tracker_heard_of_in_time_is_kept():
    hand = started(maps=1, trackers=1)
    for _ in range(30):
        hand.heartbeat("t1")
        hand.tick(1.0)
    assert "t1" in hand.jt.tracker
    assert not hand.jt.ended


def test_a_tracker_that_comes_back_after_it_was_lost_may_work_again_and_drops_its_old_attempts():
    hand = started(maps=1, trackers=1)
    lose(hand, "t1")
    assert not hand.jt.live
    hand.heartbeat("t1")
    hand.report("t1", 0, 0)
    sent = hand.settle()
    assert ("t1", 1, 0, 0, "KILLED") in sent["release"]
    assert [(a.taskid, a.n) for a in hand.jt.live] == [(0, 1)]


# -- map output that cannot be fetched


def test_a_map_whose_output_cannot_be_fetched_runs_again():
    hand = started(maps=1, reduces=1, trackers=1)
    hand.report("t1", 0, state="DONE")
    hand.settle()
    for seq in range(3):
        assert states(hand) == {(0, 0): "SUCCEEDED"}
        hand.jt.fetch_failure.insert(("jt", "t1", 1, 0, 0, 1, 0, seq))
        hand.settle()
    assert states(hand) == {(0, 0): "FAILED"}
    assert (0, 1) in {(a.taskid, a.n) for a in hand.jt.live}
    assert not hand.jt.notice


def test_notices_of_less_than_half_the_running_reduces_do_not_count():
    hand = started(maps=1, reduces=3, trackers=2)
    (map_attempt,) = hand.jt.live
    hand.report(map_attempt.tracker, 0, state="DONE")
    hand.settle()
    for seq in range(5):
        hand.jt.fetch_failure.insert(("jt", "t1", 1, 0, 0, 1, 0, seq))
        hand.settle()
    assert states(hand) == {(0, 0): "SUCCEEDED"}
    hand.jt.fetch_failure.insert(("jt", "t1", 1, 0, 0, 2, 0, 9))
    hand.settle()
    assert states(hand) == {(0, 0): "FAILED"}


# -- what clients ask


def test_status_tells_progress_states_and_end():
    hand = started(maps=4, reduces=1, trackers=1, slots=(2, 1), slow_start=1.0)
    hand.report("t1", 0, state="DONE")
    hand.report("t1", 1, progress=0.5)
    hand.settle()
    hand.jt.ask_status.insert(("jt", "c", 3, 1))
    (row,) = hand.tick()["job_status"]
    assert row[:3] == ("c", "jt", 3)
    jobid, name, status, _, _, error, maps, maps_done, map_progress, reduces, reduces_done, reduce_progress, counts, counters = row[3:]
    assert (jobid, name, status, error) == (1, "a job", "RUNNING", "")
    assert (maps, maps_done, map_progress) == (4, 1, 0.375)
    assert (reduces, reduces_done, reduce_progress) == (1, 0, 0.0)
    assert dict(counts) == {"SUCCEEDED": 1, "RUNNING": 2}
    assert counters == ()


def test_questions_about_unknown_jobs_are_answered():
    hand = Hand()
    hand.jt.ask_status.insert(("jt", "c", 3, 12))
    hand.jt.ask_jobs.insert(("jt", "c", 4))
    hand.jt.ask_attempts.insert(("jt", "c", 5, 12))
    hand.jt.ask_trackers.insert(("jt", "c", 6))
    hand.jt.kill_job.insert(("jt", "c", 7, 12))
    sent = hand.tick()
    assert sent["job_status"][0][5] == "UNKNOWN"
    assert sent["job_list"] == [("c", "jt", 4, ())]
    assert sent["attempt_list"] == [("c", "jt", 5, ())]
    assert sent["tracker_list"] == [("c", "jt", 6, ())]
    assert sent["job_killed"] == [("c", "jt", 7, False)]


def test_a_job_is_retired_a_while_after_its_end():
    hand = started(maps=1, trackers=1, retire_s=100.0, keep_jobs=0)
    hand.jt.kill_job.insert(("jt", "c", 7, 1))
    hand.settle()
    hand.tick(50)
    assert len(hand.jt.job) == 1
    hand.tick(60)
    hand.settle()
    for name in ("job", "job_code", "task", "attempt", "ended", "over", "submission", "progress", "counter"):
        assert not len(getattr(hand.jt, name)), name


def test_a_job_that_is_not_signed_with_the_secret_is_refused():
    hand = Hand()
    hand.submit()
    hand.jt._machine.take(0.0)  # drop the good one
    good = Hand()
    good.jt.submit.insert(("jt", "c", 1, "a job", "me", 0, 1, 1, ((),), b"code", b"{}", b"signature"))
    sent = good.tick()
    assert sent["submitted"] == [("c", "jt", 1, 0, "the job is not signed with this cluster's secret")]
    good.settle()
    assert not good.jt.job


def test_a_signed_job_with_other_task_numbers_than_it_says_is_refused():
    hand = Hand()
    hand.submit(maps=2, hosts=((),))
    assert [row[4] for row in hand.tick()["submitted"]] == ["the numbers of tasks do not fit the signed settings"]


def test_who_did_what_is_listed():
    hand = started(maps=2, reduces=1, trackers=1)
    hand.report("t1", 0, state="DONE")
    hand.settle()
    hand.jt.ask_attempts.insert(("jt", "c", 5, 1))
    hand.jt.ask_trackers.insert(("jt", "c", 6))
    hand.jt.ask_jobs.insert(("jt", "c", 7))
    sent = hand.tick()
    ((*_, attempts),) = sent["attempt_list"]
    assert [(row[0], row[2], row[3], row[6]) for row in attempts] == [
        (0, "map", "t1", "SUCCEEDED"), (1, "map", "t1", "RUNNING"), (2, "reduce", "t1", "RUNNING"),
    ]  # fmt: skip
    assert sent["tracker_list"] == [("c", "jt", 6, (("t1", "h1", 2, 2),))]
    assert sent["job_list"] == [("c", "jt", 7, ((1, "a job", "me", 0, 0.0, "RUNNING", 0.0),))]
