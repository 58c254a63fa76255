# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""Multicast: messages from one node to the members of a group. What every multicast offers, and two of them."""

from bloompy import Bloom, interface, module, param, rule, scratch, table
from bloompy.std.delivery import BestEffortDelivery
from bloompy.std.reliable import ReliableDelivery


class Multicast(Bloom):
    """What every multicast offers.

    Inputs:
        join, leave: a node is a member, as far as this node knows, from the next tick on, or no more.
        cast: a message to all members, by a name `no` that this node never gives to another message.

    Outputs:
        received: the message, at each member and at the node that cast it.
    """

    join = interface.input("address: str")
    leave = interface.input("address: str")
    cast = interface.input("no -> payload")
    received = interface.output("src: str, no -> payload")

    member = table("address: str", durable=True)

    @rule
    def membership(self) -> None:
        # member(M) @next :- join(M).
        self.member <+ self.join
        # del member(M) @next :- leave(M).
        self.member <- self.leave


class BestEffortMulticast(Multicast):
    """Each member is sent the message once; any of them may miss it or receive it again."""

    net = module(BestEffortDelivery)

    @rule
    def send(self) -> None:
        # net.send(M, N, P) :- cast(N, P), member(M), M != me.
        self.net.send <= ((m.address, c.no, c.payload) for c in self.cast for m in self.member if m.address != self.me)
        # received(me, N, P) :- cast(N, P).
        self.received <= ((self.me, c.no, c.payload) for c in self.cast)

    @rule
    def receive(self) -> None:
        # received(S, N, P) :- net.received(S, N, P).
        self.received <= self.net.received


class ReliableMulticast(Multicast):
    """If one member that stays up receives a message, all do, exactly once each, even if the node that cast it is gone for good.

    Every member relays what it receives for the first time to all others (eager reliable broadcast: Hadzilacos and Toueg, "A
    Modular Approach to Fault-Tolerant Broadcasts and Related Problems", 1994, section 3.3; Cachin, Guerraoui and Rodrigues,
    "Introduction to Reliable and Secure Distributed Programming", section 3.3.3). A message costs one delivery for each pair of members.

    Params:
        retry_s: seconds between two transmissions of a message that is not acknowledged.
    """

    retry_s = param(0.5)
    net = module(ReliableDelivery, retry_s=retry_s)

    seen = table("src: str, no", durable=True)
    heard = scratch("src, no -> payload")

    @rule
    def hear(self) -> None:
        # heard(me, N, P) :- cast(N, P).
        self.heard <= ((self.me, c.no, c.payload) for c in self.cast)
        # heard(S, N, P) :- net.received(_, (S, N), P).
        self.heard <= ((src, no, payload) for _, (src, no), payload in self.net.received)
        # received(S, N, P) :- heard(S, N, P), not seen(S, N).
        self.received <= (h for h in self.heard if (h.src, h.no) not in self.seen)
        # seen(S, N) @next :- received(S, N, _).
        self.seen <+ ((r.src, r.no) for r in self.received)

    @rule
    def relay(self) -> None:
        # net.send(M, (S, N), P) :- received(S, N, P), member(M), M != me, M != S.
        self.net.send <= ((m.address, (r.src, r.no), r.payload) for r in self.received for m in self.member
                          if m.address not in (self.me, r.src))
