"""Random input for random programs: ticks of staged inserts, deletes and upserts, events, and a clock."""

from __future__ import annotations

from random import Random
from typing import Any, TypeAlias

from attrs import frozen

from bloompy.lattices import Bag, Map
from tests.random.programs import Declared, Source

Operation: TypeAlias = tuple[str, str, tuple[tuple[Any, ...], ...]]
"""What, where, rows (or, for a delete, keys)."""


@frozen
class Input:
    """What goes into one tick.

    Attributes:
        now: seconds of the clock.
        operations: in call order.
        store_fails: the commit raises, where there is something to commit.
        restart: before the tick the node crashes, and starts again with what was stored.
    """

    now: float
    operations: tuple[Operation, ...]
    store_fails: bool = False
    restart: bool = False


def random_stream(random: Random, source: Source) -> tuple[Input, ...]:
    """Some ticks of input for a program."""
    if random.random() < 0.3:
        return _row_by_row(random, source)
    now, found = 0.0, []
    for number in range(random.randint(2, 7)):
        now += random.choice([0.5, 1.0, 2.0, 5.0])
        idle = number > 0 and random.random() < 0.15
        operations = [] if idle else [one for declared in source.collections for one in _operations(random, declared, number)]
        found.append(Input(now, tuple(operations), random.random() < 0.04, number > 0 and random.random() < 0.04))
    return tuple(found)


def _row_by_row(random: Random, source: Source) -> tuple[Input, ...]:
    """First something everywhere, then many ticks that change one row each."""
    found = [Input(0.0, tuple(one for declared in source.collections for one in _operations(random, declared, 0)))]
    for now in range(random.randint(4, 12)):
        operations = [one for declared in source.collections for one in _operations(random, declared, 1)]
        change, name, rows = random.choice(operations or [("insert", source.collections[0].name, ())])
        found.append(Input(now / 2, ((change, name, rows[:1]),)))
    return tuple(found)


def _operations(random: Random, declared: Declared, number: int) -> list[Operation]:
    kind, often = declared.kind, 0.6 if number == 0 else 0.45
    if kind in ("periodic", "output", "inner input", "inner output") or random.random() > often:
        return []
    if kind == "scratch":
        return [("insert", declared.name, _rows(random, declared))] if random.random() < 0.08 else []
    if kind != "table":
        return [("insert", declared.name, _rows(random, declared))]
    found = []
    for _ in range(random.choice([1, 1, 2])):
        keyed = declared.keys < len(declared.types)
        change = "insert" if number == 0 else random.choice(["insert", "delete", "upsert", "upsert" if keyed else "insert"])
        rows = _rows(random, declared)
        if change == "delete" and declared.keys and random.random() < 0.5:
            rows = tuple(row[: declared.keys] if declared.keys > 1 else row[0] for row in rows)
        elif change == "insert" and keyed:
            rows = tuple({row[: declared.keys]: row for row in rows}.values())
        found.append((change, declared.name, rows))
    return found


def _rows(random: Random, declared: Declared) -> tuple[tuple[Any, ...], ...]:
    return tuple(tuple(_value(random, type_) for type_ in declared.types) for _ in range(random.choice([1, 1, 2, 3, 4])))


def _value(random: Random, type_: str) -> Any:
    match type_:
        case "i":
            return random.randint(0, 4)
        case "s":
            return random.choice(["a", "b", "c", "n1"])
        case "<" | ">":
            return random.randint(0, 4)
        case "S":
            return random.choice([random.randint(0, 4), frozenset(random.choices(range(5), k=2))])
        case "B":
            return random.random() < 0.5
        case "G":
            return Bag(random.choices(range(3), k=random.randint(1, 3)))
        case "P":
            return Map({random.randint(0, 3): random.randint(0, 4)})
    return random.randint(0, 6) / 2
