"""The steps of a history: the completions of its `ok` operations, each with what was under way then."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence

from attrs import frozen

from bloompy.testing.histories.interned import Interned
from bloompy.testing.histories.operation import Operation


@frozen
class Move:
    """An operation that may take effect.

    Attributes:
        operation: it.
        bit: its place in the set of operations that have taken effect.
        kind: its class.
        first: the bits of those of its class that must have taken effect before it.
    """

    operation: Operation
    bit: int
    kind: int
    first: int = 0


@frozen
class Step:
    """The completion of an operation.

    Attributes:
        operation: it.
        bit: its bit. It is free again after the step.
        observers: of the operations under way, those that observe.
        changers: the others, the last to complete first; without the `info` operations.
        infos: how many `info` operations had begun.
    """

    operation: Operation
    bit: int
    observers: tuple[Move, ...]
    changers: tuple[Move, ...]
    infos: int


@frozen
class Steps:
    """A history as a search sees it.

    Attributes:
        steps: the completions in their order.
        infos: the `info` operations that may change a state, in the order in which they began.
        width: how many bits the others need; those of the `info` operations are above.
    """

    steps: tuple[Step, ...]
    infos: tuple[Move, ...]
    width: int


def steps_of(operations: Iterable[Operation], model: Interned) -> Steps:
    """The steps of operations, without those that failed and those that are not known and only observe."""
    given = [each for each in operations if each.status != "fail"]
    infos = [each for each in given if each.unknown and not model.model.observes(each)]
    required = [each for each in given if each.ok]
    events = sorted(event for i, each in enumerate(required) for event in ((each.invoked, False, i), (_end(each), True, i)))
    slots, width = _slots(events)
    moves = [Move(each, 1 << slots[i], model.class_of(each)) for i, each in enumerate(required)]
    under_way: dict[int, Move] = {}
    steps: list[Step] = []
    begun = 0
    for place, ends, i in events:
        if not ends:
            under_way[i] = moves[i]
            continue
        while begun < len(infos) and infos[begun].invoked < place:
            begun += 1
        steps.append(_step(moves[i], list(under_way.values()), begun, model))
        del under_way[i]
    return Steps(tuple(steps), _in_turn([Move(each, 1 << width + i, model.class_of(each)) for i, each in enumerate(infos)]), width)


def _end(operation: Operation) -> int:
    assert operation.completed is not None
    return operation.completed


def _slots(events: Sequence[tuple[int, bool, int]]) -> tuple[dict[int, int], int]:
    """A number for each operation that no other has while it is under way, and how many there are."""
    free: list[int] = []
    slots: dict[int, int] = {}
    width = 0
    for _, ends, i in events:
        if ends:
            heapq.heappush(free, slots[i])
        elif free:
            slots[i] = heapq.heappop(free)
        else:
            slots[i], width = width, width + 1
    return slots, width


def _step(completed: Move, under_way: list[Move], infos: int, model: Interned) -> Step:
    under_way.sort(key=lambda move: _end(move.operation))
    observes = model.model.observes
    observers = tuple(move for move in under_way if observes(move.operation))
    changers = _in_turn([move for move in under_way if not observes(move.operation)])
    return Step(completed.operation, completed.bit, observers, changers[::-1], infos)


def _in_turn(moves: Sequence[Move]) -> tuple[Move, ...]:
    """The moves, each after those of its class that come before it."""
    before: dict[int, int] = {}
    found = []
    for move in moves:
        first = before.get(move.kind, 0)
        found.append(Move(move.operation, move.bit, move.kind, first) if first else move)
        before[move.kind] = first | move.bit
    return tuple(found)
