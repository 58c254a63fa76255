"""Long streams of small changes to small tables: mostly one to three changes a tick, of rows that are mostly there."""

from __future__ import annotations

from random import Random
from typing import Any

from attrs import define, field

from tests.random.programs import Declared, Source
from tests.random.streams import Input, Operation

DOMAIN = 4
"""How many different integers the heads of rules can hold; the input of a program may know fewer, or more."""

PRIMES = ("0.1", "0.2", "0.3", "1e16", "-1e16", "1.0", "2.5")
"""Floats whose sum depends on the order of addition."""

TEXTS = ("a", "b", "b a b", "a a", "", "c b")
NAN = float("nan")
MIXED = (0, 1, 1.0, True, 2.5, 2)
"""Numbers of several types, some of them equal."""
ODD = (*MIXED, None, None, "a")

Row = tuple[Any, ...]


def view_stream(random: Random, source: Source, least: int = 20, most: int = 60) -> tuple[Input, ...]:
    """A first tick that fills the tables, and many that change a little."""
    length = random.randint(least, most) * (5 if random.random() < 0.04 else 1)
    return _Writer(random, source, domain=random.choice([3, DOMAIN, DOMAIN, DOMAIN, DOMAIN + 2])).stream(length)


@define
class _Writer:
    """Keeps what the outside put into the tables, so that most deletes and upserts meet a row."""

    random: Random
    source: Source
    held: dict[str, dict[Row, Row]] = field(factory=dict)
    mixed: tuple[Any, ...] = MIXED
    size: int = 5
    domain: int = DOMAIN

    def stream(self, length: int) -> tuple[Input, ...]:
        self.mixed = ODD if self.random.random() < 0.3 else MIXED
        self.size = self.random.choice([2, 4, 5, 7])
        tables = [one for one in self.source.collections if one.kind == "table"]
        events = [one for one in self.source.collections if one.kind in ("input", "channel")]
        staged = [one for one in self.source.collections if one.kind == "scratch" and not set(one.types) & set("mno")]
        self.held = {one.name: {} for one in tables}
        found = [Input(0.0, tuple(self._fill(one) for one in tables if self.random.random() < 0.85))]
        restarts = self.random.random() < 0.2
        stages = bool(staged) and self.random.random() < 0.06
        for now in range(1, length):
            operations: list[Operation] = []
            restart = restarts and self.random.random() < 0.08
            if restart:
                self.held = {one.name: self.held[one.name] if one.durable else {} for one in tables}
            for _ in range(self.random.choice([0, 1, 1, 1, 1, 1, 2, 2, 3, 4])):
                operations += self._change(self.random.choice(tables))
            if events and self.random.random() < 0.4:
                event = self.random.choice(events)
                operations.append(("insert", event.name, tuple(self._row(event) for _ in range(self.random.choice([1, 1, 2])))))
            if stages and self.random.random() < 0.15:
                scratch = self.random.choice(staged)
                operations.append(("insert", scratch.name, (self._row(scratch),)))
            found.append(Input(float(now), tuple(operations), self.random.random() < 0.02, restart))
        return tuple(found)

    def _fill(self, table: Declared) -> Operation:
        rows = {self._key(table, row): row for row in (self._row(table) for _ in range(self.random.randint(1, self.size)))}
        self.held[table.name].update(rows)
        return ("insert", table.name, tuple(rows.values()))

    def _change(self, table: Declared) -> list[Operation]:
        """One change, of one of many kinds."""
        held, name = self.held[table.name], table.name
        pick = self.random.random()
        if pick < 0.02:
            return [self._fill(table)] if not held else [self._delete(table, list(held))]
        if not held or (len(held) < self.size and pick < 0.32):
            return [self._insert(table)]
        key = self.random.choice(list(held))
        if pick < 0.62:
            return [self._delete(table, [key])]
        if pick < 0.66:
            return [("delete", name, (self._row(table),))]
        if pick < 0.82:
            return [self._upsert(table, key)]
        if pick < 0.90:  # deleted and there again
            row = held[key]
            again = row if self.random.random() < 0.5 else (*row[: table.keys], *self._row(table)[table.keys :])
            deleted = self._delete(table, [key])
            held[key] = again
            return [deleted, ("insert", name, (again,))]
        if pick < 0.93:  # inserted and gone again
            row = self._row(table)
            return [] if self._key(table, row) in held else [("insert", name, (row,)), ("delete", name, (row,))]
        if pick < 0.96 and len(held) > 1:  # two keys change their values
            first, second = self.random.sample(list(held), 2)
            one, other = held[first], held[second]
            held[first], held[second] = (*one[: table.keys], *other[table.keys :]), (*other[: table.keys], *one[table.keys :])
            return [("upsert", name, (held[first], held[second]))]
        return [self._insert(table)] if pick < 0.99 else [("insert", name, (self._row(table),))]

    def _insert(self, table: Declared) -> Operation:
        row = self._row(table)
        for _ in range(5):
            if self._key(table, row) not in self.held[table.name]:
                break
            row = self._row(table)
        else:
            row = next(iter(self.held[table.name].values()))
        self.held[table.name][self._key(table, row)] = row
        return ("insert", table.name, (row,))

    def _upsert(self, table: Declared, key: Row) -> Operation:
        row = (*self.held[table.name][key][: table.keys], *self._row(table)[table.keys :])
        self.held[table.name][key] = row
        return ("upsert", table.name, (row,))

    def _delete(self, table: Declared, keys: list[Row]) -> Operation:
        rows = tuple(self.held[table.name].pop(key) for key in keys)
        if table.keys and self.random.random() < 0.5:
            rows = tuple(row[: table.keys] if table.keys > 1 else row[0] for row in rows)
        return ("delete", table.name, rows)

    def _key(self, table: Declared, row: Row) -> Row:
        return row[: table.keys]

    def _row(self, declared: Declared) -> Row:
        if declared.kind == "channel":
            return ("n1", *(self._value(type_, True) for type_ in declared.types[1:]))
        return tuple(self._value(type_, number < declared.keys) for number, type_ in enumerate(declared.types))

    def _value(self, type_: str, key: bool) -> Any:
        match type_:
            case "i" | "<" | ">" | "S":
                return self.random.randrange(self.domain)
            case "B":
                return self.random.random() < 0.5
            case "s":
                return self.random.choice(TEXTS)
            case "f":
                return float(self.random.choice(PRIMES))
            case "n" if self.random.random() < 0.2 and not key:
                return NAN
        return self.random.choice(MIXED if key else self.mixed)
