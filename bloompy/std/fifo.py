# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""FIFO delivery: what one node sends to another is received in the order of sending."""

from bloompy import agg, module, param, rule, scratch, table
from bloompy.std.delivery import Delivery
from bloompy.std.reliable import ReliableDelivery


class FifoDelivery(Delivery):
    """Reliable delivery in which a message is received after all those that its sender sent earlier to the same node.

    The order of sending is that of the sender's ticks, and of `no` within a tick. A tick receives at most one message of each
    sender, so the order of receiving is that of the receiver's ticks. The memory is one number for each peer and direction, and
    the messages that came early.

    Params:
        retry_s: seconds between two transmissions of a message that is not acknowledged.
    """

    retry_s = param(0.5)
    net = module(ReliableDelivery, retry_s=retry_s)

    last = table("dst: str -> seq: int", durable=True)
    next = table("src: str -> seq: int", durable=True)
    early = table("src: str, seq: int -> no, payload", durable=True)

    place = scratch("dst, no -> place")
    outgoing = scratch("dst, seq -> no, payload")
    arrived = scratch("src, seq -> no, payload")
    due = scratch("src, seq -> no, payload")

    @rule
    def number(self) -> None:
        # place(D, N, rank<N> per D) :- send(D, N, _).
        self.place <= ((s.dst, s.no, agg.rank(s.no, per=(s.dst,))) for s in self.send)
        # outgoing(D, Last + 1 + Place, N, P) :- send(D, N, P), place(D, N, Place), last(D, Last).      (Last is 0 at first)
        self.outgoing <= ((s.dst, self.last.get(s.dst, (s.dst, 0)).seq + 1 + p.place, s.no, s.payload)
                          for s in self.send for p in self.place if p.dst == s.dst and p.no == s.no)
        # last(D, max<Q>) @next :- outgoing(D, Q, _, _).
        self.last <+- ((o.dst, agg.max(o.seq)) for o in self.outgoing)

    @rule
    def transmit(self) -> None:
        # net.send(D, Q, (N, P)) :- outgoing(D, Q, N, P).
        self.net.send <= ((o.dst, o.seq, (o.no, o.payload)) for o in self.outgoing)
        # sent(D, N, P) :- net.sent(D, _, (N, P)).
        self.sent <= ((dst, no, payload) for dst, _, (no, payload) in self.net.sent)

    @rule
    def order(self) -> None:
        # arrived(S, Q, N, P) :- net.received(S, Q, (N, P)); early(S, Q, N, P).
        self.arrived <= ((src, seq, no, payload) for src, seq, (no, payload) in self.net.received)
        self.arrived <= self.early
        # due(S, Q, N, P) :- arrived(S, Q, N, P), next(S, Q).                                           (the first is 1)
        self.due <= (a for a in self.arrived if a.seq == self.next.get(a.src, (a.src, 1)).seq)
        # received(S, N, P) :- due(S, _, N, P).
        self.received <= ((d.src, d.no, d.payload) for d in self.due)
        # next(S, Q + 1) @next :- due(S, Q, _, _).
        self.next <+- ((d.src, d.seq + 1) for d in self.due)

    @rule
    def wait(self) -> None:
        # early(S, Q, N, P) @next :- arrived(S, Q, N, P), not due(S, Q).
        self.early <+ (a for a in self.arrived if (a.src, a.seq) not in self.due)
        # del early(S, Q) @next :- due(S, Q).
        self.early <- ((d.src, d.seq) for d in self.due)
        # net.settled(S, Q) :- next(S, Q).
        self.net.settled <= self.next
