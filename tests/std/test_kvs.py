"""The key-value store of one node, and clients of it over a network."""

from __future__ import annotations

from functools import partial

import anyio
import pytest

from bloompy import Node, rule
from bloompy.sim import Faults, Simulation
from bloompy.std import KeyValueClient, KeyValueServer, KeyValueStore
from tests.std.scenarios import campaign, finds, linearizable_store, told
from tests.std.stepping import Stepped

MIX = Faults.mix(crashes=2)


def answers(store: KeyValueStore) -> dict:
    """The responses of the last tick."""
    return {row.request: row.value for row in store.response}


def test_a_put_is_read_from_the_next_tick_on(evaluator: str) -> None:
    store = KeyValueStore(evaluator=evaluator)
    store.put.insert((1, "k", "v"))
    store.get.insert((2, "k"))
    store.tick()
    assert answers(store) == {1: "v", 2: None}
    store.get.insert((3, "k"))
    store.tick()
    assert answers(store) == {3: "v"}


def test_a_delete_leaves_nothing_and_comes_before_the_puts_of_its_tick() -> None:
    store = KeyValueStore()
    store.put.insert((1, "k", "v"), (2, "j", "w"))
    store.tick()
    store.delete.insert((3, "k"), (4, "j"))
    store.put.insert((5, "j", "x"))
    store.tick()
    assert answers(store) == {3: None, 4: None, 5: "x"}
    store.tick()
    assert store.store.rows() == {("j", "x")}


def test_of_two_puts_of_a_tick_the_greater_request_stays_and_both_are_answered() -> None:
    store = KeyValueStore()
    store.put.insert((1, "k", "z"), (2, "k", "a"))
    store.tick()
    assert answers(store) == {1: "z", 2: "a"}
    store.tick()
    assert store.store.rows() == {("k", "a")}


def test_what_was_answered_is_there_after_a_crash() -> None:
    node = Stepped(KeyValueStore, "a")
    node["a"].put.insert((1, "k", "v"))
    node.tick("a")
    assert node.out("response") == [(1, "k", "v")]
    node.crash("a")
    node.start("a")
    assert node["a"].store.rows() == {("k", "v")}


def test_a_request_is_applied_once_however_often_it_comes() -> None:
    """A put that the network repeats after the put of another client must not come back."""
    sim = Simulation()
    sim.add(KeyValueServer, "s")
    one, other = (sim.add(KeyValueClient, name) for name in ("c1", "c2"))
    hold = sim.hold("s", "c1")  # c1 hears nothing, and asks again
    one.request.insert((1, "s", "put", "k", "old"))
    sim.run(for_s=0.1)
    other.request.insert((1, "s", "put", "k", "new"))
    sim.run(for_s=2)
    hold.release()
    sim.run(for_s=2)
    assert sim["s"].store.rows() == {("k", "new")}
    assert [one.row for one in told(sim, "response", "c1")] == [(1, "k", "old")]


def test_a_server_is_linearizable_under_faults() -> None:
    campaign(partial(linearizable_store, server=KeyValueServer, client=KeyValueClient), 12, MIX)


class Forgetful(KeyValueServer):
    """Answers some puts without storing them."""

    @rule
    def write(self) -> None:
        self.store <+- ((p.key, p.value) for p in self.put if not p.value.endswith("1"))


def test_a_store_that_loses_writes_is_found_out() -> None:
    assert finds(partial(linearizable_store, server=Forgetful, client=KeyValueClient), 10, MIX) is not None


@pytest.mark.slow
def test_a_server_is_linearizable_for_long() -> None:
    faults = Faults.mix(crashes=4, partitions=3, disk_errors=1)
    campaign(partial(linearizable_store, server=KeyValueServer, client=KeyValueClient, operations=12), 150, faults, 1_000)


async def over_tcp() -> list:
    async with (
        Node(KeyValueServer(), listen="127.0.0.1:0") as server,
        Node(KeyValueClient(), listen="127.0.0.1:0") as client,
    ):
        values = []
        for no, (op, value) in enumerate([("get", None), ("put", "v"), ("get", None), ("delete", None), ("get", None)]):
            row = await client.call("request", (no, server.address, op, "k", value), reply="response", timeout_s=20)
            values.append(row.value)
        return values


def test_clients_use_a_server_over_tcp() -> None:
    assert anyio.run(over_tcp) == [None, "v", "v", None, None]
