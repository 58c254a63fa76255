# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""Safety: reads that see everything decided before they were asked for, without a slot of their own.

Read index (Ongaro, "Consensus: Bridging Theory and Practice", 2014, section 6.4): after the question a majority confirms that this node
leads still; no assumption on clocks. Leases (lease_s > 0; Gray and Cheriton, SOSP 1989; Chandra et al., "Paxos Made Live", 2007, section
5.2): who hears a leader promises no other ballot for lease_s, so the leader need not ask. **Assumed then**: in a real second every clock
shows between 1 - drift and 1 + drift seconds, and no clock is set. A clock that a pulse finds to have gone back ends the lease.
"""

from bloompy import agg, rule, scratch, table
from bloompy_paxos.membership import MemberChanges
from bloompy_paxos.quorums import both_reached


class Reads(MemberChanges):
    """Linearizable reads at the leader."""

    reading = table("id -> ballot: tuple, no: int")

    serving = scratch("-> ballot")
    acks = scratch("-> numbers")
    confirmed = scratch("-> no")
    sent = scratch("-> times")

    def lease_counts_s(self) -> float:
        """How long the leader's clock may count on a promise of lease_s, from the sending of what was answered."""
        return min(self.lease_s, self.election_s) * (1 - self.drift) / (1 + self.drift)

    @rule
    def serving_reads(self) -> None:
        # serving(B) :- leads(B), behind(B, Behind), top(Top), applied(A), A >= Behind, A >= Top.
        # Whatever a lower ballot decided was applied by one of those who promised, or voted for.
        self.serving <= ((b.ballot,) for b in self.leads for d in self.behind for a in self.applied
                         if d.ballot == b.ballot and a.slot >= max(d.slot, self.top.get((), (0,)).slot))

    @rule
    def confirming(self) -> None:
        # reading(Id, B, step) @next :- read(Id), leads(B).      (a heartbeat of this number leaves in this tick)
        self.reading <+- ((r.id, b.ballot, self.step) for r in self.read for b in self.leads)
        # confirmed(No): the latest heartbeat that majorities have answered; this node need not ask itself.
        self.acks <= (agg.collect((p.node, p.no)) for p in self.peer)
        self.confirmed <= ((both_reached((*k.numbers, (self.me, float("inf"))), c.members, c.coming),)
                           for k in self.acks for c in self.config)
        # readable(Id) :- reading(Id, B, No), serving(B), confirmed(Confirmed), Confirmed >= No.
        self.readable <= ((r.id,) for r in self.reading for b in self.serving for k in self.confirmed
                          if r.ballot == b.ballot and k.no >= r.no)
        # readable(Id) :- reading(Id, B, _), serving(B), a majority has answered heartbeats that were sent less than a lease ago.
        self.sent <= (agg.collect_set((p.node, p.sent)) for r in self.reading for p in self.peer if self.lease_s > 0 and p.sent <= self.now)
        self.readable <= ((r.id,) for r in self.reading for b in self.serving for x in self.sent for c in self.config
                          if r.ballot == b.ballot and self.now < both_reached(x.times, c.members, c.coming) + self.lease_counts_s())
        # del peer(N) @next :- pulse(), peer(N, Sent), Sent > now: the clock has gone back.
        self.peer <- ((p.node,) for x in self.pulse for p in self.peer if p.sent > self.now)
        # del reading(Id) @next :- readable(Id); reading(Id, B), pulse(), not leads(B).
        self.reading <- ((r.id,) for r in self.readable)
        self.reading <- ((r.id,) for p in self.pulse for r in self.reading if not any(b for b in self.leads if b.ballot == r.ballot))
