# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""Two-phase commit with presumed abort, recovery and many transactions at once.

Gray, "Notes on Data Base Operating Systems" (1978); Mohan, Lindsay, Obermarck, "Transaction Management in the R* Distributed Database
Management System" (TODS 1986), section 3 for presumed abort; the states and messages are those of Gray and Lamport, "Consensus on
Transaction Commit" (2006), section 3.

What is durable when: a participant's `prepared` before its yes leaves, the coordinator's `owed` (the commit record: who has not yet
acknowledged) before the first commit leaves, a participant's `decided` before its acknowledgement. Nothing else need be: who finds no
record of a transaction at the coordinator may presume that it was aborted.
"""

from bloompy import Bloom, channel, interface, invariant, param, periodic, rule, scratch, table


class CommitProtocol(Bloom):
    """What coordinators and participants say. A transaction is named by its coordinator and an id that this one uses once.

    Params:
        retry_s: how often what has not been answered is said again.
    """

    retry_s = param(0.5)
    beat = periodic(retry_s)

    prepare = channel("@participant: str, coordinator: str, tx -> work")
    voted = channel("@coordinator: str, tx, participant: str -> yes: bool")
    decide = channel("@participant: str, coordinator: str, tx, commit: bool")
    done = channel("@coordinator: str, tx, participant: str")
    inquire = channel("@coordinator: str, tx, participant: str")


class Coordinator(CommitProtocol):
    """Begins transactions and decides them.

    Params:
        timeout_s: a transaction with votes missing for so long is aborted.

    Interface:
        submit: a transaction with one row for each participant and its part of the work, all rows in one tick.
        outcome: what was decided, once. A coordinator that crashed before it could decide says nothing: the transaction is aborted.
    """

    timeout_s = param(5.0)

    submit = interface.input("tx, participant: str -> work")
    outcome = interface.output("tx -> commit: bool")

    running = table("tx -> deadline: float")
    party = table("tx, participant: str -> work")
    yes = table("tx, participant: str")
    owed = table("tx, participant: str", durable=True)

    fresh = scratch("tx, participant -> work")
    in_favour = scratch("tx, participant")
    missing = scratch("tx, participant -> work")
    verdict = scratch("tx -> commit")
    asked_after = scratch("tx, participant")

    @rule
    def beginning(self) -> None:
        # fresh(X, P, Work) :- submit(X, P, Work), not running(X), not owed(X, _).
        self.fresh <= (b for b in self.submit if b.tx not in self.running and not any(o for o in self.owed if o.tx == b.tx))
        self.party <+ self.fresh
        self.running <+ ((f.tx, self.now + self.timeout_s) for f in self.fresh)
        # prepare(@P, me, X, Work) @async :- fresh(X, P, Work); beat(), missing(X, P, Work).
        self.prepare <~ ((f.participant, self.me, f.tx, f.work) for f in self.fresh)
        self.prepare <~ ((m.participant, self.me, m.tx, m.work) for b in self.beat for m in self.missing if m.tx not in self.verdict)

    @rule
    def deciding(self) -> None:
        # in_favour(X, P) :- yes(X, P); voted(X, P, yes), party(X, P).
        self.in_favour <= self.yes
        self.in_favour <= ((v.tx, v.participant) for v in self.voted if v.yes and (v.tx, v.participant) in self.party)
        self.yes <+ (f for f in self.in_favour if f.tx not in self.verdict)
        self.missing <= (p for p in self.party if (p.tx, p.participant) not in self.in_favour)
        # verdict(X, commit) :- running(X), not missing(X, _).
        self.verdict <= ((r.tx, True) for r in self.running if not any(m for m in self.missing if m.tx == r.tx))
        # verdict(X, abort) :- voted(X, _, no), running(X).
        self.verdict <= ((v.tx, False) for v in self.voted if not v.yes and v.tx in self.running)
        # verdict(X, abort) :- beat(Now), running(X, Deadline), Deadline <= Now, missing(X, _).
        self.verdict <= ((r.tx, False) for b in self.beat for r in self.running
                         if r.deadline <= b.time and any(m for m in self.missing if m.tx == r.tx))
        self.outcome <= self.verdict

    @rule
    def telling(self) -> None:
        # owed(X, P) @next :- verdict(X, commit), party(X, P).
        self.owed <+ ((p.tx, p.participant) for v in self.verdict for p in self.party if p.tx == v.tx and v.commit)
        # decide(@P, me, X, Commit) @async :- verdict(X, Commit), party(X, P).
        self.decide <~ ((p.participant, self.me, p.tx, v.commit) for v in self.verdict for p in self.party if p.tx == v.tx)
        # decide(@P, me, X, commit) @async :- beat(), owed(X, P).
        self.decide <~ ((o.participant, self.me, o.tx, True) for b in self.beat for o in self.owed)
        # del owed(X, P) @next :- done(X, P).
        self.owed <- ((d.tx, d.participant) for d in self.done)
        # del running(X), party(X, P), yes(X, P) @next :- verdict(X, _).
        self.running <- ((v.tx,) for v in self.verdict)
        self.party <- ((p.tx, p.participant) for v in self.verdict for p in self.party if p.tx == v.tx)
        self.yes <- (y for v in self.verdict for y in self.yes if y.tx == v.tx)

    @rule
    def answering(self) -> None:
        # asked_after(X, P) :- inquire(X, P); voted(X, P, yes).
        self.asked_after <= ((i.tx, i.participant) for i in self.inquire)
        self.asked_after <= ((v.tx, v.participant) for v in self.voted if v.yes)
        # decide(@P, me, X, commit) @async :- asked_after(X, P), owed(X, P).
        self.decide <~ ((a.participant, self.me, a.tx, True) for a in self.asked_after if (a.tx, a.participant) in self.owed)
        # decide(@P, me, X, abort) @async :- asked_after(X, P), not running(X), not owed(X, P).
        self.decide <~ ((a.participant, self.me, a.tx, False) for a in self.asked_after
                        if a.tx not in self.running and (a.tx, a.participant) not in self.owed)


class Participant(CommitProtocol):
    """Votes on transactions and learns what became of them.

    Params:
        keep_s, sweep_s: decisions are remembered for keep_s, longer than any message can be under way; how often old ones are dropped.

    Interface:
        ask: a transaction's work that waits for this node's vote; repeated until it has voted.
        vote: the node's vote, in the tick of the question or later. The first counts. After a yes it must be able to commit.
        learned: what became of a transaction that was asked about, once, with its work.
    """

    keep_s = param(86_400.0)
    sweep_s = param(600.0)
    sweep = periodic(sweep_s)

    ask = interface.output("coordinator: str, tx -> work")
    vote = interface.input("coordinator: str, tx -> yes: bool")
    learned = interface.output("coordinator: str, tx -> commit: bool, work")

    asked = table("coordinator: str, tx -> work")
    prepared = table("coordinator: str, tx -> work", durable=True)
    decided = table("coordinator: str, tx -> commit: bool, time: float", durable=True)

    question = scratch("coordinator, tx -> work")
    undecided = scratch("coordinator, tx -> work")
    ballot = scratch("coordinator, tx -> yes, work")
    final = scratch("coordinator, tx -> commit, work")

    @rule
    def voting(self) -> None:
        # question(C, X, Work) :- prepare(C, X, Work), not prepared(C, X), not decided(C, X).
        self.question <= ((p.coordinator, p.tx, p.work) for p in self.prepare
                          if (p.coordinator, p.tx) not in self.prepared and (p.coordinator, p.tx) not in self.decided)
        self.ask <= self.question
        self.undecided <= self.question
        self.undecided <= self.asked
        # ballot(C, X, Yes, Work) :- vote(C, X, Yes), undecided(C, X, Work), not decide(C, X).
        self.ballot <= ((v.coordinator, v.tx, v.yes, u.work) for v in self.vote for u in self.undecided
                        if u.coordinator == v.coordinator and u.tx == v.tx
                        and not any(d for d in self.decide if d.coordinator == v.coordinator and d.tx == v.tx))
        # asked(C, X, Work) @next :- question(C, X, Work), not ballot(C, X).
        self.asked <+ (q for q in self.question if (q.coordinator, q.tx) not in self.ballot and (q.coordinator, q.tx) not in self.final)
        self.asked <- ((b.coordinator, b.tx) for b in self.ballot)
        # prepared(C, X, Work) @next :- ballot(C, X, yes, Work).
        self.prepared <+ ((b.coordinator, b.tx, b.work) for b in self.ballot if b.yes)
        # voted(@C, X, me, Yes) @async :- ballot(C, X, Yes); and again for a repeated prepare.
        self.voted <~ ((b.coordinator, b.tx, self.me, b.yes) for b in self.ballot)
        self.voted <~ ((p.coordinator, p.tx, self.me, True) for p in self.prepare if (p.coordinator, p.tx) in self.prepared)
        self.voted <~ ((p.coordinator, p.tx, self.me, d.commit) for p in self.prepare for d in self.decided
                       if d.coordinator == p.coordinator and d.tx == p.tx)

    @rule
    def learning(self) -> None:
        # final(C, X, Commit, Work) :- decide(C, X, Commit), prepared(C, X, Work) or undecided(C, X, Work).
        self.final <= ((d.coordinator, d.tx, d.commit, p.work) for d in self.decide for p in self.prepared
                       if p.coordinator == d.coordinator and p.tx == d.tx)
        self.final <= ((d.coordinator, d.tx, d.commit, u.work) for d in self.decide for u in self.undecided
                       if u.coordinator == d.coordinator and u.tx == d.tx)
        # final(C, X, abort, Work) :- ballot(C, X, no, Work).
        self.final <= ((b.coordinator, b.tx, False, b.work) for b in self.ballot if not b.yes)
        self.learned <= self.final
        # decided(C, X, Commit, now) @next :- final(C, X, Commit).
        self.decided <+ ((f.coordinator, f.tx, f.commit, self.now) for f in self.final)
        self.prepared <- ((f.coordinator, f.tx) for f in self.final)
        self.asked <- ((f.coordinator, f.tx) for f in self.final)
        # done(@C, X, me) @async :- decide(C, X, commit).
        self.done <~ ((d.coordinator, d.tx, self.me) for d in self.decide if d.commit)
        # inquire(@C, X, me) @async :- beat(), prepared(C, X), not decide(C, X).
        self.inquire <~ ((p.coordinator, p.tx, self.me) for b in self.beat for p in self.prepared
                         if (p.coordinator, p.tx) not in self.final)
        # del decided(C, X) @next :- sweep(Now), decided(C, X, _, Time), Now - Time > keep_s.
        self.decided <- (d for s in self.sweep for d in self.decided if s.time - d.time > self.keep_s)

    @invariant(scope="cluster")
    def atomicity(self) -> None:
        """No two participants decide differently, whatever happens."""
        ((one.tx, one.at_node, other.at_node) for one in self.decided for other in self.decided
         if one.coordinator == other.coordinator and one.tx == other.tx and one.commit and not other.commit)


class TwoPhaseCommit(Coordinator, Participant):
    """A node that both begins transactions and takes part in those of others, or its own."""
