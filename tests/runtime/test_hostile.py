"""What a stranger, a peer or an unlucky user may do to a node: it goes on, or says what is wrong."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from bloompy import Bloom, Node, channel, periodic, rule, stdio
from bloompy.errors import CallTimeout, NodeStopped, StoreError, TransportError, UsageError, WireError
from bloompy.program import machine_of
from bloompy.runtime.limits import Limits
from bloompy.schema import parse_schema
from bloompy.stores.embedded import EmbeddedStore
from bloompy.stores.keys import key_bytes
from bloompy.stores.memory import MemoryStore
from bloompy.transports.addresses import split_address
from bloompy.transports.rows import RowCodec
from bloompy.transports.udp import UdpTransport
from tests.runtime.programs import Beat, Inverse, KeyValue, Protocol
from tests.runtime.test_driver import Rig
from tests.runtime.test_tcp import raw, works
from tests.runtime.waiting import until

pytestmark = pytest.mark.anyio

HALF = "\ud800"
"""Half a surrogate pair, as file names that are no UTF-8 have in Python: no encoding takes it."""


# --- addresses that peers choose --------------------------------------------------------------------------------


ADDRESSES = ["h:" + "9" * 5000, "..:80", "a\0b:80", "x" * 70 + ":80", HALF + ":80"]


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_that_no_socket_takes_is_none(address: str) -> None:
    with pytest.raises(TransportError, match="is no address") as caught:
        split_address(address)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("address", ADDRESSES[:4])
@pytest.mark.parametrize("udp", [False, True])
async def test_a_reply_to_an_impossible_address_harms_nobody(address: str, udp: bool) -> None:
    def options() -> dict[str, Any]:
        return {"transport": UdpTransport("127.0.0.1:0")} if udp else {"listen": "127.0.0.1:0"}

    async with Node(KeyValue(), **options()) as server, Node(Protocol(), **options()) as client:
        with pytest.raises((CallTimeout, WireError)):
            await client.call("put", (server.address, address, 1, "k", "v"), reply="stored", timeout_s=0.1)
        reply = await client.call("put", (server.address, client.address, 2, "k", "w"), reply="stored")
        assert reply.value == "w"


async def test_a_peer_that_fails_in_an_unforeseen_way_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Node(Protocol(), listen="127.0.0.1:0", limits=Limits(reach_s=0.05)) as node:

        async def refuse(*args: object, **options: object) -> None:
            raise UnicodeError("label too long")

        monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", refuse)
        node._transport.send("example.invalid:1", b"frame")
        await until(lambda: node.dropped == 1)
        assert not node._transport._outgoing  # type: ignore[attr-defined]


# --- strangers --------------------------------------------------------------------------------------------------


async def test_a_hello_of_bad_utf8_is_malformed() -> None:
    hello = msgspec.msgpack.encode(["bloompy", 1, "abcd", b"x" * 32]).replace(b"abcd", b"ab\xff\xff")
    async with Node(KeyValue(), listen="127.0.0.1:0") as server:
        async with raw(server) as peer:
            peer.send(hello)
            await peer.ended()
        assert server.counters.refused == {"malformed": 1}


async def test_strangers_that_only_connect_do_not_keep_peers_out() -> None:
    async with Node(KeyValue(), listen="127.0.0.1:0", limits=Limits(connections=3)) as server, raw(server) as peer, raw(server) as first, raw(server):
        seal = await peer.prove()
        await until(lambda: len(server._transport.incoming) == 3)  # type: ignore[attr-defined]
        await works(server)  # the first of the strangers has to go for it
        await first.ended()
        assert server.counters.refused == {"overloaded": 1}
        peer.send(seal.close(msgspec.msgpack.encode([["put", [[server.address, "", 2, "k2", 2]]]])))
        await until(lambda: server.program.data.get("k2"))


# --- values -----------------------------------------------------------------------------------------------------


def test_half_a_surrogate_pair_is_named() -> None:
    schema = parse_schema("key: str -> value", {"str": str}.__getitem__)
    codec = RowCodec("data", schema)
    for row in [(HALF, 1), ("k", HALF), ("k", (HALF,)), ("k", frozenset([HALF]))]:
        with pytest.raises(WireError, match="surrogates"):
            codec.encode([row])
    with pytest.raises(WireError, match="surrogates"):
        key_bytes("data", schema, HALF)


async def test_a_row_that_cannot_be_sent_fails_its_call_at_once_and_nothing_else() -> None:
    async with Node(KeyValue(), listen="127.0.0.1:0") as server, Node(Protocol(), listen="127.0.0.1:0") as client:
        with pytest.raises(WireError, match="surrogates"):
            await client.call("put", (server.address, client.address, 1, "k", HALF), reply="stored")
        await until(lambda: len(client.program.dead_letter) == 1)
        await client.call("put", (server.address, client.address, 2, "k", "v"), reply="stored")


def test_a_value_with_half_a_surrogate_is_set_aside_by_a_durable_table() -> None:
    class Encoding(MemoryStore):
        """Encodes keys as the embedded store does."""

        def write(self, change: Any) -> None:
            for name, rows in change.upserted.items():
                for row in rows:
                    key_bytes(name, self._schemas[name], row[0])
            super().write(change)

    rig = Rig(KeyValue(), store=Encoding())
    rig.clock.run()
    rig.program.data.insert((HALF, 1), ("k", 2))
    rig.clock.run()
    assert rig.failures == []
    assert [row.key for row in rig.program.data] == ["k"]
    assert len(rig.program.dead_letter) == 1


# --- clock ------------------------------------------------------------------------------------------------------


def test_timers_go_on_when_the_clock_is_set_back() -> None:
    rig = Rig(Beat())
    rig.clock.run(until=1015)
    rig.clock._calls.clear()
    rig.clock.time = 100.0
    rig.driver.turn()  # the loop's own clock has not jumped: its timer comes
    rig.clock.run(until=125)
    assert [row.time for row in rig.program.beats] == [1010.0, 110.0, 120.0]


# --- callbacks --------------------------------------------------------------------------------------------------


def test_callbacks_may_add_callbacks() -> None:
    rig = Rig(Inverse())
    seen: list[Any] = []

    def first(row: Any) -> None:
        rig.program.seen.on_insert(seen.append)
        rig.program.request.on_insert(seen.append)

    rig.program.request.on_insert(first)
    for number in (1, 2):
        rig.receive("request", ("me", "c", number, 1))
        rig.clock.run()
    assert rig.counters.callback_errors == 0
    assert ("me", "c", 2, 1) in seen
    assert (2,) in seen


# --- stores -----------------------------------------------------------------------------------------------------


async def test_a_node_that_did_not_get_a_store_does_not_free_it() -> None:
    store = MemoryStore()
    async with Node(KeyValue(), store=store):
        for _ in range(2):
            with pytest.raises(StoreError, match="in use by another node"):
                async with Node(KeyValue(), store=store):
                    pass


@pytest.mark.parametrize("which", ["", "-wal"])
@pytest.mark.parametrize("replace", [False, True])
async def test_no_change_is_acknowledged_that_went_to_a_removed_file(tmp_path: Path, which: str, replace: bool) -> None:
    path = tmp_path / "state.db"

    async def lose() -> None:
        async with Node(KeyValue(), "127.0.0.1:0", store=path) as node:
            await node.call("put", (node.address, node.address, 1, "k", "v"), reply="stored")
            lost = Path(f"{path}{which}")
            lost.rename(tmp_path / "away")
            if replace:
                lost.write_bytes((tmp_path / "away").read_bytes())
            with pytest.raises(NodeStopped):
                await node.call("put", (node.address, node.address, 2, "k", "w"), reply="stored")
            await node.wait()

    with pytest.raises(StoreError, match="was replaced|cannot be written"):
        await lose()


def test_a_store_is_found_after_a_change_of_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bloompy.engine.tick import Durable

    monkeypatch.chdir(tmp_path)
    store = EmbeddedStore("state.db")
    store.open({"one": parse_schema("key -> value", {}.__getitem__)})
    monkeypatch.chdir(os.sep)
    store.write(Durable(upserted={"one": [("k", 1)]}))
    store.sync()
    assert store.load() == {"one": [("k", 1)]}
    store.close()


class Full:
    """A store whose disk is full after some synchronisations."""

    def __init__(self, syncs: int) -> None:
        self.inner, self.left = MemoryStore(), syncs

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def sync(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise StoreError("disk full")
        self.inner.sync()


# --- start and stop ---------------------------------------------------------------------------------------------


async def test_a_start_that_is_cancelled_lets_go_of_everything(tmp_path: Path) -> None:
    program = KeyValue()
    node = Node(program, "127.0.0.1:0", store=tmp_path / "state.db")
    with anyio.CancelScope() as scope:

        async def start(receiver: object) -> None:
            scope.cancel()
            await anyio.sleep_forever()

        async def close() -> None:
            await anyio.sleep(0.001)  # as where something has still to be sent
            await at_last()
            closed.append(True)

        closed: list[bool] = []
        at_last, node._transport.close = node._transport.close, close  # type: ignore[method-assign]
        node._transport.start = start  # type: ignore[method-assign]
        async with node:
            pass
    assert closed
    assert node._store._connection is None  # type: ignore[union-attr]
    assert machine_of(program).on_stage is None
    async with Node(KeyValue(), node.address, store=tmp_path / "state.db"):
        pass


async def test_a_transport_that_cannot_be_closed_does_not_keep_the_store(tmp_path: Path) -> None:
    node = Node(KeyValue(), "127.0.0.1:0", store=tmp_path / "state.db")

    async def fail() -> None:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        async with node:
            close, node._transport.close = node._transport.close, fail  # type: ignore[method-assign]
    await close()
    async with Node(KeyValue(), store=tmp_path / "state.db"):
        pass


async def test_run_in_a_notebook_says_what_to_do() -> None:
    with pytest.raises(UsageError, match="without a running event loop"):
        Node(Protocol()).run()


def test_run_in_a_thread_says_what_to_do() -> None:
    caught: list[Exception] = []

    def run() -> None:
        try:
            Node(Protocol()).run()
        except Exception as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert "main thread" in str(caught[0])


async def test_plain_with_in_a_running_loop() -> None:
    with Node(KeyValue(), "127.0.0.1:0") as node:
        reply = node.call_sync("put", (node.address, node.address, 1, "k", "v"), reply="stored")
    assert reply.value == "v"


def test_a_call_that_the_loop_took_and_never_began_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    with Node(KeyValue()) as node:

        def take(work: Any, loop: Any) -> Future[Any]:
            work.close()
            node._stop_thread()
            return Future()

        monkeypatch.setattr(asyncio, "run_coroutine_threadsafe", take)
        with pytest.raises(NodeStopped):
            node.call_sync("put", ("a", "b", 1, "k", "v"), reply="stored")


def test_entering_a_running_node_again_does_not_stop_it() -> None:
    with Node(KeyValue(), "127.0.0.1:0") as node:
        with pytest.raises(UsageError, match="a node runs once"), node:
            pass
        assert node.call_sync("put", (node.address, node.address, 1, "k", "v"), reply="stored").value == "v"


@pytest.mark.parametrize("timeout_s", [None, "5", float("nan"), -1])
async def test_a_time_limit_that_is_none_is_named_before_anything_is_sent(timeout_s: Any) -> None:
    async with Node(KeyValue()) as node:
        with pytest.raises(UsageError, match="timeout_s="):
            await node.call("put", ("127.0.0.1:9", "x", 1, "k", "v"), reply="stored", timeout_s=timeout_s)
        assert node.counters.rows_sent == 0


async def test_a_call_with_an_integer_that_cannot_be_printed_times_out() -> None:
    async with Node(Inverse()) as node:
        with pytest.raises(CallTimeout, match="cannot be printed"):
            await node.call("ask", (10**5000, 1), reply="reply", timeout_s=0.05)


def test_a_period_that_no_clock_can_tell_is_named() -> None:
    class Odd(Bloom):
        beat = periodic(1e-310)

    with pytest.raises(UsageError, match="period of 'beat'"):
        Odd().tick()


async def test_a_node_says_what_it_is() -> None:
    node = Node(KeyValue(), "127.0.0.1:0")
    assert repr(node) == "<Node KeyValue at local, not started, 0 ticks>"
    async with node:
        await until(lambda: node.counters.ticks == 1)
        assert repr(node) == f"<Node KeyValue at {node.address}, running, 1 ticks>"
    assert ", stopped, " in repr(node)

    failing = Node(KeyValue(), "127.0.0.1:0", store=Full(0))
    with pytest.raises(StoreError):
        async with failing:
            failing.program.data.insert(("k", 1))
            await failing.wait()
    assert "ended by StoreError" in repr(failing)


# --- the terminal -----------------------------------------------------------------------------------------------


class Echo(Bloom):
    """Prints what it is sent."""

    say = channel("@to: str, text: str")
    out = stdio()

    @rule
    def print_it(self):  # type: ignore[no-untyped-def]
        self.out <~ ((s.text,) for s in self.say)  # noqa: B015


@pytest.mark.parametrize("error", [BrokenPipeError(), UnicodeEncodeError("ascii", "é", 0, 1, "ordinal not in range")])
def test_a_terminal_that_takes_nothing_does_not_end_the_node(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise error

    rig = Rig(Echo())
    monkeypatch.setattr("builtins.print", refuse)
    rig.receive("say", ("me", "é"))
    rig.clock.run()
    assert rig.failures == []
    assert rig.counters.ticks == 1
