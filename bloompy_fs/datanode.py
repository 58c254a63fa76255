# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""A DataNode's side of the conversation with the NameNode (spec B.2, h1 to h3): heartbeats, and reports of what changed.

The data plane stages what is on disk into `local`; the rules see to it that the NameNode knows. What the NameNode has acknowledged
under its present registration is not said again; under another registration everything is.
"""

from bloompy import Bloom, agg, channel, param, periodic, rule, scratch, table


class DataNode(Bloom):
    """Heartbeats and delta chunk reports.

    Params:
        namenode: its address. node: this DataNode's name, for ever. incarnation: greater at each start.
        data: address of the data port. host: name of the machine, for placement near readers and writers.
        heartbeat_s: period in seconds. report_rows: chunks reported with one heartbeat.
    """

    namenode = param("")
    node = param("")
    incarnation = param(0)
    data = param("")
    host = param("")
    heartbeat_s = param(3.0)
    report_rows = param(2_000)
    timer = periodic(heartbeat_s)

    heartbeat = channel("@nn: str, node: str, incarnation: int, no: int -> "
                        "address: str, data: str, host: str, cluster: str, free: int, used: int")
    heartbeat_ack = channel("@address: str, nn: str, node: str -> registration: str, cluster: str")
    report = channel("@nn: str, node: str, incarnation: int, no: int, chunk: int -> "
                     "address: str, registration: str, length: int, state: str")
    report_ack = channel("@address: str, nn: str, node: str, chunk: int -> registration: str, length: int, state: str")
    command = channel("@address: str, nn: str, kind: str, chunk: int, target: str")

    local = table("chunk: int -> length: int, state: str")
    usage = table("-> free: int, used: int")
    member = table("-> registration: str")
    cluster = table("-> id: str")
    acked = table("chunk: int -> registration: str, length: int, state: str")
    nudge = scratch("why: str")

    beat = scratch("no")
    unsaid = scratch("chunk -> length, state")
    saying = scratch("chunk -> length, state, turn")

    @rule
    def heartbeats(self) -> None:
        # beat(step) :- timer(); nudge().
        self.beat <= ((self.step,) for t in self.timer)
        self.beat <= ((self.step,) for n in self.nudge)
        # heartbeat(@NN, me, ...) @async :- beat(No), usage(Free, Used), cluster(Id).
        self.heartbeat <~ ((self.namenode, self.node, self.incarnation, b.no, self.me, self.data, self.host,
                            self.cluster.get((), ("",)).id, self.usage.get((), (0, 0)).free, self.usage.get((), (0, 0)).used)
                           for b in self.beat)

    @rule
    def joining(self) -> None:
        # member(Registration), cluster(Id) @next :- heartbeat_ack(Registration, Id).
        self.member <+- ((h.registration,) for h in self.heartbeat_ack if h.node == self.node and h.registration)
        self.cluster <+ ((h.cluster,) for h in self.heartbeat_ack if h.node == self.node and not any(c for c in self.cluster))
        # nudge() @next :- heartbeat_ack(Registration), not member(Registration).
        self.nudge <+ (("registered",) for h in self.heartbeat_ack
                       if h.registration and not any(m for m in self.member if m.registration == h.registration))

    @rule
    def reports(self) -> None:
        # unsaid(C, Length, State) :- local(C, Length, State), member(R), not acked(C, R, Length, State).
        self.unsaid <= ((x.chunk, x.length, x.state) for x in self.local for m in self.member
                        if not any(a for a in self.acked if a.chunk == x.chunk and a.registration == m.registration
                                   and a.length == x.length and a.state == x.state))
        # unsaid(C, 0, "gone") :- acked(C, R), member(R), not local(C).
        self.unsaid <= ((a.chunk, 0, "gone") for a in self.acked for m in self.member
                        if a.registration == m.registration and a.chunk not in self.local)
        # saying(C, ..., rank<C>) :- beat(), unsaid(C, ...).
        self.saying <= ((u.chunk, u.length, u.state, agg.rank(u.chunk)) for b in self.beat for u in self.unsaid)
        # report(@NN, me, C, R, Length, State) @async :- saying(C, Length, State, Turn), Turn < Limit, member(R).
        self.report <~ ((self.namenode, self.node, self.incarnation, self.step, s.chunk, self.me, m.registration, s.length, s.state)
                        for s in self.saying for m in self.member if s.turn < self.report_rows)

    @rule
    def acknowledgements(self) -> None:
        # acked(C, R, Length, State) @next :- report_ack(C, R, Length, State), State != "gone".
        self.acked <+- ((r.chunk, r.registration, r.length, r.state) for r in self.report_ack
                        if r.node == self.node and r.state != "gone" and any(m for m in self.member if m.registration == r.registration))
        # del acked(C) @next :- report_ack(C, "gone"), not local(C).
        self.acked <- ((r.chunk,) for r in self.report_ack if r.node == self.node and r.state == "gone" and r.chunk in self.acked)
        # nudge() @next :- report_ack(), more is unsaid than was said.
        self.nudge <+ (("more",) for r in self.report_ack
                      if any(u for u in self.unsaid if (self.me, r.nn, self.node, u.chunk) not in self.report_ack))
