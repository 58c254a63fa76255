# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""What a TaskTracker knows and says: its attempts, their state, heartbeats. The work itself is done by `pool`."""

from __future__ import annotations

from bloompy import agg, interface, param, periodic, rule, scratch, table
from bloompy_mr.messages import Messages


class Slots(Messages):
    """The rules of a TaskTracker.

    An attempt is assigned from its launch to its release; while it is, its state is reported with every heartbeat, so that
    a lost message is made up for.
    """

    jobtracker = param("")
    incarnation = param("")
    host = param("")
    data_address = param("")
    map_slots = param(2)
    reduce_slots = param(2)
    heartbeat_s = param(1.0)
    resend_s = param(5.0)

    assigned = table("jobid: int, taskid: int, n: int -> kind: str, partition: int, maps: int")
    held_file = table("jobid: int -> code: bytes, settings: bytes, signature: bytes")
    said = table("jobid: int, taskid: int, n: int -> seq: int, state: str, phase: str, progress: float, counters: tuple, error: str")
    known_output = table("jobid: int, taskid: int -> n: int, data_address: str")

    register = interface.input("no: int")
    says = interface.input(
        "jobid: int, taskid: int, n: int, seq: int -> state: str, phase: str, progress: float, counters: tuple, error: str"
    )
    misses = interface.input("jobid: int, taskid: int, n: int, reduce_taskid: int, reduce_n: int, seq: int")
    beat = periodic(heartbeat_s)
    resend = periodic(resend_s)

    start = scratch("jobid, taskid, n -> kind, partition, maps, code, settings, signature")
    feed = scratch("jobid, taskid, n, map_taskid, map_n, data_address")
    latest = scratch("jobid, taskid, n -> seq")
    newest = scratch("jobid, taskid -> n")
    outputs = scratch("jobid -> maps")

    @rule
    def heartbeats(self) -> None:
        # heartbeat(@JobTracker, me, No, …) :- beat(No, _).                                  One at once when it starts.
        self.heartbeat <~ ((self.jobtracker, self.me, b.no, self.incarnation, self.host, self.data_address,
                            self.map_slots, self.reduce_slots) for b in self.beat)
        self.heartbeat <~ ((self.jobtracker, self.me, r.no, self.incarnation, self.host, self.data_address,
                            self.map_slots, self.reduce_slots) for r in self.register)

    @rule
    def assignments(self) -> None:
        # assigned(Attempt, …) :- launch(Attempt, …), not release(Attempt): a launch that was sent again may come late.
        self.assigned <+ ((x.jobid, x.taskid, x.n, x.kind, x.partition, x.maps) for x in self.launch
                          if (self.me, x.jobid, x.taskid, x.n) not in self.release)
        self.held_file <+- ((f.jobid, f.code, f.settings, f.signature) for f in self.job_file
                            if (self.me, f.jobid) not in self.forget_job)
        # start(Attempt, …) :- assigned(Attempt, …), held_file(Job, …).                      The pool runs what begins to hold here.
        self.start <= ((a.jobid, a.taskid, a.n, a.kind, a.partition, a.maps, f.code, f.settings, f.signature)
                       for a in self.assigned for f in self.held_file if f.jobid == a.jobid)
        self.assigned <- ((r.jobid, r.taskid, r.n) for r in self.release)
        self.said <- ((r.jobid, r.taskid, r.n) for r in self.release)
        self.held_file <- ((f.jobid,) for f in self.forget_job)
        self.known_output <- ((k.jobid, k.taskid) for f in self.forget_job for k in self.known_output if k.jobid == f.jobid)
        # ask_job_file(@JobTracker, me, Job) :- resend(…), assigned(Job, …), not held_file(Job, …).
        self.ask_job_file <~ ((self.jobtracker, self.me, a.jobid) for t in self.resend for a in self.assigned
                              if a.jobid not in self.held_file)

    @rule
    def reports(self) -> None:
        # latest(Attempt, max<Seq>) :- says(Attempt, Seq, …).
        self.latest <= ((s.jobid, s.taskid, s.n, agg.max(s.seq)) for s in self.says)
        # said(Attempt, …) :- latest(Attempt, Seq), says(Attempt, Seq, …), assigned(Attempt).
        self.said <+- ((s.jobid, s.taskid, s.n, s.seq, s.state, s.phase, s.progress, s.counters, s.error) for s in self.says
                       if self.latest[s.jobid, s.taskid, s.n].seq == s.seq and (s.jobid, s.taskid, s.n) in self.assigned)
        # report(@JobTracker, me, Attempt, …) :- latest(Attempt, Seq), says(Attempt, Seq, …).     And all of them with each heartbeat.
        self.report <~ ((self.jobtracker, self.me, s.jobid, s.taskid, s.n, s.seq, s.state, s.phase, s.progress, s.counters, s.error)
                        for s in self.says if self.latest[s.jobid, s.taskid, s.n].seq == s.seq)
        self.report <~ ((self.jobtracker, self.me, s.jobid, s.taskid, s.n, s.seq, s.state, s.phase, s.progress, s.counters, s.error)
                        for b in self.beat for s in self.said if (s.jobid, s.taskid, s.n) not in self.latest)

    @rule
    def shuffle(self) -> None:
        # newest(Job, Map, max<N>) :- map_output(Job, Map, N, _).
        self.newest <= ((m.jobid, m.taskid, agg.max(m.n)) for m in self.map_output)
        self.known_output <+- ((m.jobid, m.taskid, m.n, m.data_address) for m in self.map_output if self.newest[m.jobid, m.taskid].n == m.n)
        # feed(Reduce attempt, Map, N, Address) :- assigned(Reduce attempt, "reduce"), known_output(Job, Map, N, Address).
        self.feed <= ((a.jobid, a.taskid, a.n, k.taskid, k.n, k.data_address)
                      for a in self.assigned for k in self.known_output if a.kind == "reduce" and k.jobid == a.jobid)
        # outputs(Job, count<*>) :- known_output(Job, …).       Fewer than the maps: ask what was lost on the way, or is still to come.
        self.outputs <= ((k.jobid, agg.count()) for k in self.known_output)
        self.ask_map_outputs <~ ((self.jobtracker, self.me, a.jobid) for t in self.resend for a in self.assigned
                                 if a.kind == "reduce" and self.outputs.get(a.jobid, (a.jobid, 0)).maps < a.maps)
        self.fetch_failure <~ ((self.jobtracker, self.me, x.jobid, x.taskid, x.n, x.reduce_taskid, x.reduce_n, x.seq) for x in self.misses)
