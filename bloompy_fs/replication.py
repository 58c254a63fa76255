# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""The replication invariant: every chunk has as many live, whole replicas as its file asks for (spec B.2, r1 to r6).

A timer drives repair. A chunk that is short for the propagation time is copied, one order for each missing replica; an order
counts as a replica until it is done or too old. Replicas too many, of no file, or corrupt are condemned: they count no more, and
their DataNodes are told until they report them gone. A corrupt replica goes only when another one is whole.
Nothing of this happens in safe mode: after a start, until nearly every chunk has been reported, or for so long.

Of several NameNodes the leader acts. One that has not applied all that was decided yet, or one whose time is over and does not know
it, does no harm: a chunk is of no file only if its number has been applied, and nothing is condemned before all DataNodes obey.

Where names are partitioned, a chunk that is of no file here may be of one elsewhere. Its home knows: the partition that gave it its
number (`lending`). One alone is at home for all.
"""

from bloompy import agg, bootstrap, param, periodic, rule, scratch, table
from bloompy_fs.chunks import WRITING, Chunks
from bloompy_fs.placement import home_of, spread


class Replication(Chunks):
    """Repair, trimming, garbage collection, safe mode."""

    repair_s = param(3.0)
    repair = periodic(repair_s)
    propagation_s = param(15.0)
    order_timeout_s = param(300.0)
    streams_per_source = param(8)
    partition = param(0)
    partitions: tuple[tuple[str, ...], ...] = param((("",),))
    safe_share = param(0.999)
    safe_timeout_s = param(60.0)

    safe_mode = table("-> since: float")
    chunk_count = scratch("-> n")
    lost_count = scratch("-> n")
    leaves_safe_mode = scratch("since")
    acting = scratch("time")
    condemning = scratch("ballot")

    wanted = scratch("chunk -> replication")
    copies = scratch("chunk -> n")
    short = scratch("chunk -> n, replication")
    lost = scratch("chunk")
    short_count = scratch("-> n")
    short_since = table("chunk: int -> since: float")

    inflight = table("chunk: int, node: str -> since: float")
    inflight_count = scratch("chunk -> n")
    due = scratch("chunk -> n, missing")
    source = scratch("chunk -> node")
    turn = scratch("chunk -> turn")
    candidate = scratch("chunk, node -> data, turn")
    copy_order = scratch("chunk, node -> source, data")

    lent = table("chunk: int", durable=True)
    unsettled = table("chunk: int -> since: float")
    garbage = scratch("node, chunk")
    broken = scratch("node, chunk")
    excess = scratch("chunk -> n")
    surplus = scratch("chunk, node, turn, n")
    doomed = scratch("node, chunk")

    @bootstrap
    def enter_safe_mode(self) -> None:
        self.safe_mode <= [(self.now,)]

    @rule
    def replica_views(self) -> None:
        # wanted(C, Rep) :- owner(C, F, Length), committed, by_id(F, Rep).
        self.wanted <= ((o.chunk, b.replication) for o in self.owner for b in self.by_id if b.fid == o.fid and o.length != WRITING)
        # copies(C, count<D>) :- hold(C, D).
        self.copies <= ((h.chunk, agg.count()) for h in self.hold)
        # short(C, N, Rep) :- wanted(C, Rep), copies(C, N), N < Rep.      (N is 0 where there is no copy)
        self.short <= ((w.chunk, c.n, w.replication) for w in self.wanted for c in self.copies
                       if c.chunk == w.chunk and c.n < w.replication)
        self.short <= ((w.chunk, 0, w.replication) for w in self.wanted if w.chunk not in self.copies)
        # lost(C) :- wanted(C), not copies(C).
        self.lost <= ((w.chunk,) for w in self.wanted if w.chunk not in self.copies)

    @rule
    def leave_safe_mode(self) -> None:
        self.chunk_count <= (agg.count() for w in self.wanted)
        self.lost_count <= (agg.count() for x in self.lost)
        # leaves(Since) :- repair(Now), leads(), safe_mode(Since), few chunks unseen or Now - Since > Timeout.
        self.leaves_safe_mode <= (
            (m.since,) for r in self.repair for b in self.leads for m in self.safe_mode
            if self.lost_count.get((), (0,)).n <= (1 - self.safe_share) * self.chunk_count.get((), (0,)).n
            or r.time - m.since > self.safe_timeout_s)
        self.safe_mode <- ((x.since,) for x in self.leaves_safe_mode)
        # acting(Now) :- repair(Now), leads(), not safe_mode(_).
        self.acting <= ((r.time,) for r in self.repair for b in self.leads if not any(m for m in self.safe_mode))
        # condemning(B) :- acting(), obeyed(B).
        self.condemning <= ((o.ballot,) for t in self.acting for o in self.obeyed)

    @rule
    def health(self) -> None:
        # result(S, R, (Chunks, Short, Lost, Safe)) :- allowed(S, R, health).
        self.short_count <= (agg.count() for s in self.short)
        self.result <= ((a.session, a.reqid, (self.chunk_count.get((), (0,)).n, self.short_count.get((), (0,)).n,
                                              self.lost_count.get((), (0,)).n, any(m for m in self.safe_mode)))
                        for a in self.allowed if a.op == "health")

    @rule
    def watch_short(self) -> None:
        # short_since(C, Now) @next :- acting(Now), short(C), not short_since(C).
        self.short_since <+ ((s.chunk, t.time) for t in self.acting for s in self.short if s.chunk not in self.short_since)
        # del short_since(C) @next :- acting(), short_since(C), not short(C).
        self.short_since <- ((s.chunk,) for t in self.acting for s in self.short_since if s.chunk not in self.short)
        # del inflight(C, D) @next :- inflight(C, D), hb_chunk(D, C) or too old or D is gone or C is gone.
        self.inflight <- ((i.chunk, i.node) for t in self.repair for i in self.inflight
                          if (i.node, i.chunk) in self.hb_chunk or t.time - i.since > self.order_timeout_s
                          or i.node not in self.datanode or i.chunk not in self.owner)

    @rule
    def order_copies(self) -> None:
        # inflight_count(C, count<D>) :- inflight(C, D), datanode(D), not hb_chunk(D, C).
        self.inflight_count <= ((i.chunk, agg.count()) for i in self.inflight
                                if i.node in self.datanode and (i.node, i.chunk) not in self.hb_chunk)
        # due(C, N, Rep - N - Inflight) :- acting(Now), short_since(C, Since), short(C, N, Rep), N > 0, Now - Since >= Propagation.
        self.due <= ((s.chunk, s.n, s.replication - s.n - self.inflight_count.get(s.chunk, (s.chunk, 0)).n)
                     for t in self.acting for x in self.short_since for s in self.short
                     if s.chunk == x.chunk and s.n > 0 and t.time - x.since >= self.propagation_s
                     and s.n + self.inflight_count.get(s.chunk, (s.chunk, 0)).n < s.replication)
        # source(C, argmin<D, spread>) :- due(C), hold(C, D).
        self.source <= ((d.chunk, agg.argmin(h.node, spread(d.chunk, h.node))) for d in self.due for h in self.hold
                        if h.chunk == d.chunk)
        # turn(C, rank<N, C> per source): those with the fewest copies first.
        self.turn <= ((d.chunk, agg.rank((d.n, d.chunk), per=(s.node,))) for d in self.due for s in self.source if s.chunk == d.chunk)
        # candidate(C, D, rank<spread> per C) :- due(C), datanode(D), roomy(D), not hb_chunk(D, C), not inflight(C, D).
        self.candidate <= ((d.chunk, n.node, n.data, agg.rank((spread(d.chunk, n.node), n.node), per=(d.chunk,)))
                           for d in self.due for n in self.datanode for h in self.heard
                           if h.node == n.node and h.free > self.reserve_bytes
                           and (n.node, d.chunk) not in self.hb_chunk and (d.chunk, n.node) not in self.inflight)
        # copy_order(C, D, S) :- due(C, Missing), source(C, S), turn(C) < Streams, candidate(C, D) < Missing.
        self.copy_order <= ((d.chunk, c.node, s.node, c.data)
                            for d in self.due for c in self.candidate for s in self.source for o in self.turn
                            if c.chunk == d.chunk and s.chunk == d.chunk and o.chunk == d.chunk
                            and c.turn < d.missing and o.turn < self.streams_per_source)
        # inflight(C, D, now) @next :- copy_order(C, D).
        self.inflight <+ ((c.chunk, c.node, self.now) for c in self.copy_order)
        # command(@A, copy, C, D) @async :- copy_order(C, D, S), datanode(S, A).
        self.command <~ ((n.address, self.me, "copy", c.chunk, c.data, b.ballot) for c in self.copy_order for n in self.datanode
                         for b in self.leads if n.node == c.source)

    @rule
    def condemn(self) -> None:
        # excess(C, N - Rep) :- copies(C, N), wanted(C, Rep), N > Rep, not unsettled(C).
        self.excess <= ((c.chunk, c.n - w.replication) for c in self.copies for w in self.wanted
                        if w.chunk == c.chunk and c.n > w.replication and c.chunk not in self.unsettled)
        # surplus(C, D, rank<Used> per C, N) :- condemning(), excess(C, N), hold(C, D), heard(D, Used): the fullest first.
        self.surplus <= ((e.chunk, h.node, agg.rank((-d.used, spread(e.chunk, h.node), h.node), per=(e.chunk,)), e.n)
                         for t in self.condemning for e in self.excess for h in self.hold for d in self.heard
                         if h.chunk == e.chunk and d.node == h.node)
        # doomed(D, C) :- surplus(C, D, Turn, N), Turn < N.
        self.doomed <= ((s.node, s.chunk) for s in self.surplus if s.turn < s.n)
        # garbage(D, C) :- hb_chunk(D, C), home(C) is this partition, not owner(C), not lent(C).
        self.garbage <= ((h.node, h.chunk) for h in self.hb_chunk if h.chunk not in self.owner and h.chunk not in self.lent
                         and home_of(h.chunk, len(self.partitions)) == self.partition)
        # broken(D, C) :- hb_chunk(D, C, Length, State), owner(C, Other), State != "ok" or Length != Other, copies(C), not unsettled(C).
        self.broken <= ((h.node, h.chunk) for h in self.hb_chunk for o in self.owner
                        if o.chunk == h.chunk and o.length != WRITING and (h.state != "ok" or h.length != o.length)
                        and h.chunk in self.copies and h.chunk not in self.unsettled)
        # doomed(D, C) :- condemning(), garbage(D, C), index(C) = I, reached(Last), I <= Last, not waiting(I).
        # No file has it, and none will: its number, once applied, is never used again.
        self.doomed <= ((g.node, g.chunk) for t in self.condemning for g in self.garbage for r in self.reached
                        if g.chunk // len(self.partitions) <= r.index and g.chunk // len(self.partitions) not in self.waiting)
        # doomed(D, C) :- condemning(), broken(D, C).
        self.doomed <= ((b.node, b.chunk) for t in self.condemning for b in self.broken)
        # doomed(D, C) :- condemning(B), condemned(D, C, B), hb_chunk(D, C), owner(C) or garbage(D, C).      (told again until it is gone)
        self.doomed <= ((c.node, c.chunk) for t in self.condemning for c in self.condemned
                        if c.ballot == t.ballot and (c.node, c.chunk) in self.hb_chunk
                        and (c.chunk in self.owner or (c.node, c.chunk) in self.garbage))
        # condemned(D, C, B) @next :- condemning(B), doomed(D, C), not condemned(D, C, B).
        self.condemned <+- ((d.node, d.chunk, t.ballot) for t in self.condemning for d in self.doomed
                            if not any(c for c in self.condemned if c.node == d.node and c.chunk == d.chunk and c.ballot == t.ballot))
        # del condemned(D, C) @next :- repair(), condemned(D, C, B), not leads(B) or not hb_chunk(D, C) or not owner(C), not garbage(D, C).
        self.condemned <- ((c.node, c.chunk) for t in self.repair for c in self.condemned
                           if (c.node, c.chunk) not in self.hb_chunk or not any(b for b in self.leads if b.ballot == c.ballot)
                           or not (c.chunk in self.owner or (c.node, c.chunk) in self.garbage))
        # command(@A, delete, C) @async :- condemning(B), doomed(D, C), datanode(D, A).
        self.command <~ ((n.address, self.me, "delete", d.chunk, "", t.ballot) for t in self.condemning for d in self.doomed
                         for n in self.datanode if n.node == d.node)
