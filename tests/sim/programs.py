"""Small programs for the tests of the simulation."""
# ruff: noqa: B015
# mypy: disable-error-code="operator"
# fmt: off

from __future__ import annotations

from bloompy import Bloom, channel, interface, invariant, loopback, param, periodic, rule, scratch, stdio, table


class Ping(Bloom):
    """Sends what is put in to others, and keeps what comes, in the order of arrival."""

    put = interface.input("to, text")
    note = channel("@to, text, sender")
    got = table("step: int, text, sender")

    @rule
    def rules(self):
        self.note <~ ((p.to, p.text, self.me) for p in self.put)
        self.got <= ((self.step, n.text, n.sender) for n in self.note)


class Journal(Bloom):
    """Keeps what is put in durably, counts in memory too, and acknowledges to a peer."""

    peer = param("b")
    put = interface.input("item")
    kept = table("item", durable=True)
    seen = table("item")
    ack = channel("@to, item")
    acked = table("item")

    @rule
    def rules(self):
        self.kept <= self.put
        self.seen <= self.put
        self.ack <~ ((self.peer, p.item) for p in self.put)
        self.acked <= ((a.item,) for a in self.ack)


class Beat(Bloom):
    """Counts the firings of a timer, with the times of its own clock."""

    beat = periodic(1.0)
    beats = table("no: int, time: float")

    @rule
    def rules(self):
        self.beats <= self.beat


class Broadcast(Bloom):
    """One frame to each of three peers in one tick."""

    put = interface.input("text")
    note = channel("@to, text")
    got = table("text")

    @rule
    def rules(self):
        self.note <~ ((to, p.text) for p in self.put for to in ("b", "c", "d"))
        self.got <= ((n.text,) for n in self.note)


class Register(Bloom):
    """A value each, which all nodes should agree on."""

    put = interface.input("value: int")
    held = table("-> value: int")
    copy = channel("@to, value: int")
    peers = table("peer")

    @rule
    def rules(self):
        self.held <+- ((p.value,) for p in self.put)
        self.copy <~ ((q.peer, p.value) for p in self.put for q in self.peers)
        self.held <+- ((c.value,) for c in self.copy)

    @invariant(scope="cluster")
    def agreement(self):
        ((a.at_node, a.value, b.at_node, b.value) for a in self.held for b in self.held if a.value < b.value)


class Service(Bloom):
    """Answers requests with the square, after a tick, and prints them."""

    request = channel("@to, client, no: int, x: int")
    reply = channel("@client, no: int, y: int")
    later = scratch("client, no: int, x: int")
    out = stdio()

    @rule
    def rules(self):
        self.later <+ ((r.client, r.no, r.x) for r in self.request)
        self.reply <~ ((l.client, l.no, l.x * l.x) for l in self.later)
        self.out <~ ((f"square of {l.x}",) for l in self.later)


class Fragile(Bloom):
    """Divides, which not every message allows; an invariant forbids large values."""

    ask = channel("@to, x: int")
    held = table("x: int -> y: int")

    @rule
    def rules(self):
        self.held <= ((a.x, 12 // a.x) for a in self.ask)

    @invariant
    def small(self):
        (h.x for h in self.held if h.x > 100)


class Forever(Bloom):
    """Talks to itself without end."""

    put = interface.input("x: int")
    again = loopback("x: int")

    @rule
    def rules(self):
        self.again <~ ((p.x,) for p in self.put)
        self.again <~ ((a.x + 1,) for a in self.again)


class Ledger(Bloom):
    """Durable entries, of which no two nodes should have the same."""

    put = interface.input("entry: int")
    entries = table("entry: int", durable=True)

    @rule
    def rules(self):
        self.entries <= self.put

    @invariant(scope="cluster")
    def only_once(self):
        ((a.entry, a.at_node) for a in self.entries if any(True for b in self.entries if b.entry == a.entry and b.at_node != a.at_node))
