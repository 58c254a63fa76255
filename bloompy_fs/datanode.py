# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""A DataNode's side of the conversation with the NameNode (spec B.2, h1 to h3): heartbeats, and reports of what changed.

The data plane stages what is on disk into `local`, and what it looked for in vain or deleted into `gone`; the rules see to it
that the NameNode knows. What the NameNode has acknowledged under its present registration is not said again, unless something else
was said since; under another registration everything is.
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
    heartbeat_ack = channel("@address: str, nn: str, node: str, incarnation: int, no: int, registration: str -> cluster: str")
    report = channel("@nn: str, node: str, incarnation: int, no: int, chunk: int -> "
                     "address: str, registration: str, length: int, state: str")
    report_ack = channel("@address: str, nn: str, node: str, chunk: int, no: int, registration: str -> length: int, state: str")
    command = channel("@address: str, nn: str, kind: str, chunk: int, target: str")

    local = table("chunk: int -> length: int, state: str")
    gone = table("chunk: int")
    usage = table("-> free: int, used: int")
    member = table("-> registration: str, no: int")
    cluster = table("-> id: str")
    acked = table("chunk: int -> registration: str, length: int, state: str")
    said = table("chunk: int -> no: int, length: int, state: str")
    nudge = scratch("why: str")

    beat = scratch("no")
    newest_welcome = scratch("-> number")
    welcome = scratch("-> registration, no, cluster")
    accepted = scratch("chunk -> registration, length, state")
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
        # welcome(Registration, No, Id) :- heartbeat_ack(me, No, Registration, Id), the newest of all so far.
        self.newest_welcome <= (agg.max((h.no, h.registration)) for h in self.heartbeat_ack
                                if h.node == self.node and h.incarnation == self.incarnation and h.registration)
        self.welcome <= ((h.registration, h.no, h.cluster) for h in self.heartbeat_ack for n in self.newest_welcome
                         if (h.no, h.registration) == n.number and h.node == self.node and h.incarnation == self.incarnation
                         and not any(m for m in self.member if m.no > h.no))
        # member(Registration, No), cluster(Id) @next :- welcome(Registration, No, Id).
        self.member <+- ((w.registration, w.no) for w in self.welcome)
        self.cluster <+ ((w.cluster,) for w in self.welcome if not any(c for c in self.cluster))
        # nudge() @next :- welcome(Registration), not member(Registration).
        self.nudge <+ (("registered",) for w in self.welcome if not any(m for m in self.member if m.registration == w.registration))

    @rule
    def reports(self) -> None:
        # unsaid(C, Length, State) :- local(C, Length, State), member(R), not (acked(C, R, Length, State), not said(C)).
        self.unsaid <= ((x.chunk, x.length, x.state) for x in self.local for m in self.member
                        if not any(a for a in self.acked if a.chunk == x.chunk and a.registration == m.registration
                                   and a.length == x.length and a.state == x.state and a.chunk not in self.said))
        # unsaid(C, 0, "gone") :- acked(C, R), member(R), not local(C).
        self.unsaid <= ((a.chunk, 0, "gone") for a in self.acked for m in self.member
                        if a.registration == m.registration and a.chunk not in self.local)
        # unsaid(C, 0, "gone") :- gone(C), member(_), not local(C).      (the NameNode may know it from a writer only)
        self.unsaid <= ((g.chunk, 0, "gone") for g in self.gone for m in self.member if g.chunk not in self.local)
        # saying(C, ..., rank<C>) :- beat(), unsaid(C, ...).
        self.saying <= ((u.chunk, u.length, u.state, agg.rank(u.chunk)) for b in self.beat for u in self.unsaid)
        # report(@NN, me, C, R, Length, State) @async :- saying(C, Length, State, Turn), Turn < Limit, member(R).
        self.report <~ ((self.namenode, self.node, self.incarnation, self.step, s.chunk, self.me, m.registration, s.length, s.state)
                        for s in self.saying for m in self.member if s.turn < self.report_rows)
        # said(C, No, Length, State) @next :- saying(C, Length, State), Turn < Limit, not said(C, Length, State).
        # What was said last and is not acknowledged, and since when.
        self.said <+- ((s.chunk, self.step, s.length, s.state) for s in self.saying for m in self.member if s.turn < self.report_rows
                       and not any(x for x in self.said if x.chunk == s.chunk and x.length == s.length and x.state == s.state))

    @rule
    def acknowledgements(self) -> None:
        # accepted(C, R, Length, State) :- report_ack(me, C, No, R, Length, State), member(R), said(C, Since, Length, State), No >= Since.
        # An acknowledgement of what was said before something else is no news: the NameNode may have heard the other since.
        self.accepted <= ((r.chunk, r.registration, r.length, r.state)
                          for r in self.report_ack for m in self.member for s in self.said
                          if r.node == self.node and r.registration == m.registration
                          and s.chunk == r.chunk and s.no <= r.no and s.length == r.length and s.state == r.state)
        # del said(C) @next :- accepted(C).
        self.said <- ((a.chunk,) for a in self.accepted)
        # acked(C, R, Length, State) @next :- accepted(C, R, Length, State), State != "gone".
        self.acked <+- ((a.chunk, a.registration, a.length, a.state) for a in self.accepted if a.state != "gone")
        # del acked(C) @next :- accepted(C, "gone").
        self.acked <- ((a.chunk,) for a in self.accepted if a.state == "gone" and a.chunk in self.acked)
        # del gone(C) @next :- accepted(C, "gone"); gone(C), local(C).
        self.gone <- ((a.chunk,) for a in self.accepted if a.state == "gone")
        self.gone <- ((g.chunk,) for g in self.gone if g.chunk in self.local)
        # nudge() @next :- accepted(_), unsaid(C), not accepted(C).      (more is unsaid than was said)
        self.nudge <+ (("more",) for a in self.accepted if any(u for u in self.unsaid if u.chunk not in self.accepted))
