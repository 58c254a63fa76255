"""Rules as text: what the IR prints is what a user could have written, and reading it gives the same IR (spans aside)."""

from __future__ import annotations

import ast
import copy
import keyword
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import groupby
from typing import Any

from bloompy.ir.nodes import (
    Aggregate,
    Clause,
    Collection,
    Condition,
    Const,
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
    Python,
    RowVariable,
    Rule,
    Scan,
    Select,
    Target,
    TickValue,
    Variable,
)
from bloompy.ir.rewrite import rebuild
from bloompy.lattices import NAMES

_SHARED = "dead_letter"
_IMPORTS = (
    "Bloom, agg, bootstrap, channel, interface, invariant, lattice, loopback, module, param, periodic, rule, scratch, stdio, table"
)


def rule_text(rule: Rule, program: Program) -> str:
    """One statement, in the words of the class that it belongs to.

    Args:
        rule: the rule.
        program: the program that holds it, for its collections.
    """
    return _Printer(program, rule).statement([rule])


def expression_text(expression: Expression, rule: Rule, program: Program) -> str:
    """One expression of a rule."""
    return ast.unparse(_Printer(program, rule).syntax(expression))


def program_text(program: Program, parameters: Mapping[str, Any] | None = None) -> str:
    """A whole program as Python classes: one for each class that declares, inner modules first.

    Types of columns are printed by name; whoever runs the text brings those names, and those of functions and helper
    methods that rules call.

    Args:
        program: the program.
        parameters: defaults of the params, which the IR does not hold; None for those not given.
    """
    classes = list(_classes(program, program.name.rpartition(".")[2], "", dict(parameters or {}), set()))
    return f"from bloompy import {_IMPORTS}\n\n\n" + "\n\n\n".join(classes) + "\n"


# --- statements -------------------------------------------------------------------------------------------------


class _Printer:
    """Writes one rule; names lose the prefix of the rule's module."""

    def __init__(self, program: Program, rule: Rule) -> None:
        self.program, self.prefix = program, f"{rule.module}." if rule.module else ""

    def statement(self, rules: list[Rule]) -> str:
        """The statement that rules of one number came from; several are a list display of rows."""
        rule = rules[0]
        head = self.own(rule.head)
        if len(rules) > 1:
            query = f"[{', '.join(self.row(one.query) for one in rules)}]"
        else:
            query = self.query(rule.query, bare=rule.kind != "invariant")
        if rule.kind == "invariant" and not rule.head:
            return query
        if rule.operator == "=":
            return f"{head.partition(':')[2]} = {query}"
        return f"self.{head} {rule.operator} {query}"

    def query(self, query: Select, bare: bool = True) -> str:
        """A query: a collection, a literal row, or a comprehension."""
        if bare and _is_whole(query):
            scan = query.body[0]
            assert isinstance(scan, Scan)
            if query.head == self.fields(scan):
                return ast.unparse(self.collection(scan.collection))
        return self.row(query) if not query.body else ast.unparse(ast.GeneratorExp(self.head(query), self.generators(query.body)))

    def row(self, query: Select) -> str:
        """A literal row."""
        return ast.unparse(ast.Tuple([self.syntax(one) for one in query.head], ast.Load()))

    def head(self, query: Select) -> ast.expr:
        return ast.Tuple([self.syntax(one) for one in query.head], ast.Load())

    def fields(self, scan: Scan) -> tuple[Field, ...]:
        row = RowVariable("row", scan.collection)
        return tuple(Field(row, name, i) for i, name in enumerate(self.program.by_name[scan.collection].schema.names))

    def own(self, name: str) -> str:
        """A name as the rule's own class knows it."""
        return name.removeprefix(self.prefix)

    # -- queries

    def collection(self, name: str) -> ast.expr:
        """`self.name`, or a temporary's name."""
        own = self.own(name)
        if ":" in own:
            return ast.Name(own.partition(":")[2], ast.Load())
        return self.of_self(own)

    def of_self(self, path: str) -> ast.expr:
        """`self.a.b`."""
        node: ast.expr = ast.Name("self", ast.Load())
        for part in path.split("."):
            node = ast.Attribute(node, part, ast.Load())
        return node

    def generators(self, body: Iterable[Clause]) -> list[ast.comprehension]:
        """`for … in … if …`."""
        found: list[ast.comprehension] = []
        for clause in body:
            match clause:
                case Scan(target, collection):
                    found.append(ast.comprehension(_target(target), self.collection(collection), [], 0))
                case Iterate(target, source):
                    found.append(ast.comprehension(_target(target), self.syntax(source), [], 0))
                case Condition(test):
                    if not found:
                        raise ValueError("a query that begins with a condition cannot be written as a comprehension")
                    found[-1].ifs.append(self.syntax(test))
        return found

    # -- expressions

    def syntax(self, expression: Expression) -> ast.expr:
        """An expression as Python syntax."""
        match expression:
            case Const(value):
                return _constant(value)
            case Variable(name) | Global(name) | RowVariable(name):
                return ast.Name(name, ast.Load())
            case Parameter(name) | Method(name) | TickValue(name):
                return self.of_self(self.own(name))
            case Field(Lookup(collection), "value") if self.program.by_name[collection].lattice:
                return ast.Attribute(self.collection(collection), "value", ast.Load())
            case Field(row, name, index):
                return _column(self.syntax(row), name, index)
            case Python(template, parts):
                return _filled(template, [self.syntax(part) for part in parts])
            case Member(collection, key, negated):
                operator = ast.NotIn() if negated else ast.In()
                return ast.Compare(self.key(collection, key), [operator], [self.collection(collection)])
            case Lookup(collection, key):
                return ast.Subscript(self.collection(collection), self.key(collection, key), ast.Load())
            case Get(collection, key, default):
                arguments = [self.key(collection, key), self.syntax(default)]
                return ast.Call(ast.Attribute(self.collection(collection), "get", ast.Load()), arguments, [])
            case Exists():
                return self.exists(expression)
            case Aggregate(name, arguments, user):
                function = ast.Name(name, ast.Load()) if user else ast.Attribute(ast.Name("agg", ast.Load()), name, ast.Load())
                return ast.Call(function, [self.syntax(one) for one in arguments], [])
        raise TypeError(expression)

    def key(self, collection: str, key: Expression) -> ast.expr:
        """A key; a tuple that is the bare value of a one-column key goes into a tuple of its own."""
        written = self.syntax(key)
        one = len(self.program.by_name[collection].schema.key_indexes) == 1
        wrap = one and (isinstance(written, ast.Tuple) or isinstance(key, RowVariable | Lookup | Get))
        return ast.Tuple([written], ast.Load()) if wrap else written

    def exists(self, node: Exists) -> ast.expr:
        """`any(…)` or `not any(…)`."""
        *body, last = node.body
        if isinstance(last, Condition):
            query = ast.GeneratorExp(self.syntax(last.test), self.generators(body))
        else:
            query = ast.GeneratorExp(ast.Constant(True), self.generators(node.body))
        found = ast.Call(ast.Name("any", ast.Load()), [query], [])
        return ast.UnaryOp(ast.Not(), found) if node.negated else found


