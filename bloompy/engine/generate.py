"""Plans as Python functions.

Each derivation and driver becomes one function, built as a syntax tree that keeps the user's file, lines, columns and variable
names: tracebacks, breakpoints and coverage show the rule itself. Its globals are those of the user's module, so functions are
found when they are called; everything else reaches it as a closure.

Of one derivation several functions are made (`Variant`), for what maintenance asks of it: put what follows from some rows into
the head; list it, in the state of now or of before the tick; list the bindings that a change touches; say whether a row follows.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from types import CodeType
from typing import Any, TypeAlias

from attrs import frozen

from bloompy.agg import AGGREGATES
from bloompy.engine.bag import Bag
from bloompy.engine.expression import place, to_ast
from bloompy.engine.lower import Derivation
from bloompy.engine.plan import Drive, Find, Flatten, Layouts, Probe, ScanAll, Step, Test, plan
from bloompy.engine.relation import Relation
from bloompy.engine.sites import with_head
from bloompy.engine.support import Constants, Missing, find, ordered, ranked_bindings, user_aggregate
from bloompy.engine.syntax import (
    assign,
    at,
    attribute,
    fill_positions,
    function_syntax,
    iterating,
    load_name,
    own,
    parse,
    parse_target,
    statements,
    target_syntax,
    user_name,
)
from bloompy.engine.tick import Environment, PlainRow, Scope
from bloompy.errors import KeyConflict, UnorderableValues, UnsupportedStatement
from bloompy.ir.nodes import (
    Aggregate,
    Clause,
    Condition,
    Const,
    Exists,
    Expression,
    Field,
    Get,
    Lookup,
    Member,
    Method,
    Parameter,
    Python,
    RowVariable,
    Scan,
    Target,
    TickValue,
    Variable,
)
from bloompy.ir.walk import free_names, target_names, walk
from bloompy.lattices import lmax, lmin
from bloompy.schema import Schema
from bloompy.span import Span

Derive: TypeAlias = Callable[..., Any]
"""A generated function; its arguments depend on the variant's form."""


class Form(Enum):
    """What a generated function does, and how it is called. `before`: read the relations as they were when the tick began.

    Attributes:
        PUT: (driven, rows, new, again): derive from the driver's rows, put into `rows` by key what is not there and
            append it to `new`; append what is there to `again`.
        LIST: (driven, out, before, skip): append to `out` what follows from the driver's rows; with aggregates, add to
            `out` by group the lists of arguments. At positions before the driver, rows in `skip[position]` are passed over.
        FIND: (driven, out, before, inner_before): put into `out` the bindings, as tuples of their scans' rows, in which
            a changed row takes part within an expression.
        CONTRIBUTE: (driven, out, before): as LIST, from bindings.
        SUPPORT: (rows, ranks, out): append to `out` the rows that do not follow now from rows that are there, of
            relations of their own component those of lower rank (`ranks` has the rows' own; without one it is infinite).
        FINISH: (group, lists, out): append to `out` the row of a group.
    """

    PUT = "put"
    LIST = "list"
    FIND = "find"
    CONTRIBUTE = "contribute"
    SUPPORT = "support"
    FINISH = "finish"


@frozen
class Variant:
    """One function of a derivation.

    Attributes:
        form: what it does.
        driver: position of the scan that takes the driver's rows, in the body followed by `inner`; None: all rows.
        exclusive: of a LIST, whether it takes `skip`.
        inner: of a FIND, the clauses that lead from the changed row to the bindings.
        inside: of a SUPPORT, the relations with ranks.
    """

    form: Form
    driver: int | None = None
    exclusive: bool = False
    inner: tuple[Clause, ...] = ()
    inside: frozenset[str] = frozenset()


_ARGUMENTS = {
    Form.PUT: ("_driven", "_rows", "_new", "_again"),
    Form.LIST: ("_driven", "_out", "_before", "_skip"),
    Form.FIND: ("_driven", "_out", "_before", "_inner_before"),
    Form.CONTRIBUTE: ("_driven", "_out", "_before"),
    Form.SUPPORT: ("_candidates", "_ranks", "_out"),
    Form.FINISH: ("_group", "_lists", "_out"),
}


