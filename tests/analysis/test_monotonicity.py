"""Which rules are monotone, and what keeps others from it."""

from __future__ import annotations

import pytest

from bloompy import Bloom, agg, channel, lattice, periodic, rule, scratch, table
from bloompy.analysis.monotonicity import obstacles


class Rules(Bloom):
    """One rule of each sort; the comment names what keeps it from being monotone."""

    a = table("k, v")
    b = scratch("k -> v")
    c = channel("@to, k")
    most = lattice.lmax()
    beat = periodic(1)
    d = table("k, v")
    e = scratch("k, v")

    @rule
    def rules(self):
        self.e <= self.a  # -
        self.e <= ((x.k, y.v) for x in self.a for y in self.b if x.k == y.k and x.k in self.b)  # -
        self.e <= ((x.k, 1) for x in self.a if any(y for y in self.b if y.k == x.k) or x.v == 3)  # -
        self.e <= ((x.k, self.b[x.k].v) for x in self.a)  # -
        self.d <+ self.a  # -
        self.c <~ (("n", x.k) for x in self.a)  # -
        self.e <= ((x.k, 2) for x in self.a if self.most.value > 3)  # -
        self.e <= ((x.k, 1) for x in self.a for t in self.beat)  # -
        self.e <= ((x.k, 1) for x in self.a if x.k not in self.b)  # negation b
        self.e <= ((x.k, 1) for x in self.a if not any(y.k == x.k for y in self.b))  # negation b
        self.e <= ((x.k, 1) for x in self.a if all(y.v == x.v for y in self.b))  # negation b
        self.e <= ((x.k, agg.count()) for x in self.a)  # aggregation a
        self.e <= ((x.k, self.b.get(x.k, (0, 0)).v) for x in self.a)  # get b
        self.e <= ((x.k, int(x.k in self.b)) for x in self.a)  # value b
        self.e <= ((x.k, 2) for x in self.a if self.most.value < 3)  # lattice most
        self.e <= ((x.k, self.now) for x in self.a)  # clock now
        self.e <= ((x.k, t.no) for x in self.a for t in self.beat)  # clock beat
        self.d <- self.a  # deletion d
        self.a <+- ((x.k, 2) for x in self.d)  # replacement a


def expected():
    """Each rule with its comment."""
    for one in Rules.program_ir.rules:
        if one.statement >= 0:
            yield pytest.param(one, one.span.text.rpartition("#")[2].strip(), id=f"{one.statement}")


@pytest.mark.parametrize(("one", "comment"), list(expected()))
def test_what_keeps_a_rule_from_being_monotone(one, comment):
    found = [f"{obstacle.kind} {obstacle.collection}" for obstacle in obstacles(one, Rules.program_ir)]
    assert found == ([] if comment == "-" else [comment])


def test_an_obstacle_knows_its_place():
    by_kind = {one.kind: one for each in Rules.program_ir.rules for one in obstacles(each, Rules.program_ir)}
    text = {kind: one.span.text[one.span.column : one.span.end_column] for kind, one in by_kind.items()}
    assert text["aggregation"] == "agg.count()"
    assert text["get"] == "self.b.get(x.k, (0, 0))"
    assert text["clock"] == "t"
    assert str(by_kind["get"]) == "reads b with get"
