# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""LATE: run again, on a fast node, the task that will finish last (Zaharia et al., OSDI'08 §4).

When a tracker asks for work of a kind, no task of that kind waits, and fewer speculative attempts than the cap run: if
the tracker is not slow, the slow task with the longest time to its end gets a second attempt there. Percentiles are by
nearest rank. Choices the paper leaves open: a tracker asks with its heartbeat; when several ask in one tick the one of
least name that can be given a task is served; among jobs FCFS order decides; of equal times left the least task.

Rates are those of running attempts, so the last straggler, when nothing else of its job has run for 60 s, is compared with
itself and not found. With `count_finished` the rates of succeeded attempts count too, and it is.
"""

from __future__ import annotations

from math import inf

from bloompy import agg, param, rule, scratch
from bloompy_mr.fcfs import SPECULATIVE, Fcfs, Rank


def time_left_s(progress: float, rate: float) -> float:
    """Estimated seconds until an attempt ends, at the rate it had so far."""
    return (1.0 - progress) / rate if rate > 0 else inf


class Late(Fcfs):
    """The LATE policy, added to FCFS."""

    speculative_lag_s = param(60.0)
    slow_task_percentile = param(25)
    slow_node_percentile = param(25)
    speculative_cap = param(0.1)
    count_finished = param(False)

    asks = scratch("tracker, kind")
    asked_kind = scratch("kind")
    waiting_kind = scratch("kind")
    rate = scratch("jobid, taskid, n -> kind, tracker, speculative, rate, time_left")
    sample = scratch("jobid, taskid, n -> kind, rate")
    slow_task_threshold = scratch("jobid, kind -> rate")
    ran = scratch("tracker, jobid, kind")
    part = scratch("tracker, jobid, kind, taskid, n -> progress")
    node_sum = scratch("tracker, jobid, kind -> progress")
    node_score = scratch("tracker, jobid, kind -> score")
    slow_node_threshold = scratch("jobid, kind -> score")
    slots_of_kind = scratch("kind -> slots")
    running_speculative = scratch("kind -> attempts")
    speculated = scratch("jobid, taskid")
    slow = scratch("tracker, jobid, kind, taskid -> time_left")
    pick = scratch("tracker, jobid, kind -> choice")
    served = scratch("kind -> tracker")

    @rule
    def requests(self) -> None:
        # waiting_kind(Kind) :- waiting(_, _, Kind, …).
        self.waiting_kind <= ((w.kind,) for w in self.waiting)
        # asks(Tracker, Kind) :- heartbeat(Tracker, …), free(Tracker, Kind, …), not waiting_kind(Kind), running speculative < cap.
        self.asks <= ((f.tracker, f.kind) for h in self.heartbeat for f in self.free
                      if f.tracker == h.tracker and f.kind not in self.waiting_kind
                      and self.running_speculative.get(f.kind, (f.kind, 0)).attempts
                      < max(1, int(self.speculative_cap * self.slots_of_kind[f.kind].slots)))
        self.asked_kind <= ((q.kind,) for q in self.asks)
        # slots_of_kind(Kind, sum<Slots>) :- tracker(_, …, Slots).
        self.slots_of_kind <= (("map", agg.sum(t.map_slots)) for t in self.tracker)
        self.slots_of_kind <= (("reduce", agg.sum(t.reduce_slots)) for t in self.tracker)
        # running_speculative(Kind, count<*>) :- live(…, Kind, speculative).
        self.running_speculative <= ((a.kind, agg.count()) for a in self.live if a.speculative)

    @rule
    def slow_tasks(self) -> None:
        # rate(Attempt, Progress / (now - Start), (1 - Progress) / Rate) :- live(Attempt, Start), progress(Attempt, Progress),
        #     now - Start >= 60 s.
        self.rate <= ((a.jobid, a.taskid, a.n, a.kind, a.tracker, a.speculative, progress / (self.now - a.start),
                       time_left_s(progress, progress / (self.now - a.start)))
                      for k in self.asked_kind for a in self.live
                      if a.kind == k.kind and self.now - a.start >= self.speculative_lag_s and a.jobid in self.active
                      for progress in (self.progress.get((a.jobid, a.taskid, a.n), (0, 0, 0, 0, "", 0.0)).progress,))
        # sample(Attempt, Kind, Rate) :- rate(Attempt, Kind, Rate).            With count_finished also of what has succeeded.
        self.sample <= ((r.jobid, r.taskid, r.n, r.kind, r.rate) for r in self.rate)
        self.sample <= ((a.jobid, a.taskid, a.n, a.kind, 1.0 / max(e.finish - a.start, 1e-6))
                        for k in self.asked_kind for d in self.done for a in self.attempt for e in self.ended
                        if self.count_finished and d.kind == k.kind and a.jobid == d.jobid and a.taskid == d.taskid and a.n == d.n
                        and e.jobid == d.jobid and e.taskid == d.taskid and e.n == d.n)
        # slow_task_threshold(Job, Kind, percentile<Rate, 25>) :- sample(Job, …, Kind, Rate).
        self.slow_task_threshold <= ((s.jobid, s.kind, agg.percentile(s.rate, self.slow_task_percentile)) for s in self.sample)
        # speculated(Job, Task) :- live(Job, Task, …, speculative).
        self.speculated <= ((a.jobid, a.taskid) for a in self.live if a.speculative)

    @rule
    def slow_nodes(self) -> None:
        # ran(Tracker, Job, Kind) :- attempt(Job, …, Kind, Tracker), tracker(Tracker, …).
        self.ran <= ((a.tracker, a.jobid, a.kind) for k in self.asked_kind for a in self.attempt
                     if a.kind == k.kind and a.jobid in self.active and a.tracker in self.tracker)
        # part(Tracker, Job, Kind, Attempt, Progress): 1 for what succeeded, else the progress of what runs.
        self.part <= ((d.tracker, d.jobid, d.kind, d.taskid, d.n, 1.0) for k in self.asked_kind for d in self.done if d.kind == k.kind)
        self.part <= ((a.tracker, a.jobid, a.kind, a.taskid, a.n,
                       self.progress.get((a.jobid, a.taskid, a.n), (0, 0, 0, 0, "", 0.0)).progress)
                      for k in self.asked_kind for a in self.live if a.kind == k.kind)
        # node_score(Tracker, Job, Kind, sum<Progress>) :- part(Tracker, Job, Kind, Progress).       0 for a node that only failed.
        self.node_sum <= ((p.tracker, p.jobid, p.kind, agg.sum(p.progress)) for p in self.part)
        self.node_score <= ((x.tracker, x.jobid, x.kind,
                             self.node_sum.get((x.tracker, x.jobid, x.kind), (x.tracker, x.jobid, x.kind, 0.0)).progress) for x in self.ran)
        # slow_node_threshold(Job, Kind, percentile<Score, 25>) :- node_score(_, Job, Kind, Score).
        self.slow_node_threshold <= ((s.jobid, s.kind, agg.percentile(s.score, self.slow_node_percentile)) for s in self.node_score)

    @rule
    def speculation(self) -> None:
        # slow(Tracker, Job, Kind, Task, Left) :- asks(Tracker, Kind), rate(Job, Task, Kind, Other, Rate, Left), the tracker is not slow,
        #     the attempt is slow, not speculative, not on this tracker, its task not speculated.
        self.slow <= ((q.tracker, r.jobid, r.kind, r.taskid, r.time_left) for q in self.asks for r in self.rate
                      if r.kind == q.kind and not r.speculative and r.tracker != q.tracker and (r.jobid, r.taskid) not in self.speculated
                      and r.rate < self.slow_task_threshold[r.jobid, r.kind].rate
                      and self.node_score.get((q.tracker, r.jobid, r.kind), (q.tracker, r.jobid, r.kind, 0.0)).score
                      >= self.slow_node_threshold[r.jobid, r.kind].score)
        # pick(Tracker, Job, Kind, argmax<Left>) :- slow(Tracker, Job, Kind, Task, Left).       Of equal ones the least task.
        self.pick <= ((s.tracker, s.jobid, s.kind, agg.argmax(s.taskid, s.time_left)) for s in self.slow)
        # served(Kind, min<Tracker>) :- pick(Tracker, _, Kind, _).       One at a time, so that the cap holds.
        self.served <= ((p.kind, agg.min(p.tracker)) for p in self.pick)
        # candidate(Tracker, Kind, Rank) :- served(Kind, Tracker), pick(Tracker, Job, Kind, Task).
        self.candidate <= ((s.tracker, s.kind,
                            Rank(self.active[p.jobid].priority, self.active[p.jobid].submit, p.jobid, SPECULATIVE, 0, p.choice))
                           for s in self.served for p in self.pick if p.tracker == s.tracker and p.kind == s.kind)
