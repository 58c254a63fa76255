"""Python expressions of a rule to expressions of the IR, within the bindings of one query."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from typing import Any

from attrs import evolve

from bloompy.errors import AggregateError, ArityError, UnknownColumn, UnknownName, UnsupportedStatement
from bloompy.ir import nodes
from bloompy.lang import aggregates, keys, templates
from bloompy.lang.hints import closest, counted, did_you_mean
from bloompy.lang.impure import hint_against
from bloompy.lang.names import MISSING, TICK_VALUES, Names
from bloompy.lattices import Growth, growth_of
from bloompy.span import Span

_REFUSED = {
    ast.NamedExpr: ("an assignment expression", "bind the value by a for: `for w in (expression,)`"),
    ast.Yield: ("a yield", "write self.collection <= query"),
    ast.YieldFrom: ("a yield", "write self.collection <= query"),
    ast.Await: ("an await", "rules are evaluated within one tick and wait for nothing"),
    ast.Starred: ("a * in this place", "unpack a row in a head: (*row, more)"),
}
_OVER_COLLECTIONS = {"min", "max", "sum", "len", "count", "sorted", "list", "set", "tuple", "frozenset", "dict"}
_AGGREGATE_FOR = {"len": "count()", "sorted": "collect(…)", "list": "collect(…)", "tuple": "collect(…)", "set": "collect_set(…)"}
_AGGREGATE_FOR |= {"frozenset": "collect_set(…)", "min": "min(…)", "max": "max(…)", "sum": "sum(…)"}


class Expressions:
    """Translates the expressions of one query.

    Attributes:
        names: of the method.
        rows: row variables and their collections.
        values: other variables with their types (Any where unknown).
        later: names that the query binds further on.
        inside: "comprehension" or "lambda" within one of Python's own.
        aggregates_allowed: whether this is the head of a comprehension, outside any aggregate.
    """

    def __init__(self, names: Names, rows: dict[str, str], values: dict[str, Any], later: Iterable[str] = ()) -> None:
        self.names, self.rows, self.values, self.later = names, dict(rows), dict(values), set(later)
        self.inside = ""
        self.aggregates_allowed = False

    def span(self, node: ast.AST) -> Span:
        """Where a node stands."""
        return self.names.span(node)

    def nested(self, inside: str, bound: Iterable[str]) -> Expressions:
        """The bindings inside a Python comprehension or lambda."""
        inner = type(self)(self.names, self.rows, self.values, self.later)
        inner.inside = inside
        for name in bound:
            inner.rows.pop(name, None)
            inner.values[name] = Any
        return inner

    def without_aggregates(self, node: ast.expr) -> nodes.Expression:
        """An expression in which no aggregate may stand."""
        allowed, self.aggregates_allowed = self.aggregates_allowed, False
        try:
            return self.read(node)
        finally:
            self.aggregates_allowed = allowed

    def read(self, node: ast.expr) -> nodes.Expression:
        """The expression of the IR.

        Raises:
            RuleError: for what it names and does wrong, at the place of the innermost node.
        """
        reader = _READERS.get(type(node))
        if reader is not None:
            return reader(self, node)
        if type(node) in _REFUSED:
            what, hint = _REFUSED[type(node)]
            raise UnsupportedStatement(f"{what} has no place in a rule", self.span(node), hint=hint)
        return self.python(node)

    def python(self, node: ast.expr) -> nodes.Expression:
        """An expression that means what it means in Python, as a template over its parts."""
        template, parts = templates.split(node, self)
        return nodes.Python(template, parts, self.span(node))

    # -- names

    def name(self, node: ast.Name, called: bool = False) -> nodes.Expression:
        """A name as a value."""
        name, span = node.id, self.span(node)
        if name in self.rows:
            return nodes.RowVariable(name, self.rows[name], span)
        if name in self.values:
            return nodes.Variable(name, span)
        if name == self.names.self_name:
            raise UnsupportedStatement("self alone is no value", span, hint="name what it has: self.collection, self.param, self.me")
        if name in self.names.temporaries:
            raise self.as_value(node, f"the temporary {name}")
        if name == "_" and not called:
            raise UnknownName("`_` binds nothing, so it has no value", span, hint="give the column a name where `for` binds it")
        if name in self.later:
            raise UnknownName(
                f"{name!r} is bound only further on in this query", span, hint="write the condition after the `for` that binds it"
            )
        if name in self.names.locals:
            raise UnknownName(
                f"{name!r} is assigned further down, or not at all", span, hint="assign the temporary above the rules that use it"
            )
        self.check_global(node, called)
        return nodes.Global(name, span)

    def check_global(self, node: ast.Name, called: bool) -> None:
        """Refuse a name that is bound nowhere and looks like one that the query binds; others are found when they are needed."""
        found = self.names.object(node.id)
        if found is MISSING:
            meant = None if called else closest(node.id, [*self.rows, *self.values])
            if meant:
                raise UnknownName(f"the name {node.id!r} is not bound", self.span(node), hint=f"did you mean {meant}?")
            if node.id in self.names.collections or node.id in self.names.scope.parameters:
                raise UnknownName(f"the name {node.id!r} is not bound", self.span(node), hint=f"did you mean self.{node.id}?")
            if node.id == "agg":
                raise UnknownName("the name 'agg' is not bound", self.span(node), hint="from bloompy import agg")
        elif callable(found):
            hint = hint_against(found)
            if hint:
                raise UnsupportedStatement(f"{node.id} has no place in a rule", self.span(node), hint=hint)
            if aggregates.is_aggregate(found) and not called:
                raise AggregateError(f"the aggregate {node.id} is not called", self.span(node), hint=f"write {node.id}(…) in a head")

    def as_value(self, node: ast.AST, what: str) -> UnsupportedStatement:
        """The error for a collection in the place of a value."""
        return UnsupportedStatement(
            f"{what} is a collection, not a value", self.span(node), hint="read its rows by `for`, `in`, [key] or .get(key, default)"
        )

    # -- attributes and subscripts

    def attribute(self, node: ast.Attribute) -> nodes.Expression:
        """`self.…`, a column of a row, or an attribute of a Python value."""
        if self.names.path(node) is not None:
            return self.of_self(node)
        above = node.value
        collection = self.names.collection(above)
        if collection is not None:
            if collection.lattice and node.attr == "value":
                return self.value(node)
            raise self._attribute_of_collection(node)
        if isinstance(above, ast.Name) and above.id not in self.rows and above.id not in self.values:
            self._check_unbound_row(above, node.attr)
        found = self.names.object_of(node, {**self.rows, **self.values})
        if found is not MISSING and aggregates.is_aggregate(found):
            shown = ast.unparse(node)
            raise AggregateError(f"the aggregate {shown} is not called", self.span(node), hint=f"write {shown}(…) in a head")
        hint = hint_against(found) if found is not MISSING and callable(found) else None
        if hint:
            raise UnsupportedStatement(f"{ast.unparse(node)} has no place in a rule", self.span(node), hint=hint)
        row = self.read(above)
        if isinstance(row, nodes.RowVariable | nodes.Lookup | nodes.Get):
            return self.column(row, node)
        return nodes.Python(f"_0.{node.attr}", (row,), self.span(node))

    def of_self(self, node: ast.Attribute) -> nodes.Expression:
        """A parameter, a constant of the tick, or a method."""
        path, span = str(self.names.path(node)), self.span(node)
        if path in TICK_VALUES:
            return nodes.TickValue(path, span)  # type: ignore[arg-type]
        if path in self.names.scope.parameters:
            return nodes.Parameter(path, span)
        if path in self.names.scope.methods:
            return nodes.Method(path, span)
        if path in self.names.collections:
            self.names.readable(node)
            if self.names.collections[path].lattice:
                raise UnsupportedStatement(f"self.{path} is a lattice, not a value", span, hint=f"read it by self.{path}.value")
            raise self.as_value(node, f"self.{path}")
        if path in self.names.scope.modules:
            raise self.names.not_a_collection(node)
        raise self.names.unknown(node)

    def value(self, node: ast.Attribute) -> nodes.Expression:
        """`self.lattice.value`: the column of the one row, which is there from the first tick on."""
        source, span = self.names.readable(node.value), self.span(node)
        assert source is not None
        if self.inside == "lambda":
            raise UnsupportedStatement("a lattice inside a lambda", span, hint="bind its value outside: for v in (self.lattice.value,)")
        return nodes.Field(nodes.Lookup(source.name, nodes.Python("()", (), span), span), "value", 0, span)

    def column(self, row: nodes.RowVariable | nodes.Lookup | nodes.Get, node: ast.Attribute) -> nodes.Field:
        """`row.name`."""
        schema = self.names.collections[row.collection].schema
        index = schema.index.get(node.attr)
        if index is None:
            hint = did_you_mean(node.attr, schema.names, f"its columns are {schema}")
            raise UnknownColumn(f"{_shown(row.collection)} has no column {node.attr!r}", self.span(node), hint=hint)
        return nodes.Field(row, node.attr, index, self.span(node))

    def subscript(self, node: ast.Subscript) -> nodes.Expression:
        """`self.c[key]`, `row[0]`, or a subscript of a Python value."""
        if self.names.collection(node.value) is not None:
            source = self.source(node.value)
            if self.inside == "lambda":
                raise UnsupportedStatement(
                    "a lookup inside a lambda could not drop the binding",
                    self.span(node),
                    hint="use .get(key, default), or look it up outside",
                )
            return nodes.Lookup(source.name, keys.key(self, source, node.slice), self.span(node))
        row = self.read(node.value)
        if isinstance(row, nodes.RowVariable | nodes.Lookup | nodes.Get):
            position = self.read(node.slice) if not isinstance(node.slice, ast.Slice) else None
            if isinstance(position, nodes.Const) and type(position.value) is int:
                return self._column_at(row, position.value, node)
        return self.python(node)

    def source(self, node: ast.expr) -> nodes.Collection:
        """A collection whose rows are read."""
        found = self.names.readable(node)
        assert found is not None
        if found.lattice:
            shown = ast.unparse(node)
            raise UnsupportedStatement(f"{shown} is a lattice and has no rows", self.span(node), hint=f"read it by {shown}.value")
        return found

    def _column_at(self, row: nodes.RowVariable | nodes.Lookup | nodes.Get, position: int, node: ast.Subscript) -> nodes.Field:
        schema = self.names.collections[row.collection].schema
        if not -schema.width <= position < schema.width:
            raise ArityError(
                f"{_shown(row.collection)} has {counted(schema.width, 'column')}, none at {position}",
                self.span(node),
                hint=f"its columns are {schema}",
            )
        index = position % schema.width
        return nodes.Field(row, schema.names[index], index, self.span(node))

    def _attribute_of_collection(self, node: ast.Attribute) -> UnsupportedStatement:
        shown = ast.unparse(node.value)
        if node.attr in ("insert", "delete", "upsert"):
            operator = {"insert": "<+", "delete": "<-", "upsert": "<+-"}[node.attr]
            hint = f"inside rules write {shown} {operator} query; .{node.attr}(…) is for outside"
        elif (collection := self.names.collection(node.value)) is not None and collection.lattice:
            hint = f"a lattice is read by {shown}.value"
        elif node.attr == "get":
            hint = f"call it: {shown}.get(key, default)"
        else:
            hint = f"columns are read of rows: (row.{node.attr} for row in {shown})"
        return UnsupportedStatement(f"{shown}.{node.attr} has no place in a rule", self.span(node), hint=hint)

    def _check_unbound_row(self, name: ast.Name, attribute: str) -> None:
        """`y.src` where no y is bound but a row variable has the column src."""
        if name.id in self.later or name.id in self.names.locals or self.names.object(name.id) is not MISSING:
            return
        having = [row for row, collection in self.rows.items() if attribute in self.names.collections[collection].schema.index]
        if having:
            meant = closest(name.id, having) or having[0]
            raise UnknownName(f"the name {name.id!r} is not bound", self.span(name), hint=f"did you mean {meant}?")

    # -- calls

    def call(self, node: ast.Call) -> nodes.Expression:
        """`get`, `any` and `all` over collections, aggregates, or a call of Python."""
        function = node.func
        if isinstance(function, ast.Attribute):
            if self.names.collection(function.value) is not None:
                return self.get(node, function)
            if aggregates.is_module(self.names.object_of(function.value, {**self.rows, **self.values})):
                return aggregates.builtin(self, node, function.attr)
            template, parts = templates.split(node, self)
            return nodes.Python(template, parts, self.span(node), self._growth(function))
        if isinstance(function, ast.Name) and function.id not in self.rows and function.id not in self.values:
            return self._call_of_name(node, function)
        if isinstance(function, ast.Lambda):
            raise UnsupportedStatement("a lambda is called on the spot", self.span(function), hint="write the expression itself")
        return self.python(node)

    def _call_of_name(self, node: ast.Call, function: ast.Name) -> nodes.Expression:
        found = self.names.object_of(function)
        over = self._collection_within(node)
        if found in (any, all) and over is not None:
            return self.exists(node)
        if over is not None and (found is MISSING or function.id in _OVER_COLLECTIONS):
            self.source(over)
            wanted = _AGGREGATE_FOR.get(function.id)
            hint = (
                f"aggregate in the head of a query: agg.{wanted}" if wanted else "aggregate in the head of a query, agg.count() for example"
            )
            raise AggregateError(f"{function.id}() over the collection {ast.unparse(over)}", self.span(node), hint=hint)
        if found is not MISSING and callable(found):
            if aggregates.is_builtin(found):
                return aggregates.builtin(self, node, found.__name__)
            if aggregates.is_aggregate(found):
                return aggregates.user(self, node, function.id)
            self._check_scalar_aggregate(node, function, found)
        template, parts = templates.split(node, self, self.name(function, called=True))
        return nodes.Python(template, parts, self.span(node), growth_of(found))

    def _growth(self, function: ast.Attribute) -> Growth | None:
        """What is known of a function of a module or class, or of a method, with regard to lattices."""
        path = self.names.path(function)
        if path is not None:
            return growth_of(self.names.scope.methods.get(path))
        return growth_of(self.names.object_of(function, {**self.rows, **self.values}))

    def _check_scalar_aggregate(self, node: ast.Call, function: ast.Name, found: Any) -> None:
        """`min(p.cost)` where the column holds single numbers: the builtin was taken for the aggregate."""
        if found not in (min, max, sum, any, all) or len(node.args) != 1 or node.keywords:
            return
        argument = self.read(node.args[0]) if isinstance(node.args[0], ast.Attribute) else None
        if isinstance(argument, nodes.Field):
            column = self.names.collections[argument.row.collection].schema.columns[argument.index]
            if column.type in (int, float, bool):
                raise AggregateError(
                    f"the builtin {function.id}() of one {column.text}",
                    self.span(node),
                    hint=f"agg.{function.id}(…) aggregates over the group",
                )

    def _collection_within(self, node: ast.Call) -> ast.expr | None:
        """The collection that a call's arguments are or range over."""
        for argument in node.args:
            if self.names.collection(argument) is not None:
                return argument
            if isinstance(argument, ast.GeneratorExp | ast.ListComp | ast.SetComp):
                for generator in argument.generators:
                    if self.names.collection(generator.iter) is not None:
                        return generator.iter
        return None

    def get(self, node: ast.Call, function: ast.Attribute) -> nodes.Expression:
        """`self.c.get(key, default)`."""
        if function.attr != "get":
            raise self._attribute_of_collection(function)
        source, arguments = self.source(function.value), list(node.args)
        named = {keyword.arg: keyword.value for keyword in node.keywords}
        if "default" in named:
            arguments.append(named.pop("default"))
        if len(arguments) != 2 or named:
            raise ArityError(
                f"get takes a key and a default row, here {counted(len(arguments) + len(named), 'argument')}",
                self.span(node),
                hint=f"write {ast.unparse(function)}(key, ({', '.join(source.schema.names)}{',' * (source.schema.width == 1)}))",
            )
        return nodes.Get(source.name, keys.key(self, source, arguments[0]), keys.default(self, source, arguments[1]), self.span(node))

    def exists(self, node: ast.Call) -> nodes.Exists:
        """`any(…)` or `all(…)` over a collection; how a query binds is known to `Query`."""
        raise NotImplementedError

    # -- operators

    def compare(self, node: ast.Compare) -> nodes.Expression:
        """`key in self.c`, or a comparison of Python values."""
        for operator, right in zip(node.ops, node.comparators, strict=True):
            if isinstance(operator, ast.In | ast.NotIn) and self.names.collection(right) is not None:
                if len(node.ops) > 1:
                    raise UnsupportedStatement(
                        "a membership test in a chain of comparisons", self.span(node), hint="join the parts with `and`"
                    )
                source = self.source(right)
                key = keys.key(self, source, node.left)
                return nodes.Member(source.name, key, isinstance(operator, ast.NotIn), self.span(node))
        return self.python(node)

    def negated(self, node: ast.UnaryOp) -> nodes.Expression:
        """`not …`, and other unary operators."""
        if isinstance(node.op, ast.Not):
            return negation(self.read(node.operand), self.span(node))
        if isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
            value = node.operand.value
            if isinstance(value, int | float | complex) and not isinstance(value, bool):
                return nodes.Const(-value, self.span(node))
        return self.python(node)

    def constant(self, node: ast.Constant) -> nodes.Expression:
        """A literal."""
        return nodes.Const(node.value, self.span(node))

    def over(self, node: ast.GeneratorExp | ast.ListComp | ast.SetComp | ast.DictComp) -> nodes.Expression:
        """A comprehension over Python values."""
        for generator in node.generators:
            if self.names.collection(generator.iter) is not None:
                raise UnsupportedStatement(
                    f"a query over {ast.unparse(generator.iter)} inside an expression",
                    self.span(node),
                    hint="make it a temporary above (name = query), another `for`, or an aggregate",
                )
        return self.python(node)


def negation(expression: nodes.Expression, span: Span) -> nodes.Expression:
    """`not` of an expression; membership and existence carry their own."""
    if isinstance(expression, nodes.Member | nodes.Exists):
        return evolve(expression, negated=not expression.negated, span=span)
    return nodes.Python("not _0", (expression,), span)


def _shown(collection: str) -> str:
    return collection.rpartition(":")[2]


_READERS: dict[type[ast.AST], Callable[[Expressions, Any], nodes.Expression]] = {
    ast.Constant: Expressions.constant,
    ast.Name: Expressions.name,
    ast.Attribute: Expressions.attribute,
    ast.Subscript: Expressions.subscript,
    ast.Call: Expressions.call,
    ast.Compare: Expressions.compare,
    ast.UnaryOp: Expressions.negated,
    ast.GeneratorExp: Expressions.over,
    ast.ListComp: Expressions.over,
    ast.SetComp: Expressions.over,
    ast.DictComp: Expressions.over,
}