@frozen
class Workspace:
    """What all generated functions of an instance share.

    Attributes:
        relations, schemas, layouts: by relation name.
        environment: of the instance.
        constants: of the tick under way.
    """

    relations: Mapping[str, Relation]
    schemas: Mapping[str, Schema]
    layouts: Layouts
    environment: Environment
    constants: Constants


def generated(code: CodeType) -> bool:
    """Whether a code object was made here."""
    return code.co_name.startswith(_PREFIX)


_PREFIX = "rule "


@frozen
class Instance:
    """What an instance gives to the functions of one derivation.

    Attributes:
        workspace: its own.
        scope: where the rule finds its names.
        conflict: makes the error for two rows of one key.
    """

    workspace: Workspace
    scope: Scope
    conflict: Callable[[PlainRow, PlainRow], KeyConflict]


@frozen
class Template:
    """A function as all instances of a program share it.

    Attributes:
        code: defines a factory, which takes what differs between instances and returns the function.
        closure: names of the rule's closure, the factory's first arguments.
        outer: how to find the others, in order.
    """

    code: CodeType
    closure: tuple[str, ...]
    outer: tuple[Callable[[Instance], Any], ...]

    def bind(self, instance: Instance) -> Derive:
        """The function of an instance."""
        namespace: dict[str, Any] = {}
        exec(self.code, instance.scope.globals, namespace)
        closure = [instance.scope.closure[name] for name in self.closure]
        function: Derive = namespace["_factory"](*closure, *(value(instance) for value in self.outer))
        return function


