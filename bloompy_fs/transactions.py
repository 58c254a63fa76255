# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""What several partitions do together or not at all: two-phase commit among state machines behind logs.

Gray, "Notes on Data Base Operating Systems" (1978); with the coordinator and the participants each a replicated state machine, so
that nothing is in doubt for longer than a log is without a leader: Gray and Lamport, "Consensus on Transaction Commit" (2006),
section 3. (BOOM-FS broadcast `mkdir`, and reported success when one partition had made the directory.)

The request that begins a transaction is a decree of partition 0, the coordinator. It writes the transaction down, with the share of
each participant, and says `prepare` to them. A participant's prepare is a decree: the operation is tried, its verdict is the vote;
after a yes the paths are locked. When all have voted, or after too long a time, the coordinator's decree `decide` settles it for
ever. Now the client is answered; a participant's `decide` applies its share by the rules of every operation, and unlocks. When all
have said so, a decree `end` drops the records. Prepare, decide and end of one transaction are the numbers 3 T, 3 T + 1 and 3 T + 2
of one session: whatever is lost is said again under its number, and counts once (`sessions`). Nothing is presumed: the coordinator
remembers until all have done their part, and says again what was not answered, whoever of its members leads; so nobody need ask.

Decrees that touch a locked path wait, and so do reads. There is no deadlock: a transaction locks its paths, all of them, at the
coordinator first, so those in conflict are put into one order there, and none waits elsewhere but for one that is decided.
"""

from bloompy import agg, channel, invariant, param, periodic, rule, scratch, table
from bloompy_fs.moving import Moving
from bloompy_fs.operations import paths_written
from bloompy_fs.partitioning import FORGET, RETURNED, TRANSACTIONS
from bloompy_fs.paths import ancestors, is_under
from bloompy_fs.placement import COORDINATOR
from bloompy_fs.sessions import OWN
from bloompy_fs.shares import DECIDE, END, PREPARE, STEPS, share_fault

OWN_BARRIERS = frozenset({OWN, FORGET})
UNREACHED = "EHOSTDOWN"
CANCELLED = "ECANCELED"


class Transactions(Moving):
    """The coordinator's rules and the participants', in one class: partition 0 is both.

    Params:
        retry_s: how often what has not been answered is said again.
        transaction_timeout_s: a transaction with votes missing for so long is aborted.
    """

    retry_s = param(0.5)
    retry = periodic(retry_s)
    transaction_timeout_s = param(10.0)

    instruct = channel("@address: str, number: int, oldest: int, op: str, path: str, args: tuple")
    instructed = channel("@address: str, number: int, partition: int, code: str, result: tuple")

    transaction = table("tx: int -> index: int, session: str, reqid: int, op: str, path: str, args: tuple, time: float", durable=True)
    share = table("tx: int, partition: int -> op: str, path: str, args: tuple", durable=True)
    decision = table("tx: int -> commit: bool, time: float, cargo: tuple", durable=True)
    prepared = table("tx: int -> index: int, op: str, path: str, args: tuple", durable=True)
    ballot = table("tx: int, partition: int -> code: str, cargo: tuple")
    done = table("tx: int, partition: int")
    horizon = table("-> tx: int", durable=True)
    still = table("-> tx: int")

    lock_need = scratch("path, index")
    step_queued = scratch("index, tx")
    first_of_others = scratch("-> index")
    begins = scratch("tx -> index, session, reqid, op, path, args, time")
    part = scratch("tx, partition -> op, path, args")
    hopeless = scratch("tx, order, code")
    begun = scratch("tx -> index, session, reqid, op, path, args, time")
    under_way = scratch("tx")
    oldest = scratch("-> tx")

    counted = scratch("tx, partition -> code, cargo")
    missing = scratch("tx, partition")
    prompted = scratch("tx")
    objection = scratch("tx -> code")
    freight = scratch("tx -> cargo")
    ruling = scratch("tx -> commit, time, cargo, code")
    latest = scratch("-> tx")
    forgotten = scratch("tx")
    ended = scratch("tx")
    outgoing = scratch("fid")
    concluded = scratch("tx -> session, reqid, op, path, commit, code")
    owing = scratch("tx, partition")

    @rule
    def locks(self) -> None:
        # lock(P, I) :- prepared(X, I, Op, Path, Args) or transaction(X, I, Op, Path, Args), P in paths_written(Op, Path, Args).
        self.lock <= ((path, p.index) for p in self.prepared for path in paths_written(p.op, p.path, p.args))
        self.lock <= ((path, t.index) for t in self.transaction for path in paths_written(t.op, t.path, t.args))
        # lock_need(A, I) :- lock(P, I), A in ancestors(P) or A = P.
        self.lock_need <= ((over, k.index) for k in self.lock for over in (*ancestors(k.path), k.path))
        # blocked(J) :- queue(J), needs(P, J), lock(P, I), I < J.
        self.blocked <= ((n.index,) for k in self.lock for n in self.needs if n.path == k.path and k.index < n.index)
        # blocked(J) :- queue(J), writes(P, J), lock_need(P, I), I < J.      (not what a NameNode proposes to be applied alone)
        self.blocked <= ((q.index,) for k in self.lock_need for w in self.writes for q in self.queue
                         if w.path == k.path and k.index < w.index and q.index == w.index and q.session not in OWN_BARRIERS)

    @rule
    def in_turn(self) -> None:
        # step_queued(I, X) :- queue(I, session, N), N is a number of X, not (N is a prepare, answered(N)).
        self.step_queued <= ((q.index, q.reqid // STEPS) for q in self.queue if q.session == TRANSACTIONS
                             and not (q.reqid % STEPS == PREPARE and (TRANSACTIONS, q.reqid) in self.answered))
        # blocked(I) :- step_queued(I, X), step_queued(J, X), J < I.
        self.blocked <= ((later.index,) for later in self.step_queued for s in self.step_queued
                         if s.tx == later.tx and s.index < later.index)
        # blocked(I) :- step_queued(I, X), queue(J), J began X here.
        self.blocked <= ((s.index,) for s in self.step_queued for q in self.queue
                         if q.index == s.tx // len(self.partitions) and self.partition == COORDINATOR)
        # blocked(I) :- queue(I, forget), step_queued(J), J < I.
        self.blocked <= ((q.index,) for q in self.queue for s in self.step_queued if q.session == FORGET and s.index < q.index)
        # blocked(I) :- queue(I, returned), queue(J), J < I, J is not of returned chunks.
        self.first_of_others <= (agg.min(q.index) for q in self.queue if q.session != RETURNED)
        self.blocked <= ((q.index,) for q in self.queue for f in self.first_of_others if q.session == RETURNED and f.index < q.index)

    # -- the coordinator begins

    @rule
    def begin_transaction(self) -> None:
        # begins(I, S, R, ...) :- coming(S, R, I, ...), whole(S, R) or crossing(S, R), this is the coordinator.
        self.begins <= ((c.index, c.index // len(self.partitions), c.session, c.reqid, c.op, c.path, c.args, c.time) for c in self.coming
                        if self.partition == COORDINATOR
                        and ((c.session, c.reqid) in self.whole or (c.session, c.reqid) in self.crossing))
        # part(X, every partition, Op, P, Args) :- begins(X, S, R, Op, P, Args), whole(S, R).
        self.part <= ((b.tx, number, b.op, b.path, b.args) for b in self.begins if (b.session, b.reqid) in self.whole
                      for number in range(len(self.partitions)))
        # part(X, A, give, P, T), part(X, B, take, T, P) :- begins(X, S, R, P), crossing(S, R), nearest(S, R, A),
        #                                                   goal_nearest(S, R, B), aim(S, R, T).
        moves = ((b.tx, h.partition, g.partition, b.path, t.path, b.args[2])
                 for b in self.begins for x in self.crossing for h in self.nearest for g in self.goal_nearest for t in self.aim
                 if x.session == b.session and x.reqid == b.reqid and h.session == b.session and h.reqid == b.reqid
                 and g.session == b.session and g.reqid == b.reqid and t.session == b.session and t.reqid == b.reqid)
        self.part <= ((tx, origin, "give", path, (goal,)) for tx, origin, target, path, goal, replace in moves)
        self.part <= ((tx, target, "take", goal, (path, replace)) for tx, origin, target, path, goal, replace in moves)
        # trial(session, 3 X, ...) :- part(X, me, ...), begins(X).
        self.trial <= ((TRANSACTIONS, STEPS * b.tx + PREPARE, b.tx, b.index, p.op, p.path, p.args, b.time)
                       for b in self.begins for p in self.part if p.tx == b.tx and p.partition == self.partition)
        # hopeless(X, Order, E) :- trial(session, 3 X, Op), fault(session, 3 X, Order, E), Op != take.      (giving comes before taking)
        self.hopeless <= ((b.tx, f.order, f.code) for b in self.begins for t in self.trial for f in self.fault
                          if t.tx == b.tx and t.op != "take" and f.session == t.session and f.reqid == t.reqid)
        # fault(S, R, Order, E) :- hopeless(X, Order, E), begins(X, S, R).
        self.fault <= ((b.session, b.reqid, h.order, h.code) for h in self.hopeless for b in self.begins if b.tx == h.tx)

    @rule
    def write_down(self) -> None:
        # begun(X, ...) :- begins(X, ...), not hopeless(X).
        self.begun <= (b for b in self.begins if not any(h for h in self.hopeless if h.tx == b.tx))
        self.transaction <+ self.begun
        # share(X, P, ...) @next :- begun(X), part(X, P, ...).
        self.share <+ (p for b in self.begun for p in self.part if p.tx == b.tx)
        # answered(S, R, E, V) @next :- begins(X, S, R), hopeless(X), verdict(S, R, E, V).
        self.answered <+ (v for b in self.begins for v in self.verdict if v.session == b.session and v.reqid == b.reqid
                          and any(h for h in self.hopeless if h.tx == b.tx))
        # oldest(min<X>) :- transaction(X); decision(X).
        self.under_way <= ((t.tx,) for t in self.transaction)
        self.under_way <= ((d.tx,) for d in self.decision)
        self.oldest <= (agg.min(u.tx) for u in self.under_way)

    @rule
    def say_prepare(self) -> None:
        # instruct(@A, 3 X, Oldest, Op, P, Args) @async :- begun(X), part(X, P, ...), member(P, A), oldest(Oldest), leads().
        self.instruct <~ ((address, STEPS * p.tx + PREPARE, self.oldest.get((), (p.tx,)).tx, p.op, p.path, p.args)
                          for b in self.begun for p in self.part for x in self.leads
                          if p.tx == b.tx and p.partition != self.partition for address in self.partitions[p.partition])
        # instruct(@A, 3 X, Oldest, Op, P, Args) @async :- retry(), missing(X, P), share(X, P, ...), member(P, A), oldest(Oldest), leads().
        self.instruct <~ ((address, STEPS * m.tx + PREPARE, o.tx, s.op, s.path, s.args)
                          for r in self.retry for m in self.missing for s in self.share for o in self.oldest for x in self.leads
                          if s.tx == m.tx and s.partition == m.partition and m.partition != self.partition
                          for address in self.partitions[m.partition])

    # -- participants

    @rule
    def obey(self) -> None:
        # proposal(session, N, ...) :- instruct(N, ...), leads(), not answered(N), not waiting(N), horizon(X), N >= 3 X,
        #                              not (N is a prepare, answered(N + 1)).
        self.proposal <= ((TRANSACTIONS, i.number, 0, i.op, i.path, i.args) for i in self.instruct for x in self.leads
                          if not share_fault(i.number, i.op, i.path, i.args)
                          and (TRANSACTIONS, i.number) not in self.answered
                          and not any(w for w in self.waiting if w.session == TRANSACTIONS and w.reqid == i.number)
                          and not any(h for h in self.horizon if i.number < STEPS * h.tx)
                          and not (i.op != "decide" and (TRANSACTIONS, i.number + 1) in self.answered))
        # trial(session, 3 X, X, I, ...) :- decree(I, session, 3 X, ...), not answered(3 X), not answered(3 X + 1), X >= horizon.
        # (else it came twice, or after it was aborted, or after it was ended)
        self.trial <= ((TRANSACTIONS, d.reqid, d.reqid // STEPS, d.index, d.op, d.path, d.args, d.time) for d in self.decree
                       if d.session == TRANSACTIONS and d.reqid % STEPS == PREPARE
                       and (TRANSACTIONS, d.reqid) not in self.answered and (TRANSACTIONS, d.reqid + 1) not in self.answered
                       and not any(h for h in self.horizon if d.reqid < STEPS * h.tx))

    @rule
    def vote(self) -> None:
        # attempt(session, 3 X, 0, ...) :- trial(session, 3 X, ...).      (nothing is made, so no number is needed)
        self.attempt <= ((t.session, t.reqid, 0, t.op, t.path, t.args, t.time) for t in self.trial)
        # answered(session, 3 X, E, V) @next :- trial(session, 3 X, X), verdict(session, 3 X, E, V), not hopeless(X).
        self.answered <+ (v for t in self.trial for v in self.verdict if v.session == t.session and v.reqid == t.reqid
                          and not any(h for h in self.hopeless if h.tx == t.tx))
        # result(session, 3 X, ()) :- trial(session, 3 X, Op), Op != give, not fault(session, 3 X).      (the vote of give has its cargo)
        self.result <= ((t.session, t.reqid, ()) for t in self.trial if t.op != "give"
                        and not any(f for f in self.fault if f.session == t.session and f.reqid == t.reqid))
        # prepared(X, I, ...) @next :- trial(session, 3 X, X, I, ...), not fault(session, 3 X).
        self.prepared <+ ((t.tx, t.index, t.op, t.path, t.args) for t in self.trial
                          if not any(f for f in self.fault if f.session == t.session and f.reqid == t.reqid))
        # instructed(@A, N, me, E, V) @async :- verdict(session, N, E, V), leads(), member(0, A).
        self.instructed <~ ((address, v.reqid, self.partition, v.code, v.result) for v in self.verdict for x in self.leads
                            if v.session == TRANSACTIONS and self.partition != COORDINATOR for address in self.partitions[COORDINATOR])
        # instructed(@A, N, me, E, V) @async :- instruct(N), answered(session, N, E, V), leads(), member(0, A).
        self.instructed <~ ((address, a.reqid, self.partition, a.code, a.result) for i in self.instruct for a in self.answered
                            for x in self.leads if a.session == TRANSACTIONS and a.reqid == i.number
                            for address in self.partitions[COORDINATOR])

    # -- the coordinator decides

    @rule
    def count(self) -> None:
        # counted(X, P, E, Cargo) :- ballot(X, P, E, Cargo); instructed(3 X, P, E, Cargo), share(X, P).
        self.counted <= self.ballot
        self.counted <= ((s.tx, s.partition, i.code, i.result) for i in self.instructed for s in self.share
                         if i.number % STEPS == PREPARE and s.tx == i.number // STEPS and s.partition == i.partition
                         and s.tx in self.transaction and (s.tx, s.partition) not in self.ballot)
        # counted(X, me, E, Cargo) :- transaction(X), answered(session, 3 X, E, Cargo).
        self.counted <= ((t.tx, self.partition, a.code, a.result) for t in self.transaction for a in self.answered
                         if a.session == TRANSACTIONS and a.reqid == STEPS * t.tx + PREPARE)
        # ballot(X, P, E, Cargo) @next :- counted(X, P, E, Cargo).      del ballot(X, P) @next :- ballot(X, P), not transaction(X).
        self.ballot <+ (c for c in self.counted if (c.tx, c.partition) not in self.ballot and c.partition != self.partition)
        self.ballot <- ((b.tx, b.partition) for b in self.ballot if b.tx not in self.transaction)
        # missing(X, P) :- transaction(X), share(X, P), not counted(X, P).
        self.missing <= ((s.tx, s.partition) for s in self.share if s.tx in self.transaction and (s.tx, s.partition) not in self.counted)
        # objection(X, argmin<E, taking after giving>) :- counted(X, P, E), E != "", share(X, P, Op).
        self.objection <= ((c.tx, agg.argmin(c.code, (s.op == "take", c.partition))) for c in self.counted for s in self.share
                           if c.code and s.tx == c.tx and s.partition == c.partition)
        # freight(X, Cargo) :- counted(X, P, "", Cargo), share(X, P, give).
        self.freight <= ((c.tx, c.cargo) for c in self.counted for s in self.share
                         if not c.code and s.op == "give" and s.tx == c.tx and s.partition == c.partition)

    @rule
    def decide(self) -> None:
        # prompted(X) :- instructed(3 X); retry(), transaction(X).
        self.prompted <= ((i.number // STEPS,) for i in self.instructed if i.number % STEPS == PREPARE)
        self.prompted <= ((t.tx,) for r in self.retry for t in self.transaction)
        # proposal(session, 3 X + 1, decide, (no objection, Time, Cargo, E)) :- prompted(X), transaction(X, Time), not missing(X), leads().
        self.proposal <= ((TRANSACTIONS, STEPS * t.tx + DECIDE, 0, "decide", "/",
                           (t.tx not in self.objection, t.time, self.freight.get(t.tx, (t.tx, ())).cargo,
                            self.objection.get(t.tx, (t.tx, "")).code))
                          for p in self.prompted for t in self.transaction for x in self.leads
                          if t.tx == p.tx and not any(m for m in self.missing if m.tx == t.tx))
        # proposal(session, 3 X + 1, decide, (no, Time, (), "EHOSTDOWN")) :-
        #     retry(Now), transaction(X, Time), Now - Time > Timeout, missing(X), leads().
        self.proposal <= ((TRANSACTIONS, STEPS * t.tx + DECIDE, 0, "decide", "/", (False, t.time, (), UNREACHED))
                          for r in self.retry for t in self.transaction for x in self.leads
                          if r.time - t.time > self.transaction_timeout_s and any(m for m in self.missing if m.tx == t.tx))

    # -- all apply what was decided

    @rule
    def rule_on(self) -> None:
        # ruling(X, Commit, Time, Cargo, E) :- decree(session, 3 X + 1, decide, (Commit, Time, Cargo, E)), not answered(3 X + 1),
        #                                      X >= horizon; at the coordinator: transaction(X).
        self.ruling <= ((d.reqid // STEPS, d.args[0], d.args[1], d.args[2], d.args[3]) for d in self.decree
                        if d.session == TRANSACTIONS and d.op == "decide" and (TRANSACTIONS, d.reqid) not in self.answered
                        and not any(h for h in self.horizon if d.reqid < STEPS * h.tx)
                        and (self.partition != COORDINATOR or d.reqid // STEPS in self.transaction))
        # attempt(session, 3 X + 1, X, Op, P, Args, Time) :- ruling(X, commit, Time), prepared(X, Op, P, Args).
        self.attempt <= ((TRANSACTIONS, STEPS * r.tx + DECIDE, r.tx, p.op, p.path, p.args, r.time)
                         for r in self.ruling for p in self.prepared if p.tx == r.tx and r.commit)
        # cargo(session, 3 X + 1, F, ...) :- ruling(X, commit, (F, ...)), prepared(X, take).
        self.cargo <= ((TRANSACTIONS, STEPS * r.tx + DECIDE, r.cargo[0], r.cargo[1], r.cargo[2], r.cargo[3])
                       for r in self.ruling for p in self.prepared if p.tx == r.tx and r.commit and p.op == "take")
        # result(session, 3 X + 1, ()) :- ruling(X, commit), not prepared(X).      (the coordinator may have no share)
        self.result <= ((TRANSACTIONS, STEPS * r.tx + DECIDE, ()) for r in self.ruling if r.commit and r.tx not in self.prepared)
        # fault(session, 3 X + 1, 0, "ECANCELED") :- ruling(X, abort).
        self.fault <= ((TRANSACTIONS, STEPS * r.tx + DECIDE, 0, CANCELLED) for r in self.ruling if not r.commit)

    @rule
    def settle(self) -> None:
        # answered(session, 3 X + 1, E, V) @next :- ruling(X), verdict(session, 3 X + 1, E, V).
        self.answered <+ (v for r in self.ruling for v in self.verdict if v.session == TRANSACTIONS and v.reqid == STEPS * r.tx + DECIDE)
        # del answered(session, 3 X), prepared(X) @next :- ruling(X).
        self.answered <- ((TRANSACTIONS, STEPS * r.tx + PREPARE) for r in self.ruling)
        self.prepared <- ((r.tx,) for r in self.ruling)

    @rule
    def conclude(self) -> None:
        # concluded(X, S, R, Op, P, Commit, E) :- ruling(X, Commit, E), transaction(X, S, R, Op, P).
        self.concluded <= ((t.tx, t.session, t.reqid, t.op, t.path, r.commit, r.code) for r in self.ruling for t in self.transaction
                           if t.tx == r.tx)
        # decision(X, Commit, Time, Cargo) @next :- ruling(X, Commit, Time, Cargo), transaction(X).
        self.decision <+ ((r.tx, r.commit, r.time, r.cargo) for r in self.ruling for c in self.concluded if c.tx == r.tx)
        # del transaction(X) @next :- concluded(X).
        self.transaction <- ((c.tx,) for c in self.concluded)
        # fault(S, R, 0, E) :- concluded(X, S, R, abort, E).
        self.fault <= ((c.session, c.reqid, 0, c.code) for c in self.concluded if not c.commit)
        # result(S, R, V) :- concluded(X, S, R, commit), result(session, 3 X + 1, V), not share(X, take).
        self.result <= ((c.session, c.reqid, r.value) for c in self.concluded for r in self.result
                        if c.commit and r.session == TRANSACTIONS and r.reqid == STEPS * c.tx + DECIDE
                        and not any(s for s in self.share if s.tx == c.tx and s.op == "take"))
        # result(S, R, (T,)) :- concluded(X, S, R, commit), share(X, take, T).
        self.result <= ((c.session, c.reqid, (s.path,)) for c in self.concluded for s in self.share
                        if c.commit and s.tx == c.tx and s.op == "take")
        # answered(S, R, E, V) @next :- concluded(X, S, R), verdict(S, R, E, V).
        self.answered <+ (v for c in self.concluded for v in self.verdict if v.session == c.session and v.reqid == c.reqid)

    @rule
    def say_decide(self) -> None:
        # owing(X, P) :- share(X, P), decision(X), not done(X, P), P is not this partition.
        self.owing <= ((s.tx, s.partition) for s in self.share if s.tx in self.decision and s.partition != self.partition
                       and (s.tx, s.partition) not in self.done)
        # instruct(@A, 3 X + 1, Oldest, decide, (Commit, Time, Cargo, "")) @async :-
        #     concluded(X), ruling(X, Commit, Time, Cargo), share(X, P, Op), member(P, A), oldest(Oldest), leads().
        # (the cargo goes to the one who takes it)
        self.instruct <~ ((address, STEPS * r.tx + DECIDE, o.tx, "decide", "/",
                           (r.commit, r.time, r.cargo if s.op == "take" else (), ""))
                          for c in self.concluded for r in self.ruling for s in self.share for o in self.oldest for x in self.leads
                          if r.tx == c.tx and s.tx == c.tx and s.partition != self.partition for address in self.partitions[s.partition])
        # instruct(@A, 3 X + 1, Oldest, decide, ...) @async :-
        #     retry(), owing(X, P), decision(X, ...), share(X, P, Op), member(P, A), oldest(Oldest), leads().
        self.instruct <~ ((address, STEPS * d.tx + DECIDE, o.tx, "decide", "/",
                           (d.commit, d.time, d.cargo if s.op == "take" else (), ""))
                          for t in self.retry for w in self.owing for d in self.decision for s in self.share for o in self.oldest
                          for x in self.leads if d.tx == w.tx and s.tx == w.tx and s.partition == w.partition
                          for address in self.partitions[w.partition])

    @rule
    def end_transaction(self) -> None:
        # done(X, P) @next :- instructed(3 X + 1, P), decision(X).      del done(X, P) @next :- done(X, P), not decision(X).
        self.done <+ ((d.tx, i.partition) for i in self.instructed for d in self.decision
                      if i.number % STEPS == DECIDE and d.tx == i.number // STEPS)
        self.done <- ((x.tx, x.partition) for x in self.done if x.tx not in self.decision)
        # proposal(session, 3 X + 2, end) :- retry(), decision(X), not owing(X), leads().
        self.proposal <= ((TRANSACTIONS, STEPS * d.tx + END, 0, "end", "/", ()) for t in self.retry for d in self.decision
                          for x in self.leads if not any(w for w in self.owing if w.tx == d.tx))
        # ended(X) :- decree(session, 3 X + 2).
        self.ended <= ((d.reqid // STEPS,) for d in self.decree if d.session == TRANSACTIONS and d.op == "end")
        # del decision(X), share(X, P), answered(session, 3 X + 1) @next :- ended(X).
        self.decision <- ((e.tx,) for e in self.ended)
        self.share <- ((s.tx, s.partition) for e in self.ended for s in self.share if s.tx == e.tx)
        self.answered <- ((TRANSACTIONS, STEPS * e.tx + DECIDE) for e in self.ended)

    @rule
    def forget_transactions(self) -> None:
        # still(max<Oldest>) @next :- instruct(Oldest).      (all before have ended)
        self.latest <= (agg.max(i.oldest) for i in self.instruct)
        self.still <+- ((max(x.tx, self.still.get((), (0,)).tx),) for x in self.latest)
        # proposal(forget, X, forget) :- session_sweep(), leads(), still(X), answered(session, N), N < 3 X.
        self.proposal <= ((FORGET, x.tx, 0, FORGET, "/", ()) for t in self.session_sweep for b in self.leads for x in self.still
                          if any(a for a in self.answered if a.session == TRANSACTIONS and a.reqid < STEPS * x.tx))
        # forgotten(X) :- decree(forget, X).
        self.forgotten <= ((d.reqid,) for d in self.decree if d.op == FORGET)
        # horizon(max<X>) @next :- forgotten(X).      (applied alone)
        self.horizon <+- ((max(f.tx, self.horizon.get((), (0,)).tx),) for f in self.forgotten)
        # del answered(session, N) @next :- forgotten(X), answered(session, N), N < 3 X.
        self.answered <- ((a.session, a.reqid) for f in self.forgotten for a in self.answered
                          if a.session == TRANSACTIONS and a.reqid < STEPS * f.tx)

    # -- what must hold

    @rule
    def depart(self) -> None:
        # outgoing(F) :- prepared(X, give, P), fqpath(P, F).
        self.outgoing <= ((f.fid,) for p in self.prepared if p.op == "give" for f in self.fqpath if f.path == p.path)

    @invariant
    def what_is_committed_was_prepared(self) -> None:
        """No participant is told to commit what it has not voted for, and no committed share fails."""
        (r for r in self.ruling if r.commit and r.tx not in self.prepared and self.partition != COORDINATOR)
        (f for f in self.fault if f.session == TRANSACTIONS and f.reqid % STEPS == DECIDE and f.code != CANCELLED)

    @invariant(scope="cluster")
    def what_is_decided_is_decided_alike(self) -> None:
        """No two nodes settle one transaction differently."""
        ((one.reqid, one.at_node, other.at_node) for one in self.answered for other in self.answered
         if one.session == TRANSACTIONS and other.session == TRANSACTIONS and one.reqid == other.reqid
         and one.reqid % STEPS == DECIDE and one.code < other.code)

    @invariant(scope="cluster")
    def a_file_is_in_one_place(self) -> None:
        """No file is on two partitions, unless one is about to give it away. (Of groups, one member may lag behind the others.)"""
        ((one.fid, one.at_node, other.at_node) for one in self.inode for other in self.inode for x in self.here for y in self.here
         if one.fid == other.fid and not one.is_dir and x.at_node == one.at_node and y.at_node == other.at_node
         and x.partition < y.partition and x.alone and y.alone and not any(g for g in self.outgoing if g.fid == one.fid))

    @invariant(scope="cluster")
    def a_name_means_one_thing(self) -> None:
        """No path has two numbers, and no directory is missing on a partition, unless it is locked on one of them."""
        ((p.path, p.at_node, q.at_node) for p in self.fqpath for q in self.fqpath for x in self.here for y in self.here
         if p.path == q.path and p.fid < q.fid and x.at_node == p.at_node and y.at_node == q.at_node and x.alone and y.alone
         and not any(k for k in self.lock if k.at_node in (p.at_node, q.at_node) and (k.path == p.path or is_under(p.path, k.path))))
        ((p.path, p.at_node, y.at_node) for p in self.fqpath for x in self.here for y in self.here
         if p.is_dir and x.at_node == p.at_node and x.alone and y.alone
         and not any(q for q in self.fqpath if q.at_node == y.at_node and q.path == p.path and q.fid == p.fid)
         and not any(k for k in self.lock if k.at_node in (p.at_node, y.at_node) and (k.path == p.path or is_under(p.path, k.path))))
