"""Programs from the books, written for what maintaining them needs."""
# ruff: noqa: B015
# fmt: off

from __future__ import annotations

from bloompy import Bloom, agg, aggregate, channel, interface, invariant, rule, scratch, table


@aggregate
def spread(values):
    return max(values) - min(values)


class Reachability(Bloom):
    """Nodes reached from some; what is not reached; and what nothing but an unreached node leads to."""

    source = table("n: int")
    edge = table("a: int, b: int")
    reached = scratch("n")
    lost = scratch("n")
    orphan = scratch("n")

    @rule
    def rules(self):
        self.reached <= self.source
        self.reached <= (e.b for e in self.edge if e.a in self.reached)
        self.lost <= (e.b for e in self.edge if e.b not in self.reached)
        self.orphan <= (x.n for x in self.lost if not any(e.b == x.n for e in self.edge for r in self.reached if r.n == e.a))


class Closure(Bloom):
    """All pairs, by the rule that joins the closure with itself, and the edges that it makes superfluous."""

    edge = table("a: int, b: int")
    path = scratch("a, b")
    cyclic = scratch("a")
    reduced = scratch("a, b")
    count = scratch("a -> n")

    @rule
    def rules(self):
        self.path <= self.edge
        self.path <= ((x.a, y.b) for x in self.path for y in self.path if x.b == y.a)
        self.cyclic <= (x.a for x in self.path if x.a == x.b)
        self.reduced <= ((e.a, e.b) for e in self.edge if not any(x.b == y.a for x in self.path for y in self.path if x.a == e.a if y.b == e.b))
        self.count <= ((x.a, agg.count()) for x in self.path)


class PathNames(Bloom):
    """Full names of files below a root; the root's own row is `(0, 0, "")`."""

    file = table("id: int -> parent: int, name: str")
    path = scratch("id -> name")
    by_name = scratch("name, id")
    children = scratch("id -> n, names")
    empty = scratch("id")

    @rule
    def rules(self):
        self.path <= ((f.id, "") for f in self.file if f.id == f.parent)
        self.path <= ((f.id, p.name + "/" + f.name) for f in self.file for p in self.path if f.parent == p.id if f.id != f.parent)
        self.by_name <= ((p.name, p.id) for p in self.path)
        self.children <= ((f.parent, agg.count(), agg.collect(f.name)) for f in self.file)
        self.empty <= (p.id for p in self.path if p.id not in self.children)


class Depths(Bloom):
    """The same by lookups of the parent's row."""

    file = table("id: int -> parent: int")
    depth = scratch("id -> d")
    deepest = scratch("-> d, n")

    @rule
    def rules(self):
        self.depth <= ((f.id, 0) for f in self.file if f.parent not in self.file)
        self.depth <= ((f.id, self.depth[f.parent].d + 1) for f in self.file)
        self.deepest <= ((agg.max(d.d), agg.count()) for d in self.depth)


class SameGeneration(Bloom):
    """Nodes as far below a common ancestor."""

    parent = table("child: int, parent: int")
    same = scratch("a, b")
    alone = scratch("a")

    @rule
    def rules(self):
        self.same <= ((x.child, y.child) for x in self.parent for y in self.parent if x.parent == y.parent if x.child != y.child)
        self.same <= ((x.child, y.child) for x in self.parent for s in self.same for y in self.parent if x.parent == s.a if s.b == y.parent)
        self.alone <= (x.child for x in self.parent if not any(s.a == x.child for s in self.same))


class Parity(Bloom):
    """Walks of odd and of even length: each recurs through the other."""

    edge = table("a: int, b: int")
    odd = scratch("a, b")
    even = scratch("a, b")
    both = scratch("a, b")
    only_odd = scratch("a, b")

    @rule
    def rules(self):
        self.odd <= self.edge
        self.even <= ((x.a, e.b) for x in self.odd for e in self.edge if x.b == e.a)
        self.odd <= ((x.a, e.b) for x in self.even for e in self.edge if x.b == e.a)
        self.both <= (x for x in self.odd if x in self.even)
        self.only_odd <= (x for x in self.odd if x not in self.even)


