"""Clients of a simulation: their history is what happened, right programs pass under faults, wrong ones are found."""

from __future__ import annotations

import threading

import pytest

from bloompy import Node
from bloompy.errors import UsageError
from bloompy.sim import Faults, Simulation
from bloompy.testing.clients import Ask, Clients, Refused
from bloompy.testing.histories import Recorder, linearizable, models
from tests.testing.histories.stores import Forgetful, Protocol, Store

FAULTS = Faults(drop=0.05, duplicate=0.1, delay=0.2, delay_s=(0.0, 0.1), partitions=1, crashes=2, down_s=(0.0, 0.3))


def run(seed, *, faults=FAULTS, program=Store, read="primary", operations=40, keys="xy", schedule=None):
    """Three clients on a primary and a replica; the history of what they did."""
    sim = Simulation(seed=seed, faults=faults, schedule=schedule)
    sim.add(program, "primary", replica="replica")
    sim.add(Store, "replica")
    clients = Clients(sim, Protocol, 3)

    def draw(number):
        key = sim.choose(keys)
        return ("put", (key, number)) if sim.chance(0.5) else ("get", key)

    def ask(client, number, function, argument):
        if function == "put":
            return Ask("put", ("primary", client, number, *argument), "stored")
        return Ask("get", (read, client, number, argument), "found", lambda row: row.value)

    clients.work(operations, draw, ask, timeout_s=0.3, pause_s=0.02)
    sim.settle(limit_s=120)
    return sim, clients.history()


def test_without_faults_every_operation_is_known():
    _, history = run(0, faults=None)
    assert len(history) == 40
    assert all(each.ok for each in history)
    assert {each.process for each in history} == {"client1", "client2", "client3"}
    assert {each.function for each in history} == {"put", "get"}
    assert linearizable(history, models.key_value())


def test_under_faults_a_right_store_is_linearizable():
    unknown, injected = 0, set()
    for seed in range(12):
        sim, history = run(seed)
        unknown += sum(each.unknown for each in history)
        injected |= set(sim.counts)
        linearizable(history, models.key_value()).require()
    assert unknown > 10
    assert injected >= {"drop", "duplicate", "delay", "partition", "crash"}


def test_stale_reads_of_a_replica_are_found():
    wrong = [linearizable(run(seed, read="replica", faults=Faults(delay=0.3, delay_s=(0.0, 0.1)))[1], models.key_value()) for seed in range(5)]
    found = next(result for result in wrong if not result)
    assert found.valid is False
    assert found.operation.function == "get"
    assert "cannot be placed: client" in str(found)


def test_a_put_that_is_done_twice_is_found():
    faults = Faults(duplicate=0.3, delay_s=(0.0, 0.2))
    assert all(linearizable(run(seed, faults=faults, keys="x")[1], models.key_value()) for seed in range(8))
    assert not all(linearizable(run(seed, faults=faults, keys="x", program=Forgetful)[1], models.key_value()) for seed in range(8))


def test_the_same_seed_gives_the_same_history_and_a_schedule_repeats_it():
    sim, history = run(3)
    assert run(3)[1] == history
    assert run(3, schedule=sim.schedule)[1] == history
    assert run(4)[1] != history


def test_what_a_server_refuses_has_failed():
    sim = Simulation()
    sim.add(Store, "primary")
    clients = Clients(sim, Protocol, 1)
    clients.work(1, lambda number: ("put", ("x", 1)), lambda client, n, *_: Ask("put", ("primary", client, n, "x", 1), "stored", lambda row: Refused("full")))
    sim.settle()
    (operation,) = clients.history()
    assert (operation.status, operation.error) == ("fail", "full")


def test_a_client_that_crashes_does_not_know_and_goes_on():
    sim = Simulation()
    sim.add(Store, "primary")
    clients = Clients(sim, Protocol, 1)
    clients.work(3, lambda number: ("put", ("x", number)), lambda client, n, _, put: Ask("put", ("primary", client, n, *put), "stored"), pause_s=0.0)
    sim.at(0.0005, sim["client1"].crash)
    sim.at(0.5, sim["client1"].restart)
    sim.settle()
    assert [each.status for each in clients.history()] == ["info", "ok", "ok"]
    assert clients.history().operations[1].start_s >= 0.5


def test_calls_of_a_real_node_are_recorded():
    recorder = Recorder()

    def work(node, name, first):
        for number in range(first, first + 10):
            key = "xy"[number % 2]
            with recorder.operation(name, "put", (key, number)) as operation:
                node.call_sync("put", (node.address, node.address, 2 * number, key, number), reply="stored", timeout_s=60)
                operation.ok()
            with recorder.operation(name, "get", key) as operation:
                operation.ok(node.call_sync("get", (node.address, node.address, 2 * number + 1, key), reply="found", timeout_s=60).value)

    with Node(Store(), listen="127.0.0.1:0") as node:
        threads = [threading.Thread(target=work, args=(node, f"thread {i}", 100 * i)) for i in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    history = recorder.history()
    assert len(history) == 60
    linearizable(history, models.key_value()).require()


def test_there_is_at_least_one_client():
    with pytest.raises(UsageError, match="0 clients"):
        Clients(Simulation(), Protocol, 0)
