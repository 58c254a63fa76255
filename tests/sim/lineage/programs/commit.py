"""Atomic commitment: two-phase and three-phase commit, each message repeated until it is answered."""
# mypy: ignore-errors
# ruff: noqa: B015
# fmt: off

from __future__ import annotations

from bloompy import Bloom, channel, interface, param, periodic, rule, scratch, table


class TwoPhase(Bloom):
    """Two-phase commit (Gray 1978). If the coordinator stops between votes and decision, agents that voted yes wait for ever."""

    coordinator = param("c")
    agent = table("address")
    submit = interface.input("tx")
    again = periodic(1.0)
    open = table("tx")
    vote = table("tx, agent")
    prepared = table("tx")
    decision = table("tx -> what")
    ready = scratch("tx, agent")

    prepare = channel("@to, tx")
    yes = channel("@to, sender, tx")
    decide = channel("@to, tx, what")

    @rule
    def coordinate(self):
        self.open <= ((b.tx,) for b in self.submit)
        self.prepare <~ ((a.address, o.tx) for o in self.open for a in self.agent)
        self.prepare <~ ((a.address, o.tx) for t in self.again for o in self.open for a in self.agent if (o.tx, a.address) not in self.vote)
        self.vote <= ((y.tx, y.sender) for y in self.yes)
        self.ready <= ((v.tx, v.agent) for v in self.vote)
        self.decision <= ((o.tx, "commit") for o in self.open if not any((o.tx, a.address) not in self.vote for a in self.agent))
        self.decide <~ ((a.address, d.tx, d.what) for d in self.decision for a in self.agent if self.me == self.coordinator)
        self.decide <~ ((a.address, d.tx, d.what) for t in self.again for d in self.decision for a in self.agent if self.me == self.coordinator)

    @rule
    def agree(self):
        self.prepared <= ((p.tx,) for p in self.prepare)
        self.yes <~ ((self.coordinator, self.me, p.tx) for p in self.prepare)
        self.decision <= ((d.tx, d.what) for d in self.decide)


class ThreePhase(Bloom):
    """Three-phase commit (Skeen 1981): nobody waits for ever, since everybody knows what to do after a timeout.

    That is right where only nodes fail. If a message is lost, some commit and some abort.
    """

    coordinator = param("c")
    patience_s = param(3.0)
    agent = table("address")
    submit = interface.input("tx")
    again = periodic(1.0)
    open = table("tx -> since")
    asked = table("tx -> since")
    vote = table("tx, agent")
    acked = table("tx, agent")
    agreed = table("tx -> since")
    precommitted = table("tx -> since")
    decision = table("tx -> what")

    can = channel("@to, tx")
    yes = channel("@to, sender, tx")
    pre = channel("@to, tx")
    ack = channel("@to, sender, tx")
    decide = channel("@to, tx, what")

    @rule
    def coordinate(self):
        self.open <+- ((b.tx, self.now) for b in self.submit)
        self.can <~ ((a.address, b.tx) for b in self.submit for a in self.agent)
        self.vote <= ((y.tx, y.sender) for y in self.yes)
        self.agreed <+- ((o.tx, self.now) for o in self.open if o.tx not in self.agreed
                         and not any((o.tx, a.address) not in self.vote for a in self.agent))
        self.pre <~ ((a.address, g.tx) for g in self.agreed for a in self.agent)
        self.acked <= ((k.tx, k.sender) for k in self.ack)
        self.decision <+ ((g.tx, "commit") for g in self.agreed if g.tx not in self.decision
                          and not any((g.tx, a.address) not in self.acked for a in self.agent))
        self.decision <+ ((g.tx, "abort") for t in self.again for g in self.agreed if g.tx not in self.decision
                          and t.time - g.since > self.patience_s and any((g.tx, a.address) not in self.acked for a in self.agent))
        self.decision <+ ((o.tx, "abort") for t in self.again for o in self.open if o.tx not in self.decision and o.tx not in self.agreed
                          and t.time - o.since > self.patience_s and any((o.tx, a.address) not in self.vote for a in self.agent))
        self.decide <~ ((a.address, d.tx, d.what) for d in self.decision for a in self.agent if self.me == self.coordinator)

    @rule
    def agree(self):
        self.asked <+- ((c.tx, self.now) for c in self.can if c.tx not in self.asked)
        self.yes <~ ((self.coordinator, self.me, c.tx) for c in self.can)
        self.precommitted <+- ((p.tx, self.now) for p in self.pre if p.tx not in self.precommitted and p.tx not in self.decision)
        self.ack <~ ((self.coordinator, self.me, p.tx) for p in self.pre)
        self.decision <+ ((d.tx, d.what) for d in self.decide if d.tx not in self.decision)

    @rule
    def time_out(self):
        self.decision <+ ((s.tx, "abort") for t in self.again for s in self.asked if s.tx not in self.decision
                          and s.tx not in self.precommitted and t.time - s.since > self.patience_s + 1
                          and not any(d.tx == s.tx for d in self.decide) and not any(p.tx == s.tx for p in self.pre))
        self.decision <+ ((p.tx, "commit") for t in self.again for p in self.precommitted if p.tx not in self.decision
                          and t.time - p.since > self.patience_s + 1 and not any(d.tx == p.tx for d in self.decide))
