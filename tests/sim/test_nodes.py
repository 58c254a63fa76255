"""Crashes at every point, disks and what may happen to them, clocks, pauses, restarts."""

from __future__ import annotations

import pytest

from bloompy.errors import NodeStopped, UsageError
from bloompy.sim import Decision, Schedule, Simulation
from tests.sim.programs import Beat, Broadcast, Journal, Ping


def journal(*decisions: tuple[object, ...]) -> Simulation:
    sim = Simulation(schedule=Schedule(tuple(Decision(*one) for one in decisions)))  # type: ignore[arg-type]
    sim.add(Journal, "a", peer="b")
    sim.add(Journal, "b", peer="a")
    return sim


def kept(sim: Simulation) -> list[str]:
    return sorted(row.item for row in sim["a"].kept)


def acked(sim: Simulation) -> list[str]:
    return sorted(row.item for row in sim["b"].acked)


def test_a_restart_keeps_durable_tables_and_no_others() -> None:
    sim = journal()
    a = sim["a"]
    a.put.insert(("x",))
    sim.settle()
    assert (len(a.kept), len(a.seen)) == (1, 1)
    a.crash()
    assert not a.up
    with pytest.raises(NodeStopped, match="a is down"):
        len(a.kept)
    a.restart()
    sim.settle()
    assert (kept(sim), len(a.seen), a.incarnation) == (["x"], 0, 2)


@pytest.mark.parametrize(
    ("point", "how", "after"),
    [
        ("before_sync", "crash", ([], [])),
        ("before_sync", "power", ([], [])),
        ("in_sync", "crash", (["x"], [])),
        ("in_sync", "power", ([], [])),  # torn: found out and cut off
        ("after_sync", "crash", (["x"], [])),
        ("after_sync", "power", (["x"], [])),
        ("send", "crash", (["x"], [])),
        ("tick", "crash", (["x"], ["x"])),
        ("after_sync", "wipe", ([], [])),
    ],
)
def test_a_crash_inside_the_commit_loses_what_was_not_synchronised_and_sends_nothing(
    point: str, how: str, after: tuple[list[str], list[str]]
) -> None:
    number = 2 if point == "tick" else 1  # the first tick of a node starts it
    sim = journal(("crash", ("a", point, number), [1.0, how]))
    sim.settle()
    sim["a"].put.insert(("x",))
    sim.settle()
    assert sim["a"].incarnation == 2
    assert (kept(sim), acked(sim)) == after
    assert sim.counts["crash"] == 1


def test_what_was_safe_before_a_torn_write_is_still_there() -> None:
    sim = journal(("crash", ("a", "in_sync", 3), [0.5, "power"]))
    for item in "xyz":
        sim["a"].put.insert((item,))
        sim.run(for_s=0.1)
    sim.run(for_s=1)
    assert kept(sim) == ["x", "y"]
    sim["a"].put.insert(("w",))
    sim.settle()
    sim["a"].restart()
    assert kept(sim) == ["w", "x", "y"]


def test_a_crash_between_two_frames_reaches_only_some() -> None:
    sim = Simulation(schedule=Schedule((Decision("crash", ("a", "send", 3), [None, "crash"]),)))
    for name in "abcd":
        sim.add(Broadcast, name)
    sim["a"].put.insert(("x",))
    sim.settle()
    assert [len(sim[name].got) for name in "bcd"] == [1, 1, 0]
    assert not sim["a"].up


def test_messages_for_a_node_that_is_down_are_lost_and_old_ones_reach_the_next_incarnation() -> None:
    sim = Simulation(latency_s=1.0)
    a, b = sim.add(Ping, "a"), sim.add(Ping, "b")
    a.put.insert(("b", "to the dead"))
    sim.run(for_s=0.5)
    b.crash(down_s=2.0)
    sim.run(for_s=1.0)
    a.put.insert(("b", "to the living"))
    sim.run(for_s=2.0)
    assert [row.text for row in b.got] == ["to the living"]


def test_setup_runs_at_each_start() -> None:
    sim = Simulation()
    a = sim.add(Ping, "a", setup=lambda node: node.put.insert(("b", f"start {node.incarnation}")))
    b = sim.add(Ping, "b")
    sim.settle()
    a.restart()
    sim.settle()
    assert sorted(row.text for row in b.got) == ["start 1", "start 2"]


