"""Imperative: a client's side of the data port: one chunk at a time, written through a chain, read from whoever has it."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing

import anyio

from bloompy_fs.files import Chunk, Holder
from bloompy_fs.wire import LOST, Failed, Finished, Hop, Read, Stored, Wire, WireFault, Write, connect

log = logging.getLogger(__name__)


class ReplicaFailed(Exception):
    """A replica could not be delivered; `damaged` when the DataNode itself, or the bytes that came, say so."""

    def __init__(self, message: str, damaged: bool) -> None:
        super().__init__(message)
        self.damaged = damaged


async def write_chunk(
    chunk: int, chain: tuple[Hop, ...], blocks: Callable[[], AsyncGenerator[bytes, None]], secret: bytes | None, timeout_s: float
) -> Stored:
    """Send a chunk through a chain of DataNodes.

    Args:
        chunk: its number.
        chain: where it goes, in this order.
        blocks: gives the data, from its beginning each time.

    Returns:
        which DataNodes have it safe on disk; none when the first one could not be used.
    """
    failures: list[tuple[str, str]] = []
    try:
        wire = await connect(chain[0].address, secret, timeout_s)
    except LOST as error:
        return Stored((), ((chain[0].node, f"{type(error).__name__}: {error}"),))
    try:
        await wire.send(Write(chunk, chain[1:]))
        length = 0
        async with aclosing(blocks()) as source:
            async for block in source:
                length += len(block)
                await wire.send_data(block)
        await wire.send(Finished(length))
        return await wire.expect(Stored)
    except LOST as error:
        failures.append((chain[0].node, f"{type(error).__name__}: {error}"))
        return Stored((), tuple(failures))
    finally:
        await wire.close()


async def read_replica(
    holder: Holder, chunk: int, offset: int, length: int, secret: bytes | None, timeout_s: float
) -> AsyncGenerator[bytes, None]:
    """Bytes of a chunk from one DataNode, block by block. Raises ReplicaFailed."""
    wire: Wire | None = None
    try:
        wire = await connect(holder.address, secret, timeout_s)
        await wire.send(Read(chunk, offset, length))
        got = 0
        while isinstance(frame := await wire.receive(), bytes):
            got += len(frame)
            if got > length:
                raise WireFault("more data than was asked for")
            yield frame
        if isinstance(frame, Failed):
            raise ReplicaFailed(frame.message, frame.cause == "damaged")
        if not isinstance(frame, Finished) or got != length:
            raise ReplicaFailed(f"{got} of {length} bytes came", True)
    except LOST as error:
        raise ReplicaFailed(f"{type(error).__name__}: {error}", isinstance(error, WireFault)) from None
    finally:
        if wire is not None:
            with anyio.CancelScope(shield=True):
                await wire.close()


async def read_chunk(
    chunk: Chunk,
    offset: int,
    length: int,
    holders: Iterable[Holder],
    suspect: Callable[[Holder], Awaitable[None]],
    secret: bytes | None,
    timeout_s: float,
) -> AsyncGenerator[bytes, None]:
    """Bytes of a chunk, from the first DataNode that delivers them; goes on at the next one where one fails.

    Args:
        chunk: which.
        offset, length: bytes within it.
        holders: in the order in which they are tried.
        suspect: told of each DataNode whose replica seems damaged.

    Raises:
        ReplicaFailed: no DataNode could deliver all of it.
    """
    problems: list[str] = []
    for holder in holders:
        try:
            async with aclosing(read_replica(holder, chunk.number, offset, length, secret, timeout_s)) as blocks:
                async for block in blocks:
                    offset, length = offset + len(block), length - len(block)
                    yield block
            return
        except ReplicaFailed as error:
            log.warning("chunk %d at %s: %s", chunk.number, holder.node, error)
            problems.append(f"{holder.node}: {error}")
            if error.damaged:
                await suspect(holder)
    raise ReplicaFailed("; ".join(problems) or "no live DataNode has it", False)
