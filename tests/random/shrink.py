"""Making a failing case small: drop whatever can be dropped while it still fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TypeAlias

from attrs import evolve

from tests.random.programs import Source, Statement
from tests.random.streams import Input

Stream: TypeAlias = tuple[Input, ...]


def shrunk(source: Source, stream: Stream, fails: Callable[[Source, Stream], bool], limit_s: float = 30) -> tuple[Source, Stream]:
    """The smallest case found in the time that still fails."""
    until = time.monotonic() + limit_s
    found = True
    while found and time.monotonic() < until:
        found = False
        for smaller_source, smaller_stream in _smaller(source, stream):
            if _fails(fails, smaller_source, smaller_stream):
                source, stream, found = smaller_source, smaller_stream, True
                break
    return source, stream


def _fails(fails: Callable[[Source, Stream], bool], source: Source, stream: Stream) -> bool:
    try:
        return fails(source, stream)
    except Exception:
        return False


def _smaller(source: Source, stream: Stream) -> Iterator[tuple[Source, Stream]]:
    for many in (16, 8, 4, 2):
        for number in range(0, len(stream) - many, many):
            yield source, stream[:number] + stream[number + many :]
    for number in range(len(source.statements)):
        yield source.without(number), stream
    for number in reversed(range(len(stream))):
        yield source, stream[:number] + stream[number + 1 :]
    for number in range(len(stream) - 1):
        one, other = stream[number : number + 2]
        if not (other.restart or one.store_fails):
            together = evolve(other, operations=one.operations + other.operations, restart=one.restart)
            yield source, (*stream[:number], together, *stream[number + 2 :])
    for number, given in enumerate(stream):
        for smaller in _smaller_inputs(given):
            yield source, (*stream[:number], smaller, *stream[number + 1 :])
    for number, statement in enumerate(source.statements):
        for lines in _smaller_lines(statement):
            changed = (*source.statements[:number], Statement(lines, statement.kind), *source.statements[number + 1 :])
            yield evolve(source, statements=changed), stream
    mentioned = {name for given in stream for _, name, _ in given.operations}
    trimmed = source.trimmed()
    kept = tuple(one for one in source.collections if one in trimmed.collections or one.name in mentioned)
    if len(kept) < len(source.collections):
        yield evolve(source, collections=kept), stream


def _smaller_inputs(given: Input) -> Iterator[Input]:
    for number, (change, name, rows) in enumerate(given.operations):
        yield evolve(given, operations=given.operations[:number] + given.operations[number + 1 :])
        for row in range(len(rows) if len(rows) > 1 else 0):
            fewer = (change, name, rows[:row] + rows[row + 1 :])
            yield evolve(given, operations=(*given.operations[:number], fewer, *given.operations[number + 1 :]))


def _smaller_lines(statement: Statement) -> Iterator[tuple[str, ...]]:
    """The statement less one ` if …` of a query (up to the next clause or the closing bracket)."""
    for number, line in enumerate(statement.lines):
        pieces = line.split(" if ")
        for i in range(1, len(pieces)):
            rest = pieces[i]
            ends = [at for at in (rest.find(" for "), len(rest) - 1) if at >= 0]
            without = " if ".join(pieces[:i]) + rest[min(ends) :] + "".join(f" if {one}" for one in pieces[i + 1 :])
            yield (*statement.lines[:number], without, *statement.lines[number + 1 :])
