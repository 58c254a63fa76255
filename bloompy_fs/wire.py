"""Imperative: frames of the data port, between clients and DataNodes and among DataNodes.

A frame is one byte of kind, a length, a CRC-32 of the payload, the payload: a message (msgspec, a closed set of types) or a
block of data. A connection begins with mutual proof of the shared secret; no secret crosses the wire.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import struct
from typing import TypeAlias, TypeVar
from zlib import crc32

import anyio
import msgspec
from anyio.abc import ByteStream
from anyio.streams.buffered import BufferedByteReceiveStream

FRAME_LIMIT_BYTES = 1024 * 1024
HELLO = b"bloompy-fs data 1\n"
_NONCE_BYTES = 32
_HEADER = struct.Struct(">cII")


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

    chunk: int
    chain: tuple[Hop, ...] = ()


class Finished(msgspec.Struct, frozen=True, tag="finished"):
    """All data was sent: so many bytes."""

    length: int


class Stored(msgspec.Struct, frozen=True, tag="stored"):
    """Which DataNodes have the chunk safe on disk, and what went wrong at the others."""

    nodes: tuple[str, ...]
    failures: tuple[tuple[str, str], ...] = ()


class Read(msgspec.Struct, frozen=True, tag="read"):
    """Send bytes of a chunk: data frames follow, then Finished. Length -1 is all to the end."""

    chunk: int
    offset: int = 0
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


class Refused(Exception):
    """The other side has not proved that it knows the secret, or says that we have not."""


class Wire:
    """One connection of the data port.

    Args:
        stream: connected.
        timeout_s: for each frame.
    """

    def __init__(self, stream: ByteStream, timeout_s: float) -> None:
        self._stream, self._timeout_s = stream, timeout_s
        self._receive = BufferedByteReceiveStream(stream)

    async def send(self, message: Message) -> None:
        """Send a message."""
        await self._send(b"M", _encode(message))

    async def send_data(self, data: bytes) -> None:
        """Send a block of data, at most FRAME_LIMIT_BYTES."""
        await self._send(b"D", data)

    async def receive(self) -> Message | bytes:
        """The next message or block of data.

        Raises:
            WireFault: for a frame that is none.
            TimeoutError, anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError: as they say.
        """
        with anyio.fail_after(self._timeout_s):
            kind, length, checksum = _HEADER.unpack(await self._receive.receive_exactly(_HEADER.size))
            if kind not in (b"M", b"D") or length > FRAME_LIMIT_BYTES:
                raise WireFault(f"a frame of kind {kind!r} and {length} bytes")
            payload = await self._receive.receive_exactly(length)
        if crc32(payload) != checksum:
            raise WireFault("a frame was damaged on its way")
        if kind == b"D":
            return payload
        try:
            return _decode(payload)
        except msgspec.DecodeError as error:
            raise WireFault(f"a message that is none: {error}") from None

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
        with anyio.fail_after(self._timeout_s):
            await self._stream.send(_HEADER.pack(kind, len(payload), crc32(payload)) + payload)

    # -- who is there

    async def welcome(self, secret: bytes | None) -> None:
        """The server's side of the greeting. Raises Refused."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        with anyio.fail_after(self._timeout_s):
            await self._stream.send(HELLO + (b"S" if secret else b"-") + nonce)
            if not secret:
                return
            theirs = await self._receive.receive_exactly(_NONCE_BYTES)
            proof = await self._receive.receive_exactly(hashlib.sha256().digest_size)
            if not hmac.compare_digest(proof, _proof(secret, b"client", nonce, theirs)):
                await self._stream.send(b"N")
                raise Refused("a client without the secret")
            await self._stream.send(b"Y" + _proof(secret, b"server", nonce, theirs))

    async def greet(self, secret: bytes | None) -> None:
        """The client's side of the greeting. Raises Refused, WireFault."""
        with anyio.fail_after(self._timeout_s):
            hello = await self._receive.receive_exactly(len(HELLO))
            wants = await self._receive.receive_exactly(1)
            nonce = await self._receive.receive_exactly(_NONCE_BYTES)
            if hello != HELLO:
                raise WireFault("no data port of a DataNode")
            if (wants == b"S") != bool(secret):
                raise Refused("the DataNode asks for a secret" if wants == b"S" else "the DataNode does not know the secret")
            if not secret:
                return
            mine = secrets.token_bytes(_NONCE_BYTES)
            await self._stream.send(mine + _proof(secret, b"client", nonce, mine))
            if await self._receive.receive_exactly(1) != b"Y":
                raise Refused("the DataNode has another secret")
            proof = await self._receive.receive_exactly(hashlib.sha256().digest_size)
            if not hmac.compare_digest(proof, _proof(secret, b"server", nonce, mine)):
                raise Refused("the DataNode has another secret")


def _proof(secret: bytes, side: bytes, nonce: bytes, other: bytes) -> bytes:
    return hmac.digest(secret, b"bloompy-fs\0" + side + nonce + other, "sha256")


LOST = (OSError, TimeoutError, anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError, anyio.ClosedResourceError, WireFault, Refused)
"""What a connection that does not work raises."""


def host_port(address: str) -> tuple[str, int]:
    """Host and port of "host:port" or "[v6]:port". Raises ValueError."""
    host, colon, port = address.rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > 65_535:
        raise ValueError(f"{address!r} is no address; write host:port")
    return host.removeprefix("[").removesuffix("]"), int(port)


async def connect(address: str, secret: bytes | None, timeout_s: float) -> Wire:
    """Connect to the data port at an address. Raises one of LOST."""
    host, port = host_port(address)
    with anyio.fail_after(timeout_s):
        stream = await anyio.connect_tcp(host, port)
    wire = Wire(stream, timeout_s)
    try:
        await wire.greet(secret)
    except BaseException:
        await wire.close()
        raise
    return wire
