"""Which operator a statement has, and which collection takes which."""

from __future__ import annotations

import ast

from attrs import frozen

from bloompy.errors import ArityError, IllegalOperator, UnsupportedStatement
from bloompy.ir.nodes import Collection, Operator
from bloompy.lang.hints import counted
from bloompy.lang.names import Names
from bloompy.span import Span

TAKES: dict[str, tuple[Operator, ...]] = {
    "table": ("<=", "<+", "<-", "<+-"),
    "scratch": ("<=", "<+"),
    "output": ("<=", "<+"),
    "input": ("<=", "<+"),
    "channel": ("<~",),
    "loopback": ("<~",),
    "stdio": ("<~",),
    "periodic": (),
    "temporary": (),
}
"""The operators by kind of the collection on their left (design of the language: statements)."""

_UNARY: dict[type[ast.AST], str] = {ast.UAdd: "+", ast.USub: "-", ast.Invert: "~"}
_OPERATORS: dict[str, Operator] = {"+": "<+", "-": "<-", "~": "<~", "+-": "<+-"}
_QUERIES = (ast.GeneratorExp, ast.ListComp, ast.SetComp, ast.List, ast.Set, ast.Tuple)


@frozen
class Statement:
    """`left operator query`, as read from a comparison."""

    left: ast.expr
    operator: Operator
    query: ast.expr


def statement(names: Names, node: ast.Compare) -> Statement | None:
    """Read a comparison with one operator as a statement, however a formatter spaced it; None where it is none.

    Unary operators bind tighter than `*` and `|`, so that of `a <+ b * c` stands at the leftmost operand.

    Raises:
        UnsupportedStatement: for signs that are no operator of Bloom, or could be read in two ways.
    """
    right = node.comparators[0]
    if isinstance(node.ops[0], ast.LtE):
        _check_sign_after(names, node)
        return Statement(node.left, "<=", right)
    if not isinstance(node.ops[0], ast.Lt):
        return None
    signs, query = _stripped(right)
    operator = _OPERATORS.get(signs)
    if operator is None:
        if signs:
            raise UnsupportedStatement(f"<{signs} is no operator", names.span(node), hint="operators are <= <+ <- <+- <~")
        return None
    if operator == "<+-":
        _check_adjacent(names, node, right)
    return Statement(node.left, operator, query)


def check(names: Names, left: ast.expr, operator: Operator, target: Collection, kind: str) -> None:
    """Refuse an operator that the collection, or the method, does not take.

    Raises:
        IllegalOperator: with the operators that are taken.
    """
    if kind == "bootstrap" and operator not in ("<=", "<+"):
        raise IllegalOperator(
            f"{operator} in a bootstrap method", names.span(left), hint="bootstrap rules have <= or <+; others belong under @rule"
        )
    if target.name == "dead_letter":
        raise IllegalOperator(
            "dead_letter is filled by the node", names.span(left), hint="rules only read it; copy its rows into a table of your own"
        )
    takes = TAKES[target.kind] if not target.lattice else ("<=", "<+")
    if operator in takes:
        return
    if target.lattice:
        raise IllegalOperator(
            f"{operator} into the lattice {target.name}",
            names.span(left),
            hint=f"a lattice only grows: it takes {' '.join(takes)}; what is to shrink belongs into a table",
        )
    article = "an" if target.kind in ("input", "output") else "a"
    hint = f"{article} {target.kind} takes {' '.join(takes)}"
    if target.kind == "periodic":
        hint = "a periodic is filled by its timer; rules only read it"
    elif target.kind == "temporary":
        hint = "a temporary is assigned once: name = query; for more statements declare a scratch"
    elif operator == "<~":
        hint += "; only channels, loopbacks and stdio take <~"
    elif operator in ("<-", "<+-"):
        hint += "; only rows of a table persist, so that they can be deleted or replaced"
    raise IllegalOperator(f"{operator} into the {target.kind} {target.name.rpartition(':')[2]}", names.span(left), hint=hint)


def _stripped(node: ast.expr) -> tuple[str, ast.expr]:
    """The signs before the leftmost operand, and the expression without them."""
    if isinstance(node, ast.BinOp):
        signs, left = _stripped(node.left)
        return signs, _from(left, ast.copy_location(ast.BinOp(left, node.op, node.right), node)) if signs else node
    signs = ""
    while isinstance(node, ast.UnaryOp) and type(node.op) in _UNARY and len(signs) < 2 and (not signs or signs == "+"):
        if signs == "+" and not isinstance(node.op, ast.USub):
            break
        signs += _UNARY[type(node.op)]
        node = node.operand
    return signs, node


def _from(left: ast.expr, node: ast.BinOp) -> ast.BinOp:
    """The operation begins where its left operand does, behind the sign."""
    node.lineno, node.col_offset = left.lineno, left.col_offset
    return node


def _check_adjacent(names: Names, node: ast.Compare, right: ast.expr) -> None:
    """`<+ (-1)` has the syntax tree of `<+- 1`; only signs that touch are the operator."""
    outer = right
    while isinstance(outer, ast.BinOp):
        outer = outer.left
    assert isinstance(outer, ast.UnaryOp)
    plus, minus = outer, outer.operand
    if (plus.lineno, plus.col_offset + 1) != (minus.lineno, minus.col_offset):
        raise UnsupportedStatement(
            "`<+ -…` could be <+ of a negative value, or <+-",
            names.span(minus),
            hint="write <+ [(-…,)] to insert the value, or <+- to replace a row",
        )


def _check_sign_after(names: Names, node: ast.Compare) -> None:
    right = node.comparators[0]
    if isinstance(right, ast.UnaryOp) and (isinstance(right.operand, _QUERIES) or names.collection(right.operand) is not None):
        sign = _UNARY.get(type(right.op), "not")
        raise UnsupportedStatement(f"<={sign} is no operator", names.span(right), hint="operators are <= <+ <- <+- <~")


def uneven(span: Span, width: int, target: Collection) -> ArityError:
    """The error for rows of a temporary that differ in width."""
    name = target.name.rpartition(":")[2]
    return ArityError(
        f"the first row of {name} has {counted(target.schema.width, 'column')}, this one {width}",
        span,
        hint="give all rows the same columns",
    )
