"""Histories of a right object, for trying checkers and models on."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, TypeAlias

from bloompy.testing.histories.history import History
from bloompy.testing.histories.operation import Event

Perform: TypeAlias = "Callable[[Any, str, str, Any], tuple[Any, Any]]"
"""State, process, function and argument give the next state and the result."""

Draw: TypeAlias = "Callable[[random.Random, int], tuple[str, Any]]"
"""A source of chance and the number of an operation give its function and argument."""


def sample(
    initial: Any,
    perform: Perform,
    draw: Draw,
    *,
    operations: int,
    clients: int,
    seed: int = 0,
    unknown: float = 0.0,
    failing: float = 0.0,
) -> History:
    """A linearizable history: clients that work beside each other on one object, which does each operation at one moment.

    Args:
        initial: its first state.
        perform: what it does.
        draw: function and argument of the next operation, from a source of chance and the operation's number.
        operations: how many.
        clients: how many, each with one operation under way at a time. Which of them goes on is drawn.
        seed: the same seed gives the same history.
        unknown: the share of operations whose end is lost: they take effect then, at any later time, or never.
        failing: the share that fails, without effect.
    """
    return _Sampling(initial, perform, draw, random.Random(seed), unknown, failing).run(operations, clients)


class _Sampling:
    def __init__(self, state: Any, perform: Perform, draw: Draw, chance: random.Random, unknown: float, failing: float) -> None:
        self._state, self._perform, self._draw, self._chance = state, perform, draw, chance
        self._unknown, self._failing = unknown, failing
        self._events: list[Event] = []
        self._late: list[tuple[str, str, Any]] = []

    def run(self, operations: int, clients: int) -> History:
        """Let the clients work until all operations have begun and ended."""
        working: dict[str, list[Any]] = {}
        begun = 0
        names = [f"c{i}" for i in range(clients)]
        while begun < operations or working:
            client = self._chance.choice(names if begun < operations else list(working))
            if client not in working:
                function, argument = self._draw(self._chance, begun)
                begun += 1
                working[client] = [function, argument]
                self._note("invoke", client, function, argument)
            elif len(working[client]) == 2:
                self._do(working, client)
            else:
                function, _, kind, result = working.pop(client)
                self._note(kind, client, function, result)
        return History.of_events(self._events)

    def _do(self, working: dict[str, list[Any]], client: str) -> None:
        """The moment at which an operation takes effect, if it does; before it some late ones may."""
        function, argument = working[client]
        while self._late and self._chance.random() < 0.3:
            self._apply(*self._late.pop(self._chance.randrange(len(self._late))))
        drawn = self._chance.random()
        if drawn < self._failing:
            working[client] += ["fail", None]
        elif drawn < self._failing + self._unknown:
            if self._chance.random() < 0.5:
                self._apply(client, function, argument)
            else:
                self._late.append((client, function, argument))
            working[client] += ["info", None]
        else:
            working[client] += ["ok", self._apply(client, function, argument)]

    def _apply(self, client: str, function: str, argument: Any) -> Any:
        self._state, result = self._perform(self._state, client, function, argument)
        return result

    def _note(self, kind: Any, client: str, function: str, value: Any) -> None:
        self._events.append(Event(kind, client, function, value, float(len(self._events))))
