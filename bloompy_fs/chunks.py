# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""Files as sequences of chunks, and where each chunk is (BOOM-FS, EuroSys 2010, section 3.1; spec B.1).

A writer asks for a chunk (`addchunk`), sends its bytes to the DataNodes named, and commits it with its length and the DataNodes
that stored it. Readers see committed chunks only. So the size of a file is metadata of its own: nobody waits for reports, as
BOOM's chunk list did (for ever, if a chunk was lost).
"""

from bloompy import agg, channel, param, rule, scratch, table
from bloompy_fs.heartbeats import Membership
from bloompy_fs.namespace import Namespace
from bloompy_fs.placement import spread

WRITING = -1
ON_CHUNKS = frozenset({"commit", "abandon", "locations", "suspect"})


class Chunks(Namespace, Membership):
    """addchunk, commit, abandon, chunks, locations, suspect."""

    fchunk = table("fid: int, seq: int -> chunk: int, length: int", durable=True)
    owner = scratch("chunk -> fid, seq, length")
    last_seq = scratch("fid -> seq")
    condemned = table("node: str, chunk: int -> since: float")
    hold = scratch("chunk, node -> data, host")

    choice = scratch("session, reqid, place, node, data")
    chain = scratch("session, reqid -> nodes")
    claimed = scratch("node, chunk -> length")
    listed = scratch("session, reqid, seq, chunk -> length, holders")
    chunk_page = scratch("session, reqid, seq -> turn")
    chunk_list = scratch("session, reqid -> chunks")
    holders = scratch("chunk -> nodes")

    reserve_bytes = param(64 * 1024 * 1024)

    member_list = scratch("session, reqid -> nodes")

    command = channel("@address: str, nn: str, kind: str, chunk: int, target: str")

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
        # choice(S, R, rank<Far, spread>, D) :- attempt(S, R, addchunk, Host, Excluded), datanode(D), roomy(D), not Excluded(D).
        # A DataNode on the writer's own machine comes first.
        self.choice <= ((a.session, a.reqid, agg.rank((d.host != a.args[0], spread(a.index, d.node), d.node), per=(a.session, a.reqid)),
                         d.node, d.data)
                        for a in self.attempt if a.op == "addchunk"
                        for d in self.datanode if d.node not in a.args[1]
                        for h in self.heard if h.node == d.node and h.free > self.reserve_bytes)
        # fault(S, R, 5, "EAGAIN") :- attempt(S, R, addchunk), not choice(S, R).
        self.fault <= ((a.session, a.reqid, 5, "EAGAIN") for a in self.attempt if a.op == "addchunk"
                       and not any(c for c in self.choice if c.session == a.session and c.reqid == a.reqid))
        # chain(S, R, collect<D>) :- allowed(S, R, addchunk, P), choice(S, R, Place, D), Place < replication(P).
        self.chain <= ((a.session, a.reqid, agg.collect((c.place, c.node, c.data)))
                       for a in self.allowed if a.op == "addchunk"
                       for p in self.fqpath if p.path == a.path for b in self.by_id if b.fid == p.fid
                       for c in self.choice if c.session == a.session and c.reqid == a.reqid and c.place < b.replication)
        # fchunk(F, Seq + 1, I, -1) @next :- allowed(S, R, I, addchunk, P), fqpath(P, F), last_seq(F, Seq).
        self.fchunk <+ ((p.fid, self.last_seq.get(p.fid, (p.fid, -1)).seq + 1, a.index, WRITING)
                        for a in self.allowed if a.op == "addchunk" for p in self.fqpath if p.path == a.path)
        # result(S, R, (I, Chain)) :- allowed(S, R, I, addchunk), chain(S, R, Chain).
        self.result <= ((a.session, a.reqid, (a.index, tuple((node, data) for place, node, data in c.nodes)))
                        for a in self.allowed for c in self.chain if a.op == "addchunk"
                        and c.session == a.session and c.reqid == a.reqid)

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
        # hb_chunk(D, C, Length, "ok") @next :- claimed(D, C, Length), not hb_chunk(D, C), not told(D, C), not joins(D).
        self.hb_chunk <+ ((c.node, c.chunk, c.length, "ok") for c in self.claimed
                          if (c.node, c.chunk) not in self.hb_chunk and (c.node, c.chunk) not in self.told and c.node not in self.joins)
        self.result <= ((a.session, a.reqid, ()) for a in self.allowed if a.op == "commit")

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
    def members(self) -> None:
        # member_list(S, R, collect<D, ...>) :- allowed(S, R, datanodes), datanode(D, ...), heard(D, ...).
        self.member_list <= ((a.session, a.reqid, agg.collect((d.node, d.data, d.host, h.free, h.used, h.seen)))
                             for a in self.allowed if a.op == "datanodes" for d in self.datanode for h in self.heard if h.node == d.node)
        self.result <= ((a.session, a.reqid, self.member_list.get((a.session, a.reqid), (a.session, a.reqid, ())).nodes)
                        for a in self.allowed if a.op == "datanodes")

    @rule
    def suspects(self) -> None:
        # command(@A, verify, C) @async :- allowed(S, R, suspect, C, D), datanode(D, A).      (the DataNode judges, not the reader)
        self.command <~ ((d.address, self.me, "verify", a.args[0], "") for a in self.allowed if a.op == "suspect"
                         for d in self.datanode if d.node == a.args[1])
        self.result <= ((a.session, a.reqid, ()) for a in self.allowed if a.op == "suspect")
