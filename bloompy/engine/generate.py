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

from bloompy.engine.heads import Heads
from bloompy.engine.plan import Step, plan
from bloompy.engine.sites import with_head
from bloompy.engine.syntax import assign, at, fill_positions, function_syntax, load_name, own, parse, parse_target, statements, user_name
from bloompy.engine.template import PREFIX, Template
from bloompy.engine.variant import ARGUMENTS, Form, Variant
from bloompy.errors import UnsupportedStatement
from bloompy.ir.nodes import Scan
from bloompy.ir.walk import target_names


class Generator(Heads):
    """Makes the functions of one derivation."""

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
        called = f"{PREFIX}{self.rule.label}"
        loads = [assign(variable, value) for variable, value in self.prologue.items()]
        if self.variant.form is Form.PUT and self.derivation.counted:
            loads.insert(0, assign("_again", parse("_again.append")))
        if self.variant.form is Form.PUT:
            loads.insert(0, assign("_add", parse("_new.append")))
        elif self.variant.form is not Form.FIND and not (self.aggregating and self.variant.form in (Form.LIST, Form.CONTRIBUTE)):
            loads.insert(0, assign("_add", parse("_out.append")))
        rule = function_syntax(called, [own(name) for name in ARGUMENTS[self.variant.form]], [*loads, *body])
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
