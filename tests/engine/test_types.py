"""Which expressions cannot raise, from the types of what they are made of."""

from __future__ import annotations

import pytest

from bloompy import Bloom, exec_source
from bloompy.engine.lower import lower
from bloompy.engine.types import Scope, column_types, value_of
from bloompy.ir.nodes import Condition


def known(condition: str):
    """What is known of a condition over a row `r` of typed columns."""
    text = f"""
from bloompy import Bloom, param, rule, scratch, table

class Typed(Bloom):
    one = param(1)
    r = table("i: int, j: int, f: float, g: float, s: str, t: str, b: bool, o: int | None, u, w: tuple, z: frozenset")
    kv = table("k: int -> v: int")
    out = scratch("i")

    @rule
    def rules(self):
        self.out <= (r.i for r in self.r if [{condition}])
"""
    program: type[Bloom] = exec_source(text)["Typed"]
    lowered = lower(program.program_ir, frozenset(), False)
    [derivation] = lowered.components[-1].derivations
    [test] = [clause.test for clause in derivation.query.body if isinstance(clause, Condition)]
    parameters = {"one": 1}
    return value_of(test.parts[0], Scope(column_types(lowered, parameters), parameters=parameters))


SAFE = [
    ("r.i < r.j", {bool}),
    ("r.i < r.f", {bool}),
    ("r.i < r.b", {bool}),
    ("r.s >= r.t", {bool}),
    ("0 < r.i <= r.j", {bool}),
    ("r.i == r.u", {bool}),
    ("r.u is not None", {bool}),
    ("not r.u", {bool}),
    ("r.i + r.j * 2 - self.one", {int}),
    ("r.b + r.b", {int}),
    ("-r.i", {int}),
    ("-r.f", {float}),
    ("r.f * r.g", {float}),
    ("r.s + '/'", {str}),
    ("self.now - r.f > 3", {bool}),
    ("r.i if r.u else r.s", {int, str}),
    ("r.i in (1, 2, r.j)", {bool}),
    ("r.s in r.t", {bool}),
    ("r.u in r.w", {bool}),
    ("r.i in r.z", {bool}),
    ("r.i in self.kv", {bool}),
    ("self.kv.get(r.i, (0, 5)).v < 3", {bool}),
    ("self.kv.get(r.i, (0, r.u)).v", {object}),
    ("any(x.v > r.i for x in self.kv)", {bool}),
    ("self.step + 1", {int}),
    ("self.me", {str}),
]
FALLIBLE = [
    "r.i < r.s",
    "r.i < r.u",
    "r.o > 0",
    "r.w < r.w",
    "r.i // r.j",
    "r.i / 2",
    "r.i % r.j",
    "r.i ** r.j",
    "r.i + r.f",  # an int may be too large for a float
    "r.s * r.i",  # and a text too long for the memory
    "r.i << r.j",
    "r.u[0]",
    "r.u.x",
    "len(r.s)",
    "r.i + (1 // r.j)",
    "r.u in r.z",  # perhaps unhashable
    "r.i in r.s",
    "self.kv.get(r.i, (0, r.u)).v < 3",
    "self.kv.get(r.i // r.j, (0, 5)).v",
    "any(x.v > r.u for x in self.kv)",
    "any(w > 0 for x in self.kv for w in r.w)",
    "[x for x in r.w]",
    "(lambda x: x)",
]


@pytest.mark.parametrize(("expression", "types"), SAFE)
def test_expressions_that_cannot_raise(expression, types):
    value = known(expression)
    assert (value.safe, set(value.types)) == (True, types)


@pytest.mark.parametrize("expression", FALLIBLE)
def test_expressions_that_can(expression):
    assert not known(expression).safe
