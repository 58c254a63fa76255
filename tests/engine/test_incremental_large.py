"""Views maintained through many changes are those of a new instance with the same tables, at sizes beyond the naive evaluator.

More of it: `python -m pytest -m slow tests/engine/test_incremental_large.py`.
"""

from __future__ import annotations

from random import Random

import pytest

from bloompy import Bloom
from tests.engine import classics

PROGRAMS: dict[type[Bloom], tuple[int, dict[str, str]]] = {
    classics.Reachability: (60, {"source": "n", "edge": "nn"}),
    classics.Closure: (24, {"edge": "nn"}),
    classics.PathNames: (80, {"file": "npw"}),
    classics.Depths: (80, {"file": "np"}),
    classics.SameGeneration: (30, {"parent": "np"}),
    classics.Parity: (20, {"edge": "nn"}),
    classics.ShortestPaths: (14, {"link": "nns"}),
    classics.Offers: (40, {"offer": "nns", "item": "nw"}),
    classics.WinMove: (50, {"move": "nn"}),
    classics.PointsTo: (14, dict.fromkeys(("new", "assign", "store", "load"), "nn")),
    classics.Components: (40, {"edge": "nn"}),
    classics.Parts: (16, {"part": "pns", "price": "nf"}),
}
"""How many nodes, and what the columns of the tables hold: a node, a node that is mostly smaller, a small number, a word, a float."""


class Edits:
    """Random changes to the tables of one program."""

    def __init__(self, program: type[Bloom], random: Random) -> None:
        self.random, self.schemas = random, {name: program.program_ir.by_name[name].schema for name in PROGRAMS[program][1]}
        self.nodes, self.columns = PROGRAMS[program]
        self.held: dict[str, dict[object, tuple[object, ...]]] = {name: {} for name in self.columns}

    def row(self, name: str) -> tuple[object, ...]:
        node = self.random.randrange(self.nodes)
        made: dict[str, object] = {
            "p": self.random.randrange(max(1, self.random.randint(1, self.nodes) // 3)),
            "s": self.random.randint(1, 3),
            "w": self.random.choice("abc"),
            "f": self.random.choice([0.1, 0.2, 1e16, -1e16]),
        }
        return tuple(self.random.randrange(self.nodes) if column == "n" and i else made.get(column, node) for i, column in enumerate(self.columns[name]))

    def fill(self, instance: Bloom) -> None:
        for name in self.columns:
            for _ in range(2 * self.nodes):
                self.place(instance, name, self.row(name))

    def place(self, instance: Bloom, name: str, row: tuple[object, ...]) -> None:
        self.held[name][self.schemas[name].key_of(row)] = row
        getattr(instance, name).upsert(row)

    def change(self, instance: Bloom) -> None:
        """One to three changes, sometimes of a great part of a table."""
        many = self.random.random() < 0.1
        for _ in range(self.nodes // 2 if many else self.random.choice([1, 1, 2, 3])):
            name = self.random.choice(list(self.columns))
            held = self.held[name]
            if held and self.random.random() < 0.5:
                row = held.pop(self.random.choice(list(held)))
                getattr(instance, name).delete(row)
                if self.random.random() < 0.15:
                    self.place(instance, name, row)
            else:
                self.place(instance, name, self.row(name))


def check(program: type[Bloom], seed: int, ticks: int) -> None:
    """Compare after each tick."""
    random = Random(seed)
    edits, instance = Edits(program, random), program()
    edits.fill(instance)
    for number in range(ticks):
        try:
            instance.tick()
        except Exception:  # a path name may conflict; what was staged is lost, so the tables are what they were
            edits.held = {name: {edits.schemas[name].key_of(row): row for row in map(tuple, getattr(instance, name))} for name in edits.columns}
        anew = program()
        for name, held in edits.held.items():
            getattr(anew, name).insert(*held.values())
        anew.tick()
        for one in program.program_ir.collections:
            assert getattr(instance, one.name).rows() == getattr(anew, one.name).rows(), f"seed {seed}, tick {number}: {one.name}"
        edits.change(instance)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda one: one.__name__)
def test_views_through_many_changes_are_those_of_a_new_instance(program):
    check(program, 1, 12)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda one: one.__name__)
def test_views_through_very_many_changes_are_those_of_a_new_instance(program, seed):
    check(program, seed, 150)
