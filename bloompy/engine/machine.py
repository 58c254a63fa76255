"""One running instance of a program: what is staged for it, its timers, and its ticks one by one.

A `Machine` is what a person steps by hand, what a `Node` drives from its mailbox, and what a simulation drives in virtual time.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from functools import partial
from random import Random
from typing import Any

from attrs import define

from bloompy.engine.loaded import Reading
from bloompy.engine.staged import Staged
from bloompy.engine.tick import Batch, Change, Commit, Environment, Evaluator, PlainRow, Tick
from bloompy.errors import RowError, StoreError, UsageError
from bloompy.ir.nodes import Parameter, Program
from bloompy.schema import Key, Schema

DEAD_LETTER_LIMIT = 1_000
"""How many rows `dead_letter` keeps."""

_SHORTEST_S = 1e-6  # what a float still tells apart in the seconds since 1970


@define
class Timer:
    """A periodic collection: its period in seconds, when it is due next, how often it has fired."""

    period_s: float
    due: float
    fired: int = 0

    def fire(self, now: float) -> PlainRow:
        """The row for now; the next firing is the first multiple of the period after now."""
        self.fired += 1
        self.due += self.period_s * max(1, math.floor((now - self.due) / self.period_s) + 1)
        return (self.fired, now)


class Machine:
    """Stages input, keeps timers, runs ticks as transactions.

    Attributes:
        program: the IR.
        me: the node's address; set by `move` before the first tick.
        step: number of committed ticks.
        now: time of the last committed tick, in seconds of the clock.
        lock: held while a tick runs and by every read, so that readers of other threads see whole ticks.
        on_stage: called, in any thread, after something was staged.
        on_tick: called with the input of each tick that happened, and the tick.
    """

    def __init__(
        self,
        program: Program,
        environment: Callable[[str], Environment],
        evaluator: Callable[[Program, Environment], Evaluator],
        me: str,
        seed: int,
        clock: Callable[[], float],
    ) -> None:
        self.program, self.me, self.clock = program, me, clock
        self.step, self.now = 0, 0.0
        self.lock = threading.RLock()
        self.on_stage: Callable[[], None] | None = None
        self.on_tick: Callable[[Batch, Tick], None] | None = None
        self._environment, self._make, self._seed = environment, evaluator, seed
        self._evaluator: Evaluator | None = None
        self._random = self._draws()
        self._staged: dict[str, Staged] = {}
        self._events: dict[str, list[PlainRow]] = {}
        self._timers: dict[str, Timer] | None = None
        self._periodic = [collection for collection in program.collections if collection.kind == "periodic"]
        self._listeners: dict[str, list[Callable[[Any], object]]] = {}
        self._letters = 0

    def make_with(self, make: Callable[[Callable[[Program, Environment], Evaluator], Program, Environment], Evaluator]) -> None:
        """Have the evaluator, when it is needed, made by another function, which gets the class that would be it, too."""
        self._make = partial(make, self._make)

    def release(self, cause: Exception) -> Evaluator | None:
        """Let go of the evaluator; from now on reads raise the error given."""
        evaluator, self._evaluator = self._evaluator, None

        def released(program: Program, environment: Environment) -> Evaluator:
            raise cause

        self._make = released
        return evaluator

    @property
    def evaluator(self) -> Evaluator:
        """The evaluator, made when it is first needed."""
        if self._evaluator is None:
            self._evaluator = self._make(self.program, self._environment(self.me))
        return self._evaluator

    @property
    def environment(self) -> Environment:
        """What the instance adds to its program, for whoever evaluates it once more."""
        return self._environment(self.me)

    def move(self, me: str) -> None:
        """Set the node's address, which is known only when it listens. Before the first tick only."""
        if self.step:
            raise UsageError("a program that has ticked cannot get another address", hint="give the node a new instance, or listen=None")
        with self.lock:
            self.me, self._evaluator = me, None
            self._random = self._draws()

    # -- input

    def stage(self, collection: str, operation: str, rows: tuple[Any, ...]) -> None:
        """Check rows and stage them for the next tick; when one does not fit, none is staged.

        Args:
            collection: full name.
            operation: "insert", "delete" or "upsert".
            rows: as users write them; for "delete" also keys.

        Raises:
            RowError: for a row that does not fit.
        """
        declared = self.program.by_name[collection]
        schema = declared.schema
        if declared.kind in ("periodic", "temporary", "output") or collection == "dead_letter":
            raise UsageError(f"rows cannot be staged into {declared.kind} {collection!r}", hint="it is filled by the program itself")
        if declared.kind == "table":
            if operation == "insert" and len(rows) > 1:
                self._insert_all(collection, schema, rows)
            else:
                checked = [_operand(schema, collection, operation, row) for row in rows]
                with self.lock:
                    for key, row in checked:
                        self._stage(collection, key, operation, row)
        else:
            events = schema.check_all(collection, rows)
            with self.lock:
                self._events.setdefault(collection, []).extend(events)
        on_stage = self.on_stage  # read once: the node may end meanwhile, in its own thread
        if on_stage is not None:
            on_stage()

    def deliver(self, collection: str, row: PlainRow) -> None:
        """Have a message or a typed line, already checked, take part in the next tick."""
        with self.lock:
            self._events.setdefault(collection, []).append(row)

    def dead_letter(self, channel: str, row: Any, error: BaseException) -> None:
        """Set aside a row that made its tick fail; it appears in `dead_letter` at the next tick."""
        with self.lock:
            self._letters += 1
            letter = (self._letters, channel, row, f"{type(error).__name__}: {error}", self.now)
            self._stage("dead_letter", self._letters, "upsert", letter)
            if self._letters > DEAD_LETTER_LIMIT:
                self._stage("dead_letter", self._letters - DEAD_LETTER_LIMIT, "delete", None)

    def _stage(self, table: str, key: Key, operation: str, row: PlainRow | None) -> None:
        staged = self._staged.get(table)
        if staged is None:
            staged = self._staged[table] = Staged()
        staged.stage(key, operation, row)

    def _insert_all(self, table: str, schema: Schema, rows: tuple[Any, ...]) -> None:
        checked = schema.check_all(table, rows)
        keys = checked if schema.all_key and schema.width > 1 else map(schema.key_of, checked)
        by_key = dict(zip(keys, checked, strict=True))
        with self.lock:
            if len(by_key) == len(checked):
                self._staged.setdefault(table, Staged()).insert_all(by_key)
            else:
                for row in checked:
                    self._stage(table, schema.key_of(row), "insert", row)

    def has_input(self) -> bool:
        """Whether staged or delivered rows wait for a tick."""
        return bool(self._staged or self._events)

    def pending(self) -> bool:
        """Whether the last tick's `<+ <- <+-` would change something."""
        return self.evaluator.pending()

    def next_timer(self) -> float | None:
        """When the next timer is due, in seconds of the clock; None without timers or before the first tick."""
        return min((timer.due for timer in self._timers.values()), default=None) if self._timers else None

    def shorten_timers(self, now: float) -> None:
        """Have no timer wait longer than its period: the clock may have been set back."""
        for timer in (self._timers or {}).values():
            timer.due = min(timer.due, now + timer.period_s)

    # -- ticks

    def take(self, now: float) -> Batch:
        """Take all staged and delivered rows and the timers due out, as the input of one tick."""
        with self.lock:
            staged, self._staged = self._staged, {}
            events, self._events = self._events, {}
            if self._timers is None:
                self._timers = self._start_timers(now)
            for name, timer in self._timers.items():
                if timer.due <= now:
                    events[name] = [timer.fire(now)]
        return self.batch(events, now, staged)

    def batch(self, events: Mapping[str, list[PlainRow]], now: float, staged: Mapping[str, Mapping[Key, Change]] | None = None) -> Batch:
        """The input of one tick that takes just these rows and staged changes."""
        rows = {name: tuple(rows) for name, rows in events.items()} if events else {}
        return Batch(self.step + 1, now, self._random.random(), staged or {}, rows)

    def run(self, batch: Batch, commit: Commit | None = None) -> Tick:
        """Run one tick as a transaction.

        Args:
            batch: its input.
            commit: makes the durable change safe before the tick counts as done.

        Raises:
            whatever rules, invariants, conflicts or the commit raise; then nothing has happened, and the
            exception carries the batch as `error.batch`.
        """
        with self.lock:
            try:
                tick = self.evaluator.tick(batch, commit)
            except BaseException as error:
                error.batch = batch  # type: ignore[attr-defined]
                raise
            self.step, self.now = batch.step, batch.now
            if self.on_tick is not None:
                self.on_tick(batch, tick)
            return tick

    def notify(self, tick: Tick) -> None:
        """Call back for every row that began to hold; raises the first exception of a callback when all have run."""
        if not self._listeners:
            return
        errors: list[Exception] = []
        for collection, callbacks in list(self._listeners.items()):  # a callback, or another thread, may add to them
            make = self.program.by_name[collection].schema.row.make
            for row in tick.inserted.get(collection, ()):
                for callback in list(callbacks):
                    try:
                        callback(make(row))
                    except Exception as error:
                        errors.append(error)
        if errors:
            raise errors[0]

    def lose(self, cause: BaseException) -> None:
        """The last ticks may be lost, and nobody knows which: from now on reads raise a StoreError."""

        def lost(program: Program, environment: Environment) -> Evaluator:
            raise StoreError("the node's store failed: nobody knows which of its last ticks are safe", hint="start it again") from cause

        self._evaluator, self._make = None, lost

    def restore(self, tables: Mapping[str, list[PlainRow]]) -> None:
        """Fill durable tables before the first tick."""
        self.evaluator.restore(tables)

    def _draws(self) -> Random:
        return Random(f"{self._seed} {self.me}")

    def _start_timers(self, now: float) -> dict[str, Timer]:
        parameters = self.evaluator.environment.parameters if self._periodic else {}
        timers = {}
        for collection in self._periodic:
            period = collection.period
            seconds = parameters[period.name] if isinstance(period, Parameter) else period
            if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds >= _SHORTEST_S:
                raise UsageError(f"the period of {collection.name!r} is {seconds!r}", hint=f"give seconds, at least {_SHORTEST_S}")
            timers[collection.name] = Timer(float(seconds), now + seconds)
        return timers

    # -- the port of the collection handles

    def listen(self, collection: str, callback: Callable[[Any], object]) -> None:
        """Have a callback called with each row that begins to hold."""
        self._listeners.setdefault(collection, []).append(callback)

    def rows(self, collection: str) -> list[Any]:
        """The rows that held at the end of the last tick, with named columns."""
        row = self.program.by_name[collection].schema.row
        with self.lock:
            held = self.evaluator.read(collection)
            if isinstance(held, Reading):
                return held.rows_of(row)
            rows = list(held.values())
        return row.make_all(rows)

    def row(self, collection: str, key: Key) -> PlainRow | None:
        """The one of that key."""
        with self.lock:
            return self.evaluator.read(collection).get(key)

    def count(self, collection: str) -> int:
        """How many there are."""
        with self.lock:
            return len(self.evaluator.read(collection))


def _operand(schema: Schema, collection: str, operation: str, given: Any) -> tuple[Key, PlainRow | None]:
    """Key and row of a staged operation; the row is None for a delete by key."""
    if operation == "delete" and not _is_row(schema, given):
        key = schema.normal_key(given)
        if len(schema.key_indexes) != 1 and (not isinstance(key, tuple) or len(key) != len(schema.key_indexes)):
            raise _bad_key(schema, collection, given)
        return key, None
    row = schema.check(collection, given)
    return schema.key_of(row), row


def _is_row(schema: Schema, given: Any) -> bool:
    if not isinstance(given, tuple):
        return schema.width == 1
    return len(given) == schema.width and not (schema.width == 1 and len(schema.key_indexes) == 1 and len(given) != 1)


def _bad_key(schema: Schema, collection: str, given: Any) -> Exception:
    return RowError(f"{collection}: {given!r} is neither a row nor a key", hint=f"its columns are {schema}")
