"""The data port among strangers: whatever comes, it drops that connection and goes on serving."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from zlib import crc32

import anyio
import pytest
from anyio.abc import SocketAttribute

from bloompy.errors import AuthenticationError
from bloompy_fs.chunkio import ReplicaFailed, read_replica, write_chunk
from bloompy_fs.chunkstore import BLOCK_BYTES, ChunkStore
from bloompy_fs.dataplane import DataPlane, Events
from bloompy_fs.files import Holder
from bloompy_fs.wire import FRAME_LIMIT_BYTES, Finished, Hop, Read, Stored, Wire, WireFault, Write, connect

SECRET = b"known"
DATA = bytes(range(256)) * 3_000


class Port:
    """A data port, and the events that it told."""

    def __init__(self, address: str, plane: DataPlane, told: list[tuple[Any, ...]]) -> None:
        self.address, self.plane, self.told = address, plane, told
        self.holder = Holder("d0", address, "h")

    async def write(self, chunk: int, data: bytes = DATA, chain: tuple[Hop, ...] = ()) -> Stored:
        async def blocks() -> AsyncIterator[bytes]:
            for start in range(0, len(data), 100_000):
                yield data[start : start + 100_000]

        return await write_chunk(chunk, (Hop("d0", self.address), *chain), blocks, SECRET, 5.0)  # type: ignore[arg-type]

    async def read(self, chunk: int, offset: int = 0, length: int = len(DATA)) -> bytes:
        return b"".join([block async for block in read_replica(self.holder, chunk, offset, length, SECRET, 5.0)])


@asynccontextmanager
async def serving(directory: Path, node: str = "d0", timeout_s: float = 5.0) -> AsyncIterator[Port]:
    told: list[tuple[Any, ...]] = []
    store = ChunkStore(directory)
    events = Events(
        lambda chunk, length: told.append(("stored", chunk, length)),
        lambda chunk, length: told.append(("checked", chunk, length)),
        lambda chunk: told.append(("gone", chunk)),
        lambda chunk, length: told.append(("damaged", chunk, length)),
    )
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as group:
        plane = DataPlane(node, store, events, SECRET, timeout_s)
        group.start_soon(listener.serve, plane.serve)
        yield Port(f"127.0.0.1:{listener.extra(SocketAttribute.local_port)}", plane, told)
        group.cancel_scope.cancel()


def test_a_chunk_goes_down_a_chain_and_each_says_that_it_has_it(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path / "0") as first, serving(tmp_path / "1", "d1") as second, serving(tmp_path / "2", "d2") as third:
            stored = await first.write(5, chain=(Hop("d1", second.address), Hop("d2", third.address)))
            assert stored == Stored(("d0", "d1", "d2"))
            for port in (first, second, third):
                assert port.told == [("stored", 5, len(DATA))]
                assert await port.read(5) == DATA
            assert await second.read(5, BLOCK_BYTES - 1, 2) == DATA[BLOCK_BYTES - 1 : BLOCK_BYTES + 1]

    anyio.run(run)


def test_a_chain_with_a_dead_link_says_who_has_it_and_who_failed(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path / "0") as first:
            async with serving(tmp_path / "1", "d1") as second:
                dead = second.address
            stored = await first.write(5, chain=(Hop("d1", dead),))
            assert stored.nodes == ("d0",)
            assert [node for node, _ in stored.failures] == ["d1"]
            assert await first.read(5) == DATA

    anyio.run(run)


@pytest.mark.parametrize("secret", [None, b"guessed"])
def test_without_the_secret_nothing_is_done(tmp_path: Path, secret: bytes | None) -> None:
    async def run() -> None:
        async with serving(tmp_path) as port:
            with pytest.raises(AuthenticationError, match="secret"):
                await connect(port.address, secret, 5.0)
            assert (await port.write(1)).nodes == ("d0",)

    anyio.run(run)


def frame(kind: bytes, payload: bytes, length: int | None = None, checksum: int | None = None) -> bytes:
    return struct.pack(">cII", kind, len(payload) if length is None else length, crc32(payload) if checksum is None else checksum) + payload


def sealed(wire: Wire, kind: bytes, payload: bytes) -> bytes:
    return frame(kind, wire._seal_out.close(b"c" + payload))


HOSTILE: dict[str, Callable[[Wire], bytes]] = {
    "garbage": lambda wire: b"GET / HTTP/1.1\r\n\r\n" * 10,
    "unknown kind": lambda wire: sealed(wire, b"X", b""),
    "too long": lambda wire: frame(b"D", b"x" * 100, length=FRAME_LIMIT_BYTES * 2),
    "wrong checksum": lambda wire: frame(b"M", b"x" * 100, checksum=1),
    "not sealed": lambda wire: frame(b"M", b"c" + b"x" * 100),
    "no message": lambda wire: sealed(wire, b"M", b"\xc1" * 10),
    "another message": lambda wire: sealed(wire, b"M", b"\x81\xa4type\xa6delete"),
    "data before an operation": lambda wire: sealed(wire, b"D", b"data"),
    "negative chunk": lambda wire: sealed(wire, b"M", b"\x82\xa4type\xa5write\xa5chunk\xff"),
}


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_frame_ends_its_connection_only(tmp_path: Path, hostile: Callable[[Wire], bytes]) -> None:
    async def run() -> None:
        async with serving(tmp_path) as port:
            wire = await connect(port.address, SECRET, 5.0)
            await wire._stream.send(hostile(wire))
            with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError, anyio.IncompleteRead)):
                await wire.receive()
            await wire.close()
            assert (await port.write(1)).nodes == ("d0",)
            assert await port.read(1) == DATA
            assert [file.name for file in tmp_path.iterdir()] == ["1"]

    anyio.run(run)


def test_a_greeting_that_is_none_or_never_comes_ends_its_connection(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path, timeout_s=0.3) as port:
            host, _, number = port.address.rpartition(":")
            for greeting in (b"", b"\0\0\0\x05hello", b"\xff\xff\xff\xff"):
                stream = await anyio.connect_tcp(host, int(number))
                if greeting:
                    await stream.send(greeting)
                with anyio.fail_after(5), pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
                    await stream.receive()
            assert (await port.write(1)).nodes == ("d0",)

    anyio.run(run)


def test_a_frame_sent_back_to_its_sender_is_refused(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as port:
            wire = await connect(port.address, SECRET, 5.0)
            mine = sealed(wire, b"M", b"")
            with pytest.raises(WireFault, match="came back"):  # as if the server had sent it
                wire._opened(b"M", crc32(mine[9:]), mine[9:])
            await wire.close()

    anyio.run(run)


def test_a_chunk_cut_short_is_not_stored(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as port:
            wire = await connect(port.address, SECRET, 5.0)
            await wire.send(Write(3))
            await wire.send_data(b"half")
            await wire.close()
            wire = await connect(port.address, SECRET, 5.0)
            await wire.send(Write(4))
            await wire.send_data(b"half")
            await wire.send(Finished(8))
            with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError, anyio.IncompleteRead)):
                await wire.expect(Stored)
            await wire.close()
            with anyio.fail_after(5):
                while list(tmp_path.iterdir()):
                    await anyio.sleep(0.01)
            assert port.told == []

    anyio.run(run)


def test_a_chunk_that_is_absent_or_damaged_is_said_to_be_and_the_rules_are_told(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as port:
            with pytest.raises(ReplicaFailed, match="not here"):
                await port.read(1)
            assert port.told == [("gone", 1)]
            await port.write(2)
            damaged = bytearray((tmp_path / "2").read_bytes())
            damaged[-1] ^= 1
            (tmp_path / "2").write_bytes(damaged)
            with pytest.raises(ReplicaFailed, match="block 2 of chunk 2") as failed:
                await port.read(2)
            assert failed.value.damaged
            assert port.told[-1] == ("damaged", 2, len(DATA))

    anyio.run(run)


def test_one_connection_serves_several_operations(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as port:
            await port.write(1, b"abc")
            wire = await connect(port.address, SECRET, 5.0)
            for _ in range(3):
                await wire.send(Read(1, 1, 1))
                assert await wire.receive() == b"b"
                assert await wire.receive() == Finished(1)
            await wire.close()

    anyio.run(run)


def test_scrubbing_finds_a_damaged_chunk_that_nobody_reads(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as port:
            for chunk in (1, 2, 3):
                await port.write(chunk, b"data")
            (tmp_path / "2").write_bytes(b"rubbish")
            with anyio.move_on_after(5) as patience:
                async with anyio.create_task_group() as group:
                    group.start_soon(port.plane.scrub, 0.01)
                    while "damaged" not in {event[0] for event in port.told}:
                        await anyio.sleep(0.01)
                    group.cancel_scope.cancel()
            assert not patience.cancelled_caught
            assert {event for event in port.told if event[0] == "damaged"} == {("damaged", 2, 3)}

    anyio.run(run)


def test_orders_copy_delete_and_verify(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path / "0") as first, serving(tmp_path / "1", "d1") as second:
            await first.write(1, b"data")
            await first.plane.obey("copy", 1, second.address)
            assert second.told == [("stored", 1, 4)]
            await first.plane.obey("delete", 1, "")
            await first.plane.obey("copy", 1, second.address)
            assert first.told[1:] == [("gone", 1), ("gone", 1)]
            (tmp_path / "1" / "1").write_bytes(b"")
            await second.plane.obey("verify", 1, "")
            await second.plane.obey("dance", 1, "")
            assert second.told[1:] == [("checked", 1, 0)]

    anyio.run(run)
