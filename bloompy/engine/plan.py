"""The order in which a query is evaluated: which relation drives, how the others are reached, when each condition is tested.

A plan starts from a driver (the rows that changed), reaches every other relation by key or index where equalities allow it, and
tests a condition as soon as its variables are bound. A condition that could raise is tested only for bindings that satisfy every
condition written before it, so a guard guards whatever the join order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from attrs import field, frozen

from bloompy.engine.relation import Kind
from bloompy.ir.nodes import (
    Clause,
    Condition,
    Const,
    Expression,
    Field,
    Iterate,
    Lookup,
    Member,
    Parameter,
    Python,
    RowVariable,
    Scan,
    TickValue,
    Variable,
)
from bloompy.ir.walk import free_names, parts, target_names, walk

SAFE_FORMS = frozenset(
    {"_0 == _1", "_0 != _1", "_0 is _1", "_0 is not _1", "not _0", "_0 and _1", "_0 or _1", "(_0,)"}
    | {"(" + ", ".join(f"_{i}" for i in range(n)) + ")" for n in range(2, 9)}
)
"""Python forms that do not raise when their parts do not."""


@frozen
class Drive:
    """Take each row of the driver."""

    scan: Scan


@frozen
class ScanAll:
    """Take every row of a relation."""

    scan: Scan


@frozen
class Find:
    """Take the row of a key, if it is there. `key` has one expression for each key column."""

    scan: Scan
    key: tuple[Expression, ...]


@frozen
class Probe:
    """Take the rows that have given values in some columns, from the index over those columns."""

    scan: Scan
    columns: tuple[int, ...]
    values: tuple[Expression, ...]


@frozen
class Flatten:
    """Take each item of a Python value."""

    iterate: Iterate


@frozen
class Test:
    """Go on only if a condition holds."""

    condition: Condition


Step: TypeAlias = Drive | ScanAll | Find | Probe | Flatten | Test


@frozen
class Layout:
    """What the planner knows of a relation."""

    kind: Kind
    key_indexes: tuple[int, ...]
    width: int


def plan(
    body: Sequence[Clause], layouts: Mapping[str, Layout], driver: int | None = None, bound: frozenset[str] = frozenset()
) -> list[Step]:
    """Order the clauses of a body.

    Args:
        body: the clauses as written.
        layouts: by relation.
        driver: position in the body of the scan whose changed rows drive the query; None to evaluate it in full.
        bound: names that are bound outside (for the body of an Exists).
    """
    planner = _Planner(body, layouts, bound)
    if driver is not None:
        planner.take_driver(driver)
    while planner.unplaced:
        planner.take_next()
    return planner.steps


@frozen
class _Equality:
    """`column of a scan == value`, one reading of a condition."""

    condition: int
    column: int
    value: Expression
    needs: frozenset[str]
    safe: bool


@frozen
class _Test:
    position: int
    condition: Condition
    needs: frozenset[str]
    safe: bool = field(default=False)


class _Planner:
    def __init__(self, body: Sequence[Clause], layouts: Mapping[str, Layout], bound: frozenset[str]) -> None:
        self.body, self.layouts = body, layouts
        names = bound | {name for clause in body for name in target_names(getattr(clause, "target", "_"))}
        self.unplaced = {i: clause for i, clause in enumerate(body) if not isinstance(clause, Condition)}
        self.tests = {
            i: _Test(i, clause, frozenset(free_names(clause.test).keys() & names), is_safe(clause.test))
            for i, clause in enumerate(body)
            if isinstance(clause, Condition)
        }
        self.equalities = {i: list(self._equalities(clause, names)) for i, clause in self.unplaced.items() if isinstance(clause, Scan)}
        self.needs = {
            i: free_names(clause.source).keys() & names for i, clause in self.unplaced.items() if isinstance(clause, Iterate)
        }
        self.bound = set(bound)
        self.steps: list[Step] = []
        self._test_all()

    def take_driver(self, driver: int) -> None:
        clause = self.body[driver]
        assert isinstance(clause, Scan)
        self._place(driver, Drive(clause))

    def take_next(self) -> None:
        position = min(self.unplaced, key=lambda i: (self._cost(i), i))
        clause = self.unplaced[position]
        if isinstance(clause, Iterate):
            self._place(position, Flatten(clause))
            return
        usable = self._usable(position)
        layout = self.layouts[clause.collection]
        by_key = [next((one for one in usable if one.column == column), None) for column in layout.key_indexes]
        if by_key and all(by_key):
            used = [one for one in by_key if one is not None]
            step: Step = Find(clause, tuple(one.value for one in used))
        else:
            used = list({one.column: one for one in reversed(usable)}.values())
            used.sort(key=lambda one: one.column)
            columns = tuple(one.column for one in used)
            step = Probe(clause, columns, tuple(one.value for one in used)) if used else ScanAll(clause)
        for one in used:
            self.tests.pop(one.condition, None)
        self._place(position, step)

    def _place(self, position: int, step: Step) -> None:
        clause = self.unplaced.pop(position)
        self.steps.append(step)
        self.bound.update(target_names(clause.target))
        self._test_all()

    def _cost(self, i: int) -> int:
        clause = self.unplaced[i]
        if isinstance(clause, Iterate):
            return 3 if self.needs[i] <= self.bound and not any(test < i for test in self.tests) else 9
        assert isinstance(clause, Scan)
        layout, columns = self.layouts[clause.collection], {one.column for one in self._usable(i)}
        if layout.key_indexes and columns.issuperset(layout.key_indexes):
            return 0
        if columns:
            return 1
        return 2 if layout.kind is Kind.TRANSIENT else 4

    def _usable(self, i: int) -> list[_Equality]:
        return [
            one
            for one in self.equalities[i]
            if one.condition in self.tests and one.needs <= self.bound and (one.safe or self._guarded(one.condition))
        ]

    def _guarded(self, condition: int) -> bool:
        """Whether every condition written before one has been tested."""
        return not any(position < condition for position in self.tests)

    def _test_all(self) -> None:
        found = True
        while found:
            found = False
            for position, test in list(self.tests.items()):
                if test.needs <= self.bound and (test.safe or self._guarded(position)):
                    del self.tests[position]
                    self.steps.append(Test(test.condition))
                    found = True

    def _equalities(self, scan: Clause, names: set[str] | frozenset[str]) -> Iterator[_Equality]:
        assert isinstance(scan, Scan)
        own = set(target_names(scan.target))
        for position, test in self.tests.items():
            expression = test.condition.test
            if isinstance(expression, Python) and expression.template == "_0 == _1":
                for column_side, value in (expression.parts, expression.parts[::-1]):
                    column = _column(column_side, scan)
                    needs = free_names(value).keys() & names
                    if column is not None and not needs & own and not _looks_up(value):
                        yield _Equality(position, column, value, frozenset(needs), is_safe(value))


def _looks_up(expression: Expression) -> bool:
    """Whether evaluating an expression may drop the binding; such a one is tested, never sought in an index."""
    return any(isinstance(node, Lookup) for node in walk(expression))


def _column(expression: Expression, scan: Scan) -> int | None:
    """Which column of a scan's row an expression is."""
    match expression:
        case Field(RowVariable(name), _, index) if name == scan.target:
            return index
        case Variable(name) if isinstance(scan.target, tuple) and name in scan.target:
            return scan.target.index(name)
    return None


def is_safe(expression: Expression) -> bool:
    """Whether evaluating an expression cannot raise."""
    match expression:
        case Const() | Variable() | RowVariable() | Parameter() | TickValue():
            return True
        case Field(RowVariable()):
            return True
        case Member(_, key):
            return is_safe(key)
        case Python(template):
            return template in SAFE_FORMS and all(is_safe(part) for part in parts(expression))
    return False
