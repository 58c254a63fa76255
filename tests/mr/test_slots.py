"""The rules of a TaskTracker, stepped by hand."""

from __future__ import annotations

from typing import Any

import pytest

from bloompy_mr.slots import Slots

ATTEMPT = (1, 0, 0)


class Tracker:
    """A TaskTracker without its pool."""

    def __init__(self) -> None:
        self.program: Any = Slots(me="t1", jobtracker="jt", incarnation="i", host="h1", data_address="t1:data", heartbeat_s=1.0, resend_s=5.0)
        self.now = 0.0
        self.started: list[Any] = []
        self.fed: list[Any] = []
        self.program.start.on_insert(lambda row: self.started.append(row[:3]))
        self.program.feed.on_insert(lambda row: self.fed.append(tuple(row)))
        self.tick()

    def tick(self, seconds: float = 0.0) -> dict[str, list[tuple[Any, ...]]]:
        self.now += seconds
        return {channel: list(rows) for channel, rows in self.program.tick(now=self.now).sent.items()}

    def launch(self, attempt: tuple[int, int, int] = ATTEMPT, kind: str = "map", maps: int = 2) -> None:
        self.program.launch.insert(("t1", *attempt, kind, 0, maps))

    def job_file(self, jobid: int = 1) -> None:
        self.program.job_file.insert(("t1", jobid, b"code", b"settings", b"signature"))

    def says(self, seq: int, state: str, attempt: tuple[int, int, int] = ATTEMPT, progress: float = 0.0) -> None:
        self.program.says.insert((*attempt, seq, state, "MAP", progress, (), ""))

    def running(self) -> None:
        """An attempt has been launched and started."""
        self.launch()
        self.job_file()
        self.tick()
        self.tick()


@pytest.fixture
def tracker() -> Tracker:
    return Tracker()


def test_a_heartbeat_is_sent_when_asked_for_and_each_period(tracker: Tracker):
    tracker.program.register.insert((-1,))
    assert tracker.tick()["heartbeat"] == [("jt", "t1", -1, "i", "h1", "t1:data", 2, 2)]
    assert "heartbeat" not in tracker.tick(0.4)
    assert [row[2] for row in tracker.tick(0.7)["heartbeat"]] == [1]


def test_an_attempt_starts_when_launch_and_job_file_are_there_in_either_order(tracker: Tracker):
    tracker.launch()
    tracker.tick()
    tracker.tick()
    assert tracker.started == []
    tracker.job_file()
    tracker.tick()
    tracker.tick()
    assert tracker.started == [ATTEMPT]
    tracker.launch((1, 1, 0))
    tracker.tick()
    tracker.tick()
    assert tracker.started == [ATTEMPT, (1, 1, 0)]


def test_a_repeated_launch_starts_nothing_again(tracker: Tracker):
    tracker.running()
    for _ in range(3):
        tracker.launch()
        tracker.tick()
    assert tracker.started == [ATTEMPT]


def test_a_missing_job_file_is_asked_for(tracker: Tracker):
    tracker.launch()
    tracker.tick()
    assert tracker.tick(5.1)["ask_job_file"] == [("jt", "t1", 1)]


def test_state_is_reported_at_once_and_with_every_heartbeat_until_release(tracker: Tracker):
    tracker.running()
    tracker.says(1, "RUNNING")
    tracker.says(2, "RUNNING", progress=0.5)
    assert [row[5:9] for row in tracker.tick()["report"]] == [(2, "RUNNING", "MAP", 0.5)]  # only the latest of a tick
    tracker.says(3, "DONE", progress=1.0)
    assert [row[6] for row in tracker.tick()["report"]] == ["DONE"]
    for _ in range(2):
        assert [row[5:7] for row in tracker.tick(1.0)["report"]] == [(3, "DONE")]
    tracker.program.release.insert(("t1", *ATTEMPT, "SUCCEEDED"))
    tracker.tick()
    assert "report" not in tracker.tick(1.0)
    assert not tracker.program.assigned


def test_a_launch_that_comes_with_the_release_does_not_revive_the_attempt(tracker: Tracker):
    tracker.running()
    tracker.launch()
    tracker.program.release.insert(("t1", *ATTEMPT, "KILLED"))
    tracker.tick()
    tracker.tick()
    assert not tracker.program.assigned


def test_reduces_learn_where_map_output_is_and_of_its_newer_places(tracker: Tracker):
    tracker.program.map_output.insert(("t1", 1, 0, 0, "t2:data"))
    tracker.tick()
    tracker.launch((1, 5, 0), kind="reduce")
    tracker.tick()
    tracker.tick()
    assert tracker.fed == [(1, 5, 0, 0, 0, "t2:data")]
    tracker.program.map_output.insert(("t1", 1, 0, 1, "t3:data"), ("t1", 1, 0, 0, "t2:data"))
    tracker.tick()
    tracker.tick()
    assert tracker.fed[1:] == [(1, 5, 0, 0, 1, "t3:data")]
    assert tracker.tick(5.1)["ask_map_outputs"] == [("jt", "t1", 1)]  # it knows of one map of two
    tracker.program.map_output.insert(("t1", 1, 1, 0, "t2:data"))
    tracker.tick()
    tracker.tick()
    assert "ask_map_outputs" not in tracker.tick(5.1)


def test_what_is_known_of_a_job_is_forgotten_with_it(tracker: Tracker):
    tracker.running()
    tracker.program.map_output.insert(("t1", 1, 0, 0, "t2:data"))
    tracker.tick()
    tracker.program.release.insert(("t1", *ATTEMPT, "KILLED"))
    tracker.program.forget_job.insert(("t1", 1))
    tracker.tick()
    tracker.tick()
    for name in ("assigned", "held_file", "said", "known_output"):
        assert not len(getattr(tracker.program, name)), name
