"""The order in which a query is evaluated: which relation drives, how the others are reached, when each condition is tested.

A plan starts from a driver (the rows that changed), reaches every other relation by key or index where equalities allow it, and
tests a condition as soon as its variables are bound. A condition that could raise is tested only for bindings that satisfy every
condition written before it, so a guard guards whatever the join order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, TypeAlias

from attrs import evolve, field, frozen

from bloompy.engine.lower import Lowered
from bloompy.engine.relation import Kind, Relation
from bloompy.engine.types import Scope, column_types, equals_itself, value_of
from bloompy.ir.nodes import Clause, Condition, Exists, Expression, Field, Iterate, Lookup, Python, RowVariable, Scan, Variable
from bloompy.ir.walk import free_names, target_names, walk

Sizes: TypeAlias = Callable[[str, tuple[int, ...]], float]
"""How many rows of a relation to expect for given values in some columns; for no columns, how many rows it has."""


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
    """How long the rows of a relation live, its key, its width."""

    kind: Kind
    key_indexes: tuple[int, ...]
    width: int


class Measured:
    """Sizes as they are when the planner first asks; kept, so that a plan that is made again is the same.

    They are powers of two: a plan does not need more, and instances of like sizes have the same plans.

    Args:
        relations: what is measured.
        known: what was found before.
    """

    def __init__(self, relations: Mapping[str, Relation], known: Mapping[tuple[str, tuple[int, ...]], float] | None = None) -> None:
        self._relations = relations
        self._known = dict(known or {})

    def __call__(self, relation: str, columns: tuple[int, ...]) -> float:
        size = self._known.get((relation, columns))
        if size is None:
            held = self._relations[relation]
            index = held.indexes.get(columns, ())
            size = _power_of_two(held.size / (len(index) or 1)) if index or not columns else 0.0
            self._known[relation, columns] = size
        return size

    def forget(self) -> None:
        """Measure anew."""
        self._known.clear()

    def copy(self) -> Measured:
        """One that knows as much, to ask without leaving a trace."""
        return Measured(self._relations, self._known)


def _power_of_two(size: float) -> float:
    return 2.0 ** round(math.log2(size)) if size else 0.0


@frozen
class Layouts(Mapping[str, Layout]):
    """What the planner knows of a program: the layouts of its relations by name, and more.

    Attributes:
        relations: by name.
        scope: what is known of columns and params.
        sizes: of the relations; without it, relations of one kind count as equally large.
    """

    relations: Mapping[str, Layout]
    scope: Scope
    sizes: Sizes = field(default=lambda relation, columns: 0.0)

    def __getitem__(self, relation: str) -> Layout:
        return self.relations[relation]

    def __iter__(self) -> Iterator[str]:
        return iter(self.relations)

    def __len__(self) -> int:
        return len(self.relations)

    def looked_at(self) -> Layouts:
        """The same for who only looks at plans, and changes nothing by asking for sizes."""
        return evolve(self, sizes=self.sizes.copy()) if isinstance(self.sizes, Measured) else self


def layouts_of(lowered: Lowered, parameters: Mapping[str, Any], sizes: Sizes | None = None) -> Layouts:
    """The layouts of a program's relations.

    Args:
        lowered: the program.
        parameters: values of the instance's params.
        sizes: how many rows to expect.
    """
    relations = {name: Layout(one.kind, one.schema.key_indexes, one.schema.width) for name, one in lowered.relations.items()}
    scope = Scope(column_types(lowered, parameters), parameters=parameters)
    return Layouts(relations, scope) if sizes is None else Layouts(relations, scope, sizes)


def plan(
    body: Sequence[Clause],
    layouts: Mapping[str, Layout],
    driver: int | None = None,
    bound: frozenset[str] = frozenset(),
    *,
    around: Sequence[Clause] = (),
) -> list[Step]:
    """Order the clauses of a body.

    Args:
        body: the clauses as written.
        layouts: by relation; where they are `Layouts`, types and sizes count too.
        driver: position in the body of the scan whose changed rows drive the query; None to evaluate it in full.
        bound: names that are bound outside (for the body of an Exists).
        around: the clauses that bind them.
    """
    known = layouts if isinstance(layouts, Layouts) else Layouts(layouts, Scope())
    planner = _Planner(body, known, bound, known.scope.within(around).within(body))
    if driver is not None:
        planner.take_driver(driver)
    while planner.unplaced:
        planner.take_next()
    planner.test_all()
    return planner.steps


@frozen
class _Equality:
    """`column of a scan == value`, one reading of a condition.

    Attributes:
        exact: the rows that an index finds are those for which the condition holds.
    """

    condition: int
    column: int
    value: Expression
    needs: frozenset[str]
    safe: bool
    exact: bool


@frozen
class _Test:
    """A condition; a `dear` one searches relations."""

    position: int
    condition: Condition
    needs: frozenset[str]
    safe: bool = field(default=False)
    dear: bool = field(default=False)


@frozen(order=True)
class _Rank:
    """How good it is to take a clause next: the class, then the bindings to expect, then the place in the text."""

    level: int
    expected: float
    position: int


_BY_KEY, _BY_INDEX, _EVENTS, _ITEMS, _ALL, _NOT_YET = range(6)
"""Classes of steps: at most one row; an index; all of a relation that holds rows of this tick only; items of a value; all rows."""

_TABLE_ROWS, _EVENT_ROWS = 4096.0, 16.0
"""Rows to reckon with at least: a small table may grow, and a plan is made once."""


class _Planner:
    def __init__(self, body: Sequence[Clause], layouts: Layouts, bound: frozenset[str], scope: Scope) -> None:
        self.body, self.layouts, self.scope, self.sizes = body, layouts.relations, scope, layouts.sizes
        names = bound | {name for clause in body for name in target_names(getattr(clause, "target", "_"))}
        self.unplaced = {i: clause for i, clause in enumerate(body) if not isinstance(clause, Condition)}
        self.tests = {i: self._test(i, clause, names) for i, clause in enumerate(body) if isinstance(clause, Condition)}
        self.equalities = {i: list(self._equalities(clause, names)) for i, clause in self.unplaced.items() if isinstance(clause, Scan)}
        self.needs = {
            i: free_names(clause.source).keys() & names for i, clause in self.unplaced.items() if isinstance(clause, Iterate)
        }
        self.bound = frozenset(bound)
        self.steps: list[Step] = []
        self.single = True  # there is one binding at most so far
        self.test_all(dear=False)

    def take_driver(self, driver: int) -> None:
        """Begin with the changed rows of a scan."""
        clause = self.body[driver]
        assert isinstance(clause, Scan)
        self._place(driver, Drive(clause))

    def take_next(self) -> None:
        """Place the scan or the flat map that promises the fewest bindings."""
        best = min(map(self._rank, self.unplaced))
        if best.level > _BY_KEY and self.test_all():
            return  # what was tested may have opened a better way
        position = best.position
        clause = self.unplaced[position]
        if isinstance(clause, Iterate):
            self._place(position, Flatten(clause))
            return
        layout = self.layouts[clause.collection]
        if not layout.key_indexes:
            self._place(position, ScanAll(clause))  # one row at most: an index would cost more than it saves
            return
        usable = {one.column: one for one in reversed(self._usable(position, self.bound))}
        columns = self._reached(clause, usable.keys())
        used = [usable[column] for column in columns]
        values = tuple(one.value for one in used)
        if used and columns == layout.key_indexes:
            step: Step = Find(clause, values)
        elif layout.kind is Kind.TRANSIENT and self.single:
            used, step = [], ScanAll(clause)  # an index would be made in this tick and read once
        else:
            step = Probe(clause, columns, values) if used else ScanAll(clause)
        for one in used:
            if one.exact:
                self.tests.pop(one.condition, None)
        self._place(position, step)

    def test_all(self, dear: bool = True) -> bool:
        """Test every condition that can be tested, `dear` ones if asked for; returns whether there was one."""
        count = len(self.steps)
        found = True
        while found:
            found = False
            for position, test in list(self.tests.items()):
                ready = test.needs <= self.bound and (dear or not test.dear)
                if ready and (test.safe or self._guarded(position)):
                    del self.tests[position]
                    self.steps.append(Test(test.condition))
                    found = True
        return len(self.steps) > count

    def _place(self, position: int, step: Step) -> None:
        clause = self.unplaced.pop(position)
        self.steps.append(step)
        self.single = self.single and (
            isinstance(step, Find) or isinstance(step, ScanAll) and not self.layouts[step.scan.collection].key_indexes
        )
        self.bound |= frozenset(target_names(clause.target))
        self.test_all(dear=False)

    # -- which is next

    def _rank(self, i: int) -> _Rank:
        clause = self.unplaced[i]
        if isinstance(clause, Iterate):
            return _Rank(_ITEMS if self._is_ready(i) else _NOT_YET, 0, i)
        if not self.layouts[clause.collection].key_indexes:
            return _Rank(_BY_KEY, 0, i)
        columns = self._reached(clause, {one.column for one in self._usable(i, self.bound)})
        if columns:
            by_key = columns == self.layouts[clause.collection].key_indexes
            level = _BY_KEY if by_key else _ITEMS if self._items_lead_to_its_key(i) else _BY_INDEX
            return _Rank(level, self._expected(clause, columns), i)
        level = _EVENTS if self.layouts[clause.collection].kind is Kind.TRANSIENT else _ALL
        return _Rank(level, self._expected_beyond(i), i)

    def _items_lead_to_its_key(self, i: int) -> bool:
        """Whether a flat map that can come next leads to one row: `for n in range(2) for x in self.c if x.key == n and x.of == y`."""
        clause = self.unplaced[i]
        assert isinstance(clause, Scan)
        key = self.layouts[clause.collection].key_indexes
        for j, other in self.unplaced.items():
            if isinstance(other, Iterate) and self._is_ready(j):
                bound = self.bound | frozenset(target_names(other.target))
                if self._reached(clause, {one.column for one in self._usable(i, bound)}) == key:
                    return True
        return False

    def _is_ready(self, i: int) -> bool:
        """Whether a flat map has all that its value needs, and is not guarded by a condition that is not tested."""
        return self.needs[i] <= self.bound and not any(test < i for test in self.tests)

    def _reached(self, scan: Scan, columns: AbstractSet[int]) -> tuple[int, ...]:
        """Of the columns whose values are known, those by which a relation is read: its key, or all of them."""
        key = self.layouts[scan.collection].key_indexes
        return key if key and columns >= set(key) else tuple(sorted(columns))

    def _expected(self, scan: Scan, columns: tuple[int, ...]) -> float:
        """How many rows of a relation have given values in some columns."""
        layout = self.layouts[scan.collection]
        least = _EVENT_ROWS if layout.kind is Kind.TRANSIENT else _TABLE_ROWS
        if not columns:
            return max(least, self.sizes(scan.collection, ()))
        known = set(columns)
        missing = [1 - len(known & set(all_of)) / len(all_of) for all_of in (layout.key_indexes, range(layout.width)) if all_of]
        return max(float(least ** min(missing)), self.sizes(scan.collection, columns))

    def _expected_beyond(self, i: int) -> float:
        """How many bindings to expect when all rows of a relation are taken next and then what they lead to."""
        clause = self.unplaced[i]
        assert isinstance(clause, Scan)
        bound = self.bound | frozenset(target_names(clause.target))
        expected = self._expected(clause, ())
        for j, other in self.unplaced.items():
            if j != i and isinstance(other, Scan):
                columns = {one.column for one in self._usable(j, bound)}
                expected *= self._expected(other, self._reached(other, columns))
        return expected

    def _usable(self, i: int, bound: frozenset[str]) -> list[_Equality]:
        return [
            one
            for one in self.equalities[i]
            if one.condition in self.tests and one.needs <= bound and (one.safe or self._guarded(one.condition))
        ]

    def _guarded(self, condition: int) -> bool:
        """Whether every condition written before one has been tested."""
        return not any(position < condition for position in self.tests)

    # -- conditions

    def _test(self, i: int, clause: Condition, names: frozenset[str]) -> _Test:
        needs = frozenset(free_names(clause.test).keys() & names)
        dear = any(isinstance(node, Exists) for node in walk(clause.test))
        return _Test(i, clause, needs, value_of(clause.test, self.scope).safe, dear)

    def _equalities(self, scan: Scan, names: frozenset[str]) -> Iterator[_Equality]:
        own = set(target_names(scan.target))
        for position, test in self.tests.items():
            expression = test.condition.test
            if isinstance(expression, Python) and expression.template == "_0 == _1":
                for column_side, value in (expression.parts, expression.parts[::-1]):
                    column = _column(column_side, scan)
                    needs = frozenset(free_names(value).keys() & names)
                    if column is not None and not needs & own and not _looks_up(value):
                        exact = self._equals_itself(column_side) or self._equals_itself(value)
                        yield _Equality(position, column, value, needs, value_of(value, self.scope).safe, exact)

    def _equals_itself(self, expression: Expression) -> bool:
        """Whether an expression is surely nothing like NaN: by its type, or as a key column."""
        if equals_itself(value_of(expression, self.scope).types):
            return True
        for clause in self.body:
            if isinstance(clause, Scan) and (column := _column(expression, clause)) is not None:
                return column in self.layouts[clause.collection].key_indexes
        return False


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


def is_safe(expression: Expression, scope: Scope | None = None) -> bool:
    """Whether evaluating an expression cannot raise, by what a scope knows of types; without one, of any values."""
    return value_of(expression, scope or Scope()).safe
