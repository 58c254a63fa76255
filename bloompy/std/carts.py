# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""Two shopping carts: the pair that shows what the CALM theorem says.

From "Consistency Analysis in Bloom: a CALM and Collected Approach" (Alvaro, Conway, Hellerstein, Marczak; CIDR 2011, section 5) and,
for the checkout that says what it covers, "Logic and Lattices for Distributed Programming" (SoCC 2012, section 5.2).

The destructive cart keeps the contents and changes them as actions arrive. The disorderly cart keeps the actions, a set that
only grows, and adds them up when it has all that the checkout counts. The first is not monotone at every action, and so depends
on the order in which messages come; the second is not monotone at one place only, behind a threshold.
"""

from bloompy import Bloom, agg, interface, module, param, rule, scratch, table
from bloompy.std.reliable import ReliableDelivery


class Cart(Bloom):
    """What both carts have: a shopper's side, the way of its actions to all replicas, and receipts.

    Every node runs the same class; a shopper is a node that is told of the replicas, a replica one that is sent actions.

    Params:
        retry_s: seconds between two transmissions of an action that is not acknowledged.

    Inputs:
        join: a replica of which this shopper knows, from the next tick on.
        act: put so many of an item in, or take them out (`change` is negative): number `no` of a session, from 1. Taking out
            what is not there, as the shopper sees the cart, has no effect on it.
        checkout: the session is over, after so many actions.

    Outputs:
        receipt: at a replica, from the checkout on: what was bought, as a sorted tuple of (item, count).
    """

    retry_s = param(0.5)
    net = module(ReliableDelivery, retry_s=retry_s)

    join = interface.input("address: str")
    act = interface.input("session, no: int -> item, change: int")
    checkout = interface.input("session -> actions: int")
    receipt = interface.output("session -> items")

    replica = table("address: str", durable=True)
    action = scratch("session, no, item, change")
    closing = scratch("session, actions")

    @rule
    def shop(self) -> None:
        # replica(A) @next :- join(A).
        self.replica <+ self.join
        # net.send(A, (S, N), (I, C)) :- replica(A), act(S, N, I, C).
        self.net.send <= ((r.address, (x.session, x.no), (x.item, x.change)) for r in self.replica for x in self.act)
        # net.send(A, (S, 0), N) :- replica(A), checkout(S, N).
        self.net.send <= ((r.address, (x.session, 0), x.actions) for r in self.replica for x in self.checkout)

    @rule
    def arrive(self) -> None:
        # action(S, N, I, C) :- net.received(_, (S, N), (I, C)), N > 0.
        self.action <= ((m.no[0], m.no[1], m.payload[0], m.payload[1]) for m in self.net.received if m.no[1] > 0)
        # closing(S, N) :- net.received(_, (S, 0), N).
        self.closing <= ((m.no[0], m.payload) for m in self.net.received if m.no[1] == 0)


class DestructiveCart(Cart):
    """Keeps what is in the cart, and overwrites it: correct only if every replica hears everything in the order of the shopper."""

    contents = table("session -> items", durable=True)
    sold = table("session -> items", durable=True)
    changes = scratch("session -> changes")
    after = scratch("session -> items")

    @rule
    def overwrite(self) -> None:
        # changes(S, collect<N, I, C>) :- action(S, N, I, C).
        self.changes <= ((a.session, agg.collect((a.no, a.item, a.change))) for a in self.action)
        # after(S, changed(Items, Changes)) :- changes(S, Changes), contents(S, Items).                   (empty at first)
        self.after <= ((c.session, changed(self.contents.get(c.session, (c.session, ())).items, c.changes)) for c in self.changes)
        # contents(S, Items) @next :- after(S, Items).
        self.contents <+- self.after

    @rule
    def check_out(self) -> None:
        # sold(S, Items) :- closing(S, _), after(S, Items) or else contents(S, Items).
        self.sold <= ((c.session, self.after.get(c.session, self.contents.get(c.session, (c.session, ()))).items) for c in self.closing)
        # receipt(S, Items) :- sold(S, Items).
        self.receipt <= self.sold


class DisorderlyCart(Cart):
    """Keeps the actions, in whatever order they come; the receipt follows when all that the checkout counts are there.

    Everything is monotone but the last rule, which adds up a set that has stopped growing.
    """

    cart = table("session -> actions: lset, closed: lset", durable=True)
    complete = scratch("session")

    @rule
    def remember(self) -> None:
        # cart(S, set<(N, I, C)>, {}) :- action(S, N, I, C).
        self.cart <= ((a.session, frozenset({(a.no, a.item, a.change)}), frozenset()) for a in self.action)
        # cart(S, {}, set<N>) :- closing(S, N).
        self.cart <= ((c.session, frozenset(), frozenset({c.actions})) for c in self.closing)

    @rule
    def check_out(self) -> None:
        # complete(S) :- cart(S, Actions, Closed), N in Closed, |Actions| >= N.
        self.complete <= ((c.session,) for c in self.cart for n in c.closed if len(c.actions) >= n)
        # receipt(S, changed((), Actions)) :- complete(S), cart(S, Actions, _).
        self.receipt <= ((c.session, changed((), tuple(sorted(c.actions)))) for x in self.complete for c in self.cart
                         if c.session == x.session)


def changed(items: tuple[tuple[str, int], ...], changes: tuple[tuple[int, str, int], ...]) -> tuple[tuple[str, int], ...]:
    """The contents of a cart after some changes, in the order of their numbers; no item is there less than zero times."""
    counts = dict(items)
    for _, item, change in changes:
        counts[item] = max(0, counts.get(item, 0) + change)
    return tuple(sorted((item, count) for item, count in counts.items() if count))
