"""The steps of a plan as nested Python loops, conditions and lookups."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator

from bloompy.engine.expression import place
from bloompy.engine.plan import Drive, Find, Flatten, Probe, ScanAll, Step, Test, plan
from bloompy.engine.syntax import assign, at, attribute, function_syntax, iterating, load_name, own, parse, target_syntax, user_name
from bloompy.engine.variant import Form, Variant
from bloompy.engine.writing import Writing, identifier, lazy_lookup
from bloompy.ir.nodes import Condition, Exists, Expression, Field, Python, RowVariable, Scan, Target
from bloompy.ir.walk import free_names, target_names, walk
from bloompy.span import Span


class Loops(Writing):
    """Writes what finds the bindings of a query."""

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
                if not lazy_lookup(condition.test):
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
        if not lazy_lookup(source):
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
            ranks = self._load(f"_ranks_{identifier(scan.collection)}", "ranks", scan.collection)
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
