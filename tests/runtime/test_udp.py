"""Nodes that talk by datagrams."""

from __future__ import annotations

import asyncio
import socket
from contextlib import closing

import pytest

from bloompy import Node
from bloompy.errors import AuthenticationError, CallTimeout, TransportError, WireError
from bloompy.transports.addresses import split_address
from bloompy.transports.udp import DATAGRAM_BYTES, UdpTransport
from tests.runtime.programs import KeyValue, Protocol
from tests.runtime.waiting import until

pytestmark = pytest.mark.anyio


def udp(secret: bytes | None = None) -> UdpTransport:
    return UdpTransport("127.0.0.1:0", secret=secret)


@pytest.mark.parametrize("secret", [None, b"a secret"])
async def test_request_and_reply(secret: bytes | None) -> None:
    async with Node(KeyValue(), transport=udp(secret)) as server, Node(Protocol(), transport=udp(secret)) as client:
        reply = await client.call("put", (server.address, client.address, 1, "k", "v"), reply="stored")
        assert reply.value == "v"


async def test_a_datagram_is_never_larger_than_it_says() -> None:
    sizes: list[int] = []
    async with Node(KeyValue(), transport=udp()) as server, Node(Protocol(), transport=udp()) as client:
        take = server._transport.take  # type: ignore[attr-defined]
        server._transport.take = lambda datagram, peer: (sizes.append(len(datagram)), take(datagram, peer))  # type: ignore[attr-defined]
        client._running().outbox.add("put", [(server.address, client.address, i, f"k{i}", "x" * 50) for i in range(60)])
        client._running().outbox.flush()
        await until(lambda: len(server.program.data) == 60)
    assert 1 < len(sizes) < 60
    assert max(sizes) <= DATAGRAM_BYTES


async def test_a_row_that_does_not_fit_is_set_aside() -> None:
    async with Node(KeyValue(), transport=udp()) as server, Node(Protocol(), transport=udp()) as client:
        with pytest.raises(WireError, match="a frame holds"):
            await client.call("put", (server.address, client.address, 1, "k", "x" * DATAGRAM_BYTES), reply="stored")
        await until(lambda: len(client.program.dead_letter) == 1)
        (letter,) = client.program.dead_letter
        assert "a row of 'put' takes" in letter.error
        assert (await client.call("put", (server.address, client.address, 2, "k", "v"), reply="stored")).value == "v"


@pytest.mark.parametrize(("ours", "theirs"), [(b"a", b"b"), (b"a", None), (None, b"b")])
async def test_nodes_of_different_secrets_do_not_talk(ours: bytes | None, theirs: bytes | None) -> None:
    async with Node(KeyValue(), transport=udp(ours)) as server, Node(Protocol(), transport=udp(theirs)) as client:
        with pytest.raises(CallTimeout):
            await client.call("put", (server.address, client.address, 1, "k", "v"), reply="stored", timeout_s=0.1)
        assert server.counters.refused == {"unauthenticated": 1}


@pytest.mark.parametrize(("data", "reason"), [(b"", "unauthenticated"), (b"x" * 100, "unauthenticated"), (bytes(16) + b"\x05", "malformed")])
async def test_any_datagram_is_survived(data: bytes, reason: str) -> None:
    async with Node(KeyValue(), transport=udp()) as server, Node(Protocol(), transport=udp()) as client:
        with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as stranger:
            stranger.sendto(data, split_address(server.address))
        await until(lambda: server.counters.refused)
        assert server.counters.refused == {reason: 1}
        await client.call("put", (server.address, client.address, 1, "k", "v"), reply="stored")


async def test_a_datagram_for_another_node_is_refused() -> None:
    async with Node(KeyValue(), transport=udp(b"s")) as first, Node(KeyValue(), transport=udp(b"s")) as second:
        taken: list[bytes] = []
        first._transport.take = lambda datagram, peer: taken.append(datagram)  # type: ignore[attr-defined]
        second._transport.send(first.address, b"x")
        await until(lambda: taken)
        second._transport.take(taken[0], "replayed")  # type: ignore[attr-defined]
        assert second.counters.refused == {"malformed": 1}


async def test_off_loopback_a_secret_is_compulsory() -> None:
    with pytest.raises(AuthenticationError, match="can be reached from other machines"):
        async with Node(KeyValue(), transport=UdpTransport("0.0.0.0:0")):
            pass


async def test_a_port_in_use_is_named() -> None:
    async with Node(KeyValue(), transport=udp()) as first:
        with pytest.raises(TransportError, match="cannot listen on"):
            async with Node(KeyValue(), transport=UdpTransport(first.address)):
                pass
        await asyncio.sleep(0)
