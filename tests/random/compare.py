"""Running one program and one stream on two evaluators, and telling where they differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from attrs import define, field

from bloompy import Bloom, BloomError, exec_source
from bloompy.engine.machine import Machine
from bloompy.engine.naive import Naive
from bloompy.engine.tick import Durable, Tick
from bloompy.program import machine_of
from tests.random.happened import Happened
from tests.random.streams import Input

ANY_OF_SEVERAL = {"ZeroDivisionError", "UnorderableValues", "RowError"}
"""Errors that rules raise for rows; of several errors in a tick any may be raised."""
OF_RULES = ANY_OF_SEVERAL | {"KeyConflict", "InvariantViolation"}


class StoreFails(Exception):
    """The commit of a tick that is to fail."""


@define
class Outcome:
    """What a comparison saw: what happened how often, and the difference, if there is one."""

    counts: Counter[str] = field(factory=Counter)
    difference: str | None = None


def compare(
    program: str,
    stream: tuple[Input, ...],
    evaluators: tuple[str, str] = ("naive", "codegen"),
    second: str | None = None,
    deep: bool = False,
) -> Outcome:
    """Run the class P of a text on both evaluators and compare everything that can be seen after each tick.

    Args:
        program: the text.
        stream: the input.
        evaluators: what to run it on.
        second: for the second evaluator another text that means the same.
        deep: count also how derivations come and go, where the first evaluator is naive.
    """
    try:
        classes: list[type[Bloom]] = [exec_source(text, name="<random program>")["P"] for text in (program, second) if text]
    except BloomError as error:
        return Outcome(Counter([f"rejected {type(error).__name__}"]))
    return compare_classes(classes[0], classes[-1], stream, evaluators, deep)


def compare_classes(
    one: type[Bloom], other: type[Bloom], stream: tuple[Input, ...], evaluators: tuple[str, str] = ("naive", "codegen"), deep: bool = False
) -> Outcome:
    """Run a class on one evaluator, another that means the same on the other, and compare; see `compare`."""
    outcome = Outcome()
    sides = [_Side(one, evaluators[0]), _Side(other, evaluators[1])]
    if evaluators[0] == "naive":
        sides[0].happened = Happened(_naive(sides[0].machine), deep, outcome.counts)
    for number, given in enumerate(stream, 1):
        seen = [side.tick(given) for side in sides]
        outcome.counts["ticks"] += 1
        outcome.counts[f"raised {seen[0]['raised']}" if seen[0]["raised"] else "changed" if seen[0]["changed"] else "idle"] += 1
        outcome.counts["sent"] += bool(seen[0].get("sent"))
        raised = {seen[0]["raised"], seen[1]["raised"]}
        if raised & ANY_OF_SEVERAL and raised <= OF_RULES:
            seen[1]["raised"] = seen[0]["raised"]
        if seen[0] != seen[1]:
            outcome.difference = f"tick {number}:\n" + "\n".join(_differences(evaluators, seen))
            return outcome
    return outcome


def _differences(evaluators: tuple[str, str], seen: list[dict[str, Any]]) -> Iterator[str]:
    first, second = seen
    for what in dict.fromkeys([*first, *second]):
        mine, other = first.get(what), second.get(what)
        if mine != other:
            yield f"  {what}: {evaluators[0]} {_only(mine, other)}"
            yield f"  {' ' * len(what)}  {evaluators[1]} {_only(other, mine)}"


@define
class _Side:
    """One evaluator at work."""

    program: type[Bloom]
    evaluator: str
    machine: Machine = field(init=False)
    stored: dict[str, dict[Any, Any]] = field(factory=dict)
    happened: Happened | None = None

    def __attrs_post_init__(self) -> None:
        self._start()

    def _start(self) -> None:
        self.machine = machine_of(self.program("n1", seed=1, evaluator=self.evaluator))

    def tick(self, given: Input) -> dict[str, Any]:
        """Run one tick; what can be seen afterwards."""
        if given.restart:
            self._start()
            self.machine.restore({name: sorted(rows.values(), key=repr) for name, rows in self.stored.items()})
            if self.happened is not None:
                self.happened.restarted(_naive(self.machine))
        for operation, collection, rows in given.operations:
            self.machine.stage(collection, operation, rows)
        durable: list[Durable] = []

        def commit(change: Durable) -> None:
            if given.store_fails:
                raise StoreFails
            durable.append(change)
            self._store(change)

        batch = self.machine.take(given.now)
        try:
            tick = self.machine.run(batch, commit)
        except Exception as error:
            if self.happened is not None:
                self.happened.raised()
            return {"raised": type(error).__name__, "error": "", **self._state()}
        if self.happened is not None:
            self.happened.committed(tick, batch)
        self._deliver(tick)
        changed = {"inserted": _sets(tick.inserted), "deleted": _sets(tick.deleted)}
        stored = [(_sets(one.deleted), _sets(one.upserted)) for one in durable]
        told = {"raised": None, "changed": bool(tick.inserted or tick.deleted), "sent": _sets(tick.sent), **changed, "committed": stored}
        return {**told, **self._state()}

    def _store(self, change: Durable) -> None:
        for name, keys in change.deleted.items():
            for key in keys:
                del self.stored[name][key]
        for name, rows in change.upserted.items():
            schema = self.machine.program.by_name[name].schema
            self.stored.setdefault(name, {}).update((schema.key_of(row), row) for row in rows)

    def _deliver(self, tick: Tick) -> None:
        for name, rows in tick.sent.items():
            address = self.machine.program.by_name[name].schema.address
            kind = self.machine.program.by_name[name].kind
            for row in sorted(rows):
                if kind == "loopback" or (address is not None and row[address] == "n1"):
                    self.machine.deliver(name, row)

    def _state(self) -> dict[str, Any]:
        rows = {one.name: set(self.machine.rows(one.name)) for one in self.machine.program.collections}
        keys = {one.name: set(self.machine.evaluator.read(one.name)) for one in self.machine.program.collections}
        return {"rows": rows, "keys": keys, "stored": self.stored, "pending": self.machine.pending()}


def _naive(machine: Machine) -> Naive:
    assert isinstance(machine.evaluator, Naive)
    return machine.evaluator


def _sets(rows: Any) -> dict[str, Any]:
    """Rows as sets; how often each is there, where one is there twice."""
    return {name: set(listed) if len(set(listed)) == len(listed) else Counter(listed) for name, listed in rows.items() if listed}


def _only(mine: Any, other: Any) -> Any:
    """What stands in one and not equally in the other."""
    if isinstance(mine, dict) and isinstance(other, dict):
        return {
            name: value - other.get(name, set()) if isinstance(value, set) and isinstance(other.get(name, set()), set) else value
            for name, value in mine.items()
            if value != other.get(name)
        }
    return mine


THRESHOLDS: dict[str, dict[str, int]] = {
    "small groups": {"bloompy.engine.groups.SMALL": 0},
    "sorted lists": {"bloompy.engine.bag._LONG": 3},
    "columns": {"bloompy.engine.filling.LEAST": 0, "bloompy.engine.filling.LEAST_TO_IMPORT": 0},
}
"""Sizes from which the engine goes other ways: the constants that hold them, and values that small tables reach."""


@contextmanager
def lowered(*names: str) -> Iterator[None]:
    """Have the engine go the ways meant for large tables, in this process, for a while."""
    with ExitStack() as stack:
        for name in names:
            for target, low in THRESHOLDS[name].items():
                stack.enter_context(patch(target, low))
        yield
