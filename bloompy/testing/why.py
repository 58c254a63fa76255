"""Why the rows that break an invariant came about, or why an expected one did not, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, TypeAlias

from bloompy.errors import BloomError, InvariantViolation, OutcomeMissing
from bloompy.ir.nodes import Expression, Field, Program, RowVariable, Rule, Scan, Variable
from bloompy.program import machine_of
from bloompy.sim.node import SimNode
from bloompy.sim.simulation import Simulation

_FACTS = 2
_LINES = 24

Fact: TypeAlias = tuple[str, str, Any]
"""Node, collection, row."""


def why_lines(sim: Simulation, error: BaseException | None) -> tuple[str, ...]:
    """The derivations of the rows that a violated invariant joined, and what kept a row away that was expected.

    Nothing for other failures, or without a trace.
    """
    if not len(sim.trace):
        return ()
    found: list[str] = []
    if isinstance(error, InvariantViolation):
        for fact in islice(_facts(sim, error), _FACTS):
            found += _told(sim, "why", fact)
    elif isinstance(error, OutcomeMissing) and error.asked is not None:
        found += _told(sim, "why_not", error.asked)
    return tuple(found)


def _told(sim: Simulation, question: str, fact: Fact) -> Iterator[str]:
    try:
        lines = str(getattr(sim, question)(*fact)).splitlines()
    except BloomError:  # such as a row of a module whose derivation nobody can tell
        return
    yield from (f"  {line}" for line in lines[:_LINES])
    if len(lines) > _LINES:
        yield f"  … {len(lines) - _LINES} more lines: sim.{question}{fact!r}"


def _facts(sim: Simulation, violation: InvariantViolation) -> Iterator[Fact]:
    """The rows that the invariant's query found, where its head tells their columns; each once."""
    last = next((event.node for event in reversed(sim.trace.events) if event.kind == "tick"), "")
    seen: set[Fact] = set()
    for node in sim.up:
        for program, shift in ((type(node.program).program_ir, 0), (type(node.program).cluster_ir, 1)):
            if not shift and node.address != last:
                continue
            for rule in _named(program, violation.rule):
                for fact in _rows(node, program, rule, violation.rows, shift):
                    if fact not in seen:
                        seen.add(fact)
                        yield fact


def _named(program: Program, place: str) -> Iterator[Rule]:
    return (rule for rule in program.rules if rule.kind == "invariant" and rule.place == place)


def _rows(node: SimNode, program: Program, rule: Rule, violating: Sequence[tuple[Any, ...]], shift: int) -> Iterator[Fact]:
    """Rows of a node that one of the scans bound; in invariants of the cluster, rows begin with the node's address."""
    evaluator = machine_of(node.program).evaluator
    for scan in rule.query.body:
        if not isinstance(scan, Scan) or program.by_name[scan.collection].kind == "temporary":
            continue
        places = list(_places(scan, rule.query.head))
        if not places:
            continue
        address = (node.address,) if shift else ()
        for held in evaluator.read(scan.collection).values():
            row = (*address, *held)
            if any(all(row[column] == bad[position] for column, position in places) for bad in violating):
                yield node.address, scan.collection, tuple(held)


def _places(scan: Scan, head: Sequence[Expression]) -> Iterator[tuple[int, int]]:
    """Which columns of a scanned row stand at which positions of the head."""
    for position, part in enumerate(head):
        match part:
            case Field(RowVariable(name), _, index) if name == scan.target:
                yield index, position
            case Variable(name) if isinstance(scan.target, tuple) and name in scan.target:
                yield scan.target.index(name), position
