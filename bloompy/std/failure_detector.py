# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""Failure detectors by heartbeats: one with growing timeouts, one with a level of suspicion.

Chandy and Toueg, "Unreliable Failure Detectors for Reliable Distributed Systems" (JACM 1996), section 2: *strong completeness*, every
node that crashes is in the end suspected for ever by every node that watches it; *eventual strong accuracy*, from some time on no
node that is up is suspected. Together: eventually perfect.
"""

from math import erfc, inf, log10, sqrt

from bloompy import Bloom, bootstrap, channel, interface, param, periodic, rule, scratch, table


class Heartbeats(Bloom):
    """What failure detectors share: every node beats to those it watches, and hears those that watch it.

    Params:
        peers: addresses watched from the start.
        interval_s: how often this node beats, and looks at what it heard.

    Interface:
        watch, unwatch: begin and end to watch an address. Beats go to the nodes that are watched, so two nodes watch each other.
        heard: senders of heartbeats, watched or not, in the tick in which they arrive.
        suspect: a peer begins to be suspected. trust: it is no longer suspected.
        suspects: who is suspected, in every tick.
    """

    peers: tuple[str, ...] = param(())
    interval_s = param(1.0)
    beat = periodic(interval_s)

    heartbeat = channel("@to: str, sender: str")

    watch = interface.input("peer: str")
    unwatch = interface.input("peer: str")
    heard = interface.output("peer: str")
    suspect = interface.output("peer: str")
    trust = interface.output("peer: str")
    suspects = interface.output("peer: str")

    peer = table("peer: str")
    suspected = table("peer: str")

    fresh = scratch("peer")
    watched = scratch("peer")
    silent = scratch("peer")
    cleared = scratch("peer")

    @bootstrap
    def first_peers(self) -> None:
        self.watched <= ((each,) for each in self.peers if each != self.me)

    @rule
    def beating(self) -> None:
        # watched(P) :- watch(P), not peer(P).
        self.watched <= ((w.peer,) for w in self.watch if w.peer not in self.peer and w.peer != self.me)
        # peer(P) @next :- watched(P).
        self.peer <+ self.watched
        # heartbeat(@P, me) @async :- beat(), peer(P).
        self.heartbeat <~ ((p.peer, self.me) for b in self.beat for p in self.peer)
        # fresh(P) :- heartbeat(P).
        self.fresh <= ((h.sender,) for h in self.heartbeat)
        self.heard <= self.fresh
        # del peer(P), suspected(P) @next :- unwatch(P).
        self.peer <- ((u.peer,) for u in self.unwatch)
        self.suspected <- ((u.peer,) for u in self.unwatch)

    @rule
    def suspecting(self) -> None:
        # suspected(P) @next :- silent(P), not suspected(P).
        self.suspected <+ ((s.peer,) for s in self.silent if s.peer not in self.unwatch)
        self.suspect <= ((s.peer,) for s in self.silent if s.peer not in self.suspected)
        # cleared(P) :- fresh(P), suspected(P).
        self.cleared <= ((f.peer,) for f in self.fresh if f.peer in self.suspected)
        self.suspected <- self.cleared
        self.trust <= self.cleared
        # suspects(P) :- suspected(P) and not cleared(P); silent(P).
        self.suspects <= ((s.peer,) for s in self.suspected if s.peer not in self.cleared)
        self.suspects <= self.silent


class FailureDetector(Heartbeats):
    """Eventually perfect: a peer is suspected when nothing was heard for its timeout, which grows with every false suspicion.

    Params:
        timeout_s: the first timeout of every peer.
        increment_s: by how much it grows when a suspected peer is heard after all.

    It promises completeness always, and accuracy from the time on when delays are bounded and losses have ended: then each peer is
    wrongly suspected only finitely often, since its timeout grows beyond the bound.
    """

    timeout_s = param(3.0)
    increment_s = param(1.0)

    last = table("peer: str -> time: float, timeout_s: float")

    @rule
    def timing(self) -> None:
        # last(P, now, timeout_s) @next :- watched(P).
        self.last <+- ((w.peer, self.now, self.timeout_s) for w in self.watched)
        # last(P, now, T) @next :- fresh(P), last(P, _, T), not suspected(P).
        self.last <+- ((x.peer, self.now, x.timeout_s) for f in self.fresh for x in self.last
                       if x.peer == f.peer and x.peer in self.peer and x.peer not in self.suspected)
        # last(P, now, T + increment_s) @next :- cleared(P), last(P, _, T).
        self.last <+- ((x.peer, self.now, x.timeout_s + self.increment_s) for c in self.cleared for x in self.last if x.peer == c.peer)
        # silent(P) :- beat(Now), last(P, Time, T), Now - Time > T, not fresh(P).
        self.silent <= ((x.peer,) for b in self.beat for x in self.last
                        if b.time - x.time > x.timeout_s and x.peer in self.peer and x.peer not in self.fresh)
        # del last(P) @next :- unwatch(P).
        self.last <- ((u.peer,) for u in self.unwatch)


def phi(silence_s: float, mean_s: float, deviation_s: float) -> float:
    """The level of suspicion after a silence: -log10 of the probability that a heartbeat is still to come.

    Gaps between heartbeats are taken as normally distributed (Hayashibara, Défago, Yared, Katayama, "The φ accrual failure detector",
    SRDS 2004, section IV): 1 means wrong in one of ten cases, 3 in one of a thousand.
    """
    later = 0.5 * erfc((silence_s - mean_s) / (deviation_s * sqrt(2)))
    return -log10(later) if later > 0 else inf


class AccrualFailureDetector(Heartbeats):
    """Suspicion as a number that grows with the silence, from the gaps seen so far; an application sets its own threshold.

    Params:
        threshold: a peer with a phi above is suspected.
        weight: of the newest gap in the running mean and variance; the paper takes the last 1,000 gaps.
        least_deviation_s: below which the deviation is not believed; without it, perfectly regular beats would make every delay fatal.
        first_gap_s: the gap that is expected before one was seen.

    Interface:
        level: phi of every watched peer, at every look.
    """

    threshold = param(8.0)
    weight = param(0.05)
    least_deviation_s = param(0.2)
    first_gap_s = param(1.0)

    level = interface.output("peer -> phi: float")
    gaps = table("peer: str -> time: float, mean_s: float, variance: float")
    estimate = scratch("peer -> phi")

    def deviation_s(self, variance: float) -> float:
        """What is believed of the deviation of gaps."""
        return float(max(self.least_deviation_s, sqrt(variance)))

    @rule
    def estimating(self) -> None:
        # gaps(P, now, first_gap_s, (first_gap_s / 4) ^ 2) @next :- watched(P).
        self.gaps <+- ((w.peer, self.now, self.first_gap_s, (self.first_gap_s / 4) ** 2) for w in self.watched)
        # gaps(P, now, Mean', Variance') @next :- fresh(P), gaps(P, Time, Mean, Variance).
        self.gaps <+- ((g.peer, self.now, averaged(g.mean_s, self.now - g.time, self.weight),
                        averaged(g.variance, (self.now - g.time - g.mean_s) ** 2, self.weight))
                       for f in self.fresh for g in self.gaps if g.peer == f.peer)
        # estimate(P, phi(Now - Time)) :- beat(Now), gaps(P, Time, Mean, Variance), not fresh(P).
        self.estimate <= ((g.peer, phi(b.time - g.time, g.mean_s, self.deviation_s(g.variance))) for b in self.beat for g in self.gaps
                          if g.peer in self.peer and g.peer not in self.fresh)
        self.level <= self.estimate
        # silent(P) :- estimate(P, Phi), Phi > threshold.
        self.silent <= ((e.peer,) for e in self.estimate if e.phi > self.threshold)
        self.gaps <- ((u.peer,) for u in self.unwatch)


def averaged(mean: float, value: float, weight: float) -> float:
    """A running mean after one more value."""
    return mean + weight * (value - mean)
