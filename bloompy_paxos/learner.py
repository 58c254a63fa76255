# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""Safety: the learner. What is decided is applied in the order of the slots, each once.

Lamport, "Paxos Made Simple" (2001), section 2.3.
"""

from bloompy import bootstrap, invariant, rule, scratch, table
from bloompy_paxos.batches import commands_of
from bloompy_paxos.proposer import Proposer
from bloompy_paxos.quorums import LOWEST


class Learner(Proposer):
    """Learns what is decided and hands it to the state machine, one slot a tick."""

    decided = table("slot: int -> value: tuple", durable="delayed")

    starting = scratch("n")
    told = scratch("ballot, slot")
    learned = scratch("slot -> value")
    turn = scratch("slot -> value")
    forced = scratch("-> members, since")

    @bootstrap
    def start(self) -> None:
        self.starting <= [(1,)]

    @rule
    def begin(self) -> None:
        # applied(0, 0), config(Members, Members, 0) @next :- starting(), not applied(_).      (a node to be added waits for a snapshot)
        self.applied <+ ((0, 0) for s in self.starting if self.members and not any(a for a in self.applied))
        self.config <+ ((self.members, self.members, 0) for s in self.starting if self.members and not any(c for c in self.config))
        # following("", now) @next :- starting(): as if a leader had just been heard, for this node forgot whom it may have heard.
        self.following <+ (("", LOWEST, self.now, self.now + self.election_s * (1 + self.rand)) for s in self.starting)

    @rule
    def learning(self) -> None:
        # told(B, S) :- decision(B, S); heartbeat(B, S).
        self.told <= ((d.ballot, d.slot) for d in self.decision)
        self.told <= ((h.ballot, h.slot) for h in self.heartbeat)
        # learned(S, V) :- chosen(S, V); learn(S, V); told(B, Upto), applied(A), S in A+1..Upto, vote(S, B, V).
        self.learned <= self.chosen
        self.learned <= ((m.slot, m.value) for m in self.learn)
        self.learned <= ((slot, self.vote.get(slot, (slot, LOWEST, ())).value)
                         for t in self.told for a in self.applied for slot in range(a.slot + 1, t.slot + 1)
                         if self.vote.get(slot, (slot, LOWEST, ())).ballot == t.ballot)
        # decided(S, V) @next :- learned(S, V), applied(A), S > A.
        self.decided <+ (x for x in self.learned for a in self.applied if x.slot > a.slot)

    @rule
    def applying(self) -> None:
        # turn(A + 1, V) :- applied(A), learned(A + 1, V) or decided(A + 1, V).      (not while a snapshot takes its place)
        self.turn <= (x for a in self.applied for x in self.learned if x.slot == a.slot + 1 and not any(r for r in self.restoring))
        self.turn <= (d for a in self.applied for d in self.decided if d.slot == a.slot + 1 and not any(r for r in self.restoring))
        # decree(I + N, S, Command, Time) :- turn(S, Value), the N-th of its commands, applied(_, I).
        # The first command asks for the change, if there is one; where the change is not carried out, nobody hears of its command.
        self.decree <= ((a.index + 1 + place, t.slot, session, number, command, t.value[0])
                        for t in self.turn for a in self.applied for place, (session, number, command) in enumerate(commands_of(t.value))
                        if place or not t.value[3] or any(f for f in self.forced))
        # applied(S, I + Count) @next :- turn(S, (_, _, Count, _)), applied(_, I).
        self.applied <+- ((t.slot, a.index + t.value[2]) for t in self.turn for a in self.applied)

    @invariant(scope="cluster")
    def agreement(self) -> None:
        """No two nodes of a group learn different values for a slot. (There may be several groups, each with a log of its own.)"""
        ((one.slot, one.at_node, other.at_node) for one in self.decided for other in self.decided
         if one.slot == other.slot and one.value != other.value
         and any(c for c in self.config if (c.at_node == one.at_node and other.at_node in (*c.members, *c.coming))
                 or (c.at_node == other.at_node and one.at_node in (*c.members, *c.coming))))