def _is_whole(query: Select) -> bool:
    match query.body:
        case (Scan("row"),):
            return True
    return False


def _target(target: Target) -> ast.expr:
    if isinstance(target, str):
        return ast.Name(target, ast.Store())
    return ast.Tuple([_target(one) for one in target], ast.Store())


def _column(row: ast.expr, name: str, index: int) -> ast.expr:
    if name.isidentifier() and not keyword.iskeyword(name):
        return ast.Attribute(row, name, ast.Load())
    return ast.Subscript(row, ast.Constant(index), ast.Load())


def _constant(value: Any) -> ast.expr:
    if isinstance(value, int | float | complex) and not isinstance(value, bool) and repr(value).startswith("-"):
        return ast.UnaryOp(ast.USub(), ast.Constant(-value))
    return ast.Constant(value)


@lru_cache(maxsize=4096)
def _parsed(template: str) -> ast.expr:
    return ast.parse(template, mode="eval").body


class _Fill(ast.NodeTransformer):
    """Puts the parts in the place of _0, _1, …"""

    def __init__(self, parts: list[ast.expr]) -> None:
        self.parts = parts

    def visit_Name(self, node: ast.Name) -> ast.expr:
        is_hole = node.id[:1] == "_" and node.id[1:].isdigit()
        return self.parts[int(node.id[1:])] if is_hole else node


def _filled(template: str, parts: list[ast.expr]) -> ast.expr:
    filled: ast.expr = _Fill(parts).visit(copy.deepcopy(_parsed(template)))
    return filled


# --- classes ----------------------------------------------------------------------------------------------------


