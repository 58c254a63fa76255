"""Provenance over simulated nodes under random faults: what is replayed is what happened, and everything has a cause."""

from __future__ import annotations

from collections import Counter

import pytest

from bloompy import Bloom, channel, interface, periodic, rule, table
from bloompy.sim import Faults, Simulation
from bloompy.sim.provenance import cluster_of


class Kept(Bloom):
    """Reliable broadcast that survives restarts: what was said and heard is durable, what is not acknowledged is sent again."""

    member = table("address", durable=True)
    said = interface.input("text")
    log = table("text: str", durable=True)
    acked = table("sender, text", durable=True)
    count = table("-> ticks: int")
    again = periodic(0.1)
    message = channel("@to, sender, text")
    ack = channel("@to, sender, text")

    @rule
    def go(self):
        self.log <= self.said
        self.message <~ ((m.address, self.me, l.text) for t in self.again for l in self.log for m in self.member
                         if m.address != self.me and (m.address, l.text) not in self.acked)
        self.log <+ ((m.text,) for m in self.message if m.text not in self.log)
        self.ack <~ ((m.sender, self.me, m.text) for m in self.message)
        self.acked <= ((a.sender, a.text) for a in self.ack)
        self.count <+- ((self.step,) for t in self.again)


def simulated(seed: int, faults: Faults | None) -> Simulation:
    sim = Simulation(seed, faults=faults)
    nodes = [sim.add(Kept, name) for name in "abc"]
    for node in nodes:
        node.member.insert(("a",), ("b",), ("c",))
    for number in range(3):
        sim.at(0.3 + number, lambda number=number: sim["a"].up and sim["a"].said.insert((f"text {number}",)))
    sim.run(until=5.0)
    sim.calm()
    sim.run(until=7.0)
    return sim


@pytest.mark.parametrize("seed", range(6))
def test_replayed_ticks_are_those_that_happened(seed):
    sim = simulated(seed, Faults.mix())
    cluster = cluster_of(sim)
    kinds = Counter(event.kind for event in sim.trace)
    assert kinds["tick"] > 50
    for (node, incarnation), run in cluster.runs.items():
        replay = cluster.prover(node, incarnation).replay
        for number, tick in enumerate(run.ticks, 1):
            again = replay.tick(number)
            assert dict(again.sent) == dict(tick.sent)
            assert {name: set(rows) for name, rows in again.inserted.items()} == {name: set(rows) for name, rows in tick.inserted.items()}
            assert {name: set(rows) for name, rows in again.deleted.items()} == {name: set(rows) for name, rows in tick.deleted.items()}


def test_some_of_these_runs_crash_restart_and_lose():
    counts = Counter(event.kind for seed in range(6) for event in simulated(seed, Faults.mix()).trace)
    assert min(counts[kind] for kind in ("crash", "restart", "drop", "duplicate")) > 3


@pytest.mark.parametrize("seed", range(6))
def test_every_row_at_the_end_leads_back_to_its_input(seed):
    sim = simulated(seed, Faults.mix())
    for node in sim.up:
        for row in node.log:
            found = sim.why(node.address, "log", row)
            reached = {fact.collection for fact in found.inputs}
            assert reached <= {"said", "member", "again"}, str(found)
            assert "said" in reached, str(found)
            assert all(message.delivered >= message.sent for message in found.messages)


def test_the_trace_is_followed_as_it_grows():
    sim = simulated(1, None)
    before = sim.why("b", "count", ()).root
    sim.run(for_s=1.0)
    after = sim.why("b", "count", ()).root
    assert (after.tick > before.tick, after.time > before.time) == (True, True)
    assert sim.why("b", "count", (), time=before.time).root == before
