# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""Delivery: messages from one node to another. What every delivery protocol offers, and the least of them.

All protocols have one interface, so a program changes from one to another by the name of a module:

    net = module(BestEffortDelivery)        # or ReliableDelivery, FifoDelivery, CausalDelivery
    self.net.send <= ((peer, number, text) for …)
    self.inbox <= ((r.src, r.payload) for r in self.net.received)

The interface follows the delivery protocols of Bud's sandbox (bloom-lang/bud-sandbox, delivery/).
"""

from bloompy import Bloom, channel, interface, rule


class Delivery(Bloom):
    """What every delivery protocol offers.

    Inputs:
        send: a message to node `dst`, by a name `no` that this node never gives to another message to the same node. Numbers
            that ascend do; a tuple does as well. A send is an event: fill it by a rule that needs an input, message or timer.

    Outputs:
        sent: the sender has no more to do: at once (best effort), or when `dst` has said that the message is on its disk.
        received: the message, at the node that it was sent to.
    """

    send = interface.input("dst: str, no -> payload")
    sent = interface.output("dst: str, no -> payload")
    received = interface.output("src: str, no -> payload")


class BestEffortDelivery(Delivery):
    """Each message is given to the network once: it may be lost, received again, and overtake others."""

    message = channel("@dst: str, src: str, no -> payload")

    @rule
    def transmit(self) -> None:
        # message(@D, me, N, P) @async :- send(D, N, P).
        self.message <~ ((s.dst, self.me, s.no, s.payload) for s in self.send)
        # sent(D, N, P) :- send(D, N, P).
        self.sent <= self.send

    @rule
    def receive(self) -> None:
        # received(S, N, P) :- message(me, S, N, P).
        self.received <= ((m.src, m.no, m.payload) for m in self.message)
