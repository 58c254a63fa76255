# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""The name space: inodes, their paths as a recursive view, and the operations on them (BOOM-FS, EuroSys 2010, section 3.1).

An inode is found by (parent, name), which makes a name unique in its directory; BOOM keyed it by id and could hold two files
of one name. Ids are indexes of the log: unique, and equal on all replicas. The root is no row: it is there by a rule.
"""

from bloompy import agg, rule, scratch, table
from bloompy_fs.paths import ancestors, is_under, join, name_of, parent_of
from bloompy_fs.sessions import Sessions

ROOT = 0
ROOT_PARENT = -1

ON_EXISTING = frozenset({"rm", "rename", "ls", "stat", "addchunk", "commit", "abandon", "chunks", "locations", "suspect"})
ON_FILES = frozenset({"addchunk", "commit", "abandon", "chunks", "locations", "suspect"})
MAKING = frozenset({"create", "mkdir"})


class Namespace(Sessions):
    """create, mkdir, rm, rename, ls, stat, exists."""

    inode = table("parent: int, name: str -> fid: int, is_dir: bool, replication: int, time: float", durable=True)
    fqpath = scratch("path -> fid, is_dir")
    by_id = scratch("fid -> parent, name, is_dir, replication, time")
    fsize = scratch("fid -> size")

    goal = scratch("session, reqid -> path, origin, replace")
    removed = scratch("fid")
    replaced = scratch("fid")
    page = scratch("session, reqid, parent, name, turn, limit")
    entry = scratch("session, reqid, name, fid, is_dir, size, replication, time")
    listing = scratch("session, reqid -> entries")

    @rule
    def paths(self) -> None:
        # fqpath("/", 0).
        self.fqpath <= [("/", ROOT, True)]
        # fqpath(P + "/" + N, F) :- fqpath(P, D), inode(D, N, F).
        self.fqpath <= ((join(p.path, i.name), i.fid, i.is_dir) for p in self.fqpath for i in self.inode if i.parent == p.fid)
        # by_id(F, D, N, ...) :- inode(D, N, F, ...).
        self.by_id <= [(ROOT, ROOT_PARENT, "", True, 0, 0.0)]
        self.by_id <= ((i.fid, i.parent, i.name, i.is_dir, i.replication, i.time) for i in self.inode)

    @rule
    def faults_of_paths(self) -> None:
        # fault(S, R, 2, "ENOTDIR") :- attempt(S, R, P), A in ancestors(P), fqpath(A, F), not dir(F).
        self.fault <= ((a.session, a.reqid, 2, "ENOTDIR") for a in self.attempt if a.op != "exists"
                       for above in ancestors(a.path) for p in self.fqpath if p.path == above and not p.is_dir)
        # fault(S, R, 3, "ENOENT") :- attempt(S, R, P), not fqpath(P).
        self.fault <= ((a.session, a.reqid, 3, "ENOENT") for a in self.attempt if a.op in ON_EXISTING and a.path not in self.fqpath)
        # fault(S, R, 4, "EISDIR") :- attempt(S, R, P), fqpath(P, F), dir(F), the operation is on files.
        self.fault <= ((a.session, a.reqid, 4, "EISDIR") for a in self.attempt if a.op in ON_FILES
                       for p in self.fqpath if p.path == a.path and p.is_dir)
        # fault(S, R, 4, "ENOTDIR") :- attempt(S, R, "ls", P), fqpath(P, F), not dir(F).
        self.fault <= ((a.session, a.reqid, 4, "ENOTDIR") for a in self.attempt if a.op == "ls"
                       for p in self.fqpath if p.path == a.path and not p.is_dir)

    @rule
    def make(self) -> None:
        # fault(S, R, 3, "EEXIST") :- attempt(S, R, create or mkdir, P), fqpath(P).
        self.fault <= ((a.session, a.reqid, 3, "EEXIST") for a in self.attempt if a.op in MAKING and a.path in self.fqpath)
        # fault(S, R, 3, "ENOENT") :- attempt(S, R, create or mkdir, P), not fqpath(parent(P)).
        self.fault <= ((a.session, a.reqid, 3, "ENOENT") for a in self.attempt
                       if a.op in MAKING and parent_of(a.path) not in self.fqpath)
        # inode(D, N, I, ...) @next :- allowed(S, R, I, create or mkdir, P), fqpath(parent(P), D), name(P) = N.
        self.inode <+ ((p.fid, name_of(a.path), a.index, False, a.args[0], a.time) for a in self.allowed if a.op == "create"
                       for p in self.fqpath if p.path == parent_of(a.path))
        self.inode <+ ((p.fid, name_of(a.path), a.index, True, 0, a.time) for a in self.allowed if a.op == "mkdir"
                       for p in self.fqpath if p.path == parent_of(a.path))
        # result(S, R, I) :- allowed(S, R, I, create or mkdir).
        self.result <= ((a.session, a.reqid, (a.index,)) for a in self.allowed if a.op in MAKING)

    @rule
    def remove(self) -> None:
        # fault(S, R, 4, "EBUSY") :- attempt(S, R, rm, "/").
        self.fault <= ((a.session, a.reqid, 4, "EBUSY") for a in self.attempt if a.op == "rm" and a.path == "/")
        # fault(S, R, 5, "ENOTEMPTY") :- attempt(S, R, rm, P, not recursive), fqpath(P, D), inode(D).
        self.fault <= ((a.session, a.reqid, 5, "ENOTEMPTY") for a in self.attempt if a.op == "rm" and not a.args[0]
                       for p in self.fqpath if p.path == a.path and any(i for i in self.inode if i.parent == p.fid))
        # removed(F) :- allowed(S, R, rm, P), fqpath(P, F).
        self.removed <= ((p.fid,) for a in self.allowed if a.op == "rm" for p in self.fqpath if p.path == a.path)
        # removed(F) :- removed(D), inode(D, N, F).
        self.removed <= ((i.fid,) for r in self.removed for i in self.inode if i.parent == r.fid)
        # del inode(D, N) @next :- removed(F), by_id(F, D, N).
        self.inode <- ((b.parent, b.name) for r in self.removed for b in self.by_id if b.fid == r.fid and (b.parent, b.name) in self.inode)
        self.result <= ((a.session, a.reqid, ()) for a in self.allowed if a.op == "rm")

    @rule
    def rename(self) -> None:
        # goal(S, R, T, P) :- attempt(S, R, rename, P, T, Into): T/name(P) when Into and T is a directory, else T.
        self.goal <= ((a.session, a.reqid, join(a.args[0], name_of(a.path)), a.path, a.args[2]) for a in self.attempt
                      if a.op == "rename" and a.args[1] and any(p.is_dir for p in self.fqpath if p.path == a.args[0]))
        self.goal <= ((a.session, a.reqid, a.args[0], a.path, a.args[2]) for a in self.attempt
                      if a.op == "rename" and not (a.args[1] and any(p.is_dir for p in self.fqpath if p.path == a.args[0])))
        # fault(S, R, 4, "EBUSY") :- goal(S, R, T, "/").
        self.fault <= ((g.session, g.reqid, 4, "EBUSY") for g in self.goal if g.origin == "/")
        # fault(S, R, 5, "EINVAL") :- goal(S, R, T, P), T lies under P.
        self.fault <= ((g.session, g.reqid, 5, "EINVAL") for g in self.goal if is_under(g.path, g.origin))
        # fault(S, R, 6, "ENOTDIR") :- goal(S, R, T), A in ancestors(T), fqpath(A, F), not dir(F).
        self.fault <= ((g.session, g.reqid, 6, "ENOTDIR") for g in self.goal for above in ancestors(g.path)
                       for p in self.fqpath if p.path == above and not p.is_dir)
        # fault(S, R, 7, "ENOENT") :- goal(S, R, T), not fqpath(parent(T)).
        self.fault <= ((g.session, g.reqid, 7, "ENOENT") for g in self.goal if parent_of(g.path) not in self.fqpath)
        # fault(S, R, 8, "EEXIST") :- goal(S, R, T, P, Replace), T != P, fqpath(T), not (Replace and both are files).
        self.fault <= ((g.session, g.reqid, 8, "EEXIST") for g in self.goal for t in self.fqpath for p in self.fqpath
                       if t.path == g.path and p.path == g.origin and g.path != g.origin
                       and not (g.replace and not t.is_dir and not p.is_dir))

        # Below, moves: allowed renames that change something.
        # replaced(F) :- moves(S, R, P, T), fqpath(T, F).
        moves = ((a.session, a.reqid, a.path, g.path) for a in self.allowed for g in self.goal
                 if g.session == a.session and g.reqid == a.reqid and g.path != a.path)
        self.replaced <= ((t.fid,) for session, reqid, origin, path in moves for t in self.fqpath if t.path == path)
        # del inode(D, N) @next :- moves(S, R, P, T), fqpath(P, F), by_id(F, D, N).
        self.inode <- ((b.parent, b.name) for session, reqid, origin, path in moves for p in self.fqpath for b in self.by_id
                       if p.path == origin and b.fid == p.fid)
        # inode(D, name(T), F, ...) @next :- moves(S, R, P, T), fqpath(P, F), by_id(F, ...), fqpath(parent(T), D).
        self.inode <+- ((d.fid, name_of(path), b.fid, b.is_dir, b.replication, b.time) for session, reqid, origin, path in moves
                        for p in self.fqpath for b in self.by_id for d in self.fqpath
                        if p.path == origin and b.fid == p.fid and d.path == parent_of(path))
        # result(S, R, T) :- allowed(S, R, rename), goal(S, R, T).
        self.result <= ((a.session, a.reqid, (g.path,)) for a in self.allowed for g in self.goal
                        if g.session == a.session and g.reqid == a.reqid)

    @rule
    def look(self) -> None:
        # page(S, R, D, N, rank<N>) :- allowed(S, R, ls, P, After), fqpath(P, D), inode(D, N), N > After.
        self.page <= ((a.session, a.reqid, p.fid, i.name, agg.rank(i.name, per=(a.session, a.reqid)), a.args[1])
                      for a in self.allowed if a.op == "ls" for p in self.fqpath if p.path == a.path
                      for i in self.inode if i.parent == p.fid and i.name > a.args[0])
        # entry(S, R, N, F, ...) :- page(S, R, D, N, Turn), Turn < Limit, inode(D, N, F, ...).
        self.entry <= ((o.session, o.reqid, i.name, i.fid, i.is_dir, self.fsize.get(i.fid, (i.fid, 0)).size, i.replication, i.time)
                       for o in self.page if o.turn < o.limit
                       for i in self.inode if i.parent == o.parent and i.name == o.name)
        # listing(S, R, collect<entry>) :- entry(S, R, ...).
        self.listing <= ((e.session, e.reqid, agg.collect((e.name, e.fid, e.is_dir, e.size, e.replication, e.time))) for e in self.entry)
        # result(S, R, L) :- allowed(S, R, ls), listing(S, R, L).      (an empty directory has the empty listing)
        self.result <= ((a.session, a.reqid, self.listing.get((a.session, a.reqid), (a.session, a.reqid, ())).entries)
                        for a in self.allowed if a.op == "ls")
        # result(S, R, (F, Dir, Size, Rep, Time)) :- allowed(S, R, stat, P), fqpath(P, F), by_id(F, ...).
        self.result <= ((a.session, a.reqid, (b.fid, b.is_dir, self.fsize.get(b.fid, (b.fid, 0)).size, b.replication, b.time))
                        for a in self.allowed if a.op == "stat"
                        for p in self.fqpath if p.path == a.path for b in self.by_id if b.fid == p.fid)
        # result(S, R, fqpath(P)) :- allowed(S, R, exists, P).
        self.result <= ((a.session, a.reqid, (a.path in self.fqpath,)) for a in self.allowed if a.op == "exists")
