# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""Requests: each is answered, each write is applied once, in one order, many in a tick.

The life of a write: `request` -> `asked` -> `proposal` -> log -> `decided` -> (`waiting` ->) `decree` -> `attempt` -> `verdict` ->
`response`. Here the log is local: a decree's index is the next number of a durable sequence. What applies decrees does not know
that, so a replicated log may take its place. Everything is validated when it is applied, not when it is proposed: in between the
tree may have changed. What is applied depends on decrees alone (index, time, contents), never on this node's clock or on what it
has heard: whatever else is needed, such as the DataNodes for a chunk, is found out when a write is proposed and travels with it.

Many decrees come in one tick, and two of them may depend on each other (`mkdir /a`, `create /a/b`). A tick applies every
decree whose paths neither contain nor lie in a path of an earlier decree still to be applied, and that acknowledges no earlier one.
Those commute pairwise, so the result is that of applying all in the order of their indexes; the others wait for the next tick. The
earliest is never blocked.

A retried request is applied once (BOOM-FS lacked this): `answered` holds the result of each write until its client says,
with a later request, that it no longer asks (`acked`, the least request number it still waits for). Sessions of clients that
fell silent are forgotten by a decree of their own, so that all replicas forget alike.

Where another state takes the place of this one, as that of a replica that is ahead (`replacing`), nothing is applied in that tick.
"""

from bloompy import agg, interface, param, periodic, rule, scratch, table
from bloompy_fs.operations import OWN_SESSIONS, PREPARED, READS, TEXT_LIMIT, WRITES, paths_written, request_fault
from bloompy_fs.paths import ancestors
from bloompy_fs.protocol import Protocol

EXPIRE = "expire"
ALONE = "alone"
"""What a NameNode is that follows nobody."""
OWN = ""
"""The session of what a NameNode proposes by itself; clients cannot ask for such operations."""


class Sessions(Protocol):
    """The way of a request from its channel to its response, whatever its operation does."""

    leads = scratch("-> ballot: tuple")
    asked = scratch("client, session, reqid -> acked, op, path, args")
    unfit = scratch("session, reqid, order, code")
    fresh = scratch("session, reqid -> acked, op, path, args")
    fresh_write = scratch("session, reqid -> acked, op, path, args")
    ready_read = scratch("session, reqid -> op, path, args")
    proposal = scratch("session, reqid -> acked, op, path, args")
    place = scratch("session, reqid -> place")
    reached = table("-> index: int", durable=True)
    last = scratch("-> index")
    decided = scratch("index -> session, reqid, acked, op, path, args, time")
    waiting = table("index: int -> session: str, reqid: int, acked: int, op: str, path: str, args: tuple, time: float", durable=True)
    replacing = interface.input("no: int")
    queue = scratch("index -> session, reqid, acked, op, path, args, time")

    writes = scratch("path, index")
    needs = scratch("path, index")
    first_write = scratch("path -> index")
    first_need = scratch("path -> index")
    first_named = scratch("session, reqid -> index")
    acknowledged = scratch("session -> acked")
    given_up = scratch("index -> session, reqid")
    blocked = scratch("index")
    decree = scratch("index -> session, reqid, acked, op, path, args, time")

    stale = scratch("session, reqid")
    attempt = scratch("session, reqid -> index, op, path, args, time")
    fault = scratch("session, reqid, order, code")
    allowed = scratch("session, reqid -> index, op, path, args, time")
    result = scratch("session, reqid -> value")
    verdict = scratch("session, reqid -> code, result")

    answered = table("session: str, reqid: int -> code: str, result: tuple", durable=True)
    session = table("session: str -> acked: int, seen: float", durable=True)
    acked_now = scratch("session -> acked, time")
    silent = scratch("session, seen")
    expired = scratch("session")
    owed = scratch("session, reqid, client -> since")
    held = table("session: str, reqid: int, client: str -> since: float")

    session_retention_s = param(3_600.0)
    session_sweep_s = param(60.0)
    session_sweep = periodic(session_sweep_s)

    @rule
    def hear(self) -> None:
        # asked(C, S, R, ...) :- request(me, C, S, R, ...).
        self.asked <= ((r.client, r.session, r.reqid, r.acked, r.op, r.path, r.args) for r in self.request)

    @rule
    def propose(self) -> None:
        # unfit(S, R, 0, "ESTALE") :- asked(S, R), session(S, A), R < A.
        self.unfit <= ((r.session, r.reqid, 0, "ESTALE") for r in self.asked for s in self.session
                       if s.session == r.session and r.reqid < s.acked)
        # unfit(S, R, 1, E) :- asked(S, R, A, Op, P, Args), request_fault(R, A, Op, P, Args) = E != "".
        checked = ((r.session, r.reqid, request_fault(r.reqid, r.acked, r.op, r.path, r.args)) for r in self.asked)
        self.unfit <= ((session, reqid, 1, code) for session, reqid, code in checked if code)
        # unfit(S, R, 1, "EINVAL") :- asked(S, R), S is no name.
        self.unfit <= ((r.session, r.reqid, 1, "EINVAL") for r in self.asked if len(r.session) > TEXT_LIMIT)
        # fresh(S, R, ...) :- asked(S, R, ...), not unfit(S, R), not answered(S, R).
        self.fresh <= ((r.session, r.reqid, r.acked, r.op, r.path, r.args) for r in self.asked
                       if (r.session, r.reqid) not in self.answered
                       and not any(u for u in self.unfit if u.session == r.session and u.reqid == r.reqid))
        # fresh_write(S, R, ...) :- fresh(S, R, Op, ...), write(Op), not waiting(S, R).
        self.fresh_write <= (f for f in self.fresh if f.op in WRITES
                             and not any(w for w in self.waiting if w.session == f.session and w.reqid == f.reqid))
        # proposal(S, R, ...) :- fresh_write(S, R, Op, ...), the operation needs nothing else.
        self.proposal <= (f for f in self.fresh_write if f.op not in PREPARED)

    @rule
    def reads(self) -> None:
        # ready_read(S, R, Op, ...) :- fresh(S, R, Op, ...), read(Op).      (the one replica knows all that was answered)
        self.ready_read <= ((f.session, f.reqid, f.op, f.path, f.args) for f in self.fresh if f.op in READS)

    @rule
    def through_the_log(self) -> None:
        # place(S, R, rank<S, R>) :- proposal(S, R).
        self.place <= ((p.session, p.reqid, agg.rank((p.session, p.reqid))) for p in self.proposal)
        # decided(Last + 1 + Place, ...) :- proposal(S, R, ...), place(S, R, Place), reached(Last).
        self.decided <= ((self.reached.get((), (0,)).index + 1 + n.place, p.session, p.reqid, p.acked, p.op, p.path, p.args, self.now)
                         for p in self.proposal for n in self.place if n.session == p.session and n.reqid == p.reqid)

    @rule
    def reporting(self) -> None:
        # status(@C, Nn, No, "alone", ..., Last, Last, ...) @async :- status_request(Nn, C, No), reached(Last).
        # Nn is what the client calls it, which need not be what it calls itself.
        self.status <~ ((m.client, m.nn, m.no, ALONE, "", (), self.reached.get((), (0,)).index, self.reached.get((), (0,)).index, 1, (), ())
                        for m in self.status_request)

    @rule
    def order(self) -> None:
        # reached(max<I>) @next :- decided(I).
        self.last <= (agg.max(d.index) for d in self.decided)
        self.reached <+- ((d.index,) for d in self.last)
        # queue(I, ...) :- waiting(I, ...), not replacing(); decided(I, ...).
        self.queue <= (w for w in self.waiting if not any(x for x in self.replacing))
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
        # blocked(I) :- queue(I, S, R), queue(J, S, R), J < I.      (whatever a client asks for under a number, it stands for one request)
        self.first_named <= ((q.session, q.reqid, agg.min(q.index)) for q in self.queue)
        self.blocked <= ((q.index,) for q in self.queue for f in self.first_named
                         if f.session == q.session and f.reqid == q.reqid and f.index < q.index)
        # given_up(I, S, R) :- queue(I, S, R), queue(J, S, A), R < A.      (its client asks no longer, but it was decided)
        self.acknowledged <= ((q.session, agg.max(q.acked)) for q in self.queue)
        self.given_up <= ((q.index, q.session, q.reqid) for q in self.queue for a in self.acknowledged
                          if a.session == q.session and q.reqid < a.acked)
        # blocked(I) :- given_up(J, S, R), queue(I, S, A), R < A, J < I; given_up(I, S, R), queue(J, S, A), R < A, J < I.
        self.blocked <= ((max(q.index, g.index),) for g in self.given_up for q in self.queue
                         if q.session == g.session and g.reqid < q.acked and g.index != q.index)
        # decree(I, ...) :- queue(I, ...), not blocked(I).
        self.decree <= (q for q in self.queue if q.index not in self.blocked)
        # waiting(I, ...) @next :- queue(I, ...), blocked(I).
        self.waiting <+ (q for q in self.queue if q.index in self.blocked)
        # del waiting(I, ...) @next :- waiting(I, ...), decree(I, ...).
        self.waiting <- (w for w in self.waiting if w.index in self.decree)

    @rule
    def attempts(self) -> None:
        # stale(S, R) :- decree(S, R), session(S, A), R < A.      (it was applied and forgotten, or its client has given it up)
        self.stale <= ((d.session, d.reqid) for d in self.decree for s in self.session if s.session == d.session and d.reqid < s.acked)
        # attempt(S, R, I, ...) :- decree(I, S, R, ...), write, not answered(S, R), not stale(S, R).
        self.attempt <= ((d.session, d.reqid, d.index, d.op, d.path, d.args, d.time) for d in self.decree
                         if d.op in WRITES and (d.session, d.reqid) not in self.answered and (d.session, d.reqid) not in self.stale)
        # attempt(S, R, 0, ...) :- ready_read(S, R, ...), not decree(S, R).      (a number stands for one request)
        self.attempt <= ((r.session, r.reqid, 0, r.op, r.path, r.args, self.now) for r in self.ready_read
                         if not any(d for d in self.decree if d.session == r.session and d.reqid == r.reqid))
        # allowed(S, R, ...) :- attempt(S, R, ...), not fault(S, R).
        self.allowed <= (a for a in self.attempt if not any(f for f in self.fault if f.session == a.session and f.reqid == a.reqid))

    @rule
    def verdicts(self) -> None:
        # verdict(S, R, argmin<Code, Order>, ()) :- fault(S, R, Order, Code).
        worst = ((f.session, f.reqid, agg.argmin(f.code, f.order)) for f in self.fault)
        self.verdict <= ((session, reqid, code, ()) for session, reqid, code in worst)
        # fault(S, R, Order, Code) :- unfit(S, R, Order, Code), not attempt(S, R), not decree(S, R).      (which heed no requests)
        self.fault <= (u for u in self.unfit if (u.session, u.reqid) not in self.attempt
                       and not any(d for d in self.decree if d.session == u.session and d.reqid == u.reqid))
        # fault(S, R, 0, "ESTALE") :- stale(S, R).
        self.fault <= ((x.session, x.reqid, 0, "ESTALE") for x in self.stale)
        # verdict(S, R, "", V) :- result(S, R, V).
        self.verdict <= ((r.session, r.reqid, "", r.value) for r in self.result)
        # verdict(S, R, C, V) :- asked(S, R), answered(S, R, C, V), not unfit(S, R).
        self.verdict <= ((r.session, r.reqid, a.code, a.result) for r in self.asked for a in self.answered
                         if a.session == r.session and a.reqid == r.reqid
                         and not any(u for u in self.unfit if u.session == r.session and u.reqid == r.reqid))
        # verdict(S, R, C, V) :- decree(S, R), answered(S, R, C, V).      (a log may decide a request twice)
        self.verdict <= ((d.session, d.reqid, a.code, a.result) for d in self.decree for a in self.answered
                         if a.session == d.session and a.reqid == d.reqid)

    @rule
    def respond(self) -> None:
        # owed(S, R, C, Since) :- held(S, R, C, Since); asked(S, R, C), not held(S, R, C), Since = now.
        self.owed <= self.held
        self.owed <= ((r.session, r.reqid, r.client, self.now) for r in self.asked if (r.session, r.reqid, r.client) not in self.held)
        # response(@C, me, S, R, Code, V) @async :- verdict(S, R, Code, V), owed(S, R, C).
        self.response <~ ((o.client, self.me, v.session, v.reqid, v.code, v.result) for v in self.verdict for o in self.owed
                          if o.session == v.session and o.reqid == v.reqid)
        # held(S, R, C, Since) @next :- owed(S, R, C, Since), not verdict(S, R), not held(S, R, C).
        self.held <+ (o for o in self.owed if (o.session, o.reqid) not in self.verdict and (o.session, o.reqid, o.client) not in self.held)
        self.held <- (h for h in self.held if (h.session, h.reqid) in self.verdict)
        # del held(S, R, C) @next :- session_sweep(Now), held(S, R, C, Since), Now - Since > Sweep.      (it was never decided)
        self.held <- (h for t in self.session_sweep for h in self.held if t.time - h.since > self.session_sweep_s)

    @rule
    def remember(self) -> None:
        # answered(S, R, C, V) @next :- attempt(S, R, I), I > 0, verdict(S, R, C, V).
        self.answered <+ (v for a in self.attempt for v in self.verdict if a.index and v.session == a.session and v.reqid == a.reqid)
        # session(S, max<A>, max<Time>) @next :- decree(S, A, Time).
        self.acked_now <= ((d.session, agg.max(d.acked), agg.max(d.time)) for d in self.decree if d.session not in OWN_SESSIONS)
        self.session <+- ((n.session, max(n.acked, self.session.get(n.session, (n.session, 0, 0.0)).acked),
                           max(n.time, self.session.get(n.session, (n.session, 0, 0.0)).seen)) for n in self.acked_now)
        # del answered(S, R) @next :- decree(S, A), answered(S, R), R < A.
        self.answered <- (a for n in self.acked_now for a in self.answered if a.session == n.session and a.reqid < n.acked)

    @rule
    def forget(self) -> None:
        # silent(S, Seen) :- session_sweep(Now), leads(), session(S, Seen), Seen + Retention < Now.
        self.silent <= ((s.session, s.seen) for t in self.session_sweep for b in self.leads for s in self.session
                        if s.seen + self.session_retention_s < t.time)
        # proposal("", step, "expire", collect<S, Seen>) :- silent(S, Seen).
        self.proposal <= ((OWN, self.step, 0, EXPIRE, "/", agg.collect((s.session, s.seen))) for s in self.silent)
        # expired(S) :- decree("expire", Sessions), (S, Seen) in Sessions, session(S, Seen).      (and so was not heard since)
        self.expired <= ((s.session,) for d in self.decree if d.op == EXPIRE for name, seen in d.args for s in self.session
                         if s.session == name and s.seen == seen)
        self.session <- ((e.session,) for e in self.expired)
        self.answered <- (a for e in self.expired for a in self.answered if a.session == e.session)
