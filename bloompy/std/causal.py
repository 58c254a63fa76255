# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""Causal delivery: no message is received before one that happened before it.

From "The Causal Ordering Abstraction and a Simple Way to Implement It" (Raynal, Schiper, Toueg; Information Processing Letters
39(6), 1991). Their matrix SENT is the lattice `known`, their vector DELIV the table `done`. That a node has received a message
it need not put into `known`: nobody waits for it at another node.
"""

from bloompy import agg, lattice, module, param, rule, scratch, table
from bloompy.lattices import Map
from bloompy.std.delivery import Delivery
from bloompy.std.reliable import ReliableDelivery


class CausalDelivery(Delivery):
    """Reliable delivery in which a message is received in a later tick than every message to the same node that it may depend on.

    A message depends on those that its sender received before or in the tick in which it sent it, on those that it sent to
    anybody in earlier ticks, and on what these depend on. To one node FIFO delivery follows: by ticks of the sender, and by
    `no` within a tick. A message carries one number for every pair of nodes known to have talked.

    Params:
        retry_s: seconds between two transmissions of a message that is not acknowledged.
    """

    retry_s = param(0.5)
    net = module(ReliableDelivery, retry_s=retry_s)

    known = lattice.lmap(lattice.lmax, durable=True)
    """By sender and receiver, how many messages have been sent, as far as this node knows (SENT)."""
    done = table("src: str -> seq: int", durable=True)
    """How many messages of each sender have been received here (DELIV)."""
    early = table("src: str, seq: int -> no, payload, past: tuple", durable=True)

    place = scratch("dst, no -> place")
    outgoing = scratch("dst, seq -> no, payload")
    arrived = scratch("src, seq -> no, payload, past")
    needs = scratch("src, seq, cause, count")
    blocked = scratch("src, seq")
    due = scratch("src, seq -> no, payload, past")

    @rule
    def number(self) -> None:
        # place(D, N, rank<N> per D) :- send(D, N, _).
        self.place <= ((s.dst, s.no, agg.rank(s.no, per=(s.dst,))) for s in self.send)
        # outgoing(D, known(me, D) + 1 + Place, N, P) :- send(D, N, P), place(D, N, Place).
        self.outgoing <= ((s.dst, max(self.known.value.at((self.me, s.dst)), 0) + 1 + p.place, s.no, s.payload)
                          for s in self.send for p in self.place if p.dst == s.dst and p.no == s.no)
        # net.send(D, Q, (N, P, known)) :- outgoing(D, Q, N, P).
        self.net.send <= ((o.dst, o.seq, (o.no, o.payload, tuple(self.known.value.items()))) for o in self.outgoing)
        # known(me, D, Q) @next :- outgoing(D, Q, _, _).
        self.known <+ (Map({(self.me, o.dst): o.seq}) for o in self.outgoing)
        # sent(D, N, P) :- net.sent(D, _, (N, P, _)).
        self.sent <= ((dst, no, payload) for dst, _, (no, payload, _) in self.net.sent)

    @rule
    def order(self) -> None:
        # arrived(S, Q, N, P, Past) :- net.received(S, Q, (N, P, Past)); early(S, Q, N, P, Past).
        self.arrived <= ((src, seq, no, payload, past) for src, seq, (no, payload, past) in self.net.received)
        self.arrived <= self.early
        # needs(S, Q, S, Q - 1) :- arrived(S, Q, ...).
        self.needs <= ((a.src, a.seq, a.src, a.seq - 1) for a in self.arrived)
        # needs(S, Q, K, C) :- arrived(S, Q, _, _, Past), (K, me, C) in Past.
        self.needs <= ((a.src, a.seq, cause, count) for a in self.arrived for (cause, dst), count in a.past if dst == self.me)
        # blocked(S, Q) :- needs(S, Q, K, C), done(K) < C.                                              (done is 0 at first)
        self.blocked <= ((n.src, n.seq) for n in self.needs if self.done.get(n.cause, (n.cause, 0)).seq < n.count)
        # due(S, Q, ...) :- arrived(S, Q, ...), not blocked(S, Q).
        self.due <= (a for a in self.arrived if (a.src, a.seq) not in self.blocked)
        # received(S, N, P) :- due(S, _, N, P, _).
        self.received <= ((d.src, d.no, d.payload) for d in self.due)

    @rule
    def learn(self) -> None:
        # known(K, D, C) :- due(_, _, _, _, Past), (K, D, C) in Past.      (in this tick: what it sends depends on what it received)
        self.known <= (Map(d.past) for d in self.due)
        # done(S, Q) @next :- due(S, Q, ...).
        self.done <+- ((d.src, d.seq) for d in self.due)
        # net.settled(S, Q + 1) :- done(S, Q).
        self.net.settled <= ((d.src, d.seq + 1) for d in self.done)

    @rule
    def wait(self) -> None:
        # early(S, Q, ...) @next :- arrived(S, Q, ...), blocked(S, Q).
        self.early <+ (a for a in self.arrived if (a.src, a.seq) in self.blocked)
        # del early(S, Q) @next :- due(S, Q, ...).
        self.early <- ((d.src, d.seq) for d in self.due)
