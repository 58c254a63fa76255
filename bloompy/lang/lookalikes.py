"""Statements that look like rules, or like Python that people write in their place, each with its remedy."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from bloompy.errors import IllegalOperator, UnsupportedStatement
from bloompy.lang.hints import closest
from bloompy.lang.names import Names
from bloompy.lang.operators import statement

_FORM = "a statement is self.collection <= query, with one of the operators <= <+ <- <+- <~"
_RETURN = "rules return nothing: write self.collection <= query"

_STATEMENTS: dict[type[ast.AST], tuple[str, str]] = {
    ast.For: ("a for loop", "write a query: self.collection <= (… for row in self.other)"),
    ast.AsyncFor: ("a for loop", "write a query: self.collection <= (… for row in self.other)"),
    ast.While: ("a while loop", "write a recursive rule: it runs to the least fixpoint, or use <+ for one step a tick"),
    ast.If: ("an if statement", "put the condition into the query: (… for row in self.other if condition)"),
    ast.With: ("a with statement", "rules do nothing but derive rows; do this outside and .insert(…) the result"),
    ast.AsyncWith: ("a with statement", "rules do nothing but derive rows; do this outside and .insert(…) the result"),
    ast.Try: ("a try statement", "put it into a function of the module and call that in the query"),
    ast.Return: ("a return", _RETURN),
    ast.Raise: ("a raise", "an @invariant with a query that must stay empty stops the tick"),
    ast.Assert: ("an assert", "write an @invariant method with a query that must stay empty"),
    ast.FunctionDef: ("a function inside a rule method", "define it in the module, or as a static method of the class"),
    ast.AsyncFunctionDef: ("a function inside a rule method", "define it in the module, or as a static method of the class"),
    ast.ClassDef: ("a class inside a rule method", "define it in the module"),
    ast.Import: ("an import", "import at the top of the module"),
    ast.ImportFrom: ("an import", "import at the top of the module"),
    ast.Global: ("a global statement", "names of the module can be read without it"),
    ast.Nonlocal: ("a nonlocal statement", "names of enclosing functions can be read without it"),
    ast.Delete: ("a del statement", "rows are deleted by self.table <- query"),
    ast.Pass: ("a pass", "leave it out: a docstring alone makes a method without rules"),
    ast.Match: ("a match statement", "put the condition into the query, or call a function of the module"),
}


def refused(names: Names, node: ast.stmt) -> UnsupportedStatement | IllegalOperator:
    """The error for a statement that is none of Bloom."""
    if isinstance(node, ast.Assign):
        return _assigned(names, node.targets[0], node.targets, node)
    if isinstance(node, ast.AnnAssign):
        return _assigned(names, node.target, [node.target], node, annotated=True)
    if isinstance(node, ast.AugAssign):
        return _augmented(names, node)
    if isinstance(node, ast.Expr):
        return refused_expression(names, node.value)
    what, hint = _STATEMENTS.get(type(node), ("this", _FORM))
    return UnsupportedStatement(f"{what} is no statement of Bloom", names.span(node), hint=hint)


def refused_expression(names: Names, node: ast.expr) -> UnsupportedStatement:
    """The error for an expression in the place of a statement."""
    explain = _EXPRESSIONS.get(type(node))
    if explain is not None:
        return explain(names, node)
    return UnsupportedStatement("this is no statement of Bloom", names.span(node), hint=_FORM)


def _is_statement(names: Names, node: ast.AST) -> bool:
    """Whether a node would be a statement, but for what stands around it."""
    return isinstance(node, ast.Compare) and names.path(node.left) is not None and isinstance(node.ops[0], ast.LtE | ast.Lt)


def _assigned(names: Names, target: ast.expr, targets: list[ast.expr], node: ast.stmt, annotated: bool = False) -> UnsupportedStatement:
    if names.path(target) is not None:
        shown = ast.unparse(target)
        return UnsupportedStatement(
            f"assignment to {shown}", names.span(node), hint=f"write {shown} <= query, or <+- to replace rows at the next tick"
        )
    if annotated:
        return UnsupportedStatement(
            "a temporary with an annotation", names.span(node), hint="write name = query; its columns are those of the query"
        )
    if len(targets) > 1:
        return UnsupportedStatement("two names for one temporary", names.span(node), hint="write one name = query for each")
    return UnsupportedStatement("assignment to something other than one name", names.span(node), hint="a temporary is name = query")


def _augmented(names: Names, node: ast.AugAssign) -> UnsupportedStatement:
    shown = ast.unparse(node.target)
    hint = f"write {shown} <= query" if names.path(node.target) is not None else "a temporary is assigned once: name = query"
    return UnsupportedStatement(f"augmented assignment to {shown}", names.span(node), hint=hint)


def _comparison(names: Names, node: ast.Compare) -> UnsupportedStatement:
    if len(node.ops) > 1:
        return _chain(names, node)
    symbol = ast.unparse(ast.Compare(ast.Constant(0), node.ops, [ast.Constant(0)]))[2:-2]
    shown = ast.unparse(node.left)
    if isinstance(node.ops[0], ast.Lt):
        return UnsupportedStatement("< alone is no operator of Bloom", names.span(node), hint=f"did you mean {shown} <= query?")
    return UnsupportedStatement(f"{symbol} is no operator of Bloom", names.span(node), hint=_FORM)


def _chain(names: Names, node: ast.Compare) -> UnsupportedStatement:
    second, operator = node.comparators[1], node.ops[1]
    if isinstance(operator, ast.LtE | ast.Lt) and names.path(node.comparators[0]) is not None:
        hint = "write two statements, one for each collection on the left"
    elif isinstance(operator, ast.Eq | ast.NotEq | ast.Is | ast.IsNot | ast.In | ast.NotIn):
        hint = "a condition belongs inside the query: (… for row in self.other if condition); a comparison as a value into brackets"
    else:
        hint = "put a comparison that is meant as a value into brackets"
    return UnsupportedStatement("a chain of comparisons is no statement", names.span(second), hint=hint)


def _conditional(names: Names, node: ast.IfExp) -> UnsupportedStatement:
    if _is_statement(names, node.body) or _is_statement(names, node.orelse):
        hint = "it reads as (self.a <= b) if p else c; put the condition into the query: (… for row in self.other if p)"
        return UnsupportedStatement("`if … else` around a statement", names.span(node.test), hint=hint)
    return UnsupportedStatement("a conditional expression is no statement", names.span(node), hint=_FORM)


def _boolean(names: Names, node: ast.BoolOp) -> UnsupportedStatement:
    word = "and" if isinstance(node.op, ast.And) else "or"
    if any(_is_statement(names, value) for value in node.values):
        hint = "write one statement for each" if word == "or" else "a condition belongs inside the query: (… if condition)"
        return UnsupportedStatement(f"`{word}` after a statement", names.span(node.values[1]), hint=hint)
    return UnsupportedStatement(f"`{word}` is no statement", names.span(node), hint=_FORM)


def _tuple(names: Names, node: ast.Tuple) -> UnsupportedStatement:
    first = node.elts[0] if node.elts else node
    if isinstance(first, ast.Compare) and _is_statement(names, first):
        found = statement(names, first) if len(first.ops) == 1 else None
        row = found.query if found is not None else first.comparators[0]
        several = isinstance(row, ast.Tuple)
        hint = "put brackets around the rows: [(…), (…)]" if several else "put brackets around the row: (…, …)"
        return UnsupportedStatement(
            "rows without brackets around them" if several else "a row without brackets around it", names.span(node), hint=hint
        )
    return UnsupportedStatement("a tuple is no statement", names.span(node), hint=_FORM)


def _call(names: Names, node: ast.Call) -> UnsupportedStatement:
    function = node.func
    if isinstance(function, ast.Attribute) and names.collection(function.value) is not None:
        operators = {"insert": "<+", "delete": "<-", "upsert": "<+-"}
        name = closest(function.attr, operators)
        shown = ast.unparse(function.value)
        hint = f"inside rules write {shown} {operators[name]} query; .{name}(…) is for outside" if name else _FORM
        return UnsupportedStatement(f"a call of {shown}.{function.attr}", names.span(node), hint=hint)
    if isinstance(function, ast.Name) and function.id == "print":
        return UnsupportedStatement("a call of print", names.span(node), hint="declare out = stdio() and write self.out <~ query")
    shown = ast.unparse(function)
    return UnsupportedStatement(
        f"a call of {shown} is no statement", names.span(node), hint="rules are read, never run; call it inside a query"
    )


def _yield(names: Names, node: ast.expr) -> UnsupportedStatement:
    return UnsupportedStatement("a yield is no statement of Bloom", names.span(node), hint=_RETURN)


def _await(names: Names, node: ast.expr) -> UnsupportedStatement:
    return UnsupportedStatement(
        "an await is no statement of Bloom", names.span(node), hint="rules wait for nothing; messages are rows of a channel"
    )


def _walrus(names: Names, node: ast.NamedExpr) -> UnsupportedStatement:
    return UnsupportedStatement("an assignment expression is no statement", names.span(node), hint=f"write {node.target.id} = query")


def _query(names: Names, node: ast.expr) -> UnsupportedStatement:
    return UnsupportedStatement(
        "a query that fills nothing", names.span(node), hint="write self.collection <= query; bare queries belong under @invariant"
    )


def _signed(names: Names, node: ast.expr) -> UnsupportedStatement:
    return UnsupportedStatement("this is no statement of Bloom", names.span(node), hint=_FORM)


def _shifted(names: Names, node: ast.BinOp) -> UnsupportedStatement:
    if isinstance(node.op, ast.LShift) and names.path(node.left) is not None:
        return UnsupportedStatement("<< is no operator of Bloom", names.span(node), hint=f"write {ast.unparse(node.left)} <= query")
    return UnsupportedStatement("an operation is no statement of Bloom", names.span(node), hint=_FORM)


def _value(names: Names, node: ast.expr) -> UnsupportedStatement:
    if names.collection(node) is not None:
        return _query(names, node)
    return UnsupportedStatement("a value is no statement of Bloom", names.span(node), hint=_FORM)


_EXPRESSIONS: dict[type[ast.AST], Callable[[Names, Any], UnsupportedStatement]] = {
    ast.Compare: _comparison,
    ast.IfExp: _conditional,
    ast.BoolOp: _boolean,
    ast.Tuple: _tuple,
    ast.Call: _call,
    ast.Yield: _yield,
    ast.YieldFrom: _yield,
    ast.Await: _await,
    ast.NamedExpr: _walrus,
    ast.GeneratorExp: _query,
    ast.ListComp: _query,
    ast.SetComp: _query,
    ast.UnaryOp: _signed,
    ast.BinOp: _shifted,
    ast.Constant: _value,
    ast.Name: _value,
    ast.Attribute: _value,
}
