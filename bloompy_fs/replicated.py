# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""Several NameNodes as one: the same rules, with a replicated log in the place of the local one (BOOM Analytics, section 4).

All replicas apply the same decrees to the same state. All hear all DataNodes, so whoever takes over knows where the chunks are (a hot
standby). Only the leader answers, orders DataNodes about, and forgets sessions; the others pass requests on to it, once.

A read is answered from the state of the leader when it is known that it still led after the request came, and when all that was
decided until then is applied; nothing goes through the log.
"""

from bloompy import agg, channel, invariant, module, param, rule, scratch, table
from bloompy_fs.namenode import NameNode
from bloompy_fs.operations import READS
from bloompy_fs.sessions import OWN
from bloompy_paxos.multipaxos import MultiPaxos
from bloompy_paxos.snapshots import Snapshots

FOUND = "found"
UNKNOWN = -1


class ReplicatedNameNode(Snapshots, NameNode, state=("inode", "fchunk", "answered", "session", "waiting", "reached", "cluster")):
    """A replica of the NameNode.

    Params: those of `NameNode`, and of `MultiPaxos`: members, pulse_s, election_s, window, keep, lease_s. The `cluster_id` of
    whoever leads first counts.
    """

    members: tuple[str, ...] = param(())
    pulse_s = param(0.05)
    election_s = param(0.25)
    window = param(8)
    keep = param(1_000)
    lease_s = param(0.0)

    log = module(MultiPaxos, members=members, pulse_s=pulse_s, election_s=election_s, window=window, keep=keep, lease_s=lease_s)

    passed = channel("@nn: str, client: str, session: str, reqid: int -> acked: int, op: str, path: str, args: tuple")
    looking = table("session: str, reqid: int -> op: str, path: str, args: tuple, id: int, upto: int")
    look_now = scratch("session, reqid -> op, path, args, id, upto")
    confirmed = scratch("session, reqid -> op, path, args, id, upto")
    address = table("-> own: str", durable=True)
    founding = table("-> ballot: tuple")
    first_queued = scratch("-> index")

    @rule
    def lead(self) -> None:
        # leads(B) :- log.leading(B).
        self.leads <= ((x.ballot,) for x in self.log.leading)

    @rule
    def hear(self) -> None:
        # asked(C, S, R, ...) :- leads(), request(C, S, R, ...) or passed(C, S, R, ...).
        self.asked <= ((r.client, r.session, r.reqid, r.acked, r.op, r.path, r.args) for b in self.leads for r in self.request)
        self.asked <= ((r.client, r.session, r.reqid, r.acked, r.op, r.path, r.args) for b in self.leads for r in self.passed)
        # passed(@L, C, S, R, ...) @async :- request(C, S, R, ...), log.leader(L), not leads().
        self.passed <~ ((x.address, r.client, r.session, r.reqid, r.acked, r.op, r.path, r.args)
                        for r in self.request for x in self.log.leader
                        if x.address != self.me and not any(b for b in self.leads))

    @rule
    def through_the_log(self) -> None:
        # log.propose(S, R, (A, Op, ...)) :- proposal(S, R, A, Op, ...).
        self.log.propose <= ((p.session, p.reqid, (p.acked, p.op, p.path, p.args)) for p in self.proposal)
        # decided(I, S, R, A, Op, ...) :- log.decree(I, S, R, (A, Op, ...)).
        self.decided <= ((d.index, d.session, d.number, d.command[0], d.command[1], d.command[2], d.command[3], d.time)
                         for d in self.log.decree if len(d.command) == 4)
        # replacing() :- log.restoring().
        self.replacing <= ((x.no,) for x in self.log.restoring)

    @rule
    def reporting(self) -> None:
        # log.inquiry(No) :- status_request(_, No).      status(@C, Nn, No, ...) @async :- status_request(Nn, C, No), log.condition(...).
        self.log.inquiry <= ((m.no,) for m in self.status_request)
        self.status <~ ((m.client, m.nn, m.no, x.role, x.leader, x.ballot, x.decided, x.applied, x.first, x.members, x.peers)
                        for m in self.status_request for x in self.log.condition)

    @rule
    def begin(self) -> None:
        # epoch(N + 1) @next :- starting(), epoch(N).
        self.epoch <+- ((self.epoch.get((), (0,)).n + 1,) for s in self.starting)
        # address(me) @next :- starting(), not address(_).
        self.address <+ ((self.me,) for s in self.starting if not any(a for a in self.address))
        # proposal("", 0, "found", Id) :- leads(B), not cluster(_), not founding(B).
        self.proposal <= ((OWN, 0, 0, FOUND, "/", (self.cluster_id,)) for b in self.leads
                          if not any(c for c in self.cluster) and not any(f for f in self.founding if f.ballot == b.ballot))
        # founding(B) @next :- leads(B).
        self.founding <+- (b for b in self.leads if not any(f for f in self.founding if f.ballot == b.ballot))
        # cluster(Id) @next :- decree("found", Id), not cluster(_).
        self.cluster <+ ((d.args[0],) for d in self.decree if d.op == FOUND and not any(c for c in self.cluster))

    @invariant
    def a_store_belongs_to_one_address(self) -> None:
        (a for a in self.address if a.own != self.me)

    @rule
    def reads(self) -> None:
        # log.read(step) :- fresh(S, R, Op, ...), read(Op).
        self.log.read <= ((self.step,) for f in self.fresh if f.op in READS)
        # look_now(S, R, Op, ..., step, unknown) :- fresh(S, R, Op, ...), read(Op).
        # look_now(S, R, ...) :- looking(S, R, ...), not fresh(S, R).
        self.look_now <= ((f.session, f.reqid, f.op, f.path, f.args, self.step, UNKNOWN) for f in self.fresh if f.op in READS)
        self.look_now <= (k for k in self.looking if (k.session, k.reqid) not in self.fresh)
        # confirmed(S, R, ..., Last) :- look_now(S, R, ..., Id), log.readable(Id), Last is the last index decided.
        # confirmed(S, R, ..., Upto) :- look_now(S, R, ..., Upto), Upto is known.
        self.confirmed <= ((k.session, k.reqid, k.op, k.path, k.args, k.id,
                            max(self.reached.get((), (0,)).index, self.last.get((), (0,)).index))
                           for x in self.log.readable for k in self.look_now if k.id == x.id and k.upto == UNKNOWN)
        self.confirmed <= (k for k in self.look_now if k.upto != UNKNOWN)
        # ready_read(S, R, Op, ...) :- confirmed(S, R, Op, ..., Upto), not (queue(I), I <= Upto).
        self.first_queued <= (agg.min(q.index) for q in self.queue)
        self.ready_read <= ((k.session, k.reqid, k.op, k.path, k.args) for k in self.confirmed
                            if not any(q for q in self.first_queued if q.index <= k.upto))
        # looking(S, R, ...) @next :- confirmed(S, R, ...), not ready_read(S, R).
        # looking(S, R, ..., step) @next :- look_now(S, R, ..., step), not confirmed(S, R).
        self.looking <+- (k for k in self.confirmed if (k.session, k.reqid) not in self.ready_read
                          and not any(x for x in self.looking if x.session == k.session and x.reqid == k.reqid and x.upto == k.upto))
        self.looking <+- (k for k in self.look_now if k.id == self.step and (k.session, k.reqid) not in self.confirmed)
        # del looking(S, R) @next :- ready_read(S, R); not leads(); not owed(S, R).
        self.looking <- ((k.session, k.reqid) for k in self.looking if (k.session, k.reqid) in self.ready_read)
        self.looking <- ((k.session, k.reqid) for k in self.looking if not any(b for b in self.leads))
        self.looking <- ((k.session, k.reqid) for k in self.looking
                         if not any(o for o in self.owed if o.session == k.session and o.reqid == k.reqid))
