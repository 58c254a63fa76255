"""Small pieces of Python syntax, and where they stand in the user's source.

Our own names begin with "_" where they are written here and in `bloompy.engine.generate`. In the generated code they begin
with a character that no name of Python text can begin with, so that they never meet a name of the user.
"""

from __future__ import annotations

import ast
from typing import TypeVar

from bloompy.engine.expression import place
from bloompy.ir.nodes import Target
from bloompy.span import Span

Node = TypeVar("Node", bound=ast.AST)


def own(identifier: str) -> str:
    """How a name of ours is called in generated code."""
    return f"\u00b7{identifier}" if identifier.startswith("_") else identifier


def load_name(identifier: str) -> ast.Name:
    """A variable of ours, read."""
    return ast.Name(own(identifier), ast.Load())


def user_name(identifier: str) -> ast.Name:
    """A variable of the user, read."""
    return ast.Name(identifier, ast.Load())


def attribute(variable: str, member: str) -> ast.expr:
    """An attribute of a variable."""
    return ast.Attribute(load_name(variable), member, ast.Load())


def parse(text: str) -> ast.expr:
    """An expression of our own, without positions."""
    return _bare(ast.parse(text, mode="eval").body)


def parse_target(text: str) -> ast.expr:
    """What stands left of an assignment."""
    assignment = ast.parse(f"{text} = 0").body[0]
    assert isinstance(assignment, ast.Assign)
    return _bare(assignment.targets[0])


def statements(text: str) -> list[ast.stmt]:
    """Statements of our own, without positions."""
    return [_bare(statement) for statement in ast.parse(text).body]


def _bare(node: Node) -> Node:
    """Forget the positions of our own text, so that `fill_positions` puts it where the user's code around it is."""
    for below in ast.walk(node):
        if isinstance(below, ast.Name):
            below.id = own(below.id)
        for attribute in ("lineno", "col_offset", "end_lineno", "end_col_offset"):
            if hasattr(below, attribute):
                delattr(below, attribute)
    return node


def assign(variable: str, value: ast.expr) -> ast.stmt:
    """`name = value`, for a name of ours."""
    return ast.Assign([ast.Name(own(variable), ast.Store())], value)


def target_syntax(target: Target) -> ast.expr:
    """A target of the IR as one of Python."""
    if isinstance(target, tuple):
        return ast.Tuple([target_syntax(part) for part in target], ast.Store())
    return ast.Name(target, ast.Store())


def function_syntax(called: str, arguments: list[str], body: list[ast.stmt]) -> ast.stmt:
    """A function with positional arguments."""
    declared = ast.arguments([], [ast.arg(one) for one in arguments], None, [], [], None, [])
    made = ast.FunctionDef(called, declared, body, [])
    if hasattr(made, "type_params"):
        made.type_params = []
    return made


def at(statement: ast.stmt, span: Span) -> ast.stmt:
    """A statement placed in the user's source."""
    place(statement, span)  # type: ignore[arg-type]  # statements have the same four positions
    return statement


def iterating(loop: ast.stmt, source: ast.expr) -> ast.stmt:
    """A loop over another source."""
    assert isinstance(loop, ast.For)
    loop.iter = source
    return loop


def fill_positions(tree: ast.AST) -> None:
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
