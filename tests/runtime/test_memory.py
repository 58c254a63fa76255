"""Nodes on a network in memory."""

from __future__ import annotations

import asyncio

import pytest

from bloompy import Node
from bloompy.errors import TransportError, UsageError
from bloompy.runtime.limits import Limits
from bloompy.transports.memory import MemoryNetwork
from tests.runtime.programs import KeyValue, Protocol
from tests.runtime.waiting import until

pytestmark = pytest.mark.anyio


async def test_request_and_reply() -> None:
    network = MemoryNetwork()
    async with Node(KeyValue(), transport=network.join("server")) as server, Node(Protocol(), transport=network.join("client")) as client:
        assert (server.address, client.program.me) == ("server", "client")
        reply = await client.call("put", ("server", "client", 1, "k", (1, frozenset({2}))), reply="stored")
        assert reply == ("client", "server", 1, (1, frozenset({2})))


async def test_a_run_is_the_same_every_time() -> None:
    async def run() -> list[tuple[int, object]]:
        network, order = MemoryNetwork(), []
        async with Node(KeyValue(), transport=network.join("server")) as server:
            server.program.put.on_insert(lambda row: order.append((server.program.step, row)))
            clients = [Node(Protocol(), transport=network.join(f"c{i}")) for i in range(4)]
            for client in clients:
                await client.__aenter__()
            calls = [
                client.call("put", ("server", client.address, number, f"{client.address} {number}", 0), reply="stored")
                for number in range(5)
                for client in clients
            ]
            await asyncio.gather(*calls)
            for client in reversed(clients):
                await client.__aexit__(None, None, None)
        return order

    assert await run() == await run()


async def test_an_address_is_taken_once_and_free_again_after_the_node() -> None:
    network = MemoryNetwork()
    async with Node(KeyValue(), transport=network.join("a")):
        with pytest.raises(TransportError, match="'a' is taken"):
            async with Node(KeyValue(), transport=network.join("a")):
                pass
    async with Node(KeyValue(), transport=network.join("a")):
        pass


async def test_messages_to_nobody_are_dropped() -> None:
    network = MemoryNetwork()
    async with Node(Protocol(), transport=network.join("client")) as client:
        client._running().outbox.add("put", [("nobody", "client", 1, "k", "v")])
        client._running().outbox.flush()
        assert client.dropped == 1


async def test_a_full_mailbox_keeps_frames_waiting() -> None:
    network, limits = MemoryNetwork(), Limits(mailbox_rows=10, tick_rows=5)
    async with Node(KeyValue(), transport=network.join("server"), limits=limits) as server, Node(
        Protocol(), transport=network.join("client")
    ) as client:
        for number in range(200):
            client._running().outbox.add("put", [("server", "client", number, f"k{number}", 0)])
            client._running().outbox.flush()
        await until(lambda: len(server.program.data) == 200)
        assert server.counters.ticks >= 40


def test_nodes_in_threads_of_their_own() -> None:
    network = MemoryNetwork()
    with Node(KeyValue(), transport=network.join("server")), Node(Protocol(), transport=network.join("client")) as client:
        assert client.call_sync("put", ("server", "client", 1, "k", "v"), reply="stored").value == "v"


def test_a_transport_has_its_own_settings() -> None:
    with pytest.raises(UsageError, match="a transport has its own listen"):
        Node(Protocol(), listen="127.0.0.1:0", transport=MemoryNetwork().join("a"))
