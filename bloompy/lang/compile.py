"""Python syntax to IR: one rule method at a time."""

from __future__ import annotations

import ast
import builtins
import difflib
from collections.abc import Iterable, Mapping
from types import FunctionType
from typing import Any

from attrs import evolve

from bloompy import agg as aggregates
from bloompy import errors
from bloompy.ir import nodes
from bloompy.ir.walk import head_names
from bloompy.lang.methods import RuleMethod
from bloompy.lang.scope import ClassScope
from bloompy.lang.source import function_syntax
from bloompy.schema import Column, schema_of
from bloompy.span import Span

TICK_VALUES = ("me", "now", "step", "rand")


def compile_method(method: RuleMethod, scope: ClassScope) -> tuple[list[nodes.Rule], list[nodes.Collection]]:
    """The rules of one method, and the collections of its temporaries.

    Raises:
        RuleError: for everything that is no rule, with its place.
    """
    return _Method(method, scope).compile()


def free_names(function: FunctionType) -> tuple[str, ...]:
    """Names that a rule method takes from enclosing functions."""
    return function.__code__.co_freevars


class _Method:
    def __init__(self, method: RuleMethod, scope: ClassScope) -> None:
        self.method, self.scope, self.function = method, scope, method.function
        self.file = method.function.__code__.co_filename
        self.collections = dict(scope.collections)
        self.temporaries: dict[str, nodes.Collection] = {}
        self.rules: list[nodes.Rule] = []
        self.statement = 0

    def span(self, node: ast.AST) -> Span:
        return Span.of(node, self.file)

    def compile(self) -> tuple[list[nodes.Rule], list[nodes.Collection]]:
        body = function_syntax(self.function).body
        for i, statement in enumerate(body):
            if i == 0 and isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                continue
            self.read(statement)
            self.statement += 1
        return self.rules, list(self.temporaries.values())

    def read(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Pass():
                return
            case ast.Assign([ast.Name(name)], value):
                self.temporary(name, value, statement)
            case ast.Expr(value):
                if self.method.kind == "invariant":
                    for select in self.query(value, None):
                        self.add("", "=", select, statement)
                else:
                    self.rule(value, statement)
            case _:
                raise errors.UnsupportedStatement("not a statement of Bloom", self.span(statement), hint="write `self.collection <= query`")

    def add(self, head: str, operator: Any, select: nodes.Select, at: ast.AST, by_key: bool = False) -> None:
        owner = self.function.__qualname__.rpartition(".")[0]
        scope = f"{self.function.__module__}:{owner}"
        self.rules.append(
            nodes.Rule(
                f"{self.scope.name}.{self.function.__name__}", self.statement, self.method.kind, head, operator, select, by_key, scope, "", self.span(at)
            )
        )

    def temporary(self, name: str, value: ast.expr, at: ast.stmt) -> None:
        full = f"{self.function.__name__}:{name}"
        for select in self.query(value, None):
            columns = head_names(select)
            if full not in self.temporaries:
                schema = schema_of([Column(one) for one in columns])
                self.temporaries[full] = self.collections[full] = nodes.Collection(full, "temporary", schema, span=self.span(at))
            self.add(full, "=", select, at)

    def rule(self, value: ast.expr, at: ast.stmt) -> None:
        if not (isinstance(value, ast.Compare) and len(value.ops) == 1):
            raise errors.UnsupportedStatement("not a statement of Bloom", self.span(at), hint="write `self.collection <= query`")
        operator, query = _operator(value.ops[0], value.comparators[0])
        if operator is None:
            raise errors.UnsupportedStatement("not a statement of Bloom", self.span(at), hint="write `self.collection <= query`")
        head = self.collection(value.left)
        if head is None:
            raise errors.UnsupportedStatement("the left side is no collection", self.span(value.left), hint="write self.collection")
        for select in self.query(query, head):
            width = len(select.head)
            by_key = operator == "<-" and width != head.schema.width and width == len(head.schema.key_indexes)
            if width != head.schema.width and not by_key:
                raise errors.ArityError(
                    f"{head.name} has {head.schema.width} columns, this row {width}", select.span, hint=f"its columns are {head.schema}"
                )
            self.add(head.name, operator, select, at, by_key)

    # -- names

    def path(self, node: ast.expr) -> str | None:
        """The dotted name below self."""
        match node:
            case ast.Attribute(ast.Name("self"), name):
                return name
            case ast.Attribute(inner, name):
                below = self.path(inner)
                return None if below is None or below not in self.modules() else f"{below}.{name}"
        return None

    def modules(self) -> set[str]:
        return {*self.scope.modules, *(name.rpartition(".")[0] for name in self.collections if "." in name)}

    def collection(self, node: ast.expr) -> nodes.Collection | None:
        if isinstance(node, ast.Name):
            return self.temporaries.get(f"{self.function.__name__}:{node.id}")
        name = self.path(node)
        return self.collections.get(name) if name is not None else None

    # -- queries

    def query(self, node: ast.expr, head: nodes.Collection | None) -> Iterable[nodes.Select]:
        match node:
            case ast.GeneratorExp(element, generators) | ast.ListComp(element, generators) | ast.SetComp(element, generators):
                yield _Query(self, head).select(element, generators, node)
            case ast.List(rows) | ast.Set(rows):
                for row in rows:
                    yield _Query(self, head).select(row, [], row)
            case _ if (source := self.collection(node)) is not None:
                span = self.span(node)
                row = nodes.RowVariable("row", source.name, span)
                fields = tuple(nodes.Field(row, name, i, span) for i, name in enumerate(source.schema.names))
                yield nodes.Select(fields, (nodes.Scan("row", source.name, span),), span)
            case _:
                yield _Query(self, head).select(node, [], node)


class _Query:
    """One comprehension with the variables it binds."""

    def __init__(self, method: _Method, head: nodes.Collection | None, rows: Mapping[str, str] | None = None, values: Iterable[str] = ()) -> None:
        self.method, self.head = method, head
        self.rows: dict[str, str] = dict(rows or {})
        self.values: set[str] = set(values)

    def span(self, node: ast.AST) -> Span:
        return self.method.span(node)

    def select(self, element: ast.expr, generators: list[ast.comprehension], at: ast.AST) -> nodes.Select:
        body = tuple(self.clauses(generators))
        return nodes.Select(tuple(self.head_columns(element)), body, self.span(at))

    def clauses(self, generators: list[ast.comprehension]) -> Iterable[nodes.Clause]:
        for generator in generators:
            yield self.source(generator)
            for test in generator.ifs:
                yield from self.conditions(test)

    def source(self, generator: ast.comprehension) -> nodes.Clause:
        target = _target(generator.target)
        source = self.method.collection(generator.iter)
        if source is None:
            value = self.expression(generator.iter)
            self.values.update(_names(target))
            return nodes.Iterate(target, value, self.span(generator.target))
        if isinstance(target, str):
            if target != "_":
                self.rows[target] = source.name
        else:
            if len(target) != source.schema.width:
                raise errors.ArityError(
                    f"{source.name} has {source.schema.width} columns, the pattern {len(target)}", self.span(generator.target), hint=str(source.schema)
                )
            self.values.update(_names(target))
        return nodes.Scan(target, source.name, self.span(generator.target))

    def conditions(self, test: ast.expr) -> Iterable[nodes.Condition]:
        if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
            for one in test.values:
                yield from self.conditions(one)
        else:
            yield nodes.Condition(self.expression(test), self.span(test))

    def head_columns(self, element: ast.expr) -> Iterable[nodes.Expression]:
        elements = element.elts if isinstance(element, ast.Tuple) else [element]
        for one in elements:
            starred = isinstance(one, ast.Starred)
            inner = one.value if isinstance(one, ast.Starred) else one
            row = self.expression(inner) if not isinstance(element, ast.Tuple) or starred else None
            if isinstance(row, nodes.RowVariable | nodes.Lookup | nodes.Get):
                schema = self.method.collections[row.collection].schema
                yield from (nodes.Field(row, name, i, self.span(inner)) for i, name in enumerate(schema.names))
            else:
                yield row if row is not None else self.expression(one)

    # -- expressions

    def expression(self, node: ast.expr) -> nodes.Expression:
        span = self.span(node)
        match node:
            case ast.Constant(value):
                return nodes.Const(value, span)
            case ast.Name(name):
                if name in self.rows:
                    return nodes.RowVariable(name, self.rows[name], span)
                return nodes.Variable(name, span) if name in self.values else nodes.Global(name, span)
            case ast.Compare(left, [ast.In() | ast.NotIn() as operator], [right]) if (source := self.method.collection(right)) is not None:
                return nodes.Member(source.name, self.expression(left), isinstance(operator, ast.NotIn), span)
            case ast.Subscript(value, key) if (source := self.method.collection(value)) is not None:
                return nodes.Lookup(source.name, self.expression(key), span)
            case ast.Call(ast.Attribute(value, "get"), [key, default]) if (source := self.method.collection(value)) is not None:
                return nodes.Get(source.name, self.expression(key), self.expression(default), span)
            case ast.Call(ast.Name("any" | "all" as name), [ast.GeneratorExp() as query]) if self.over_collection(query):
                return self.exists(name, query, span)
            case ast.UnaryOp(ast.Not(), ast.Call(ast.Name("any" | "all" as name), [ast.GeneratorExp() as query])) if self.over_collection(query):
                found = self.exists(name, query, span)
                return evolve(found, negated=not found.negated)
            case ast.Attribute():
                return self.attribute(node)
            case ast.Call(ast.Attribute(ast.Name(module), name), arguments) if self.resolve(module) is aggregates:
                return self.aggregate(name, node, arguments)
            case ast.Call(ast.Name(name), arguments) if getattr(self.resolve(name), "__bloompy_aggregate__", False):
                return nodes.Aggregate(name, tuple(self.expression(one) for one in arguments), True, span)
        return self.python(node)

    def aggregate(self, name: str, node: ast.Call, arguments: list[ast.expr]) -> nodes.Expression:
        values = [self.expression(one) for one in arguments]
        values += [self.expression(keyword.value) for keyword in node.keywords]
        if name == "rank" and len(values) == 1:
            values.append(nodes.Const((), self.span(node)))
        return nodes.Aggregate(name, tuple(values), False, self.span(node))

    def attribute(self, node: ast.Attribute) -> nodes.Expression:
        span = self.span(node)
        name = self.method.path(node)
        if name is not None:
            if name in TICK_VALUES:
                return nodes.TickValue(name, span)  # type: ignore[arg-type]
            if name in self.method.scope.parameters:
                return nodes.Parameter(name, span)
            if name in self.method.scope.methods:
                return nodes.Method(name, span)
            known = [*self.method.collections, *self.method.scope.parameters, *self.method.scope.methods]
            close = difflib.get_close_matches(name, known, 1)
            raise errors.UnknownCollection(f"self.{name} is not declared", span, hint=f"did you mean self.{close[0]}?" if close else None)
        row = self.expression(node.value)
        if isinstance(row, nodes.RowVariable | nodes.Lookup | nodes.Get):
            schema = self.method.collections[row.collection].schema
            if node.attr not in schema.index:
                close = difflib.get_close_matches(node.attr, schema.names, 1)
                raise errors.UnknownColumn(
                    f"{row.collection} has no column {node.attr!r}", span, hint=f"did you mean {close[0]!r}?" if close else f"it has {schema}"
                )
            return nodes.Field(row, node.attr, schema.index[node.attr], span)
        return self.python(node)

    def over_collection(self, query: ast.GeneratorExp) -> bool:
        return any(self.method.collection(generator.iter) is not None for generator in query.generators)

    def exists(self, name: str, query: ast.GeneratorExp, span: Span) -> nodes.Exists:
        inner = _Query(self.method, None, self.rows, self.values)
        body = list(inner.clauses(query.generators))
        if name == "any":
            if not (isinstance(query.elt, ast.Constant) and query.elt.value is True):
                body += inner.conditions(query.elt)
            return nodes.Exists(tuple(body), False, span)
        test = inner.expression(query.elt)
        body.append(nodes.Condition(nodes.Python("not _0", (test,), self.span(query.elt)), self.span(query.elt)))
        return nodes.Exists(tuple(body), True, span)

    def resolve(self, name: str) -> Any:
        if name in self.rows or name in self.values:
            return None
        function = self.method.function
        for free, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            if free == name:
                try:
                    return cell.cell_contents
                except ValueError:
                    return None
        return function.__globals__.get(name, getattr(builtins, name, None))

    def python(self, node: ast.expr) -> nodes.Expression:
        """Any other expression, as a template over its parts."""
        own = {name.id for below in ast.walk(node) for name in _bound_inside(below)}
        inner = _Query(self.method, None, {k: v for k, v in self.rows.items() if k not in own}, self.values | own)
        parts: list[nodes.Expression] = []

        class Take(ast.NodeTransformer):
            def visit(self, below: ast.AST) -> ast.AST:
                if below is not node and isinstance(below, ast.expr) and isinstance(getattr(below, "ctx", ast.Load()), ast.Load) and not isinstance(below, ast.Starred):
                    parts.append(inner.expression(below))
                    return ast.Name(f"_{len(parts) - 1}", ast.Load())
                return self.generic_visit(below)

        import copy

        copied = copy.copy(node)
        holder = Take()
        template = ast.unparse(_shallow(node, holder))
        del copied
        return nodes.Python(template, tuple(parts), self.span(node))


def _shallow(node: ast.AST, take: ast.NodeTransformer) -> ast.AST:
    """A copy of a node whose child expressions went through a transformer."""
    fields: dict[str, Any] = {}
    for name, value in ast.iter_fields(node):
        if isinstance(value, list):
            fields[name] = [_child(one, take) for one in value]
        else:
            fields[name] = _child(value, take)
    return type(node)(**fields)


def _child(value: Any, take: ast.NodeTransformer) -> Any:
    if isinstance(value, ast.expr) and isinstance(getattr(value, "ctx", ast.Load()), ast.Load) and not isinstance(value, ast.Starred | ast.JoinedStr | ast.FormattedValue):
        return take.visit(value)
    if isinstance(value, ast.AST):
        return _shallow(value, take)
    return value


def _bound_inside(node: ast.AST) -> Iterable[ast.Name]:
    if isinstance(node, ast.comprehension):
        yield from (name for name in ast.walk(node.target) if isinstance(name, ast.Name))
    elif isinstance(node, ast.Lambda):
        yield from (ast.Name(argument.arg) for argument in node.args.args)


def _target(node: ast.expr) -> nodes.Target:
    match node:
        case ast.Name(name):
            return name
        case ast.Tuple(elements) | ast.List(elements):
            return tuple(_target(one) for one in elements)
    raise AssertionError(ast.dump(node))


def _names(target: nodes.Target) -> Iterable[str]:
    if isinstance(target, tuple):
        for one in target:
            yield from _names(one)
    elif target != "_":
        yield target


def _operator(operator: ast.cmpop, query: ast.expr) -> tuple[nodes.Operator | None, ast.expr]:
    if isinstance(operator, ast.LtE):
        return "<=", query
    if isinstance(operator, ast.Lt) and isinstance(query, ast.UnaryOp):
        inner = query.operand
        match query.op:
            case ast.UAdd() if isinstance(inner, ast.UnaryOp) and isinstance(inner.op, ast.USub):
                return "<+-", inner.operand
            case ast.UAdd():
                return "<+", inner
            case ast.USub():
                return "<-", inner
            case ast.Invert():
                return "<~", inner
    return None, query
