"""Histories as text: `time process kind function value`, values as Python literals.

    0.001 c1 invoke put ('x', 1)
    0.004 c1 ok put
    0.005 c2 invoke get 'x'
    0.009 c2 info get  # timed out

Empty lines and lines that begin with `#` are skipped. Words that hold more than letters, digits and `_.:-` are quoted.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from typing import Any

from bloompy.errors import HistoryError
from bloompy.testing.histories.operation import Event, freeze, literal, printable

_QUOTED = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_WORD = r"[A-Za-z_][\w.:-]*"
_LINE = re.compile(rf"(\S+)\s+({_QUOTED}|{_WORD}|-?\d+)\s+(invoke|ok|fail|info)\s+({_QUOTED}|{_WORD})(?:\s+(.*))?")
_ERROR = re.compile(r"#\s?(.*)")


def write(events: Iterable[Event]) -> str:
    """Events as text, a line each."""
    return "".join(f"{_line(event)}\n" for event in events)


def read(text: str) -> Iterator[Event]:
    """Events of a text.

    Raises:
        HistoryError: naming the line.
    """
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if line and not line.startswith("#"):
            try:
                yield _event(line)
            except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
                raise HistoryError(
                    f"line {number} cannot be read: {printable(line[:80])!r}",
                    hint="a line is `time process invoke|ok|fail|info function value`, such as `0.5 c1 invoke put ('x', 1)`",
                ) from error


def _line(event: Event) -> str:
    parts = [repr(float(event.time_s)), _word(event.process), event.kind, _word(event.function)]
    if event.value is not None:
        parts.append(literal(event.value))
    if event.error:
        parts.append(f"# {printable(event.error)}")
    return " ".join(parts)


def _event(line: str) -> Event:
    found = _LINE.fullmatch(line)
    if found is None:
        raise ValueError("not an event")
    time_s, process, kind, function, rest = found.groups()
    value, error = _value(rest or "")
    return Event(kind, _unquoted(process), str(_unquoted(function)), value, float(time_s), error)  # type: ignore[arg-type]


def _value(rest: str) -> tuple[Any, str]:
    """The value and the error that follow a function; a `#` inside of a string belongs to the value."""
    if rest.startswith("#"):
        return None, _text_after_mark(rest)
    for mark in (found.start() for found in re.finditer("#", rest)):
        try:
            return freeze(ast.literal_eval(rest[:mark].strip())), _text_after_mark(rest[mark:])
        except (ValueError, SyntaxError):
            continue
    return (freeze(ast.literal_eval(rest)) if rest else None), ""


def _text_after_mark(rest: str) -> str:
    found = _ERROR.fullmatch(rest)
    return found.group(1) if found else ""


def _word(word: str | int) -> str:
    return word if isinstance(word, str) and re.fullmatch(_WORD, word) else repr(word)


def _unquoted(word: str) -> Any:
    return word if re.fullmatch(_WORD, word) else ast.literal_eval(word)
