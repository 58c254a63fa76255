"""Delayed tables in a simulation: what a crash leaves is what some tick left, and everything that looks back knows which."""
# ruff: noqa: B015
# mypy: disable-error-code="operator"
# fmt: off

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from bloompy import Bloom, channel, interface, invariant, loopback, param, rule, table
from bloompy.runtime.limits import Limits
from bloompy.sim import Decision, Faults, Schedule, SimNode, Simulation
from bloompy.sim.provenance import cluster_of


class Diary(Bloom):
    """Notes what is put in, in a delayed table; what is urgent in a durable one as well, some of it a tick later. Tells a peer."""

    peer = param("b")
    put = interface.input("no: int, urgent: bool")
    soon = loopback("no: int")
    noted = table("no: int", durable="delayed")
    last = table("-> no: int", durable="delayed")
    kept = table("no: int", durable=True)
    told = channel("@to, no: int")
    heard = table("no: int")

    @rule
    def rules(self):
        self.noted <= ((p.no,) for p in self.put)
        self.last <+- ((p.no,) for p in self.put)
        self.soon <~ ((p.no,) for p in self.put if p.urgent)
        self.kept <= self.soon
        self.told <~ ((self.peer, p.no) for p in self.put)
        self.heard <= ((t.no,) for t in self.told)


def held(sim: Simulation, node: SimNode, incarnation: int, until: int) -> dict[str, set[Any]]:
    """What the durable tables held after a tick, with what was pending, by what the trace says of inputs."""
    rows: dict[str, set[Any]] = {"noted": set(), "last": set(), "kept": set()}
    for event in sim.trace:
        if event.kind == "tick" and event.node == node.address and event.incarnation == incarnation and event.step <= until:
            assert event.batch is not None
            for no, _ in event.batch.events.get("put", ()):
                rows["noted"].add((no,))
                rows["last"] = {(no,)}
            rows["kept"] |= {(no,) for (no,) in event.batch.events.get("soon", ())}
    return rows


def merged(first: dict[str, set[Any]], then: dict[str, set[Any]]) -> dict[str, set[Any]]:
    return {name: then[name] or first[name] if name == "last" else first[name] | then[name] for name in first}


class Looking:
    """Compares at every start what a node finds with what it had when it last synchronised."""

    def __init__(self) -> None:
        self.lost = 0
        self.found: dict[int, dict[str, set[Any]]] = {1: {}}
        self.on_disk: dict[str, set[Any]] = {"noted": set(), "last": set(), "kept": set()}

    def __call__(self, node: SimNode) -> None:
        if node.incarnation > 1:
            ended = next(one for one in reversed(node.sim.trace.events) if one.kind == "crash" and one.node == node.address)
            before = node.incarnation - 1
            self.on_disk = merged(self.on_disk, held(node.sim, node, before, ended.stored))
            found = {name: set(map(tuple, getattr(node, name))) for name in self.on_disk}
            assert found == self.on_disk
            self.found[node.incarnation] = {name: rows for name, rows in found.items() if rows}
            all_kept = held(node.sim, node, before, ended.step)["kept"]
            assert all_kept <= found["kept"], "what is durable is there"
            self.lost += ended.stored < ended.step and held(node.sim, node, before, ended.step)["noted"] > found["noted"]


def run(seed: int) -> tuple[Simulation, Looking]:
    looking = Looking()
    sim = Simulation(seed, faults=Faults(crashes=4, power_loss=0.5, down_s=(0.0, 0.2), spare="b"), limits=Limits(delay_s=0.3))
    sim.add(Diary, "a", setup=looking)
    sim.add(Diary, "b", peer="a")
    for number in range(30):
        def insert(number: int = number) -> None:
            if sim["a"].up:
                sim["a"].put.insert((number, sim.chance(0.3)))
        sim.at(sim.integer(0, 3000) / 1000, insert)
    sim.run(until=4.0)
    sim.calm()
    sim.run(until=5.0)
    return sim, looking