class ShortestPaths(Bloom):
    """Costs up to a horizon, the least of them, and the next hop of a cheapest way."""

    link = table("a: int, b: int -> cost: int")
    path = scratch("a, b, hop, cost")
    best = scratch("a, b -> cost, hop")
    far = scratch("a -> b, cost")

    @rule
    def rules(self):
        self.path <= ((x.a, x.b, x.b, x.cost) for x in self.link)
        self.path <= ((x.a, p.b, x.b, x.cost + p.cost) for x in self.link for p in self.path if x.b == p.a and x.cost + p.cost < 6)
        self.best <= ((p.a, p.b, agg.min(p.cost), agg.argmin(p.hop, p.cost)) for p in self.path)
        self.far <= ((b.a, agg.argmax(b.b, b.cost), agg.max(b.cost)) for b in self.best)


class Control(Bloom):
    """Company control: the sums grow stratum by stratum within a tick, and from tick to tick through the table."""

    share = table("owner: int, of: int -> per_cent: int")
    control = table("owner: int, of: int")
    direct = scratch("owner, of -> per_cent")
    indirect = scratch("owner, of -> per_cent")
    gone = scratch("owner, of")

    @rule
    def rules(self):
        self.direct <= ((s.owner, s.of, agg.sum(s.per_cent)) for s in self.share)
        self.indirect <= ((c.owner, s.of, agg.sum(s.per_cent)) for c in self.control for s in self.share if c.of == s.owner)
        self.control <+ ((s.owner, s.of) for s in self.share if s.per_cent + self.indirect.get((s.owner, s.of), (0, 0, 0)).per_cent > 50)
        self.control <+ ((i.owner, i.of) for i in self.indirect if i.per_cent + self.direct.get((i.owner, i.of), (0, 0, 0)).per_cent > 50)
        self.gone <= (c for c in self.control if c not in self.direct and c not in self.indirect)
        self.control <- self.gone


class Offers(Bloom):
    """A chain of aggregates: the cheapest offer of each item, of each kind of item, and how they rank."""

    offer = table("seller: int, item: int -> price: int")
    item = table("item: int -> kind: str")
    cheapest = scratch("item -> price, seller, n")
    by_kind = scratch("kind -> item, price, prices, spread")
    order = scratch("item, place, within")
    middle = scratch("kind -> price")

    @rule
    def rules(self):
        self.cheapest <= ((o.item, agg.min(o.price), agg.argmin(o.seller, o.price), agg.count()) for o in self.offer)
        self.by_kind <= ((i.kind, agg.argmin(c.item, c.price), agg.min(c.price), agg.collect(c.price), spread(c.price))
                         for c in self.cheapest for i in self.item if i.item == c.item)
        self.order <= ((c.item, agg.rank(c.price), agg.rank((c.price, c.item), per=self.item.get(c.item, (0, "?")).kind)) for c in self.cheapest)
        self.middle <= ((i.kind, agg.percentile(o.price, 50)) for o in self.offer for i in self.item if i.item == o.item)


class WinMove(Bloom):
    """Positions won in at most three moves: negation over negation, without recursion."""

    move = table("a: int, b: int")
    stuck = scratch("a")
    won = scratch("a")
    lost = scratch("a")
    won_late = scratch("a")
    open = scratch("a")

    @rule
    def rules(self):
        self.stuck <= (m.b for m in self.move if not any(n.a == m.b for n in self.move))
        self.won <= (m.a for m in self.move if m.b in self.stuck)
        self.lost <= (m.a for m in self.move if all(n.b in self.won for n in self.move if n.a == m.a))
        self.won_late <= (m.a for m in self.move if m.b in self.lost or m.b in self.stuck)
        self.open <= (m.a for m in self.move if m.a not in self.won_late and m.a not in self.lost)


