# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""Attempts of tasks: launch, reports, commit, end.

The first attempt of a task that finishes its work is granted the commit; when it has committed, the others are killed. So of
any number of attempts exactly one counts, and counters and output are those of one execution (OSDI'04 §3.3).
"""

from __future__ import annotations

from bloompy import agg, param, rule, scratch, table
from bloompy_mr.relations import Relations


class Attempts(Relations):
    """What becomes of attempts."""

    grant = table("jobid: int, taskid: int -> n: int")
    notice = table("jobid: int, taskid: int, n: int, reduce_taskid: int, reduce_n: int, seq: int")

    holder = scratch("jobid, taskid -> n")
    heard = scratch("jobid, taskid, n -> seq")
    first = scratch("jobid, taskid -> n")
    success = scratch("jobid, taskid, n")
    ending = scratch("jobid, taskid, n, rank, state, error")
    verdict = scratch("jobid, taskid, n -> ending")
    shuffling = scratch("tracker, jobid")
    running_reduces = scratch("jobid -> attempts")
    notices = scratch("jobid, taskid, n -> count, reduces")

    fetch_notices = param(3)

    @rule
    def launching(self) -> None:
        # launch(@Tracker, Attempt, Kind, Partition, Maps) :- live(Attempt, Kind, Tracker), task(…), job(…).
        self.launch <~ ((a.tracker, a.jobid, a.taskid, a.n, a.kind, self.task[a.jobid, a.taskid].partition, self.job[a.jobid].maps)
                        for a in self.live)
        # Sent again with each heartbeat of the tracker until it reports the attempt.
        self.launch <~ ((a.tracker, a.jobid, a.taskid, a.n, a.kind, self.task[a.jobid, a.taskid].partition, self.job[a.jobid].maps)
                        for h in self.heartbeat for a in self.live
                        if a.tracker == h.tracker and (a.jobid, a.taskid, a.n) not in self.progress)
        # job_file(@Tracker, Job, …) :- live(Job, …, Tracker), job_code(Job, …).      Once a tracker and job, or when asked for.
        self.job_file <~ ((a.tracker, a.jobid, c.code, c.settings, c.signature)
                          for a in self.live for c in self.job_code if c.jobid == a.jobid)
        self.job_file <~ ((q.tracker, q.jobid, c.code, c.settings, c.signature)
                          for q in self.ask_job_file for c in self.job_code if c.jobid == q.jobid)

    @rule
    def reports(self) -> None:
        # heard(Attempt, max<Seq>) :- report(Attempt, Seq, …), live(Attempt).
        self.heard <= ((r.jobid, r.taskid, r.n, agg.max(r.seq)) for r in self.report if (r.jobid, r.taskid, r.n) in self.live)
        # progress(Attempt, Seq, Phase, Progress) :- heard(Attempt, Seq), report(Attempt, Seq, …), newer than what is known.
        self.progress <+- ((r.jobid, r.taskid, r.n, r.seq, r.phase, r.progress) for r in self.report
                           if self.heard[r.jobid, r.taskid, r.n].seq == r.seq
                           and r.seq > self.progress.get((r.jobid, r.taskid, r.n), (r.jobid, r.taskid, r.n, -1, "", 0.0)).seq)
        # release(@Tracker, Attempt, State) :- report(Attempt, …, Tracker), not live(Attempt).      It runs for nobody.
        self.release <~ ((r.tracker, r.jobid, r.taskid, r.n, self.ended.get((r.jobid, r.taskid, r.n), (0, 0, 0, "KILLED", 0.0, "")).state)
                         for r in self.report if (r.jobid, r.taskid, r.n) not in self.live)

    @rule
    def commits(self) -> None:
        # holder(Job, Task, N) :- grant(Job, Task, N), the attempt has neither failed nor been killed.
        self.holder <= ((g.jobid, g.taskid, g.n) for g in self.grant
                        if self.ended.get((g.jobid, g.taskid, g.n), (0, 0, 0, "SUCCEEDED", 0.0, "")).state == "SUCCEEDED")
        # first(Job, Task, min<N>) :- report(Job, Task, N, "DONE"), live(Job, Task, N), not holder(Job, Task, _).
        self.first <= ((r.jobid, r.taskid, agg.min(r.n)) for r in self.report
                       if r.state == "DONE" and (r.jobid, r.taskid, r.n) in self.live and (r.jobid, r.taskid) not in self.holder
                       and r.jobid in self.active)
        self.grant <+- ((f.jobid, f.taskid, f.n) for f in self.first)
        # success(Job, Task, N) :- first(Job, Task, N), a map task whose output goes to reduce tasks: nothing is left to commit.
        self.success <= ((f.jobid, f.taskid, f.n) for f in self.first
                         if self.task[f.jobid, f.taskid].kind == "map" and self.active[f.jobid].reduces > 0)
        # commit(@Tracker, Attempt) :- grant(Attempt), live(Attempt, …, Tracker).      Again while it keeps reporting DONE.
        self.commit <~ ((a.tracker, a.jobid, a.taskid, a.n) for g in self.grant for a in self.live
                        if a.jobid == g.jobid and a.taskid == g.taskid and a.n == g.n)
        self.commit <~ ((r.tracker, r.jobid, r.taskid, r.n) for r in self.report
                        if r.state == "DONE" and (r.jobid, r.taskid, r.n) in self.live and self.grant[r.jobid, r.taskid].n == r.n)
        # success(Job, Task, N) :- report(Job, Task, N, "COMMITTED"), grant(Job, Task, N), live(Job, Task, N).
        self.success <= ((r.jobid, r.taskid, r.n) for r in self.report
                         if r.state == "COMMITTED" and (r.jobid, r.taskid, r.n) in self.live and self.grant[r.jobid, r.taskid].n == r.n)
        # counter(Attempt, Name, Value) :- success(Attempt), report(Attempt, …, Counters), (Name, Value) in Counters.
        self.counter <+ ((r.jobid, r.taskid, r.n, name, value) for r in self.report
                         if r.state in ("DONE", "COMMITTED") and (r.jobid, r.taskid, r.n) in self.success for name, value in r.counters)

    @rule
    def endings(self) -> None:
        self.ending <= ((s.jobid, s.taskid, s.n, 0, "SUCCEEDED", "") for s in self.success)
        # ending(Attempt, 1, "FAILED", Error) :- report(Attempt, "FAILED", Error), live(Attempt).
        self.ending <= ((r.jobid, r.taskid, r.n, 1, "FAILED", r.error) for r in self.report
                        if r.state == "FAILED" and (r.jobid, r.taskid, r.n) in self.live)
        # ending(Attempt, 2, "KILLED") :- live(Attempt), done(Task).                         Another attempt was first.
        self.ending <= ((a.jobid, a.taskid, a.n, 2, "KILLED", "another attempt was first") for a in self.live
                        if (a.jobid, a.taskid) in self.done)
        # ending(Attempt, 3, "KILLED") :- live(Attempt), over(Job).
        self.ending <= ((a.jobid, a.taskid, a.n, 3, "KILLED", "the job is over") for a in self.live if a.jobid in self.over)
        # ending(Attempt, 4, "KILLED") :- live(Attempt, …, Tracker, Incarnation), not tracker(Tracker, Incarnation, …).
        self.ending <= ((a.jobid, a.taskid, a.n, 4, "KILLED", "lost with tracker " + a.tracker) for a in self.live
                        if self.tracker.get(a.tracker, ("", "", "", "", 0, 0)).incarnation != a.incarnation)
        # ending(Attempt, 5, "KILLED") :- done map with its output on a lost tracker, some reduce of the job not done: the map runs again.
        self.ending <= ((d.jobid, d.taskid, d.n, 5, "KILLED", "its output was lost with tracker " + d.tracker)
                        for d in self.done for j in self.active
                        if d.jobid == j.jobid and d.kind == "map" and j.reduces > 0
                        and self.finished.get((j.jobid, "reduce"), (j.jobid, "reduce", 0)).tasks < j.reduces
                        and self.tracker.get(d.tracker, ("", "", "", "", 0, 0)).incarnation != d.incarnation)
        # verdict(Attempt, min<Ending>) :- ending(Attempt, Ending).
        self.verdict <= ((e.jobid, e.taskid, e.n, agg.min((e.rank, e.state, e.error))) for e in self.ending)
        self.ended <+- ((v.jobid, v.taskid, v.n, v.ending[1], self.now, v.ending[2]) for v in self.verdict)
        # release(@Tracker, Attempt, State) :- ended(Attempt, State), attempt(Attempt, …, Tracker), tracker(Tracker, …).
        self.release <~ ((a.tracker, e.jobid, e.taskid, e.n, e.state) for e in self.ended for a in self.attempt
                         if a.jobid == e.jobid and a.taskid == e.taskid and a.n == e.n and a.tracker in self.tracker)

    @rule
    def map_outputs(self) -> None:
        # shuffling(Tracker, Job) :- live(Job, …, "reduce", Tracker).
        self.shuffling <= ((a.tracker, a.jobid) for a in self.live if a.kind == "reduce")
        # map_output(@Tracker, Job, Map, N, Address) :- shuffling(Tracker, Job), done(Job, Map, N, "map", Other),
        #     tracker(Other, …, Address).
        self.map_output <~ ((s.tracker, d.jobid, d.taskid, d.n, self.tracker[d.tracker].data_address)
                            for s in self.shuffling for d in self.done if d.jobid == s.jobid and d.kind == "map")
        self.map_output <~ ((q.tracker, d.jobid, d.taskid, d.n, self.tracker[d.tracker].data_address)
                            for q in self.ask_map_outputs for d in self.done if d.jobid == q.jobid and d.kind == "map")

    @rule
    def fetch_failures(self) -> None:
        # notice(Map attempt, Reduce attempt, Seq) :- fetch_failure(…), the map attempt is done.
        self.notice <+ ((f.jobid, f.taskid, f.n, f.reduce_taskid, f.reduce_n, f.seq) for f in self.fetch_failure
                        if self.done[f.jobid, f.taskid].n == f.n)
        # notices(Map attempt, count<*>, count distinct<Reduce>) :- notice(Map attempt, Reduce, …).
        self.notices <= ((x.jobid, x.taskid, x.n, agg.count(), agg.count_distinct(x.reduce_taskid)) for x in self.notice)
        # running_reduces(Job, count<*>) :- live(Job, …, "reduce", …).
        self.running_reduces <= ((a.jobid, agg.count()) for a in self.live if a.kind == "reduce")
        # ending(Map attempt, 1, "FAILED") :- notices(Map attempt, >= 3, >= half of the running reduces), done(Map attempt).
        self.ending <= ((x.jobid, x.taskid, x.n, 1, "FAILED", "its output could not be fetched") for x in self.notices
                        if x.count >= self.fetch_notices and self.done[x.jobid, x.taskid].n == x.n and x.jobid in self.active
                        and 2 * x.reduces >= self.running_reduces.get(x.jobid, (x.jobid, 0)).attempts)
        self.notice <- ((x.jobid, x.taskid, x.n, x.reduce_taskid, x.reduce_n, x.seq) for x in self.notice
                        if (x.jobid, x.taskid, x.n) in self.verdict or x.jobid in self.over)