class Generator:
    """Makes the functions of one derivation.

    Args:
        derivation: the rule.
        schemas, layouts: by relation name.
        closure: names of the rule's closure.
        checked: whether derived rows are checked; if not, values of lattices are made of what they have in such columns.
    """

    def __init__(
        self,
        derivation: Derivation,
        schemas: Mapping[str, Schema],
        layouts: Layouts,
        closure: tuple[str, ...],
        checked: bool,
    ) -> None:
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

    # -- the function

    def template(self, variant: Variant) -> Template:
        """The function of a variant."""
        self.variant = variant
        match variant.form:
            case Form.FINISH:
                body = self._finishing()
            case Form.SUPPORT:
                body = self._supporting()
            case Form.CONTRIBUTE:
                body = self._contributing()
            case Form.FIND:
                body = self._finding()
            case Form.LIST:
                body = self._listing(self._planned(variant.driver))
            case Form.PUT:
                body = self._putting(self._planned(variant.driver))
        return self._compiled(body)

    def _planned(self, driver: int | None) -> list[Step]:
        steps = plan(self.query.body, self.layouts, driver)
        self.hoisted = self._columns_to_hoist(steps)
        return steps

    def _compiled(self, body: list[ast.stmt]) -> Template:
        called = f"{_PREFIX}{self.rule.label}"
        loads = [assign(variable, value) for variable, value in self.prologue.items()]
        if self.variant.form is Form.PUT and self.derivation.counted:
            loads.insert(0, assign("_again", parse("_again.append")))
        if self.variant.form is Form.PUT:
            loads.insert(0, assign("_add", parse("_new.append")))
        elif self.variant.form is not Form.FIND and not (self.aggregating and self.variant.form in (Form.LIST, Form.CONTRIBUTE)):
            loads.insert(0, assign("_add", parse("_out.append")))
        rule = function_syntax(called, [own(name) for name in _ARGUMENTS[self.variant.form]], [*loads, *body])
        factory = function_syntax("_factory", [*self.closure, *map(own, self.outer)], [*self.inner, rule, ast.Return(load_name(called))])
        module = ast.Module([factory], [])
        fill_positions(module)
        try:
            code = compile(module, self.rule.span.file, "exec", dont_inherit=True)
        except SyntaxError as error:  # Python nests no more than 20 loops
            raise UnsupportedStatement(
                f"{self.rule.label}: {error.msg}", self.rule.span, hint="join a part of it in a temporary, and join that"
            ) from None
        return Template(code, self.closure, tuple(self.outer.values()))

    # -- the forms

    def _putting(self, steps: list[Step]) -> list[ast.stmt]:
        if self.windows:
            return self._ranked(steps)
        return self._grouped(steps) if self.aggregating else self._nest(steps, self._put_row(self._insert))

    def _listing(self, steps: list[Step]) -> list[ast.stmt]:
        if self.windows:
            return self._collecting(steps, self._collect_window())
        if self.aggregating:
            return self._collecting(steps, self._collect_group(self._argument_lists()))
        return self._nest(steps, self._put_row(self._append))

    def _finishing(self) -> list[ast.stmt]:
        if self.windows:
            return [self._rank_loop("_lists[0]")]
        return self._append(self._group_row(self._argument_lists()))

    def _contributing(self) -> list[ast.stmt]:
        """From bindings: the scans' rows are given, the rest of the body follows."""
        scans = [clause for clause in self.query.body if isinstance(clause, Scan)]
        rest = [clause for clause in self.query.body if not isinstance(clause, Scan)]
        bound = frozenset(name for scan in scans for name in target_names(scan.target))
        body = self._listing(plan(rest, self.layouts, bound=bound))
        rows = [self._row_name(scan) for scan in scans]
        binding = ast.Tuple([ast.Name(name, ast.Store()) for name in rows], ast.Store())
        unpack = [self._unpack(scan) for scan in scans if isinstance(scan.target, tuple)]
        return [at(ast.For(binding, load_name("_driven"), [*unpack, *body], []), self.query.span)]

    def _finding(self) -> list[ast.stmt]:
        """The bindings, as tuples of rows, that the driver's rows reach through the inner clauses."""
        steps = plan((*self.query.body, *self.variant.inner), self.layouts, self.variant.driver)
        scans = [clause for clause in self.query.body if isinstance(clause, Scan)]
        binding = ast.Tuple([user_name(self._row_name(scan)) for scan in scans], ast.Load())
        return self._nest(steps, [ast.Assign([ast.Subscript(load_name("_out"), binding, ast.Store())], ast.Constant(None))])

    def _supporting(self) -> list[ast.stmt]:
        """Ask of each candidate whether some binding derives it."""
        body, names = with_head(self.query)
        self.head_tests = body[len(self.query.body) :]
        steps = plan(body, self.layouts, bound=frozenset(names))
        unpack = ast.Assign([ast.Tuple([ast.Name(name, ast.Store()) for name in names], ast.Store())], load_name("_held"))
        self.frames.append({})
        nest = self._nest(steps, [ast.Return(ast.Constant(True))])
        loads = ["_held", "_rank", *self.frames.pop()]
        inner = [unpack, *nest, ast.Return(ast.Constant(False))]
        self.inner.append(function_syntax(own("_follows"), [own(name) for name in loads], inner))
        self.outer["_infinite"] = lambda _: math.inf
        ask = ast.Call(load_name("_follows"), [load_name(name) for name in loads], [])
        unless = ast.If(ast.UnaryOp(ast.Not(), ask), statements("_add(_held)"), [])
        each = [*statements("_rank = _ranks.get(_held, _infinite)"), unless]
        return [ast.For(parse_target("_held"), load_name("_candidates"), each, [])]

    @property
    def aggregating(self) -> bool:
        """Whether the head aggregates."""
        return self.derivation.aggregates

    @property
    def windows(self) -> list[Aggregate]:
        """The ranks of the head."""
        return [node for node in self._aggregate_nodes() if node.function == "rank" and not node.user]

    def _aggregate_nodes(self) -> list[Aggregate]:
        return [node for expression in self.query.head for node in walk(expression) if isinstance(node, Aggregate)]

    # -- rows by name, where bindings are told apart by them

    def _row_name(self, scan: Scan) -> str:
        """The variable that holds the whole row of a scan."""
        if isinstance(scan.target, str) and scan.target != "_":
            return scan.target
        return own(f"_row_at_{next(i for i, clause in enumerate(self.query.body) if clause is scan)}")

    @staticmethod
    def _needs_row(variant: Variant) -> bool:
        return variant.exclusive or variant.form in (Form.FIND, Form.SUPPORT)

    def _unpack(self, scan: Scan) -> ast.stmt:
        return at(ast.Assign([target_syntax(scan.target)], user_name(self._row_name(scan))), scan.span)

    def _filtered(self, scan: Scan, body: list[ast.stmt]) -> list[ast.stmt]:
        """Pass over rows that another driver takes care of, or whose rank is too high."""
        row = user_name(self._row_name(scan)) if self._is_top(scan) else None
        if row is None:
            return body
        if self.variant.exclusive and self.variant.driver is not None:
            position = next(i for i, clause in enumerate(self.query.body) if clause is scan)
            if position < self.variant.driver:
                self.prologue[f"_skip_{position}"] = parse(f"_skip[{position}]")
                return [ast.If(ast.Compare(row, [ast.NotIn()], [load_name(f"_skip_{position}")]), body, [])]
        if self.variant.form is Form.SUPPORT and scan.collection in self.variant.inside:
            ranks = self._load(f"_ranks_{_identifier(scan.collection)}", "ranks", scan.collection)
            rank = ast.Subscript(load_name(ranks), row, ast.Load())
            return [ast.If(ast.Compare(rank, [ast.Lt()], [load_name("_rank")]), body, [])]
        return body

    def _is_top(self, scan: Scan) -> bool:
        return any(clause is scan for clause in self.query.body)

    def _columns_to_hoist(self, steps: list[Step]) -> dict[str, set[int]]:
        """By row variable, the columns that a loop below its own reads over and over: they become local variables."""
        loops = [i for i, step in enumerate(steps) if isinstance(step, ScanAll | Probe | Flatten)]
        below = {_bound_row(step): next((i for i in loops if i > at), None) for at, step in enumerate(steps)}
        found: dict[str, set[int]] = {}
        for name, loop in below.items():
            if name is not None and loop is not None:
                inside = [one for step in steps[loop + 1 :] for one in _step_expressions(step)]
                found[name] = set(_columns_read(name, [*inside, *self.query.head]))
        return found

    # -- steps

    def _nest(self, steps: list[Step], innermost: list[ast.stmt]) -> list[ast.stmt]:
        body = innermost
        for step in reversed(steps):
            body = self._step(step, body)
        return body

    def _step(self, step: Step, body: list[ast.stmt]) -> list[ast.stmt]:
        if isinstance(step, Drive | ScanAll | Find | Probe):
            self.world = "inner_" if any(clause is step.scan for clause in self.variant.inner) else ""
            try:
                return self._scan_step(step, body)
            finally:
                self.world = ""
        return self._other_step(step, body)

    def _scan_step(self, step: Drive | ScanAll | Find | Probe, body: list[ast.stmt]) -> list[ast.stmt]:
        match step:
            case Drive(scan):
                return [self._for_row(scan, load_name("_driven"), body)]
            case ScanAll(scan):
                held = self._rows(scan.collection)
                source = parse(f"list({held}.values())" if scan.collection == self.derivation.head else f"{held}.values()")
                return [self._for_row(scan, source, body)]
            case Find(scan, key):
                found = ast.Call(attribute(self._rows(scan.collection), "get"), [self._key(key, scan.span)], [])
                return self._find(scan, found, body)
            case Probe(scan, columns, values):
                index = self._index(scan.collection, columns)
                rows = ast.Call(attribute(index, "get"), [self._key(values, scan.span), load_name("_none")], [])
                self.outer["_none"] = lambda _: ()
                return [self._for_row(scan, rows, body)]
        raise AssertionError(step)

    def _other_step(self, step: Step, body: list[ast.stmt]) -> list[ast.stmt]:
        match step:
            case Flatten(iterate):
                items = ast.Call(load_name("_ordered"), [self._expression(iterate.source)], [])
                loop = self._for(iterate.target, items, body, iterate.span)
                return self._guarded(iterate.source, lambda value: [iterating(loop, value)], items)
            case Test(condition):
                test = self._head_test(condition) or self._expression(condition.test)
                if not _lazy_lookup(condition.test):
                    return [at(ast.If(test, body, []), condition.span)]
                return self._try("_truth", test, [at(ast.If(load_name("_truth"), body, []), condition.span)])
        raise AssertionError(step)

    def _head_test(self, condition: Condition) -> ast.expr | None:
        """Whether a column of the head equals the row's, by identity too, since NaN equals nothing."""
        match condition.test:
            case Python(_, (left, right)) if any(one is condition for one in self.head_tests):
                sides = [ast.Tuple([self._expression(side)], ast.Load()) for side in (left, right)]
                return place(ast.Compare(sides[0], [ast.Eq()], [sides[1]]), condition.span)
        return None

    def _guarded(self, source: Expression, then: Callable[[ast.expr], list[ast.stmt]], value: ast.expr) -> list[ast.stmt]:
        if not _lazy_lookup(source):
            return then(value)
        return self._try("_items", value, then(load_name("_items")))

    @staticmethod
    def _try(variable: str, value: ast.expr, then: list[ast.stmt]) -> list[ast.stmt]:
        """Bind a value that may need a missing row, and go on only if it did not."""
        handler = ast.ExceptHandler(load_name("_Missing"), None, [ast.Pass()])
        return [ast.Try([assign(variable, value)], [handler], then, [])]

    def _for_row(self, scan: Scan, source: ast.expr, body: list[ast.stmt]) -> ast.stmt:
        """A loop over rows of a scan."""
        body = self._filtered(scan, body)
        if self._is_top(scan) and self._needs_row(self.variant) and self._row_name(scan) != scan.target:
            unpack = [self._unpack(scan)] if isinstance(scan.target, tuple) else []
            return self._for(self._row_name(scan), source, [*unpack, *body], scan.span)
        return self._for(scan.target, source, body, scan.span)

    def _for(self, target: Target, source: ast.expr, body: list[ast.stmt], span: Span) -> ast.stmt:
        return at(ast.For(target_syntax(target), source, [*self._hoist(target), *body], []), span)

    def _hoist(self, target: Target) -> list[ast.stmt]:
        if not isinstance(target, str):
            return []
        columns = sorted(self.hoisted.get(target, ()))
        return [assign(f"_{target}_{i}", ast.Subscript(user_name(target), ast.Constant(i), ast.Load())) for i in columns]

    def _find(self, scan: Scan, found: ast.expr, body: list[ast.stmt]) -> list[ast.stmt]:
        body = self._filtered(scan, body)
        row = self._row_name(scan) if self._is_top(scan) else self._name_or_fresh(scan)
        unpack: list[ast.stmt] = []
        if isinstance(scan.target, tuple):
            unpack = [at(ast.Assign([target_syntax(scan.target)], user_name(row)), scan.span)]
        there = ast.Compare(user_name(row), [ast.IsNot()], [ast.Constant(None)])
        use = ast.If(there, [*unpack, *self._hoist(scan.target), *body], [])
        return [at(ast.Assign([target_syntax(row)], found), scan.span), at(use, scan.span)]

    def _name_or_fresh(self, scan: Scan) -> str:
        return scan.target if isinstance(scan.target, str) and scan.target != "_" else own(self._fresh("_row"))

    # -- heads

    def _put_row(self, use: Callable[[ast.expr], list[ast.stmt]]) -> list[ast.stmt]:
        """Make the head's row and use it, unless a row that it looks up is missing."""
        row = self._head_row()
        if any(_lazy_lookup(expression) for expression in self.query.head):
            return self._try("_value", row, use(load_name("_value")))
        return use(row)

    def _append(self, row: ast.expr) -> list[ast.stmt]:
        """Append a row to what is listed."""
        refuse_nan = self._refuse_nan("")
        if not refuse_nan and not self.checked and not self.lifted:
            return [ast.Expr(ast.Call(load_name("_add"), [row], []))]
        checked = ast.Call(load_name("_check" if self.checked else "_lift"), [row], []) if self.checked or self.lifted else row
        first = assign("_row", checked)
        return [first, *statements(f"{refuse_nan}_add(_row)")]

    def _head_row(self) -> ast.expr:
        same = self._row_itself()
        if same is not None:
            return user_name(same)
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
        first = assign("_row", ast.Call(load_name("_check"), [row], []) if self.checked else row)
        span = self.query.head[0].span if self.query.head else self.query.span
        varies = any(isinstance(node, ast.Name) for node in ast.walk(row))  # else Python makes the tuple once and for all
        insertion = self._insertion(schema, made=isinstance(row, ast.Tuple) and varies and not self.checked)
        return [at(statement, span) for statement in (first, *statements(insertion))]

    def _insertion(self, schema: Schema, made: bool) -> str:
        """Statements that put `_row` in; `made`: it was made just now, so that no relation can hold the very same tuple."""
        if schema.all_key and schema.width > 1:
            refuse_nan = self._refuse_nan("    ")
            if made and not refuse_nan:  # one hash instead of two
                return f"if _rows.setdefault(_row, _row) is _row:\n    _add(_row)\n{self._count_again()}"
            return f"if _row not in _rows:\n{refuse_nan}    _rows[_row] = _row\n    _add(_row)\n{self._count_again()}"
        key = ", ".join(f"_row[{i}]" for i in schema.key_indexes)
        key = key if len(schema.key_indexes) == 1 else f"({key})"
        if schema.lattices:
            return self._candidate(schema, key)
        return (
            f"_key = {key}\n_old = _rows.get(_key)\n"
            f"if _old is None:\n{self._refuse_nan('    ')}    _rows[_key] = _row\n    _add(_row)\n"
            f"elif _old is not _row and _old != _row:\n    raise _conflict(_old, _row)\n{self._count_again()}"
        )

    def _candidate(self, schema: Schema, key: str) -> str:
        """Statements that add `_row` to what is to be merged, unless it is seen at once that it adds nothing."""
        add = f"{self._refuse_nan('')}_add(_row)\n"
        if not all(found in (lmax, lmin) for _, found in schema.lattices):
            return add
        less = " and ".join(f"_old[{i}] {'<=' if found is lmin else '>='} _row[{i}]" for i, found in schema.lattices)
        added = "".join(f"    {line}\n" for line in add.splitlines())
        return (
            f"_old = _rows.get({key})\n"
            f"try:\n    _adds = _old is None or not ({less})\n"
            f"except TypeError:\n    _adds = True\n"  # merging will say what cannot be compared
            f"if _adds:\n{added}"
        )

    def _count_again(self) -> str:
        """What becomes of a row that is there: where derivations are counted, it has one more."""
        return "else:\n    _again(_row)" if self.derivation.counted else ""

    def _refuse_nan(self, indent: str) -> str:
        """Statements that refuse a NaN in a key of the collection that the rule is for."""
        if self.checked or self.rule.by_key or self.rule.kind == "invariant":
            return ""
        schema, name = self.schemas[self.rule.head], self.rule.head
        self.outer["_refuse"] = lambda _: lambda row: schema.check(name, row)
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
        lists = self._argument_lists()
        loop = ast.For(parse_target("_group, _lists"), parse("_out.items()"), self._insert(self._group_row(lists)), [])
        return [*statements("_out = {}"), *self._collecting(steps, self._collect_group(lists)), loop]

    def _argument_lists(self) -> dict[tuple[Expression, ...], int]:
        """The arguments of the head's aggregates, each with the number of the list that collects them."""
        lists: dict[tuple[Expression, ...], int] = {}
        for node in self._aggregate_nodes():
            lists.setdefault(node.arguments, len(lists))
        return lists

    def _collect_group(self, lists: Mapping[tuple[Expression, ...], int]) -> list[ast.stmt]:
        """For a binding, append its arguments to the lists of its group."""
        group = ast.Tuple([self._expression(one) for one in self.query.head if not _aggregates(one)], ast.Load())
        arguments_of = {arguments: self._argument(arguments) for arguments in lists}
        early: list[ast.stmt] = []
        if any(_lazy_lookup(expression) for expression in self.query.head):  # a binding that lacks a row counts nowhere
            early = [assign(f"_argument{i}", arguments_of[arguments]) for arguments, i in lists.items()]
            arguments_of = {arguments: load_name(f"_argument{i}") for arguments, i in lists.items()}
        collect: list[ast.stmt] = [
            assign("_group", group),
            *early,
            *statements("_lists = _out.get(_group)"),
            *statements(f"if _lists is None:\n    _out[_group] = _lists = ({'[], ' * len(lists)})"),
        ]
        for arguments, i in lists.items():
            collect.append(ast.Expr(ast.Call(parse(f"_lists[{i}].append"), [arguments_of[arguments]], [])))
        return collect

    def _group_row(self, lists: Mapping[tuple[Expression, ...], int]) -> ast.expr:
        """The head's row of `_group` with its `_lists`."""
        keys = [one for one in self.query.head if not _aggregates(one)]
        columns: list[ast.expr] = []
        for expression in self.query.head:
            position = keys.index(expression) if not _aggregates(expression) else None
            columns.append(parse(f"_group[{position}]") if position is not None else self._aggregated(expression, lists))
        return ast.Tuple(columns, ast.Load())

    def _collecting(self, steps: list[Step], collect: list[ast.stmt]) -> list[ast.stmt]:
        if not any(_lazy_lookup(expression) for expression in self.query.head):
            return self._nest(steps, collect)
        handler = ast.ExceptHandler(load_name("_Missing"), None, [ast.Pass()])
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
            return parse(f"{function}(_lists[{lists[node.arguments]}], _group)")

        return to_ast(expression, special)

    def _aggregate(self, node: Aggregate) -> Callable[[Instance], Any]:
        place, name = self.rule.place, node.function
        built_in = None if node.user else AGGREGATES[name]

        def bind(instance: Instance) -> Callable[[list[Any] | Bag, PlainRow], Any]:
            def aggregate(values: list[Any] | Bag, group: PlainRow) -> Any:
                try:
                    if built_in is None:
                        return user_aggregate(name, instance.scope)(list(values))
                    return values.aggregate(name) if isinstance(values, Bag) else built_in(values)
                except UnorderableValues as error:
                    raise UnorderableValues(f"{place}, group {group!r}: {error.message}", hint=error.hint) from None

            return aggregate

        return bind

    def _ranked(self, steps: list[Step]) -> list[ast.stmt]:
        """Collect all bindings by partition, then give each its rank."""
        loop = ast.For(parse_target("_lists"), parse("_out.values()"), [self._rank_loop("_lists[0]")], [])
        return [*statements("_out = {}"), *self._collecting(steps, self._collect_window()), loop]

    def _collect_window(self) -> list[ast.stmt]:
        """For a binding, append its plain columns and orders to the list of its partition."""
        windows = self.windows
        orders: list[ast.expr] = [
            ast.Tuple([self._expression(rank.arguments[1]), self._expression(rank.arguments[0])], ast.Load()) for rank in windows
        ]
        plain = [self._expression(one) for one in self.query.head if not _aggregates(one)]
        binding = ast.Tuple([ast.Tuple(plain, ast.Load()), ast.Tuple(orders, ast.Load())], ast.Load())
        alike = all(rank.arguments[1] == windows[0].arguments[1] for rank in windows)  # else all are one partition
        return [
            assign("_binding", binding),
            *statements(f"_lists = _out.get(_group := {'_binding[1][0][0]' if alike else '()'})"),
            *statements("if _lists is None:\n    _out[_group] = _lists = ([],)"),
            *statements("_lists[0].append(_binding)"),
        ]

    def _rank_loop(self, bindings: str) -> ast.stmt:
        """Rank the bindings of a partition, and put or list their rows."""
        windows = self.windows
        plain = [one for one in self.query.head if not _aggregates(one)]
        count, where = len(windows), self.rule.place
        self.outer["_ranks"] = lambda _: lambda bindings: ranked_bindings(bindings, count, where)
        columns = [
            parse(f"_plain[{plain.index(one)}]") if not _aggregates(one) else self._rank_column(one, windows) for one in self.query.head
        ]
        row = ast.Tuple(columns, ast.Load())
        use = self._insert(row) if self.variant.form is Form.PUT else self._append(row)
        return ast.For(parse_target("_plain, _positions"), parse(f"_ranks({bindings})"), use, [])

    def _rank_column(self, expression: Expression, windows: list[Aggregate]) -> ast.expr:
        def special(node: Expression) -> ast.expr:
            if isinstance(node, Aggregate):
                return parse(f"_positions[{next(i for i, rank in enumerate(windows) if rank is node)}]")
            return self._special(node)

        return to_ast(expression, special)

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
                return self._given(f"_param_{_identifier(name)}", lambda instance: instance.workspace.environment.parameters[name])
            case TickValue("me"):
                return self._given("_me", lambda instance: instance.workspace.environment.me)
            case TickValue(name):
                return attribute("_tick", name)
            case Method(name):
                return self._given(f"_method_{_identifier(name)}", lambda instance: instance.workspace.environment.methods[name])
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

    def _exists(self, node: Exists) -> ast.expr:
        """A function of the variables it needs, which looks for the first binding."""
        bound = {name for clause in self.query.body for name in target_names(getattr(clause, "target", "_"))}
        needs = sorted(name for name in free_names(node) if name in bound or name in self.exists_bound)
        inside = {name for clause in node.body for name in target_names(getattr(clause, "target", "_"))}
        needs = [name for name in needs if name not in inside]
        outer_bound, self.exists_bound = self.exists_bound, self.exists_bound | set(needs) | inside
        outer_hoisted, self.hoisted = self.hoisted, {}
        steps = plan(node.body, self.layouts, bound=frozenset(needs), around=self.around)
        outer_around, self.around = self.around, (*self.around, *node.body)
        self.frames.append({})
        body = self._nest(steps, [ast.Return(ast.Constant(not node.negated))])
        loads = [own(name) for name in self.frames.pop()]
        self.exists_bound, self.hoisted, self.around = outer_bound, outer_hoisted, outer_around
        name = f"_exists{len(self.inner)}"
        self.inner.append(function_syntax(own(name), [*needs, *loads], [*body, ast.Return(ast.Constant(node.negated))]))
        return ast.Call(load_name(name), [user_name(one) for one in [*needs, *loads]], [])

    def _fresh(self, name: str) -> str:
        self.names += 1
        return f"{name}{self.names}"

    # -- names of what reaches the function

    def _rows(self, collection: str) -> str:
        return self._load(f"_rows_{self.world}{_identifier(collection)}", "rows", collection)

    def _index(self, collection: str, columns: tuple[int, ...]) -> str:
        name = f"_by_{self.world}{_identifier(collection)}_{'_'.join(map(str, columns))}"
        return self._load(name, f"index({columns!r})", collection)

    def _load(self, name: str, member: str, collection: str) -> str:
        """A variable with something of a relation, in the state that the function is asked for; loaded at its beginning."""
        relation = f"_relation_{_identifier(collection)}"
        self.outer[relation] = lambda instance: instance.workspace.relations[collection]
        state = relation
        if self.variant.form in (Form.LIST, Form.FIND, Form.CONTRIBUTE):
            state = f"_state_{self.world}{_identifier(collection)}"
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
        name = f"_row_{_identifier(collection)}"
        make = self.schemas[collection].row.make
        self.outer[name] = lambda _: make
        return name

    def _given(self, name: str, value: Callable[[Instance], Any]) -> ast.expr:
        """A name for something that differs between instances."""
        self.outer[name] = value
        return load_name(name)


def _aggregates(expression: Expression) -> bool:
    return any(isinstance(node, Aggregate) for node in walk(expression))


def _lazy_lookup(expression: Expression) -> bool:
    return any(isinstance(node, Lookup) for node in walk(expression))


def _identifier(name: str) -> str:
    return "".join(character if character.isalnum() else f"_{ord(character):x}_" for character in name)


def _bound_row(step: Step) -> str | None:
    """The row variable that a step binds."""
    match step:
        case Drive(scan) | ScanAll(scan) | Find(scan) | Probe(scan) if isinstance(scan.target, str):
            return scan.target
    return None


def _step_expressions(step: Step) -> tuple[Expression, ...]:
    match step:
        case Find(_, key):
            return key
        case Probe(_, _, values):
            return values
        case Flatten(iterate):
            return (iterate.source,)
        case Test(condition):
            return (condition.test,)
    return ()


def _columns_read(name: str, expressions: Iterable[Expression]) -> Iterator[int]:
    """The columns of a row variable that expressions read."""
    for expression in expressions:
        for node in walk(expression):
            match node:
                case Field(RowVariable(row), _, index) if row == name:
                    yield index
