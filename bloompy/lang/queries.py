"""Queries: comprehensions, collections, temporaries and literal rows."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from bloompy.errors import ArityError, ColumnTypeError, RuleError, UnknownColumn, UnsupportedStatement
from bloompy.ir import nodes
from bloompy.lang import aggregates
from bloompy.lang.expressions import Expressions, negation
from bloompy.lang.hints import counted, did_you_mean
from bloompy.lang.names import MISSING, Names
from bloompy.lang.types import misfit
from bloompy.schema import Column, Row

Head = list[tuple[nodes.Expression, ast.expr]]
"""The columns of a head with the syntax that each came from."""

_ITERABLES = ("range", "map", "filter", "zip", "enumerate", "reversed", "sorted", "list", "set", "dict", "iter")
_WHOLE = (*_ITERABLES, "tuple", "frozenset")
_UNHASHABLE = {
    ast.List: ("a list", "tuple"),
    ast.ListComp: ("a list", "tuple"),
    ast.Dict: ("a dict", "tuple"),
    ast.DictComp: ("a dict", "tuple"),
    ast.Set: ("a set", "frozenset"),
    ast.SetComp: ("a set", "frozenset"),
    ast.GeneratorExp: ("a generator", "tuple"),
    ast.Lambda: ("a function", ""),
}
_UNHASHABLE_CALLS = (
    (list, ("a list", "tuple")),
    (sorted, ("a list", "tuple")),
    (dict, ("a dict", "tuple")),
    (set, ("a set", "frozenset")),
    (bytearray, ("a bytearray", "bytes")),
    (map, ("an iterator", "tuple")),
    (filter, ("an iterator", "tuple")),
    (zip, ("an iterator", "tuple")),
    (reversed, ("an iterator", "tuple")),
)


class Query(Expressions):
    """One query with the variables it binds, in the order written."""

    def select(self, element: ast.expr, generators: list[ast.comprehension], at: ast.AST) -> tuple[nodes.Select, Head]:
        """The query, and its head with its syntax, not yet held against a schema."""
        body = tuple(self.clauses(generators))
        self.aggregates_allowed = bool(generators)
        head = list(self.head(element))
        self.aggregates_allowed = False
        aggregates.check_head(self, head)
        return nodes.Select(tuple(expression for expression, _ in head), body, self.span(at)), head

    # -- body

    def clauses(self, generators: list[ast.comprehension]) -> Iterator[nodes.Clause]:
        """`for … in … if …`, one after the other."""
        targets = [list(_bound(generator.target)) for generator in generators]
        for i, generator in enumerate(generators):
            self.later = {node.id for names in targets[i:] for node in names} - {*self.rows, *self.values}
            if generator.is_async:
                raise UnsupportedStatement("an async for has no place in a rule", self.span(generator.target), hint="leave out the async")
            self._check_targets(generator.target, targets[i], [node.id for names in targets[:i] for node in names])
            yield self.source_of(generator)
            self.later -= {node.id for node in targets[i]}
            for test in generator.ifs:
                yield from self.conditions(test)

    def source_of(self, generator: ast.comprehension) -> nodes.Clause:
        """`for target in source`."""
        node, span = generator.iter, self.span(generator.target)
        if self.names.collection(node) is None:
            if self.names.path(node) is not None and isinstance(node, ast.Attribute):
                self._check_is_value(node)
            value = self.without_aggregates(node)
            if isinstance(value, nodes.RowVariable | nodes.Lookup | nodes.Get):
                raise UnsupportedStatement(
                    "`for` over the columns of one row", self.span(node), hint="name the column that holds the values"
                )
            target = _target(generator.target, self)
            self._bind(target, None)
            return nodes.Iterate(target, value, span)
        source, target = self.source(node), _target(generator.target, self)
        width = source.schema.width
        if isinstance(target, tuple) and len(target) != width:
            raise ArityError(
                f"{_shown(source)} has {counted(width, 'column')}, this pattern {len(target)}",
                span,
                hint=f"its columns are {source.schema}; `_` stands for one that is not needed",
            )
        self._bind(target, source)
        return nodes.Scan(target, source.name, span)

    def conditions(self, test: ast.expr) -> Iterator[nodes.Condition]:
        """The conjuncts of an `if`."""
        if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
            for one in test.values:
                yield from self.conditions(one)
        elif isinstance(test, ast.Compare) and len(test.ops) > 1 and _splits(test):
            for one in _pairs(test):
                yield from self.conditions(one)
        else:
            yield nodes.Condition(self.without_aggregates(test), self.span(test))

    def exists(self, node: ast.Call) -> nodes.Exists:
        """`any(…)` or `all(…)` over a collection."""
        query = node.args[0]
        if len(node.args) != 1 or node.keywords or not isinstance(query, ast.GeneratorExp | ast.ListComp | ast.SetComp):
            raise UnsupportedStatement(
                f"{ast.unparse(node.func)}() takes one query here",
                self.span(node),
                hint="any(condition for row in self.collection if condition)",
            )
        if self.inside:
            raise UnsupportedStatement(
                f"a query over a collection inside a Python {self.inside}",
                self.span(node),
                hint="derive its rows into a collection first, and use `key in self.collection` here",
            )
        inner = Query(self.names, self.rows, self.values)
        body = list(inner.clauses(query.generators))
        test = query.elt
        if isinstance(node.func, ast.Name) and node.func.id == "all":
            found = negation(inner.without_aggregates(test), self.span(test))
            return nodes.Exists((*body, nodes.Condition(found, self.span(test))), True, self.span(node))
        if not (isinstance(test, ast.Constant) and test.value is True):
            body += inner.conditions(test)
        return nodes.Exists(tuple(body), False, self.span(node))

    def _check_is_value(self, node: ast.Attribute) -> None:
        """`for x in self.…` where that is no collection and no parameter."""
        path = self.names.path(node)
        if path not in self.names.scope.parameters:
            raise self.names.not_a_collection(node)

    def _check_targets(self, target: ast.expr, names: list[ast.Name], before: list[str]) -> None:
        for i, node in enumerate(names):
            if node.id in before or node.id in [one.id for one in names[:i]]:
                raise UnsupportedStatement(
                    f"{node.id!r} is bound twice in this query",
                    self.span(node),
                    hint=f"give the second a name of its own; to join on equal values add `if {node.id} == {node.id}2`",
                )
            if node.id == self.names.self_name:
                raise UnsupportedStatement(f"{node.id!r} is the program", self.span(node), hint="choose another name")

    def _bind(self, target: nodes.Target, source: nodes.Collection | None) -> None:
        if isinstance(target, tuple):
            for i, one in enumerate(target):
                if isinstance(one, str):
                    self._bind_value(one, source.schema.columns[i].type if source is not None else Any)
                else:
                    self._bind(one, None)
        elif source is None:
            self._bind_value(target, Any)
        elif target != "_":
            self.values.pop(target, None)
            self.rows[target] = source.name

    def _bind_value(self, name: str, found: Any) -> None:
        if name != "_":
            self.rows.pop(name, None)
            self.values[name] = found

    # -- head

    def head(self, element: ast.expr) -> Iterator[tuple[nodes.Expression, ast.expr]]:
        """One expression for each column: a tuple's, those of a whole row, or one value."""
        if isinstance(element, ast.Tuple):
            for one in element.elts:
                if isinstance(one, ast.Starred):
                    yield from self._unpacked(one)
                else:
                    yield self._column(one), one
        elif self._row_class(element) is not None:
            yield from self._constructed(element)  # type: ignore[arg-type]
        else:
            found = self._column(element)
            yield from self._columns_of(found, element) or [(found, element)]

    def _column(self, node: ast.expr) -> nodes.Expression:
        """One value of a head."""
        made = _UNHASHABLE.get(type(node))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and self._collection_within(node) is None:
            called = self.names.object_of(node.func, {**self.rows, **self.values})
            made = next((made for one, made in _UNHASHABLE_CALLS if called is one), None)
        if made is None:
            return self.read(node)
        what, remedy = made
        hint = f"write {remedy}({ast.unparse(node)})" if remedy else "call it, or compute the value by a function of the module"
        raise ColumnTypeError(f"{what} cannot stand in a row, since rows are hashed", self.span(node), hint=hint)

    def _columns_of(self, found: nodes.Expression, node: ast.expr) -> Head:
        """The columns of a whole row, or nothing for any other value."""
        if not isinstance(found, nodes.RowVariable | nodes.Lookup | nodes.Get):
            return []
        schema, span = self.names.collections[found.collection].schema, self.span(node)
        return [(nodes.Field(found, name, i, span), node) for i, name in enumerate(schema.names)]

    def _unpacked(self, node: ast.Starred) -> Iterator[tuple[nodes.Expression, ast.expr]]:
        if isinstance(node.value, ast.Tuple):
            yield from self.head(node.value)
            return
        columns = self._columns_of(self.read(node.value), node.value)
        if not columns:
            raise UnsupportedStatement(
                "* unpacks something whose width is not known",
                self.span(node),
                hint="unpack a row of a collection, or name the values one by one",
            )
        yield from columns

    def _row_class(self, node: ast.expr) -> type[Row] | None:
        if not isinstance(node, ast.Call):
            return None
        found = self.names.object_of(node.func, {**self.rows, **self.values})
        return found if found is not MISSING and isinstance(found, type) and issubclass(found, Row) and hasattr(found, "schema") else None

    def _constructed(self, node: ast.Call) -> Iterator[tuple[nodes.Expression, ast.expr]]:
        """`Link(x.src, dst=…)` as a head: its columns in order."""
        made = self._row_class(node)
        assert made is not None
        names = made.schema.names
        given: dict[str, ast.expr] = dict(zip(names, node.args, strict=False))
        for keyword in node.keywords:
            if keyword.arg not in names:
                hint = did_you_mean(str(keyword.arg), names, f"its columns are {made.schema}")
                raise UnknownColumn(f"{made.__name__} has no column {keyword.arg!r}", self.span(keyword), hint=hint)
            if keyword.arg in given:
                raise ArityError(
                    f"{made.__name__} is given {keyword.arg} twice", self.span(keyword), hint=f"its columns are {made.schema}"
                )
            given[str(keyword.arg)] = keyword.value
        if (
            len(node.args) + len(node.keywords) != len(names)
            or len(given) != len(names)
            or any(isinstance(a, ast.Starred) for a in node.args)
        ):
            raise ArityError(
                f"{made.__name__} has {counted(len(names), 'column')}, here {len(node.args) + len(node.keywords)}",
                self.span(node),
                hint=f"its columns are {made.schema}",
            )
        for name in names:
            yield self._column(given[name]), given[name]


