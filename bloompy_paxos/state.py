# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""Replicated state: clients' requests go through the log, and each takes effect once, however often it is sent or decided.

Schneider, "Implementing Fault-Tolerant Services Using the State Machine Approach" (1990). Sessions: Ongaro, "Consensus: Bridging
Theory and Practice" (2014), section 6.3; the table of results is part of the state, as all replicas must agree on it.
"""

from typing import Any

from bloompy import agg, module, param, periodic, rule, scratch, table
from bloompy_paxos.batches import request_fault
from bloompy_paxos.multipaxos import MultiPaxos
from bloompy_paxos.protocol import Service
from bloompy_paxos.snapshots import Snapshots


class ReplicatedState(Snapshots, Service, state=("answered", "session")):
    """Makes a state machine of whatever a subclass wires between `command`, `query` and `result`.

        class ReplicatedCounter(ReplicatedState, state=("total",)):
            total = table("name -> n: int", durable=True)
            added = scratch("name -> n")

            @rule
            def count(self):
                self.added <= ((c.command, agg.count()) for c in self.command)
                self.total <+- ((a.name, self.total.get(a.name, ("", 0)).n + a.n) for a in self.added)
                self.result <= ((q.request, self.total.get(q.command, ("", 0)).n) for q in self.query)

    What is done with a command may depend on the command, its request (an index), its time and the state, never on `self.now`,
    `self.rand` or `self.me`: all replicas have to do the same. Tables named by `state=`, and those of modules named there, are the state:
    they follow lagging replicas in snapshots, and need no synchronisation of their own, as the log brings them back.

    Collections for subclasses:
        command: what was decided, once each; those of one tick were under way together. `request` ascends.
        query: a read to be answered from the state as it is.
        result: the answer to a command or query, in the same tick, by its `request`; a command without one is answered by None.

    Params: those of `MultiPaxos`, and
        command_bytes: a larger command is refused; while one is on its way all others wait.
        session_retention_s, sweep_s: results are kept for a client until it was silent for so long; how often that is looked after.
    """

    members: tuple[str, ...] = param(())
    pulse_s = param(0.04)
    election_s = param(0.12)
    window = param(8)
    keep = param(1_000)
    lease_s = param(0.0)
    drift = param(0.01)
    batch_commands = param(1_000)
    command_bytes = param(1_000_000)
    session_retention_s = param(3_600.0)
    sweep_s = param(60.0)
    sweep = periodic(sweep_s)

    log = module(MultiPaxos, members=members, pulse_s=pulse_s, election_s=election_s, window=window, keep=keep, lease_s=lease_s,
                 drift=drift, batch_commands=batch_commands)

    command = scratch("request: int -> command, time: float")
    query = scratch("request: tuple -> command")
    result = scratch("request -> result")

    answered = table("session: str, number: int -> code: str, result", durable=True)
    session = table("session: str -> acked: int, seen: float", durable=True)
    asking = table("request: tuple -> client: str, command")

    refused = scratch("client, session, number -> code")
    led = scratch("session, number, client, acked, kind, command")
    entry = scratch("index -> session, number, client, acked, kind, command, time")
    acked_now = scratch("session -> acked, seen")
    expired = scratch("session")

    def fits(self, kind: str, command: Any) -> bool:
        """Whether a request can be served at all, for subclasses to say: what is decided has to be served. If that raised, it would do so
        at all replicas, for ever. Values with a NaN somewhere, and large ones, are refused before.

        Args:
            kind: "write", "member", "read", "stale".
            command: of a client, so anything that can be sent.
        """
        if kind != "member":
            return kind in ("write", "read", "stale")
        return (isinstance(command, tuple) and len(command) == 2 and command[0] in ("add-member", "remove-member")
                and isinstance(command[1], str))

    def refusal(self, kind: str, command: Any, session: str) -> str:
        """Why a request is not taken, the name of an error; "" if it is."""
        return request_fault((session, command), self.command_bytes) or ("" if self.fits(kind, command) else "EINVAL")

    @rule
    def accepting(self) -> None:
        # refused(C, S, N, Code) :- request(C, S, N, _, Kind, Command), refusal(Kind, Command) = Code.
        judged = ((r.client, r.session, r.number, self.refusal(r.kind, r.command, r.session)) for r in self.request)
        self.refused <= ((client, session, number, code) for client, session, number, code in judged if code)
        self.reply <~ ((x.client, self.me, x.session, x.number, x.code, None) for x in self.refused)
        # led(S, N, C, Acked, Kind, Command) :- request(C, S, N, Acked, Kind, Command), log.leading(_), not refused(C, S, N),
        #                                       not answered(S, N).
        self.led <= ((r.session, r.number, r.client, r.acked, r.kind, r.command) for r in self.request for b in self.log.leading
                     if (r.client, r.session, r.number) not in self.refused and (r.session, r.number) not in self.answered)
        # request(@L, C, S, N, ...) @async :- request(C, S, N, ...), log.leader(L), not log.leading(_).
        self.request <~ ((x.address, r.client, r.session, r.number, r.acked, r.kind, r.command)
                         for r in self.request for x in self.log.leader
                         if x.address != self.me and r.kind != "stale" and not any(b for b in self.log.leading))
        # log.propose(S, N, (C, Acked, Command)) :- led(S, N, C, Acked, write, Command).
        self.log.propose <= ((r.session, r.number, (r.client, r.acked, r.kind, r.command)) for r in self.led if r.kind == "write")
        # log.reconfigure(S, N, Change, ...) :- led(S, N, C, Acked, member, Change).
        self.log.reconfigure <= ((r.session, r.number, (r.command[0].removesuffix("-member"), r.command[1]),
                                  (r.client, r.acked, r.kind, r.command))
                                 for r in self.led if r.kind == "member")

    @rule
    def applying(self) -> None:
        # entry(I, S, N, ...) :- log.decree(I, _, S, N, ...), not answered(S, N), session(S, Acked), N >= Acked.
        self.entry <= ((d.index, d.session, d.number, d.command[0], d.command[1], d.command[2], d.command[3], d.time)
                       for d in self.log.decree if d.command[2] != "sweep" and (d.session, d.number) not in self.answered
                       and d.number >= self.session.get(d.session, (d.session, 0, 0.0)).acked)
        # command(I, Command, Time) :- entry(I, S, N, write, Command, Time).
        self.command <= ((e.index, e.command, e.time) for e in self.entry if e.kind == "write")

    @rule
    def answering(self) -> None:
        # answered(S, N, "", R) @next :- entry(I, S, N), result(I, R).
        self.answered <+ ((e.session, e.number, "", self.result.get(e.index, (e.index, None)).result) for e in self.entry)
        # reply(@C, me, S, N, "", R) @async :- log.leading(_), entry(I, S, N, C), result(I, R).
        self.reply <~ ((e.client, self.me, e.session, e.number, "", self.result.get(e.index, (e.index, None)).result)
                       for b in self.log.leading for e in self.entry)
        # reply(@C, me, S, N, Code) @async :- log.declined(S, N, (C, ...), Code).
        self.reply <~ ((d.command[0], self.me, d.session, d.number, d.code, None) for d in self.log.declined)
        # reply(@C, me, S, N, Code, R) @async :- request(C, S, N), answered(S, N, Code, R).
        self.reply <~ ((r.client, self.me, a.session, a.number, a.code, a.result) for r in self.request for a in self.answered
                       if a.session == r.session and a.number == r.number)

    @rule
    def reading(self) -> None:
        # log.read((S, N)) :- led(S, N, read).      asking((S, N), C, Command) @next :- led(S, N, C, read, Command).
        self.log.read <= (((r.session, r.number),) for r in self.led if r.kind == "read")
        self.asking <+- (((r.session, r.number), r.client, r.command) for r in self.led if r.kind == "read")
        # query((S, N), Command) :- asking((S, N), _, Command), log.readable((S, N)); request(S, N, stale, Command).
        self.query <= ((x.id, a.command) for x in self.log.readable for a in self.asking if a.request == x.id)
        self.query <= (((r.session, r.number), r.command) for r in self.request
                       if r.kind == "stale" and (r.client, r.session, r.number) not in self.refused)
        # reply(@C, me, S, N, "", R) @async :- query((S, N)), result((S, N), R), asking((S, N), C) or request(C, S, N, stale).
        self.reply <~ ((a.client, self.me, q.request[0], q.request[1], "", self.result.get(q.request, (q.request, None)).result)
                       for q in self.query for a in self.asking if a.request == q.request)
        self.reply <~ ((r.client, self.me, r.session, r.number, "", self.result.get(q.request, (q.request, None)).result)
                       for q in self.query for r in self.request if r.kind == "stale" and q.request == (r.session, r.number))
        self.asking <- ((x.id,) for x in self.log.readable)
        self.asking <- ((a.request,) for s in self.sweep for a in self.asking)

    @rule
    def remembering(self) -> None:
        # session(S, max<Acked>, max<Time>) @next :- entry(S, Acked, Time).      del answered(S, N) @next :- entry(S, Acked), N < Acked.
        self.acked_now <= ((e.session, agg.max(e.acked), agg.max(e.time)) for e in self.entry)
        self.session <+- ((n.session, max(n.acked, self.session.get(n.session, (n.session, 0, 0.0)).acked), n.seen)
                          for n in self.acked_now)
        self.answered <- ((a.session, a.number) for n in self.acked_now for a in self.answered
                          if a.session == n.session and a.number < n.acked)
        # log.propose("", 0, sweep) :- sweep(Now), log.leading(_), session(_, _, Seen), Seen + Retention < Now.
        # Forgetting is decided, too, as all have to forget the same.
        self.log.propose <= (("", 0, ("", 0, "sweep", None)) for s in self.sweep for b in self.log.leading
                             if any(x for x in self.session if x.seen + self.session_retention_s < s.time))
        # expired(S) :- log.decree(sweep, Time), session(S, _, Seen), Seen + Retention < Time.
        self.expired <= ((s.session,) for d in self.log.decree if d.command[2] == "sweep" for s in self.session
                         if s.seen + self.session_retention_s < d.time and s.session not in self.acked_now)
        self.session <- ((x.session,) for x in self.expired)
        self.answered <- ((a.session, a.number) for x in self.expired for a in self.answered if a.session == x.session)

    @rule
    def reporting(self) -> None:
        # log.inquiry(No) :- status_request(_, No).      status(@C, me, No, ...) @async :- status_request(C, No), log.condition(...).
        self.log.inquiry <= ((m.no,) for m in self.status_request)
        self.status <~ ((m.client, self.me, m.no, x.role, x.leader, x.ballot, x.decided, x.applied, x.first, x.members, x.peers)
                        for m in self.status_request for x in self.log.condition)
