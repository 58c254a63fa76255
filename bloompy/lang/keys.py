"""Keys in `key in self.c`, `self.c[key]`, `self.c.get(key, default)`: bare for one column, else a tuple of the key's columns."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from bloompy.errors import ArityError, ColumnTypeError
from bloompy.ir import nodes
from bloompy.lang.hints import counted
from bloompy.lang.types import misfit
from bloompy.schema import Column

if TYPE_CHECKING:
    from bloompy.lang.expressions import Expressions


def key(query: Expressions, source: nodes.Collection, node: ast.expr) -> nodes.Expression:
    """The key that a node gives, in its one form.

    Raises:
        ArityError: for a tuple of another width.
        ColumnTypeError: for a value that no key column takes.
    """
    columns = [source.schema.columns[i] for i in source.schema.key_indexes]
    if isinstance(node, ast.Tuple) and not any(isinstance(one, ast.Starred) for one in node.elts):
        if len(node.elts) != len(columns):
            raise _arity(query, source, node, len(node.elts))
        if len(columns) != 1:
            whole = query.without_aggregates(node)
            assert isinstance(whole, nodes.Python)
            _check(query, columns, whole.parts, node.elts)
            return whole
        node = node.elts[0]
    found = query.without_aggregates(node)
    if isinstance(found, nodes.RowVariable | nodes.Lookup | nodes.Get) and not _holds_tuple(columns):
        return _of_row(query, source, found, node)
    if len(columns) == 1:
        _check(query, columns, (found,), [node])
    elif isinstance(found, nodes.Const):
        raise _arity(query, source, node, 1)
    return found


def default(query: Expressions, source: nodes.Collection, node: ast.expr) -> nodes.Expression:
    """The default row of `get`: a full-width tuple; for one column a bare value does.

    Raises:
        ArityError, ColumnTypeError: for a row that the collection could not hold.
    """
    columns = source.schema.columns
    if isinstance(node, ast.Tuple):
        if len(node.elts) != len(columns) and not any(isinstance(one, ast.Starred) for one in node.elts):
            raise ArityError(
                f"the default row has {counted(len(node.elts), 'value')}, {source.name} {counted(len(columns), 'column')}",
                query.span(node),
                hint=f"the default is a whole row: {source.schema}",
            )
        whole = query.without_aggregates(node)
        assert isinstance(whole, nodes.Python)
        if len(whole.parts) == len(columns):
            _check(query, columns, whole.parts, node.elts)
        return whole
    found = query.without_aggregates(node)
    if isinstance(found, nodes.RowVariable | nodes.Lookup | nodes.Get):
        return found
    if len(columns) == 1:
        _check(query, columns, (found,), [node])
        return nodes.Python("(_0,)", (found,), query.span(node))
    if isinstance(found, nodes.Const):
        raise ArityError(
            f"the default of get is {found.value!r}, {source.name} has {counted(len(columns), 'column')}",
            query.span(node),
            hint=f"the default is a whole row: {source.schema}",
        )
    return found


def _of_row(
    query: Expressions, source: nodes.Collection, row: nodes.RowVariable | nodes.Lookup | nodes.Get, node: ast.expr
) -> nodes.Expression:
    """A row as a key: its columns."""
    given, span = query.names.collections[row.collection].schema, query.span(node)
    width = len(source.schema.key_indexes)
    if given.width != width:
        raise _arity(query, source, node, given.width)
    fields = tuple(nodes.Field(row, name, i, span) for i, name in enumerate(given.names))
    if width == 1:
        return fields[0]
    return nodes.Python(f"({', '.join(f'_{i}' for i in range(width))})", fields, span)


def _holds_tuple(columns: list[Column]) -> bool:
    return len(columns) == 1 and getattr(columns[0].type, "__origin__", columns[0].type) is tuple


def _arity(query: Expressions, source: nodes.Collection, node: ast.expr, given: int) -> ArityError:
    names = [source.schema.columns[i].name for i in source.schema.key_indexes]
    hint = f"write ({', '.join(names)})"
    if len(names) == 1:
        hint = f"the key is the bare value of {names[0]!r}; for a tuple as that value write ((…),)"
    shown = source.name.rpartition(":")[2]
    return ArityError(f"the key of {shown} has {counted(len(names), 'column')}, this one {given}", query.span(node), hint=hint)


def _check(
    query: Expressions, columns: tuple[Column, ...] | list[Column], values: tuple[nodes.Expression, ...], at: list[ast.expr]
) -> None:
    for column, value, node in zip(columns, values, at, strict=False):
        why = misfit(value, column, query.names.collections, query.values)
        if why:
            raise ColumnTypeError(f"column {column.name!r}: {why}", query.span(node), hint=f"declared is {column}")
