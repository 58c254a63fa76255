"""TCP: whatever comes in, the node goes on; who may come in; peers that go and return."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bloompy import Node
from bloompy.errors import AuthenticationError, CallTimeout, TransportError, UsageError, WireError
from bloompy.runtime.limits import Limits
from bloompy.transports.addresses import split_address
from bloompy.transports.authentication import ACCEPTED, Caller, Seal
from bloompy.transports.framing import prefixed
from bloompy.transports.tls import TLS
from tests.runtime.programs import KeyValue, Protocol
from tests.runtime.waiting import until

pytestmark = pytest.mark.anyio


async def works(server: Node[Any], **options: Any) -> None:
    """The server serves an honest client."""
    async with Node(Protocol(), listen="127.0.0.1:0", **options) as client:
        reply = await client.call("put", (server.address, client.address, 1, "k", "v"), reply="stored")
        assert reply.value == "v"


class Raw:
    """A peer that may send anything."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def frame(self) -> bytes:
        return await self.reader.readexactly(int.from_bytes(await self.reader.readexactly(4), "big"))

    def send(self, frame: bytes) -> None:
        self.writer.write(prefixed(frame))

    async def prove(self, secret: bytes | None = None) -> Seal:
        caller = Caller(secret, "127.0.0.1:9")
        self.send(caller.hello)
        proof, seal = caller.answer(await self.frame())
        self.send(proof)
        assert await self.frame() == ACCEPTED
        return seal

    async def ended(self) -> None:
        """Wait until the node has ended the connection."""
        try:
            while await self.reader.read(1000):
                pass
        except ConnectionError:
            pass


@asynccontextmanager
async def raw(node: Node[Any]) -> AsyncIterator[Raw]:
    peer = Raw(*await asyncio.open_connection(*split_address(node.address)))
    try:
        yield peer
    finally:
        peer.writer.close()


@pytest.mark.parametrize("secret", [None, "a secret"])
async def test_request_and_reply(secret: str | None) -> None:
    async with Node(KeyValue(), listen="127.0.0.1:0", secret=secret) as server:
        await works(server, secret=secret)
        assert server.counters.refused == {}
        assert server.program.data.get("k") == ("k", "v")
        assert server.program.me == server.address


# --- what comes in ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n\r\n", b"\x00\x00\x00\x05hello", b"\xff" * 100, prefixed(b""), prefixed(msgspec.msgpack.encode(["bloompy", 2, "", b"x" * 32]))]
)
async def test_strangers_are_refused(data: bytes) -> None:
    async with Node(KeyValue(), listen="127.0.0.1:0") as server:
        async with raw(server) as peer:
            peer.writer.write(data)
            await peer.ended()
        assert server.counters.refused == {"malformed": 1}
        await works(server)


@pytest.mark.parametrize(
    ("reason", "pairs"),
    [
        ("malformed", 5),
        ("malformed", [["put"]]),
        ("malformed", {"put": []}),
        ("undeclared", [["nothing", [[1]]]]),
        ("undeclared", [["data", [["k", "v"]]]]),
        ("unfit", [["put", [["a", "b", "1", "k", "v"]]]]),
        ("unfit", [["put", [["a", "b", 1, "k"]]]]),
        ("unfit", [["put", [["a", "b", 1, "k", {"a": "dict"}]]]]),
        ("oversized", [["put", [["a", "b", i, "k", "v"] for i in range(11)]]]),
    ],
)
async def test_bad_frames_are_refused_and_the_connection_lives(reason: str, pairs: Any) -> None:
    async with Node(KeyValue(), listen="127.0.0.1:0", limits=Limits(frame_rows=10)) as server, raw(server) as peer:
        await peer.prove()
        peer.send(msgspec.msgpack.encode(pairs))
        peer.send(msgspec.msgpack.encode([["put", [[server.address, "127.0.0.1:9", 1, "good", "row"]]]]))
        await until(lambda: "good" in server.program.data)
        assert server.counters.refused == {reason: 1}
        assert len(server.program.data) == 1


async def test_an_oversized_frame_ends_its_connection_only() -> None:
    async with Node(KeyValue(), listen="127.0.0.1:0", limits=Limits(frame_bytes=1000)) as server:
        async with raw(server) as peer:
            await peer.prove()
            peer.writer.write((2000).to_bytes(4, "big"))
            await peer.ended()
        assert server.counters.refused == {"oversized": 1}
        await works(server)


async def test_rows_too_large_for_a_frame_are_set_aside_by_the_sender() -> None:
    async with Node(KeyValue(), listen="127.0.0.1:0") as server, Node(
        Protocol(), listen="127.0.0.1:0", limits=Limits(frame_bytes=1000)
    ) as client:
        with pytest.raises(WireError, match="a frame holds"):
            await client.call("put", (server.address, client.address, 1, "k", "v" * 2000), reply="stored")
        await until(lambda: len(client.program.dead_letter) == 1)
        (letter,) = client.program.dead_letter
        assert letter.channel == "put"
        assert "a frame holds" in letter.error


