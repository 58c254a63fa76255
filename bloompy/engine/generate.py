"""Plans as Python functions.

Each derivation and driver becomes one function, built as a syntax tree that keeps the user's file, lines, columns and variable
names: tracebacks, breakpoints and coverage show the rule itself. Its globals are those of the user's module, so functions are
found when they are called; everything else reaches it as a closure.

A generated function is called as `function(driven, rows, new)`: the driver's rows, the head's rows by key, and a list to which
it adds what it put there.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import CodeType
from typing import Any, TypeAlias, TypeVar

from bloompy.agg import AGGREGATES, ranks
from bloompy.engine.expression import place, to_ast
from bloompy.engine.lower import Derivation
from bloompy.engine.plan import Drive, Find, Flatten, Layout, Probe, ScanAll, Step, Test, free_names, plan, target_names
from bloompy.engine.relation import Relation
from bloompy.engine.tick import Environment, PlainRow
from bloompy.errors import KeyConflict, UnorderableValues
from bloompy.ir.nodes import (
    Aggregate,
    Const,
    Exists,
    Expression,
    Field,
    Get,
    Lookup,
    Member,
    Method,
    Parameter,
    RowVariable,
    Scan,
    Target,
    TickValue,
    Variable,
)
from bloompy.ir.walk import walk
from bloompy.schema import Schema
from bloompy.span import Span

Node = TypeVar("Node", bound=ast.AST)

Derive: TypeAlias = Callable[[Iterable[PlainRow], dict[Any, PlainRow], list[PlainRow]], None]


class Missing(Exception):
    """A key that is not there, looked up where Python evaluates lazily: the binding is dropped."""


class Tick:
    """The constants of the tick under way, shared by all generated functions."""

    now = 0.0
    step = 0
    rand = 0.0


def generate(
    derivation: Derivation,
    driver: int | None,
    relations: Mapping[str, Relation],
    schemas: Mapping[str, Schema],
    environment: Environment,
    tick: Tick,
    conflict: Callable[[PlainRow, PlainRow], KeyConflict],
    check: Callable[[PlainRow], PlainRow] | None,
) -> Derive:
    """Compile one derivation for one driver.

    Args:
        derivation: the rule.
        driver: position in its body of the scan that takes the changed rows; None to evaluate it in full.
        relations, schemas: by name.
        environment: of the instance.
        tick: the constants of the tick.
        conflict: makes the error for two rows of one key.
        check: checks a derived row, where that is asked for.
    """
    return _Generator(derivation, relations, schemas, environment, tick, conflict, check).function(driver)


def generated(code: CodeType) -> bool:
    """Whether a code object was made here."""
    return code.co_name.startswith(_PREFIX)


_PREFIX = "rule "


class _Generator:
    def __init__(
        self,
        derivation: Derivation,
        relations: Mapping[str, Relation],
        schemas: Mapping[str, Schema],
        environment: Environment,
        tick: Tick,
        conflict: Callable[[PlainRow, PlainRow], KeyConflict],
        check: Callable[[PlainRow], PlainRow] | None,
    ) -> None:
        self.derivation, self.rule, self.query = derivation, derivation.rule, derivation.query
        self.relations, self.schemas, self.environment = relations, schemas, environment
        self.layouts = {
            name: Layout(relations[name].kind, schema.key_indexes, schema.width) for name, schema in schemas.items()
        }
        self.head = relations[derivation.head]
        self.check = check
        self.scope = environment.scopes.get(self.rule.scope)
        self.outer: dict[str, Any] = {"_tick": tick, "_conflict": conflict, "_Missing": Missing, "_check": check, "_ordered": _ordered}
        self.prologue: dict[str, ast.expr] = {}
        self.inner: list[ast.stmt] = []
        self.rows_of: dict[str, str] = {
            clause.target: clause.collection for clause in self.query.body if isinstance(clause, Scan) and isinstance(clause.target, str)
        }

    # -- the function

    def function(self, driver: int | None) -> Derive:
        steps = plan(self.query.body, self.layouts, driver)
        aggregates = [node for expression in self.query.head for node in walk(expression) if isinstance(node, Aggregate)]
        if any(aggregate.function == "rank" and not aggregate.user for aggregate in aggregates):
            body = self._ranked(steps)
        elif aggregates:
            body = self._grouped(steps)
        else:
            body = self._nest(steps, self._put_row())
        return self._compiled(body)

    def _compiled(self, body: list[ast.stmt]) -> Derive:
        name = f"{_PREFIX}{self.rule.label}"
        loads = [_assign(variable, value) for variable, value in self.prologue.items()]
        rule = _function(name, ["_driven", "_rows", "_new"], [_assign("_add", _parse("_new.append")), *loads, *body])
        closure = self.scope.closure if self.scope is not None else {}
        values = {**closure, **self.outer}
        factory = _function("_factory", list(values), [*self.inner, rule, ast.Return(ast.Name(name, ast.Load()))])
        module = ast.Module([factory], [])
        _fill_positions(module)
        namespace: dict[str, Any] = {}
        globals_ = self.scope.globals if self.scope is not None else {}
        exec(compile(module, self.rule.span.file, "exec", dont_inherit=True), globals_, namespace)
        function: Derive = namespace["_factory"](*values.values())
        return function

    # -- steps

    def _nest(self, steps: list[Step], innermost: list[ast.stmt]) -> list[ast.stmt]:
        body = innermost
        for step in reversed(steps):
            body = self._step(step, body)
        return body

    def _step(self, step: Step, body: list[ast.stmt]) -> list[ast.stmt]:
        match step:
            case Drive(scan):
                return [self._for(scan.target, _name("_driven"), body, scan.span)]
            case ScanAll(scan):
                rows = self._rows(scan.collection)
                source = _parse(f"list({rows}.values())" if scan.collection == self.head.name else f"{rows}.values()")
                return [self._for(scan.target, source, body, scan.span)]
            case Find(scan, key):
                found = ast.Call(_attribute(self._rows(scan.collection), "get"), [self._key(key, scan.span)], [])
                return self._find(scan, found, body)
            case Probe(scan, columns, values):
                index = self._index(scan.collection, columns)
                at = ast.Call(_attribute(index, "get"), [self._key(values, scan.span), _name("_none")], [])
                self.outer["_none"] = ()
                return [self._for(scan.target, at, body, scan.span)]
            case Flatten(iterate):
                items = ast.Call(_name("_ordered"), [self._expression(iterate.source)], [])
                loop = self._for(iterate.target, items, body, iterate.span)
                return self._guarded(iterate.source, lambda value: [_on(loop, value)], items)
            case Test(condition):
                test = self._expression(condition.test)
                if not _lazy_lookup(condition.test):
                    return [_at(ast.If(test, body, []), condition.span)]
                return self._try("_truth", test, [_at(ast.If(_name("_truth"), body, []), condition.span)])
        raise AssertionError(step)

    def _guarded(self, source: Expression, then: Callable[[ast.expr], list[ast.stmt]], value: ast.expr) -> list[ast.stmt]:
        if not _lazy_lookup(source):
            return then(value)
        return self._try("_items", value, then(_name("_items")))

    @staticmethod
    def _try(variable: str, value: ast.expr, then: list[ast.stmt]) -> list[ast.stmt]:
        """Bind a value that may need a missing row, and go on only if it did not."""
        handler = ast.ExceptHandler(_name("_Missing"), None, [ast.Pass()])
        return [ast.Try([_assign(variable, value)], [handler], then, [])]

    def _for(self, target: Target, source: ast.expr, body: list[ast.stmt], span: Span) -> ast.stmt:
        return _at(ast.For(_target(target), source, body, []), span)

    def _find(self, scan: Scan, found: ast.expr, body: list[ast.stmt]) -> list[ast.stmt]:
        row = scan.target if isinstance(scan.target, str) and scan.target != "_" else self._fresh("_row")
        unpack: list[ast.stmt] = []
        if isinstance(scan.target, tuple):
            unpack = [_at(ast.Assign([_target(scan.target)], _name(row)), scan.span)]
        there = ast.Compare(_name(row), [ast.IsNot()], [ast.Constant(None)])
        return [_at(ast.Assign([ast.Name(row, ast.Store())], found), scan.span), _at(ast.If(there, [*unpack, *body], []), scan.span)]

    # -- heads

    def _put_row(self) -> list[ast.stmt]:
        row = self._head_row()
        if any(_lazy_lookup(expression) for expression in self.query.head):
            return self._try("_value", row, self._insert(_name("_value")))
        return self._insert(row)

    def _head_row(self) -> ast.expr:
        same = self._row_itself()
        if same is not None:
            return _name(same)
        return place(ast.Tuple([self._expression(one) for one in self.query.head], ast.Load()), self.query.span)

    def _row_itself(self) -> str | None:
        """The row variable that the head repeats column by column."""
        names = set()
        for i, expression in enumerate(self.query.head):
            match expression:
                case Field(RowVariable(name, collection), _, index) if index == i and self._whole(collection):
                    names.add(name)
                case _:
                    return None
        return names.pop() if len(names) == 1 else None

    def _whole(self, collection: str) -> bool:
        return self.schemas[collection].width == len(self.query.head)

    def _insert(self, row: ast.expr) -> list[ast.stmt]:
        """Put a row into the head unless it is there; two rows of one key are a conflict."""
        schema = self.schemas[self.derivation.head]
        first = _assign("_row", ast.Call(_name("_check"), [row], []) if self.check else row)
        span = self.query.head[0].span if self.query.head else self.query.span
        return [_at(statement, span) for statement in (first, *_statements(self._insertion(schema)))]

    def _insertion(self, schema: Schema) -> str:
        if schema.all_key and schema.width > 1:
            return f"if _row not in _rows:\n{self._refuse_nan('    ')}    _rows[_row] = _row\n    _add(_row)"
        key = ", ".join(f"_row[{i}]" for i in schema.key_indexes)
        key = key if len(schema.key_indexes) == 1 else f"({key})"
        return (
            f"_key = {key}\n_old = _rows.get(_key)\n"
            f"if _old is None:\n{self._refuse_nan('    ')}    _rows[_key] = _row\n    _add(_row)\n"
            "elif _old is not _row and _old != _row:\n    raise _conflict(_old, _row)"
        )

    def _refuse_nan(self, indent: str) -> str:
        """Statements that refuse a NaN in a key of the collection that the rule is for."""
        if self.check or self.rule.by_key or self.rule.kind == "invariant":
            return ""
        schema, name = self.schemas[self.rule.head], self.rule.head
        self.outer["_refuse"] = lambda row: schema.check(name, row)
        doubtful = [i for i in schema.nan_keys if not self._is_key(self.query.head[i])]
        return "".join(f"{indent}if _row[{i}] != _row[{i}]:\n{indent}    _refuse(_row)\n" for i in doubtful)

    def _is_key(self, expression: Expression) -> bool:
        """Whether an expression is surely no NaN, being a column of some row's key."""
        match expression:
            case Field(RowVariable(_, collection), _, index):
                return index in self.schemas[collection].key_indexes
            case Variable(name):
                scans = [clause for clause in self.query.body if isinstance(clause, Scan) and isinstance(clause.target, tuple)]
                found = [(scan, scan.target.index(name)) for scan in scans if name in scan.target]
                return any(index in self.schemas[scan.collection].key_indexes for scan, index in found)
            case Const(value):
                return not isinstance(value, float)
        return False

    # -- aggregates

    def _grouped(self, steps: list[Step]) -> list[ast.stmt]:
        """Collect each group's arguments in lists, then aggregate them group by group."""
        keys = [one for one in self.query.head if not _aggregates(one)]
        lists: dict[tuple[Expression, ...], int] = {}
        for expression in self.query.head:
            for node in walk(expression):
                if isinstance(node, Aggregate):
                    lists.setdefault(node.arguments, len(lists))
        group = ast.Tuple([self._expression(one) for one in keys], ast.Load())
        arguments_of = {arguments: self._argument(arguments) for arguments in lists}
        early: list[ast.stmt] = []
        if any(_lazy_lookup(expression) for expression in self.query.head):  # a binding that lacks a row counts nowhere
            early = [_assign(f"_argument{i}", arguments_of[arguments]) for arguments, i in lists.items()]
            arguments_of = {arguments: _name(f"_argument{i}") for arguments, i in lists.items()}
        collect: list[ast.stmt] = [
            _assign("_group", group),
            *early,
            *_statements("_lists = _groups.get(_group)"),
            *_statements(f"if _lists is None:\n    _groups[_group] = _lists = ({'[], ' * len(lists)})"),
        ]
        for arguments, i in lists.items():
            collect.append(ast.Expr(ast.Call(_parse(f"_lists[{i}].append"), [arguments_of[arguments]], [])))
        columns: list[ast.expr] = []
        for expression in self.query.head:
            position = keys.index(expression) if not _aggregates(expression) else None
            columns.append(_parse(f"_group[{position}]") if position is not None else self._aggregated(expression, lists))
        finish = self._insert(ast.Tuple(columns, ast.Load()))
        loop = ast.For(_parse_target("_group, _lists"), _parse("_groups.items()"), finish, [])
        return [*_statements("_groups = {}"), *self._collecting(steps, collect), loop]

    def _collecting(self, steps: list[Step], collect: list[ast.stmt]) -> list[ast.stmt]:
        if not any(_lazy_lookup(expression) for expression in self.query.head):
            return self._nest(steps, collect)
        handler = ast.ExceptHandler(_name("_Missing"), None, [ast.Pass()])
        return self._nest(steps, [ast.Try(collect, [handler], [], [])])

    def _argument(self, arguments: tuple[Expression, ...]) -> ast.expr:
        if not arguments:
            return ast.Constant(None)
        values = [self._expression(one) for one in arguments]
        return values[0] if len(values) == 1 else ast.Tuple(values, ast.Load())

    def _aggregated(self, expression: Expression, lists: Mapping[tuple[Expression, ...], int]) -> ast.expr:
        def special(node: Expression) -> ast.expr:
            if not isinstance(node, Aggregate):
                return self._special(node)
            function = f"_agg{len(self.outer)}"
            self.outer[function] = self._aggregate(node)
            return _parse(f"{function}(_lists[{lists[node.arguments]}], _group)")

        return to_ast(expression, special)

    def _aggregate(self, node: Aggregate) -> Callable[[list[Any], PlainRow], Any]:
        place, scope, name = self.rule.place, self.scope, node.function
        built_in = None if node.user else AGGREGATES[name]

        def aggregate(values: list[Any], group: PlainRow) -> Any:
            try:
                return (built_in or _found(name, scope))(values)
            except UnorderableValues as error:
                raise UnorderableValues(f"{place}, group {group!r}: {error.message}", hint=error.hint) from None

        return aggregate

    def _ranked(self, steps: list[Step]) -> list[ast.stmt]:
        """Collect all bindings, then give each its rank in its partition."""
        windows = [node for expression in self.query.head for node in walk(expression) if isinstance(node, Aggregate)]
        plain = [one for one in self.query.head if not _aggregates(one)]
        orders: list[ast.expr] = [
            ast.Tuple([self._expression(rank.arguments[1]), self._expression(rank.arguments[0])], ast.Load()) for rank in windows
        ]
        binding = ast.Tuple(
            [ast.Tuple([self._expression(one) for one in plain], ast.Load()), ast.Tuple(orders, ast.Load())], ast.Load()
        )
        collect: list[ast.stmt] = [ast.Expr(ast.Call(_parse("_bindings.append"), [binding], []))]
        self.outer["_ranks"] = lambda bindings: _ranked_bindings(bindings, len(windows), self.rule.place)
        columns = [
            _parse(f"_group[{plain.index(one)}]") if not _aggregates(one) else self._rank_column(one, windows) for one in self.query.head
        ]
        loop = ast.For(_parse_target("_group, _lists"), _parse("_ranks(_bindings)"), self._insert(ast.Tuple(columns, ast.Load())), [])
        return [*_statements("_bindings = []"), *self._collecting(steps, collect), loop]

    def _rank_column(self, expression: Expression, windows: list[Aggregate]) -> ast.expr:
        def special(node: Expression) -> ast.expr:
            if isinstance(node, Aggregate):
                return _parse(f"_lists[{next(i for i, rank in enumerate(windows) if rank is node)}]")
            return self._special(node)

        return to_ast(expression, special)

    # -- expressions

    def _expression(self, expression: Expression) -> ast.expr:
        return to_ast(expression, self._special)

    def _special(self, node: Expression) -> ast.expr:
        match node:
            case RowVariable(name, collection):
                return ast.Call(_name(self._outer_row(collection)), [_name(name)], [])
            case Field(RowVariable(name), _, index):
                return ast.Subscript(_name(name), ast.Constant(index), ast.Load())
            case Field(row, _, index):
                return ast.Subscript(self._plain_row(row), ast.Constant(index), ast.Load())
            case Lookup(collection) | Get(collection):
                return ast.Call(_name(self._outer_row(collection)), [self._plain_row(node)], [])
            case Parameter(name):
                return self._constant(self.environment.parameters[name], f"_param_{name.replace('.', '_')}")
            case TickValue("me"):
                return ast.Constant(self.environment.me)
            case TickValue(name):
                return _attribute("_tick", name)
            case Method(name):
                return self._constant(self.environment.methods[name], f"_method_{name.replace('.', '_')}")
            case Member(collection, key, negated):
                operator = ast.NotIn() if negated else ast.In()
                return ast.Compare(self._key_of(key), [operator], [_name(self._rows(collection))])
            case Exists():
                return self._exists(node)
        raise AssertionError(node)

    def _plain_row(self, node: Expression) -> ast.expr:
        """The plain tuple of a lookup."""
        match node:
            case Lookup(collection, key):
                self.outer["_find"] = _find
                return ast.Call(_name("_find"), [_name(self._rows(collection)), self._key_of(key)], [])
            case Get(collection, key, default):
                get = _attribute(self._rows(collection), "get")
                return ast.Call(get, [self._key_of(key), self._expression(default)], [])
        raise AssertionError(node)

    def _key_of(self, key: Expression) -> ast.expr:
        """A key as one expression; a row variable's own tuple will do."""
        return _name(key.name) if isinstance(key, RowVariable) else self._expression(key)

    def _key(self, columns: tuple[Expression, ...], span: Span) -> ast.expr:
        values = [self._expression(one) for one in columns]
        return values[0] if len(values) == 1 else place(ast.Tuple(values, ast.Load()), span)

    def _exists(self, node: Exists) -> ast.expr:
        """A function of the variables it needs, which looks for the first binding."""
        bound = {name for clause in self.query.body for name in target_names(getattr(clause, "target", "_"))}
        needs = sorted(name for name in free_names(node) if name in bound or name in self.exists_bound)
        own = {name for clause in node.body for name in target_names(getattr(clause, "target", "_"))}
        needs = [name for name in needs if name not in own]
        outer_bound, self.exists_bound = self.exists_bound, self.exists_bound | set(needs) | own
        outer_prologue, self.prologue = self.prologue, {}
        steps = plan(node.body, self.layouts, bound=frozenset(needs))
        body = self._nest(steps, [ast.Return(ast.Constant(not node.negated))])
        loads = [_assign(variable, value) for variable, value in self.prologue.items()]
        self.prologue, self.exists_bound = outer_prologue, outer_bound
        name = f"_exists{len(self.inner)}"
        self.inner.append(_function(name, needs, [*loads, *body, ast.Return(ast.Constant(node.negated))]))
        return ast.Call(_name(name), [_name(one) for one in needs], [])

    exists_bound: frozenset[str] | set[str] = frozenset()

    def _fresh(self, name: str) -> str:
        self.names += 1
        return f"{name}{self.names}"

    names = 0

    # -- names of what reaches the function

    def _rows(self, collection: str) -> str:
        return self._load(f"_rows_{_identifier(collection)}", f"_relation_{_identifier(collection)}.rows", collection)

    def _index(self, collection: str, columns: tuple[int, ...]) -> str:
        name = f"_by_{_identifier(collection)}_{'_'.join(map(str, columns))}"
        return self._load(name, f"_relation_{_identifier(collection)}.index({columns!r})", collection)

    def _load(self, name: str, expression: str, collection: str) -> str:
        self.outer[f"_relation_{_identifier(collection)}"] = self.relations[collection]
        self.prologue[name] = _parse(expression)
        return name

    def _outer_row(self, collection: str) -> str:
        name = f"_row_{_identifier(collection)}"
        self.outer[name] = self.schemas[collection].row.make
        return name

    def _constant(self, value: Any, name: str) -> ast.expr:
        if value is None or isinstance(value, bool | int | str | bytes):
            return ast.Constant(value)
        self.outer[name] = value
        return _name(name)


