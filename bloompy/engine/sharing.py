"""Sub-joins that several standing rules have in common, evaluated once: into a view that these rules read instead.

Only what cannot be seen from outside is shared: scans of relations whose rows stand, with all conditions over them that read
nothing else and cannot raise. A row of the view has the whole keys of the rows that it joins, so it stands for one binding, and
a rule that aggregates counts as before. Everything else of a rule, its other conditions and its head, stays where it is.

A view costs memory, and work for each of its rows. With indexes, a join by equalities costs about as much as reading its result:
four rules over one join of three tables were as fast without the view (40 and 45 µs a tick). So only a sub-join that looks at many
more bindings than it yields is shared: one with conditions across relations that no index answers and that few bindings pass, such
as `a.time < b.time and b.time < a.time + 1` (four such rules: 95 µs a tick with the view, 230 without).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations, permutations
from typing import Any

from attrs import evolve, frozen

from bloompy.analysis.dependencies import Reference
from bloompy.engine.lower import Component, Declared, Derivation, Lowered
from bloompy.engine.relation import Kind
from bloompy.engine.types import Scope, column_types, value_of
from bloompy.ir.nodes import (
    Clause,
    Condition,
    Const,
    Exists,
    Expression,
    Field,
    Parameter,
    Python,
    RowVariable,
    Rule,
    Scan,
    Select,
)
from bloompy.ir.rewrite import rebuild
from bloompy.ir.walk import free_names, parts, target_names, walk
from bloompy.schema import Column, Schema, schema_of

SHARED = "·shared "
"""Begins the names of the views."""

_MOST_SCANS, _MOST_ELIGIBLE = 4, 8
"""So many scans a shared sub-join has at most, of so many in a rule: sub-joins are compared in every order of their scans."""

_PASSING = {"_0 == _1": 0.05, "_0 != _1": 1.0}
"""Which part of the bindings may pass a condition of some form; half of them if it has another."""
_FEW = 0.25


@frozen
class SubJoin:
    """A part of a rule's body.

    Attributes:
        derivation: of the rule.
        scans: in an order that equal sub-joins have in common.
        conditions: all over these scans that can be shared.
        key: what equal sub-joins have in common.
    """

    derivation: Derivation
    scans: tuple[Scan, ...]
    conditions: tuple[Condition, ...]
    key: tuple[object, ...]


def shared(lowered: Lowered, parameters: Mapping[str, Any], pays: Callable[[SubJoin], bool] | None = None) -> Lowered:
    """A lowered program with equal sub-joins of its standing rules in views of their own.

    Args:
        lowered: the program.
        parameters: values of the instance's params.
        pays: whether a sub-join is worth a view, if several rules have it; by default, if few bindings that indexes find are
            likely to pass its other conditions.
    """
    component_of = {name: component for component in lowered.components for name in component.relations}
    rules = [one for component in lowered.components for one in component.derivations if one.standing]
    rules = [one for one in rules if (pays is not None or _selects(one.query.body)) and _may_share(one, lowered)]
    if len(rules) < 2:
        return lowered
    scope = Scope(column_types(lowered, parameters), parameters=parameters)
    groups: dict[tuple[object, ...], dict[int, SubJoin]] = {}
    for one in rules:
        for part in _sub_joins(one, lowered, scope):
            apart = component_of[one.head].relations
            worth = pays(part) if pays is not None else _selects(part.conditions)
            if worth and not any(scan.collection in apart for scan in part.scans):
                groups.setdefault(part.key, {}).setdefault(id(one), part)
    taken: set[int] = set()
    for group in sorted(groups.values(), key=lambda group: (-len(next(iter(group.values())).scans), -len(group))):
        parts_left = [part for derivation, part in group.items() if derivation not in taken]
        if len(parts_left) > 1:
            taken.update(id(part.derivation) for part in parts_left)
            lowered = _with_view(lowered, parts_left, sum(name.startswith(SHARED) for name in lowered.relations))
    return lowered


# --- finding ----------------------------------------------------------------------------------------------------


def _may_share(derivation: Derivation, lowered: Lowered) -> bool:
    """A quick look, before types are asked for: two scans that a condition joins."""
    names = {scan.target for scan in _eligible(derivation, lowered)}
    return any(len(free_names(clause.test).keys() & names) > 1 for clause in derivation.query.body if isinstance(clause, Condition))


def _eligible(derivation: Derivation, lowered: Lowered) -> list[Scan]:
    """The scans of standing relations whose rows are used column by column, under a name that nothing else binds."""
    query = derivation.query
    bound = list(_bound_anywhere(query))
    whole = {node.name for expression in _expressions(query) for node in _whole_rows(expression)}
    found = []
    for clause in query.body:
        if isinstance(clause, Scan) and isinstance(clause.target, str) and clause.target != "_":
            declared = lowered.relations[clause.collection]
            plain = declared.kind in (Kind.TABLE, Kind.STANDING) and not declared.schema.lattices
            if plain and bound.count(clause.target) == 1 and clause.target not in whole:
                found.append(clause)
    return found if len(found) <= _MOST_ELIGIBLE else []


def _expressions(query: Select) -> Iterator[Expression]:
    yield from query.head
    for clause in query.body:
        if not isinstance(clause, Scan):
            yield clause.test if isinstance(clause, Condition) else clause.source


def _bound_anywhere(query: Select) -> Iterator[str]:
    """The names that the query and every Exists in it bind, as often as they do."""
    for clause in query.body:
        yield from target_names(getattr(clause, "target", "_"))
    for expression in _expressions(query):
        yield from _bound_within(expression)


def _bound_within(expression: Expression) -> Iterator[str]:
    for node in walk(expression):
        if isinstance(node, Exists):
            yield from _bound_anywhere(Select((), node.body))


def _whole_rows(expression: Expression) -> Iterator[RowVariable]:
    """The row variables that are used as whole rows."""
    match expression:
        case Field(RowVariable()):
            return
        case RowVariable():
            yield expression
        case Exists(body):
            for inner in _expressions(Select((), body)):
                yield from _whole_rows(inner)
    for part in parts(expression):
        yield from _whole_rows(part)


def _sub_joins(derivation: Derivation, lowered: Lowered, scope: Scope) -> Iterator[SubJoin]:
    scans = _eligible(derivation, lowered)
    inner = scope.within(derivation.query.body)
    tests = [clause for clause in derivation.query.body if isinstance(clause, Condition) and _can_be_shared(clause.test, inner)]
    bound = {name for clause in derivation.query.body for name in target_names(getattr(clause, "target", "_"))}
    needs = [(test, frozenset(free_names(test.test).keys() & bound)) for test in tests]
    for count in range(2, min(len(scans), _MOST_SCANS) + 1):
        for chosen in combinations(scans, count):
            names = frozenset(str(scan.target) for scan in chosen)
            conditions = tuple(test for test, needed in needs if needed and needed <= names)
            if _connected(names, [needed for test, needed in needs if needed <= names and _joins(test)]):
                ordered, key = _canonical(chosen, conditions)
                yield SubJoin(derivation, ordered, conditions, key)


def _can_be_shared(test: Expression, scope: Scope) -> bool:
    plain = all(isinstance(node, Const | Field | RowVariable | Parameter | Python) for node in walk(test))
    return plain and value_of(test, scope).safe


def _joins(condition: Condition) -> bool:
    """Whether an index can answer it: `column == something of other rows`."""
    match condition.test:
        case Python("_0 == _1", (left, right)):
            for column, value in ((left, right), (right, left)):
                if isinstance(column, Field) and isinstance(column.row, RowVariable) and column.row.name not in free_names(value):
                    return True
    return False


def _connected(names: frozenset[str], links: list[frozenset[str]]) -> bool:
    reached = {min(names)}
    while more := [link for link in links if link & reached and not link <= reached]:
        reached.update(*more)
    return reached >= names


def _canonical(scans: Sequence[Scan], conditions: Sequence[Condition]) -> tuple[tuple[Scan, ...], tuple[object, ...]]:
    """The scans in the order that makes the sub-join's text least, with that text."""
    found = []
    for ordered in permutations(scans):
        names = {str(scan.target): f"·{i}" for i, scan in enumerate(ordered)}
        texts = sorted(_text(condition.test, names) for condition in conditions)
        found.append((tuple(scan.collection for scan in ordered), tuple(texts), ordered))
    relations, tests, ordered = min(found, key=lambda one: one[:2])
    return ordered, (relations, tests)


