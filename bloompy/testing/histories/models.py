"""Models: what an object does when one operation follows the other.

A model is a pure step function: a state and an operation give the next state, or `INCONSISTENT` where the operation cannot have
returned what it returned. The result of an `info` operation is not known; `operation.returned(value)` is true of it. States are
hashable values. Your own:

    def step(state, operation):
        if operation.function == "write":
            return operation.argument
        return state if operation.returned(state) else INCONSISTENT

    register = Model("register", None, step, observes=lambda operation: operation.function == "read")
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable
from enum import Enum
from typing import Any, Final

from attrs import frozen

from bloompy.errors import UsageError
from bloompy.testing.histories.operation import Operation, literal


class Inconsistent(Enum):
    """The type of `INCONSISTENT`."""

    INCONSISTENT = "inconsistent"


INCONSISTENT: Final = Inconsistent.INCONSISTENT
"""What a step returns where the operation does not fit the state."""

DONE: Final = object()
"""What `perform` returns for an operation whose result says nothing: a write that was acknowledged."""


def _never(operation: Operation) -> bool:
    return False


def _no_key(operation: Operation) -> Any:
    return None


@frozen
class Model:
    """What an object does, operation by operation.

    Attributes:
        name: in words, for reports.
        initial: the first state.
        step: the state after an operation, or `INCONSISTENT`.
        key: the key of an operation where the object is many that do not touch each other; None for an operation on all of them.
        observes: whether an operation leaves every state as it is. Says nothing new: it makes checking faster.
        overwrites: whether an operation fits every state and leads from all to the same. It makes unknown operations cheap.
        show: a state for people.
        single: with a key, the model of the object of one key; None: the model itself, with the operations of one key alone.
        process_matters: whether the step looks at `operation.process`. It may always look at function, argument, result and
            status, and at nothing else.
    """

    name: str
    initial: Hashable
    step: Callable[[Any, Operation], Any]
    key: Callable[[Operation], Any] = _no_key
    observes: Callable[[Operation], bool] = _never
    overwrites: Callable[[Operation], bool] = _never
    show: Callable[[Any], str] = literal
    single: Model | None = None
    process_matters: bool = True


def performed(
    name: str,
    initial: Hashable,
    perform: Callable[[Any, Operation], tuple[Any, Any]],
    *,
    observers: Collection[str] = (),
    overwriters: Collection[str] = (),
    key: Callable[[Operation], Any] = _no_key,
    show: Callable[[Any], str] = literal,
) -> Model:
    """A model of an object that can be run.

    Args:
        name: in words, for reports.
        initial: the first state.
        perform: the next state and the result, or `DONE` where any result will do. Does not look at the process.
        observers: the functions that leave every state as it is.
        overwriters: the functions that lead from all states to the same.
        key, show: as of a `Model`.
    """

    def step(state: Any, operation: Operation) -> Any:
        after, result = perform(state, operation)
        return after if result is DONE or operation.returned(result) else INCONSISTENT

    def observes(operation: Operation) -> bool:
        return operation.function in observers

    def overwrites(operation: Operation) -> bool:
        return operation.function in overwriters

    return Model(name, initial, step, key, observes, overwrites, show, process_matters=False)


def _unknown(name: str, operation: Operation, functions: str) -> UsageError:
    return UsageError(f"a {name} has no {operation.function!r}", hint=f"it has {functions}; rename operations with history.map(…)")


def register(initial: Hashable = None) -> Model:
    """A register: `read`, `write value`."""

    def perform(state: Any, operation: Operation) -> tuple[Any, Any]:
        match operation.function:
            case "read":
                return state, state
            case "write":
                return operation.argument, DONE
        raise _unknown("register", operation, "read, write")

    return performed("register", initial, perform, observers={"read"}, overwriters={"write"})


def _swapped(state: Any, operation: Operation, old: Any, new: Any) -> tuple[Any, Any]:
    """Compare and set: without effect exactly where it returned False; the result of an unknown one is as the state has it."""
    if operation.ok and (operation.result is False) == bool(state == old):
        return state, INCONSISTENT
    return (new if state == old else state), DONE


def cas_register(initial: Hashable = None) -> Model:
    """A register with compare and set: `read`, `write value`, `cas (old, new)`, which returns False where the value was not `old`."""

    def step(state: Any, operation: Operation) -> Any:
        match operation.function:
            case "read":
                return state if operation.returned(state) else INCONSISTENT
            case "write":
                return operation.argument
            case "cas":
                after, result = _swapped(state, operation, *operation.argument)
                return after if result is DONE else INCONSISTENT
        raise _unknown("cas-register", operation, "read, write, cas")

    def observes(operation: Operation) -> bool:
        return operation.function == "read" or (operation.function == "cas" and operation.ok and operation.result is False)

    return Model("cas-register", initial, step, observes=observes, overwrites=_writes, process_matters=False)


def _writes(operation: Operation) -> bool:
    return operation.function == "write"


def key_value() -> Model:
    """A map: `get key` (None where there is none), `put (key, value)`, `delete key`, `cas (key, old, new)` as of a cas-register."""

    def step(state: Any, operation: Operation) -> Any:
        items, key = dict(state), _key_of_map(operation)
        after = _step_of_value(items.get(key), operation)
        if after is INCONSISTENT:
            return INCONSISTENT
        items[key] = after
        return frozenset((key, value) for key, value in items.items() if value is not None)

    def observes(operation: Operation) -> bool:
        return operation.function == "get" or (operation.function == "cas" and operation.ok and operation.result is False)

    def overwrites(operation: Operation) -> bool:
        return operation.function in ("put", "delete")

    single = Model("key-value map", None, _step_of_value, _key_of_map, observes, overwrites, process_matters=False)
    return Model("key-value map", frozenset(), step, _key_of_map, observes, show=_show_map, single=single, process_matters=False)


def _step_of_value(value: Any, operation: Operation) -> Any:
    match operation.function:
        case "get":
            return value if operation.returned(value) else INCONSISTENT
        case "put":
            return operation.argument[1]
        case "delete":
            return None
        case "cas":
            after, result = _swapped(value, operation, *operation.argument[1:])
            return after if result is DONE else INCONSISTENT
    raise _unknown("key-value map", operation, "get, put, delete, cas")


def _key_of_map(operation: Operation) -> Any:
    return operation.argument[0] if operation.function in ("put", "cas") else operation.argument


def _show_map(state: Any) -> str:
    return ", ".join(sorted(f"{literal(key)} is {literal(value)}" for key, value in state)) or "nothing there"


def independent(model: Model) -> Model:
    """Many objects of one model, by key: every argument and result is a pair `(key, …)`, as in Jepsen's `independent` histories."""

    def inner(operation: Operation) -> Operation:
        result = operation.result
        pair = type(result) is tuple and len(result) == 2 and bool(result[0] == operation.argument[0])
        return _replaced(operation, operation.argument[1], result[1] if pair else result)

    def step(state: Any, operation: Operation) -> Any:
        objects, key = dict(state), operation.argument[0]
        after = model.step(objects.get(key, model.initial), inner(operation))
        if after is INCONSISTENT:
            return INCONSISTENT
        objects[key] = after
        return frozenset((key, each) for key, each in objects.items() if each != model.initial)

    def step_of_one(state: Any, operation: Operation) -> Any:
        return model.step(state, inner(operation))

    def show(state: Any) -> str:
        return ", ".join(sorted(f"{literal(key)}: {model.show(each)}" for key, each in state)) or "as at the beginning"

    def observes(operation: Operation) -> bool:
        return model.observes(inner(operation))

    def overwrites(operation: Operation) -> bool:
        return model.overwrites(inner(operation))

    name, matters = f"{model.name} for each key", model.process_matters
    single = Model(name, model.initial, step_of_one, _first_argument, observes, overwrites, model.show, process_matters=matters)

    return Model(name, frozenset(), step, _first_argument, observes, show=show, single=single, process_matters=matters)