def check(seeds: range) -> Counter[str]:
    found: Counter[str] = Counter()
    for seed in seeds:
        sim, looking = run(seed)
        found.update(crash=sim.counts["crash"], lost=looking.lost)
        cluster = cluster_of(sim)
        for incarnation in range(1, sim["a"].incarnation + 1):
            replay = cluster.prover("a", incarnation).replay
            assert {name: set(rows) for name, rows in replay.restored.items() if rows} == looking.found[incarnation]
            for number, tick in enumerate(cluster.runs["a", incarnation].ticks, 1):
                assert {name: set(rows) for name, rows in replay.tick(number).inserted.items()} == {
                    name: set(rows) for name, rows in tick.inserted.items()
                }
        for row in sim["a"].noted:
            assert {fact.collection for fact in sim.why("a", "noted", row).inputs} == {"put"}
    return found


def test_a_crash_leaves_the_tables_of_the_last_synchronisation() -> None:
    found = check(range(12))
    assert found["crash"] > 15
    assert found["lost"] > 3


@pytest.mark.slow
def test_a_crash_leaves_the_tables_of_the_last_synchronisation_in_many_runs() -> None:
    found = check(range(1000, 1400))
    assert found["lost"] > 100


def diary(*decisions: Decision, **limits: float) -> Simulation:
    sim = Simulation(schedule=Schedule(decisions), limits=Limits(**limits))
    sim.add(Diary, "a")
    sim.add(Diary, "b", peer="a")
    return sim


def test_what_was_told_may_be_lost_until_the_delay_is_over() -> None:
    for wait_s, left in ((0.5, set()), (1.5, {(1,)})):
        sim = diary()
        sim["a"].put.insert((1, False))
        sim.run(for_s=wait_s)
        assert set(sim["b"].heard) == {(1,)}
        sim["a"].crash()
        sim["a"].restart()
        assert set(sim["a"].noted) == left


@pytest.mark.parametrize(
    ("point", "how", "left"),
    [("before_sync", "crash", set()), ("in_sync", "crash", {(1,)}), ("in_sync", "power", set()), ("after_sync", "power", {(1,)})],
)
def test_the_synchronisation_of_what_is_delayed_is_a_point_at_which_a_node_can_crash(point: str, how: str, left: set[Any]) -> None:
    sim = diary(Decision("crash", ("a", point, 1), [1.0, how]))
    sim["a"].put.insert((1, False))
    sim.run(until=0.9)
    assert sim["a"].sync_count == 0
    sim.run(until=1.5)
    assert not sim["a"].up
    sim.run(until=3.0)
    assert set(sim["a"].noted) == left


def test_why_leads_to_the_tick_that_is_on_the_disk() -> None:
    sim = diary()
    sim["a"].put.insert((1, False))
    sim.run(for_s=1.5)
    for number in (2, 1):  # what it holds again is another row, of a tick that is lost
        sim["a"].put.insert((number, False))
        sim.run(for_s=0.1)
    sim["a"].crash()
    sim["a"].restart()
    sim.run(for_s=0.1)
    assert set(sim["a"].last) == {(1,)}
    assert [fact.time for fact in sim.why("a", "last", ()).inputs if fact.collection == "put"] == [0.0]


def test_a_disk_that_fails_then_stops_the_node() -> None:
    sim = diary()
    sim["a"].disk.fail_sync()
    sim["a"].put.insert((1, False))
    sim.run(until=2.0)
    assert (sim["a"].up, type(sim["a"].ended_by).__name__) == (False, "StoreError")


def test_a_run_is_the_same_again() -> None:
    assert run(3)[0].trace.digest == run(3)[0].trace.digest


class Watched(Diary):
    """Has what is on disks watched."""

    @invariant(scope="cluster")
    def nothing_is_lost(self):
        (h for h in self.heard if not any(n.no == h.no for n in self.noted))


def test_a_watchdog_sees_what_a_crash_leaves_on_the_disk() -> None:
    from bloompy.errors import InvariantViolation

    sim = Simulation()
    for name, peer in (("a", "b"), ("b", "a")):
        sim.add(Watched, name, peer=peer)
    sim["a"].put.insert((1, False))
    sim.run(for_s=0.2)
    sim["a"].crash()
    sim["b"].put.insert((2, False))
    with pytest.raises(InvariantViolation, match="nothing_is_lost"):
        sim.run(for_s=0.2)
