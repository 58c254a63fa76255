"""A tick says the same whenever it is asked, also after later ones: what began and ceased is worked out on demand."""

from __future__ import annotations

import random

import pytest

from bloompy import Bloom, agg, interface, rule, scratch, table


class Kinds(Bloom):
    stock = table("k -> v")
    asked = interface.input("k")
    found = interface.output("k -> v")
    view = scratch("k -> v")
    both = scratch("k")
    total = scratch("-> count")

    @rule
    def derive(self):
        self.found <= ((a.k, s.v) for a in self.asked for s in self.stock if s.k == a.k)
        self.view <= ((s.k, s.v) for s in self.stock)
        self.both <= ((s.k,) for s in self.stock if s.v > 1)
        self.both <= ((a.k,) for a in self.asked)
        self.total <= (agg.count() for s in self.stock)


@pytest.mark.parametrize("evaluator", ["codegen", "naive"])
def test_ticks_say_later_what_they_said_at_once(evaluator: str) -> None:
    asked_at_once, asked_late = (Kinds(evaluator=evaluator) for _ in range(2))
    drawn = random.Random(1)
    ticks, said = [], []
    for step in range(60):
        for _ in range(drawn.randrange(3)):
            kind, key, value = drawn.randrange(3), drawn.randrange(3), drawn.randrange(4)
            for program in (asked_at_once, asked_late):
                if kind == 0:
                    program.asked.insert((key,))
                elif kind == 1:
                    program.stock.upsert((key, value))
                else:
                    program.stock.delete(key)
        if step == 30:  # from here on, rows come into a scratch that rules fill: the program is lowered anew
            for program in (asked_at_once, asked_late):
                program.view.insert((9, 9))
        tick = asked_at_once.tick(now=0.0)
        said.append((dict(tick.inserted), dict(tick.deleted)))
        ticks.append(asked_late.tick(now=0.0))
    assert [(dict(tick.inserted), dict(tick.deleted)) for tick in ticks] == said
