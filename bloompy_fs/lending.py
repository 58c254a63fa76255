# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""Chunks of files that moved: each has a home, the partition that gave it its number, and may be owned elsewhere.

DataNodes report to all partitions. That a chunk is of no file, and may be deleted, only its home can tell: it knows which of its
chunks it has lent to others. Who removes a file with a chunk of another partition gives the chunk back: it says so until the home
has written down, by a decree, that it is lent no more. A chunk dies once, so what is repeated or late does no harm.
A chunk that came from elsewhere is trimmed by nobody for some time: the orders of its last owner may still be under way.
"""

from bloompy import channel, rule, scratch, table
from bloompy_fs.partitioning import RETURNED
from bloompy_fs.placement import home_of
from bloompy_fs.transactions import Transactions


class Lending(Transactions):
    """Lent chunks, and those to give back."""

    returning = table("chunk: int", durable=True)

    returns = channel("@address: str, partition: int, chunk: int")
    returned = channel("@address: str, chunk: int")

    lends = scratch("chunk")
    comes = scratch("chunk")
    dropped = scratch("chunk")
    taken_back = scratch("chunk -> borrower")

    @rule
    def lend(self) -> None:
        # lends(C) :- given(F), fchunk(F, Seq, C), home(C) is this partition.
        self.lends <= ((c.chunk,) for g in self.given for c in self.fchunk
                       if c.fid == g.fid and home_of(c.chunk, len(self.partitions)) == self.partition)
        self.lent <+ self.lends
        # comes(C) :- cargo(S, R, F, Chunks), C in Chunks.
        self.comes <= ((chunk,) for c in self.cargo for seq, chunk, length in c.chunks)
        # del lent(C) @next :- comes(C).
        self.lent <- ((c.chunk,) for c in self.comes)
        # unsettled(C, now) @next :- comes(C).
        self.unsettled <+- ((c.chunk, self.now) for c in self.comes)
        # del unsettled(C) @next :- repair(Now), unsettled(C, Since), Now - Since > Timeout or not owner(C).
        self.unsettled <- ((u.chunk,) for t in self.repair for u in self.unsettled
                           if t.time - u.since > self.order_timeout_s or u.chunk not in self.owner)

    @rule
    def drop(self) -> None:
        # dropped(C) :- removed(F) or replaced(F), not given(F), fchunk(F, Seq, C).
        self.dropped <= ((c.chunk,) for r in self.removed for c in self.fchunk if c.fid == r.fid and r.fid not in self.given)
        self.dropped <= ((c.chunk,) for r in self.replaced for c in self.fchunk if c.fid == r.fid)
        # dropped(C) :- allowed(S, R, abandon, C).
        self.dropped <= ((a.args[0],) for a in self.allowed if a.op == "abandon")
        # returning(C) @next :- dropped(C), home(C) is another partition.
        self.returning <+ ((d.chunk,) for d in self.dropped if home_of(d.chunk, len(self.partitions)) != self.partition)

    @rule
    def give_back(self) -> None:
        # returns(@A, me, C) @async :- retry(), returning(C), home(C) = P, member(P, A), leads().
        self.returns <~ ((address, self.partition, r.chunk) for t in self.retry for r in self.returning for x in self.leads
                         for address in self.partitions[home_of(r.chunk, len(self.partitions))])
        # proposal(returned, C, Borrower) :- returns(Borrower, C), home(C) is this partition, not owner(C), leads().
        # (An owner here has not yet heard that it gave the chunk away.)
        self.proposal <= ((RETURNED, r.chunk, 0, "returned", "/", (r.partition,)) for r in self.returns for x in self.leads
                          if r.chunk not in self.owner and home_of(r.chunk, len(self.partitions)) == self.partition
                          and 0 <= r.partition < len(self.partitions))
        # taken_back(C, Borrower) :- decree(returned, C, Borrower), not owner(C).
        self.taken_back <= ((d.reqid, d.args[0]) for d in self.decree if d.session == RETURNED and d.op == "returned"
                            and d.reqid not in self.owner)
        # del lent(C) @next :- taken_back(C).
        self.lent <- ((b.chunk,) for b in self.taken_back)
        # returned(@A, C) @async :- taken_back(C, P), member(P, A), leads().
        self.returned <~ ((address, b.chunk) for b in self.taken_back for x in self.leads for address in self.partitions[b.borrower])
        # proposal(returned, C, "end") :- returned(C), returning(C), leads().
        self.proposal <= ((RETURNED, r.chunk, 0, "end", "/", ()) for r in self.returned for x in self.leads if r.chunk in self.returning)
        # del returning(C) @next :- decree(returned, C, "end").
        self.returning <- ((d.reqid,) for d in self.decree if d.session == RETURNED and d.op == "end")