def _text(test: Expression, names: Mapping[str, str]) -> str:
    def renamed(node: Any) -> Any:
        return evolve(node, name=names[node.name]) if isinstance(node, RowVariable) else node

    test = rebuild(test, renamed)
    if isinstance(test, Python) and test.template in ("_0 == _1", "_0 != _1"):
        test = evolve(test, parts=tuple(sorted(test.parts, key=repr)))
    return repr(test)


def _selects(body: Iterable[Clause]) -> bool:
    """Whether few of the bindings that indexes find are likely to pass the conditions that no index answers."""
    passing = 1.0
    for clause in body:
        if isinstance(clause, Condition) and len(free_names(clause.test)) > 1 and not _joins(clause):
            passing *= _PASSING.get(clause.test.template if isinstance(clause.test, Python) else "", 0.5)
    return passing <= _FEW


# --- rewriting --------------------------------------------------------------------------------------------------


def _with_view(lowered: Lowered, same: list[SubJoin], number: int) -> Lowered:
    """The program in which rules read a view instead of the sub-joins that are the same."""
    first = same[0]
    name = f"{SHARED}{number}:{'_'.join(str(scan.target).strip('_') for scan in first.scans)}"
    schemas = [lowered.relations[scan.collection].schema for scan in first.scans]
    columns = [(i, column) for i, schema in enumerate(schemas) for column in schema.key_indexes]
    columns += [used for used in sorted({used for part in same for used in _used(part)}) if used not in columns]
    schema = _schema(first.scans, schemas, columns)
    filled = Component((name,), (_view(first, name, columns, schemas),))
    replaced = {id(part.derivation): _reading(part, name, schema, columns) for part in same}
    components = [
        evolve(component, derivations=tuple(replaced.get(id(one), one) for one in component.derivations))
        for component in lowered.components
    ]
    readers = (i for i, component in enumerate(lowered.components) if any(id(one) in replaced for one in component.derivations))
    components.insert(next(readers), filled)
    relations = {**lowered.relations, name: Declared(name, Kind.STANDING, schema)}
    return evolve(lowered, relations=relations, components=tuple(components))


