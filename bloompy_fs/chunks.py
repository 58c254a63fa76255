# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""Files as sequences of chunks, and where each chunk is (BOOM-FS, EuroSys 2010, section 3.1; spec B.1).

A writer asks for a chunk (`addchunk`), sends its bytes to the DataNodes named, and commits it with its length and the DataNodes
that stored it. Readers see committed chunks only. So the size of a file is metadata of its own: nobody waits for reports, as
BOOM's chunk list did (for ever, if a chunk was lost).

DataNodes for a chunk are chosen by the NameNode that proposes `addchunk`, among those that it has heard, and travel with the
proposal. That a DataNode stored a chunk is believed from its writer until a report of its own is due.
"""

from bloompy import agg, channel, param, rule, scratch, table
from bloompy_fs.heartbeats import Membership
from bloompy_fs.namespace import Namespace
from bloompy_fs.operations import REPLICATION_LIMIT
from bloompy_fs.placement import spread

WRITING = -1
ON_CHUNKS = frozenset({"commit", "abandon", "locations", "suspect"})


class Chunks(Namespace, Membership):
    """addchunk, commit, abandon, chunks, locations, suspect."""

    fchunk = table("fid: int, seq: int -> chunk: int, length: int", durable=True)
    owner = scratch("chunk -> fid, seq, length")
    last_seq = scratch("fid -> seq")
    condemned = table("node: str, chunk: int -> ballot: tuple")
    hold = scratch("chunk, node -> data, host")

    room = scratch("session, reqid -> replicas")
    choice = scratch("session, reqid, place, node, data")
    chain = scratch("session, reqid -> nodes")
    claimed = scratch("node, chunk -> length")
    claim = table("node: str, chunk: int -> since: float")
    unfounded = scratch("node, chunk")
    listed = scratch("session, reqid, seq, chunk -> length, holders")
    chunk_page = scratch("session, reqid, seq -> turn")
    chunk_list = scratch("session, reqid -> chunks")
    holders = scratch("chunk -> nodes")

    reserve_bytes = param(64 * 1024 * 1024)
    claim_s = param(15.0)

    member_list = scratch("session, reqid -> nodes")

    command = channel("@address: str, nn: str, kind: str, chunk: int, target: str, ballot: tuple")

    @rule
    def chunk_views(self) -> None:
        # owner(C, F, Seq, Length) :- fchunk(F, Seq, C, Length).
        self.owner <= ((c.chunk, c.fid, c.seq, c.length) for c in self.fchunk)
        # last_seq(F, max<Seq>) :- fchunk(F, Seq).
        self.last_seq <= ((c.fid, agg.max(c.seq)) for c in self.fchunk)
        # fsize(F, sum<Length>) :- fchunk(F, Seq, C, Length), committed.
        self.fsize <= ((c.fid, agg.sum(c.length)) for c in self.fchunk if c.length != WRITING)
        # hold(C, D) :- hb_chunk(D, C, Length, "ok"), datanode(D), owner(C, Length), not condemned(D, C).
        self.hold <= ((h.chunk, h.node, d.data, d.host) for h in self.hb_chunk for d in self.datanode for o in self.owner
                      if h.state == "ok" and d.node == h.node and o.chunk == h.chunk and o.length == h.length
                      and (h.node, h.chunk) not in self.condemned)

    @rule
    def add_chunk(self) -> None:
        # choice(S, R, rank<Far, spread>, D) :- fresh_write(S, R, addchunk, Host, Excluded), datanode(D), roomy(D), not Excluded(D).
        # A DataNode on the writer's own machine comes first.
        self.choice <= ((f.session, f.reqid,
                         agg.rank((d.host != f.args[0], spread((f.session, f.reqid), d.node), d.node), per=(f.session, f.reqid)),
                         d.node, d.data)
                        for f in self.fresh_write if f.op == "addchunk"
                        for d in self.datanode if d.node not in f.args[1]
                        for h in self.heard if h.node == d.node and h.free > self.reserve_bytes)
        # room(S, R, Rep) :- fresh_write(S, R, addchunk, P), fqpath(P, F), by_id(F, Rep).
        self.room <= ((f.session, f.reqid, b.replication) for f in self.fresh_write if f.op == "addchunk"
                      for p in self.fqpath if p.path == f.path for b in self.by_id if b.fid == p.fid)
        # chain(S, R, collect<D>) :- choice(S, R, Place, D), Place < room(S, R).      (the file may be made by an earlier proposal)
        self.chain <= ((c.session, c.reqid, agg.collect((c.place, c.node, c.data))) for c in self.choice
                       if c.place < self.room.get((c.session, c.reqid), (c.session, c.reqid, REPLICATION_LIMIT)).replicas)
        # proposal(S, R, addchunk, P, Host, Excluded, Chain) :- fresh_write(S, R, addchunk, P, Host, Excluded), chain(S, R, Chain).
        self.proposal <= ((f.session, f.reqid, f.acked, f.op, f.path,
                           (*f.args, tuple((node, data) for place, node, data
                                           in self.chain.get((f.session, f.reqid), (f.session, f.reqid, ())).nodes)))
                          for f in self.fresh_write if f.op == "addchunk")
        # fault(S, R, 5, "EAGAIN") :- attempt(S, R, addchunk, Chain), Chain is empty.
        self.fault <= ((a.session, a.reqid, 5, "EAGAIN") for a in self.attempt if a.op == "addchunk" and not a.args[2])
        # fchunk(F, Seq + 1, I, -1) @next :- allowed(S, R, I, addchunk, P), fqpath(P, F), last_seq(F, Seq).
        self.fchunk <+ ((p.fid, self.last_seq.get(p.fid, (p.fid, -1)).seq + 1, a.index, WRITING)
                        for a in self.allowed if a.op == "addchunk" for p in self.fqpath if p.path == a.path)
        # result(S, R, (I, Chain)) :- allowed(S, R, I, addchunk, P, Chain), of which as many as the file has replicas.
        self.result <= ((a.session, a.reqid, (a.index, a.args[2][:b.replication])) for a in self.allowed if a.op == "addchunk"
                        for p in self.fqpath if p.path == a.path for b in self.by_id if b.fid == p.fid)

    @rule
    def faults_of_chunks(self) -> None:
        # fault(S, R, 6, "EINVAL") :- attempt(S, R, P, C), fqpath(P, F), not owner(C, F).
        self.fault <= ((a.session, a.reqid, 6, "EINVAL") for a in self.attempt if a.op in ON_CHUNKS
                       for p in self.fqpath if p.path == a.path
                       and not any(o for o in self.owner if o.chunk == a.args[0] and o.fid == p.fid))
        # fault(S, R, 7, "EINVAL") :- attempt(S, R, commit, C, Length), owner(C, Other), Other not in (WRITING, Length).
        self.fault <= ((a.session, a.reqid, 7, "EINVAL") for a in self.attempt if a.op == "commit"
                       for o in self.owner if o.chunk == a.args[0] and o.length not in (WRITING, a.args[1]))
        # fault(S, R, 7, "EINVAL") :- attempt(S, R, abandon, C), owner(C, Length), committed.
        self.fault <= ((a.session, a.reqid, 7, "EINVAL") for a in self.attempt if a.op == "abandon"
                       for o in self.owner if o.chunk == a.args[0] and o.length != WRITING)

    @rule
    def commit_chunk(self) -> None:
        # fchunk(F, Seq, C, Length) @next :- allowed(S, R, commit, C, Length), owner(C, F, Seq).
        self.fchunk <+- ((o.fid, o.seq, o.chunk, a.args[1]) for a in self.allowed if a.op == "commit"
                         for o in self.owner if o.chunk == a.args[0])
        # claimed(D, C, Length) :- allowed(S, R, commit, C, Length, Stored), D in Stored, datanode(D).
        self.claimed <= ((node, a.args[0], a.args[1]) for a in self.allowed if a.op == "commit"
                         for node in a.args[2] if node in self.datanode)
        # hb_chunk(D, C, Length, "ok"), claim(D, C, now) @next :- claimed(D, C, Length), not hb_chunk(D, C), not told(D, C), not joins(D).
        believed = ((c.node, c.chunk, c.length) for c in self.claimed if (c.node, c.chunk) not in self.hb_chunk
                    and (c.node, c.chunk) not in self.told and c.node not in self.joins)
        self.hb_chunk <+ ((node, chunk, length, "ok") for node, chunk, length in believed)
        self.claim <+- ((node, chunk, self.now) for node, chunk, length in believed)
        self.result <= ((a.session, a.reqid, ()) for a in self.allowed if a.op == "commit")

    @rule
    def claims(self) -> None:
        # unfounded(D, C) :- sweep(Now), claim(D, C, Since), Now - Since > Claim time, not told(D, C).
        # It would have been reported by now. (The DataNode may have lost the chunk, and said so, before the commit came here.)
        self.unfounded <= ((c.node, c.chunk) for s in self.sweep for c in self.claim
                           if s.time - c.since > self.claim_s and (c.node, c.chunk) not in self.told)
        self.hb_chunk <- ((u.node, u.chunk) for u in self.unfounded if (u.node, u.chunk) in self.hb_chunk)
        # del claim(D, C) @next :- unfounded(D, C); told(D, C); joins(D); dead(D).
        self.claim <- self.unfounded
        self.claim <- ((c.node, c.chunk) for t in self.told for c in self.claim if c.node == t.node and c.chunk == t.chunk)
        self.claim <- ((c.node, c.chunk) for j in self.joins for c in self.claim if c.node == j.node)
        self.claim <- ((c.node, c.chunk) for d in self.dead for c in self.claim if c.node == d.node)

    @rule
    def abandon_chunk(self) -> None:
        # del fchunk(F, Seq) @next :- allowed(S, R, abandon, C), owner(C, F, Seq).
        self.fchunk <- ((o.fid, o.seq) for a in self.allowed if a.op == "abandon" for o in self.owner if o.chunk == a.args[0])
        self.result <= ((a.session, a.reqid, ()) for a in self.allowed if a.op == "abandon")
        # del fchunk(F, Seq) @next :- removed(F) or replaced(F), fchunk(F, Seq).      (their replicas become garbage)
        self.fchunk <- ((c.fid, c.seq) for r in self.removed for c in self.fchunk if c.fid == r.fid)
        self.fchunk <- ((c.fid, c.seq) for r in self.replaced for c in self.fchunk if c.fid == r.fid)

    @rule
    def chunk_lists(self) -> None:
        # holders(C, collect<D>) :- hold(C, D).
        self.holders <= ((h.chunk, agg.collect((h.node, h.data, h.host))) for h in self.hold)
        # listed(S, R, Seq, C, Length, Holders) :- allowed(S, R, chunks, P), fqpath(P, F), fchunk(F, Seq, C, Length), committed.
        self.listed <= ((a.session, a.reqid, c.seq, c.chunk, c.length, self.holders.get(c.chunk, (c.chunk, ())).nodes)
                        for a in self.allowed if a.op == "chunks" for p in self.fqpath if p.path == a.path
                        for c in self.fchunk if c.fid == p.fid and c.length != WRITING and c.seq >= a.args[0])
        # chunk_page(S, R, Seq, rank<Seq>) :- listed(S, R, Seq).
        self.chunk_page <= ((x.session, x.reqid, x.seq, agg.rank(x.seq, per=(x.session, x.reqid))) for x in self.listed)
        # chunk_list(S, R, collect<(Seq, C, Length, Holders)>) :- listed(S, R, Seq, C, Length, Holders), chunk_page(S, R, Seq) < Limit.
        self.chunk_list <= ((x.session, x.reqid, agg.collect((x.seq, x.chunk, x.length, x.holders)))
                            for x in self.listed for o in self.chunk_page for a in self.allowed
                            if o.session == x.session and o.reqid == x.reqid and o.seq == x.seq
                            and a.session == x.session and a.reqid == x.reqid and o.turn < a.args[1])
        # result(S, R, L) :- allowed(S, R, chunks), chunk_list(S, R, L).      (an empty file has the empty list)
        self.result <= ((a.session, a.reqid, self.chunk_list.get((a.session, a.reqid), (a.session, a.reqid, ())).chunks)
                        for a in self.allowed if a.op == "chunks")
        # result(S, R, Holders) :- allowed(S, R, locations, C), holders(C, Holders).
        self.result <= ((a.session, a.reqid, self.holders.get(a.args[0], (a.args[0], ())).nodes)
                        for a in self.allowed if a.op == "locations")

    @rule
    def member_lists(self) -> None:
        # member_list(S, R, collect<D, ...>) :- allowed(S, R, datanodes), datanode(D, ...), heard(D, ...).
        self.member_list <= ((a.session, a.reqid, agg.collect((d.node, d.data, d.host, h.free, h.used, h.seen)))
                             for a in self.allowed if a.op == "datanodes" for d in self.datanode for h in self.heard if h.node == d.node)
        self.result <= ((a.session, a.reqid, self.member_list.get((a.session, a.reqid), (a.session, a.reqid, ())).nodes)
                        for a in self.allowed if a.op == "datanodes")

    @rule
    def suspects(self) -> None:
        # command(@A, verify, C) @async :- allowed(S, R, suspect, C, D), datanode(D, A).      (the DataNode judges, not the reader)
        self.command <~ ((d.address, self.me, "verify", a.args[0], "", b.ballot) for a in self.allowed if a.op == "suspect"
                         for d in self.datanode if d.node == a.args[1] for b in self.leads)
        self.result <= ((a.session, a.reqid, ()) for a in self.allowed if a.op == "suspect")
