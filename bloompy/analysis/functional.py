"""Whether a rule gives each key of its head one row only: functional dependencies, followed through a query.

The columns that stand bare in the head's key are determined by it; so is what equals something determined, and all of a row
whose key is determined. If the values of the head are made of what is determined, no two rows of one key can differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bloompy.analysis.dependencies import aggregates, ranks_rows
from bloompy.ir.nodes import (
    Aggregate,
    Condition,
    Const,
    Exists,
    Expression,
    Field,
    Get,
    Lookup,
    Member,
    Program,
    Python,
    RowVariable,
    Rule,
    Scan,
    Variable,
)
from bloompy.ir.walk import parts, target_names, walk
from bloompy.span import Span

Determines = Callable[[str], bool]
"""Whether, in a collection, a key has one row: over the time that counts."""


def ambiguous(rule: Rule, program: Program, determines: Determines) -> Span | None:
    """Where a rule may give one key different values; None where it cannot.

    Args:
        rule: one that fills a collection with plain value columns.
        program: the program that holds it.
        determines: of a collection that the rule reads, whether a key has one row.
    """
    closure = _Closure(rule, program, determines)
    keys = program.schemas[rule.head].key_indexes
    values = [expression for i, expression in enumerate(rule.query.head) if i not in keys]
    if aggregates(rule.query):
        grouping = [one for one in rule.query.head if not any(isinstance(node, Aggregate) for node in walk(one))]
        if ranks_rows(rule.query):  # a window groups nothing: each binding has its row
            return next((one.span for one in values if not closure.determined(one)), None)
        if all(map(closure.determined, grouping)):
            return None
    return next((one.span for one in values if not closure.determined(one)), None)


def apart(first: Rule, second: Rule, program: Program) -> bool:
    """Whether two rules never fill the same key: different constants stand in a key column."""
    pairs = ((first.query.head[i], second.query.head[i]) for i in program.schemas[first.head].key_indexes)
    return any(isinstance(a, Const) and isinstance(b, Const) and a.value != b.value for a, b in pairs)


def bare_columns(expressions: Iterable[Expression], scan: Scan) -> set[int]:
    """Positions of the columns of a scan's row that stand bare among some expressions."""
    names = scan.target if isinstance(scan.target, tuple) else ()
    found = set()
    for one in expressions:
        match one:
            case Field(RowVariable(name), _, index) if name == scan.target:
                found.add(index)
            case Variable(name) if name in names:
                found.add(names.index(name))
    return found


class _Closure:
    """What the key of a rule's head determines."""

    def __init__(self, rule: Rule, program: Program, determines: Determines) -> None:
        self.rule, self.program, self.determines = rule, program, determines
        self.scans = [clause for clause in rule.query.body if isinstance(clause, Scan)]
        self.bound = {name for clause in rule.query.body if not isinstance(clause, Condition) for name in target_names(clause.target)}
        self.equal = [pair for clause in rule.query.body if isinstance(clause, Condition) for pair in _equal(clause.test)]
        self.known: set[tuple[str, int]] = set()  # a row's name and column, or a variable's name and -1
        keys = program.schemas[rule.head].key_indexes
        for expression in (rule.query.head[i] for i in keys):
            self._note(expression)
        while self._grow():
            pass

    def determined(self, expression: Expression) -> bool:
        """Whether an expression has one value for a key of the head."""
        match expression:
            case Variable(name):
                return (name, -1) in self.known or name not in self.bound  # not bound: of a Python comprehension, a function of the rest
            case Field(RowVariable(name), _, index):
                return (name, index) in self.known
            case RowVariable(name, collection):
                return all((name, i) in self.known for i in range(self.program.schemas[collection].width))
            case Lookup(collection) | Get(collection) | Member(collection):
                return self.determines(collection) and all(map(self.determined, parts(expression)))
            case Aggregate() | Exists():
                return False
        return all(map(self.determined, parts(expression)))

    def _grow(self) -> bool:
        before = len(self.known)
        for left, right in self.equal:
            if self.determined(left):
                self._note(right)
            if self.determined(right):
                self._note(left)
        for scan in self.scans:
            schema = self.program.schemas[scan.collection]
            if self.determines(scan.collection) and all(self._has(scan, i) for i in schema.key_indexes):
                growing = {i for i, _ in schema.lattices}
                for i in range(schema.width):
                    if i not in growing:
                        self._add(scan, i)
        return len(self.known) > before

    def _note(self, expression: Expression) -> None:
        match expression:
            case Variable(name):
                self.known.add((name, -1))
            case Field(RowVariable(name), _, index):
                self.known.add((name, index))
            case RowVariable(name, collection):
                self.known.update((name, i) for i in range(self.program.schemas[collection].width))

    def _has(self, scan: Scan, column: int) -> bool:
        if isinstance(scan.target, tuple):
            name = scan.target[column]
            return isinstance(name, str) and (name, -1) in self.known
        return (scan.target, column) in self.known

    def _add(self, scan: Scan, column: int) -> None:
        if isinstance(scan.target, tuple):
            self.known.update((name, -1) for name in target_names(scan.target[column]))
        else:
            self.known.add((scan.target, column))


def _equal(test: Expression) -> list[tuple[Expression, Expression]]:
    match test:
        case Python("_0 == _1", (left, right)):
            return [(left, right)]
        case Python("_0 and _1", (left, right)):
            return [*_equal(left), *_equal(right)]
    return []
