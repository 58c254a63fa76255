"""Imperative: the data port of a DataNode. Stores chunks while passing them on, delivers and copies them, checks them."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import anyio
from anyio import to_thread
from anyio.abc import ByteStream, SocketAttribute
from attrs import define, field, frozen

from bloompy.errors import BloomError
from bloompy_fs.chunkstore import BLOCK_BYTES, ChunkDamaged, ChunkStore, ChunkWriter
from bloompy_fs.wire import LOST, Failed, Finished, Hop, Read, Stored, Wire, WireFault, Write, connect

log = logging.getLogger(__name__)


@frozen
class Events:
    """What the data plane tells the rules of its DataNode.

    Attributes:
        stored: a chunk is safe on disk; called with its number and length in bytes.
        checked: a chunk was checked and its blocks are whole; its length, which is less than it was if whole blocks were cut off.
        gone: a chunk is no longer there.
        damaged: a chunk is not what was written; its length as the file has it.
    """

    stored: Callable[[int, int], None]
    checked: Callable[[int, int], None]
    gone: Callable[[int], None]
    damaged: Callable[[int, int], None]


@define
class Passing:
    """The next DataNode of a chain while a chunk passes through: its connection, and what went wrong."""

    wire: Wire | None = None
    failures: list[tuple[str, str]] = field(factory=list)

    async def data(self, block: bytes, hop: Hop | None) -> None:
        """Pass a block on; a connection that fails is given up, the chunk is still stored here."""
        if self.wire is not None and hop is not None:
            try:
                await self.wire.send_data(block)
            except LOST as error:
                await self.give_up(hop, error)

    async def finish(self, length: int, hop: Hop | None) -> Stored:
        """Say that all was sent, and wait for what the rest of the chain has stored."""
        stored = Stored(())
        if self.wire is not None and hop is not None:
            try:
                await self.wire.send(Finished(length))
                stored = await self.wire.expect(Stored)
            except LOST as error:
                await self.give_up(hop, error)
            else:
                await self.wire.close()
        return Stored(stored.nodes, (*self.failures, *stored.failures))

    async def give_up(self, hop: Hop, error: BaseException) -> None:
        """Go on without the next DataNode."""
        self.failures.append((hop.node, f"{type(error).__name__}: {error}"))
        if self.wire is not None:
            await self.wire.close()
        self.wire = None


class DataPlane:
    """Serves one chunk store.

    Args:
        node: name of the DataNode.
        store: its chunks.
        events: called from the event loop's thread.
        secret: shared by the cluster, or None.
        timeout_s: for a single frame or connection.
        streams: connections served at a time; more wait.
    """

    def __init__(
        self, node: str, store: ChunkStore, events: Events, secret: bytes | None, timeout_s: float = 30.0, streams: int = 256
    ) -> None:
        self.node, self.store, self.events = node, store, events
        self._secret, self._timeout_s = secret, timeout_s
        self._limit = anyio.CapacityLimiter(streams)

    async def serve(self, stream: ByteStream) -> None:
        """Serve one connection to its end; nothing that a peer does raises here."""
        wire = Wire(stream, self._timeout_s)
        peer = stream.extra(SocketAttribute.remote_address, "?")
        try:
            async with self._limit:
                await wire.welcome(self._secret)
                await self._operations(wire)
        except (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError, anyio.ClosedResourceError, TimeoutError):
            pass
        except (BloomError, WireFault, OSError) as error:
            log.warning("DataNode %s dropped the connection of %s: %s", self.node, peer, error)
        except Exception:  # a fault of ours: it ends this connection, not the DataNode
            log.exception("DataNode %s failed to serve %s", self.node, peer)
        finally:
            await wire.close()

    async def _operations(self, wire: Wire) -> None:
        while True:
            match await wire.receive():
                case Write() as write:
                    await self._write(wire, write)
                case Read() as read:
                    await self._read(wire, read)
                case other:
                    raise WireFault(f"{type(other).__name__} where an operation begins")

    # -- write

    async def _write(self, wire: Wire, write: Write) -> None:
        hop, rest = (write.chain[0], write.chain[1:]) if write.chain else (None, ())
        passing = await self._pass_on(write.chunk, hop, rest)
        try:
            with await to_thread.run_sync(self.store.write, write.chunk) as writer:
                await self._receive_chunk(wire, writer, passing, hop)
                with anyio.CancelScope(shield=True):
                    length = await to_thread.run_sync(writer.commit)
                    self.events.stored(write.chunk, length)
            rest_stored = await passing.finish(length, hop)
        finally:
            if passing.wire is not None:
                await passing.wire.close()
        await wire.send(Stored((self.node, *rest_stored.nodes), rest_stored.failures))

    async def _receive_chunk(self, wire: Wire, writer: ChunkWriter, passing: Passing, hop: Hop | None) -> None:
        while True:
            frame = await wire.receive()
            if isinstance(frame, bytes):
                await passing.data(frame, hop)
                await to_thread.run_sync(writer.write, frame)
            elif isinstance(frame, Finished):
                if frame.length != writer.length:
                    raise WireFault(f"{writer.length} bytes came where {frame.length} were announced")
                return
            else:
                raise WireFault(f"{type(frame).__name__} within a chunk")

    async def _pass_on(self, chunk: int, hop: Hop | None, rest: tuple[Hop, ...]) -> Passing:
        passing = Passing()
        while hop is not None:
            try:
                passing.wire = await connect(hop.address, self._secret, self._timeout_s)
                await passing.wire.send(Write(chunk, rest))
            except LOST as error:
                await passing.give_up(hop, error)
            return passing
        return passing

    # -- read

    async def _read(self, wire: Wire, read: Read) -> None:
        try:
            await self._send_blocks(wire, read)
        except FileNotFoundError:
            self.events.gone(read.chunk)
            await wire.send(Failed("absent", f"chunk {read.chunk} is not here"))
        except ChunkDamaged as error:
            await self.verify(read.chunk)
            await wire.send(Failed("damaged", str(error)))

    async def _send_blocks(self, wire: Wire, read: Read) -> None:
        sent = 0
        async with aclosing(self._blocks(read)) as blocks:
            async for data in blocks:
                sent += len(data)
                await wire.send_data(data)
        await wire.send(Finished(sent))

    async def _blocks(self, read: Read) -> AsyncGenerator[bytes, None]:
        with await to_thread.run_sync(self.store.open, read.chunk) as reader:
            end = reader.length if read.length < 0 else min(reader.length, read.offset + read.length)
            position = max(0, read.offset)
            while position < end:
                number, within = divmod(position, BLOCK_BYTES)
                block = await to_thread.run_sync(reader.block, number)
                data = block[within : within + end - position]
                yield data
                position += len(data)

    # -- what the NameNode orders

    async def obey(self, kind: str, chunk: int, target: str) -> None:
        """Carry out an order: "copy" to the data port at `target`, "delete", or "verify"."""
        match kind:
            case "copy":
                await self.copy(chunk, target)
            case "delete":
                await self.delete(chunk)
            case "verify":
                await self.verify(chunk)
            case _:
                log.error("DataNode %s does not know the order %r", self.node, kind)

    async def copy(self, chunk: int, target: str) -> None:
        """Copy a chunk to the DataNode at an address, if it is whole; what fails is logged, the NameNode orders again."""
        try:
            wire = await connect(target, self._secret, self._timeout_s)
        except LOST as error:
            log.warning("DataNode %s cannot copy chunk %d to %s: %s", self.node, chunk, target, error)
            return
        try:
            await wire.send(Write(chunk))
            await self._send_blocks(wire, Read(chunk))
            await wire.expect(Stored)
        except FileNotFoundError:
            self.events.gone(chunk)
        except ChunkDamaged:
            await self.verify(chunk)
        except LOST as error:
            log.warning("DataNode %s failed to copy chunk %d to %s: %s", self.node, chunk, target, error)
        finally:
            await wire.close()

    async def delete(self, chunk: int) -> None:
        """Remove a chunk."""
        await to_thread.run_sync(self.store.delete, chunk)
        self.events.gone(chunk)

    async def verify(self, chunk: int) -> bool:
        """Whether all blocks of a chunk are whole; the rules are told what was found."""
        try:
            self.events.checked(chunk, await to_thread.run_sync(self.store.verify, chunk))
        except FileNotFoundError:
            self.events.gone(chunk)
        except (ChunkDamaged, OSError) as error:
            log.error("DataNode %s: chunk %d is damaged: %s", self.node, chunk, error)
            self.events.damaged(chunk, await to_thread.run_sync(self._length, chunk))
        else:
            return True
        return False

    def _length(self, chunk: int) -> int:
        try:
            with self.store.open(chunk) as reader:
                return reader.length
        except OSError:
            return 0

    async def scrub(self, pause_s: float) -> None:
        """Check every chunk, over and over, each round begun `pause_s` after the last."""
        while True:
            await anyio.sleep(pause_s)
            for chunk in sorted(await to_thread.run_sync(self.store.chunks)):
                await self.verify(chunk)
