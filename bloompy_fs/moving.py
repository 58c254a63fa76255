# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""A file that goes to another partition: `give` at the one that has it, `take` at the other, both parts of one transaction.

To the name space they are a removal and a making; the inode and the chunks travel as the vote of the first (spec B.2).
"""

from bloompy import agg, rule, scratch
from bloompy_fs.partitioning import Partitioning
from bloompy_fs.paths import name_of, parent_of


class Moving(Partitioning):
    """give(path; new path), take(new path; path, replace)."""

    given_chunks = scratch("fid -> rows")
    given = scratch("fid")
    cargo = scratch("session, reqid -> fid, replication, time, chunks")

    @rule
    def faults_of_moves(self) -> None:
        # fault(S, R, 3, "ENOENT") :- attempt(S, R, give, P), not fqpath(P).
        self.fault <= ((a.session, a.reqid, 3, "ENOENT") for a in self.attempt if a.op == "give" and a.path not in self.fqpath)
        # fault(S, R, 7, "ENOENT") :- attempt(S, R, take, T), not fqpath(parent(T)).
        self.fault <= ((a.session, a.reqid, 7, "ENOENT") for a in self.attempt if a.op == "take" and parent_of(a.path) not in self.fqpath)
        # fault(S, R, 8, "EEXIST") :- attempt(S, R, take, T, P, Replace), fqpath(T), not (Replace and T is a file).
        self.fault <= ((a.session, a.reqid, 8, "EEXIST") for a in self.attempt if a.op == "take"
                       for p in self.fqpath if p.path == a.path and not (a.args[1] and not p.is_dir))

    @rule
    def pack(self) -> None:
        # given_chunks(F, collect<Seq, C, Length>) :- trial(S, R, give, P), fqpath(P, F), fchunk(F, Seq, C, Length).
        self.given_chunks <= ((p.fid, agg.collect((c.seq, c.chunk, c.length))) for t in self.trial if t.op == "give"
                              for p in self.fqpath if p.path == t.path for c in self.fchunk if c.fid == p.fid)
        # result(S, R, (F, Rep, Time, Chunks)) :- trial(S, R, give, P), fqpath(P, F), by_id(F, Rep, Time), given_chunks(F, Chunks).
        self.result <= ((t.session, t.reqid, (b.fid, b.replication, b.time, self.given_chunks.get(b.fid, (b.fid, ())).rows))
                        for t in self.trial if t.op == "give"
                        for p in self.fqpath if p.path == t.path for b in self.by_id if b.fid == p.fid)

    @rule
    def give(self) -> None:
        # given(F), removed(F) :- allowed(S, R, give, P), fqpath(P, F).
        self.given <= ((p.fid,) for a in self.allowed if a.op == "give" for p in self.fqpath if p.path == a.path)
        self.removed <= self.given
        self.result <= ((a.session, a.reqid, ()) for a in self.allowed if a.op == "give")

    @rule
    def take(self) -> None:
        # replaced(F) :- allowed(S, R, take, T), fqpath(T, F).
        self.replaced <= ((p.fid,) for a in self.allowed if a.op == "take" for p in self.fqpath if p.path == a.path)
        # inode(D, name(T), F, ...) @next :- allowed(S, R, take, T), fqpath(parent(T), D), cargo(S, R, F, ...).
        self.inode <+- ((p.fid, name_of(a.path), c.fid, False, c.replication, c.time)
                        for a in self.allowed if a.op == "take" for p in self.fqpath if p.path == parent_of(a.path)
                        for c in self.cargo if c.session == a.session and c.reqid == a.reqid)
        # fchunk(F, Seq, C, Length) @next :- allowed(S, R, take), cargo(S, R, F, Chunks), (Seq, C, Length) in Chunks.
        self.fchunk <+ ((c.fid, seq, chunk, length) for a in self.allowed if a.op == "take"
                        for c in self.cargo if c.session == a.session and c.reqid == a.reqid for seq, chunk, length in c.chunks)
        self.result <= ((a.session, a.reqid, ()) for a in self.allowed if a.op == "take")
