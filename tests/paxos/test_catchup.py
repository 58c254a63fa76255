"""Replicas that were away: by the log, by a snapshot, after several truncations, and with what they had on disk."""

from __future__ import annotations

from typing import Any

import pytest

from bloompy.sim import Simulation
from tests.paxos.groups import ABC, Customer, applied, eventually, group, leader, one
from tests.paxos.judge import Judge


def write(x: Customer, replica: str, first: int, count: int) -> None:
    """Write so many values, one after the other."""
    for number in range(first, first + count):
        assert x.now(replica, "write", ("put", f"k{number % 5}", number)) == number


def behind(sim: Simulation, **parameters: Any) -> tuple[Any, Any, Customer]:
    """A leader, a follower that is down, and a customer."""
    Judge(sim)
    nodes = group(sim, **parameters)
    x = Customer(sim, "x")
    head = leader(sim, nodes)
    write(x, head.address, 0, 3)
    sim.run(for_s=0.2)
    lagging = next(node for node in nodes if node is not head)
    lagging.crash()
    return head, lagging, x


def count_snapshots(sim: Simulation) -> int:
    return sum(len(event.tick.sent.get("log.snapshot", ())) for event in sim.trace.events if event.tick is not None)


def level(head: Any, *others: Any) -> bool:
    """Whether they have applied the same, and the same is in their tables."""
    return all(applied(one_of) == applied(head) and one_of.program.kvs.store.rows() == head.program.kvs.store.rows()
               and one_of.program.journal.rows() == head.program.journal.rows() for one_of in others)  # fmt: skip


def test_a_replica_that_missed_something_learns_it_from_the_log(sim: Simulation) -> None:
    head, lagging, x = behind(sim)
    write(x, head.address, 3, 20)
    lagging.restart()
    eventually(sim, lambda: level(head, lagging), 0.5, "it has all")
    assert count_snapshots(sim) == 0


def test_a_replica_that_missed_more_than_is_kept_gets_a_snapshot(sim: Simulation) -> None:
    head, lagging, x = behind(sim, keep=3)
    write(x, head.address, 3, 20)
    sim.run(for_s=0.2)
    assert min(row.slot for row in head.program.log.decided) > applied_on_disk(lagging) + 1
    lagging.restart()
    eventually(sim, lambda: level(head, lagging), 0.5, "it has all")
    assert count_snapshots(sim) > 0
    write(x, head.address, 30, 3)
    eventually(sim, lambda: level(head, lagging), 0.5, "and goes on")


def applied_on_disk(node: Any) -> int:
    rows = (node.on_disk() or {}).get("log.applied", [])
    return int(rows[0][0]) if rows else 0


def test_a_replica_that_is_away_again_and_again_catches_up_each_time(sim: Simulation) -> None:
    head, lagging, x = behind(sim, keep=3)
    for turn in range(1, 4):
        write(x, head.address, 10 * turn, 10)
        sim.run(for_s=0.2)
        lagging.restart()
        eventually(sim, lambda: level(head, lagging), 0.5, f"it has all, time {turn}")
        if turn % 2:
            lagging.power_loss()
        else:
            lagging.crash()
    assert count_snapshots(sim) >= 3


def test_a_partial_snapshot_is_not_taken_for_a_whole_one(sim: Simulation) -> None:
    """What arrives of one is kept until the rest comes; the state never is a mixture."""
    head, lagging, x = behind(sim, keep=3)
    write(x, head.address, 3, 10)
    sim.run(for_s=0.2)
    lagging.restart()
    sim.run(for_s=0.001)
    before = applied(lagging)
    ahead = applied(head) + 5
    lagging.driver.receive("stranger", head.driver._codec.encode(  # a header without its pieces
        {"log.snapshot": [(lagging.address, ahead, 99, (ABC, ABC, 0), 4)]}, 10_000, print).__iter__().__next__())  # fmt: skip
    sim.run(for_s=0.3)
    assert before <= applied(lagging) < ahead
    write(x, head.address, 20, 8)
    eventually(sim, lambda: level(head, lagging), 8, "it has all, though it waits for the rest of that snapshot first")


def test_what_nobody_needs_is_forgotten(sim: Simulation) -> None:
    Judge(sim)
    nodes = group(sim, keep=8)
    x = Customer(sim, "x")
    head = leader(sim, nodes)
    write(x, head.address, 0, 40)
    sim.run(for_s=0.2)
    for node in nodes:
        slots = {row.slot for row in node.program.log.decided}
        assert max(slots) == applied(node)
        assert 8 <= len(slots) <= 8 + 2
        assert {row.slot for row in node.program.log.vote} <= slots
        assert one(node.program.log.truncated).slot == min(slots) - 1
        assert not list(node.program.log.proposal)
        assert not list(node.program.log.voter)


@pytest.mark.parametrize("power", [False, True])
def test_all_restart_and_go_on_where_they_were(power: bool) -> None:
    sim = Simulation(2, trace=False)
    judge = Judge(sim)
    nodes = group(sim, keep=4)
    x = Customer(sim, "x")
    head = leader(sim, nodes)
    write(x, head.address, 0, 12)
    for node in nodes:
        node.crash(power_loss=power)
    for node in nodes:
        node.restart()
    head = leader(sim, nodes)
    assert x.now(head.address, "read", ("get", "k1")) == 11
    assert x.now(head.address, "write", ("put", "k1", "more")) == "more"
    eventually(sim, lambda: level(head, *nodes), 1, "all have all")
    judge.check_once()
    assert len(one_run(judge)) == 13


def one_run(judge: Judge) -> list[int]:
    """The indexes of the commands, which have no gaps."""
    found = sorted(judge.commands)
    assert found == list(range(1, len(found) + 1))
    return found


def test_a_leader_that_lags_catches_up_before_it_proposes(sim: Simulation) -> None:
    """It may lead with the promises of those who have more than it has."""
    judge = Judge(sim)
    nodes = group(sim, keep=3, window=8)
    x = Customer(sim, "x")
    head = leader(sim, nodes)
    a, b = (node for node in nodes if node is not head)
    sim.partition({a.address}, {head.address, b.address})
    write(x, head.address, 0, 7)  # few enough to be favoured, more than are kept
    sim.run(for_s=0.2)
    b.crash()
    sim.heal()
    head.crash()
    b.restart()
    b.pause(0.0)
    eventually(sim, lambda: leader_of(nodes) is not None, 3, "a leader")
    new = leader_of(nodes)
    assert x.now(new.address, "read", ("get", "k1"), within_s=2) == 6
    assert x.now(new.address, "write", ("put", "k1", "more"), within_s=2) == "more"
    eventually(sim, lambda: level(new, a, b), 2, "both have all")
    judge.check_once()


def leader_of(nodes: Any) -> Any:
    return next((node for node in nodes if node.up and len(node.program.log.leads)), None)
