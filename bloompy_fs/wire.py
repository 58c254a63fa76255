"""Imperative: frames of the data port, between clients and DataNodes and among DataNodes.

A frame is one byte of kind, a length, a CRC-32 of the payload, the payload: a message (msgspec, a closed set of types) or a
block of data. A connection begins with mutual proof of the shared secret, as between nodes; frames are then sealed.
"""

from __future__ import annotations

import struct
from copy import copy
from typing import Annotated, TypeAlias, TypeVar
from zlib import crc32

import anyio
import msgspec
from anyio.abc import ByteStream
from anyio.streams.buffered import BufferedByteReceiveStream

from bloompy.errors import AuthenticationError, BloomError
from bloompy.transports.addresses import split_address
from bloompy.transports.authentication import ACCEPTED, HELLO_BYTES, TAG_BYTES, Caller, Listener, Seal

FRAME_LIMIT_BYTES = 1024 * 1024
_HEADER = struct.Struct(">cII")
_LENGTH = struct.Struct(">I")


Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]


class Hop(msgspec.Struct, frozen=True, array_like=True):
    """A DataNode in a chain: its name and the address of its data port."""

    node: str
    address: str


class Write(msgspec.Struct, frozen=True, tag="write"):
    """Store a chunk: data frames follow, then Finished. It is passed on to the first of `chain` while it arrives.

    Attributes:
        chunk: its number.
        chain: the DataNodes after this one.
    """

    chunk: Count
    chain: tuple[Hop, ...] = ()


class Finished(msgspec.Struct, frozen=True, tag="finished"):
    """All data was sent: so many bytes."""

    length: Count


class Stored(msgspec.Struct, frozen=True, tag="stored"):
    """Which DataNodes have the chunk safe on disk, and what went wrong at the others."""

    nodes: tuple[str, ...]
    failures: tuple[tuple[str, str], ...] = ()


class Read(msgspec.Struct, frozen=True, tag="read"):
    """Send bytes of a chunk: data frames follow, then Finished. Length -1 is all to the end."""

    chunk: Count
    offset: Count = 0
    length: int = -1


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The operation failed: "absent", "damaged" or "error"."""

    cause: str
    message: str


Message: TypeAlias = Write | Finished | Stored | Read | Failed
M = TypeVar("M", Write, Finished, Stored, Read, Failed)

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Write | Finished | Stored | Read | Failed).decode


class WireFault(Exception):
    """A frame that is no frame of this protocol, or whose checksum is wrong."""


class Wire:
    """One connection of the data port.

    Args:
        stream: connected.
        timeout_s: for each frame.
    """

    def __init__(self, stream: ByteStream, timeout_s: float) -> None:
        self._stream, self._timeout_s = stream, timeout_s
        self._receive = BufferedByteReceiveStream(stream)
        self._mine = self._theirs = b""
        self._seal_out = self._seal_in = Seal(None)

    async def send(self, message: Message) -> None:
        """Send a message."""
        await self._send(b"M", _encode(message))

    async def send_data(self, data: bytes) -> None:
        """Send a block of data, at most FRAME_LIMIT_BYTES."""
        await self._send(b"D", data)

    async def receive(self) -> Message | bytes:
        """The next message or block of data. Raises one of LOST."""
        with anyio.fail_after(self._timeout_s):
            kind, length, checksum = _HEADER.unpack(await self._receive.receive_exactly(_HEADER.size))
            if kind not in (b"M", b"D") or length > FRAME_LIMIT_BYTES + TAG_BYTES + 1:
                raise WireFault(f"a frame of kind {kind!r} and {length} bytes")
            sealed = await self._receive.receive_exactly(length)
        return self._opened(kind, checksum, sealed)

    def _opened(self, kind: bytes, checksum: int, sealed: bytes) -> Message | bytes:
        if crc32(sealed) != checksum:
            raise WireFault("a frame was damaged on its way")
        payload = self._seal_in.open(sealed)
        if payload[:1] != self._theirs:
            raise WireFault("a frame of this side came back")
        if kind == b"D":
            return payload[1:]
        try:
            message: Message = _decode(memoryview(payload)[1:])
        except msgspec.DecodeError as error:
            raise WireFault(f"a message that is none: {error}") from None
        return message

    async def expect(self, kind: type[M]) -> M:
        """The next frame, which must be a message of this kind."""
        message = await self.receive()
        if not isinstance(message, kind):
            raise WireFault(f"expected {kind.__name__}, got {type(message).__name__}")
        return message

    async def close(self) -> None:
        """End the connection without waiting for the other side."""
        await anyio.aclose_forcefully(self._stream)

    async def _send(self, kind: bytes, payload: bytes) -> None:
        sealed = self._seal_out.close(self._mine + payload)
        with anyio.fail_after(self._timeout_s):
            await self._stream.send(_HEADER.pack(kind, len(sealed), crc32(sealed)) + sealed)

    # -- who is there

    async def welcome(self, secret: bytes | None) -> None:
        """The server's side of the greeting.

        Raises:
            AuthenticationError: the client has not proved that it knows the secret.
            WireError: this is no greeting.
        """
        listener = Listener(secret, "")
        with anyio.fail_after(self._timeout_s):
            welcome, _ = listener.welcome(await self._receive_part())
            await self._send_part(welcome)
            self._sealed(listener.accept(await self._receive_part()), b"s", b"c")
            await self._send_part(ACCEPTED)

    async def greet(self, secret: bytes | None) -> None:
        """The client's side of the greeting; raises as `welcome` does, and when the server goes away instead of accepting."""
        caller = Caller(secret, "")
        with anyio.fail_after(self._timeout_s):
            await self._send_part(caller.hello)
            proof, seal = caller.answer(await self._receive_part())
            self._sealed(seal, b"c", b"s")
            await self._send_part(proof)
            try:
                accepted = await self._receive_part()
            except (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError):
                raise AuthenticationError("the DataNode refused the connection", hint="give both sides the same secret") from None
            if accepted != ACCEPTED:
                raise WireFault("no data port of a DataNode")

    def _sealed(self, seal: Seal, mine: bytes, theirs: bytes) -> None:
        """Seal frames from now on; each side marks its own, so that they cannot be sent back to it."""
        self._mine, self._theirs = mine, theirs
        self._seal_out, self._seal_in = seal, copy(seal)

    async def _send_part(self, part: bytes) -> None:
        await self._stream.send(_LENGTH.pack(len(part)) + part)

    async def _receive_part(self) -> bytes:
        (length,) = _LENGTH.unpack(await self._receive.receive_exactly(_LENGTH.size))
        if length > HELLO_BYTES:
            raise WireFault("no greeting of a data port")
        return await self._receive.receive_exactly(length)


LOST = (
    OSError,
    TimeoutError,
    anyio.EndOfStream,
    anyio.IncompleteRead,
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
    BloomError,
    WireFault,
)
"""What a connection that does not work raises."""


async def connect(address: str, secret: bytes | None, timeout_s: float) -> Wire:
    """Connect to the data port at an address. Raises one of LOST."""
    host, port = split_address(address)
    with anyio.fail_after(timeout_s):
        stream = await anyio.connect_tcp(host, port)
    wire = Wire(stream, timeout_s)
    try:
        await wire.greet(secret)
    except BaseException:
        await wire.close()
        raise
    return wire