class Collector(Bloom):
    """Garbage collection: what no root reaches is deleted at the next tick, and told of once."""

    root = table("n: int")
    node = table("n: int -> word: str")
    edge = table("a: int, b: int")
    live = scratch("n")
    garbage = scratch("n")
    words = scratch("word -> n")
    told = channel("@to, n")
    ask = interface.input("n: int")
    answer = scratch("n, word")

    @rule
    def rules(self):
        self.live <= (r.n for r in self.root if r.n in self.node)
        self.live <= (e.b for e in self.edge for x in self.live if e.a == x.n if e.b in self.node)
        self.garbage <= (n.n for n in self.node if n.n not in self.live)
        self.words <= ((w, agg.count()) for n in self.node for w in n.word.split())
        self.node <- (g.n for g in self.garbage if g.n > 1)
        self.edge <- (e for e in self.edge if e.a in self.garbage and e.b in self.garbage)
        self.told <~ (("n2", g.n) for g in self.garbage)
        self.answer <= ((a.n, self.node[a.n].word) for a in self.ask if a.n in self.live)


class PointsTo(Bloom):
    """Andersen's points-to: two relations that recur through a three-way join."""

    new = table("v: int, o: int")
    assign = table("v: int, w: int")
    store = table("v: int, w: int")
    load = table("v: int, w: int")
    points = scratch("v, o")
    heap = scratch("o, p")
    null = scratch("v")

    @rule
    def rules(self):
        self.points <= self.new
        self.points <= ((a.v, p.o) for a in self.assign for p in self.points if a.w == p.v)
        self.heap <= ((p.o, q.o) for s in self.store for p in self.points for q in self.points if s.v == p.v if s.w == q.v)
        self.points <= ((x.v, h.p) for x in self.load for p in self.points for h in self.heap if x.w == p.v if p.o == h.o)
        self.null <= (x.v for x in self.load if not any(p.v == x.w for p in self.points))


class Components(Bloom):
    """Connected components: the least node that each reaches names them; recursion below an aggregate below a negation."""

    edge = table("a: int, b: int")
    near = scratch("a, b")
    leader = scratch("a -> leader")
    size = scratch("leader -> n")
    small = scratch("a")
    middling = scratch("leader")

    @rule
    def rules(self):
        self.near <= ((e.a, e.b) for e in self.edge)
        self.near <= ((e.b, e.a) for e in self.edge)
        self.near <= ((x.a, y.b) for x in self.near for y in self.near if x.b == y.a)
        self.leader <= ((x.a, agg.min(x.b)) for x in self.near)
        self.size <= ((x.leader, agg.count()) for x in self.leader)
        self.small <= (x.a for x in self.leader if self.size[x.leader].n < 3)
        self.middling <= (s.leader for s in self.size if s.leader not in self.small)


class Tokens(Bloom):
    """Tokens that move along edges from tick to tick: upserts that cascade, and a key deleted and placed in one tick."""

    edge = table("a: int -> b: int")
    token = table("t: int -> at: int")
    history = table("t: int, at: int")
    at = scratch("n -> tokens")
    crowded = scratch("n")

    @rule
    def rules(self):
        self.token <+- ((t.t, self.edge[t.at].b) for t in self.token if t.at not in self.crowded)
        self.token <- (t.t for t in self.token if t.at not in self.edge)
        self.history <= ((t.t, t.at) for t in self.token)
        self.at <= ((t.at, agg.collect_set(t.t)) for t in self.token)
        self.crowded <= (a.n for a in self.at if len(a.tokens) > 1)

    @invariant
    def small(self):
        (a for a in self.at if len(a.tokens) > 3)


class Parts(Bloom):
    """A bill of materials: quantities along every way down, with different derivations of one row."""

    part = table("whole: int, part: int -> n: int")
    price = table("part: int -> price: float")
    needs = scratch("whole, part, way, n")
    total = scratch("whole, part -> n")
    cost = scratch("whole -> price, parts")
    unpriced = scratch("whole")

    @rule
    def rules(self):
        self.needs <= ((p.whole, p.part, p.part, p.n) for p in self.part)
        self.needs <= ((p.whole, q.part, p.part, p.n * q.n) for p in self.part for q in self.needs if p.part == q.whole if p.n * q.n < 9)
        self.total <= ((x.whole, x.part, agg.sum(x.n)) for x in self.needs)
        self.cost <= ((t.whole, agg.sum(t.n * c.price), agg.count_distinct(t.part)) for t in self.total for c in self.price if c.part == t.part)
        self.unpriced <= (t.whole for t in self.total if not all(u.part in self.price for u in self.total if u.whole == t.whole))
