# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""Jobs: submission, end, status, retirement."""

from __future__ import annotations

from bloompy import agg, param, periodic, rule, scratch, table
from bloompy_mr.jobfile import refusal
from bloompy_mr.relations import Relations


def failed_often(taskid: int, attempts: int, error: str) -> str:
    """The error of a job of which a task failed for good."""
    return f"task {taskid} failed {attempts} times; one of them:\n{error}"


class Jobs(Relations):
    """A job is submitted once, has one map task a split and R reduce tasks, ends once, and is forgotten a while later."""

    secret = param(b"")
    first_job = param(0)
    retire_s = param(600.0)
    keep_jobs = param(100)

    last_job = table("-> jobid: int")
    submission = table("client: str, reqid: int -> jobid: int")
    sweep = periodic(5.0)

    refused = scratch("client, reqid -> error")
    unseen = scratch("client, reqid -> rank")
    new_job = scratch("client, reqid -> jobid")
    job_ending = scratch("jobid, rank, status, error")
    job_verdict = scratch("jobid -> ending")
    retired = scratch("jobid")

    asked = scratch("jobid")
    task_progress = scratch("jobid, taskid -> kind, progress")
    work = scratch("jobid, kind -> progress")
    states = scratch("jobid, state -> attempts")
    all_states = scratch("jobid -> pairs")
    total = scratch("jobid, name -> value")
    totals = scratch("jobid -> pairs")

    @rule
    def submission_of_jobs(self) -> None:
        # refused(Client, Reqid, Error) :- submit(Client, Reqid, …), Error = refusal(…), Error != "".
        self.refused <= ((s.client, s.reqid, refusal(self.secret, s.code, s.settings, s.signature, s.maps, s.reduces, s.hosts))
                         for s in self.submit)
        # unseen(Client, Reqid, rank<(Client, Reqid)>) :- submit(Client, Reqid, …), not submission(Client, Reqid, _), not refused.
        self.unseen <= ((s.client, s.reqid, agg.rank((s.client, s.reqid))) for s in self.submit
                        if (s.client, s.reqid) not in self.submission and self.refused[s.client, s.reqid].error == "")
        # new_job(Client, Reqid, Last + 1 + Rank) :- unseen(Client, Reqid, Rank), last_job(Last).
        self.new_job <= ((u.client, u.reqid, self.last_job.get((), (self.first_job,)).jobid + 1 + u.rank) for u in self.unseen)
        self.submission <+ ((n.client, n.reqid, n.jobid) for n in self.new_job)
        self.last_job <+- (agg.max(n.jobid) for n in self.new_job)

        # job(Job, …, now) :- new_job(Client, Reqid, Job), submit(Client, Reqid, …).
        self.job <+ ((n.jobid, s.name, s.user, s.priority, self.now, s.maps, s.reduces)
                     for n in self.new_job for s in self.submit if s.client == n.client and s.reqid == n.reqid)
        self.job_code <+ ((n.jobid, s.code, s.settings, s.signature)
                          for n in self.new_job for s in self.submit if s.client == n.client and s.reqid == n.reqid)
        # task(Job, Task, "map", Task) :- new_job(…, Job), submit(…, Maps, …), 0 <= Task < Maps.        Reduce tasks follow.
        self.task <+ ((n.jobid, taskid, "map", taskid) for n in self.new_job for s in self.submit
                      if s.client == n.client and s.reqid == n.reqid for taskid in range(s.maps))
        self.task <+ ((n.jobid, s.maps + partition, "reduce", partition) for n in self.new_job for s in self.submit
                      if s.client == n.client and s.reqid == n.reqid for partition in range(s.reduces))
        # task_loc(Job, Task, Host) :- new_job(…, Job), submit(…, Hosts, …), Host in Hosts[Task].
        self.task_loc <+ ((n.jobid, taskid, host) for n in self.new_job for s in self.submit
                          if s.client == n.client and s.reqid == n.reqid
                          for taskid, hosts in enumerate(s.hosts) for host in hosts)

        # submitted(@Client, Reqid, Job, "") :- new_job(Client, Reqid, Job).      A repeated request gets the first answer.
        self.submitted <~ ((n.client, self.me, n.reqid, n.jobid, "") for n in self.new_job)
        self.submitted <~ ((s.client, self.me, s.reqid, self.submission[s.client, s.reqid].jobid, "") for s in self.submit)
        self.submitted <~ ((r.client, self.me, r.reqid, 0, r.error) for r in self.refused if r.error != "")

    @rule
    def end_of_jobs(self) -> None:
        # job_ending(Job, 0, "SUCCEEDED") :- active(Job, Maps, Reduces), done tasks = Maps + Reduces.
        self.job_ending <= ((j.jobid, 0, "SUCCEEDED", "") for j in self.active
                            if self.finished.get((j.jobid, "map"), (j.jobid, "map", 0)).tasks == j.maps
                            and self.finished.get((j.jobid, "reduce"), (j.jobid, "reduce", 0)).tasks == j.reduces)
        # job_ending(Job, 1, "FAILED", Error) :- failures(Job, Task, max_attempts), Error of the last attempt.
        self.job_ending <= ((e.jobid, 1, "FAILED", failed_often(e.taskid, f.attempts, e.error))
                            for f in self.failures for e in self.ended
                            if f.attempts >= self.max_attempts and e.jobid == f.jobid and e.taskid == f.taskid
                            and e.state == "FAILED" and f.jobid in self.active)
        # job_ending(Job, 2, "KILLED") :- kill_job(Job), active(Job).
        self.job_ending <= ((k.jobid, 2, "KILLED", "killed by " + k.client) for k in self.kill_job if k.jobid in self.active)
        # job_verdict(Job, min<Ending>) :- job_ending(Job, Ending).
        self.job_verdict <= ((e.jobid, agg.min((e.rank, e.status, e.error))) for e in self.job_ending)
        self.over <+ ((v.jobid, v.ending[1], self.now, v.ending[2]) for v in self.job_verdict)

        self.job_killed <~ ((k.client, self.me, k.reqid, k.jobid in self.job) for k in self.kill_job)
        # job(Job, Priority) :- set_priority(Job, Priority), active(Job).
        self.job <+- ((j.jobid, j.name, j.user, p.priority, j.submit, j.maps, j.reduces)
                      for p in self.set_priority for j in self.job if j.jobid == p.jobid and p.jobid in self.active)
        self.priority_set <~ ((p.client, self.me, p.reqid, p.jobid in self.active) for p in self.set_priority)

        # forget_job(@Tracker, Job) :- over(Job, …), attempt(Job, …, Tracker), tracker(Tracker, …).
        self.forget_job <~ ((a.tracker, o.jobid) for o in self.over for a in self.attempt
                            if a.jobid == o.jobid and a.tracker in self.tracker)

    @rule
    def status_of_jobs(self) -> None:
        self.asked <= ((q.jobid,) for q in self.ask_status)
        # task_progress(Job, Task, 1) :- done(Job, Task, …);  else the farthest of its live attempts.
        self.task_progress <= ((d.jobid, d.taskid, d.kind, 1.0) for q in self.asked for d in self.done if d.jobid == q.jobid)
        self.task_progress <= ((a.jobid, a.taskid, a.kind, agg.max(self.progress[a.jobid, a.taskid, a.n].progress))
                               for q in self.asked for a in self.live if a.jobid == q.jobid and (a.jobid, a.taskid) not in self.done)
        # work(Job, Kind, sum<Progress>) :- task_progress(Job, _, Kind, Progress).
        self.work <= ((t.jobid, t.kind, agg.sum(t.progress)) for t in self.task_progress)
        # states(Job, State, count<*>): how many attempts run, failed, …
        self.states <= ((e.jobid, e.state, agg.count()) for q in self.asked for e in self.ended if e.jobid == q.jobid)
        self.states <= ((a.jobid, "RUNNING", agg.count()) for q in self.asked for a in self.live if a.jobid == q.jobid)
        self.states <= ((a.jobid, "SPECULATIVE", agg.count()) for q in self.asked for a in self.attempt
                        if a.jobid == q.jobid and a.speculative)
        self.all_states <= ((s.jobid, agg.collect((s.state, s.attempts))) for s in self.states)
        # total(Job, Name, sum<Value>) :- counter(Job, Task, N, Name, Value), done(Job, Task, N).      Counted once.
        self.total <= ((c.jobid, c.name, agg.sum(c.value)) for q in self.asked for c in self.counter
                       if c.jobid == q.jobid and self.done[c.jobid, c.taskid].n == c.n)
        self.totals <= ((t.jobid, agg.collect((t.name, t.value))) for t in self.total)

        self.job_status <~ ((q.client, self.me, q.reqid, j.jobid, j.name,
                             self.over.get(j.jobid, (j.jobid, "RUNNING", 0.0, "")).status, j.submit,
                             self.over.get(j.jobid, (j.jobid, "RUNNING", 0.0, "")).finish,
                             self.over.get(j.jobid, (j.jobid, "RUNNING", 0.0, "")).error,
                             j.maps, self.finished.get((j.jobid, "map"), (j.jobid, "map", 0)).tasks,
                             self.work.get((j.jobid, "map"), (j.jobid, "map", 0.0)).progress / max(j.maps, 1),
                             j.reduces, self.finished.get((j.jobid, "reduce"), (j.jobid, "reduce", 0)).tasks,
                             self.work.get((j.jobid, "reduce"), (j.jobid, "reduce", 0.0)).progress / max(j.reduces, 1),
                             self.all_states.get(j.jobid, (j.jobid, ())).pairs, self.totals.get(j.jobid, (j.jobid, ())).pairs)
                            for q in self.ask_status for j in self.job if j.jobid == q.jobid)
        self.job_status <~ ((q.client, self.me, q.reqid, q.jobid, "", "UNKNOWN", 0.0, 0.0, "", 0, 0, 0.0, 0, 0, 0.0, (), ())
                            for q in self.ask_status if q.jobid not in self.job)
        self.job_list <~ ((q.client, self.me, q.reqid,
                           agg.collect((j.jobid, j.name, j.user, j.priority, j.submit,
                                        self.over.get(j.jobid, (j.jobid, "RUNNING", 0.0, "")).status,
                                        self.over.get(j.jobid, (j.jobid, "RUNNING", 0.0, "")).finish)))
                          for q in self.ask_jobs for j in self.job)
        self.job_list <~ ((q.client, self.me, q.reqid, ()) for q in self.ask_jobs if not any(True for j in self.job))
        self.attempt_list <~ ((q.client, self.me, q.reqid,
                               agg.collect((a.taskid, a.n, a.kind, a.tracker, a.start, a.speculative,
                                            self.ended.get((a.jobid, a.taskid, a.n), (0, 0, 0, "RUNNING", 0.0, "")).state,
                                            self.ended.get((a.jobid, a.taskid, a.n), (0, 0, 0, "RUNNING", 0.0, "")).finish)))
                              for q in self.ask_attempts for a in self.attempt if a.jobid == q.jobid)
        self.attempt_list <~ ((q.client, self.me, q.reqid, ()) for q in self.ask_attempts
                              if not any(a.jobid == q.jobid for a in self.attempt))

    @rule
    def retirement(self) -> None:
        # retired(Job) :- sweep(_, Time), over(Job, _, Finish, _), Time - Finish > retire_s.
        self.retired <= ((o.jobid,) for s in self.sweep for o in self.over if s.time - o.finish > self.retire_s)
        self.job_code <- ((r.jobid,) for r in self.retired)
        self.task <- ((t.jobid, t.taskid) for r in self.retired for t in self.task if t.jobid == r.jobid)
        self.task_loc <- ((t.jobid, t.taskid, t.host) for r in self.retired for t in self.task_loc if t.jobid == r.jobid)
        self.attempt <- ((a.jobid, a.taskid, a.n) for r in self.retired for a in self.attempt if a.jobid == r.jobid)
        self.ended <- ((e.jobid, e.taskid, e.n) for r in self.retired for e in self.ended if e.jobid == r.jobid)
        self.progress <- ((p.jobid, p.taskid, p.n) for r in self.retired for p in self.progress if p.jobid == r.jobid)
        self.counter <- ((c.jobid, c.taskid, c.n, c.name) for r in self.retired for c in self.counter if c.jobid == r.jobid)
        self.submission <- ((s.client, s.reqid) for r in self.retired for s in self.submission if s.jobid == r.jobid)
        # Name, status and times of the last keep_jobs jobs stay.
        self.job <- ((r.jobid,) for r in self.retired if r.jobid <= self.last_job[()].jobid - self.keep_jobs)
        self.over <- ((r.jobid,) for r in self.retired if r.jobid <= self.last_job[()].jobid - self.keep_jobs)
