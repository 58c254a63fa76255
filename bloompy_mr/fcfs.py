# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""First come, first served: which task goes to which tracker (Hadoop's order, EuroSys'10 §3.3).

A candidate is a task that a tracker with a free slot may run, with its rank; the least rank wins. In one tick a tracker is
given at most one map and one reduce task and a task goes to at most one tracker: to the one with most free slots among
those for which it is the best, then the least name. What remains is assigned in the following ticks, which follow at
once. This is a greedy matching: whenever a slot and a task fit together, one of the two is matched in that tick.

A policy adds candidates of its own (see `speculation`); nothing here knows which there are.
"""

from __future__ import annotations

from typing import NamedTuple

from bloompy import agg, param, rule, scratch
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
    candidate = scratch("tracker, kind, rank")
    best = scratch("tracker, kind -> rank")
    given = scratch("jobid, taskid -> choice")

    @rule
    def slots(self):
        # load(Tracker, Kind, count<*>) :- live(…, Kind, Tracker).
        self.load <= ((a.tracker, a.kind, agg.count()) for a in self.live)
        # free(Tracker, Kind, Slots - Load, Host) :- tracker(Tracker, Host, Slots), load(Tracker, Kind, Load), Slots > Load.
        self.free <= ((t.name, "map", t.map_slots - self.load.get((t.name, "map"), (t.name, "map", 0)).attempts, t.host)
                      for t in self.tracker if t.map_slots > self.load.get((t.name, "map"), (t.name, "map", 0)).attempts)
        self.free <= ((t.name, "reduce", t.reduce_slots - self.load.get((t.name, "reduce"), (t.name, "reduce", 0)).attempts, t.host)
                      for t in self.tracker if t.reduce_slots > self.load.get((t.name, "reduce"), (t.name, "reduce", 0)).attempts)

    @rule
    def queue(self):
        # busy(Job, Task) :- live(Job, Task, …).
        self.busy <= ((a.jobid, a.taskid) for a in self.live)
        # waiting(Job, Task, Kind, Priority, Submit, Failed) :- active(Job, …), task(Job, Task, Kind), not done, not busy,
        #     a reduce only once slow_start of the maps are done.
        self.waiting <= ((t.jobid, t.taskid, t.kind, j.priority, j.submit, (t.jobid, t.taskid) in self.failures)
                         for j in self.active for t in self.task
                         if t.jobid == j.jobid and (t.jobid, t.taskid) not in self.done and (t.jobid, t.taskid) not in self.busy
                         and (t.kind == "map"
                              or self.finished.get((j.jobid, "map"), (j.jobid, "map", 0)).tasks >= self.slow_start * j.maps))
        # elsewhere(Job, Task) :- failures(Job, Task), tracker(Tracker), not failed_on(Job, Task, Tracker).
        self.elsewhere <= ((f.jobid, f.taskid) for f in self.failures for t in self.tracker
                           if (f.jobid, f.taskid, t.name) not in self.failed_on)

    @rule
    def policy(self):
        # candidate(Tracker, Kind, Rank) :- free(Tracker, Kind, …), waiting(Job, Task, Kind, …),
        #     not failed_on(Job, Task, Tracker) unless it has failed on every tracker.
        self.candidate <= ((f.tracker, f.kind,
                            Rank(w.priority, w.submit, w.jobid,
                                 task_class(w.kind, w.failed, (w.jobid, w.taskid, f.host) in self.task_loc),
                                 0 if (w.jobid, w.taskid, f.host) in self.task_loc else 1, w.taskid))
                           for f in self.free for w in self.waiting
                           if w.kind == f.kind
                           and ((w.jobid, w.taskid, f.tracker) not in self.failed_on or (w.jobid, w.taskid) not in self.elsewhere))
        # best(Tracker, Kind, min<Rank>) :- candidate(Tracker, Kind, Rank).
        self.best <= ((c.tracker, c.kind, agg.min(c.rank)) for c in self.candidate)
        # given(Job, Task, min<(-Slots, Tracker)>) :- best(Tracker, Kind, Rank of Job, Task), free(Tracker, Kind, Slots).
        self.given <= ((b.rank.jobid, b.rank.taskid,
                        agg.min((-self.free[b.tracker, b.kind].slots, b.tracker, b.kind, b.rank.task_class == SPECULATIVE)))
                       for b in self.best)

    @rule
    def assignment(self):
        # tried(Job, Task, count<*>) :- attempt(Job, Task, …).
        self.tried <= ((a.jobid, a.taskid, agg.count()) for a in self.attempt)
        # attempt(Job, Task, Tried, Kind, Tracker, Incarnation, now, Speculative) :- given(Job, Task, Tracker, …), tried(Job, Task, Tried).
        self.attempt <+ ((g.jobid, g.taskid, self.tried.get((g.jobid, g.taskid), (0, 0, 0)).attempts, g.choice[2], g.choice[1],
                          self.tracker[g.choice[1]].incarnation, self.now, g.choice[3])
                         for g in self.given)
