"""Expressions of a rule as Python syntax, and the names by which relations and values reach the function."""

from __future__ import annotations

import ast
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from bloompy.engine.expression import place, to_ast
from bloompy.engine.lower import Derivation
from bloompy.engine.plan import Layouts
from bloompy.engine.support import Missing, find, ordered
from bloompy.engine.syntax import attribute, load_name, parse, user_name
from bloompy.engine.template import Instance
from bloompy.engine.variant import Form, Variant
from bloompy.ir.nodes import Clause, Exists, Expression, Field, Get, Lookup, Member, Method, Parameter, RowVariable, TickValue
from bloompy.ir.walk import walk
from bloompy.schema import Schema
from bloompy.span import Span


class Writing:
    """What is known while one function of a derivation is written; `Loops`, `Heads` and `Generator` stand on it, in this order.

    Args:
        derivation: the rule.
        schemas, layouts: by relation name.
        closure: names of the rule's closure.
        checked: whether derived rows are checked; if not, values of lattices are made of what they have in such columns.

    Attributes:
        variant: which function is being written.
        outer: by name, how to find what reaches the function from an instance.
        prologue: what the function loads first, by name.
        inner: functions beside it, of queries within expressions.
        frames: what these load, while they are being written: it is passed to them.
        world: "inner_" while clauses are written that lead from a changed row, which may be read in another state.
        hoisted: by row variable, the columns held in variables of their own.
    """

    def __init__(
        self,
        derivation: Derivation,
        schemas: Mapping[str, Schema],
        layouts: Layouts,
        closure: tuple[str, ...],
        checked: bool,
    ) -> None:
        self.variant = Variant(Form.PUT)
        self.derivation, self.rule, self.query = derivation, derivation.rule, derivation.query
        self.schemas, self.layouts, self.closure, self.checked = schemas, layouts, closure, checked
        schema, name = schemas[derivation.head], derivation.rule.head
        self.lifted = bool(schema.lattices) and not checked
        self.outer: dict[str, Callable[[Instance], Any]] = {
            "_tick": lambda instance: instance.workspace.constants,
            "_conflict": lambda instance: instance.conflict,
            "_Missing": lambda _: Missing,
            "_check": lambda _: lambda row: schema.check(name, row),
            "_lift": lambda _: lambda row: schema.lifted(name, row),
            "_ordered": lambda _: ordered,
        }
        self.prologue: dict[str, ast.expr] = {}
        self.inner: list[ast.stmt] = []
        self.frames: list[dict[str, None]] = []
        self.head_tests: tuple[Clause, ...] = ()
        self.world = ""
        self.exists_bound: set[str] = set()
        self.around = self.query.body
        self.hoisted: dict[str, set[int]] = {}
        self.names = 0

    # -- expressions

    def _expression(self, expression: Expression) -> ast.expr:
        return to_ast(expression, self._special)

    def _special(self, node: Expression) -> ast.expr:
        match node:
            case RowVariable(name, collection):
                return ast.Call(load_name(self._outer_row(collection)), [user_name(name)], [])
            case Field(RowVariable(name), _, index) if index in self.hoisted.get(name, ()):
                return load_name(f"_{name}_{index}")
            case Field(RowVariable(name), _, index):
                return ast.Subscript(user_name(name), ast.Constant(index), ast.Load())
            case Field(row, _, index):
                return ast.Subscript(self._plain_row(row), ast.Constant(index), ast.Load())
            case Lookup(collection) | Get(collection):
                return ast.Call(load_name(self._outer_row(collection)), [self._plain_row(node)], [])
            case Parameter(name):
                return self._given(f"_param_{identifier(name)}", lambda instance: instance.workspace.environment.parameters[name])
            case TickValue("me"):
                return self._given("_me", lambda instance: instance.workspace.environment.me)
            case TickValue(name):
                return attribute("_tick", name)
            case Method(name):
                return self._given(f"_method_{identifier(name)}", lambda instance: instance.workspace.environment.methods[name])
            case Member(collection, key, negated):
                operator = ast.NotIn() if negated else ast.In()
                return ast.Compare(self._key_of(key), [operator], [load_name(self._rows(collection))])
            case Exists():
                return self._exists(node)
        raise AssertionError(node)

    def _plain_row(self, node: Expression) -> ast.expr:
        """The plain tuple of a lookup."""
        match node:
            case Lookup(collection, key):
                self.outer["_find"] = lambda _: find
                return ast.Call(load_name("_find"), [load_name(self._rows(collection)), self._key_of(key)], [])
            case Get(collection, key, default):
                get = attribute(self._rows(collection), "get")
                return ast.Call(get, [self._key_of(key), self._expression(default)], [])
        raise AssertionError(node)

    def _key_of(self, key: Expression) -> ast.expr:
        """A key as one expression; a row variable's own tuple will do."""
        return user_name(key.name) if isinstance(key, RowVariable) else self._expression(key)

    def _key(self, columns: tuple[Expression, ...], span: Span) -> ast.expr:
        values = [self._expression(one) for one in columns]
        return values[0] if len(values) == 1 else place(ast.Tuple(values, ast.Load()), span)

    @abstractmethod
    def _exists(self, node: Exists) -> ast.expr:
        """Whether a query within an expression has a binding."""

    def _fresh(self, name: str) -> str:
        self.names += 1
        return f"{name}{self.names}"

    # -- names of what reaches the function

    def _rows(self, collection: str) -> str:
        return self._load(f"_rows_{self.world}{identifier(collection)}", "rows", collection)

    def _index(self, collection: str, columns: tuple[int, ...]) -> str:
        name = f"_by_{self.world}{identifier(collection)}_{'_'.join(map(str, columns))}"
        return self._load(name, f"index({columns!r})", collection)

    def _load(self, name: str, member: str, collection: str) -> str:
        """A variable with something of a relation, in the state that the function is asked for; loaded at its beginning."""
        relation = f"_relation_{identifier(collection)}"
        self.outer[relation] = lambda instance: instance.workspace.relations[collection]
        state = relation
        if self.variant.form in (Form.LIST, Form.FIND, Form.CONTRIBUTE):
            state = f"_state_{self.world}{identifier(collection)}"
            flag = "_inner_before" if self.world else "_before"
            self.prologue[state] = parse(f"{relation}.before() if {flag} else {relation}")
        text = f"{state}.{member}"
        if state is relation and member.startswith("index("):  # quicker than the call, where the index is there
            text = f"{state}.indexes.get{member[5:]} or {text}"
        self.prologue[name] = parse(text)
        for frame in self.frames:
            frame[name] = None
        return name

    def _outer_row(self, collection: str) -> str:
        name = f"_row_{identifier(collection)}"
        make = self.schemas[collection].row.make
        self.outer[name] = lambda _: make
        return name

    def _given(self, name: str, value: Callable[[Instance], Any]) -> ast.expr:
        """A name for something that differs between instances."""
        self.outer[name] = value
        return load_name(name)


def lazy_lookup(expression: Expression) -> bool:
    return any(isinstance(node, Lookup) for node in walk(expression))


def identifier(name: str) -> str:
    return "".join(character if character.isalnum() else f"_{ord(character):x}_" for character in name)
