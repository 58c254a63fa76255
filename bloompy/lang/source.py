"""Finding the source of a rule method, whether it stands in a file, a notebook cell, a zip archive or a string."""

from __future__ import annotations

import ast
import itertools
import linecache
import sys
from types import FunctionType
from typing import Any

from bloompy.errors import SourceNotAvailable
from bloompy.span import Span

_REMEDY = "put the class into a file or a notebook cell, or run its text with bloompy.exec_source(text)"
_parsed: dict[str, tuple[list[str], dict[int, ast.FunctionDef]]] = {}
_numbers = itertools.count(1)


def function_syntax(function: FunctionType) -> ast.FunctionDef:
    """The syntax tree of a function, with the positions of its file.

    Raises:
        SourceNotAvailable: with what to do about it.
    """
    code = function.__code__
    lines = _lines(function)
    known = _parsed.get(code.co_filename)
    if known is None or known[0] is not lines and known[0] != lines:
        known = _parsed[code.co_filename] = (lines, _functions(lines, function))
    found = known[1].get(code.co_firstlineno)
    if found is None or found.name != function.__name__:
        raise SourceNotAvailable(
            f"line {code.co_firstlineno} of {code.co_filename} no longer holds {function.__qualname__}",
            Span.of_code(code),
            hint="the file was edited after it was imported: import it again",
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
    exec(compile(text, name, "exec"), namespace)
    return namespace


def _lines(function: FunctionType) -> list[str]:
    name = function.__code__.co_filename
    lines = linecache.getlines(name, function.__globals__)
    if not lines and name == "<string>" and "-c" in sys.orig_argv:
        lines = sys.orig_argv[sys.orig_argv.index("-c") + 1].splitlines(keepends=True)
    if not lines:
        raise SourceNotAvailable(f"the source of {function.__qualname__} in {name} cannot be found", Span.of_code(function.__code__), hint=_REMEDY)
    return lines


def _functions(lines: list[str], function: FunctionType) -> dict[int, ast.FunctionDef]:
    """Every function of a file by the line of its first decorator or `def`."""
    try:
        tree = ast.parse("".join(lines))
    except SyntaxError:
        raise SourceNotAvailable(
            f"the text of {function.__code__.co_filename} is not the source of {function.__qualname__}",
            Span.of_code(function.__code__),
            hint=_REMEDY,
        ) from None
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            found[min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])] = node
    return found