# --- helpers of generated code ----------------------------------------------------------------------------------


def _find(rows: Mapping[Any, PlainRow], key: Any) -> PlainRow:
    row = rows.get(key)
    if row is None:
        raise Missing
    return row


def _ordered(items: Any) -> Iterable[Any]:
    """Sets in an order that does not depend on hash seeds."""
    if isinstance(items, set | frozenset):
        try:
            return sorted(items)
        except TypeError:
            return sorted(items, key=lambda item: (type(item).__name__, repr(item)))
    return items  # type: ignore[no-any-return]  # whatever the user iterates


def _found(name: str, scope: Any) -> Callable[[list[Any]], Any]:
    """A user aggregate, looked up when it is called."""
    found = scope.closure.get(name) or scope.globals[name]
    function: Callable[[list[Any]], Any] = getattr(found, "__wrapped__", found)
    return function


def _ranked_bindings(
    bindings: list[tuple[PlainRow, tuple[tuple[Any, Any], ...]]], count: int, place: str
) -> Iterator[tuple[PlainRow, list[int]]]:
    """Each binding with its rank in its partition, for each of `count` ranks of the head."""
    found: list[list[int]] = [[0] * count for _ in bindings]
    for i in range(count):
        partitions: dict[Any, list[int]] = {}
        for number, (_, orders) in enumerate(bindings):
            partitions.setdefault(orders[i][0], []).append(number)
        for per, numbers in partitions.items():
            try:
                ranked = ranks([bindings[number][1][i][1] for number in numbers])
            except UnorderableValues as error:
                raise UnorderableValues(f"{place}, partition {per!r}: {error.message}", hint=error.hint) from None
            for number, rank in zip(numbers, ranked, strict=True):
                found[number][i] = rank
    return zip((group for group, _ in bindings), found, strict=True)


