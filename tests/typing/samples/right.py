"""Rules over typed rows that mypy --strict and pyright accept, under the header of docs/settings.md."""
# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off

from bloompy import Bloom, Row, agg, channel, interface, key, lattice, loopback, module, param, periodic, rule, scratch, stdio, table


class Link(Row):
    src: str = key()
    dst: str = key()
    cost: int


class Path(Row):
    src: str
    dst: str
    hop: str
    cost: int


class Best(Row):
    src: str = key()
    dst: str = key()
    cost: int


class Advert(Row):
    to: str = key()
    dst: str = key()
    cost: float


class Routes(Bloom):
    link = table(Link)
    seen = table(Link, durable=True)
    path = scratch(Path)
    best = interface.output(Best)
    fresh = interface.input(Link)
    advert = channel(Advert)
    own = loopback(Link)
    beat = periodic(1.0)
    terminal = stdio()
    horizon = param(100)

    @rule
    def paths(self) -> None:
        self.path <= ((l.src, l.dst, l.dst, l.cost) for l in self.link)
        self.path <= ((l.src, p.dst, l.dst, l.cost + p.cost)
                      for l in self.link for p in self.path if l.dst == p.src and l.cost + p.cost < self.horizon)
        self.path <= [(s, d, d, c) for s, d, c in self.link]
        self.path <= {Path(l.src, l.dst, hop=l.dst, cost=l.cost) for l in self.link}
        self.path <= ("a", "b", "b", 1)
        self.best <= ((p.src, p.dst, agg.min(p.cost)) for p in self.path)
        self.best <= ((p.src, "all", agg.sum(p.cost) + agg.count()) for p in self.path)

    @rule
    def changes(self) -> None:
        self.link <+ self.fresh
        self.link <+ ((f.src, f.dst, f.cost) for f in self.fresh if (f.src, f.dst) not in self.link)
        self.link <+- ((f.src, f.dst, f.cost + self.link[f.src, f.dst].cost) for f in self.fresh)
        self.link <- ((l.src, l.dst) for l in self.link if not any(f.src == l.src for f in self.fresh))
        self.seen <= self.link

    @rule
    def talk(self) -> None:
        self.advert <~ ((b.dst, b.src, float(b.cost)) for b in self.best for t in self.beat if t.no > 3)
        self.advert <~ ((self.me, l.src, self.now) for l in self.link)
        self.own <~ self.fresh
        self.terminal <~ ((f"{b.src} {b.dst}",) for b in self.best)


class Network(Bloom):
    routes = module(Routes, horizon=10)
    cheap = table(Best)

    @rule
    def wire(self) -> None:
        self.routes.fresh <= (("a", "b", 1), ("b", "c", 2))
        self.cheap <= (b for b in self.routes.best if b.cost < 10)


def outside() -> int:
    program = Routes(me="local", horizon=50)
    program.link.insert(("a", "b", 1), Link("b", "c", 2), Link(src="a", dst="b", cost=3))
    program.link.upsert(("a", "b", 2))
    program.link.delete(("a", "b"))
    tick = program.tick(now=1.0)
    total = tick.step + sum(row.cost for row in program.best)
    found = program.link.get(("a", "b"))
    return total + program.link["b", "c"].cost + (found.cost if found is not None else 0) + len(program.path.rows())


class Reach(Row):
    src: str = key()
    dst: str = key()
    cost: lattice.lmin
    hops: lattice.lset


class Growing(Bloom):
    link = table(Link)
    reach = scratch(Reach)
    most = lattice.lmax()
    seen = lattice.lset(durable=True)
    best = lattice.lmap(lattice.lmin)
    near = scratch("src, dst")

    @rule
    def grow(self) -> None:
        self.reach <= ((l.src, l.dst, l.cost, l.dst) for l in self.link)
        self.reach <= ((l.src, r.dst, l.cost + r.cost, r.hops) for l in self.link for r in self.reach if l.dst == r.src)
        self.most <= (l.cost for l in self.link)
        self.seen <= (l.src for l in self.link if self.most.value > 3)
        self.most <= len(self.seen.value)
        self.near <= ((r.src, r.dst) for r in self.reach if r.cost < 3)


def grown() -> int:
    program = Growing()
    program.most.insert(3)
    program.reach.get(("a", "b"))
    costs = [row.cost + 1 for row in program.reach]
    return int(program.most.value) + len(program.seen.value) + len(costs)
