"""The log of a single node: what is proposed is decided, in order, and a restart goes on where it was."""

from __future__ import annotations

import pytest

from bloompy import Bloom, channel, module, rule, table
from bloompy.sim import Simulation
from bloompy_paxos.log import LocalLog


class Diary(Bloom):
    """Keeps what was decided."""

    write = channel("@to: str, session: str, number: int, text: str")
    log = module(LocalLog)
    page = table("index: int -> slot: int, session: str, number: int, text, time: float", durable=True)
    may = table("ask: int")

    @rule
    def keep(self) -> None:
        self.log.propose <= ((w.session, w.number, w.text) for w in self.write)
        self.page <+ ((d.index, d.slot, d.session, d.number, d.command, d.time) for d in self.log.decree)
        self.log.read <= ((w.number,) for w in self.write)
        self.may <+ ((r.id,) for r in self.log.readable)


@pytest.mark.parametrize("evaluator", ["codegen", "naive"])
def test_what_is_proposed_in_a_tick_is_one_slot_and_counted_on(evaluator: str) -> None:
    diary = Diary(me="a", evaluator=evaluator)
    diary.write.insert(("a", "s", 2, "later"), ("a", "s", 1, "first"))
    diary.tick(now=5.0)
    diary.tick(now=6.0)
    diary.write.insert(("a", "t", 1, "third"))
    diary.tick(now=7.0)
    diary.tick(now=8.0)
    assert sorted(diary.page) == [(1, 1, "s", 1, "first", 5.0), (2, 1, "s", 2, "later", 5.0), (3, 2, "t", 1, "third", 7.0)]
    assert set(diary.may) == {(1,), (2,)}
    assert set(diary.log.leading) == {((1, "a"),)}
    assert set(diary.log.leader) == {("a",)}


def test_a_restart_counts_on() -> None:
    sim = Simulation()
    node = sim.add(Diary, "a")
    node.write.insert(("a", "s", 1, "before"))
    sim.settle()
    node.power_loss()
    node.restart()
    node.write.insert(("a", "s", 2, "after"))
    sim.settle()
    assert [(row.index, row.slot, row.text) for row in sorted(node.page)] == [(1, 1, "before"), (2, 2, "after")]
