# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""First come, first served: which task goes to which tracker (Hadoop's order, EuroSys'10 §3.3).

A candidate is a task that a tracker with a free slot may run, with its rank; the least rank wins. All candidates of a
tick are matched with the free slots at once, greedily (see `matching`). Of a long queue only its front is looked at, and
for each host the front of what lies near it; what is behind ranks lower. (A tracker on which a whole front has failed waits
until the others have taken it.)

A policy adds candidates of its own (see `speculation`); nothing here knows which there are.
"""

from __future__ import annotations

from typing import NamedTuple

from bloompy import agg, param, rule, scratch
from bloompy_mr.matching import greedy_matching, least
from bloompy_mr.relations import Relations

FAILED, LOCAL, ANY, REDUCE, SPECULATIVE = range(5)


class Rank(NamedTuple):
    """The order of candidates, the least first: priority of the job (0 before 1), submission, class, locality."""

    priority: int
    submit: float
    jobid: int
    task_class: int
    distance: int
    taskid: int


def task_class(kind: str, failed: bool, local: bool) -> int:
    """A failed task goes first, then a map near its input, any map, a reduce."""
    if failed:
        return FAILED
    return REDUCE if kind == "reduce" else LOCAL if local else ANY


class Fcfs(Relations):
    """The FCFS policy."""

    slow_start = param(0.05)

    tried = scratch("jobid, taskid -> attempts")
    busy = scratch("jobid, taskid")
    load = scratch("tracker, kind -> attempts")
    free = scratch("tracker, kind -> slots, host")
    waiting = scratch("jobid, taskid -> kind, priority, submit, failed")
    elsewhere = scratch("jobid, taskid")
    front = scratch("kind -> ranks")
    near_front = scratch("host, kind -> ranks")
    candidate = scratch("tracker, kind, rank")
    matching = scratch("kind -> pairs")
    given = scratch("jobid, taskid -> kind, tracker, speculative")

    @rule
    def slots(self) -> None:
        # load(Tracker, Kind, count<*>) :- live(…, Kind, Tracker).
        self.load <= ((a.tracker, a.kind, agg.count()) for a in self.live)
        # free(Tracker, Kind, Slots - Load, Host) :- tracker(Tracker, Host, Slots), load(Tracker, Kind, Load), Slots > Load.
        self.free <= ((t.name, "map", t.map_slots - self.load.get((t.name, "map"), (t.name, "map", 0)).attempts, t.host)
                      for t in self.tracker if t.map_slots > self.load.get((t.name, "map"), (t.name, "map", 0)).attempts)
        self.free <= ((t.name, "reduce", t.reduce_slots - self.load.get((t.name, "reduce"), (t.name, "reduce", 0)).attempts, t.host)
                      for t in self.tracker if t.reduce_slots > self.load.get((t.name, "reduce"), (t.name, "reduce", 0)).attempts)

    @rule
    def queue(self) -> None:
        # busy(Job, Task) :- live(Job, Task, …).
        self.busy <= ((a.jobid, a.taskid) for a in self.live)
        # waiting(Job, Task, Kind, Priority, Submit, Failed) :- active(Job, …), task(Job, Task, Kind), not done, not busy,
        #     failures < max_attempts, a reduce only once slow_start of the maps are done.
        self.waiting <= ((t.jobid, t.taskid, t.kind, j.priority, j.submit, (t.jobid, t.taskid) in self.failures)
                         for j in self.active for t in self.task
                         if t.jobid == j.jobid and (t.jobid, t.taskid) not in self.done and (t.jobid, t.taskid) not in self.busy
                         and self.failures.get((t.jobid, t.taskid), (0, 0, 0)).attempts < self.max_attempts
                         and (t.kind == "map"
                              or self.finished.get((j.jobid, "map"), (j.jobid, "map", 0)).tasks >= self.slow_start * j.maps))
        # front(Kind, least<Rank>) :- waiting(Job, Task, Kind, …).          The first FRONT of each queue: no tick assigns more.
        self.front <= ((w.kind, least(Rank(w.priority, w.submit, w.jobid, task_class(w.kind, w.failed, False), 1, w.taskid)))
                       for w in self.waiting)
        # near_front(Host, Kind, least<Rank>) :- waiting(Job, Task, Kind, …), task_loc(Job, Task, Host).
        self.near_front <= ((x.host, w.kind, least(Rank(w.priority, w.submit, w.jobid, task_class(w.kind, w.failed, True), 0, w.taskid)))
                            for w in self.waiting for x in self.task_loc if x.jobid == w.jobid and x.taskid == w.taskid)
        # elsewhere(Job, Task) :- failures(Job, Task), tracker(Tracker), not failed_on(Job, Task, Tracker).
        self.elsewhere <= ((f.jobid, f.taskid) for f in self.failures for t in self.tracker
                           if (f.jobid, f.taskid, t.name) not in self.failed_on)

    @rule
    def policy(self) -> None:
        # candidate(Tracker, Kind, Rank) :- free(Tracker, Kind, …), front(Kind, Ranks), Rank in Ranks,
        #     not failed_on(Job, Task, Tracker) unless it has failed on every tracker.      And so for near_front(Host, Kind, Ranks).
        self.candidate <= ((f.tracker, f.kind, rank) for f in self.free for q in self.front if q.kind == f.kind for rank in q.ranks
                           if (rank.jobid, rank.taskid, f.tracker) not in self.failed_on or (rank.jobid, rank.taskid) not in self.elsewhere)
        self.candidate <= ((f.tracker, f.kind, rank) for f in self.free for q in self.near_front
                           if q.host == f.host and q.kind == f.kind for rank in q.ranks
                           if (rank.jobid, rank.taskid, f.tracker) not in self.failed_on or (rank.jobid, rank.taskid) not in self.elsewhere)
        # matching(Kind, greedy<(Rank, Slots, Tracker)>) :- candidate(Tracker, Kind, Rank), free(Tracker, Kind, Slots).
        self.matching <= ((c.kind, greedy_matching((c.rank, self.free[c.tracker, c.kind].slots, c.tracker))) for c in self.candidate)
        # given(Job, Task, Kind, Tracker) :- matching(Kind, Pairs), (Rank of Job and Task, Tracker) in Pairs.
        self.given <= ((rank.jobid, rank.taskid, m.kind, tracker, rank.task_class == SPECULATIVE)
                       for m in self.matching for rank, tracker in m.pairs)

    @rule
    def assignment(self) -> None:
        # tried(Job, Task, count<*>) :- attempt(Job, Task, …).
        self.tried <= ((a.jobid, a.taskid, agg.count()) for a in self.attempt)
        # attempt(Job, Task, Tried, Kind, Tracker, Incarnation, now, Speculative) :- given(Job, Task, Tracker, …), tried(Job, Task, Tried).
        self.attempt <+ ((g.jobid, g.taskid, self.tried.get((g.jobid, g.taskid), (0, 0, 0)).attempts, g.kind, g.tracker,
                          self.tracker[g.tracker].incarnation, self.now, g.speculative)
                         for g in self.given)
