"""Requests that wait for their replies."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

from attrs import define

from bloompy.engine.tick import PlainRow, Tick
from bloompy.errors import UsageError
from bloompy.ir.nodes import Collection, Program

_Columns: TypeAlias = tuple[str, tuple[int, ...]]
"""A reply collection and the positions in it of the columns that correlate."""


class Answer(Protocol):
    """Where a reply goes: a future of whatever runs the node."""

    def done(self) -> bool:
        """Whether a reply, or an error, has come."""

    def set_result(self, result: Any, /) -> None:
        """Have it be there."""

    def set_exception(self, exception: BaseException, /) -> None:
        """Have it fail."""


@define(eq=False)
class Call:
    """One request under way.

    Attributes:
        request, row: where the request went.
        reply: the reply collection with the columns that correlate, and their values.
        answer: the first reply.
    """

    request: str
    row: PlainRow
    columns: _Columns
    values: tuple[Any, ...]
    answer: Answer


class Calls:
    """All requests under way of a node."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._waiting: dict[_Columns, dict[tuple[Any, ...], list[Call]]] = {}
        self._correlations: dict[tuple[str, str], tuple[_Columns, tuple[int, ...]]] = {}

    def expect(self, request: str, row: PlainRow, reply: str, answer: Answer) -> Call:
        """Have the first row of `reply` that has the key columns of the request be the answer.

        Raises:
            UsageError: for collections that do not exist or have no such columns in common.
        """
        columns, positions = self._correlation(request, reply)
        values = tuple([row[i] for i in positions])
        call = Call(request, row, columns, values, answer)
        self._waiting.setdefault(columns, {}).setdefault(values, []).append(call)
        return call

    def forget(self, call: Call) -> None:
        """Wait no longer."""
        waiting = self._waiting.get(call.columns, {})
        calls = waiting.get(call.values, [])
        if call in calls:
            calls.remove(call)
        if not calls:
            waiting.pop(call.values, None)

    def resolve(self, tick: Tick) -> None:
        """Hand out the replies that a tick brought."""
        for (reply, indexes), waiting in self._waiting.items():
            if waiting:
                make = self._program.by_name[reply].schema.row.make
                for row in tick.inserted.get(reply, ()):
                    for call in waiting.pop(tuple([row[i] for i in indexes]), ()):
                        if not call.answer.done():
                            call.answer.set_result(make(row))

    def fail(self, request: str, row: PlainRow, error: Exception) -> None:
        """Raise at whoever made this request."""
        for call in self._all():
            if call.request == request and call.row == row and not call.answer.done():
                call.answer.set_exception(error)

    def close(self, error: Exception) -> None:
        """Raise at everybody who waits."""
        for call in self._all():
            if not call.answer.done():
                call.answer.set_exception(error)
        self._waiting.clear()

    def _all(self) -> list[Call]:
        return [call for waiting in self._waiting.values() for calls in waiting.values() for call in calls]

    def _correlation(self, request: str, reply: str) -> tuple[_Columns, tuple[int, ...]]:
        found = self._correlations.get((request, reply))
        if found is None:
            asked, answered = self.collection(request).schema, self.collection(reply).schema
            positions = tuple(i for i in asked.key_indexes if asked.columns[i].name in answered.index)
            if not positions:
                raise UsageError(
                    f"{reply!r} ({answered}) has no key column of {request!r} ({asked})",
                    hint="let the reply carry the key columns of the request under the same names",
                )
            columns = (reply, tuple(answered.index[asked.columns[i].name] for i in positions))
            found = self._correlations[request, reply] = (columns, positions)
        return found

    def collection(self, name: str) -> Collection:
        """A collection of the program.

        Raises:
            UsageError: if there is none of this name.
        """
        if name not in self._program.by_name:
            raise UsageError(f"{self._program.name} has no collection {name!r}", hint=f"it has {', '.join(self._program.by_name)}")
        return self._program.by_name[name]