# --- syntax -----------------------------------------------------------------------------------------------------


def _aggregates(expression: Expression) -> bool:
    return any(isinstance(node, Aggregate) for node in walk(expression))


def _lazy_lookup(expression: Expression) -> bool:
    return any(isinstance(node, Lookup) for node in walk(expression))


def _identifier(name: str) -> str:
    return "".join(character if character.isalnum() else f"_{ord(character):x}_" for character in name)


def _name(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def _attribute(name: str, attribute: str) -> ast.expr:
    return ast.Attribute(_name(name), attribute, ast.Load())


def _parse(text: str) -> ast.expr:
    return _bare(ast.parse(text, mode="eval").body)


def _parse_target(text: str) -> ast.expr:
    assignment = ast.parse(f"{text} = 0").body[0]
    assert isinstance(assignment, ast.Assign)
    return _bare(assignment.targets[0])


def _statements(text: str) -> list[ast.stmt]:
    return [_bare(statement) for statement in ast.parse(text).body]


def _bare(node: Node) -> Node:
    """Forget the positions of our own text, so that `_fill_positions` puts it where the user's code around it is."""
    for below in ast.walk(node):
        for attribute in ("lineno", "col_offset", "end_lineno", "end_col_offset"):
            if hasattr(below, attribute):
                delattr(below, attribute)
    return node


def _assign(name: str, value: ast.expr) -> ast.stmt:
    return ast.Assign([ast.Name(name, ast.Store())], value)


def _target(target: Target) -> ast.expr:
    if isinstance(target, tuple):
        return ast.Tuple([_target(part) for part in target], ast.Store())
    return ast.Name(target, ast.Store())


def _function(name: str, arguments: list[str], body: list[ast.stmt]) -> ast.stmt:
    declared = ast.arguments([], [ast.arg(one) for one in arguments], None, [], [], None, [])
    made = ast.FunctionDef(name, declared, body, [])
    if hasattr(made, "type_params"):
        made.type_params = []
    return made


def _at(statement: ast.stmt, span: Span) -> ast.stmt:
    place(statement, span)  # type: ignore[arg-type]  # statements have the same four positions
    return statement


def _on(loop: ast.stmt, source: ast.expr) -> ast.stmt:
    assert isinstance(loop, ast.For)
    loop.iter = source
    return loop


def _fill_positions(tree: ast.AST) -> None:
    """Give every node without a position that of the first placed node below it, else of the node around it."""
    _fill(tree, (1, 0, 1, 0))


def _fill(node: ast.AST, around: tuple[int, int, int, int]) -> None:
    own = getattr(node, "lineno", None)
    if own is not None:
        around = (node.lineno, node.col_offset, node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]
    elif "lineno" in node._attributes:
        if isinstance(node, ast.stmt) and not isinstance(node, ast.FunctionDef):
            around = _first_position(node) or around
        node.lineno, node.col_offset, node.end_lineno, node.end_col_offset = around  # type: ignore[attr-defined]
    for child in ast.iter_child_nodes(node):
        _fill(child, around)


def _first_position(node: ast.AST) -> tuple[int, int, int, int] | None:
    for below in ast.walk(node):
        if getattr(below, "lineno", None) is not None:
            return (below.lineno, below.col_offset, below.end_lineno, below.end_col_offset)  # type: ignore[attr-defined]
    return None


