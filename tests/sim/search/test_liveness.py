"""Goals that must be reached once the faults have ended."""

from __future__ import annotations

import pytest

from bloompy import errors
from bloompy.sim import Faults, Simulation
from bloompy.sim.search.liveness import must
from bloompy.sim.search.running import run_once
from tests.sim.search.programs import Broadcast, Retrying


def cluster(program, faults=None, seed=0):
    sim = Simulation(seed, faults=faults)
    for name in "abc":
        sim.add(program, name, setup=lambda node: node.member.insert(("a",), ("b",), ("c",)))
    sim.run(for_s=0.05)
    return sim


def lacking(sim):
    return [node.address for node in sim if not node.up or (1,) not in node.log]


def test_a_right_protocol_makes_progress_when_the_faults_end():
    for seed in range(10):
        sim = cluster(Retrying, Faults.mix(drop=0.5, spare=["a"]), seed)
        sim["a"].say.insert((1,))
        sim.run(for_s=1)
        assert must(sim, lambda sim=sim: lacking(sim), within_s=5.0) <= 5.0
        assert lacking(sim) == []


def test_a_partition_is_healed_and_nodes_restart():
    sim = cluster(Retrying)
    sim.partition({"a"}, {"b"})
    sim["c"].crash()
    sim["a"].say.insert((1,))
    sim.run(for_s=3)
    assert lacking(sim) == ["b", "c"]
    assert 0 < sim.must(lambda: not lacking(sim), within_s=1.0) < 0.5


def test_what_is_missing_is_said():
    sim = cluster(Broadcast)
    sim.link("a", "b").drop = 1.0
    sim["a"].say.insert((1,))
    sim.run(for_s=1)
    with pytest.raises(errors.NoProgress, match=r"everybody knows: not within 5 s after the faults had stopped; missing: \['b'\]") as caught:
        must(sim, lambda: lacking(sim), within_s=5.0, name="everybody knows")
    assert caught.value.missing == ["b"]
    assert caught.value.hint == "at 6.05 s 3 of 3 nodes are up"
    assert run_once(lambda other: must(other, lambda: False, within_s=1.0, name="x")).kind == ("bloompy.errors.NoProgress", "x")


def test_a_goal_may_be_an_assertion_or_just_say_no():
    sim = cluster(Broadcast)

    def known():
        assert len(sim["b"].log) == 2, "b lacks two"

    with pytest.raises(errors.NoProgress, match="known: not within 1 s after the faults had stopped; missing: b lacks two"):
        must(sim, known, within_s=1.0)
    with pytest.raises(errors.NoProgress, match=r"the goal: not within 1 s after the faults had stopped\nhint"):
        must(sim, lambda: False, within_s=1.0)
    assert must(sim, lambda: None, within_s=1.0) == must(sim, lambda: True, within_s=1.0) == 0.0


def test_a_majority_may_be_enough():
    for seed in range(5):
        sim = cluster(Retrying, seed=seed)
        for node in list(sim):
            node.crash()
        must(sim, lambda: True, within_s=1.0, restart="majority")
        assert len(sim.up) == 2
        must(sim, lambda: True, within_s=1.0, restart="majority")
        assert len(sim.up) == 2
        must(sim, lambda: True, within_s=1.0, restart="none")
        assert len(sim.up) == 2
        must(sim, lambda: True, within_s=1.0)
        assert len(sim.up) == 3


def test_named_nodes_may_restart():
    sim = cluster(Retrying)
    for node in list(sim):
        node.crash()
    must(sim, lambda: True, within_s=1.0, restart=["b"])
    assert [node.address for node in sim.up] == ["b"]
    with pytest.raises(errors.UsageError, match="there is no node z to restart"):
        must(sim, lambda: True, within_s=1.0, restart=["z"])
    with pytest.raises(errors.UsageError, match="restart='some'"):
        must(sim, lambda: True, within_s=1.0, restart="some")


def test_another_error_is_not_taken_for_missing_progress():
    sim = cluster(Broadcast)

    def broken():
        raise ZeroDivisionError("in the goal")

    with pytest.raises(ZeroDivisionError, match="in the goal"):
        must(sim, broken, within_s=1.0)
