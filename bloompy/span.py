"""Where something stands in the user's source."""

from __future__ import annotations

import ast
import linecache
import sys
from types import CodeType, FrameType
from typing import TypeAlias

from attrs import frozen


@frozen
class Span:
    """A stretch of source: lines are 1-based; columns are 0-based and count UTF-8 bytes, as `ast` counts them."""

    line: int
    column: int
    end_line: int
    end_column: int
    file: str = "<unknown>"

    @classmethod
    def of(cls, node: ast.AST, file: str) -> Span:
        """The span of a parsed node that carries positions."""
        line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
        return cls(line, column, getattr(node, "end_lineno", None) or line, getattr(node, "end_col_offset", None) or column, file)

    @classmethod
    def of_frame(cls, frame: FrameType) -> Span:
        """The span of the call that a frame is executing (columns where the interpreter knows them)."""
        positions = _positions(frame.f_code)[frame.f_lasti // 2] if frame.f_lasti >= 0 else (None,) * 4
        line, end_line, column, end_column = positions
        line = line or frame.f_lineno
        return cls(line, column or 0, end_line or line, end_column or column or 0, frame.f_code.co_filename)

    @classmethod
    def of_caller(cls, depth: int = 1) -> Span:
        """The span of the call `depth` frames above the caller of this function."""
        return cls.of_frame(sys._getframe(depth + 1))

    @classmethod
    def of_code(cls, code: CodeType) -> Span:
        """The first line of a function."""
        return cls(code.co_firstlineno, 0, code.co_firstlineno, 0, code.co_filename)

    @property
    def text(self) -> str:
        """The first source line, or an empty string where the source is gone."""
        return linecache.getline(self.file, self.line)

    def characters(self) -> tuple[int, int]:
        """Start and end column of the first line, 0-based, in characters rather than bytes."""
        raw = self.text.encode()
        end = self.end_column if self.end_line == self.line else len(raw.rstrip())
        return len(raw[: self.column].decode(errors="replace")), len(raw[:end].decode(errors="replace"))

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


_Positions: TypeAlias = "list[tuple[int | None, int | None, int | None, int | None]]"
_last: tuple[CodeType | None, _Positions] = (None, [])


def _positions(code: CodeType) -> _Positions:
    """The positions of all instructions; kept, since a class body asks once for each declaration and they are many."""
    global _last
    known, positions = _last
    if known is not code:
        _last = code, positions = code, list(code.co_positions())
    return positions


UNKNOWN = Span(0, 0, 0, 0)
