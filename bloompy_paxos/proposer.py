# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""Safety: the proposer. A ballot proposes in a slot only what it may, and counts the votes.

Lamport, "Paxos Made Simple" (2001), sections 2.2 (the value of the highest ballot reported) and 3 (phase 1 for all slots at once, holes
filled with no-ops, a window of slots under way).
"""

from bloompy import agg, invariant, rule, scratch, table
from bloompy_paxos.acceptor import Acceptor
from bloompy_paxos.batches import NO_OP, batch_of, packed, value_of
from bloompy_paxos.log import Log
from bloompy_paxos.quorums import is_majority


class Proposer(Acceptor, Log):
    """Phase 1 once for a ballot, phase 2 for each slot. Everything here is forgotten in a crash, and a new ballot is begun."""

    deposed = scratch("ballot")

    ballot = table("-> ballot: tuple, since: float")
    promise = table("ballot: tuple, acceptor: str, applied: int, votes: tuple")
    reported = table("slot: int, ballot: tuple -> value: tuple")
    next_slot = table("ballot: tuple -> slot: int")
    waiting = table("ballot: tuple -> commands: tuple")
    proposal = table("ballot: tuple, slot: int -> value: tuple, time: float")
    voter = table("ballot: tuple, slot: int, acceptor: str")
    reconfiguring = table("-> session: str, number: int, change: tuple, command, since: float")

    audience = scratch("node")
    lacking = scratch("ballot, acceptor, votes")
    whole = scratch("ballot, acceptor")
    backers = scratch("ballot -> acceptors")
    leads = scratch("-> ballot")
    behind = scratch("ballot -> slot")
    top = scratch("-> slot")
    best = scratch("slot -> value")
    vacant = scratch("-> first, last")

    incoming = scratch("-> commands")
    queue = scratch("ballot -> commands")
    change = scratch("-> change, commands")
    batch = scratch("-> slot, commands")
    fresh = scratch("slot -> value")
    last = scratch("-> slot")

    earliest = scratch("ballot -> slot")
    claim = scratch("ballot -> slot")

    aye = scratch("ballot, slot, acceptor")
    tally = scratch("ballot, slot -> acceptors")
    chosen = scratch("slot -> value")

    @rule
    def phase_1a(self) -> None:
        # audience(N) :- config(Members, Coming), N in Members or N in Coming; reconfiguring(add, N).
        self.audience <= ((node,) for c in self.config for node in (*c.members, *c.coming))
        self.audience <= ((r.change[1],) for r in self.reconfiguring if r.change[0] == "add")
        # ballot(B, now) @next :- begins(B).
        self.ballot <+- ((b.ballot, self.now) for b in self.begins)
        # p1a(@N, me, B, Applied + 1) @async :- begins(B), audience(N), applied(Applied).
        self.p1a <~ ((n.node, self.me, b.ballot, a.slot + 1) for b in self.begins for n in self.audience for a in self.applied)
        # promise(B, A, Applied, Votes) @next :- p1b(A, B, Applied, Votes), ballot(B).       reported(S, B, V) @next :- report(S, B, V).
        self.promise <+ ((m.ballot, m.acceptor, m.applied, m.votes) for m in self.p1b for b in self.ballot if m.ballot == b.ballot)
        self.reported <+ ((m.slot, m.ballot, m.value) for m in self.report for b in self.ballot if (m.slot, m.ballot) not in self.reported)

    @rule
    def leadership(self) -> None:
        # lacking(B, A, Votes) :- promise(B, A, _, Votes), (S, Voted) in Votes, not reported(S, Voted).
        self.lacking <= ((p.ballot, p.acceptor, p.votes) for p in self.promise for key in p.votes if key not in self.reported)
        # whole(B, A) :- promise(B, A, _, Votes), not lacking(B, A, Votes): a reply counts when it is there as a whole.
        self.whole <= ((p.ballot, p.acceptor) for p in self.promise if (p.ballot, p.acceptor, p.votes) not in self.lacking)
        # leads(B) :- ballot(B), collect<A> of whole(B, A) is a majority of the members, now and to come.
        self.backers <= ((w.ballot, agg.collect_set(w.acceptor)) for w in self.whole)
        self.leads <= ((b.ballot,) for b in self.ballot for s in self.backers for c in self.config
                       if s.ballot == b.ballot
                       and is_majority(s.acceptors, c.members) and is_majority(s.acceptors, c.coming))
        self.leading <= self.leads

    @rule
    def what_may_be_proposed(self) -> None:
        # behind(B, max<Applied>) :- promise(B, _, Applied, _): up to there all is decided, and somebody has it.
        self.behind <= ((p.ballot, agg.max(p.applied)) for p in self.promise)
        # top(max<S>), best(S, argmax<V, B>) :- reported(S, B, V).
        self.top <= (agg.max(r.slot) for r in self.reported)
        self.best <= ((r.slot, agg.argmax(r.value, r.ballot)) for r in self.reported)
        # vacant(First, Top) :- leads(B), next_slot(B, Next), behind(B, Behind), applied(A), First = max(Next, Behind + 1, A + 1).
        # What is decided is left alone; up to Top the votes of others are seen to first.
        self.vacant <= ((max(self.next_slot.get(b.ballot, (b.ballot, 1)).slot, a.slot + 1, d.slot + 1), self.top.get((), (0,)).slot)
                        for b in self.leads for a in self.applied for d in self.behind if d.ballot == b.ballot)

    @rule
    def batches(self) -> None:
        # queue(B, Waiting + collect<C>) :- leads(B), waiting(B, Waiting), propose(S, N, C).
        self.incoming <= (agg.collect((p.session, p.number, packed(p.command))) for b in self.leads for p in self.propose)
        self.queue <= ((b.ballot, self.waiting.get(b.ballot, (b.ballot, ())).commands + self.incoming.get((), ((),)).commands)
                       for b in self.leads)
        # batch(First, Commands) :- vacant(First, Top), Top < First, First within the window, queue(Commands).
        # Without commands where members are to change, or where such a change waits for its slot.
        self.batch <= ((v.first, batch_of(q.commands, self.batch_commands, self.batch_bytes))
                       for v in self.vacant for q in self.queue for a in self.applied for c in self.config
                       if v.last < v.first <= a.slot + self.window
                       and (q.commands or v.first < c.since or any(x for x in self.change)))
        # waiting(B, Rest) @next :- queue(B, Commands), batch(_, Taken).
        self.waiting <+- ((q.ballot, q.commands[len(self.batch.get((), (0, ())).commands):]) for q in self.queue)

    @rule
    def phase_2a(self) -> None:
        # fresh(S, V) :- vacant(First, Last), S in First..Last, best(S, V), else a no-op.
        self.fresh <= ((slot, self.best.get(slot, (slot, NO_OP)).value) for v in self.vacant for a in self.applied
                       for slot in range(v.first, min(v.last, a.slot + self.window) + 1))
        # fresh(S, value(now, Commands, Change)) :- batch(S, Commands), change(Change).      (the command of a change comes first)
        self.fresh <= ((b.slot, value_of(self.now, self.change.get((), ((), ())).commands + b.commands,
                                         self.change.get((), ((), ())).change)) for b in self.batch)
        # proposal(B, S, V, now), next_slot(B, max<S> + 1) @next :- leads(B), fresh(S, V).
        self.proposal <+ ((b.ballot, f.slot, f.value, self.now) for b in self.leads for f in self.fresh)
        self.last <= (agg.max(f.slot) for f in self.fresh)
        self.next_slot <+- ((b.ballot, x.slot + 1) for b in self.leads for x in self.last)
        # p2a(@N, me, B, S, V) @async :- fresh(S, V), leads(B), audience(N).
        self.p2a <~ ((n.node, self.me, b.ballot, f.slot, f.value) for f in self.fresh for b in self.leads for n in self.audience)

    @rule
    def counting(self) -> None:
        # aye(B, S, A) :- voter(B, S, A); vote(S, B, _), proposal(B, S), A = me; p2b(A, B, S), proposal(B, S).
        self.aye <= self.voter
        self.aye <= ((p.ballot, p.slot, self.me) for p in self.proposal for v in self.vote if v.slot == p.slot and v.ballot == p.ballot)
        self.aye <= ((m.ballot, m.slot, m.acceptor) for m in self.p2b if (m.ballot, m.slot) in self.proposal)
        # chosen(S, V) :- proposal(B, S, V), collect<A> of aye(B, S, A) is a majority of the members of that slot.
        self.tally <= ((v.ballot, v.slot, agg.collect_set(v.acceptor)) for v in self.aye)
        self.chosen <= ((p.slot, p.value) for p in self.proposal for t in self.tally for c in self.config
                        if t.ballot == p.ballot and t.slot == p.slot
                        and is_majority(t.acceptors, c.coming if p.slot >= c.since else c.members))
        self.voter <+ ((m.ballot, m.slot, m.acceptor) for m in self.p2b
                       if (m.ballot, m.slot) in self.proposal and m.slot not in self.chosen)
        self.voter <- (v for s in self.chosen for v in self.voter if v.slot == s.slot)
        self.proposal <- ((p.ballot, p.slot) for s in self.chosen for p in self.proposal if p.slot == s.slot)

    @rule
    def what_may_be_claimed(self) -> None:
        # claim(min<A, S - 1>) :- leads(B), applied(A), proposal(B, S, _).
        # What may be told as decided to those who voted in this ballot: of its own proposals only what it has counted the votes of. Another
        # ballot may have decided differently in their slots, and this node may have heard.
        self.earliest <= ((p.ballot, agg.min(p.slot)) for p in self.proposal)
        self.claim <= ((b.ballot, min(a.slot, self.earliest.get(b.ballot, (b.ballot, a.slot + 1)).slot - 1))
                       for b in self.leads for a in self.applied)

    @rule
    def forgetting(self) -> None:
        # deposed(B) :- ballot(B), promised(P), P > B.
        self.deposed <= ((b.ballot,) for b in self.ballot for p in self.promised if p.ballot > b.ballot)
        # Whatever carries another ballot than the present one means nothing any more; it goes when a ballot is begun.
        self.ballot <- (b for d in self.deposed for b in self.ballot if b.ballot == d.ballot)
        self.promise <- (p for b in self.begins for p in self.promise)
        self.reported <- (r for b in self.begins for r in self.reported)
        self.next_slot <- (n for b in self.begins for n in self.next_slot)
        self.waiting <- (w for b in self.begins for w in self.waiting)
        self.proposal <- (p for b in self.begins for p in self.proposal)
        self.voter <- (v for b in self.begins for v in self.voter)

    @invariant
    def ballots_of_its_own(self) -> None:
        """A node proposes in ballots of its own only: no two nodes have one in common."""
        (b for b in self.ballot if b.ballot[1] != self.me)