async def test_too_many_connections_are_refused() -> None:
    async with Node(KeyValue(), listen="127.0.0.1:0", limits=Limits(connections=2)) as server:
        async with raw(server) as first, raw(server) as second:
            await first.prove()
            await second.prove()
            async with raw(server) as third:
                await third.ended()
            assert server.counters.refused == {"overloaded": 1}
        await until(lambda: not server._transport.incoming)  # type: ignore[attr-defined]
        await works(server)


async def test_a_peer_that_does_not_prove_itself_is_sent_away() -> None:
    async with Node(KeyValue(), listen="127.0.0.1:0", limits=Limits(handshake_s=0.05)) as server:
        async with raw(server) as silent:
            await silent.ended()
        assert server.counters.refused == {"unauthenticated": 1}


async def test_a_fast_peer_waits_and_loses_nothing() -> None:
    async with Node(KeyValue(), listen="127.0.0.1:0", limits=Limits(frames_per_s=100)) as server, raw(server) as peer:
        await peer.prove()
        for i in range(150):
            peer.send(msgspec.msgpack.encode([["put", [[server.address, "127.0.0.1:9", i, f"k{i}", i]]]]))
        await until(lambda: len(server.program.data) == 150)
        assert server._transport.slowed > 0  # type: ignore[attr-defined]
        assert server.counters.refused == {}


async def test_a_full_mailbox_makes_peers_wait_and_loses_nothing() -> None:
    async with Node(KeyValue(), listen="127.0.0.1:0", limits=Limits(mailbox_rows=10, tick_rows=5)) as server, Node(
        Protocol(), listen="127.0.0.1:0"
    ) as client:
        reading: list[bool] = []
        pause = server._transport.pause

        def watched() -> None:
            pause()
            reading.extend(peer._transport.is_reading() for peer in server._transport.incoming)  # type: ignore[attr-defined]

        server._transport.pause = watched  # type: ignore[method-assign]
        replies = await asyncio.gather(
            *(client.call("put", (server.address, client.address, i, f"k{i}", i), reply="stored") for i in range(300))
        )
        assert [reply.value for reply in replies] == list(range(300))
        assert reading
        assert not any(reading)
        assert server.counters.refused == {}


# --- who may come in --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ours", "theirs"), [("a", "b"), ("a", None), (None, "b")])
async def test_nodes_of_different_secrets_do_not_talk(ours: str | None, theirs: str | None) -> None:
    async with Node(KeyValue(), listen="127.0.0.1:0", secret=ours) as server, Node(
        Protocol(), listen="127.0.0.1:0", secret=theirs
    ) as client:
        with pytest.raises(CallTimeout):
            await client.call("put", (server.address, client.address, 1, "k", "v"), reply="stored", timeout_s=0.3)
        assert client.counters.refused["unauthenticated"] > 0
        assert len(server.program.data) == 0
        await works(server, secret=ours)


async def test_a_listener_refuses_a_caller_that_goes_on_without_proof() -> None:
    async with Node(KeyValue(), listen="127.0.0.1:0", secret="a") as server:
        async with raw(server) as peer:
            peer.send(Caller(None, "").hello)
            await peer.frame()
            peer.send(b"")
            await peer.ended()
        assert server.counters.refused == {"unauthenticated": 1}


async def test_a_frame_without_its_tag_ends_the_connection() -> None:
    async with Node(KeyValue(), listen="127.0.0.1:0", secret="a") as server:
        async with raw(server) as peer:
            seal = await peer.prove(b"a")
            frame = msgspec.msgpack.encode([["put", [[server.address, "127.0.0.1:9", 1, "k", "v"]]]])
            peer.send(seal.close(frame))
            await until(lambda: "k" in server.program.data)
            peer.send(frame)
            await peer.ended()
        assert server.counters.refused == {"unauthenticated": 1}


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "192.0.2.1:4000"])
async def test_off_loopback_a_secret_is_compulsory(listen: str) -> None:
    with pytest.raises(AuthenticationError, match="can be reached from other machines") as caught:
        async with Node(KeyValue(), listen=listen):
            pass
    assert caught.value.code == "BLM403"
    assert "secret" in str(caught.value.hint)


async def test_all_interfaces_are_no_address() -> None:
    with pytest.raises(TransportError, match="no peer can call it") as caught:
        async with Node(KeyValue(), listen="0.0.0.0:0", secret="a"):
            pass
    assert "me=" in str(caught.value.hint)


async def test_an_address_of_ones_own_is_kept() -> None:
    async with Node(KeyValue(me="127.0.0.1:4321"), listen="127.0.0.1:0", secret="a") as server:
        assert server.address == server.program.me == "127.0.0.1:4321"


@pytest.mark.parametrize("listen", ["4000", "host", "host:", "host:99999", ":80", "host:-1"])
async def test_a_malformed_address_is_named(listen: str) -> None:
    with pytest.raises(TransportError, match="is no address"):
        async with Node(KeyValue(), listen=listen):
            pass


