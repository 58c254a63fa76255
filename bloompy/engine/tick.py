"""What goes into a tick and what comes out of it, and what every evaluator offers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from attrs import Factory, define, field, frozen

from bloompy.errors import InvariantViolation
from bloompy.ir.nodes import Program
from bloompy.schema import Key

if TYPE_CHECKING:
    from bloompy.engine.explain import Workings

PlainRow: TypeAlias = tuple[Any, ...]


@frozen
class Scope:
    """Where the rules of one class find their names.

    Attributes:
        globals: the module's own dictionary, so that functions are found when they are called.
        closure: names of enclosing functions, as they were when the instance was made.
    """

    globals: dict[str, Any]
    closure: Mapping[str, Any]


@frozen
class Environment:
    """What an instance adds to its program.

    Attributes:
        me: the node's own address.
        scopes: by `Rule.scope`.
        parameters: by dotted name.
        methods: functions that `Method` expressions call, by dotted name, already bound.
        debug: check every derived row against its schema.
        profile: count and time every rule.
    """

    me: str
    scopes: Mapping[str, Scope]
    parameters: Mapping[str, Any]
    methods: Mapping[str, Callable[..., Any]]
    debug: bool = False
    profile: bool = False


@define
class Change:
    """The staged operations of one key of one table, in call order.

    Attributes:
        operations: pairs of "insert", "delete" or "upsert" and a row; a delete by key has the row None,
            a delete of a whole row deletes only an equal one.
    """

    operations: list[tuple[str, PlainRow | None]]

    def fold(self, held: PlainRow | None, conflict: Callable[[PlainRow, PlainRow], Exception]) -> tuple[PlainRow | None, bool]:
        """What the key holds after the operations, and whether one of them put it there.

        On the way the key may have several rows, since a later delete can make room for an insert.

        Raises:
            the exception that `conflict(one row, other row)` makes, when it still has two at the end.
        """
        if held is None and len(self.operations) == 1:
            operation, row = self.operations[0]
            return (None, False) if operation == "delete" else (row, True)
        rows = [] if held is None else [held]
        placed: list[PlainRow] = []
        for operation, row in self.operations:
            if row is None:
                rows = []
            elif operation == "delete":
                rows = [one for one in rows if one != row]
            elif operation == "upsert":
                rows, placed = [row], [row]
            else:
                placed.append(row)
                if row not in rows:
                    rows.append(row)
        if len(rows) > 1:
            raise conflict(rows[0], rows[1])
        return (rows[0], rows[0] in placed) if rows else (None, False)

    def merge(self, held: PlainRow | None, merged: Callable[[list[PlainRow]], PlainRow]) -> PlainRow | None:
        """What the key holds after the operations where rows of one key merge (lattices); runs of inserts merge at once."""
        rows = [] if held is None else [held]
        for operation, row in self.operations:
            if row is None:
                rows = []
            elif operation == "delete":
                rows = [] if not rows or merged(rows) == row else [merged(rows)]
            elif operation == "upsert":
                rows = [row]
            else:
                rows.append(row)
        return merged(rows) if rows else None


@define
class Batch:
    """The input of one tick.

    Attributes:
        step: number of this tick, from 1.
        now: seconds of the node's clock.
        rand: one draw in [0, 1).
        changes: per table the staged changes by key.
        events: rows that hold for this tick by collection: inputs, staged scratch rows, messages, timer rows, lines.

    Not to be changed. That it is not frozen, and `Tick` is not, saves every tick a microsecond.
    """

    step: int
    now: float
    rand: float = 0.0
    changes: Mapping[str, Mapping[Key, Change]] = Factory(dict)
    events: Mapping[str, tuple[PlainRow, ...]] = Factory(dict)

    @property
    def empty(self) -> bool:
        """Whether nothing from outside takes part in the tick."""
        return not self.changes and not self.events


@frozen
class Durable:
    """What a tick changes in the durable tables, its pending `<+ <- <+-` already applied: keys gone, rows now there."""

    deleted: Mapping[str, list[Key]] = Factory(dict)
    upserted: Mapping[str, list[PlainRow]] = Factory(dict)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to write."""
        return not self.deleted and not self.upserted


@frozen
class Waiting:
    """What `<+ <- <+-` ask of one key for the next tick.

    Attributes:
        row, upsert: the row to be there, if any, and whether it replaces another.
        deleted: rows to go: None for whatever the key holds.
        held, after: what the key holds now, and will hold if nothing else is staged for it.
    """

    row: PlainRow | None
    upsert: bool
    deleted: tuple[PlainRow, ...] | None
    held: PlainRow | None
    after: PlainRow | None


Told: TypeAlias = "tuple[Mapping[str, list[PlainRow]], Mapping[str, list[PlainRow]]]"
"""Rows inserted and rows deleted, by collection."""


@define
class Tick:
    """A finished tick.

    Attributes:
        step, now: number and time of the tick.
        sent: rows sent by channel (loopbacks and stdio too), in a deterministic order.
        touched: rows that changed in any collection, a measure of the work done.
    """

    step: int
    now: float
    sent: Mapping[str, list[PlainRow]]
    touched: int
    _tell: Callable[[], Told] = field(repr=False)

    @cached_property
    def inserted(self) -> Mapping[str, list[PlainRow]]:
        """Rows that began to hold, by collection; a transient row begins anew in every tick that has it."""
        return self._told[0]

    @cached_property
    def deleted(self) -> Mapping[str, list[PlainRow]]:
        """Rows, by collection, that held at the end of the tick before and do not now."""
        return self._told[1]

    @cached_property
    def _told(self) -> Told:
        return self._tell()


Commit: TypeAlias = Callable[[Durable], None]
"""Makes the durable change safe, or raises; then the tick has not happened."""


class Evaluator(Protocol):
    """The meaning of a program, tick by tick (design §3). Not safe for use from several threads at once."""

    environment: Environment
    on_violation: Callable[[InvariantViolation], None] | None
    """Takes violated invariants instead of their being raised; None to raise them."""

    def __init__(self, program: Program, environment: Environment) -> None: ...

    def restore(self, tables: Mapping[str, list[PlainRow]]) -> None:
        """Fill durable tables before the first tick."""

    def tick(self, batch: Batch, commit: Commit | None = None) -> Tick:
        """Run one tick; if anything raises, nothing has happened (pending changes of the tick before included)."""

    def read(self, collection: str) -> Mapping[Key, PlainRow]:
        """Rows that held at the end of the last tick, by key. O(1); the result is not to be changed."""

    def pending(self) -> bool:
        """Whether the pending `<+ <- <+-` of the last tick would change something in the next."""

    def workings(self) -> Workings:
        """What it shows of itself, for `explain`."""


class Telling(Evaluator, Protocol):
    """An evaluator that also tells what it will do next; codegen and naive do."""

    def waiting(self) -> Mapping[str, Mapping[Key, Waiting]]:
        """What the last tick's `<+ <- <+-` ask for, by collection and key: with the tables, all that the next tick depends on."""
