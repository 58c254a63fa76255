"""Widths and types of heads, patterns, keys and literal rows."""

from __future__ import annotations

import pytest

from bloompy.errors import ArityError, ColumnTypeError
from tests.errors.reading import check, read

CASES = [
    ("self.typed <= (Link(l.src, src=l.dst, cost=1) for l in self.link)", ArityError, "src=l.dst", "Link is given src twice", "src: str"),
    ("self.s <= ((l.src,) for l in self.link)", ArityError, "l.src", "s has 2 columns, this row 1", "write a tuple of a, b"),
    ("self.s <= (l.src for l in self.link)", ArityError, "l.src", "this row 1", "write a tuple of a, b"),
    ("self.s <= ((l.src, 1, 2) for l in self.link)", ArityError, "l.src, 1, 2", "this row 3", "its columns are a, b"),
    ("self.s <= (l for l in self.link)", ArityError, "l", "this row 3", "its columns are a, b"),
    ("self.s <= ((*l, 1) for l in self.link)", ArityError, "l, 1", "this row 4", "its columns are a, b"),
    ("self.s <= self.link", ArityError, "self.link", "this row 3", "its columns are a, b"),
    ("self.one <= ((l.src, l.dst) for l in self.link)", ArityError, "l.src, l.dst", "one has 1 column, this row 2", "write ((…),)"),
    ("self.s <= (1, 2, 3)", ArityError, "1, 2, 3", "this row 3", "its columns are a, b"),
    ("self.s <= [(1, 2), (3,)]", ArityError, "3", "this row 1", "write a tuple of a, b"),
    ("self.s <= ((1, 2), (3, 4), (5, 6))", ArityError, "(1, 2), (3, 4), (5, 6)", "this row 3", "for several rows write a list"),
    ("t = [(1, 2), (3,)]", ArityError, "(3,)", "the first row of t has 2 columns, this one 1", "the same columns"),
    ("self.s <= ((a, b) for a, b in self.link)", ArityError, "a, b", "link has 3 columns, this pattern 2", "src, dst -> cost: int"),
    ("self.s <= ((l.src, 1) for l in self.link if (1, 2, 3) in self.link)", ArityError, "(1, 2, 3)", "2 columns, this one 3", "(src, dst)"),
    ("self.s <= ((l.src, 1) for l in self.link if 'a' in self.link)", ArityError, "'a'", "the key of link has 2 columns, this one 1", "(src, dst)"),
    ("self.s <= ((l.src, 1) for l in self.link if l in self.link)", ArityError, "l", "2 columns, this one 3", "(src, dst)"),
    ("self.s <= ((l.src, self.q[l.src, 1].v) for l in self.link)", ArityError, "l.src, 1", "the key of q has 1 column", "bare value of 'k'"),
    ("self.s <= ((l.src, self.q.get(l.src).v) for l in self.link)", ArityError, "self.q.get(l.src)", "a key and a default row", "(key, (k, v))"),
    ("self.s <= ((l.src, self.q.get(l.src, (0,)).v) for l in self.link)", ArityError, "(0,)", "1 value, q 2 columns", "a whole row"),
    ("self.s <= ((l.src, self.q.get(l.src, 0).v) for l in self.link)", ArityError, "0", "the default of get is 0", "a whole row"),
    ("self.s <= ((l[0], l[3]) for l in self.link)", ArityError, "l[3]", "3 columns, none at 3", "src, dst -> cost: int"),
    ("self.link <- (l.src for l in self.link)", ArityError, "l.src", "this row 1", "the whole row or just the key: src, dst -> cost: int"),
    ("self.typed <= (Link(l.src, l.dst) for l in self.link)", ArityError, "Link(l.src, l.dst)", "Link has 3 columns, here 2", "src: str"),
    ("self.number <= 'a'", ColumnTypeError, "'a'", "column 'n': 'a' is not of type int", "declared is n: int"),
    ("self.number <= True", ColumnTypeError, "True", "a bool is not taken for a number", "n: int"),
    ("self.number <= None", ColumnTypeError, "None", "None is not allowed", "n: int"),
    ("self.number <= 1.5", ColumnTypeError, "1.5", "not of type int", "n: int"),
    ("self.flag <= ((l.src, 1) for l in self.link)", ColumnTypeError, "1", "column 'b'", "b: bool"),
    ("self.flag <= ((l.src, l.cost) for l in self.link)", ColumnTypeError, "l.cost", "type int is not of type bool", "b: bool"),
    ("self.number <= (t.src for t in self.typed)", ColumnTypeError, "t.src", "type str is not of type int", "n: int"),
    ("self.number <= (b for _, b in self.flag)", ColumnTypeError, "b", "type bool is not of type int", "n: int"),
    ("self.number <= (r.r for r in self.ratio)", ColumnTypeError, "r.r", "type float is not of type int", "n: int"),
    ("self.number <= self.me", ColumnTypeError, "self.me", "type str is not of type int", "n: int"),
    ("self.number <= (f'{l.src}' for l in self.link)", ColumnTypeError, "f'{l.src}'", "type str", "n: int"),
    ("self.q <= ((l.src, agg.collect(l.cost)) for l in self.link)", ColumnTypeError, "agg.collect(l.cost)", "type tuple", "v: int"),
    ("self.s <= ((l.src, self.q[3].v) for l in self.link)", ColumnTypeError, "3", "column 'k': 3 is not of type str", "k: str"),
    ("self.s <= ((l.src, 1) for l in self.link if l.cost in self.q)", ColumnTypeError, "l.cost", "type int is not of type str", "k: str"),
    ("self.s <= ((l.src, self.q.get('a', ('a', 'b')).v) for l in self.link)", ColumnTypeError, "'b'", "column 'v'", "v: int"),
    ("self.q <- [3]", ColumnTypeError, "3", "column 'k'", "k: str"),
    ("self.s <= ((l.src, [l.dst]) for l in self.link)", ColumnTypeError, "[l.dst]", "a list cannot stand in a row", "write tuple([l.dst])"),
    ("self.s <= ((l.src, {1: 2}) for l in self.link)", ColumnTypeError, "{1: 2}", "a dict cannot stand in a row", "tuple"),
    ("self.s <= ((l.src, {1, 2}) for l in self.link)", ColumnTypeError, "{1, 2}", "a set cannot stand in a row", "frozenset({1, 2})"),
    ("self.s <= ((l.src, sorted(l.dst)) for l in self.link)", ColumnTypeError, "sorted(l.dst)", "a list", "tuple(sorted(l.dst))"),
    ("self.s <= ((l.src, (w for w in l.dst)) for l in self.link)", ColumnTypeError, "(w for w in l.dst)", "a generator", "tuple("),
    ("self.s <= ((l.src, lambda: 1) for l in self.link)", ColumnTypeError, "lambda: 1", "a function", "compute the value"),
]