async def test_a_port_in_use_is_named() -> None:
    async with Node(KeyValue(), listen="127.0.0.1:0") as first:
        with pytest.raises(TransportError, match=f"cannot listen on {first.address}"):
            async with Node(KeyValue(), listen=first.address):
                pass
        await works(first)


@pytest.mark.parametrize("secret", ["", 5])
def test_a_secret_is_not_empty(secret: Any) -> None:
    with pytest.raises(UsageError, match="a secret is a str or bytes that is not empty"):
        Node(KeyValue(), listen="127.0.0.1:0", secret=secret)


def test_a_secret_shows_nowhere() -> None:
    node = Node(KeyValue(), listen="127.0.0.1:0", secret="hunter2")
    assert "hunter2" not in f"{node!r} {node._transport!r}"


# --- peers that go and return -----------------------------------------------------------------------------------


async def test_a_message_to_a_peer_that_comes_up_later_arrives() -> None:
    async with Node(KeyValue(), listen="127.0.0.1:0") as first:
        address = first.address
    async with Node(Protocol(), listen="127.0.0.1:0") as client:
        call = asyncio.create_task(client.call("put", (address, client.address, 1, "k", "v"), reply="stored"))
        await asyncio.sleep(0.1)
        assert not call.done()
        async with Node(KeyValue(), listen=address):
            assert (await call).value == "v"


async def test_a_peer_that_returns_is_found_again() -> None:
    async with Node(Protocol(), listen="127.0.0.1:0") as client:
        address = "127.0.0.1:0"
        for number in range(3):
            async with Node(KeyValue(), listen=address) as server:
                address = server.address
                await client.call("put", (address, client.address, number, "k", "v"), reply="stored")
        assert client.dropped == 0


async def test_a_peer_that_cannot_be_reached_is_given_up() -> None:
    async with Node(KeyValue(), listen="127.0.0.1:0") as gone:
        address = gone.address
    async with Node(Protocol(), listen="127.0.0.1:0", limits=Limits(reach_s=0.05)) as client:
        with pytest.raises(CallTimeout):
            await client.call("put", (address, client.address, 1, "k", "v"), reply="stored", timeout_s=0.3)
        await until(lambda: client.dropped == 1)
        assert not client._transport._outgoing  # type: ignore[attr-defined]


async def test_a_full_queue_drops() -> None:
    async with Node(KeyValue(), listen="127.0.0.1:0") as gone:
        address = gone.address
    async with Node(Protocol(), listen="127.0.0.1:0", limits=Limits(outgoing_bytes=1000)) as client:
        calls = [
            asyncio.create_task(client.call("put", (address, client.address, i, "k", "v" * 100), reply="stored", timeout_s=0.5))
            for i in range(3)
        ]
        await asyncio.gather(*calls, return_exceptions=True)
        client._transport.send(address, b"x" * 900)
        assert client.dropped == 1


async def test_what_was_sent_before_the_end_arrives() -> None:
    async with Node(KeyValue(), listen="127.0.0.1:0") as server:
        async with Node(Protocol(), listen="127.0.0.1:0") as client:
            client._running().outbox.add("put", [(server.address, client.address, i, f"k{i}", "v" * 1000) for i in range(2000)])
            client._running().outbox.flush()
        await until(lambda: len(server.program.data) == 2000)


async def test_no_address_is_counted() -> None:
    async with Node(Protocol(), listen="127.0.0.1:0") as client:
        with pytest.raises(CallTimeout):
            await client.call("put", ("nowhere", client.address, 1, "k", "v"), reply="stored", timeout_s=0.1)
        assert client.counters.refused == {"unreachable": 1}
        assert client.dropped == 1


# --- TLS --------------------------------------------------------------------------------------------------------


def contexts(directory: Path, *, certificates: bool) -> TLS:
    """A certificate made for this test, trusted by both sides."""
    key, certificate = directory / "key.pem", directory / "cert.pem"
    command = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    try:
        subprocess.run(["openssl", *command.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("needs the openssl command to make a certificate")
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=str(certificate))
    server.load_cert_chain(certificate, key)
    if certificates:
        server.verify_mode = ssl.CERT_REQUIRED
        server.load_verify_locations(certificate)
        client.load_cert_chain(certificate, key)
    return TLS(server, client)


async def test_tls(tmp_path: Path) -> None:
    tls = contexts(tmp_path, certificates=False)
    async with Node(KeyValue(), listen="127.0.0.1:0", tls=tls, secret="a") as server:
        await works(server, tls=tls, secret="a")
        async with raw(server) as peer:
            peer.send(Caller(b"a", "").hello)
            await peer.ended()
    with pytest.raises(AuthenticationError, match="can be reached from other machines"):
        async with Node(KeyValue(me="127.0.0.1:1"), listen="0.0.0.0:0", tls=tls):
            pass


async def test_tls_with_certificates_needs_no_secret(tmp_path: Path) -> None:
    tls = contexts(tmp_path, certificates=True)
    assert tls.authenticates
    async with Node(KeyValue(), listen="127.0.0.1:0", tls=tls) as server:
        await works(server, tls=tls)
