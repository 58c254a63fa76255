"""Key lookups as joins: what a query reads by key becomes a scan with key equalities, so that plans treat all joins alike.

`self.c[k].v` where it is surely evaluated, and a conjunct `k in self.c`, bind at most one row each, so the query keeps its
bindings. Lookups that Python would evaluate lazily (behind `and`, in a conditional expression, …) stay as they are.
"""

from __future__ import annotations

import ast
from functools import lru_cache
from typing import cast

import attrs

from bloompy.ir.nodes import (
    Aggregate,
    Clause,
    Condition,
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
)
from bloompy.schema import Schema


def desugared(query: Select, schemas: dict[str, Schema]) -> Select:
    """The query with its strict lookups and membership conjuncts as scans.

    Args:
        query: it.
        schemas: by collection.
    """
    return _Desugaring(schemas).select(query)


class _Desugaring:
    def __init__(self, schemas: dict[str, Schema]) -> None:
        self.schemas = schemas
        self.rows: dict[tuple[str, Expression], RowVariable] = {}
        self.body: list[Clause] = []

    def select(self, query: Select) -> Select:
        for clause in query.body:
            self.body.append(self._clause(clause)) if not self._is_scanned(clause) else None
        head = tuple(self._strict(expression) for expression in query.head)
        return attrs.evolve(query, head=head, body=tuple(self.body))

    def _is_scanned(self, clause: Clause) -> bool:
        """Turns `k in self.c` into a scan where its key can be taken apart."""
        match clause:
            case Condition(Member(collection, key, False)):
                return self._row(collection, self._strict(key), clause) is not None
        return False

    def _clause(self, clause: Clause) -> Clause:
        match clause:
            case Iterate(target, source):
                return Iterate(target, self._strict(source), clause.span)
            case Condition(test):
                return Condition(self._strict(test), clause.span)
        return clause

    def _strict(self, expression: Expression) -> Expression:
        """The expression with the lookups replaced that are evaluated whenever it is."""
        match expression:
            case Lookup(collection, key):
                key = self._strict(key)
                return self._row(collection, key, expression) or attrs.evolve(expression, key=key)
            case Field(row, name, index, span):
                return Field(cast("RowVariable | Lookup | Get", self._strict(row)), name, index, span)
            case Member(collection, key, negated, span):
                return Member(collection, self._strict(key), negated, span)
            case Python(template, parts):
                strict = strict_parts(template)
                return attrs.evolve(
                    expression, parts=tuple(self._strict(part) if i in strict else part for i, part in enumerate(parts))
                )
            case Aggregate(function, arguments, user, span):
                return Aggregate(function, tuple(self._strict(one) for one in arguments), user, span)
        return expression

    def _row(self, collection: str, key: Expression, place: Expression | Clause) -> RowVariable | None:
        """A variable for the row of a key, bound by a scan that is added to the body."""
        known = self.rows.get((collection, key))
        if known is not None:
            return known
        schema = self.schemas[collection]
        columns = key_columns(key, len(schema.key_indexes))
        if columns is None:
            return None
        row = RowVariable(f"{collection.replace('.', '_').replace(':', '_')}_{len(self.rows)}_", collection, place.span)
        self.rows[collection, key] = row
        self.body.append(Scan(row.name, collection, place.span))
        for index, value in zip(schema.key_indexes, columns, strict=True):
            column = Field(row, schema.names[index], index, place.span)
            self.body.append(Condition(Python("_0 == _1", (column, value), place.span), place.span))
        return row


def key_columns(key: Expression, width: int) -> tuple[Expression, ...] | None:
    """The expressions of a key's columns, or None where they cannot be told apart."""
    if width == 1:
        return (key,)
    if isinstance(key, Python) and _is_tuple(key.template, width):
        return key.parts
    return None


@lru_cache(maxsize=1024)
def _is_tuple(template: str, width: int) -> bool:
    body = ast.parse(template, mode="eval").body
    if not isinstance(body, ast.Tuple):
        return False
    return [element.id if isinstance(element, ast.Name) else "" for element in body.elts] == [f"_{i}" for i in range(width)]


@lru_cache(maxsize=1024)
def strict_parts(template: str) -> frozenset[int]:
    """The parts of a Python form that are evaluated whenever the form is."""
    return frozenset(_strict_names(ast.parse(template, mode="eval").body))


def _strict_names(node: ast.AST) -> list[int]:
    match node:
        case ast.Name(name) if name[:1] == "_" and name[1:].isdigit():
            return [int(name[1:])]
        case ast.BoolOp(_, [first, *_]):
            return _strict_names(first)
        case ast.IfExp(test):
            return _strict_names(test)
        case ast.Compare(left, _, [first, *_]):
            return [*_strict_names(left), *_strict_names(first)]
        case ast.Lambda():
            return []
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            return _strict_names(node.generators[0].iter)
    return [name for child in ast.iter_child_nodes(node) for name in _strict_names(child)]
