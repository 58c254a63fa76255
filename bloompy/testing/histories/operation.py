"""Operations and events: what a client asked for, when, and what came of it.

An operation begins with an `invoke` event and ends with one of three others:

- `ok`: it happened, and this is its result;
- `fail`: it surely did not happen, and never will;
- `info`: nobody knows. It may have happened, may happen at any later time, or never (a timeout, a lost connection).

An operation without an end counts as `info`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from attrs import field, frozen

Status: TypeAlias = Literal["ok", "fail", "info"]
Kind: TypeAlias = Literal["invoke", "ok", "fail", "info"]
Process: TypeAlias = "str | int"


def freeze(value: Any) -> Any:
    """A value that cannot change: lists become tuples, sets frozen sets, also inside of tuples and lists."""
    if isinstance(value, list) or type(value) is tuple:
        return tuple(freeze(each) for each in value)
    if isinstance(value, set):
        return frozenset(value)
    return bytes(value) if isinstance(value, bytearray) else value


@frozen
class Event:
    """The beginning or the end of an operation.

    Attributes:
        kind: "invoke", or the status of the end.
        process: the client.
        function: what it asked for, such as "read".
        value: of an invocation the argument, of an `ok` the result.
        time_s: seconds, of any clock.
        error: why it failed or is not known.
    """

    kind: Kind
    process: Process
    function: str
    value: Any = field(default=None, converter=freeze)
    time_s: float = 0.0
    error: str = ""


@frozen
class Operation:
    """One operation of a history, from its invocation to its end.

    Attributes:
        process: the client, which has one operation under way at a time.
        function: what it asked for, such as "read".
        argument: what with.
        result: what came back; means something only where the status is "ok".
        status: "ok", "fail" or "info".
        start_s, end_s: seconds, of any clock; end_s is None where it never ended.
        invoked: the place of its invocation among all events of the history, from 0; -1 where only the times are known.
        completed: the place of its end; None where it never ended.
        error: why it failed or is not known.
    """

    process: Process
    function: str
    argument: Any = field(default=None, converter=freeze)
    result: Any = field(default=None, converter=freeze)
    status: Status = "ok"
    start_s: float = 0.0
    end_s: float | None = None
    invoked: int = -1
    completed: int | None = None
    error: str = ""

    @property
    def ok(self) -> bool:
        """Whether it surely happened."""
        return self.status == "ok"

    @property
    def unknown(self) -> bool:
        """Whether nobody knows if it happened, and what it returned."""
        return self.status == "info"

    @property
    def name(self) -> str:
        """What was asked for, such as "put ('x', 1)"."""
        return self.function if self.argument is None else f"{self.function} {literal(self.argument)}"

    @property
    def outcome(self) -> str:
        """What came of it, such as "1"; "" for an `ok` without a result."""
        if self.status == "ok":
            return "" if self.result is None and self.argument is not None else literal(self.result)
        return ("?" if self.unknown else "failed") + (f" ({printable(self.error)})" if self.error else "")

    def returned(self, value: Any) -> bool:
        """Whether it may have returned this: its result is equal, or is not known."""
        return self.status == "info" or bool(self.result == value)

    def precedes(self, other: Operation) -> bool:
        """Whether it surely was over when the other began."""
        return self.status == "ok" and self.completed is not None and self.completed < other.invoked

    def __str__(self) -> str:
        """In one line, such as "c1: put ('x', 1) -> ok"."""
        return f"{printable(str(self.process))}: {printable(self.name)}" + (f" -> {printable(self.outcome)}" if self.outcome else "")


def literal(value: Any) -> str:
    """A value as Python text that does not depend on the order of sets."""
    if type(value) is tuple:
        inner = ", ".join(map(literal, value))
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, frozenset):
        return "{" + ", ".join(sorted(map(literal, value))) + "}" if value else "set()"
    return repr(value)


def printable(text: str) -> str:
    """Text without anything that a terminal would obey: what cannot be printed is written as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def seconds(time_s: float | None) -> str:
    """A time for people."""
    return "never" if time_s is None else f"{time_s:.6g} s"


Key: TypeAlias = Callable[[Operation], Any]
"""Gives the key of an operation: operations of different keys do not touch each other. None: it touches all."""
