"""Rule methods to rules: each statement of a method becomes one or more rules of the IR."""

from __future__ import annotations

import ast
from types import FunctionType

from bloompy.errors import IllegalOperator, RuleError, SourceNotAvailable, UnsupportedStatement
from bloompy.ir import nodes
from bloompy.ir.walk import head_names
from bloompy.lang import operators
from bloompy.lang.lookalikes import refused
from bloompy.lang.methods import RuleMethod
from bloompy.lang.names import Names
from bloompy.lang.queries import queries
from bloompy.lang.scope import ClassScope
from bloompy.lang.source import function_syntax
from bloompy.schema import Column, schema_of
from bloompy.span import Span


def compile_method(method: RuleMethod, scope: ClassScope) -> tuple[list[nodes.Rule], list[nodes.Collection]]:
    """The rules of one method, and the collections of its temporaries.

    Raises:
        RuleError: for everything that is no rule, with its place.
    """
    return _Method(method, scope).compile()


def check_helper(function: FunctionType) -> None:
    """Refuse a method without decorator that holds statements of Bloom: they would never be read.

    Raises:
        UnsupportedStatement: at the first such statement.
    """
    try:
        syntax = function_syntax(function)
    except SourceNotAvailable:
        return
    first = syntax.args.args[0].arg if syntax.args.args else None
    for node in syntax.body:
        match node:
            case ast.Expr(ast.Compare(ast.Attribute(ast.Name(name)), [ast.LtE() | ast.Lt()])) if name == first:
                span = Span.of(node, function.__code__.co_filename)
                raise UnsupportedStatement(
                    f"{function.__name__} holds rules and is no rule method", span, hint=f"write @rule above `def {function.__name__}`"
                )


class _Method:
    """The statements of one method, read in order."""

    def __init__(self, method: RuleMethod, scope: ClassScope) -> None:
        self.method, self.syntax = method, function_syntax(method.function)
        self.names = Names(method, scope, self.syntax.body)
        owner = self.names.owner
        self.label = f"{owner.rpartition('.')[2] or scope.name}.{method.function.__name__}"
        self.scope = f"{method.function.__module__}:{owner}"
        self.rules: list[nodes.Rule] = []
        self.statement = 0

    def compile(self) -> tuple[list[nodes.Rule], list[nodes.Collection]]:
        """All rules and temporaries."""
        syntax = self.syntax
        if isinstance(syntax, ast.AsyncFunctionDef):
            raise UnsupportedStatement("an async rule method", self.names.span(syntax), hint="leave out the async: rules wait for nothing")
        body = syntax.body
        if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant) and isinstance(body[0].value.value, str):
            body = body[1:]
        for statement in body:
            self.read(statement)
            self.statement += 1
        return self.rules, list(self.names.temporaries.values())

    def read(self, statement: ast.stmt) -> None:
        """One statement."""
        match statement:
            case ast.Assign([ast.Name(name)], query):
                self.temporary(name, query, statement)
            case ast.Expr(value) if self.method.kind == "invariant":
                self.invariant(value, statement)
            case ast.Expr(ast.Compare(_, [_]) as comparison):
                self.rule(comparison, statement)
            case _:
                raise refused(self.names, statement)

    def rule(self, comparison: ast.Compare, at: ast.stmt) -> None:
        """`self.collection operator query`."""
        found = operators.statement(self.names, comparison)
        if found is None:
            raise refused(self.names, at)
        target = self.names.fillable(found.left)
        operators.check(self.names, found.left, found.operator, target, self.method.kind)
        for select, by_key in queries(self.names, found.query, target, found.operator):
            self.add(target.name, found.operator, select, at, by_key)

    def invariant(self, value: ast.expr, at: ast.stmt) -> None:
        """A bare query."""
        if isinstance(value, ast.Compare) and self.names.path(value.left) is not None:
            raise IllegalOperator(
                "a statement in an invariant method",
                self.names.span(value),
                hint="an invariant holds bare queries that must stay empty; rules go under @rule",
            )
        if not isinstance(value, ast.GeneratorExp | ast.ListComp | ast.SetComp) and self.names.collection(value) is None:
            raise self.no_invariant(value, at)
        for select, _ in queries(self.names, value, None, "invariant"):
            self.add("", "=", select, at)

    def no_invariant(self, value: ast.expr, at: ast.stmt) -> RuleError:
        """The error for an invariant that is no query."""
        if self.names.path(value) is not None:
            return self.names.not_a_collection(value)
        return UnsupportedStatement(
            "an invariant method holds bare queries", self.names.span(at), hint="write (row for row in self.collection if what must not be)"
        )

    def temporary(self, name: str, query: ast.expr, at: ast.stmt) -> None:
        """`name = query`."""
        names, full = self.names, f"{self.method.function.__name__}:{name}"
        if name in names.temporaries or name == names.self_name:
            raise UnsupportedStatement(
                f"{name!r} is assigned twice",
                names.span(at),
                hint="give each temporary a name of its own, or declare a scratch and fill it by <=",
            )
        found: nodes.Collection | None = None
        for select, _ in queries(names, query, None, "="):
            if found is None:
                schema = schema_of([Column(one) for one in head_names(select)])
                found = nodes.Collection(full, "temporary", schema, owner=names.owner, span=names.span(at))
            elif len(select.head) != found.schema.width:
                raise operators.uneven(select.span, len(select.head), found)
            self.add(full, "=", select, at)
        if found is not None:
            names.temporaries[name] = names.collections[full] = found

    def add(self, head: str, operator: nodes.Operator, select: nodes.Select, at: ast.AST, by_key: bool = False) -> None:
        """Keep a rule."""
        span = self.names.span(at)
        kind = "rule" if head and self.method.kind == "invariant" else self.method.kind  # a temporary of invariants may have rows
        self.rules.append(nodes.Rule(self.label, self.statement, kind, head, operator, select, by_key, self.scope, "", span))
