# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""Names in several partitions: which of them a request belongs to (BOOM-FS, EuroSys 2010, section 3.4; spec B.1).

Every directory is on all partitions, so that each resolves paths by itself. The files of a directory are together, with their
chunks, on one partition, which follows from the directory's number: `ls`, `create` and all that is done to a file stay there, and
to rename a directory moves no file. (BOOM hashed whole paths, and by two different functions.)

A request that came to the wrong partition is answered "EREMOTE" with the right one, and changes nothing under this number, even if
it comes again: the client asks there under another. What a request belongs to is found when it is applied, as everything is.
What changes a directory, and a rename of a file from one partition to another, belongs to all partitions or to two: the
coordinator, partition 0, carries it out in a transaction (`transactions`).
"""

from bloompy import agg, invariant, rule, scratch, table
from bloompy_fs.namenode import NameNode
from bloompy_fs.operations import OWN_SESSIONS, WRITES
from bloompy_fs.paths import ancestors, join, name_of, parent_of
from bloompy_fs.placement import COORDINATOR, partition_of
from bloompy_fs.protocol import REMOTE

TRANSACTIONS = "transactions"
"""The session of what partitions propose of transactions."""
RETURNED = "returned"
"""The session of what they propose of chunks given back."""
FORGET = "forget"
"""Session and name of the proposal to forget transactions that have ended."""
ANYWHERE = frozenset({"datanodes", "health"})


def above(path: str) -> tuple[str, ...]:
    """The directories that may say what stands at a path, from "/" down; of "/" itself it is the only one."""
    return ancestors(path) or ("/",)


class Partitioning(NameNode):
    """Where requests belong.

    Params:
        partition: number of this partition, from 0. partitions: addresses of the members of each, in the order of their numbers.
    """

    lock = scratch("path, index")
    lock_in = scratch("directory")
    peek = scratch("session, reqid -> op, path, args")
    barred = scratch("session, reqid")
    delayed = table("session: str, reqid: int -> op: str, path: str, args: tuple")

    coming = scratch("session, reqid -> index, op, path, args, time")
    aim = scratch("session, reqid -> path")
    nearest = scratch("session, reqid -> directory, partition")
    goal_nearest = scratch("session, reqid -> partition")
    on_directory = scratch("session, reqid -> fid")
    whole = scratch("session, reqid")
    crossing = scratch("session, reqid")
    site = scratch("session, reqid -> partition, directory")
    trial = scratch("session, reqid -> tx, index, op, path, args, time")
    here = scratch("-> partition, alone")

    @rule
    def look_later(self) -> None:
        # lock_in(D) :- lock(P), parent(P) = D.
        self.lock_in <= ((parent_of(k.path),) for k in self.lock)
        # peek(S, R, ...) :- ready_read(S, R, ...); delayed(S, R, ...).
        self.peek <= self.ready_read
        self.peek <= self.delayed
        # barred(S, R) :- peek(S, R, P), lock(A), A in ancestors(P) or A = P.
        self.barred <= ((r.session, r.reqid) for r in self.peek for over in (*ancestors(r.path), r.path)
                        for k in self.lock if k.path == over)
        # barred(S, R) :- peek(S, R, "ls", D), lock_in(D).
        self.barred <= ((r.session, r.reqid) for r in self.peek if r.op == "ls" and r.path in self.lock_in)
        # delayed(S, R, ...) @next :- peek(S, R, ...), barred(S, R).
        self.delayed <+ (r for r in self.peek if (r.session, r.reqid) in self.barred)
        self.delayed <- ((d.session, d.reqid) for d in self.delayed if (d.session, d.reqid) not in self.barred)

    @rule
    def come(self) -> None:
        # coming(S, R, I * Partitions + Partition, ...) :- decree(I, S, R, ...), write, not answered(S, R), not stale(S, R).
        self.coming <= ((d.session, d.reqid, d.index * len(self.partitions) + self.partition, d.op, d.path, d.args, d.time)
                        for d in self.decree if d.op in WRITES and d.session not in OWN_SESSIONS
                        and (d.session, d.reqid) not in self.answered and (d.session, d.reqid) not in self.stale)
        # coming(S, R, 0, ...) :- peek(S, R, ...), not barred(S, R), not decree(S, R).      (a number stands for one request)
        self.coming <= ((r.session, r.reqid, 0, r.op, r.path, r.args, self.now) for r in self.peek
                        if (r.session, r.reqid) not in self.barred
                        and not any(d for d in self.decree if d.session == r.session and d.reqid == r.reqid))

    @rule
    def route(self) -> None:
        # nearest(S, R, A, Partition of F) :- coming(S, R, P), the longest A above P with fqpath(A, F), dir(F).
        deepest = ((c.session, c.reqid, agg.max((len(p.path), p.path, p.fid))) for c in self.coming for over in above(c.path)
                   for p in self.fqpath if p.path == over and p.is_dir)
        self.nearest <= ((session, reqid, found[1], partition_of(found[2], len(self.partitions))) for session, reqid, found in deepest)
        # on_directory(S, R, F) :- coming(S, R, P), fqpath(P, F), dir(F).
        self.on_directory <= ((c.session, c.reqid, p.fid) for c in self.coming for p in self.fqpath if p.path == c.path and p.is_dir)
        # aim(S, R, T) :- coming(S, R, rename, P, T, Into): T/name(P) when Into and T is a directory, else T.
        self.aim <= ((c.session, c.reqid, join(c.args[0], name_of(c.path)) if c.args[1] and any(
                      p.is_dir for p in self.fqpath if p.path == c.args[0]) else c.args[0])
                     for c in self.coming if c.op == "rename")
        # goal_nearest(S, R, Partition of F) :- aim(S, R, T), the longest A above T with fqpath(A, F), dir(F).
        deepest_goal = ((a.session, a.reqid, agg.max((len(p.path), p.fid))) for a in self.aim for over in above(a.path)
                        for p in self.fqpath if p.path == over and p.is_dir)
        self.goal_nearest <= ((session, reqid, partition_of(found[1], len(self.partitions))) for session, reqid, found in deepest_goal)

    @rule
    def spread_requests(self) -> None:
        # whole(S, R) :- coming(S, R, mkdir, P), dir(parent(P)); coming(S, R, rm, P), dir(P).      (all partitions have directories)
        several = (c for c in self.coming if len(self.partitions) > 1)
        self.whole <= ((c.session, c.reqid) for c in several if c.op == "mkdir"
                       and any(p.is_dir for p in self.fqpath if p.path == parent_of(c.path)))
        self.whole <= ((c.session, c.reqid) for c in several if c.op == "rm" and (c.session, c.reqid) in self.on_directory)
        # whole(S, R) :- aim(S, R, T), coming(S, R, rename, P), dir(P), dir(parent(T)).
        self.whole <= ((a.session, a.reqid) for a in self.aim if len(self.partitions) > 1 and (a.session, a.reqid) in self.on_directory
                       and any(p.is_dir for p in self.fqpath if p.path == parent_of(a.path)))
        # crossing(S, R) :- coming(S, R, rename, P), not dir(P), nearest(S, R, A), goal_nearest(S, R, B), A != B.
        self.crossing <= ((h.session, h.reqid) for h in self.nearest for g in self.goal_nearest
                          if g.session == h.session and g.reqid == h.reqid and g.partition != h.partition
                          and (h.session, h.reqid) not in self.on_directory)

    @rule
    def place_requests(self) -> None:
        # site(S, R, 0) :- whole(S, R); crossing(S, R).
        self.site <= ((w.session, w.reqid, COORDINATOR, "") for w in self.whole)
        self.site <= ((x.session, x.reqid, COORDINATOR, "") for x in self.crossing)
        # site(S, R, Partition of F) :- coming(S, R, ls, P), on_directory(S, R, F).
        self.site <= ((c.session, c.reqid, partition_of(d.fid, len(self.partitions)), c.path)
                      for c in self.coming for d in self.on_directory
                      if c.op == "ls" and d.session == c.session and d.reqid == c.reqid)
        # site(S, R, B) :- aim(S, R), on_directory(S, R), not whole(S, R), goal_nearest(S, R, B).      (it fails, and there they know how)
        self.site <= ((g.session, g.reqid, g.partition, "") for g in self.goal_nearest
                      if (g.session, g.reqid) in self.on_directory and (g.session, g.reqid) not in self.whole)
        # site(S, R, me) :- coming(S, R, Op), Op is answered by any partition.
        self.site <= ((c.session, c.reqid, self.partition, "") for c in self.coming if c.op in ANYWHERE)
        # site(S, R, A) :- nearest(S, R, A), none of these.
        self.site <= ((c.session, c.reqid, h.partition, h.directory) for c in self.coming for h in self.nearest
                      if h.session == c.session and h.reqid == c.reqid and c.op not in ANYWHERE
                      and (c.session, c.reqid) not in self.whole and (c.session, c.reqid) not in self.crossing
                      and not (c.op in ("ls", "rename") and (c.session, c.reqid) in self.on_directory))

    @rule
    def attempts(self) -> None:
        # stale(S, R) :- decree(S, R), session(S, A), R < A.      (it was applied and forgotten, or its client has given it up)
        self.stale <= ((d.session, d.reqid) for d in self.decree for s in self.session if s.session == d.session and d.reqid < s.acked)
        # attempt(S, R, ...) :- coming(S, R, ...), site(S, R, me), not whole(S, R), not crossing(S, R).
        self.attempt <= (c for c in self.coming for x in self.site if x.session == c.session and x.reqid == c.reqid
                         and x.partition == self.partition
                         and (c.session, c.reqid) not in self.whole and (c.session, c.reqid) not in self.crossing)
        # allowed(S, R, ...) :- attempt(S, R, ...), not fault(S, R), not trial(S, R).
        self.allowed <= (a for a in self.attempt if not any(f for f in self.fault if f.session == a.session and f.reqid == a.reqid)
                         and (a.session, a.reqid) not in self.trial)

    @rule
    def send_away(self) -> None:
        # verdict(S, R, "EREMOTE", (X, D)) :- site(S, R, X, D), X is not this partition.
        self.verdict <= ((x.session, x.reqid, REMOTE, (x.partition, x.directory)) for x in self.site if x.partition != self.partition)
        # answered(S, R, "EREMOTE", (X, D)) @next :- the same, of a write.      (it is never to be applied here)
        self.answered <+ ((x.session, x.reqid, REMOTE, (x.partition, x.directory)) for x in self.site for c in self.coming
                          if x.partition != self.partition and c.session == x.session and c.reqid == x.reqid and c.index)

    @rule
    def belong(self) -> None:
        # here(me, one member) :- the parameters.
        self.here <= [(self.partition, len(self.partitions[self.partition]) == 1)]

    @invariant
    def files_lie_at_their_directory(self) -> None:
        """No file on another partition than that of its directory."""
        (i for i in self.inode if not i.is_dir and partition_of(i.parent, len(self.partitions)) != self.partition)