@pytest.mark.parametrize(("rule", "kind", "caret", "message", "hint"), CASES, ids=[case[0] for case in CASES])
def test_the_error_names_the_place_and_the_remedy(rule: str, kind: type, caret: str, message: str, hint: str) -> None:
    check(rule, kind, caret, message, hint)


RIGHT = [
    "self.ratio <= ((l.src, l.cost) for l in self.link)",
    "self.ratio <= ('a', 1)",
    "self.optional <= ('a', None)",
    "self.number <= (o.v for o in self.optional)",
    "self.number <= (l.src for l in self.link)",
    "self.number <= (3,)",
    "self.number <= [1, -2, (3,)]",
    "self.one <= ((1, 2),)",
    "self.typed <= (Link(l.src, dst=l.dst, cost=3) for l in self.link)",
    "self.typed <= (Link('a', l.dst, l.cost) for l in self.typed)",
    "self.q <- ['a']",
    "self.s <= ((l.src, tuple(sorted(l.dst))) for l in self.link)",
    "self.s <= ((l.src, self.one.get(l.src, 0).x) for l in self.link)",
    "self.s <= ((x, 1) for x in self.s if x in self.s and (1, 2) in self.s)",
]


@pytest.mark.parametrize("rule", RIGHT)
def test_what_fits_is_taken(rule: str) -> None:
    assert read(rule).program_ir.rules