def _classes(program: Program, name: str, prefix: str, defaults: Mapping[str, Any], taken: set[str]) -> Iterator[str]:
    """The classes of a program, or of the inner module with that prefix, those that they need first."""
    modules = list(dict.fromkeys(_first(each.name, prefix) for each in _below(program, prefix) if "." in each.name[len(prefix) :]))
    programs: dict[str, str] = {}
    for module in modules:
        inner = f"{prefix}{module}."
        owners = [each.owner.rpartition(".")[2] for each in _below(program, inner) if "." not in each.name[len(inner) :]]
        programs[module] = _fresh(owners[-1] if owners and owners[-1] else module.capitalize(), taken)
        yield from _classes(program, programs[module], inner, defaults, taken)
    own = [each for each in _below(program, prefix) if "." not in each.name[len(prefix) :] and each.kind != "temporary"]
    rules = [rule for rule in program.rules if rule.module == prefix.rstrip(".") and rule.statement >= 0]
    owners = list(dict.fromkeys([*(each.owner.rpartition(".")[2] for each in own), *(_owner(rule) for rule in rules)]))
    owners = [owner for owner in owners if owner and owner != name]
    base = ""
    for i, owner in enumerate([*owners, name]):
        last = owner == name
        lines = [f"class {owner}({base or 'Bloom'}):"]
        mine = [each for each in own if each.owner.rpartition(".")[2] == owner or last and not each.owner]
        if i == 0:
            parameters = [full for full in program.parameters if full.startswith(prefix) and "." not in full[len(prefix) :]]
            lines += [f"    {full[len(prefix) :]} = param({defaults.get(full)!r})" for full in parameters]
            lines += [f"    {module} = module({programs[module]})" for module in modules]
            lines += [f"    {method} = staticmethod({method})" for method in _helpers(rules, prefix)]
            first = owner
        lines += [f"    {each.name[len(prefix) :]} = {_declaration(each, prefix, '' if i == 0 else first + '.')}" for each in mine]
        for method, statements in groupby(
            [rule for rule in rules if (_owner(rule) or name) == owner], lambda rule: (rule.label, rule.kind)
        ):
            lines += ["", *_method(program, method[0].rpartition(".")[2], method[1], list(statements))]
        yield "\n".join(lines if len(lines) > 1 else [*lines, "    pass"])
        base = owner


def _helpers(rules: list[Rule], prefix: str) -> list[str]:
    """The helper methods that rules call."""
    found: dict[str, None] = {}

    def note(node: Any) -> Any:
        if isinstance(node, Method):
            found[node.name[len(prefix) :]] = None
        return node

    for rule in rules:
        rebuild(rule, note)
    return list(found)


def _below(program: Program, prefix: str) -> list[Collection]:
    """The collections of a program, or of the inner module with that prefix."""
    return [each for each in program.collections if each.name.startswith(prefix) and each.name != _SHARED and ":" not in each.name]


def _first(name: str, prefix: str) -> str:
    return name[len(prefix) :].partition(".")[0]


def _owner(rule: Rule) -> str:
    """The class whose body holds a rule."""
    return rule.scope.rpartition(":")[2].rpartition(".")[2]


def _fresh(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _method(program: Program, name: str, kind: str, rules: list[Rule]) -> Iterator[str]:
    """A rule method with its statements."""
    yield f"    @{kind}"
    yield f"    def {name}(self):"
    for _, same in groupby(rules, lambda rule: (rule.statement, rule.head, rule.operator, bool(rule.query.body))):
        together = list(same)
        if together[0].query.body:
            yield from (f"        {_Printer(program, rule).statement([rule])}" for rule in together)
        else:
            yield f"        {_Printer(program, together[0]).statement(together)}"


def _declaration(collection: Collection, prefix: str, first: str) -> str:
    """What stands behind the name in the class body."""
    if collection.kind == "stdio":
        return "stdio()"
    if collection.kind == "periodic":
        period = collection.period
        return f"periodic({first + period.name[len(prefix) :] if isinstance(period, Parameter) else repr(period)})"
    if collection.lattice:
        return _lattice(collection)
    function = f"interface.{collection.kind}" if collection.kind in ("input", "output") else collection.kind
    return f"{function}({str(collection.schema)!r}{f', {_durable(collection)}' if collection.durable else ''})"


def _durable(collection: Collection) -> str:
    return "durable='delayed'" if collection.delayed else "durable=True"


def _lattice(collection: Collection) -> str:
    column = collection.schema.columns[0]
    name, bracket, of = column.text.partition("[")
    arguments = [f"lattice.{of[:-1]}" if of[:-1] in NAMES else of[:-1]] if bracket else []
    arguments += [_durable(collection)] if collection.durable else []
    return f"{f'lattice.{name}' if name in NAMES else name}({', '.join(arguments)})"