# --- disks ------------------------------------------------------------------------------------------------------


def test_a_failed_synchronisation_stops_the_node_and_nothing_of_it_is_sent() -> None:
    sim = journal()
    sim["a"].disk.fail_sync()
    sim["a"].put.insert(("x",))
    sim.settle()
    assert not sim["a"].up
    assert acked(sim) == []
    assert any(event.kind == "stop" and "input/output error" in event.text for event in sim.trace)
    sim["a"].restart()
    sim.settle()
    assert kept(sim) == []


def test_a_full_disk_stops_the_node_until_there_is_room() -> None:
    sim = journal()
    sim["a"].disk.full = True
    sim["a"].put.insert(("x",))
    sim.settle()
    assert not sim["a"].up
    sim["a"].disk.full = False
    sim["a"].restart()
    sim["a"].put.insert(("y",))
    sim.settle()
    assert kept(sim) == ["y"]


def test_bit_rot_is_found_out_wherever_it_is() -> None:
    for position in range(0, 200, 7):
        sim = journal()
        for item in "xyz":
            sim["a"].put.insert((item,))
            sim.run(for_s=0.1)
        sim["a"].crash()
        assert sim["a"].disk.rot(position)
        sim["a"].restart()
        assert not sim["a"].up
        assert any(event.kind == "stop" and "does not have its checksum" in event.text for event in sim.trace)


def test_a_wiped_disk_is_empty() -> None:
    sim = journal()
    sim["a"].put.insert(("x",))
    sim.settle()
    sim["a"].wipe()
    sim["a"].restart()
    sim.settle()
    assert kept(sim) == []
    with pytest.raises(UsageError, match="b2 has no disk"):
        Simulation().add(Ping, "b2").wipe()


def test_the_disk_error_of_a_schedule_stops_and_restarts_the_node() -> None:
    sim = journal(("disk", ("a", 1), ["no space left", 1.0]))
    sim["a"].put.insert(("x",))
    sim.settle()
    assert (sim["a"].incarnation, kept(sim), sim.counts["disk"]) == (2, [], 1)


# --- clocks and pauses ------------------------------------------------------------------------------------------


def test_clocks_may_be_wrong_jump_and_drift() -> None:
    sim = Simulation(schedule=Schedule((Decision("skew", ("b",), 100.0), Decision("drift", ("c",), 2.0))))
    a, b, c = (sim.add(Beat, name) for name in "abc")
    sim.run(until=10.5)
    assert (len(a.beats), len(b.beats), len(c.beats)) == (10, 10, 21)
    assert min(row.time for row in b.beats) == pytest.approx(101.0)
    a.skew(5.0)  # forward: the timers missed fire once
    sim.run(until=12.2)
    assert [round(row.time, 3) for row in sorted(a.beats)][-3:] == [15.5, 16.0, 17.0]
    a.skew(-10.0)  # back: no timer waits longer than its period
    sim.run(until=14.4)
    assert len(a.beats) in (14, 15)
    c.drift(0.5)
    before = len(c.beats)
    sim.run(until=24.4)
    assert len(c.beats) - before == 5
    with pytest.raises(UsageError, match="give a rate"):
        c.drift(0)


def test_a_clock_that_drifts_does_not_spin() -> None:
    sim = Simulation(schedule=Schedule((Decision("drift", ("a",), 1.0000001),)), start_s=1.7e9)
    a = sim.add(Beat, "a")
    sim.run(for_s=100.5)
    assert len(a.beats) == 100
    assert len(sim.trace) < 250


def test_a_paused_node_takes_everything_in_afterwards() -> None:
    sim = Simulation()
    a, b = sim.add(Ping, "a"), sim.add(Ping, "b")
    sim.settle()
    b.pause(10.0)
    for text in "xy":
        a.put.insert(("b", text))
        sim.run(for_s=1.0)
    assert len(b.got) == 0
    sim.run(until=11.0)
    assert sorted((row.step, row.text) for row in b.got) == [(2, "x"), (2, "y")]  # in one tick