def queries(names: Names, node: ast.expr, target: nodes.Collection | None, operator: str) -> Iterator[tuple[nodes.Select, bool]]:
    """The queries that a node stands for: one, or one for each row of a list or set display.

    Args:
        names: of the method.
        node: the right side of a statement.
        target: the collection to be filled; None for a temporary or an invariant.
        operator: of the statement.

    Yields:
        each query, and whether its head is just the key of the target.

    Raises:
        RuleError: for what is no query, or does not fit the target.
    """
    source = names.readable(node)
    if source is not None:
        yield _fitted(_whole(names, source, node), target, operator)
    elif isinstance(node, ast.GeneratorExp | ast.ListComp | ast.SetComp):
        query = Query(names, {}, {})
        select, head = query.select(node.elt, node.generators, node)
        yield _fitted((query, select, head), target, operator)
    elif isinstance(node, ast.List | ast.Set) and target is not None or isinstance(node, ast.List | ast.Set) and operator == "=":
        if not node.elts:
            raise UnsupportedStatement("a display without rows", names.span(node), hint="leave the statement out")
        for row in node.elts:
            yield _literal(names, row, target, operator)
    elif operator == "invariant":
        raise _no_query(names, node, "an invariant holds queries that must stay empty: (row for row in self.collection if …)")
    else:
        yield _literal(names, node, target, operator)


