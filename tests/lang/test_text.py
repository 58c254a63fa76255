"""Printed rules read again are the same rules."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from bloompy import exec_source, lattice
from bloompy.ir import nodes
from bloompy.ir.text import expression_text, program_text, rule_text
from bloompy.lang import templates
from tests.lang.corpus import HEADER, RULES, program_of

DEFAULTS = {"horizon": 7, "kvs.wait": 2}


def read(text: str, name: str = "P") -> nodes.Program:
    ir: nodes.Program = exec_source(text, {"__name__": "printed"})[name].program_ir
    return ir


def again(program: nodes.Program, name: str = "P") -> nodes.Program:
    return read(HEADER + program_text(program, DEFAULTS), name)


def assert_equal(first: nodes.Program, second: nodes.Program) -> None:
    for one, other in zip(first.rules, second.rules, strict=True):
        assert one == other, rule_text(one, first)
    assert set(first.collections) == set(second.collections)
    assert first.parameters == second.parameters


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_printed_and_read_again_is_the_same(rule: str) -> None:
    program = read(program_of([rule]))
    assert_equal(program, again(program))


def test_a_whole_program_printed_and_read_again_is_the_same() -> None:
    program = read(program_of(RULES))
    assert_equal(program, again(program))


def test_printing_what_was_printed_changes_nothing() -> None:
    program = read(program_of(RULES))
    assert program_text(again(program), DEFAULTS) == program_text(program, DEFAULTS)


def test_a_subclass_that_fills_inherited_inputs_stays_one() -> None:
    program = read(HEADER + INHERITED, "Sub")
    assert_equal(program, again(program, "Sub"))


INHERITED = """
class Base(Bloom):
    given = interface.input("a")
    made = interface.output("a")
    @rule
    def copy(self):
        self.made <= self.given
class Sub(Base):
    more = table("a")
    @rule
    def fill(self):
        self.given <= self.more
        self.more <+ self.made
