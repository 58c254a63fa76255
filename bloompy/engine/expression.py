"""Expressions of the IR as Python syntax trees that keep the user's positions."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias

from bloompy.ir.nodes import Const, Expression, Global, Python, Variable
from bloompy.span import Span

Special: TypeAlias = Callable[[Expression], ast.expr]
"""Translates the nodes that mean something of Bloom: all but Const, Variable, Global and Python."""


def to_ast(expression: Expression, special: Special) -> ast.expr:
    """An expression as Python syntax, every node placed where the user wrote it."""
    match expression:
        case Const(value):
            made: ast.expr = ast.Constant(value)
        case Variable(name) | Global(name):
            made = ast.Name(name, ast.Load())
        case Python(template, parts):
            made = _Fill([to_ast(part, special) for part in parts], expression.span).fill(parsed(template))
        case _:
            made = special(expression)
    return place(made, expression.span)


def place(node: ast.expr, span: Span) -> ast.expr:
    """Give a new node its position in the user's source."""
    node.lineno, node.col_offset = span.line or 1, span.column
    node.end_lineno, node.end_col_offset = span.end_line or node.lineno, span.end_column
    return node


@lru_cache(maxsize=4096)
def parsed(template: str) -> ast.expr:
    """The syntax of a Python form; shared, not to be changed."""
    return ast.parse(template, mode="eval").body


class _Fill(ast.NodeTransformer):
    """Puts the parts in the place of _0, _1, … and moves the template's own nodes to its span."""

    def __init__(self, parts: list[ast.expr], span: Span) -> None:
        self.parts, self.span = parts, span

    def fill(self, template: ast.expr) -> ast.expr:
        filled = self.visit(copy.deepcopy(template))
        assert isinstance(filled, ast.expr)
        return filled

    def visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.Name) and node.id[:1] == "_" and node.id[1:].isdigit():
            return self.parts[int(node.id[1:])]
        if isinstance(node, ast.expr):
            place(node, self.span)
        elif isinstance(node, ast.keyword | ast.arg):
            node.lineno, node.col_offset = self.span.line or 1, self.span.column
            node.end_lineno, node.end_col_offset = self.span.end_line or node.lineno, self.span.end_column
        return self.generic_visit(node)
