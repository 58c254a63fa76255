"""Evaluators used again give the same runs."""

from __future__ import annotations

import pytest

from bloompy.errors import NodeStopped
from bloompy.sim import EvaluatorPool, Faults, Simulation
from tests.sim.programs import Journal, Register


def run(seed: int, pool: EvaluatorPool | None) -> Simulation:
    sim = Simulation(seed, faults=Faults.mix(crashes=3), pool=pool)
    for name in "abc":
        sim.add(Journal, name, peer="b" if name == "a" else "a")
    for name in "de":
        sim.add(Register, name, setup=lambda node: node.peers.insert(*[(one,) for one in "de" if one != node.address]))
    for number in range(8):
        for node in sim.up:
            if node.address in "abc":
                node.put.insert((f"{node.address} {number}",))
        sim.run(for_s=0.2)
    sim.run(for_s=3)
    return sim


def test_runs_with_a_pool_are_those_without() -> None:
    pool = EvaluatorPool()
    for seed in [*range(15), *range(15)]:
        pooled = run(seed, pool)
        pooled.close()
        assert pooled.trace.difference(run(seed, None).trace) is None


def test_nodes_of_a_closed_simulation_cannot_be_looked_at() -> None:
    pool = EvaluatorPool()
    sim = run(0, pool)
    assert len(sim["a"].kept) > 0
    sim.close()
    with pytest.raises(NodeStopped, match="a is in a simulation that was closed"):
        len(sim["a"].kept)


def test_parameters_that_differ_are_not_mixed_up() -> None:
    pool = EvaluatorPool()
    for peer in "bcb":
        sim = Simulation(pool=pool)
        sim.add(Journal, "a", peer=peer)
        other = sim.add(Journal, peer)
        sim["a"].put.insert(("x",))
        sim.settle()
        assert len(other.acked) == 1
        sim.close()
