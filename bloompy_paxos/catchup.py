# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""Liveness: what was lost is said again, who lags is helped, and what nobody needs any more is forgotten.

Chandra, Griesemer, Redstone, "Paxos Made Live" (PODC 2007), section 5.5 (snapshots): here the snapshot is taken by rules, in one tick,
so it is the state after exactly the slots applied.
"""

from bloompy import agg, invariant, rule, scratch, table
from bloompy_paxos.election import Election

LEARNED = 50
"""Most slots sent at one `fetch`."""
SELDOM = 5
"""Every so many pulses a reply is asked for again of which a part is there."""
PATIENCE_S = 5.0
"""A snapshot of which the beginning is here may take so long before it is asked for again."""


class CatchUp(Election):
    """Retransmission, decided values and snapshots for those that lag, truncation."""

    # Not delayed: a node says that a snapshot is in its state, on which it may be made a member, when that is on disk.
    truncated = table("-> slot: int", durable=True)
    arriving = table("slot: int -> index: int, config: tuple, pieces: int, time: float")
    arrived = table("slot: int, table: str, row: tuple")

    lag = scratch("node")
    pieces = scratch("-> n")
    here = scratch("slot -> n")
    complete = scratch("-> slot")
    over = scratch("slot")
    cut = scratch("-> slot")

    @rule
    def retransmission(self) -> None:
        # p1a(@N, me, B, A + 1) @async :- pulse(), ballot(B), audience(N), not whole(B, N), applied(A).      (seldom where much is to come)
        self.p1a <~ ((n.node, self.me, b.ballot, a.slot + 1) for p in self.pulse for b in self.ballot for n in self.audience
                     for a in self.applied if (b.ballot, n.node) not in self.whole
                     and (p.no % SELDOM == 0 or not any(x for x in self.promise if x.ballot == b.ballot and x.acceptor == n.node)))
        # p2a(@N, me, B, S, V) @async :- pulse(Now), leads(B), proposal(B, S, V, Time), Now - Time > 2 pulse_s,
        #                                audience(N), not voter(B, S, N).
        self.p2a <~ ((n.node, self.me, b.ballot, x.slot, x.value) for p in self.pulse for b in self.leads for x in self.proposal
                     for n in self.audience if x.ballot == b.ballot and not 0 <= p.time - x.time <= 2 * self.pulse_s
                     and (b.ballot, x.slot, n.node) not in self.voter)

    @rule
    def fetching(self) -> None:
        # lag(L) :- heartbeat(L, B, S), sign(L, B), applied(A), A < S, not decided(A + 1), not vote(A + 1, B), no snapshot under way.
        self.lag <= ((h.leader,) for h in self.heartbeat
                     if (h.leader, h.ballot) in self.sign and self.applied.get((), (-1, 0)).slot < h.slot
                     and self.applied.get((), (-1, 0)).slot + 1 not in self.decided
                     and not any(v for v in self.vote if v.slot == self.applied.get((), (-1, 0)).slot + 1 and v.ballot == h.ballot)
                     and not any(x for x in self.arriving if x.time <= self.now < x.time + PATIENCE_S))
        # lag(N) :- pulse(), ballot(B), promise(B, N, Ahead, _), applied(A), A < Ahead, not decided(A + 1).
        self.lag <= ((x.acceptor,) for p in self.pulse for b in self.ballot for x in self.promise for a in self.applied
                     if x.ballot == b.ballot and a.slot < x.applied and a.slot + 1 not in self.decided
                     and not any(s for s in self.arriving if s.time <= self.now < s.time + PATIENCE_S))
        # deposed(B) :- pulse(Now), ballot(B, Since), behind(B, Ahead), applied(A), A < Ahead, Since is long ago.
        # Who said that it had more may have lost it in a crash; a new ballot hears what there is.
        self.deposed <= ((b.ballot,) for p in self.pulse for b in self.ballot for d in self.behind for a in self.applied
                         if d.ballot == b.ballot and a.slot < d.slot and p.time - b.since > PATIENCE_S)
        # fetch(@N, me, A + 1) @async :- lag(N), applied(A).
        self.fetch <~ ((x.node, self.me, self.applied.get((), (-1, 0)).slot + 1) for x in self.lag)
        # learn(@N, S, V) @async :- fetch(N, First), truncated(T), First > T, S in First..First + LEARNED, decided(S, V), S <= applied.
        self.learn <~ ((m.asker, slot, self.decided[slot].value) for m in self.fetch for a in self.applied
                       for slot in range(m.first, min(m.first + LEARNED, a.slot + 1)) if m.first > self.truncated.get((), (0,)).slot)

    @rule
    def taking_snapshots(self) -> None:
        # wanted(step) :- fetch(_, First), truncated(T), First <= T.
        self.wanted <= ((self.step,) for m in self.fetch for a in self.applied if m.first <= self.truncated.get((), (0,)).slot)
        # snapshot(@N, A, I, Config, count<image>), piece(@N, A, T, R) @async :- fetch(N, _), wanted(_), applied(A, I), config, image(T, R).
        self.pieces <= (agg.count() for i in self.image)
        self.snapshot <~ ((m.asker, a.slot, a.index, (c.members, c.coming, c.since), self.pieces.get((), (0,)).n)
                          for m in self.fetch for w in self.wanted for a in self.applied for c in self.config
                          if m.first <= self.truncated.get((), (0,)).slot)
        self.piece <~ ((m.asker, a.slot, i.table, i.row) for m in self.fetch for i in self.image for a in self.applied
                       if m.first <= self.truncated.get((), (0,)).slot)

    @rule
    def receiving_snapshots(self) -> None:
        # arriving(S, I, Config, Pieces, now), arrived(S, T, R) @next :- snapshot(S, I, Config, Pieces), piece(S, T, R), applied(A), A < S.
        self.arriving <+- ((m.slot, m.index, m.config, m.pieces, self.now) for m in self.snapshot
                           if m.slot > self.applied.get((), (-1, 0)).slot)
        self.arrived <+ ((m.slot, m.table, m.row) for m in self.piece if m.slot > self.applied.get((), (-1, 0)).slot)
        # complete(max<S>) :- arriving(S, Pieces), arrived(S, ...) so often, applied(A), A < S.
        self.here <= ((x.slot, agg.count()) for x in self.arrived)
        self.complete <= (agg.max(s.slot) for s in self.arriving
                          if self.here.get(s.slot, (s.slot, 0)).n == s.pieces and s.slot > self.applied.get((), (-1, 0)).slot)
        self.restoring <= ((x.slot,) for x in self.complete)
        self.restored <= ((r.table, r.row) for x in self.complete for r in self.arrived if r.slot == x.slot)
        # applied(S, I), config(Config), truncated(S) @next :- complete(S), arriving(S, I, Config).
        self.applied <+- ((s.slot, s.index) for x in self.complete for s in self.arriving if s.slot == x.slot)
        self.config <+- ((s.config[0], s.config[1], s.config[2]) for x in self.complete for s in self.arriving if s.slot == x.slot)
        # del arriving(S), arrived(S) @next :- snapshot(Later), S < Later; complete(Later), S <= Later.
        self.over <= ((m.slot - 1,) for m in self.snapshot)
        self.over <= self.complete
        self.arriving <- ((s.slot,) for x in self.over for s in self.arriving if s.slot <= x.slot)
        self.arrived <- (r for x in self.over for r in self.arrived if r.slot <= x.slot)

    @rule
    def truncation(self) -> None:
        # cut(A - keep) :- pulse(), applied(A), truncated(T), A - keep far above T; cut(S) :- complete(S).
        self.cut <= ((a.slot - self.keep,) for p in self.pulse for a in self.applied
                     if a.slot - self.keep > self.truncated.get((), (0,)).slot + self.keep // 4 and not any(x for x in self.complete))
        self.cut <= self.complete
        self.truncated <+- self.cut
        # del decided(S), vote(S) @next :- cut(T), S <= T.
        self.decided <- ((d.slot,) for x in self.cut for d in self.decided if d.slot <= x.slot)
        self.vote <- ((v.slot,) for x in self.cut for v in self.vote if v.slot <= x.slot)

    @invariant
    def applied_was_decided(self) -> None:
        """What was applied last is decided, or was in a snapshot."""
        (a for a in self.applied if a.slot > self.truncated.get((), (0,)).slot and a.slot not in self.decided)
