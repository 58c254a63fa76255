"""Obviously right checkers for small histories: every choice of what took effect, in every order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations, permutations

from bloompy.testing.histories import INCONSISTENT, History, Model, Operation


def orders(history: History) -> Iterator[tuple[Operation, ...]]:
    """All orders of all operations that happened, with any of those that may have."""
    surely = [each for each in history if each.status == "ok"]
    perhaps = [each for each in history if each.status == "info"]
    for many in range(len(perhaps) + 1):
        for chosen in combinations(perhaps, many):
            yield from permutations([*surely, *chosen])


def explains(order: tuple[Operation, ...], model: Model) -> bool:
    """Whether the object, doing these one by one, returns what they returned."""
    state = model.initial
    for operation in order:
        state = model.step(state, operation)
        if state is INCONSISTENT:
            return False
    return True


def in_real_time(order: tuple[Operation, ...]) -> bool:
    """Whether nothing that was over before another began comes after it."""
    return not any(later.precedes(earlier) for earlier, later in combinations(order, 2))


def in_process_order(order: tuple[Operation, ...]) -> bool:
    """Whether what one process did one by one stands in that order; an unknown operation may come late, not early."""
    return not any(
        later.process == earlier.process and later.invoked < earlier.invoked and later.status == "ok" for earlier, later in combinations(order, 2)
    )


def some_order(history: History, model: Model, allowed: Callable[[tuple[Operation, ...]], bool]) -> bool:
    """Whether some allowed order explains the history."""
    return any(allowed(order) and explains(order, model) for order in orders(history))


def linearizable(history: History, model: Model) -> bool:
    """Whether the history is linearizable, by trying all orders."""
    return some_order(history, model, in_real_time)


def sequentially_consistent(history: History, model: Model) -> bool:
    """Whether the history is sequentially consistent, by trying all orders."""
    return some_order(history, model, in_process_order)
