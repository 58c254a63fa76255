"""Every form of the language is read, and means the same to both evaluators."""

from __future__ import annotations

from typing import Any

import pytest

from bloompy import exec_source
from tests.errors.reading import read
from tests.lang.corpus import METHODS, RULES, program_of

MORE = [
    "self.s <= ((l.src, f(lambda w: w in self.one)(l.cost)) for l in self.link if False)",
    "self.s <= ((l.src, tuple(self.typed[w].v for w in l.src)) for l in self.link)",
    "self.s <= ((l.src, tuple(self.typed.get(w, (w, 1, 2.0)).v for w in l.src)) for l in self.link)",
    "self.s <= ((l.src, any(y.src == l.dst for y in self.link)) for l in self.link)",
    "self.s <= ((l.src, self.typed[l.src] if l.src in self.typed else 3) for l in self.link)",
    "self.s <= ((l.src, l) for l in self.link)",
    "self.s <= ((l.src, l[0:2]) for l in self.link)",
    "self.s <= ((l.src, len(l)) for l in self.link)",
]


def ticks(program: Any) -> list[Any]:
    """What three ticks of a filled program send and leave, or the kind of error that ends them."""
    program.link.insert(("a", "b", 5), ("b", "c", 2), ("c", "a", 9))
    program.typed.insert(("a", 1, 1.0), ("b", None, 2.0))
    program.one.insert("b", "a")
    program.s.insert((1, 2))
    program.odd.insert((1, 2, 3))
    program.single.insert("v")
    program.i.insert(("i", "j"))
    found: list[Any] = []
    for step in range(3):
        try:
            tick = program.tick(now=2.0 * step)
        except Exception as error:
            return [*found, type(error)]
        held = {name: sorted(map(repr, getattr(program, name).rows())) for name in ("link", "s", "one", "pairs", "o", "odd", "typed")}
        found.append((dict(tick.sent), held))
    return found


@pytest.mark.parametrize("rule", RULES + MORE)
def test_both_evaluators_agree_on_a_form(rule: str, capsys: pytest.CaptureFixture[str]) -> None:
    made = exec_source(program_of([rule]).replace(METHODS, ""), {"__name__": "forms"})["P"]
    assert ticks(made(evaluator="naive")) == ticks(made(evaluator="codegen"))


def test_the_variable_of_a_list_does_not_hide_a_function() -> None:
    """From Python 3.12 on variables of list comprehensions are locals of the method."""
    rules = read("self.s <= [(f.src, 1) for f in self.link]\nself.s <= ((l.src, f(l.dst)) for l in self.link)").program_ir.rules
    assert len(rules) == 2


def test_a_docstring_alone_makes_a_method_without_rules() -> None:
    assert read('"""Nothing yet."""').program_ir.rules == ()


def test_chained_equalities_are_conjuncts() -> None:
    chained = read("self.s <= ((l.src, x.x) for l in self.link for x in self.one if l.src == x.x == l.dst)")
    apart = read("self.s <= ((l.src, x.x) for l in self.link for x in self.one if l.src == x.x and x.x == l.dst)")
    assert chained.program_ir.rules == apart.program_ir.rules


def test_several_rows_of_one_statement_are_several_rules() -> None:
    rules = read("self.s <= [(1, 2), (3, 4)]\nself.s <= self.given").program_ir.rules
    assert [(rule.statement, rule.query.body == ()) for rule in rules] == [(0, True), (0, True), (1, False)]


def test_a_deletion_by_key_says_so() -> None:
    rules = read("self.link <- ((l.src, l.dst) for l in self.link)\nself.link <- self.link").program_ir.rules
    assert [rule.by_key for rule in rules] == [True, False]
