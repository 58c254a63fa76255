# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""A DataNode's side of the conversation with its NameNodes (spec B.2, h1 to h3): heartbeats, and reports of what changed.

The data plane stages what is on disk into `local`, and what it looked for in vain or deleted into `vanished`; the rules see to it
that every NameNode knows. What a NameNode has acknowledged under its present registration is not said again, unless something else
was said since; under another registration everything is. A NameNode that is silent for long is forgotten with all that was to be
said to it; when it comes back the DataNode has another incarnation to it, and so gets another registration.

The NameNodes of a group are replicas of one, and the greatest ballot of a group is obeyed. Once nothing is left to be said of what was
deleted for the leaders before, a NameNode is told so (`settled`): it may then count replicas, and condemn those that are too many.
"""

from bloompy import Bloom, agg, channel, interface, param, periodic, rule, scratch, table


class DataNode(Bloom):
    """Heartbeats, delta chunk reports, orders.

    Params:
        namenodes: addresses of the NameNodes, in groups: each group is one NameNode to the outside.
        node: this DataNode's name, for ever. incarnation: greater at each start, by more than a NameNode can be forgotten in between.
        data: address of the data port. host: name of the machine, for placement near readers and writers.
        heartbeat_s: period in seconds. report_rows: chunks reported with one heartbeat.
        forget_s: a NameNode silent for so long is forgotten.

    `order` is what the data plane is to do; it stages `done` when it has.
    """

    namenodes: tuple[tuple[str, ...], ...] = param(())
    node = param("")
    incarnation = param(0)
    data = param("")
    host = param("")
    heartbeat_s = param(3.0)
    report_rows = param(2_000)
    forget_s = param(60.0)
    timer = periodic(heartbeat_s)

    heartbeat = channel("@nn: str, node: str, incarnation: int, no: int -> "
                        "address: str, data: str, host: str, cluster: str, free: int, used: int, ballot: tuple")
    heartbeat_ack = channel("@address: str, nn: str, node: str, incarnation: int, no: int, registration: str -> "
                            "cluster: str, ballot: tuple")
    report = channel("@nn: str, node: str, incarnation: int, no: int, chunk: int -> "
                     "address: str, registration: str, length: int, state: str")
    report_ack = channel("@address: str, nn: str, node: str, chunk: int, no: int, registration: str -> length: int, state: str")
    command = channel("@address: str, nn: str, kind: str, chunk: int, target: str, ballot: tuple")

    local = table("chunk: int -> length: int, state: str")
    vanished = interface.input("chunk: int")
    usage = table("-> free: int, used: int")
    nudge = scratch("why: str")
    done = interface.input("kind: str, chunk: int, target: str")

    peer = scratch("nn -> group, incarnation")
    member = table("nn: str -> registration: str, no: int, seen: float")
    lapses = table("nn: str -> n: int")
    lapsed = scratch("nn")
    cluster = table("-> id: str")
    acked = table("nn: str, chunk: int -> registration: str, length: int, state: str")
    said = table("nn: str, chunk: int -> no: int, length: int, state: str")
    gone = table("nn: str, chunk: int")

    leader = table("group: int -> ballot: tuple")
    newest_ballot = scratch("group -> ballot")
    order = scratch("kind, chunk, target")
    doing = table("kind: str, chunk: int, target: str")
    settled = table("nn: str -> ballot: tuple")

    beat = scratch("no")
    greeting = scratch("nn, no, registration -> cluster, ballot")
    newest_welcome = scratch("nn -> number")
    welcome = scratch("nn -> registration, no, cluster")
    accepted = scratch("nn, chunk -> registration, length, state")
    unsaid = scratch("nn, chunk -> length, state")
    saying = scratch("nn, chunk -> length, state, turn")

    @rule
    def peers(self) -> None:
        # peer(NN, G, Incarnation + Lapses) :- namenodes(G, NN), lapses(NN, Lapses).
        self.peer <= ((nn, group, self.incarnation + self.lapses.get(nn, (nn, 0)).n)
                      for group, nns in enumerate(self.namenodes) for nn in nns)

    @rule
    def heartbeats(self) -> None:
        # beat(step) :- timer(); nudge().
        self.beat <= ((self.step,) for t in self.timer)
        self.beat <= ((self.step,) for n in self.nudge)
        # heartbeat(@NN, me, ...) @async :- beat(No), peer(NN, Incarnation), usage(Free, Used), cluster(Id), settled(NN, B).
        self.heartbeat <~ ((p.nn, self.node, p.incarnation, b.no, self.me, self.data, self.host,
                            self.cluster.get((), ("",)).id, self.usage.get((), (0, 0)).free, self.usage.get((), (0, 0)).used,
                            self.settled.get(p.nn, (p.nn, ())).ballot)
                           for b in self.beat for p in self.peer)

    @rule
    def joining(self) -> None:
        # greeting(NN, No, Registration, Id, B) :- heartbeat_ack(me, NN, No, Registration, Id, B), of this DataNode, as it is now to NN.
        self.greeting <= ((h.nn, h.no, h.registration, h.cluster, h.ballot) for h in self.heartbeat_ack for p in self.peer
                          if p.nn == h.nn and h.node == self.node and h.incarnation == p.incarnation and h.registration)
        # welcome(NN, Registration, No, Id) :- greeting(NN, No, Registration, Id), the newest of all so far.
        self.newest_welcome <= ((g.nn, agg.max((g.no, g.registration))) for g in self.greeting)
        self.welcome <= ((g.nn, g.registration, g.no, g.cluster) for g in self.greeting for n in self.newest_welcome
                         if n.nn == g.nn and (g.no, g.registration) == n.number
                         and not any(m for m in self.member if m.nn == g.nn and m.no > g.no))
        # member(NN, Registration, No, now), cluster(Id) @next :- welcome(NN, Registration, No, Id).
        self.member <+- ((w.nn, w.registration, w.no, self.now) for w in self.welcome)
        self.cluster <+ (agg.choose(w.cluster) for w in self.welcome if not any(c for c in self.cluster))
        # nudge() @next :- welcome(NN, Registration), not member(NN, Registration).
        self.nudge <+ (("registered",) for w in self.welcome
                       if not any(m for m in self.member if m.nn == w.nn and m.registration == w.registration))

    @rule
    def lapsing(self) -> None:
        # lapsed(NN) :- timer(Now), member(NN, Seen), Now - Seen > Forget, not welcome(NN).
        self.lapsed <= ((m.nn,) for t in self.timer for m in self.member if t.time - m.seen > self.forget_s and m.nn not in self.welcome)
        # lapses(NN, N + 1) @next :- lapsed(NN), lapses(NN, N).
        self.lapses <+- ((x.nn, self.lapses.get(x.nn, (x.nn, 0)).n + 1) for x in self.lapsed)
        # del member(NN), acked(NN, C), said(NN, C), gone(NN, C), settled(NN) @next :- lapsed(NN).
        self.member <- self.lapsed
        self.acked <- ((a.nn, a.chunk) for x in self.lapsed for a in self.acked if a.nn == x.nn)
        self.said <- ((s.nn, s.chunk) for x in self.lapsed for s in self.said if s.nn == x.nn)
        self.gone <- ((g.nn, g.chunk) for x in self.lapsed for g in self.gone if g.nn == x.nn)
        self.settled <- ((s.nn,) for x in self.lapsed for s in self.settled if s.nn == x.nn)

    @rule
    def obeying(self) -> None:
        # leader(G, max<B>) @next :- greeting(NN, B), peer(NN, G); leader(G, B).
        self.newest_ballot <= ((p.group, agg.max(g.ballot)) for g in self.greeting for p in self.peer if p.nn == g.nn)
        self.leader <+- ((n.group, n.ballot) for n in self.newest_ballot if n.ballot > self.leader.get(n.group, (n.group, ())).ballot)
        # order(Kind, C, Target) :- command(me, NN, Kind, C, Target, B), member(NN), peer(NN, G), not (leader(G, Other), Other > B),
        #                           not doing(Kind, C, Target).
        self.order <= ((c.kind, c.chunk, c.target) for c in self.command for p in self.peer
                       if p.nn == c.nn and c.nn in self.member and c.ballot >= self.leader.get(p.group, (p.group, ())).ballot
                       and (c.kind, c.chunk, c.target) not in self.doing)
        # doing(Kind, C, Target) @next :- order(Kind, C, Target).
        self.doing <+ self.order
        # del doing(Kind, C, Target) @next :- done(Kind, C, Target).
        self.doing <- self.done
        # settled(NN, B) @next :- beat(), peer(NN, G), leader(G, B), not doing(delete), not (unsaid(NN, C, State), State != "ok").
        self.settled <+- ((p.nn, x.ballot) for b in self.beat for p in self.peer for x in self.leader
                          if p.nn in self.member and p.nn not in self.lapsed and x.group == p.group
                          and not any(d for d in self.doing if d.kind == "delete")
                          and not any(u for u in self.unsaid if u.nn == p.nn and u.state != "ok"))

    @rule
    def reports(self) -> None:
        # gone(NN, C) :- vanished(C), member(NN).      (a NameNode may know it from a writer only)
        self.gone <= ((m.nn, v.chunk) for v in self.vanished for m in self.member)
        # unsaid(NN, C, Length, State) :- local(C, Length, State), member(NN, R), not (acked(NN, C, R, Length, State), not said(NN, C)).
        self.unsaid <= ((m.nn, x.chunk, x.length, x.state) for x in self.local for m in self.member
                        if not any(a for a in self.acked if a.nn == m.nn and a.chunk == x.chunk and a.registration == m.registration
                                   and a.length == x.length and a.state == x.state and (a.nn, a.chunk) not in self.said))
        # unsaid(NN, C, 0, "gone") :- acked(NN, C, R), member(NN, R), not local(C).
        self.unsaid <= ((a.nn, a.chunk, 0, "gone") for a in self.acked for m in self.member
                        if a.nn == m.nn and a.registration == m.registration and a.chunk not in self.local)
        # unsaid(NN, C, 0, "gone") :- gone(NN, C), member(NN), not local(C).
        self.unsaid <= ((g.nn, g.chunk, 0, "gone") for g in self.gone if g.nn in self.member and g.chunk not in self.local)
        # saying(NN, C, ..., rank<C> per NN) :- beat(), unsaid(NN, C, ...).
        self.saying <= ((u.nn, u.chunk, u.length, u.state, agg.rank(u.chunk, per=(u.nn,))) for b in self.beat for u in self.unsaid)
        # report(@NN, me, C, R, Length, State) @async :- saying(NN, C, Length, State, Turn), Turn < Limit, member(NN, R), peer(NN).
        self.report <~ ((s.nn, self.node, p.incarnation, self.step, s.chunk, self.me, m.registration, s.length, s.state)
                        for s in self.saying for m in self.member for p in self.peer
                        if m.nn == s.nn and p.nn == s.nn and s.turn < self.report_rows)
        # said(NN, C, No, Length, State) @next :- saying(NN, C, Length, State, Turn), Turn < Limit, not said(NN, C, Length, State).
        # What was said last and is not acknowledged, and since when.
        self.said <+- ((s.nn, s.chunk, self.step, s.length, s.state) for s in self.saying if s.turn < self.report_rows
                       and not any(x for x in self.said if x.nn == s.nn and x.chunk == s.chunk
                                   and x.length == s.length and x.state == s.state) and s.nn not in self.lapsed)

    @rule
    def acknowledgements(self) -> None:
        # accepted(NN, C, R, Length, State) :- report_ack(me, NN, C, No, R, Length, State), member(NN, R),
        #                                      said(NN, C, Since, Length, State), No >= Since.
        # An acknowledgement of what was said before something else is no news: the NameNode may have heard the other since.
        self.accepted <= ((r.nn, r.chunk, r.registration, r.length, r.state)
                          for r in self.report_ack for m in self.member for s in self.said
                          if r.node == self.node and m.nn == r.nn and r.registration == m.registration and s.nn == r.nn
                          and s.chunk == r.chunk and s.no <= r.no and s.length == r.length and s.state == r.state)
        # del said(NN, C) @next :- accepted(NN, C).
        self.said <- ((a.nn, a.chunk) for a in self.accepted)
        # acked(NN, C, R, Length, State) @next :- accepted(NN, C, R, Length, State), State != "gone".
        self.acked <+- ((a.nn, a.chunk, a.registration, a.length, a.state) for a in self.accepted
                        if a.state != "gone" and a.nn not in self.lapsed)
        # del acked(NN, C) @next :- accepted(NN, C, "gone").
        self.acked <- ((a.nn, a.chunk) for a in self.accepted if a.state == "gone" and (a.nn, a.chunk) in self.acked)
        # del gone(NN, C) @next :- accepted(NN, C, "gone"); gone(NN, C), local(C).
        self.gone <- ((a.nn, a.chunk) for a in self.accepted if a.state == "gone")
        self.gone <- ((g.nn, g.chunk) for g in self.gone if g.chunk in self.local)
        # nudge() @next :- accepted(NN, _), unsaid(NN, C), not accepted(NN, C).      (more is unsaid than was said)
        self.nudge <+ (("more",) for a in self.accepted
                       if any(u for u in self.unsaid if u.nn == a.nn and (u.nn, u.chunk) not in self.accepted))
