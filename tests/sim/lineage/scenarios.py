"""The classic cases as tests of a simulation: each adds nodes, runs, and says what it expects at the end."""

from __future__ import annotations

from collections.abc import Callable

from bloompy import Bloom
from bloompy.sim import Simulation
from bloompy.sim.lineage import expect
from tests.sim.lineage.programs.commit import ThreePhase, TwoPhase
from tests.sim.lineage.programs.replication import Client, Controller, Replica

Test = Callable[[Simulation], None]


def broadcast(program: type[Bloom], until_s: float = 6.0) -> Test:
    """If anybody who lives has the message, everybody who lives has it."""

    def test(sim: Simulation) -> None:
        for name in "abc":
            sim.add(program, name).member.insert(("a",), ("b",), ("c",))
        sim["a"].said.insert(("hello",))
        sim.run(until=until_s)
        if any("hello" in node.log for node in sim.up):
            for node in sim.up:
                expect(sim, node, "log", "hello")

    return test


def committed(program: type[Bloom], until_s: float) -> Callable[[Simulation], None]:
    """A coordinator and three agents, who are asked to commit one transaction."""

    def run(sim: Simulation) -> None:
        for name in ("c", "x", "y", "z"):
            sim.add(program, name)
        sim["c"].agent.insert(("x",), ("y",), ("z",))
        sim["c"].submit.insert(("t",))
        sim.run(until=until_s)

    return run


def two_phase(sim: Simulation) -> None:
    """Termination: every agent that has prepared and lives comes to a decision."""
    committed(TwoPhase, 8.0)(sim)
    for node in sim.up:
        if "t" in node.prepared:
            expect(sim, node, "decision", "t")


def three_phase(sim: Simulation) -> None:
    """Agreement: whoever lives and has decided has decided alike, and everybody who was asked has decided."""
    committed(ThreePhase, 14.0)(sim)
    agents = [node for node in sim.up if node.address != "c"]
    found = sorted({node.decision["t"].what for node in agents if "t" in node.decision})
    for node in agents:
        if found and "t" in node.asked:
            expect(sim, node, "decision", ("t", found[0]))


def replication(sim: Simulation) -> None:
    """Durability: what was acknowledged is, in the end, in the log of every replica that lives."""
    controller, client = sim.add(Controller, "z"), sim.add(Client, "k")
    controller.replica.insert(("a",), ("b",), ("c",))
    controller.leader.insert(("a",))
    controller.isr.insert(("a",), ("b",), ("c",))
    for name in "abc":
        node = sim.add(Replica, name)
        node.replica.insert(("a",), ("b",), ("c",))
        node.leader.insert(("a", ("a", "b", "c")))
    sim.at(1.2, lambda: client.up and client.put.insert(("a", "e")))
    sim.run(until=16.0)
    if client.up and "e" in client.acked:
        for node in sim.up:
            if node.address in "abc":
                expect(sim, node, "log", "e")
