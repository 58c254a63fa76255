"""Names that are not there, and names used from the wrong side."""

from __future__ import annotations

import pytest

from bloompy import exec_source
from bloompy import rule as rule_decorator
from bloompy.errors import InterfaceError, UnknownCollection, UnknownColumn, UnknownName, UnsupportedStatement
from tests.errors.reading import check, read

CASES = [
    ("self.s <= ((l.src, 1) for l in self.linc)", UnknownCollection, "self.linc", "P has no 'linc'", "did you mean self.link?"),
    ("self.t <= self.link", UnknownCollection, "self.t", "P has no 't'", "it has back, flag, given"),
    ("self.s <= ((l.src, self.limt) for l in self.link)", UnknownCollection, "self.limt", "'limt'", "did you mean self.limit?"),
    ("self.s <= ((l.src, self.helpr(1)) for l in self.link)", UnknownCollection, "self.helpr", "'helpr'", "did you mean self.helper?"),
    ("self.s <= ((l.src, self.stop) for l in self.link)", UnknownCollection, "self.stop", "'stop'", "did you mean self.step?"),
    ("self.kvs.putt <= self.s", UnknownCollection, "self.kvs.putt", "'kvs.putt'", "did you mean self.kvs.put?"),
    ("self.s <= self.kvs.gott", UnknownCollection, "self.kvs.gott", "'kvs.gott'", "did you mean self.kvs.got?"),
    ("self.s <= ((l.src, l.dts) for l in self.link)", UnknownColumn, "l.dts", "link has no column 'dts'", "did you mean dst?"),
    ("self.s <= ((l.src, l.xyz) for l in self.link)", UnknownColumn, "l.xyz", "'xyz'", "its columns are src, dst -> cost: int"),
    ("self.s <= ((l.src, self.q[l.src].w) for l in self.link)", UnknownColumn, "self.q[l.src].w", "q has no column 'w'", "k: str -> v: int"),
    ("self.s <= ((l.src, self.q.get('a', ('a', 1)).vv) for l in self.link)", UnknownColumn, "self.q.get('a', ('a', 1)).vv", "'vv'", "mean v?"),
    ("t = ((l.src, l.dst) for l in self.link)\nself.s <= ((x.src, x.dts) for x in t)", UnknownColumn, "x.dts", "t has no column", "dst?"),
    ("self.typed <= (Link(l.src, l.dst, cst=1) for l in self.link)", UnknownColumn, "cst=1", "Link has no column 'cst'", "did you mean cost?"),
    ("self.s <= ((link.src, lnk) for link in self.link)", UnknownName, "lnk", "'lnk' is not bound", "did you mean link?"),
    ("self.s <= ((l.src, y.cost) for l in self.link)", UnknownName, "y", "'y' is not bound", "did you mean l?"),
    ("self.s <= ((l.src, l.dst) for l in link)", UnknownName, "link", "'link' is not bound", "did you mean self.link?"),
    ("self.s <= ((a, z) for a in self.one if z.x for z in self.one)", UnknownName, "z", "only further on", "after the `for` that binds it"),
    ("self.s <= ((l.src, t) for l in self.link)\nt = self.one", UnknownName, "t", "assigned further down", "above the rules that use it"),
    ("self.s <= ((l.src, 1) for l in self.link if (l.src, _) in self.link)", UnknownName, "_", "`_` binds nothing", "give the column a name"),
    ("self.given <= self.s", InterfaceError, "self.given", "given is an input of P", "fill it from a subclass"),
    ("self.s <= self.made", InterfaceError, "self.made", "made is an output of P", "keep the rows in a scratch"),
    ("self.s <= ((l.src, 1) for l in self.link if l not in self.made)", InterfaceError, "self.made", "an output of P", "scratch"),
    ("self.s <= self.kvs.put", InterfaceError, "self.kvs.put", "put is an input of the module kvs", "its outputs are got"),
    ("self.s <= self.kvs.store", InterfaceError, "self.kvs.store", "store is a table of the module kvs", "its outputs are got"),
    ("self.kvs.store <= self.s", InterfaceError, "self.kvs.store", "not filled from outside", "its inputs are put"),
    ("self.kvs.got <= self.s", InterfaceError, "self.kvs.got", "got is an output of the module kvs", "its inputs are put"),
    ("self.limit <= self.one", UnsupportedStatement, "self.limit", "self.limit is a parameter", "into the head or the conditions"),
    ("self.s <= self.helper", UnsupportedStatement, "self.helper", "self.helper is a method", "into the head"),
    ("self.s <= self.kvs", UnsupportedStatement, "self.kvs", "self.kvs is a module", "its interfaces are self.kvs.put, self.kvs.got"),
    ("self.s <= ((l.src, self) for l in self.link)", UnsupportedStatement, "self", "self alone is no value", "self.me"),
    ("self.s <= ((l.src, self.q) for l in self.link)", UnsupportedStatement, "self.q", "self.q is a collection, not a value", "`for`, `in`"),
    ("self.s <= ((l.src, self.link.src) for l in self.link)", UnsupportedStatement, "self.link.src", "no place", "(row.src for row in self.link)"),
    ("self.s <= ((x, x) for x, x, _ in self.link)", UnsupportedStatement, "x", "'x' is bound twice", "if x == x2"),
]


@pytest.mark.parametrize(("rule", "kind", "caret", "message", "hint"), CASES, ids=[case[0] for case in CASES])
def test_the_error_names_the_place_and_the_remedy(rule: str, kind: type, caret: str, message: str, hint: str) -> None:
    check(rule, kind, caret, message, hint)


RIGHT = [
    "self.s <= ((l.src, defined_later(l.dst)) for l in self.link)",
    "self.s <= ((l.src, CONSTANT) for l in self.link)",
    "self.s <= ((l.src, self.limit) for l in self.link)",
    "self.made <= self.given",
    "self.kvs.put <+ self.s",
    "self.s <= self.kvs.got",
]


@pytest.mark.parametrize("rule", RIGHT)
def test_what_is_right_is_taken(rule: str) -> None:
    assert read(rule).program_ir.rules


def test_a_subclass_fills_inherited_inputs_and_reads_inherited_outputs() -> None:
    namespace = {"__name__": "sub", "P": read("self.made <= self.given"), "rule": rule_decorator}
    program = exec_source(SUBCLASS, namespace)["Sub"].program_ir
    assert [rule.head for rule in program.rules if rule.label == "Sub.more"] == ["given", "s"]


SUBCLASS = """
class Sub(P):
    @rule
    def more(self):
        self.given <= self.s
        self.s <+ self.made
"""
