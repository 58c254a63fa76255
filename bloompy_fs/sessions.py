# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""Requests: each is answered, each write is applied once, in one order, many in a tick.

The life of a write: `request` -> `proposal` -> log -> `decided` -> (`waiting` ->) `decree` -> `attempt` -> `verdict` -> `response`.
The log is local: a decree's index is the next number of a durable sequence. What applies decrees does not know that, so a
replicated log may take its place. Everything is validated when it is applied, not when it is proposed: in between the tree
may have changed.

Many decrees come in one tick, and two of them may depend on each other (`mkdir /a`, `create /a/b`). A tick applies every
decree whose paths neither contain nor lie in a path of an earlier decree still to be applied. Those commute pairwise, so the
result is that of applying all in the order of their indexes; the others wait for the next tick. The earliest is never blocked.

A retried request is applied once (BOOM-FS lacked this): `answered` holds the result of each write until its client says,
with a later request, that it no longer asks (`acked`, the least request number it still waits for).
"""

from bloompy import agg, param, periodic, rule, scratch, table
from bloompy_fs.operations import READS, WRITES, paths_written, request_fault
from bloompy_fs.paths import ancestors
from bloompy_fs.protocol import Protocol


class Sessions(Protocol):
    """The way of a request from its channel to its response, whatever its operation does."""

    unfit = scratch("session, reqid, order, code")
    fresh = scratch("session, reqid -> acked, op, path, args")
    proposal = scratch("session, reqid -> acked, op, path, args")
    place = scratch("session, reqid -> place")
    sequence = table("-> next: int", durable=True)
    last = scratch("-> index")
    decided = scratch("index -> session, reqid, acked, op, path, args, time")
    waiting = table("index: int -> session: str, reqid: int, acked: int, op: str, path: str, args: tuple, time: float")
    queue = scratch("index -> session, reqid, acked, op, path, args, time")

    writes = scratch("path, index")
    needs = scratch("path, index")
    first_write = scratch("path -> index")
    first_need = scratch("path -> index")
    blocked = scratch("index")
    decree = scratch("index -> session, reqid, acked, op, path, args, time")

    attempt = scratch("session, reqid -> index, op, path, args, time")
    fault = scratch("session, reqid, order, code")
    allowed = scratch("session, reqid -> index, op, path, args, time")
    result = scratch("session, reqid -> value")
    verdict = scratch("session, reqid -> code, result")

    answered = table("session: str, reqid: int -> code: str, result: tuple", durable=True)
    session = table("session: str -> acked: int, seen: float", durable=True)
    acked_now = scratch("session -> acked")
    expired = scratch("session")
    owed = scratch("session, reqid, client, nn")
    held = table("session: str, reqid: int, client: str, nn: str")

    session_retention_s = param(3_600.0)
    session_sweep_s = param(60.0)
    session_sweep = periodic(session_sweep_s)

    @rule
    def propose(self) -> None:
        # unfit(S, R, 0, "ESTALE") :- request(S, R), session(S, A), R < A.
        self.unfit <= ((r.session, r.reqid, 0, "ESTALE") for r in self.request for s in self.session
                       if s.session == r.session and r.reqid < s.acked)
        # unfit(S, R, 1, E) :- request(S, R, A, Op, P, Args), request_fault(R, A, Op, P, Args) = E != "".
        checked = ((r.session, r.reqid, request_fault(r.reqid, r.acked, r.op, r.path, r.args)) for r in self.request)
        self.unfit <= ((session, reqid, 1, code) for session, reqid, code in checked if code)
        # fresh(S, R, ...) :- request(S, R, ...), not unfit(S, R), not answered(S, R).
        self.fresh <= ((r.session, r.reqid, r.acked, r.op, r.path, r.args) for r in self.request
                       if (r.session, r.reqid) not in self.answered
                       and not any(u for u in self.unfit if u.session == r.session and u.reqid == r.reqid))
        # proposal(S, R, ...) :- fresh(S, R, Op, ...), write(Op), not waiting(S, R).
        self.proposal <= (f for f in self.fresh if f.op in WRITES
                          and not any(w for w in self.waiting if w.session == f.session and w.reqid == f.reqid))

    @rule
    def local_log(self) -> None:
        # place(S, R, rank<S, R>) :- proposal(S, R).
        self.place <= ((p.session, p.reqid, agg.rank((p.session, p.reqid))) for p in self.proposal)
        # decided(Next + Place, ...) :- proposal(S, R, ...), place(S, R, Place), sequence(Next).
        self.decided <= ((self.sequence.get((), (1,)).next + n.place, p.session, p.reqid, p.acked, p.op, p.path, p.args, self.now)
                         for p in self.proposal for n in self.place if n.session == p.session and n.reqid == p.reqid)
        # sequence(max<I> + 1) @next :- decided(I).
        self.last <= (agg.max(d.index) for d in self.decided)
        self.sequence <+- (d.index + 1 for d in self.last)

    @rule
    def order(self) -> None:
        # queue(I, ...) :- waiting(I, ...); decided(I, ...).
        self.queue <= self.waiting
        self.queue <= self.decided
        # writes(P, I) :- queue(I, Op, Path, Args), P in paths_written(Op, Path, Args).
        self.writes <= ((path, q.index) for q in self.queue for path in paths_written(q.op, q.path, q.args))
        # needs(A, I) :- writes(P, I), A in ancestors(P) or A = P.
        self.needs <= ((above, w.index) for w in self.writes for above in (*ancestors(w.path), w.path))
        # blocked(I) :- needs(P, I), writes(P, J), J < I.
        self.first_write <= ((w.path, agg.min(w.index)) for w in self.writes)
        self.blocked <= ((n.index,) for n in self.needs for f in self.first_write if f.path == n.path and f.index < n.index)
        # blocked(I) :- writes(P, I), needs(P, J), J < I.
        self.first_need <= ((n.path, agg.min(n.index)) for n in self.needs)
        self.blocked <= ((w.index,) for w in self.writes for f in self.first_need if f.path == w.path and f.index < w.index)
        # decree(I, ...) :- queue(I, ...), not blocked(I).
        self.decree <= (q for q in self.queue if q.index not in self.blocked)
        # waiting(I, ...) @next :- queue(I, ...), blocked(I).
        self.waiting <+ (q for q in self.queue if q.index in self.blocked)
        # del waiting(I, ...) @next :- waiting(I, ...), decree(I, ...).
        self.waiting <- (w for w in self.waiting if w.index in self.decree)

    @rule
    def attempts(self) -> None:
        # attempt(S, R, I, ...) :- decree(I, S, R, ...), not answered(S, R).
        self.attempt <= ((d.session, d.reqid, d.index, d.op, d.path, d.args, d.time) for d in self.decree
                         if (d.session, d.reqid) not in self.answered)
        # attempt(S, R, 0, ...) :- fresh(S, R, Op, ...), read(Op).
        self.attempt <= ((f.session, f.reqid, 0, f.op, f.path, f.args, self.now) for f in self.fresh if f.op in READS)
        # allowed(S, R, ...) :- attempt(S, R, ...), not fault(S, R).
        self.allowed <= (a for a in self.attempt if not any(f for f in self.fault if f.session == a.session and f.reqid == a.reqid))

    @rule
    def verdicts(self) -> None:
        # verdict(S, R, argmin<Code, Order>, ()) :- fault(S, R, Order, Code).      (unfit requests have faults, too)
        self.fault <= self.unfit
        worst = ((f.session, f.reqid, agg.argmin(f.code, f.order)) for f in self.fault)
        self.verdict <= ((session, reqid, code, ()) for session, reqid, code in worst)
        # verdict(S, R, "", V) :- result(S, R, V).
        self.verdict <= ((r.session, r.reqid, "", r.value) for r in self.result)
        # verdict(S, R, C, V) :- request(S, R), answered(S, R, C, V), not unfit(S, R).
        self.verdict <= ((r.session, r.reqid, a.code, a.result) for r in self.request for a in self.answered
                         if a.session == r.session and a.reqid == r.reqid
                         and not any(u for u in self.unfit if u.session == r.session and u.reqid == r.reqid))
        # verdict(S, R, C, V) :- decree(S, R), answered(S, R, C, V).      (a log may decide a request twice)
        self.verdict <= ((d.session, d.reqid, a.code, a.result) for d in self.decree for a in self.answered
                         if a.session == d.session and a.reqid == d.reqid)

    @rule
    def respond(self) -> None:
        # owed(S, R, C, N) :- request(N, C, S, R); held(S, R, C, N).
        self.owed <= ((r.session, r.reqid, r.client, r.nn) for r in self.request)
        self.owed <= self.held
        # response(@C, N, S, R, Code, V) @async :- verdict(S, R, Code, V), owed(S, R, C, N).
        self.response <~ ((o.client, o.nn, v.session, v.reqid, v.code, v.result) for v in self.verdict for o in self.owed
                          if o.session == v.session and o.reqid == v.reqid)
        # held(S, R, C, N) @next :- owed(S, R, C, N), not verdict(S, R).
        self.held <+ (o for o in self.owed if (o.session, o.reqid) not in self.verdict)
        self.held <- (h for h in self.held if (h.session, h.reqid) in self.verdict)

    @rule
    def remember(self) -> None:
        # answered(S, R, C, V) @next :- decree(S, R), verdict(S, R, C, V).
        self.answered <+ (v for d in self.decree for v in self.verdict if v.session == d.session and v.reqid == d.reqid)
        # session(S, max<A>) @next :- decree(S, A).
        self.acked_now <= ((d.session, agg.max(d.acked)) for d in self.decree)
        self.session <+- ((n.session, max(n.acked, self.session.get(n.session, (n.session, 0, 0.0)).acked), self.now)
                          for n in self.acked_now)
        # del answered(S, R) @next :- decree(S, A), answered(S, R), R < A.
        self.answered <- (a for n in self.acked_now for a in self.answered if a.session == n.session and a.reqid < n.acked)

    @rule
    def forget(self) -> None:
        # expired(S) :- session_sweep(), session(S, Seen), Seen + Retention < now.
        self.expired <= ((s.session,) for t in self.session_sweep for s in self.session
                         if s.seen + self.session_retention_s < t.time and s.session not in self.acked_now)
        self.session <- ((e.session,) for e in self.expired)
        self.answered <- (a for e in self.expired for a in self.answered if a.session == e.session)
