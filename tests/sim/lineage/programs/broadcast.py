"""Broadcast, five times: after Molly's corpus (Alvaro, Rosen, Hellerstein, SIGMOD 2015, section 2)."""
# mypy: ignore-errors
# ruff: noqa: B015
# fmt: off

from __future__ import annotations

from bloompy import Bloom, channel, interface, param, periodic, rule, table


class Simple(Bloom):
    """A message is sent once to everybody. One loss, and somebody never hears of it."""

    member = table("address")
    said = interface.input("text")
    log = table("text")
    message = channel("@to, text")

    @rule
    def broadcast(self):
        self.log <= ((s.text,) for s in self.said)
        self.message <~ ((m.address, s.text) for s in self.said for m in self.member if m.address != self.me)

    @rule
    def hear(self):
        self.log <= ((m.text,) for m in self.message)


class Retrying(Simple):
    """The sender sends again and again; but if it crashes early, those who have heard do not pass it on."""

    again = periodic(1.0)
    spoken = table("text")

    @rule
    def broadcast(self):
        self.log <= ((s.text,) for s in self.said)
        self.spoken <= ((s.text,) for s in self.said)
        self.message <~ ((m.address, s.text) for s in self.said for m in self.member if m.address != self.me)
        self.message <~ ((m.address, s.text) for a in self.again for s in self.spoken for m in self.member if m.address != self.me)


class OneRetryMissing(Simple):
    """Everybody who hears passes it on once, and the sender repeats it once; it ought to repeat it until all have it."""

    again = periodic(1.0)
    spoken = table("text")
    repeats = param(1)

    @rule
    def broadcast(self):
        self.log <= ((s.text,) for s in self.said)
        self.spoken <= ((s.text,) for s in self.said)
        self.message <~ ((m.address, s.text) for s in self.said for m in self.member if m.address != self.me)
        self.message <~ ((m.address, s.text) for a in self.again if a.no <= self.repeats for s in self.spoken
                         for m in self.member if m.address != self.me)


class Redundant(Simple):
    """Everybody sends what it has again and again: holds under loss that ends, and under crashes."""

    again = periodic(1.0)

    @rule
    def broadcast(self):
        self.log <= ((s.text,) for s in self.said)
        self.message <~ ((m.address, s.text) for s in self.said for m in self.member if m.address != self.me)
        self.message <~ ((m.address, l.text) for a in self.again for l in self.log for m in self.member if m.address != self.me)


class Acknowledged(Simple):
    """As redundant broadcast, but only to those who have not acknowledged."""

    again = periodic(1.0)
    ack = channel("@to, sender, text")
    acked = table("sender, text")

    @rule
    def broadcast(self):
        self.log <= ((s.text,) for s in self.said)
        self.message <~ ((m.address, s.text) for s in self.said for m in self.member if m.address != self.me)
        self.message <~ ((m.address, l.text) for a in self.again for l in self.log for m in self.member
                         if m.address != self.me and (m.address, l.text) not in self.acked)

    @rule
    def acknowledge(self):
        self.ack <~ ((n.address, self.me, m.text) for m in self.message for n in self.member if n.address != self.me)
        self.acked <= ((a.sender, a.text) for a in self.ack)
