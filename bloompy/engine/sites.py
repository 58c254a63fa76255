"""Where a query reads a relation other than by a `for` of its own, and how a change there leads back to the bindings it touches.

`x.k not in self.c` is touched, for the bindings with an equal `x.k`, by a row of `c` that comes or goes; `any(… for y in
self.c for z in self.d if y.k == x.k …)` by a row of `c` or `d`, for the bindings that it joins with. So every such place
gives clauses that, joined to the query's own, find those bindings from the changed row. They may find more than those: what
they find is evaluated in both states, and only differences count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import evolve, fields, frozen

from bloompy.engine.desugar import key_columns
from bloompy.engine.plan import is_safe
from bloompy.ir.nodes import (
    Clause,
    Condition,
    Exists,
    Expression,
    Field,
    Get,
    Iterate,
    Lookup,
    Member,
    Python,
    RowVariable,
    Scan,
    Select,
    Target,
    Variable,
)
from bloompy.ir.walk import free_names, target_names, walk
from bloompy.schema import Schema


@frozen
class Site:
    """A place where an expression of a query reads a relation.

    Attributes:
        relation: the one that it reads.
        clauses: to be joined to the query's body; None where no clauses lead back, and all bindings may be touched.
        driver: position in `clauses` of the scan that takes the changed row.
    """

    relation: str
    clauses: tuple[Clause, ...] | None
    driver: int = 0


def sites(query: Select, schemas: Mapping[str, Schema]) -> Iterator[Site]:
    """The places of a query.

    Args:
        query: it, with its strict lookups as scans.
        schemas: by relation.
    """
    bound = frozenset(name for clause in query.body for name in target_names(getattr(clause, "target", "_")))
    finder = SiteFinder(schemas)
    for clause in query.body:
        match clause:
            case Iterate(_, source):
                yield from finder.of(source, (), bound)
            case Condition(test):
                yield from finder.of(test, (), bound)
    for expression in query.head:
        yield from finder.of(expression, (), bound)


def with_head(query: Select) -> tuple[tuple[Clause, ...], list[str]]:
    """The body with conditions that the head equals a row, and the variables that hold the row's columns."""
    names = [f"·head_{i}" for i in range(len(query.head))]
    tests = tuple(
        Condition(Python("_0 == _1", (expression, Variable(name)), expression.span), expression.span)
        for expression, name in zip(query.head, names, strict=True)
    )
    return (*query.body, *tests), names


class SiteFinder:
    """Finds sites, and gives the variables of inner queries names that no other has.

    Args:
        schemas: by relation.
    """

    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        self.schemas = schemas
        self.scopes = 0

    def of(self, expression: Expression, around: tuple[Clause, ...], bound: frozenset[str]) -> Iterator[Site]:
        """The sites of an expression, given the clauses of the Exists around it and the names that are bound there."""
        for node in walk(expression):
            match node:
                case Member(collection, key) | Lookup(collection, key) | Get(collection, key):
                    yield self._by_key(collection, key, around, bound)
                case Exists():
                    yield from self._of_exists(node, around, bound)

    def _by_key(self, collection: str, key: Expression, around: tuple[Clause, ...], bound: frozenset[str]) -> Site:
        schema = self.schemas[collection]
        if isinstance(key, RowVariable) and len(schema.key_indexes) == self.schemas[key.collection].width > 1:
            names = self.schemas[key.collection].names
            columns: tuple[Expression, ...] | None = tuple(Field(key, name, i) for i, name in enumerate(names))
        else:
            columns = key_columns(key, len(schema.key_indexes))
        if columns is None or not all(_leads(column, bound) for column in columns):
            return Site(collection, None)
        row = RowVariable(self._fresh("row"), collection)
        tests = [_equal(Field(row, schema.names[i], i), column) for i, column in zip(schema.key_indexes, columns, strict=True)]
        return Site(collection, (*around, Scan(row.name, collection), *tests), len(around))

    def _of_exists(self, node: Exists, around: tuple[Clause, ...], bound: frozenset[str]) -> Iterator[Site]:
        body, names = self.renamed(node.body)
        inside = bound | names
        usable = [clause for clause in body if _usable(clause, inside)]
        for clause in body:
            match clause:
                case Scan(_, collection):
                    yield Site(collection, (*around, *usable), len(around) + usable.index(clause))
                case Iterate(_, source):
                    yield from self.of(source, (*around, *usable), inside)
                case Condition(test):
                    yield from self.of(test, (*around, *usable), inside)

    def renamed(self, body: tuple[Clause, ...]) -> tuple[list[Clause], frozenset[str]]:
        """The clauses of an Exists with names of their own, and those of the names that are bound by a scan."""
        names: dict[str, str] = {}
        found: list[Clause] = []
        for clause in body:
            if isinstance(clause, Condition):
                found.append(evolve(clause, test=_rename(clause.test, names)))
                continue
            if isinstance(clause, Iterate):
                clause = evolve(clause, source=_rename(clause.source, names))
            names |= {name: self._fresh(name) for name in target_names(clause.target)}
            found.append(evolve(clause, target=_rename_target(clause.target, names)))
        scanned = {name for clause in found if isinstance(clause, Scan) for name in target_names(clause.target)}
        return found, frozenset(scanned)

    def _fresh(self, name: str) -> str:
        self.scopes += 1
        return f"·{name.lstrip('·')}_{self.scopes}"


def _usable(clause: Clause, bound: frozenset[str]) -> bool:
    """Whether a clause can take part in finding: it raises nothing, and depends on nothing that cannot."""
    match clause:
        case Scan():
            return True
        case Condition(test):
            return _leads(test, bound)
    return False


def _leads(expression: Expression, bound: frozenset[str]) -> bool:
    """Whether an expression raises nothing, reads no relation and is made of bound names."""
    reads = any(isinstance(node, Member | Lookup | Get | Exists) for node in walk(expression))
    return is_safe(expression) and not reads and free_names(expression).keys() <= bound


def _equal(left: Expression, right: Expression) -> Condition:
    return Condition(Python("_0 == _1", (left, right)))


def _rename(expression: Expression, names: Mapping[str, str]) -> Expression:
    """The expression with other names for variables; what an Exists in it binds under such a name stays as it is."""
    match expression:
        case Variable(name) | RowVariable(name):
            return evolve(expression, name=names.get(name, name))
        case Exists(body):
            return evolve(expression, body=_rename_body(body, names))
    changed: dict[str, Any] = {}
    for attribute in fields(type(expression)):
        below = getattr(expression, attribute.name)
        if attribute.name in ("row", "key", "default"):
            changed[attribute.name] = _rename(below, names)
        elif attribute.name in ("parts", "arguments"):
            changed[attribute.name] = tuple(_rename(part, names) for part in below)
    return evolve(expression, **changed) if changed else expression


def _rename_body(body: tuple[Clause, ...], names: Mapping[str, str]) -> tuple[Clause, ...]:
    found: list[Clause] = []
    for clause in body:
        match clause:
            case Condition(test):
                found.append(evolve(clause, test=_rename(test, names)))
                continue
            case Iterate(_, source):
                clause = evolve(clause, source=_rename(source, names))
        bound = set(target_names(clause.target))
        names = {name: new for name, new in names.items() if name not in bound}
        found.append(clause)
    return tuple(found)


def _rename_target(target: Target, names: dict[str, str]) -> Target:
    if isinstance(target, tuple):
        return tuple(_rename_target(part, names) for part in target)
    return names.get(target, target)