def _whole(names: Names, source: nodes.Collection, node: ast.expr) -> tuple[Query, nodes.Select, Head]:
    """A collection as a query: all its rows."""
    query, span = Query(names, {"row": source.name}, {}), names.span(node)
    row = nodes.RowVariable("row", source.name, span)
    head: Head = [(nodes.Field(row, name, i, span), node) for i, name in enumerate(source.schema.names)]
    return query, nodes.Select(tuple(field for field, _ in head), (nodes.Scan("row", source.name, span),), span), head


def _literal(names: Names, node: ast.expr, target: nodes.Collection | None, operator: str) -> tuple[nodes.Select, bool]:
    """A literal row: a tuple, a row of another collection, a `Row`, or the bare value of a one-column collection."""
    _check_literal(names, node)
    query = Query(names, {}, {})
    select, head = query.select(node, [], node)
    if isinstance(node, ast.Call) and query._row_class(node) is None and target is not None and target.schema.width > 1:
        raise _no_query(names, node, f"for rows that a function returns write (row for row in {ast.unparse(node)})")
    return _fitted((query, select, head), target, operator)


def _check_literal(names: Names, node: ast.expr) -> None:
    """Refuse what looks like a query and is none."""
    if isinstance(node, ast.Attribute) and names.path(node) is not None and isinstance(node.value, ast.Name):
        path = names.path(node)
        if path not in names.scope.parameters and path not in ("me", "now", "step", "rand"):
            raise names.not_a_collection(node)
    if isinstance(node, ast.BinOp):
        for side in (node.left, node.right):
            if names.collection(side) is not None or isinstance(side, ast.GeneratorExp | ast.ListComp | ast.SetComp):
                hint = (
                    "write one statement for each"
                    if isinstance(node.op, ast.BitOr | ast.Add)
                    else "use `not in` or `not any(…)` in a condition"
                )
                raise _no_query(names, node, hint, "an operation on whole collections")
    if isinstance(node, ast.DictComp | ast.Dict):
        raise _no_query(names, node, "rows are tuples: [(key, value), …] or ((key, value) for …)")
    if isinstance(node, ast.Lambda):
        raise _no_query(names, node, "write the query itself, without lambda")
    if isinstance(node, ast.Starred):
        raise _no_query(names, node, "write a query: (row for row in …)")
    if isinstance(node, ast.Name) and node.id in names.locals and node.id not in names.temporaries:
        raise _no_query(names, node, f"assign the temporary {node.id} above")
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _WHOLE:
        given = node.args[0] if len(node.args) == 1 else None
        if isinstance(given, ast.GeneratorExp | ast.ListComp | ast.SetComp) or given is not None and names.collection(given) is not None:
            raise _no_query(names, node, f"write the query itself, without {node.func.id}(…)")
        if any(names.collection(each) is not None for each in node.args):
            raise _no_query(names, node, "write what it does as a query: (… for row in self.collection)")
        if node.func.id in _ITERABLES:
            raise _no_query(names, node, f"for rows of Python values write (value for value in {ast.unparse(node)})")


