"""A replicated log as Kafka 0.8 had it: an entry is acknowledged when all replicas *in sync* have it; the leader removes from
that set whoever lags behind; if nobody of it is left, any replica that lives becomes the leader.

So the set may shrink to the leader alone, which then acknowledges by itself, and dies (Kingsbury, "Jepsen: Kafka", 2013; one of the cases
of the paper on lineage-driven fault injection).
"""
# mypy: ignore-errors
# ruff: noqa: B015
# fmt: off

from __future__ import annotations

from bloompy import Bloom, agg, channel, interface, param, periodic, rule, scratch, table


class Wire(Bloom):
    """The messages."""

    write = channel("@to, client, entry")
    reply = channel("@to, entry")
    append = channel("@to, sender, entry")
    appended = channel("@to, sender, entry")
    beat = channel("@to, sender")
    shrink = channel("@to, sender, address")
    lead = channel("@to, address, members")


class Replica(Wire):
    """One replica. The leader appends, sends what others lack every second, and acknowledges."""

    controller = param("z")
    lag_s = param(0.5)
    replica = table("address")
    leader = table("-> address, in_sync")
    log = table("entry")
    stored = table("entry, address")
    waiting = table("entry -> client, since")
    again = periodic(1.0)
    leads = scratch("address")

    @rule
    def follow(self):
        self.leader <+- ((l.address, l.members) for l in self.lead)
        self.log <= ((a.entry,) for a in self.append)
        self.appended <~ ((a.sender, self.me, a.entry) for a in self.append)
        self.beat <~ ((self.controller, self.me) for t in self.again)

    @rule
    def replicate(self):
        self.leads <= ((l.address,) for l in self.leader if l.address == self.me)
        self.log <= ((w.entry,) for w in self.write)
        self.waiting <+ ((w.entry, w.client, self.now) for w in self.write if w.entry not in self.waiting)
        self.append <~ ((r.address, self.me, w.entry) for w in self.write for r in self.replica if r.address != self.me)
        self.append <~ ((r.address, self.me, e.entry) for t in self.again for l in self.leads for e in self.log for r in self.replica
                        if r.address != self.me and (e.entry, r.address) not in self.stored)
        self.stored <= ((a.entry, a.sender) for a in self.appended)

    @rule
    def acknowledge(self):
        self.shrink <~ ((self.controller, self.me, member) for t in self.again for w in self.waiting for l in self.leader for member in l.in_sync
                        if member != self.me and (w.entry, member) not in self.stored and t.time - w.since > self.lag_s)
        self.reply <~ ((w.client, w.entry) for w in self.waiting for l in self.leader
                       if not any(member != self.me and (w.entry, member) not in self.stored for r in self.replica for member in l.in_sync))


class Controller(Wire):
    """Knows who lives and who is in sync, and appoints leaders: one in sync, or if none is left, anybody."""

    patience_s = param(2.5)
    replica = table("address")
    leader = table("-> address")
    seen = table("address -> time")
    isr = table("address")
    members = scratch("-> members")
    again = periodic(1.0)
    alive = scratch("address")
    candidate = scratch("address, rank")
    chosen = scratch("-> address")

    @rule
    def watch(self):
        self.seen <+- ((b.sender, self.now) for b in self.beat)
        self.isr <- ((s.address,) for s in self.shrink for l in self.leader if l.address == s.sender)
        self.members <= ((agg.collect(i.address),) for i in self.isr)
        self.alive <= ((s.address,) for t in self.again for s in self.seen if t.time - s.time < self.patience_s)

    @rule
    def appoint(self):
        self.candidate <= ((a.address, 1 if a.address in self.isr else 2) for t in self.again for l in self.leader
                           if l.address not in self.alive for a in self.alive)
        self.chosen <= ((agg.argmin(c.address, c.rank),) for c in self.candidate)
        self.leader <+- ((c.address,) for c in self.chosen)
        self.lead <~ ((r.address, l.address, m.members) for l in self.leader for m in self.members for r in self.replica)
        self.lead <~ ((r.address, l.address, m.members) for t in self.again for l in self.leader for m in self.members for r in self.replica)


class Client(Wire):
    """Writes once, and knows what was acknowledged."""

    put = interface.input("to, entry")
    acked = table("entry")

    @rule
    def ask(self):
        self.write <~ ((p.to, self.me, p.entry) for p in self.put)
        self.acked <= ((r.entry,) for r in self.reply)
