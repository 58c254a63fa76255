"""The past of an instance: its batches, and what held after each of them.

A tick is a function of the state before it and of its batch, so the batches are all that is kept while a program runs. Who asks about
the past has them replayed: the default evaluator runs them once more, and what begins and ceases to hold is kept by tick.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from attrs import evolve

from bloompy.engine.codegen import Codegen
from bloompy.engine.provenance.timeline import Rows, Timeline
from bloompy.engine.tick import Batch, Commit, Durable, Environment, Evaluator, PlainRow, Telling, Tick, Waiting
from bloompy.errors import InvariantViolation
from bloompy.ir.nodes import Program

if TYPE_CHECKING:
    from bloompy.engine.explain import Workings
    from bloompy.engine.provenance.asking import Alone
    from bloompy.schema import Key


class Recording:
    """An evaluator that keeps the batches of its committed ticks; all else it leaves to another.

    Attributes:
        restored: what the durable tables were filled with before the first tick.
        batches: of the ticks, in order.
    """

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator, self._tick = evaluator, evaluator.tick
        self.environment = evaluator.environment
        self.restored: Mapping[str, list[PlainRow]] = {}
        self.batches: list[Batch] = []
        self.world: Alone | None = None

    @classmethod
    def of(cls, make: Callable[[Program, Environment], Evaluator]) -> Callable[[Program, Environment], Evaluator]:
        """What makes evaluators that record."""
        return lambda program, environment: cls(make(program, environment))

    @property
    def on_violation(self) -> Callable[[InvariantViolation], None] | None:
        """As of `Evaluator`."""
        return self._evaluator.on_violation

    @on_violation.setter
    def on_violation(self, take: Callable[[InvariantViolation], None] | None) -> None:
        self._evaluator.on_violation = take

    def restore(self, tables: Mapping[str, list[PlainRow]]) -> None:
        """Fill durable tables before the first tick."""
        self.restored = {name: list(rows) for name, rows in tables.items()}
        self._evaluator.restore(tables)

    def tick(self, batch: Batch, commit: Commit | None = None) -> Tick:
        """Run one tick."""
        tick = self._tick(batch, commit)
        self.batches.append(batch)
        return tick

    def read(self, collection: str) -> Mapping[Key, PlainRow]:
        """Rows that held at the end of the last tick, by key."""
        return self._evaluator.read(collection)

    def pending(self) -> bool:
        """Whether the pending `<+ <- <+-` of the last tick would change something."""
        return self._evaluator.pending()

    def waiting(self) -> Mapping[str, Mapping[Key, Waiting]]:
        """As of `Telling`."""
        return cast(Telling, self._evaluator).waiting()

    def workings(self) -> Workings:
        """What it shows of itself."""
        return self._evaluator.workings()


class Replay:
    """The ticks of one instance, run once more as far as they are asked for.

    Args:
        program, environment: of the instance.
        restored: what its durable tables were filled with.
        batches: of its ticks; may grow later.

    Attributes:
        stored: the rows of durable tables in the store, as of the ticks run again so far.
    """

    def __init__(
        self, program: Program, environment: Environment, restored: Mapping[str, Sequence[PlainRow]], batches: Sequence[Batch]
    ) -> None:
        self.program, self.batches = program, batches
        self.environment = evolve(environment, debug=False, profile=False)
        self.restored = {name: [tuple(row) for row in rows] for name, rows in restored.items()}
        self.ticks: list[Tick] = []
        self.timelines = {one.name: Timeline(one.schema.key_of) for one in program.collections}
        for name, rows in self.restored.items():
            self.timelines[name].tell(0, rows, ())
        self.stored = {name: {self.timelines[name].key_of(row): row for row in rows} for name, rows in self.restored.items()}
        # Of views whose rows merge a tick does not tell of a row that stood all the time below one that had grown for a tick.
        self._growing = [one.name for one in program.collections if one.schema.lattices and one.kind != "table"]
        self._evaluator: Codegen | None = None

    @property
    def last(self) -> int:
        """Number of the last tick."""
        return len(self.batches)

    def tick(self, number: int) -> Tick:
        """The tick of a number, from 1."""
        self._advance(number)
        return self.ticks[number - 1]

    def at(self, tick: int) -> Facts:
        """What held at the end of a tick; 0 for what was restored."""
        self._advance(tick)
        return Facts(self, tick)

    def timeline(self, collection: str) -> Timeline:
        """Of a collection, over all ticks."""
        self._advance(self.last)
        return self.timelines[collection]

    def _advance(self, number: int) -> None:
        if self._evaluator is None:
            self._evaluator = Codegen(self.program, self.environment)
            self._evaluator.on_violation = _ignore
            if self.restored:
                self._evaluator.restore(self.restored)
        while len(self.ticks) < number:
            tick = self._evaluator.tick(self.batches[len(self.ticks)], self._store)
            self.ticks.append(tick)
            for name in dict.fromkeys((*tick.inserted, *tick.deleted)):
                if name not in self._growing:
                    self.timelines[name].tell(len(self.ticks), tick.inserted.get(name, ()), tick.deleted.get(name, ()))
            for name in self._growing:
                self.timelines[name].show(len(self.ticks), self._evaluator.read(name))


    def _store(self, change: Durable) -> None:
        """What the store was told."""
        for name, keys in change.deleted.items():
            for key in keys:
                self.stored.get(name, {}).pop(key, None)
        for name, rows in change.upserted.items():
            key_of = self.timelines[name].key_of
            self.stored.setdefault(name, {}).update((key_of(row), row) for row in rows)


class Facts(Mapping[str, Rows]):
    """What held at the end of one tick, by collection."""

    def __init__(self, replay: Replay, tick: int) -> None:
        self.replay, self.tick = replay, tick

    def __getitem__(self, collection: str) -> Rows:
        return self.replay.timelines[collection].at(self.tick)

    def __iter__(self) -> Iterator[str]:
        return iter(self.replay.timelines)

    def __len__(self) -> int:
        return len(self.replay.timelines)


def _ignore(violation: InvariantViolation) -> None:
    """The tick was committed all the same."""
