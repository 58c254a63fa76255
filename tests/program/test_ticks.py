"""A tick says the same whenever it is asked, also after later ones: what began and ceased is worked out on demand."""

from __future__ import annotations

import random

import pytest

from bloompy import Bloom, agg, interface, rule, scratch, table
from bloompy.program import machine_of


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


@pytest.mark.parametrize("method", ["_evaluate", "_finish"])
def test_an_interrupt_undoes_the_tick_before_the_commit_and_leaves_it_after(monkeypatch, method):
    class P(Bloom):
        t = table("k: int -> v: int")
        i = interface.input("k: int")
        double = scratch("k, v")
        asked = scratch("k")

        @rule
        def rules(self):
            self.double <= ((x.k, 2 * x.v) for x in self.t)
            self.asked <= (a.k for a in self.i if a.k in self.t)

    program = P()
    program.t.insert((1, 10))
    program.tick()
    evaluator = machine_of(program).evaluator
    original = getattr(evaluator, method)

    def interrupted(*arguments):
        if method == "_evaluate":
            original(*arguments)
        raise KeyboardInterrupt

    program.t.upsert((1, 20))
    program.i.insert(1)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(evaluator, method, interrupted)
        program.tick()
    assert program.double.rows() == {(1, 20 if method == "_evaluate" else 40)}
    program.t.insert((2, 5))
    tick = program.tick()
    assert set(tick.inserted["double"]) == {(2, 10)}
    assert program.asked.rows() == set()
    assert (1, 20 if method == "_evaluate" else 40) in program.double.rows()
