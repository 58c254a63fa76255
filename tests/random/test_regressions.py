"""Programs on which the evaluators once differed, as the campaign shrank them."""

from __future__ import annotations

import pytest

from tests.random.compare import compare
from tests.random.programs import HEADER
from tests.random.streams import Input

CASES = {
    "a conflict at one key rolls the keys before it back": (
        """
    t = table("a -> b")
""",
        (Input(1.0, (("insert", "t", ((3, 1.0),)),)), Input(2.0, (("insert", "t", ((2, 3.0), (3, 2.0))),)), Input(3.0, ())),
    ),
    "a deleted row that a standing rule still derives comes back": (
        """
    t = table("a", durable=True)
    @rule
    def delete(self):
        self.t <- self.t
    @rule
    def derive(self):
        self.t <= [(3,), (2,)]
""",
        (Input(1.0, ()), Input(2.0, ()), Input(3.0, ())),
    ),
    "an upsert over a row that a standing rule derives conflicts": (
        """
    t = table("a -> b")
    @rule
    def derive(self):
        self.t <= (4, 1)
""",
        (Input(1.0, ()), Input(2.0, (("upsert", "t", ((4, 3),)),)), Input(3.0, ())),
    ),
    "a scratch that only it itself and the outside fill": (
        """
    s = scratch("a: str -> b: str")
    @rule
    def derive(self):
        self.s <= ((x.a, "b") for x in self.s)
""",
        (Input(1.0, (("insert", "s", (("b", "a"),)),)), Input(2.0, (("insert", "s", (("b", "b"),)),))),
    ),
    "a temporary over a staged scratch that the rule fills again": (
        """
    s = scratch("a: int")
    @rule
    def derive(self):
        low = ((x.a - 1,) for x in self.s if x.a > 0)
        self.s <= low
""",
        (Input(1.0, (("insert", "s", ((4,),)),)), Input(2.0, ())),
    ),
    "a row staged and derived in the first tick begins to hold": (
        """
    t = table("a")
    s = scratch("a")
    @rule
    def derive(self):
        self.s <= self.t
""",
        (Input(1.0, (("insert", "t", ((2,),)), ("insert", "s", ((2,),)))), Input(2.0, ())),
    ),
    "a pending row of a scratch outlives the derivation of the same row": (
        """
    t = table("a")
    s = scratch("a")
    @rule
    def derive(self):
        self.s <= self.t
    @rule
    def later(self):
        self.s <+ self.t
""",
        (Input(1.0, (("insert", "t", ((0,), (2,))),)), Input(2.0, (("delete", "t", ((2,),)),)), Input(3.0, ())),
    ),
    "a staged row of a scratch outlives the derivation of the same row": (
        """
    t = table("a")
    s = scratch("a")
    @rule
    def derive(self):
        self.s <= ((agg.rank(x.a),) for x in self.t)
""",
        (
            Input(1.0, (("insert", "t", ((4,), (3,))),)),
            Input(2.0, (("insert", "s", ((1,),)), ("delete", "t", ((4,),)))),
            Input(3.0, ()),
        ),
    ),
    "a row deleted and put back changes nothing": (
        """
    t = table("a: int")
    @rule
    def both(self):
        self.t <- self.t
        self.t <+ self.t
""",
        (Input(1.0, (("insert", "t", ((0,),)),)), Input(2.0, ())),
    ),
    "a scratch whose rules turn transient when it is first staged into": (
        """
    t = table("a, b, c")
    s = scratch("a, b, c")
    v = scratch("a, b, c")
    @rule
    def literal(self):
        self.s <= (0.0, 2, "a")
    @rule
    def delete(self):
        self.t <- self.t
    @rule
    def derive(self):
        self.v <= ((z.b, agg.choose(y.c), agg.choose(z.b)) for y in self.t for z in self.s)
""",
        (Input(1.0, (("insert", "t", (("c", 3, "a"),)),)), Input(2.0, (("insert", "s", ((2.5, 1, "n1"),)),)), Input(3.0, ())),
    ),
    "a table that is scanned and asked for any row of in one rule": (
        """
    t = table("a -> b, c")
    s = scratch("a")
    @rule
    def derive(self):
        self.s <= ((x.a,) for x in self.t if any(y.b == y.c for y in self.t))
        self.t <= ((x.a + 10, 0, 1) for x in self.t if x.a < 10 and any(y.a == x.a + 10 for y in self.t if y.b == 7))
""",
        (
            Input(1.0, (("insert", "t", ((3, 2, 0),)),)),
            Input(2.0, (("insert", "t", ((2, 4, 4),)),)),
            Input(3.0, (("insert", "t", ((13, 7, 0),)),)),
            Input(4.0, ()),
        ),
    ),
    "a line printed by two rules is printed once": (
        """
    t = table("a")
    i = interface.input("a")
    io = stdio()
    @rule
    def first(self):
        self.io <~ self.t
        self.io <~ self.i
        self.io <~ ((x.a,) for x in self.t for y in self.i)
""",
        (Input(1.0, (("insert", "t", (("b",), ("c",))), ("insert", "i", (("b",),)))), Input(2.0, (("insert", "i", (("c",),)),))),
    ),
    "a join finds NaN equal to itself": (
        """
    t = table("a -> b")
    v = scratch("a, b")
    @rule
    def derive(self):
        self.v <= ((x.a, y.a) for x in self.t for y in self.t if x.b == y.b)
""",
        (Input(1.0, (("insert", "t", ((2, float("nan")), (3, 1.0))),)),),
    ),
    "a deleted table row that a transient row derives again has not ceased": (
        """
    t1 = table("a, b -> c")
    v1 = table("a", durable=True)
    v2 = scratch("a, b")
    v3 = scratch("a, b")
    i0 = interface.input("a")
    @rule
    def keep(self):
        self.v1 <= ((y.a,) for x in self.t1 for y in self.v3)
    @rule
    def double(self):
        self.v2 <= ((y.a, y.a) for x in self.t1 for y in self.v1)
        self.v3 <= ((max(x.b, x.a), abs(0 - x.a)) for x in self.v2)
    @rule
    def event(self):
        self.v2 <= ((self.t1.get((x.a, x.a), (0, 2, 0)).b, x.a) for x in self.i0)
""",
        (
            Input(1.0, (("insert", "t1", ((2, 0, 0.2),)),)),
            Input(9.0, (("insert", "i0", ((1,),)),)),
            Input(14.0, (("delete", "v1", ((2,),)), ("insert", "i0", ((1,),)))),
        ),
    ),
    "rows pending for a scratch are forgotten with their cause when another is first staged": (
        """
    e = table("a, b", durable=True)
    t0 = table("a -> b")
    v0 = scratch("a -> b")
    v1 = scratch("a, b")
    v2 = scratch("a, b")
    v3 = scratch("a, b")
    @rule
    def r0(self):
        self.v0 <= ((z.a, agg.min(y.a)) for y in self.e for z in self.t0)
    @rule
    def r1(self):
        self.v1 <= ((u.a, 1) for u in self.v0)
    @rule
    def r2(self):
        self.v2 <= (((v.a + 3) % 5, v.b) for v in self.v0)
    @rule
    def r3(self):
        self.v3 <= ((w.a, w.a) for w in self.v1 if (w.b, w.b) not in self.v2)
    @rule
    def r4(self):
        self.v3 <+ ((q.b, q.a) for p in self.v3 for q in self.e)
""",
        (
            Input(0.0, (("insert", "e", ((2, 1),)),)),
            Input(3.0, (("insert", "t0", ((2, 0),)),)),
            Input(7.0, (("delete", "e", ((2, 1),)), ("insert", "v0", ((0, 3),)))),
        ),
    ),
    "a lazy lookup in a head finds no row while rows are derived again": (
        """
    t = table("a -> b")
    k = table("a, b")
    v = scratch("a, b")
    @rule
    def derive(self):
        self.v <= ((x.a, x.a) for x in self.t)
        self.v <= ((x.b, (x.b and self.k[(x.a, x.b)].a)) for x in self.v)
        self.v <= ((y.a, abs(x.b - x.a)) for x in self.v for y in self.v if y.b == x.b)
""",
        (Input(0.0, (("insert", "t", ((3, "a"), (0, "a"))),)), Input(1.0, (("delete", "t", (0,)),))),
    ),
    "a lazy lookup in a head finds no row for a deleted row of a table": (
        """
    e = table("a, b")
    t = table("a, b -> c")
    v = scratch("a, b")
    k = table("a, b", durable=True)
    @rule
    def derive(self):
        self.v <= ((x.b, y.b) for x in self.e for y in self.e)
        self.k <= (((self.t[(a, b)].c if b > a else a), b) for a, b in self.v)
""",
        (Input(0.0, (("insert", "e", ((3, 1), (3, 2))),)), Input(5.0, (("delete", "k", ((2, 2),)),))),
    ),
    "both scans of a table beside a recursive one change in one tick": (
        """
    t = table("a -> b")
    v = scratch("a, b")
    @rule
    def derive(self):
        self.v <= ((x.a, y.a) for x in self.t for y in self.t if x.b == y.b if x.a != y.a)
        self.v <= ((x.a, y.a) for x in self.t for z in self.v for y in self.t if x.b == z.a if z.b == y.b)
""",
        (
            Input(3.0, (("insert", "t", ((1, 3),)),)),
            Input(11.0, (("insert", "t", ((3, 3),)),)),
            Input(12.0, (("insert", "t", ((2, 3),)),)),
            Input(20.0, (("upsert", "t", ((2, 1),)), ("upsert", "t", ((3, 0),)))),
        ),
    ),
    "a row that stood is transient now": (
        """
    t = table("a, b -> c")
    v = table("a, b")
    w = scratch("a")
    i = interface.input("a, b")
    @rule
    def derive(self):
        self.w <= (x.a for x in self.i if any(x.a == y.b for y in self.t))
        self.v <= ((x.a, 3) for x in self.t for y in self.w if x.a > 9)
        self.w <= (x.b for x in self.v for y in self.v if y.a == x.b)
""",
        (
            Input(41.0, (("insert", "v", ((1, 2), (0, 1))), ("upsert", "t", ((2, 1, 3),)))),
            Input(42.0, (("delete", "v", ((1, 2),)), ("insert", "i", ((1, "b"),)))),
        ),
    ),
    "rows that stood are transient now, through a table in the recursion": (
        """
    e = table("a, b", durable=True)
    v0 = scratch("a, b")
    v1 = scratch("a, b")
    v2 = scratch("a, b")
    v3 = table("a, b", durable=True)
    @rule
    def derive(self):
        self.v0 <= ((x.a, x.b) for x in self.e)
        self.v0 <= ((x.a, y.b) for x in self.v1 for y in self.v0)
        self.v2 <= ((x.b, x.a) for x in self.v0)
        self.v2 <= ((x.a, y.b) for x in self.v3 for y in self.v2)
        self.v3 <= ((x.a, z.b) for x in self.v2 for y in self.v2 for z in self.v0)
        self.v1 <+ ((abs(z.a - z.b) % 4, (z.b + 3) % 5 % 4) for z in self.v2)
""",
        (
            Input(43.0, (("upsert", "e", ((2, 1),)), ("insert", "e", ((0, 2),)))),
            Input(44.0, (("delete", "e", ((2, 1),)),)),
        ),
    ),
    "a row that stood is transient now, while a transient rule negates": (
        """
    e = table("a, b")
    t0 = table("a -> b")
    v0 = scratch("a, b")
    v1 = scratch("a, b")
    v2 = scratch("a, b")
    i0 = interface.input("a")
    v4 = scratch("a, b")
    v5 = table("a, b")
    @rule
    def derive(self):
        self.v0 <= ((x.a, agg.rank(0.2)) for x in self.t0)
        self.v1 <= ((x.a, x.b) for x in self.e)
        self.v2 <= ((x.a, y.b) for x in self.e for y in self.v1)
        self.v4 <= ((((v.b if v.b > v.a else v.a) and self.v2.get((w.b, w.a), (2, 1)).b), v.a) for v in self.v1 for w in self.v2
                    if w.b == v.a if not any(p.a == w.a for p in self.v1 for q in self.v0 if q.b == w.a) if not any(v.a == w.b for _, in self.i0))
        self.v4 <= ((y.a, y.a) for y in self.v0 for _, _ in self.v5)
        self.v5 <= ((x.a, w) for u in self.v4 for x in self.v1 for w in (x.a, u.a))
""",
        (
            Input(45.0, (("upsert", "t0", ((1, 0),)), ("insert", "e", ((1, 1),)))),
            Input(47.0, (("delete", "t0", (1,)),)),
        ),
    ),
    "a negation and a scan take the two derivations of a recursive row in one tick": (
        """
    e = table("a, b")
    t0 = table("a")
    v0 = scratch("a")
    v1 = scratch("a, b")
    v2 = scratch("a, b")
    v3 = scratch("a, b")
    v4 = scratch("a, b")
    @rule
    def derive(self):
        self.v0 <= ((y.a,) for y in self.t0 for z in (y.a, y.a))
        self.v1 <= ((v.a, int(v.b > 1)) for u in self.v0 for v in self.e)
        self.v2 <= ((y.a, int((y.b + y.a) % 4 > 1)) for y in self.e if not any(z.a == y.a for z in self.t0))
        self.v3 <= (((u.b + u.a) % 4, u.a) for u in self.e if u.a == u.b)
        self.v2 <= ((v.b, v.a) for v in self.v4 for w in self.v1 if w.a == v.a)
        self.v3 <= ((q.a, 0) for p in self.v2 for q in self.v0 if p.b == q.a for x in (p.b, q.a) if all(p.b == y.a for y in self.e))
        self.v4 <= ((z.b, z.b) for z in self.v3)
    @rule
    def later(self):
        self.e <+ ((u.a % 4, u.a % 4) for u in self.v0)
""",
        (
            Input(11.0, (("insert", "t0", ((1,),)),)),
            Input(19.0, (("upsert", "e", ((1, 2),)),)),
            Input(21.0, (("delete", "t0", (1,)),)),
            Input(26.0, (("delete", "e", ((1, 1),)), ("insert", "t0", ((1,),)))),
        ),
    ),
    "a lattice value that two rows make keeps what the other gives when one goes": (
        """
    e = table("a, b")
    most = scratch("a -> b: lmax")
    seen = scratch("a -> b: lset")
    least = scratch("a -> b: lmin")
    @rule
    def derive(self):
        self.most <= ((x.a, x.b) for x in self.e)
        self.seen <= ((x.a, x.b) for x in self.e)
        self.least <= ((x.b, x.a + 1) for x in self.e)
""",
        (
            Input(2.0, (("insert", "e", ((1, 1),)),), store_fails=True),
            Input(10.0, (("insert", "e", ((0, 1),)),)),
            Input(11.0, (("delete", "e", ((0, 1),)),)),
            Input(29.0, (("insert", "e", ((4, 0), (4, 5))),)),
            Input(31.0, (("delete", "e", ((4, 5),)),)),
        ),
    ),
    "a name of an any is bound again by the any within it": (
        """
    e = table("a, b")
    t0 = table("a -> b")
    v0 = scratch("a")
    @rule
    def derive(self):
        self.v0 <= ((ya,) for ya, yb in self.t0 if all(z.a == ya for z in self.t0 if not any(ya == z.a for z in self.e for u in (ya, z.a))))
""",
        (
            Input(26.0, (("insert", "t0", ((3, None),)), ("insert", "t0", ((4, None),)))),
            Input(27.0, (("insert", "e", ((3, 3),)),)),
        ),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_evaluators_agree_where_they_once_differed(name):
    body, stream = CASES[name]
    outcome = compare(f"{HEADER}\nclass P(Bloom):{body}", stream)
    assert outcome.difference is None, outcome.difference
    assert outcome.counts["ticks"] == len(stream)
