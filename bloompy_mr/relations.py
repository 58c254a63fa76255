# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""The state of the JobTracker (EuroSys'10 Table 3), and the views of it that several rule files share.

Facts are kept apart by how they change: an attempt is written once when it starts and once when it ends, so that no two
rules ever update one row; what the paper keeps in status columns follows from these facts by views.
"""

from __future__ import annotations

from bloompy import agg, param, rule, scratch, table
from bloompy_mr.messages import Messages


class Relations(Messages):
    """Tables of the JobTracker and the views that say how things stand."""

    job = table("jobid: int -> name: str, user: str, priority: int, submit: float, maps: int, reduces: int")
    job_code = table("jobid: int -> code: bytes, settings: bytes, signature: bytes")
    over = table("jobid: int -> status: str, finish: float, error: str")                  # SUCCEEDED | FAILED | KILLED
    task = table("jobid: int, taskid: int -> kind: str, partition: int")                  # map | reduce
    task_loc = table("jobid: int, taskid: int, host: str")
    attempt = table("jobid: int, taskid: int, n: int -> kind: str, tracker: str, incarnation: str, start: float, speculative: bool")
    ended = table("jobid: int, taskid: int, n: int -> state: str, finish: float, error: str")   # SUCCEEDED | FAILED | KILLED
    progress = table("jobid: int, taskid: int, n: int -> seq: int, phase: str, progress: float")
    counter = table("jobid: int, taskid: int, n: int, name: str -> value: int")
    tracker = table("name: str -> incarnation: str, host: str, data_address: str, map_slots: int, reduce_slots: int")

    active = scratch("jobid -> priority, submit, maps, reduces")
    live = scratch("jobid, taskid, n -> kind, tracker, incarnation, start, speculative")
    done = scratch("jobid, taskid -> n, kind, tracker, incarnation")
    finished = scratch("jobid, kind -> tasks")
    failed_on = scratch("jobid, taskid, tracker")
    failures = scratch("jobid, taskid -> attempts")

    max_attempts = param(4)

    @rule
    def standing(self) -> None:
        # active(Job, Priority, Submit, Maps, Reduces) :- job(Job, …), not over(Job, …).
        self.active <= ((j.jobid, j.priority, j.submit, j.maps, j.reduces) for j in self.job if j.jobid not in self.over)
        # live(Attempt) :- attempt(Attempt), not ended(Attempt, …).
        self.live <= ((a.jobid, a.taskid, a.n, a.kind, a.tracker, a.incarnation, a.start, a.speculative)
                      for a in self.attempt if (a.jobid, a.taskid, a.n) not in self.ended)
        # done(Job, Task, N, Kind, Tracker) :- ended(Job, Task, N, "SUCCEEDED"), attempt(Job, Task, N, Kind, Tracker, …).
        self.done <= ((a.jobid, a.taskid, a.n, a.kind, a.tracker, a.incarnation)
                      for e in self.ended for a in self.attempt
                      if e.state == "SUCCEEDED" and a.jobid == e.jobid and a.taskid == e.taskid and a.n == e.n)
        # finished(Job, Kind, count<*>) :- done(Job, _, _, Kind, _).
        self.finished <= ((d.jobid, d.kind, agg.count()) for d in self.done)
        # failed_on(Job, Task, Tracker) :- ended(Job, Task, N, "FAILED"), attempt(Job, Task, N, _, Tracker, …).
        self.failed_on <= ((e.jobid, e.taskid, self.attempt[e.jobid, e.taskid, e.n].tracker) for e in self.ended if e.state == "FAILED")
        # failures(Job, Task, count<*>) :- ended(Job, Task, _, "FAILED").
        self.failures <= ((e.jobid, e.taskid, agg.count()) for e in self.ended if e.state == "FAILED")
