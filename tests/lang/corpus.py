"""Programs whose rules use every form of the language; texts, since they are read, printed and read again."""

from __future__ import annotations

HEADER = "from bloompy import *\nimport math\nfrom tests.lang.corpus import f, helper, median, twice\n"


def f(*values: object, **named: object) -> object:
    """A function that rules call."""
    return values[0] if values else None


def median(values: list[int]) -> int:
    """A user aggregate."""
    return sorted(values)[len(values) // 2]


def helper(x: object) -> object:
    """Stands for a method, where a class is printed."""
    return x


def twice(x: int) -> int:
    """Stands for a static method, where a class is printed."""
    return 2 * x


median.__bloompy_aggregate__ = True  # type: ignore[attr-defined]  # what @aggregate does

DECLARATIONS = """
class Kvs(Bloom):
    wait = param(2)
    put = interface.input("key, value")
    got = interface.output("key -> value")
    store = table("key -> value")
    @rule
    def keep(self):
        self.store <+- ((p.key, p.value) for p in self.put if self.wait)
        self.got <= self.store

class P(Bloom):
    horizon = param(7)
    kvs = module(Kvs, wait=horizon)
    link = table("src, dst -> cost: int", durable=True)
    typed = table("k: str -> v: int | None, w: float")
    odd = table("a-b, class -> x y z".replace(" y z", ""))
    single = table("-> value", durable="delayed")
    s = scratch("a, b")
    one = scratch("x")
    pairs = scratch("pair: tuple")
    ch = channel("@dst, a")
    back = loopback("a, b")
    tick_ = periodic(1.5)
    clock = periodic(horizon)
    out = stdio()
    i = interface.input("a, b")
    o = interface.output("a, b")

    def helper(self, x):
        return x

    @staticmethod
    def twice(x):
        return 2 * x
"""

RULES = """
self.s <= ((l.src, l.dst) for l in self.link)
self.s <= self.i
self.o <= self.s
self.link <+ ((l.src, l.dst, l.cost + 1) for l in self.link if l.cost < self.horizon)
self.link <- ((l.src, l.dst) for l in self.link if l.cost > 3)
self.link <- self.link
self.link <+- ((*p, 1) for p in self.s)
self.ch <~ ((c.dst, self.me) for c in self.ch)
self.back <~ [(1, 2), (3, self.step)]
self.out <~ (f"{l.src!r:>{l.cost}} costs {l.cost:,} {{}}" for l in self.link)
self.out <~ "now " + str(self.now)
self.s <= ("a", -1)
self.s <= {("a", 1.5), ("b", None)}
self.one <= [1, "two", (3,)]
self.one <= self.rand
self.one <= (w for l in self.link for w in l.src.split() if w if len(w) > 2)
self.one <= (w for l in self.link for (w, (_, v)) in f(l) if v)
self.s <= ((a, c) for a, b, _ in self.link for b2, c, _ in self.link if b == b2 and a != c)
self.s <= ((a.src, c.dst) for a in self.link for b in self.link for c in self.link if a.dst == b.src == c.dst)
self.s <= ((x, y) for x in self.link for y in self.one if (x.src, y.x) in self.link and y not in self.one)
self.s <= ((l.src, self.typed[l.src].v) for l in self.link if l.src in self.typed)
self.s <= ((l.src, self.link[l.src, l.dst].cost) for l in self.link)
self.s <= ((l.src, self.typed.get(l.src, (l.src, 0, 1.0)).w) for l in self.link)
self.s <= ((l.src, self.single[()].value) for l in self.link)
self.s <= ((l.src, self.one.get(l.src, (0,))[0]) for l in self.link)
self.s <= ((t.v, 1) for t in self.typed if any(l.src == t.k and l.cost for l in self.link if l.cost > 1))
self.s <= ((t.v, 1) for t in self.typed if not any(l.src == t.k for l in self.link) if all(l.cost > 1 for l in self.link))
self.s <= ((t.v, 1) for t in self.typed if any(True for l in self.link) or any(w for w in t.k))
self.s <= ((t.v, 1) for t in self.typed if not all(l.src not in self.one for l in self.link for c in self.ch))
self.s <= ((l.src, agg.count()) for l in self.link)
self.s <= ((l.src, agg.sum(l.cost * 2) / agg.count()) for l in self.link)
self.s <= ((agg.argmin(l.src, l.cost), agg.percentile(l.cost, 50)) for l in self.link)
self.s <= ((l.src, agg.rank((l.cost, l.dst), per=l.src)) for l in self.link)
self.s <= ((l.src, agg.rank(l.cost)) for l in self.link)
self.s <= ((l.src, median(l.cost)) for l in self.link)
self.s <= ((l.src, self.helper(self.twice(l.cost))) for l in self.link)
self.s <= ((l.src, f(l, *l.src, k=l.cost, **{"z": l.dst})) for l in self.link)
self.s <= ((l.src, tuple(sorted(l.src, key=lambda w, n=l.cost: w[n]))) for l in self.link)
self.s <= ((l.src, sum(w * l.cost for w in l.dst if w in self.one)) for l in self.link)
self.s <= ((l.src, tuple({k: v for k, v in l.dst}.items())) for l in self.link)
self.s <= ((l.src, l.src[1:l.cost], ) for l in self.link)
self.s <= ((l.src, l.src[::2] if l.cost % 2 else l.src[l.cost, 1]) for l in self.link)
self.s <= ((l.src, (l.cost + 1) * -l.cost ** 2 // 3 << 1) for l in self.link)
self.s <= ((l.src, not (l.cost < 2 < l.src or l.src is None)) for l in self.link)
self.s <= ((l.src, math.floor(l.cost)) for l in self.link)
self.s <= ((l[0], l[-1]) for l in self.link)
self.s <= ((o[0], a) for o in self.odd for a, _, _ in self.odd)
self.odd <= self.odd
self.odd <= (o for o in self.odd)
self.pairs <= (((l.src, l.dst),) for l in self.link if ((l.src, l.dst),) in self.pairs)
self.typed <+- ((t.k, t.v, 1) for t in self.typed)
self.kvs.put <= ((l.src, l.dst) for l in self.link if l.cost > self.kvs.wait)
self.kvs.put <+ self.s
self.s <= self.kvs.got
self.s <= ((t.no, t.time) for t in self.tick_)
self.s <= ((d.channel, d.error) for d in self.dead_letter)
self.link <- ((l.src, agg.min(l.dst)) for l in self.link)
near = ((l.src, l.dst, l.cost * 2) for l in self.link); self.s <= ((n.src, n.dst) for n in near if n in near)
near = [(1, 2), (3, 4)]; self.s <= near
near = self.link; self.s <= ((a, c) for a, _, c in near if not any(n.src == c for n in near))
""".strip().splitlines()

METHODS = """
    @bootstrap
    def start(self):
        "First rows."
        self.link <= ("a", "b", 1)
        self.link <+ [("a", "c", 1), ("a", "d", 1)]
    @invariant
    def watch(self):
        (l for l in self.link if l.cost < 0)
        self.single
        [(l.src, l.dst) for l in self.link if l.src == l.dst]
"""


def program_of(rules: list[str]) -> str:
    """The text of a program with one rule method for each rule."""
    methods = "".join(f"\n    @rule\n    def r{i}(self):\n        {rule.replace('; ', chr(10) + ' ' * 8)}\n" for i, rule in enumerate(rules))
    return HEADER + DECLARATIONS + methods + METHODS
