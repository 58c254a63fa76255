# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""Safety: the acceptor, in whom all trust is put. What it says it has on disk before it says it.

Lamport, "Paxos Made Simple" (2001), section 2.2, P1a, for all slots at once (section 3): who promised a ballot has nothing to do with
a lower one any more, and tells of every vote it gave before.
"""

from bloompy import agg, invariant, rule, scratch, table
from bloompy_paxos.messages import Messages
from bloompy_paxos.quorums import LOWEST


class Acceptor(Messages):
    """Promises and votes."""

    promised = table("-> ballot: tuple", durable=True)
    vote = table("slot: int -> ballot: tuple, value: tuple", durable=True)

    asked = scratch("leader, ballot, first")
    heard = scratch("leader, ballot")
    floor = scratch("-> ballot")
    votes = scratch("leader, first -> votes")

    @rule
    def promise_the_highest(self) -> None:
        # asked(L, B, First) :- p1a(L, B, First), following(L) or following(_, Heard), Heard + lease_s <= now.      (not before one knows)
        self.asked <= ((m.leader, m.ballot, m.first) for m in self.p1a
                       if any(f for f in self.following if f.leader == m.leader or self.lease_s <= 0 or f.heard + self.lease_s <= self.now))
        # heard(L, B) :- asked(L, B, _); p2a(L, B, _, _); heartbeat(L, B, _); begins(B), L = me; nack(L, B).
        # Who begins a ballot is the first to promise it, so that nobody begins one twice; who hears a leader is bound by its ballot.
        self.heard <= ((m.leader, m.ballot) for m in self.asked)
        self.heard <= ((m.leader, m.ballot) for m in self.p2a)
        self.heard <= ((m.leader, m.ballot) for m in self.heartbeat)
        self.heard <= ((self.me, b.ballot) for b in self.begins)
        self.heard <= ((m.acceptor, m.promised) for m in self.nack)
        # floor(max<B>) :- heard(_, B); promised(B).
        self.floor <= (agg.max(max(h.ballot, self.promised.get((), (LOWEST,)).ballot)) for h in self.heard)
        # promised(B) @next :- floor(B).
        self.promised <+- (f for f in self.floor if f.ballot != self.promised.get((), (LOWEST,)).ballot)
        # nack(@L, me, B, Promised) @async :- heard(L, B), floor(Promised), B < Promised.
        self.nack <~ ((h.leader, self.me, h.ballot, f.ballot) for h in self.heard for f in self.floor
                      if h.ballot < f.ballot and h.leader != self.me)

    @rule
    def phase_1b(self) -> None:
        # votes(L, First, collect<S, B>) :- p1a(L, _, First), vote(S, B, _), S >= First.
        self.votes <= ((m.leader, m.first, agg.collect((v.slot, v.ballot))) for m in self.asked for v in self.vote if v.slot >= m.first)
        # p1b(@L, me, B, Applied, Votes) @async :- p1a(L, B, First), floor(B), votes(L, First, Votes), applied(Applied).
        self.p1b <~ ((m.leader, self.me, m.ballot, a.slot, self.votes.get((m.leader, m.first), ("", 0, ())).votes)
                     for m in self.asked for f in self.floor for a in self.applied if m.ballot == f.ballot)
        # report(@L, me, S, B, V) @async :- p1a(L, Ballot, First), floor(Ballot), vote(S, B, V), S >= First.
        self.report <~ ((m.leader, self.me, v.slot, v.ballot, v.value) for m in self.asked for f in self.floor for v in self.vote
                        if m.ballot == f.ballot and v.slot >= m.first)

    @rule
    def phase_2b(self) -> None:
        # vote(S, B, V) @next :- p2a(_, B, S, V), floor(B).
        self.vote <+- ((m.slot, m.ballot, m.value) for m in self.p2a for f in self.floor if m.ballot == f.ballot)
        # p2b(@L, me, B, S) @async :- p2a(L, B, S, _), floor(B).      (its own vote a proposer sees)
        self.p2b <~ ((m.leader, self.me, m.ballot, m.slot) for m in self.p2a for f in self.floor
                     if m.ballot == f.ballot and m.leader != self.me)

    @invariant
    def votes_keep_promises(self) -> None:
        """No vote in a ballot above what is promised."""
        ((v.slot, v.ballot) for v in self.vote if v.ballot > self.promised.get((), (LOWEST,)).ballot)

    @invariant(scope="cluster")
    def one_value_a_ballot(self) -> None:
        """A ballot has one proposer, which proposes one value for a slot."""
        ((one.slot, one.ballot, one.at_node, other.at_node) for one in self.vote for other in self.vote
         if one.slot == other.slot and one.ballot == other.ballot and one.value != other.value)