"""


def test_the_text_of_one_rule() -> None:
    program = read(program_of(["self.s <= ((l.src, l.dst) for l in self.link if l.cost < self.horizon and l.src in self.one)"]))
    rule = next(rule for rule in program.rules if rule.label == "P.r0")
    assert rule_text(rule, program) == (
        "self.s <= ((l.src, l.dst) for l in self.link if l.cost < self.horizon if l.src in self.one)"
    )


def test_a_rule_of_an_inner_module_is_printed_in_its_own_words() -> None:
    program = read(program_of([]))
    texts = [rule_text(rule, program) for rule in program.rules if rule.module == "kvs"]
    assert texts == ["self.store <+- ((p.key, p.value) for p in self.put if self.wait)", "self.got <= self.store"]


# --- random expressions -----------------------------------------------------------------------------------------

ROW = nodes.RowVariable("l", "link")
LEAVES: list[nodes.Expression] = [
    nodes.Field(ROW, "src", 0),
    nodes.Field(ROW, "cost", 2),
    nodes.Variable("v"),
    nodes.Parameter("horizon"),
    nodes.TickValue("step"),
    nodes.Global("f"),
    ROW,
]
values = st.one_of(st.booleans(), st.none(), st.integers(-9, 9), st.floats(-1e9, 1e9), st.text("ab {}", max_size=3))
leaves = st.one_of(st.sampled_from(LEAVES), st.builds(nodes.Const, values))
TWO = ["+", "-", "*", "/", "//", "%", "**", "<<", ">>", "&", "|", "^", "@", "==", "!=", "<", "<=", ">", ">=", "is", "in", "and", "or"]


def composed(below: st.SearchStrategy[nodes.Expression]) -> st.SearchStrategy[nodes.Expression]:
    def python(template: str, *parts: st.SearchStrategy[nodes.Expression]) -> st.SearchStrategy[nodes.Expression]:
        return st.tuples(*parts).map(lambda found: nodes.Python(template, found))

    no_number = below.filter(lambda e: not isinstance(e, nodes.Const))
    no_flag = below.filter(lambda e: not isinstance(e, nodes.Member | nodes.Exists))
    no_row = below.filter(lambda e: not isinstance(e, nodes.RowVariable | nodes.Lookup | nodes.Get))
    return st.one_of(
        *(python(f"_0 {sign} _1", below, below) for sign in TWO),
        python("_0 < _1 != _2", below, below, below),
        python("_0 if _1 else _2", below, below, below),
        python("(_0, _1)", below, below),
        python("(_0,)", below),
        python("{_0: _1}", below, below),
        python("-_0", no_number),
        python("~_0", below),
        python("not _0", no_flag),
        python("_0.upper", no_row),
        python("_0[_1]", no_row, below),
        python("_0[_1:_2]", below, below, below),
        python("_0(_1, *_2, k=_3)", st.just(nodes.Global("f")), below, below, below),
        python("[_2 for w in _0 if _1]", below, below, st.one_of(below, st.just(nodes.Variable("w")))),
        python("_0(_1)", st.just(nodes.Global("f")), python("lambda w, n=_0: _1", below, st.one_of(below, st.just(nodes.Variable("w"))))),
        st.builds(nodes.Member, st.just("one"), no_row, st.booleans()),
        st.builds(lambda key: nodes.Field(nodes.Get("one", key, nodes.Python("(_0,)", (key,))), "x", 0), no_row),
        st.builds(
            lambda test, negated: nodes.Exists(
                (nodes.Scan("t", "one"), nodes.Condition(test), nodes.Condition(nodes.Field(nodes.RowVariable("t", "one"), "x", 0))), negated
            ),
            below.filter(lambda e: not (isinstance(e, nodes.Python) and (" and " in e.template or "_0 < _1 !=" in e.template))),
            st.booleans(),
        ),
    )


expressions = st.recursive(leaves, composed, max_leaves=12)
BASE = read(program_of([]))


def inside_python(expression: Any, seen: bool = False) -> bool:
    """Whether a query over a collection stands inside a Python comprehension or lambda, which the language refuses."""
    if expression is None:
        return False
    if isinstance(expression, nodes.Exists):
        return seen or any(inside_python(getattr(c, "test", None), seen) for c in expression.body)
    if isinstance(expression, nodes.Python):
        seen = seen or "for w" in expression.template or "lambda" in expression.template
        return any(inside_python(part, seen) for part in expression.parts)
    return any(inside_python(getattr(expression, name, None), seen) for name in ("key", "default", "row"))


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
@settings(max_examples=100, deadline=None)
@given(expressions)
def test_a_random_expression_printed_and_read_again_is_the_same(expression: nodes.Expression) -> None:
    if inside_python(expression):
        return
    wrapped = nodes.Python("_0(_1)", (nodes.Global("f"), expression))
    body = (nodes.Scan("l", "link"), nodes.Iterate("v", nodes.Field(ROW, "src", 0)))
    rule = nodes.Rule("P.r0", 0, "rule", "s", "<=", nodes.Select((wrapped, wrapped), body), scope="r0@printed:P")
    program = evolve(BASE, rules=(*(r for r in BASE.rules if r.label == "Kvs.keep"), rule))
    assert again(program).rules[-1] == rule, expression_text(expression, rule, program)


def test_a_template_has_a_hole_for_every_part() -> None:
    """`split` and `_Fill` agree on what a hole is."""
    assert templates._HOLE.fullmatch("_12")
    assert not templates._HOLE.fullmatch("_a")


class lpair(lattice.Lattice):
    """A lattice that the text names."""

    bottom = (0, 0)

    @staticmethod
    def merge(a, b):
        return max(a, b)


@lattice.monotone(lattice.lset, to=lattice.lmax)
def width(values):
    """A function that keeps growth."""
    return max(values, default=0)


GROWING = """
class Inner(Bloom):
    a = lattice.lset()
    given = interface.input("x")
    made = interface.output("-> v: lset")
    @rule
    def copy(self):
        self.a <= (g.x for g in self.given)
        self.made <= self.a
class P(Bloom):
    link = table("src, dst -> cost: int")
    path = scratch("src, dst -> cost: lmin")
    most = lattice.lmax(durable=True)
    costs = lattice.lmap(lattice.lmin)
    other = lattice.lmap()
    pair = lpair()
    pairs = table("k -> v: lpair, w: lmap[lset]")
    inner = module(Inner)
    @rule
    def grow(self):
        self.path <= ((l.src, l.dst, l.cost) for l in self.link)
        self.path <= ((l.src, p.dst, l.cost + p.cost) for l in self.link for p in self.path if l.dst == p.src)
        self.most <= (p.cost for p in self.path if self.most.value > 9)
        self.most <+ width(frozenset([3]))
        self.costs <= (lattice.Map({p.src: p.cost}) for p in self.path)
        self.other <= self.costs.value
        self.inner.given <= ((l.src,) for l in self.link if self.costs.value.at(l.src) < 3)
"""


def test_lattices_printed_and_read_again_are_the_same() -> None:
    header = HEADER + "from tests.lang.test_text import lpair, width\n"
    program = read(header + GROWING)
    assert_equal(program, read(header + program_text(program, DEFAULTS)))
    assert any("Growth" in repr(rule) for rule in program.rules)
