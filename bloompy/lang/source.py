"""Finding the source of a rule method, whether it stands in a file, a notebook cell, a zip archive or a string."""

from __future__ import annotations
import __future__

import ast
import itertools
import linecache
import sys
import warnings
from collections.abc import Iterator
from functools import reduce
from operator import or_
from types import CodeType, FunctionType
from typing import Any, TypeAlias

from bloompy.errors import SourceNotAvailable
from bloompy.span import Span

Definition: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

_REMEDY = "put the class into a file or a notebook cell, or run its text with bloompy.exec_source(text)"
_FUTURE_FLAGS = reduce(or_, (getattr(__future__, name).compiler_flag for name in __future__.all_feature_names))
_TOP_LEVEL_AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
_texts: dict[str, _Text] = {}
_numbers = itertools.count(1)


class _Text:
    """The lines of one file, parsed and compiled once for all its methods. Functions are found by first line and name."""

    def __init__(self, file: str, lines: list[str], flags: int) -> None:
        self.lines = lines
        self._file, self._flags = file, flags & _FUTURE_FLAGS | _TOP_LEVEL_AWAIT
        self._statements: list[ast.stmt] = []
        self.functions: dict[tuple[int, str], Definition] = {}
        self.codes: dict[tuple[int, str], CodeType] = {}
        try:
            tree = self._tree("".join(lines))
            self.functions.update(_functions(tree))
            self.codes.update(_codes(self._compiled(tree)))
            self._statements = tree.body
        except (SyntaxError, ValueError):
            pass  # not Python, so not the source of any function

    def find(self, code: CodeType) -> Definition | None:
        """The function that this code was compiled from, if it still stands there."""
        place = code.co_firstlineno, code.co_name
        return self.functions[place] if any(_same(code, compiled) for compiled in self._candidates(place)) else None

    def _candidates(self, place: tuple[int, str]) -> Iterator[CodeType]:
        """The code at a place, compiled with its file, and as notebooks do it: with its own top-level statement alone.

        They differ: what a file imports, Python calls by other instructions.
        """
        if place in self.codes:
            yield self.codes[place]
            for statement in self._statements:
                if (statement.end_lineno or 0) >= place[0]:
                    yield from (code for at, code in _codes(self._compiled(ast.Module([statement], []))) if at == place)
                    return

    def _tree(self, text: str) -> ast.Module:
        with warnings.catch_warnings(action="ignore"):  # Python gave them when it compiled the file
            return ast.parse(text, self._file)

    def _compiled(self, tree: ast.Module) -> CodeType:
        with warnings.catch_warnings(action="ignore"):
            code: CodeType = compile(tree, self._file, "exec", self._flags, dont_inherit=True)
        return code


def function_syntax(function: FunctionType) -> Definition:
    """The syntax tree of a function, with the positions of its file.

    Raises:
        SourceNotAvailable: with what to do about it.
    """
    code = function.__code__
    lines = _lines(function)
    if not lines:
        raise SourceNotAvailable(f"the source of {_described(function)} cannot be found", _span(code), hint=_REMEDY)
    found = _text(code, lines).find(code)
    if found is None:
        linecache.checkcache(code.co_filename)
        found = _text(code, _lines(function)).find(code)
    if found is None:
        hint = _REMEDY if code.co_filename.startswith("<") else "the file was edited after it was imported: import it again"
        raise SourceNotAvailable(
            f"line {code.co_firstlineno} of {code.co_filename} does not hold {function.__qualname__} as it was compiled",
            _span(code),
            hint=hint,
        )
    return found


def exec_source(text: str, namespace: dict[str, Any] | None = None, name: str | None = None) -> dict[str, Any]:
    """Run Python text whose classes may hold rules, keeping the text so that they can be read.

    Args:
        text: Python source.
        namespace: its globals; a fresh module's by default.
        name: the file name shown in errors.

    Returns:
        the namespace.
    """
    name = name or f"<bloompy source {next(_numbers)}>"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    namespace = {"__name__": "__bloompy_source__"} if namespace is None else namespace
    exec(compile(text, name, "exec", dont_inherit=True), namespace)
    return namespace


def _described(function: FunctionType) -> str:
    return f"{function.__qualname__} in {function.__code__.co_filename}"


def _span(code: CodeType) -> Span:
    return Span.of_code(code)


def _text(code: CodeType, lines: list[str]) -> _Text:
    known = _texts.get(code.co_filename)
    if known is None or known.lines is not lines and known.lines != lines:
        known = _texts[code.co_filename] = _Text(code.co_filename, lines, code.co_flags)
    return known


def _lines(function: FunctionType) -> list[str]:
    name = function.__code__.co_filename
    lines = linecache.getlines(name, function.__globals__)
    if not lines and name == "<string>" and "-c" in sys.orig_argv[:-1]:
        text = sys.orig_argv[sys.orig_argv.index("-c") + 1]
        lines = text.splitlines(keepends=True)
        if function.__globals__.get("__name__") == "__main__":
            linecache.cache[name] = (len(text), None, lines, name)  # as Python itself does from 3.13 on
    return lines


def _functions(tree: ast.Module) -> Iterator[tuple[tuple[int, str], Definition]]:
    """Every function with the line of its first decorator or `def`; only statements are walked."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield (min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)]), node.name), node
        for part in ("body", "orelse", "finalbody", "handlers", "cases"):
            below = getattr(node, part, ())
            waiting.extend(below if isinstance(below, list) else ())


def _codes(code: CodeType) -> Iterator[tuple[tuple[int, str], CodeType]]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield (constant.co_firstlineno, constant.co_name), constant
            yield from _codes(constant)


def _same(first: CodeType, second: CodeType) -> bool:
    """Whether two codes say the same; positions aside, since a traceback shows those of the first anyway."""
    if (first.co_names, first.co_freevars, first.co_varnames) != (second.co_names, second.co_freevars, second.co_varnames):
        return False
    if first.co_code != second.co_code or len(first.co_consts) != len(second.co_consts):
        return False
    pairs = zip(first.co_consts, second.co_consts, strict=True)
    return all(_same(a, b) if isinstance(a, CodeType) and isinstance(b, CodeType) else type(a) is type(b) and a == b for a, b in pairs)
