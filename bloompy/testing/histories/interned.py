"""A model whose states and operations are numbers: each step is computed once."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from bloompy.errors import UsageError
from bloompy.testing.histories.models import INCONSISTENT, Model
from bloompy.testing.histories.operation import Operation

IMPOSSIBLE = -1


class Interned:
    """A model with its states numbered in the order in which they are met, and operations by what a step may look at.

    Operations of one number (a class) are interchangeable: they differ in their times only.

    Attributes:
        states: by number; 0 is the first state.
        classes: one operation of each class.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.states: list[Any] = []
        self.classes: list[Operation] = []
        self._state_numbers: dict[Any, int] = {}
        self._class_numbers: dict[Hashable, int] = {}
        self._steps: list[dict[int, int]] = []
        self._overwrites: list[bool] = []
        self._number(model.initial, None)

    def class_of(self, operation: Operation) -> int:
        """The class of an operation."""
        process = operation.process if self.model.process_matters else None
        result = None if operation.unknown else operation.result
        what = (process, operation.function, operation.argument, result, operation.status)
        try:
            found = self._class_numbers.setdefault(what, len(self.classes))
        except TypeError:  # what cannot be hashed is a class of its own
            found = len(self.classes)
        if found == len(self.classes):
            self.classes.append(operation)
            self._steps.append({})
            self._overwrites.append(self.model.overwrites(operation))
        return found

    def step(self, state: int, kind: int) -> int:
        """The state after an operation of a class, or `IMPOSSIBLE`."""
        steps = self._steps[kind]
        found = steps.get(state)
        if found is None:
            operation = self.classes[kind]
            try:
                after = self.model.step(self.states[state], operation)
            except Exception as error:
                error.add_note(f"in the model {self.model.name!r}, at {operation}, in the state {self.states[state]!r}")
                raise
            found = IMPOSSIBLE if after is INCONSISTENT else self._number(after, operation)
            if steps and self._overwrites[kind] and found != next(iter(steps.values())):
                raise UsageError(
                    f"the model {self.model.name!r} says that {operation.function!r} overwrites, but what it leads to depends on the state",
                    hint="leave it out of `overwrites`",
                )
            steps[state] = found
        return found

    def gains(self, before: int, after: int, kind: int) -> bool:
        """Whether an operation of a class can do something in one state that it cannot do in the other."""
        if self._overwrites[kind]:
            return False
        return self.step(after, kind) not in (IMPOSSIBLE, self.step(before, kind))

    def observe(self, state: int, kind: int) -> bool:
        """Whether an operation that observes fits a state.

        Raises:
            UsageError: if it changes the state, which the model says it does not.
        """
        after = self.step(state, kind)
        if after not in (state, IMPOSSIBLE):
            raise UsageError(
                f"the model {self.model.name!r} says that {self.classes[kind].function!r} observes, "
                f"but it turns {self.show(state)} into {self.show(after)}",
                hint="leave it out of `observes`",
            )
        return after == state

    def show(self, state: int) -> str:
        """A state for people."""
        return self.model.show(self.states[state])

    def _number(self, state: Any, operation: Operation | None) -> int:
        try:
            found = self._state_numbers.setdefault(state, len(self.states))
        except TypeError as error:
            where = "the first state" if operation is None else f"the state after {operation}"
            raise UsageError(
                f"the model {self.model.name!r}: {where} cannot be hashed: {error}", hint="use tuples and frozen sets as states and values"
            ) from error
        if found == len(self.states):
            self.states.append(state)
        return found