def _first_argument(operation: Operation) -> Any:
    return operation.argument[0]


def _replaced(operation: Operation, argument: Any, result: Any) -> Operation:
    # attrs.evolve takes ten times as long, and this is within the step of a model.
    return Operation(operation.process, operation.function, argument, result, operation.status)


def counter(initial: int = 0) -> Model:
    """A counter: `read`, `add n`, `add_and_get n`."""

    def perform(state: Any, operation: Operation) -> tuple[Any, Any]:
        match operation.function:
            case "read":
                return state, state
            case "add":
                return state + operation.argument, DONE
            case "add_and_get":
                return state + operation.argument, state + operation.argument
        raise _unknown("counter", operation, "read, add, add_and_get")

    return performed("counter", initial, perform, observers={"read"})


def queue() -> Model:
    """A first-in-first-out queue: `enqueue value`, `dequeue` (None where it is empty)."""

    def perform(state: Any, operation: Operation) -> tuple[Any, Any]:
        match operation.function:
            case "enqueue":
                return (*state, operation.argument), DONE
            case "dequeue":
                return state[1:], state[0] if state else None
        raise _unknown("queue", operation, "enqueue, dequeue")

    return performed("queue", (), perform)


def elements() -> Model:
    """A set: `add x`, `remove x`, `contains x`, `read` (all of it, in any collection)."""

    def step(state: Any, operation: Operation) -> Any:
        match operation.function:
            case "add":
                return state | {operation.argument}
            case "remove":
                return state - {operation.argument}
            case "contains":
                return state if operation.returned(operation.argument in state) else INCONSISTENT
            case "read":
                return state if operation.unknown or frozenset(operation.result) == state else INCONSISTENT
        raise _unknown("set", operation, "add, remove, contains, read")

    def key(operation: Operation) -> Any:
        return None if operation.function == "read" else operation.argument

    return Model("set", frozenset(), step, key, lambda operation: operation.function in ("contains", "read"), process_matters=False)


def lock() -> Model:
    """A mutex: `acquire` (False where somebody holds it), `release`. Whoever holds it is the process."""

    def step(state: Any, operation: Operation) -> Any:
        match operation.function:
            case "acquire" if operation.result is False and operation.ok:
                return state if state else INCONSISTENT
            case "acquire":
                return INCONSISTENT if state else (operation.process,)
            case "release":
                return () if state == (operation.process,) else INCONSISTENT
        raise _unknown("lock", operation, "acquire, release")

    def observes(operation: Operation) -> bool:
        return operation.function == "acquire" and operation.ok and operation.result is False

    return Model("lock", (), step, observes=observes, show=lambda state: f"held by {literal(state[0])}" if state else "free")


def append_list() -> Model:
    """A list that grows at its end: `append value`, `read`."""

    def perform(state: Any, operation: Operation) -> tuple[Any, Any]:
        match operation.function:
            case "append":
                return (*state, operation.argument), DONE
            case "read":
                return state, state
        raise _unknown("list", operation, "append, read")

    return performed("list", (), perform, observers={"read"})
