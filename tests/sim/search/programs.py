# ruff: noqa: B015
# mypy: disable-error-code="operator"
# fmt: off
"""Small protocols, most of them wrong, and tests of them that campaigns run."""

from __future__ import annotations

from bloompy import Bloom, agg, channel, interface, param, periodic, rule, scratch, table


class Broadcast(Bloom):
    """Sends what it is told to all members once: wrong where frames may be lost."""

    member = table("address")
    say = interface.input("id: int")
    log = table("id: int", durable=True)
    message = channel("@to, id: int")

    @rule
    def all(self):
        self.message <~ ((m.address, s.id) for s in self.say for m in self.member)
        self.log <= ((m.id,) for m in self.message)


class Retrying(Broadcast):
    """Sends again until it is acknowledged: right, also over crashes, once what was said is on a disk."""

    every = param(0.1)
    said = table("id: int", durable=True)
    acked = table("id: int, by", durable=True)
    again = periodic(every)
    ack = channel("@to, id: int, by")
    request = channel("@to, id: int, back")

    @rule
    def all(self):
        self.said <= self.say
        self.request <~ ((m.address, s.id, self.me) for _ in self.again for s in self.said for m in self.member if (s.id, m.address) not in self.acked)
        self.log <= ((r.id,) for r in self.request)
        self.ack <~ ((r.back, r.id, self.me) for r in self.request)
        self.acked <= ((a.id, a.by) for a in self.ack)


class Counter(Bloom):
    """Counts messages: wrong where they may arrive twice."""

    peer = table("address")
    say = interface.input("id: int")
    message = channel("@to, id: int")
    count = table("-> n: int")
    came = scratch("-> n: int")

    @rule
    def all(self):
        self.message <~ ((p.address, s.id) for s in self.say for p in self.peer)
        self.came <= (agg.count() for _ in self.message)
        self.count <+- ((self.count.get((), (0,)).n + c.n,) for c in self.came)


class LastWriter(Bloom):
    """A register that keeps what came last: wrong where two writers are overtaken."""

    peer = table("address")
    put = interface.input("value")
    write = channel("@to, value")
    value = table("-> value")

    @rule
    def all(self):
        self.write <~ ((p.address, w.value) for w in self.put for p in self.peer)
        self.value <+- ((w.value,) for w in self.write)


class Elected(Bloom):
    """Votes for whoever asks first in a term; who has two votes leads. Wrong: votes are forgotten in a crash (`durable` left out)."""

    member = table("address")
    stand = interface.input("term: int")
    ask = channel("@to, candidate, term: int")
    asked = scratch("term: int -> candidate")
    voted = table("term: int -> candidate")
    vote = channel("@to, term: int, by")
    votes = table("term: int, by", durable=True)
    tally = scratch("term: int -> votes: int")
    leads = table("term: int", durable=True)

    @rule
    def ask_all(self):
        self.ask <~ ((m.address, self.me, s.term) for s in self.stand for m in self.member)

    @rule
    def vote_once(self):
        self.asked <= ((a.term, agg.min(a.candidate)) for a in self.ask)
        self.voted <= ((a.term, a.candidate) for a in self.fresh)
        self.vote <~ ((a.candidate, a.term, self.me) for a in self.fresh)

    fresh = scratch("term: int -> candidate")
    before = table("term: int")

    @rule
    def first(self):
        self.fresh <= ((a.term, a.candidate) for a in self.asked if a.term not in self.before)
        self.before <+ ((a.term,) for a in self.asked)

    @rule
    def lead(self):
        self.votes <= ((v.term, v.by) for v in self.vote)
        self.tally <= ((v.term, agg.count()) for v in self.votes)
        self.leads <= ((t.term,) for t in self.tally if t.votes >= 2)


def broadcast(sim, program=Broadcast, nodes="abc"):
    """`a` says three things; in the end all have them."""
    for name in nodes:
        sim.add(program, name, setup=lambda node: node.member.insert(*((one,) for one in nodes)))
    sim.run(for_s=0.05)
    for number in sim.operations(3, lambda i: i):
        if sim["a"].up:
            sim["a"].say.insert((number,))
            sim.run(for_s=0.05)
    sim.run(for_s=5)
    said = set().union(*(set(node.log) for node in sim.up))
    for node in sim.up:
        assert set(node.log) == said, f"{node.address} lacks {sorted(said - set(node.log))}"


def elect(sim, program=Elected):
    """Two candidates, three members: no two lead in one term."""
    for name in "abc":
        sim.add(program, name, setup=lambda node: node.member.insert(*((one,) for one in "abc")))

    def one_leader():
        return [term for term in (1, 2) if sum((term,) in node.leads for node in sim.up) > 1]

    sim.always(one_leader)
    sim.run(for_s=0.01)
    for term in (1, 2):
        for node in (sim["a"], sim["b"]):
            if node.up:
                node.stand.insert((term,))
                sim.run(for_s=0.02)
        sim.run(for_s=1)
    sim.sometimes("somebody leads", any(len(node.leads) for node in sim.up))


def overtaken(sim):
    """Two writes one after the other: both peers hold the second in the end. Only orders can break it."""
    for name in "abc":
        sim.add(LastWriter, name, setup=lambda node: node.peer.insert(("b",), ("c",)))
    sim.run(for_s=0.01)
    for value in (1, 2):
        sim["a"].put.insert((value,))
        sim.run(for_s=0.01)
    sim.run(for_s=5)
    assert {tuple(row) for node in (sim["b"], sim["c"]) for row in node.value} == {(2,)}


def counted(sim, most=10):
    """One of many operations is told to a peer each; a peer has counted no more than was said. Duplicates break it."""
    sim.add(Counter, "a", setup=lambda node: node.peer.insert(("b",)))
    sim.add(Counter, "b")
    sim.run(for_s=0.01)
    said = 0
    for number in sim.operations(most, lambda i: i):
        said += 1
        sim["a"].say.insert((number,))
        sim.run(for_s=0.01)
        assert sum(row.n for row in sim["b"].count) <= said
    sim.run(for_s=1)
    assert sum(row.n for row in sim["b"].count) <= said


class TwoWays(Bloom):
    """Tells one node at once, and by way of another one."""

    go = interface.input("x: int")
    direct = channel("@to, x: int")
    around = channel("@to, x: int")
    got = table("x: int")

    @rule
    def tell(self):
        self.direct <~ (("b", g.x) for g in self.go)
        self.around <~ (("c", g.x) for g in self.go)
        self.direct <~ (("b", a.x) for a in self.around)
        self.got <= ((d.x,) for d in self.direct)
        self.got <= ((a.x,) for a in self.around)


def two_ways(sim):
    """Fails where `b` forgets the sixth of eight operations and nobody else does."""
    nodes = [sim.add(TwoWays, name) for name in "abc"]
    for number in sim.operations(8, int):
        if nodes[0].up:
            nodes[0].go.insert((number,))
        sim.run(for_s=sim.integer(0, 9) / 10)
    sim.settle()
    assert not all(node.up for node in nodes) or 5 in nodes[1].got or 5 not in nodes[2].got
