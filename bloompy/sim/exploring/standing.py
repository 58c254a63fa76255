"""Which collections of a program hold the same rows whenever its tables do."""

from __future__ import annotations

from collections.abc import Collection as Names
from collections.abc import Iterable

from bloompy.analysis.dependencies import expressions, reads_tick, references
from bloompy.ir.nodes import Program, Rule, TickValue

EVENTS = frozenset({"input", "channel", "loopback", "periodic", "stdio"})
"""Kinds of collections that only what happens fills."""


def transient(program: Program, staged: Names[str] = ()) -> frozenset[str]:
    """The collections that may hold rows of one tick only: what the tables hold does not say what is in them.

    Args:
        program: it.
        staged: collections that are filled from outside besides those that can be filled in no other way.
    """
    filled = {rule.head for rule in program.rules if rule.operator in ("<=", "=") and rule.head}
    later = {rule.head for rule in program.rules if rule.operator == "<+"}
    found = {one.name for one in program.collections if one.kind in EVENTS or one.name not in filled} | later | set(staged)
    found -= {one.name for one in program.collections if one.kind == "table"}
    tables = {one.name for one in program.collections if one.kind == "table"}
    more = True
    while more:
        new = {
            rule.head
            for rule in program.rules
            if rule.operator in ("<=", "=") and rule.head and rule.head not in found | tables and passes(rule, program, found)
        }
        found |= new
        more = bool(new)
    return frozenset(found)


def passes(rule: Rule, program: Program, among: Iterable[str]) -> bool:
    """Whether what a rule derives needs more than the tables, some collections being transient."""
    names = set(among)
    if rule.kind == "bootstrap" or reads_tick(rule):
        return True
    return any(one.collection in names for one in references(rule, program.schemas))


def reads(program: Program, value: str) -> bool:
    """Whether a rule reads a constant of the tick: "now", "step" or "rand"."""
    found = (node for rule in program.rules for node in expressions(rule.query))
    return any(isinstance(node, TickValue) and node.name == value for node in found)
