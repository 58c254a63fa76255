"""A query evaluated as it reads: nested loops in the order written, expressions lazily as Python would.

The slow half of the reference evaluator (`bloompy.engine.naive`). Nothing here is clever on purpose.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

from attrs import field, frozen

from bloompy.agg import AGGREGATES, ranks
from bloompy.engine.expression import place, to_ast
from bloompy.engine.support import ordered
from bloompy.engine.tick import Batch, Environment, PlainRow
from bloompy.errors import UnorderableValues
from bloompy.ir.nodes import (
    Aggregate,
    Clause,
    Condition,
    Exists,
    Expression,
    Field,
    Get,
    Global,
    Iterate,
    Lookup,
    Member,
    Method,
    Parameter,
    Program,
    RowVariable,
    Rule,
    Scan,
    Target,
    TickValue,
)
from bloompy.ir.walk import free_names, walk
from bloompy.schema import Key

Names: TypeAlias = dict[str, Any]
"""What the `for`s have bound: plain rows and values by name."""

Facts: TypeAlias = Mapping[str, Mapping[Key, PlainRow]]
"""The rows of every collection by key."""


_CONTEXT = "\u00b7context"
"""The context in compiled expressions: a name that Python text cannot have."""


class Missing(Exception):
    """`self.c[k]` found no row: the binding is dropped."""


class Query:
    """The query of one rule in one instance.

    Args:
        rule: it.
        program: has the schemas.
        environment: has the names.
    """

    def __init__(self, rule: Rule, program: Program, environment: Environment) -> None:
        self.rule, self.program, self.environment = rule, program, environment
        self.scope = environment.scopes[rule.scope]
        self.aggregates = [node for one in rule.query.head for node in walk(one) if isinstance(node, Aggregate)]
        self.exists: list[Exists] = []
        self._functions: dict[int, Callable[[Names, Context], Any]] = {}

    def rows(self, facts: Facts, batch: Batch) -> list[PlainRow]:
        """Every row that the query derives from some facts.

        Raises:
            whatever an expression raises, with a note that tells the rule and the rows at hand.
        """
        context = Context(self, facts, batch)
        bindings = list(self.bindings(self.rule.query.body, {}, context))
        if not self.aggregates:
            return [row for names in bindings for row in self._head(names, context)]
        if any(node.function == "rank" for node in self.aggregates):
            return list(self._ranked(bindings, context))
        return list(self._grouped(bindings, context))

    def bindings(self, body: tuple[Clause, ...], names: Names, context: Context) -> Iterator[Names]:
        """Every way to satisfy the clauses, one after the other."""
        if not body:
            yield names
            return
        try:
            options = list(self._options(body[0], names, context))
        except Missing:
            return
        for bound in options:
            yield from self.bindings(body[1:], {**names, **bound}, context)

    def _options(self, clause: Clause, names: Names, context: Context) -> Iterable[Names]:
        """What one clause can bind."""
        match clause:
            case Scan(target, collection):
                return [_bound(target, row) for row in context.facts[collection].values()]
            case Iterate(target, source):
                with self._explaining(names):
                    return [_bound(target, item) for item in ordered(self._value(source, names, context))]
            case Condition(test):
                return [{}] if self.evaluate(test, names, context) else []

    # -- heads

    def _head(self, names: Names, context: Context) -> list[PlainRow]:
        try:
            return [tuple(self.evaluate(one, names, context) for one in self.rule.query.head)]
        except Missing:
            return []

    def _complete(self, bindings: list[Names], context: Context) -> Iterator[tuple[Names, PlainRow, list[Any]]]:
        """Bindings with the values of the head's plain columns and the arguments of its aggregates."""
        plain = [one for one in self.rule.query.head if not any(isinstance(node, Aggregate) for node in walk(one))]
        for names in bindings:
            try:
                group = tuple(self.evaluate(one, names, context) for one in plain)
                arguments = [tuple(self.evaluate(one, names, context) for one in node.arguments) for node in self.aggregates]
            except Missing:
                continue
            yield names, group, [one[0] if len(one) == 1 else one for one in arguments]

    def _grouped(self, bindings: list[Names], context: Context) -> Iterator[PlainRow]:
        groups: dict[PlainRow, list[tuple[Names, list[Any]]]] = {}
        for names, group, arguments in self._complete(bindings, context):
            groups.setdefault(group, []).append((names, arguments))
        for group, members in groups.items():
            for i, node in enumerate(self.aggregates):
                with self._explaining({}):
                    context.aggregated[i] = self._aggregate(node, [arguments[i] for _, arguments in members], group)
            yield from self._head(members[0][0], context)

    def _aggregate(self, node: Aggregate, values: list[Any], group: PlainRow) -> Any:
        try:
            return self._implementation(node)(values)
        except UnorderableValues as error:
            raise UnorderableValues(f"{self.rule.place}, group {group!r}: {error.message}", hint=error.hint) from None

    def _implementation(self, node: Aggregate) -> Callable[[list[Any]], Any]:
        if not node.user:
            return AGGREGATES[node.function]
        found: Callable[[list[Any]], Any] = self.scope.closure.get(node.function) or self.scope.globals[node.function]
        return found

    def _ranked(self, bindings: list[Names], context: Context) -> Iterator[PlainRow]:
        complete = list(self._complete(bindings, context))
        with self._explaining({}):
            positions = [self._ranks([arguments[i] for _, _, arguments in complete]) for i in range(len(self.aggregates))]
        for number, (names, _, _) in enumerate(complete):
            context.aggregated.update((i, ranked[number]) for i, ranked in enumerate(positions))
            yield from self._head(names, context)

    def _ranks(self, arguments: list[tuple[Any, Any]]) -> list[int]:
        partitions: dict[Any, list[int]] = {}
        for number, (_, per) in enumerate(arguments):
            partitions.setdefault(per, []).append(number)
        found = [0] * len(arguments)
        for per, numbers in partitions.items():
            try:
                ranked = ranks([arguments[number][0] for number in numbers])
            except UnorderableValues as error:
                raise UnorderableValues(f"{self.rule.place}, partition {per!r}: {error.message}", hint=error.hint) from None
            for number, position in zip(numbers, ranked, strict=True):
                found[number] = position
        return found

    # -- expressions

    def evaluate(self, expression: Expression, names: Names, context: Context) -> Any:
        """The value of an expression; Missing where a lookup that it reaches finds no row."""
        with self._explaining(names):
            return self._value(expression, names, context)

    def _value(self, expression: Expression, names: Names, context: Context) -> Any:
        function = self._functions.get(id(expression))
        if function is None:
            function = self._functions[id(expression)] = self._compiled(expression)
        return function(names, context)

    def _compiled(self, expression: Expression) -> Callable[[Names, Context], Any]:
        """A Python function of the variables that an expression mentions, placed where the user wrote it.

        The names of its own comprehensions are among them: what is passed for those is shadowed.
        """
        free = list(free_names(expression))
        captured = {node.name: None for node in walk(expression) if isinstance(node, Global) and node.name in self.scope.closure}
        arguments = [ast.arg(name) for name in [*free, *captured, _CONTEXT]]
        body = to_ast(expression, self._special)
        function = ast.Lambda(ast.arguments([], arguments, None, [], [], None, []), body)
        tree = ast.fix_missing_locations(ast.Expression(place(function, expression.span)))
        made = eval(compile(tree, expression.span.file, "eval"), self.scope.globals)
        closure = self.scope.closure
        return lambda names, context: made(*map(names.get, free), *[closure[name] for name in captured], context)

    def _special(self, node: Expression) -> ast.expr:
        """Nodes that mean something of Bloom, as uses of the context."""
        match node:
            case Field(row, _, index):
                return ast.Subscript(self._plain(row), ast.Constant(index), ast.Load())
            case RowVariable() | Lookup() | Get():
                return _call("row", ast.Constant(node.collection), self._plain(node))
            case Member(collection, key, negated):
                held = _call("has", ast.Constant(collection), to_ast(key, self._special))
                return ast.UnaryOp(ast.Not(), held) if negated else held
            case Exists():
                self.exists.append(node)
                names = list(free_names(node))
                bound = ast.Dict([ast.Constant(name) for name in names], [ast.Name(name, ast.Load()) for name in names])
                return _call("exists", ast.Constant(len(self.exists) - 1), bound)
            case Aggregate():
                number = next(i for i, one in enumerate(self.aggregates) if one is node)
                return _call("value", ast.Constant(number))
            case Parameter(name):
                return _call("parameter", ast.Constant(name))
            case Method(name):
                return _call("method", ast.Constant(name))
            case TickValue(name):
                return _call("constant", ast.Constant(name))
        raise AssertionError(node)

    def _plain(self, node: RowVariable | Lookup | Get) -> ast.expr:
        """A row as a plain tuple."""
        match node:
            case Lookup(collection, key):
                return _call("lookup", ast.Constant(collection), to_ast(key, self._special))
            case Get(collection, key, default):
                return _call("get", ast.Constant(collection), to_ast(key, self._special), to_ast(default, self._special))
            case RowVariable(name):
                return ast.Name(name, ast.Load())

    # -- errors

    @contextmanager
    def _explaining(self, names: Names) -> Iterator[None]:
        """What is raised within tells the rule and the rows at hand, once."""
        try:
            yield
        except Missing:
            raise
        except Exception as error:
            if not any(note.startswith("in rule ") for note in getattr(error, "__notes__", ())):
                error.add_note(f"in rule {self.rule.place}")
                for name, value in names.items():
                    error.add_note(f"  {name} = {self._shown(name, value)!r}")
            raise

    def _shown(self, name: str, value: Any) -> Any:
        for clause in self.rule.query.body:
            if isinstance(clause, Scan) and clause.target == name:
                return self.program.by_name[clause.collection].schema.row.make(value)
        return value


