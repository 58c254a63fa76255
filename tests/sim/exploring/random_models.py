"""Small random clusters: two nodes that run some of a list of rules."""

from __future__ import annotations

import itertools
import linecache
from collections.abc import Sequence
from typing import Any

from bloompy import Bloom
from bloompy.errors import RuleError
from bloompy.sim.exploring import Model

HEAD = """
from bloompy import Bloom, agg, bootstrap, channel, interface, lattice, loopback, param, rule, scratch, table

class Cluster(Bloom):
    peer = param("")
    put = interface.input("a, b")
    ask = interface.input("a, b")
    seen = table("a, b")
    last = table("a -> b")
    most = table("a -> b: lmax")
    stage = scratch("a, b")
    view = scratch("a, b")
    count = scratch("-> number")
    told = channel("@to, a, b")
    asked = channel("@to, a")
    again = loopback("a, b")

    @rule
    def rules(self):
"""

RULES = [
    "self.seen <= ((t.a, t.b) for t in self.told)",
    "self.seen <= ((p.a, p.b) for p in self.put)",
    "self.seen <+ ((t.a, t.b) for t in self.told)",
    "self.last <+- ((t.a, t.b) for t in self.told)",
    "self.last <+- ((p.a, p.b) for p in self.put)",
    "self.most <= ((t.a, t.b) for t in self.told)",
    "self.most <= ((p.a, p.b) for p in self.put)",
    "self.told <~ ((self.peer, p.a, p.b) for p in self.put)",
    "self.told <~ ((self.peer, s.b, s.a) for s in self.seen)",
    "self.told <~ ((self.peer, m.a, m.b) for m in self.most)",
    "self.told <~ ((self.peer, v.a, v.b) for v in self.view)",
    "self.told <~ ((self.peer, s.a, s.b) for q in self.asked for s in self.seen if s.a == q.a)",
    "self.asked <~ ((self.peer, p.a) for p in self.ask)",
    "self.asked <~ ((self.peer, l.b) for l in self.last)",
    "self.seen <- ((s.a, s.b) for q in self.asked for s in self.seen if s.a == q.a)",
    "self.last <- (q.a for q in self.asked)",
    "self.stage <= ((t.a, t.b) for t in self.told if t.b > 0)",
    "self.seen <= ((s.b, s.a) for s in self.stage)",
    "self.stage <+ ((p.b, p.a) for p in self.put)",
    "self.view <= ((s.a, o.b) for s in self.seen for o in self.seen if s.b == o.a)",
    "self.view <= ((s.a, s.b) for s in self.seen if s.a not in self.last)",
    "self.count <= (agg.count() for s in self.seen)",
    "self.told <~ ((self.peer, c.number, 0) for c in self.count if c.number < 3)",
    "self.again <~ ((t.b, t.a) for t in self.told)",
    "self.seen <= self.again",
    "self.most <= ((m.a, m.b) for m in self.told if m.a in self.most)",
    "self.seen <= ((m.a, 0) for m in self.most if m.b > 1)",
    "self.told <~ ((self.peer, 1, 1) for q in self.asked if not any(True for _ in self.seen))",
    "self.told <~ ((self.peer, s.a, s.b) for s in self.stage)",
]

FIRST = [RULES[1], RULES[4], RULES[6], RULES[7]]
SECOND = [rule for rule in RULES if rule.startswith(("self.told <~", "self.asked <~"))]
THIRD = [rule for rule in RULES if "in self.told" in rule or "in self.asked" in rule]
"""Of each at least one, so that something happens."""

_NUMBERS = itertools.count()


def program(rules: Sequence[str]) -> type[Bloom] | None:
    """The class with these rules; None where they are no program."""
    source = HEAD + "".join(f"        {rule}\n" for rule in rules)
    file = f"<cluster {next(_NUMBERS)}>"
    linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
    namespace: dict[str, Any] = {"__name__": "random_models"}
    try:
        exec(compile(source, file, "exec"), namespace)
    except RuleError:
        return None
    found: type[Bloom] = namespace["Cluster"]
    return found


def model(kind: type[Bloom], inputs: Sequence[tuple[int, str, int, int]], **options: Any) -> Model:
    """Two nodes, and inputs (node, collection, a, b) that may come once each."""
    found = Model(**options)
    for address, peer in (("x", "y"), ("y", "x")):
        found.add(kind, address, peer=peer)
    for node, name, a, b in inputs:
        found.input("xy"[node], name, (a, b))
    return found
