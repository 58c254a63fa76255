"""Python expressions as templates over their parts: `f(x.a) + 1` is "_0 + _1" over two expressions."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from bloompy.errors import UnsupportedStatement
from bloompy.ir.nodes import Expression

if TYPE_CHECKING:
    from bloompy.lang.expressions import Expressions

_OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.MatMult: "@",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
    ast.LShift: "<<",
    ast.RShift: ">>",
    ast.BitOr: "|",
    ast.BitXor: "^",
    ast.BitAnd: "&",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.In: "in",
    ast.NotIn: "not in",
    ast.UAdd: "+",
    ast.USub: "-",
    ast.Invert: "~",
    ast.Not: "not ",
}
_HOLE = re.compile(r"_\d+")


def split(node: ast.expr, query: Expressions, function: Expression | None = None) -> tuple[str, tuple[Expression, ...]]:
    """A node as a template and the expressions that belong into it.

    Args:
        node: the Python expression.
        query: reads the parts.
        function: what a call calls, where that is read already.
    """
    splitter = _Splitter(query)
    if function is not None:
        splitter.parts.append(function)
    return splitter.text(node), tuple(splitter.parts)


class _Splitter:
    """Writes the template of one node; the frequent nodes by hand, since `ast.unparse` takes 50 µs."""

    def __init__(self, query: Expressions) -> None:
        self.query, self.parts = query, list[Expression]()

    def part(self, node: ast.expr) -> str:
        """Read a part and stand a hole in its place."""
        found = self.query.read(node)
        self.parts.append(found)
        return f"_{len(self.parts) - 1}"

    def item(self, node: ast.expr) -> str:
        """A part of a display or call, perhaps starred."""
        return f"*{self.part(node.value)}" if isinstance(node, ast.Starred) else self.part(node)

    def text(self, node: ast.expr) -> str:
        """The template."""
        match node:
            case ast.BinOp(left, operator, right):
                return f"{self.part(left)} {_OPERATORS[type(operator)]} {self.part(right)}"
            case ast.Compare(left, operators, comparators):
                pairs = zip(operators, comparators, strict=True)
                return self.part(left) + "".join(f" {_OPERATORS[type(operator)]} {self.part(right)}" for operator, right in pairs)
            case ast.BoolOp(word, values):
                return (" and " if isinstance(word, ast.And) else " or ").join([self.part(value) for value in values])
            case ast.UnaryOp(operator, operand):
                return f"{_OPERATORS[type(operator)]}{self.part(operand)}"
            case ast.Tuple([only]):
                return f"({self.item(only)},)"
            case ast.Tuple(elements):
                return f"({', '.join([self.item(one) for one in elements])})"
            case ast.List(elements):
                return f"[{', '.join([self.item(one) for one in elements])}]"
            case ast.Call(function, arguments, keywords):
                called = "_0" if self.parts else self.part(function)
                given = [self.item(one) for one in arguments]
                given += [
                    f"{keyword.arg}={self.part(keyword.value)}" if keyword.arg else f"**{self.part(keyword.value)}" for keyword in keywords
                ]
                return f"{called}({', '.join(given)})"
            case ast.IfExp(test, body, orelse):
                return f"{self.part(body)} if {self.part(test)} else {self.part(orelse)}"
            case ast.Subscript(value, ast.Slice() as piece):
                ends = [self.part(end) if end is not None else "" for end in (value, piece.lower, piece.upper)]
                return f"{ends[0]}[{ends[1]}:{ends[2]}{':' + self.part(piece.step) if piece.step is not None else ''}]"
            case ast.Subscript(value, index) if not isinstance(index, ast.Tuple):
                return f"{self.part(value)}[{self.part(index)}]"
            case ast.Lambda():
                return ast.unparse(self.anonymous(node))
            case ast.GeneratorExp() | ast.ListComp() | ast.SetComp() | ast.DictComp():
                return ast.unparse(self.comprehension(node))
        return ast.unparse(self.copied(node))

    def hole(self, node: ast.expr) -> ast.expr:
        """A part's hole as syntax."""
        if isinstance(node, ast.Starred):
            return ast.Starred(self.hole(node.value), ast.Load())
        if isinstance(node, ast.JoinedStr | ast.FormattedValue | ast.Slice):
            copied: ast.expr = self.copied(node)
            return copied
        return ast.Name(self.part(node), ast.Load())

    def copied(self, node: Any) -> Any:
        """A node with holes for the expressions directly below; the pieces of an f-string belong to it."""
        made: dict[str, Any] = {}
        for name, value in ast.iter_fields(node):
            if isinstance(value, list):
                made[name] = [self.below(one, node) for one in value]
            else:
                made[name] = self.below(value, node)
        return type(node)(**made)

    def below(self, value: Any, node: ast.AST) -> Any:
        """What stands in the place of a child."""
        if isinstance(value, ast.Constant) and isinstance(node, ast.JoinedStr):
            return value
        if isinstance(value, ast.expr):
            return self.hole(value)
        return self.copied(value) if isinstance(value, ast.AST) and not isinstance(value, ast.expr_context) else value

    def comprehension(self, node: ast.GeneratorExp | ast.ListComp | ast.SetComp | ast.DictComp) -> ast.expr:
        """A comprehension over Python values: its own variables stay in the template."""
        outer, generators = self.query, []
        for i, generator in enumerate(node.generators):
            source = self.hole(generator.iter)
            self.query = self.query.nested(self.query.inside or "comprehension", self.bound(generator.target))
            tests = [self.hole(test) for test in generator.ifs]
            generators.append(ast.comprehension(generator.target, source, tests, generator.is_async))
            if generator.is_async:
                raise UnsupportedStatement(
                    "an asynchronous comprehension has no place in a rule", outer.span(node), hint=f"leave out the async of `for` {i + 1}"
                )
        try:
            if isinstance(node, ast.DictComp):
                return ast.DictComp(self.hole(node.key), self.hole(node.value), generators)
            return type(node)(self.hole(node.elt), generators)
        finally:
            self.query = outer

    def anonymous(self, node: ast.Lambda) -> ast.expr:
        """A lambda: its arguments stay in the template."""
        given = node.args
        every = [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, (given.vararg, given.kwarg))]
        defaults = [self.hole(one) for one in given.defaults]
        named = [self.hole(one) if one is not None else None for one in given.kw_defaults]
        arguments = ast.arguments(given.posonlyargs, given.args, given.vararg, given.kwonlyargs, named, given.kwarg, defaults)
        outer, self.query = self.query, self.query.nested("lambda", [self.free(each.arg, each) for each in every])
        try:
            return ast.Lambda(arguments, self.hole(node.body))
        finally:
            self.query = outer

    def bound(self, target: ast.expr) -> Iterator[str]:
        """The names that a target binds."""
        for node in ast.walk(target):
            if isinstance(node, ast.Name):
                yield self.free(node.id, node)

    def free(self, name: str, node: ast.AST) -> str:
        """A name that is no hole."""
        if _HOLE.fullmatch(name):
            raise UnsupportedStatement(f"the name {name} is taken by the compiler", self.query.span(node), hint="choose another name")
        return name