def _used(part: SubJoin) -> Iterator[tuple[int, int]]:
    """Which columns of a sub-join's scans, by the scan's number, the rest of the rule reads."""
    numbers = {scan.target: i for i, scan in enumerate(part.scans)}
    query = part.derivation.query
    rest = evolve(query, body=tuple(clause for clause in query.body if not _is_in(clause, part)))
    found: list[tuple[int, int]] = []

    def note(node: Any) -> Any:
        if isinstance(node, Field) and isinstance(node.row, RowVariable) and node.row.name in numbers:
            found.append((numbers[node.row.name], node.index))
        return node

    rebuild(rest, note)
    yield from found


def _is_in(clause: object, part: SubJoin) -> bool:
    return any(clause is one for one in (*part.scans, *part.conditions))


def _schema(scans: Sequence[Scan], schemas: Sequence[Schema], columns: Iterable[tuple[int, int]]) -> Schema:
    made: list[Column] = []
    for i, column in columns:
        name = f"{str(scans[i].target).strip('_')}_{schemas[i].names[column]}"
        while any(one.name == name for one in made):
            name += "'"
        made.append(Column(name, key=column in schemas[i].key_indexes))
    return schema_of(made)


def _view(first: SubJoin, name: str, columns: Iterable[tuple[int, int]], schemas: Sequence[Schema]) -> Derivation:
    """The rule that fills the view: the sub-join of the first of the rules, at its place."""
    rows = [RowVariable(str(scan.target), scan.collection, scan.span) for scan in first.scans]
    head = tuple(Field(rows[i], schemas[i].names[column], column, first.derivation.query.span) for i, column in columns)
    inside = tuple(clause for clause in first.derivation.query.body if _is_in(clause, first))
    query = Select(head, inside, first.derivation.query.span)
    rule = first.derivation.rule
    rule = Rule(f"{rule.label} and others", 0, "rule", name, "=", query, False, rule.scope, rule.module, rule.span)
    references = tuple(Reference(scan.collection, True, True, True, scan.span) for scan in first.scans)
    return Derivation(rule, name, query, True, references, counted=True)


def _reading(part: SubJoin, name: str, schema: Schema, columns: Sequence[tuple[int, int]]) -> Derivation:
    """A rule that reads the view, where the first scan of its sub-join was."""
    query, numbers = part.derivation.query, {scan.target: i for i, scan in enumerate(part.scans)}
    row = RowVariable(_fresh(part), name, part.scans[0].span)

    def change(node: Any) -> Any:
        match node:
            case Field(RowVariable(scanned), _, index) if scanned in numbers:
                place = columns.index((numbers[scanned], index))
                return Field(row, schema.names[place], place, node.span)
        return node

    body: list[Any] = []
    for clause in query.body:
        if not _is_in(clause, part):
            body.append(rebuild(clause, change))
        elif isinstance(clause, Scan) and not any(isinstance(one, Scan) and one.collection == name for one in body):
            body.append(Scan(row.name, name, clause.span))
    head = tuple(rebuild(one, change) for one in query.head)
    return evolve(part.derivation, query=evolve(query, head=head, body=tuple(body)), references=_references(part, name))


def _references(part: SubJoin, name: str) -> tuple[Reference, ...]:
    """Those of the rule, with the view's in the place of the scans'."""
    left = list(part.derivation.references)
    monotone = True
    for scan in part.scans:
        found = next(one for one in left if one.scanned and one.collection == scan.collection)
        left.remove(found)
        monotone = monotone and found.monotone
    return (Reference(name, monotone, True, True, part.scans[0].span), *left)


def _fresh(part: SubJoin) -> str:
    taken = set(_bound_anywhere(part.derivation.query))
    name = "_".join(str(scan.target).strip("_") for scan in part.scans)
    while name in taken:
        name += "_"
    return name
