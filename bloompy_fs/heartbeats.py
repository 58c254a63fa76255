# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""DataNodes: who is alive, what each holds (BOOM-FS, EuroSys 2010, section 3.1; spec B.2).

A DataNode beats; what it holds it reports in pieces, each repeated until it is acknowledged. Liveness is by the NameNode's own
clock (BOOM compared two). A DataNode that is new, has restarted, was given up or meets a restarted NameNode gets a new
registration; what it reported under another one counts as unsaid, so it reports everything again. (In BOOM a restarted
NameNode stayed blind to chunks acknowledged by the one before.)

DataNodes obey the NameNode of the greatest ballot that they have heard of, and say under which ballot they have nothing left to
tell of what they deleted for earlier ones. Until all have said so, a NameNode condemns no replica: the one that is too many may be
gone already, by order of a leader before. Of one NameNode alone each start is a ballot.
"""

from bloompy import Bloom, agg, bootstrap, channel, param, periodic, rule, scratch, table
from bloompy_fs.placement import registration


class Membership(Bloom):
    """Heartbeats, chunk reports, and the sweep that gives up DataNodes that fell silent."""

    cluster_id = param("cluster")
    retention_s = param(15.0)
    sweep_s = param(1.0)
    sweep = periodic(sweep_s)

    heartbeat = channel("@nn: str, node: str, incarnation: int, no: int -> "
                        "address: str, data: str, host: str, cluster: str, free: int, used: int, ballot: tuple")
    heartbeat_ack = channel("@address: str, nn: str, node: str, incarnation: int, no: int, registration: str -> "
                            "cluster: str, ballot: tuple")
    report = channel("@nn: str, node: str, incarnation: int, no: int, chunk: int -> "
                     "address: str, registration: str, length: int, state: str")
    report_ack = channel("@address: str, nn: str, node: str, chunk: int, no: int, registration: str -> length: int, state: str")

    cluster = table("-> id: str", durable=True)
    epoch = table("-> n: int", durable=True)
    starting = scratch("-> time")
    leads = scratch("-> ballot: tuple")
    obeyed = scratch("-> ballot: tuple")
    datanode = table("node: str -> address: str, data: str, host: str, incarnation: int, registration: str")
    heard = table("node: str -> seen: float, free: int, used: int, ballot: tuple")
    hb_chunk = table("node: str, chunk: int -> length: int, state: str")
    reported = table("node: str -> registration: str, no: int")

    newest_beat = scratch("node -> number")
    beat = scratch("node -> no, address, data, host, incarnation, free, used, ballot")
    joins = scratch("node -> no, address, data, host, incarnation, free, used, ballot")
    newest_report = scratch("node, chunk -> number")
    told = scratch("node, chunk -> no, address, registration, length, state")
    dead = scratch("node")

    @bootstrap
    def start(self) -> None:
        self.starting <= [(self.now,)]

    @rule
    def begin(self) -> None:
        # epoch(N + 1) @next :- starting(), epoch(N).
        self.epoch <+- ((self.epoch.get((), (0,)).n + 1,) for s in self.starting)
        # cluster(Id) @next :- starting(), not cluster(_).
        self.cluster <+ ((self.cluster_id,) for s in self.starting if not any(c for c in self.cluster))

    @rule
    def lead(self) -> None:
        # leads(N, me) :- epoch(N).      (there is no other)
        self.leads <= (((e.n, self.me),) for e in self.epoch)

    @rule
    def obedience(self) -> None:
        # obeyed(B) :- leads(B), not (heard(D, Other), Other != B).
        self.obeyed <= ((b.ballot,) for b in self.leads if not any(h for h in self.heard if h.ballot != b.ballot))

    @rule
    def heartbeats(self) -> None:
        # beat(D, ...) :- heartbeat(D, Incarnation, No, ..., Cluster), the newest of this tick, of this cluster or of none yet.
        self.newest_beat <= ((h.node, agg.max((h.incarnation, h.no))) for h in self.heartbeat)
        self.beat <= ((h.node, h.no, h.address, h.data, h.host, h.incarnation, h.free, h.used, h.ballot)
                      for h in self.heartbeat for n in self.newest_beat
                      if n.node == h.node and n.number == (h.incarnation, h.no)
                      and any(h.cluster in ("", c.id) for c in self.cluster)
                      and not any(d for d in self.datanode if d.node == h.node and d.incarnation > h.incarnation))
        # joins(D, ...) :- beat(D, Incarnation, ...), not datanode(D, Incarnation).
        self.joins <= (b for b in self.beat if not any(d for d in self.datanode if d.node == b.node and d.incarnation == b.incarnation))
        # datanode(D, ..., Registration) @next :- joins(D, ...).
        self.datanode <+- ((j.node, j.address, j.data, j.host, j.incarnation, registration(e.n, self.step))
                           for j in self.joins for e in self.epoch)
        # del hb_chunk(D, C) @next :- joins(D), hb_chunk(D, C).
        self.hb_chunk <- (h for j in self.joins for h in self.hb_chunk if h.node == j.node)
        # heard(D, now, Free, Used, B) @next :- beat(D, Free, Used, B).
        self.heard <+- ((b.node, self.now, b.free, b.used, b.ballot) for b in self.beat)
        # heartbeat_ack(@A, D, No, Registration, Cluster, B) @async :- beat(D, No, A), datanode(D, Registration) or joins(D), leads(B).
        # (B is () where another leads)
        self.heartbeat_ack <~ ((b.address, self.me, b.node, b.incarnation, b.no, d.registration, c.id,
                                self.leads.get((), ((),)).ballot)
                               for b in self.beat for d in self.datanode for c in self.cluster
                               if d.node == b.node and d.incarnation == b.incarnation)
        self.heartbeat_ack <~ ((j.address, self.me, j.node, j.incarnation, j.no, registration(e.n, self.step), c.id,
                                self.leads.get((), ((),)).ballot)
                               for j in self.joins for e in self.epoch for c in self.cluster)
        # heartbeat_ack(@A, D, No, "", Cluster, ()) @async :- heartbeat(D, No, A, Other), cluster(Cluster), Other != Cluster.
        self.heartbeat_ack <~ ((h.address, self.me, h.node, h.incarnation, h.no, "", c.id, ())
                               for h in self.heartbeat for c in self.cluster if h.cluster not in ("", c.id))

    @rule
    def reports(self) -> None:
        # told(D, C, No, ...) :- report(D, C, No, Registration, ...), the newest of this tick, datanode(D, Registration),
        #                        not (reported(D, Registration, Later), Later > No).
        # A report that was overtaken is neither believed nor acknowledged: it may have been taken back since. What still holds comes
        # again, as it is not acknowledged. One number for each DataNode does; one for each chunk would have to outlive the chunk.
        self.newest_report <= ((r.node, r.chunk, agg.max((r.incarnation, r.no))) for r in self.report)
        self.told <= ((r.node, r.chunk, r.no, r.address, r.registration, r.length, r.state)
                      for r in self.report for n in self.newest_report for d in self.datanode
                      if n.node == r.node and n.chunk == r.chunk and n.number == (r.incarnation, r.no)
                      and d.node == r.node and d.registration == r.registration
                      and not any(m for m in self.reported if m.node == r.node and m.registration == r.registration and m.no > r.no))
        # reported(D, Registration, max<No>) @next :- told(D, No, Registration).
        self.reported <+- ((t.node, t.registration, agg.max(t.no)) for t in self.told)
        # hb_chunk(D, C, Length, State) @next :- told(D, C, Length, State), State != "gone".
        self.hb_chunk <+- ((t.node, t.chunk, t.length, t.state) for t in self.told if t.state != "gone" and t.node not in self.joins)
        # del hb_chunk(D, C) @next :- told(D, C, "gone").
        self.hb_chunk <- ((t.node, t.chunk) for t in self.told if t.state == "gone" and (t.node, t.chunk) in self.hb_chunk)
        # report_ack(@A, D, C, No, ...) @async :- told(D, C, No, A, ...).
        self.report_ack <~ ((t.address, self.me, t.node, t.chunk, t.no, t.registration, t.length, t.state) for t in self.told)

    @rule
    def sweeping(self) -> None:
        # dead(D) :- sweep(Now), heard(D, Seen), Now - Seen > Retention, not beat(D).
        self.dead <= ((h.node,) for s in self.sweep for h in self.heard if s.time - h.seen > self.retention_s and h.node not in self.beat)
        # del datanode(D), heard(D), reported(D), hb_chunk(D, C) @next :- dead(D).
        self.datanode <- ((d.node,) for d in self.dead)
        self.heard <- ((d.node,) for d in self.dead)
        self.reported <- ((d.node,) for d in self.dead)
        self.hb_chunk <- ((h.node, h.chunk) for d in self.dead for h in self.hb_chunk if h.node == d.node)
