"""Frames as UDP datagrams: for small messages that may well be lost.

A datagram is a tag, then (version, sender, destination, frame). With a secret the tag is a keyed BLAKE2b over the rest, under
a key made of the secret; it holds for one destination. A repeated datagram passes: repeated messages are legal in Bloom.
"""

from __future__ import annotations

import asyncio
import hmac
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec.msgpack import Decoder

from bloompy.errors import AuthenticationError, TransportError, WireError
from bloompy.runtime.interfaces import Receiver
from bloompy.transports.addresses import cannot_listen, is_loopback, is_unspecified, join_address, split_address
from bloompy.transports.authentication import TAG_BYTES, VERSION
from bloompy.transports.values import ENCODER

DATAGRAM_BYTES = 1_400
"""Fits in an Ethernet frame with all headers, so that no datagram is cut in pieces on the way."""

_HEADER_BYTES = 200
"""Room for tag, version and both addresses."""

_DATAGRAM: Decoder[tuple[int, str, str, bytes]] = Decoder(tuple[int, str, str, bytes])


class UdpTransport:
    """A `Transport` over UDP.

    Args:
        listen: "host:port", port 0 for any free one.
        secret: shared by all nodes; needed for any host but loopback.
        address: by which peers reach this node, where it is not `listen`.
    """

    def __init__(
        self, listen: str, *, secret: bytes | None = None, address: str | None = None
    ) -> None:
        self._key = None if secret is None else hmac.digest(secret, f"bloompy {VERSION} datagrams".encode(), "sha256")
        self._listen, self.address, self.dropped = listen, address or "", 0
        self.frame_bytes = DATAGRAM_BYTES - _HEADER_BYTES
        self._receiver: Receiver | None = None
        self._socket: asyncio.DatagramTransport | None = None
        self._paused = self._full = False

    async def open(self) -> str:
        """Bind the address."""
        host, port = split_address(self._listen)
        if not is_loopback(host) and self._key is None:
            raise AuthenticationError(
                f"{self._listen} can be reached from other machines, and anybody could send to it",
                hint="give a secret (the same to all nodes), or listen on 127.0.0.1",
            )
        if is_unspecified(host) and not self.address:
            raise TransportError(
                f"{self._listen} stands for all interfaces, and no peer can call it",
                hint='say by which address peers reach this node: Program(me="host:port")',
            )
        try:
            self._socket, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: _Datagrams(self), local_addr=(host, port)
            )
        except OSError as error:
            raise cannot_listen(self._listen, error) from error
        self.address = self.address or join_address(host, self._socket.get_extra_info("sockname")[1])
        return self.address

    async def start(self, receiver: Receiver) -> None:
        """Pass frames in."""
        self._receiver = receiver

    def send(self, address: str, frame: bytes) -> None:
        """Send one datagram. A host given by name is looked up by the operating system, which may take time: give numbers."""
        assert self._socket is not None
        try:
            target = split_address(address)
        except TransportError as error:
            self.refuse(address, "unreachable", error)
            target = None
        if target is None or self._full:
            self.dropped += 1
            return
        body = ENCODER.encode((VERSION, self.address, address, frame))
        self._socket.sendto(self._tag(body) + body, target)

    def hold(self, full: bool) -> None:
        """Drop what is sent while the operating system takes no more."""
        self._full = full

    def pause(self) -> None:
        """Drop what comes: a datagram cannot be made to wait."""
        self._paused = True

    def resume(self) -> None:
        """Take in what comes."""
        self._paused = False

    async def close(self) -> None:
        """Let go of the address."""
        self._receiver = None
        if self._socket is not None:
            self._socket.close()
            await asyncio.sleep(0)

    def take(self, datagram: bytes, peer: str) -> None:
        """Check a datagram and pass its frame in."""
        if self._paused or self._receiver is None:
            self.dropped += 1
            return
        tag, body = datagram[:TAG_BYTES], datagram[TAG_BYTES:]
        try:
            if not hmac.compare_digest(tag, self._tag(body)):
                raise AuthenticationError("a datagram does not carry the tag of the shared secret")
            version, sender, destination, frame = _DATAGRAM.decode(body)
            if version != VERSION or destination != self.address:
                raise WireError(f"a datagram of version {version} for {destination}")
        except AuthenticationError as error:
            self.refuse(peer, "unauthenticated", error)
        except (WireError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            self.refuse(peer, "malformed", error)
        else:
            self._receiver.receive(f"{sender} ({peer})", frame)

    def refuse(self, peer: str, reason: str, error: Exception) -> None:
        """Pass on what was wrong."""
        if self._receiver is not None:
            self._receiver.refuse(peer, reason, error)

    def _tag(self, body: bytes) -> bytes:
        return bytes(TAG_BYTES) if self._key is None else blake2b(body, key=self._key, digest_size=TAG_BYTES).digest()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, owner: UdpTransport) -> None:
        self._owner = owner

    def datagram_received(self, data: bytes, address: tuple[str | Any, int]) -> None:
        self._owner.take(data, join_address(str(address[0]), address[1]))

    def pause_writing(self) -> None:
        self._owner.hold(True)

    def resume_writing(self) -> None:
        self._owner.hold(False)