def _no_query(names: Names, node: ast.expr, hint: str, what: str = "") -> RuleError:
    return UnsupportedStatement(f"{what or ast.unparse(node)[:60]} is no query", names.span(node), hint=hint)


def _fitted(found: tuple[Query, nodes.Select, Head], target: nodes.Collection | None, operator: str) -> tuple[nodes.Select, bool]:
    """A query held against the schema of what it fills."""
    query, select, head = found
    if target is None:
        return select, False
    schema = target.schema
    keys = [schema.columns[i] for i in schema.key_indexes]
    by_key = operator == "<-" and len(head) != schema.width and len(head) == len(keys)
    columns = keys if by_key else list(schema.columns)
    if len(head) != len(columns):
        raise _head_arity(query, select, head, target, operator)
    _check_types(query, head, columns)
    return select, by_key


def _head_arity(query: Query, select: nodes.Select, head: Head, target: nodes.Collection, operator: str) -> ArityError:
    schema = target.schema
    hint = f"its columns are {schema}"
    if operator == "<-":
        hint = f"give the whole row or just the key: {schema}"
    elif head and all(isinstance(node, ast.Tuple) for _, node in head):
        hint = "a tuple is one row; for several rows write a list: [(…), (…)]"
    elif schema.width == 1:
        hint = "for a tuple as the one value write ((…),)"
    elif len(head) == 1:
        hint = f"write a tuple of {', '.join(schema.names)}"
    span = query.span(head[0][1]) if len(head) == 1 else select.span
    if len(head) > 1:
        last, start = query.span(head[-1][1]), query.span(head[0][1])
        same_line = (start.line, start.column, last.end_line, last.end_column)
        span = type(start)(*same_line, start.file)
    return ArityError(f"{target.name} has {counted(schema.width, 'column')}, this row {len(head)}", span, hint=hint)


def _check_types(query: Query, head: Head, columns: list[Column]) -> None:
    for (expression, node), column in zip(head, columns, strict=True):
        why = misfit(expression, column, query.names.collections, query.values)
        if why:
            raise ColumnTypeError(f"column {column.name!r}: {why}", query.span(node), hint=f"declared is {column}")


def _splits(test: ast.Compare) -> bool:
    """Whether a chain of comparisons may be taken apart: what stands between is free to evaluate twice."""
    return all(isinstance(one, ast.Name | ast.Constant) or _is_column(one) for one in test.comparators[:-1])


def _is_column(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)


def _pairs(test: ast.Compare) -> Iterator[ast.Compare]:
    """`a == b` and `b == c` of `a == b == c`, so that each can be a join."""
    lefts = [test.left, *test.comparators]
    for left, operator, right in zip(lefts, test.ops, test.comparators, strict=False):
        pair = ast.copy_location(ast.Compare(left, [operator], [right]), left)
        pair.end_lineno, pair.end_col_offset = right.end_lineno, right.end_col_offset
        yield pair


def _bound(target: ast.expr) -> Iterator[ast.Name]:
    """The names that a target binds, without `_`."""
    for node in ast.walk(target):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id != "_":
            yield node


def _target(node: ast.expr, query: Query) -> nodes.Target:
    match node:
        case ast.Name(name):
            return name
        case ast.Tuple(elements) | ast.List(elements):
            return tuple(_target(one, query) for one in elements)
    what = "a * in a pattern" if isinstance(node, ast.Starred) else f"{ast.unparse(node)} as a target"
    raise UnsupportedStatement(f"{what} has no place in a query", query.span(node), hint="bind names: for a, b, _ in self.collection")


def _shown(source: nodes.Collection) -> str:
    return source.name.rpartition(":")[2]