@frozen
class Context:
    """What expressions may ask for: the facts, the constants of the tick and of the instance."""

    query: Query
    facts: Facts
    batch: Batch
    aggregated: dict[int, Any] = field(factory=dict)

    def row(self, collection: str, row: PlainRow) -> Any:
        """A plain row with its named columns."""
        return self.query.program.by_name[collection].schema.row.make(row)

    def has(self, collection: str, key: Key) -> bool:
        """`key in self.collection`."""
        return key in self.facts[collection]

    def lookup(self, collection: str, key: Key) -> PlainRow:
        """`self.collection[key]`."""
        if key not in self.facts[collection]:
            raise Missing
        return self.facts[collection][key]

    def get(self, collection: str, key: Key, default: PlainRow) -> PlainRow:
        """`self.collection.get(key, default)`."""
        return self.facts[collection].get(key, default)

    def exists(self, number: int, names: Names) -> bool:
        """`any(…)` or `not any(…)` with the variables that it uses."""
        node = self.query.exists[number]
        found = any(True for _ in self.query.bindings(node.body, names, self))
        return found != node.negated

    def value(self, number: int) -> Any:
        """An aggregate of the head, for the group at hand."""
        return self.aggregated[number]

    def parameter(self, name: str) -> Any:
        """`self.name` of a param."""
        return self.query.environment.parameters[name]

    def method(self, name: str) -> Callable[..., Any]:
        """`self.name` of a method."""
        return self.query.environment.methods[name]

    def constant(self, name: str) -> Any:
        """`self.me`, `self.now`, `self.step`, `self.rand`."""
        return self.query.environment.me if name == "me" else getattr(self.batch, name)


def _bound(target: Target, value: Any) -> Names:
    """What a target binds to a value; raises as Python's unpacking does."""
    if isinstance(target, str):
        return {} if target == "_" else {target: value}
    values = tuple(value)
    if len(values) != len(target):
        raise ValueError(f"{len(values)} values to unpack into {len(target)} names")
    return {name: bound for part, item in zip(target, values, strict=True) for name, bound in _bound(part, item).items()}


def _call(method: str, *arguments: ast.expr) -> ast.expr:
    return ast.Call(ast.Attribute(ast.Name(_CONTEXT, ast.Load()), method, ast.Load()), list(arguments), [])
