"""Frames over TCP.

Each pair of nodes has a connection for each direction it uses: a node writes to those that it made and reads from those made
to it, so that a message to an address always goes to whoever listens there and has proved to know the secret. The
connections are asyncio protocols, since a stream costs a task switch a message (twice the time of a round trip).
"""

from __future__ import annotations

import asyncio
import logging

from bloompy.errors import AuthenticationError, TransportError
from bloompy.runtime.interfaces import Receiver
from bloompy.runtime.limits import Limits
from bloompy.transports.addresses import cannot_listen, is_loopback, is_unspecified, join_address, split_address
from bloompy.transports.incoming import Incoming
from bloompy.transports.outgoing import Outgoing
from bloompy.transports.tls import TLS

_LOG = logging.getLogger("bloompy.transports")
_FLUSH_S = 1.0


class TcpTransport:
    """A `Transport` over TCP, for the running asyncio loop.

    Args:
        listen: "host:port", port 0 for any free one; None to send only.
        secret: shared by all nodes; it proves who they are. Needed for any host but loopback, unless TLS asks for certificates.
        tls: contexts for TLS.
        limits: bounds.
        address: by which peers reach this node, where it is not `listen`.
    """

    def __init__(
        self,
        listen: str | None = None,
        *,
        secret: bytes | None = None,
        tls: TLS | None = None,
        limits: Limits | None = None,
        address: str | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.secret, self.tls, self.address = secret, tls, address or ""
        self.frame_bytes = self.limits.frame_bytes
        self.dropped = self.slowed = 0
        self.paused = False
        self.incoming: dict[Incoming, None] = {}  # the oldest first
        self._outgoing: dict[str, Outgoing] = {}
        self._listen = listen
        self._server: asyncio.Server | None = None
        self._receiver: Receiver | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    # -- the interface

    async def open(self) -> str:
        """Bind the address; connections wait until `start`."""
        self.loop = asyncio.get_running_loop()
        if self._listen is None:
            return self.address
        host, port = split_address(self._listen)
        if not is_loopback(host) and self.secret is None and not (self.tls and self.tls.authenticates):
            raise AuthenticationError(
                f"{self._listen} can be reached from other machines, and anybody could send to it",
                hint="give a secret (the same to all nodes), or TLS contexts that ask for certificates, or listen on 127.0.0.1",
            )
        try:
            self._server = await self.loop.create_server(
                lambda: Incoming(self),
                host,
                port,
                ssl=self.tls.server if self.tls else None,
                ssl_handshake_timeout=self.limits.handshake_s if self.tls else None,
                start_serving=False,
            )
        except OSError as error:
            raise cannot_listen(self._listen, error) from error
        if not self.address:
            if is_unspecified(host):
                self._server.close()
                raise TransportError(
                    f"{self._listen} stands for all interfaces, and no peer can call it",
                    hint='say by which address peers reach this node: Program(me="host:port")',
                )
            self.address = join_address(host, self._server.sockets[0].getsockname()[1])
        return self.address

    async def start(self, receiver: Receiver) -> None:
        """Accept connections."""
        self._receiver = receiver
        if self._server is not None:
            await self._server.start_serving()

    def send(self, address: str, frame: bytes) -> None:
        """Send a frame, or drop it if the queue for its destination is full."""
        peer = self._outgoing.get(address)
        if peer is None:
            peer = self._call(address)
            if peer is None:
                return
        peer.send(frame)

    def pause(self) -> None:
        """Read from no peer."""
        self.paused = True
        for peer in self.incoming:
            peer.hold(True)

    def resume(self) -> None:
        """Read from all peers."""
        self.paused = False
        for peer in self.incoming:
            peer.hold(False)

    async def close(self) -> None:
        """Flush, then end all connections."""
        if self._server is not None:
            self._server.close()
        await self._flush()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for outgoing in list(self._outgoing.values()):
            outgoing.close()
        for incoming in list(self.incoming):
            incoming.close()
        await asyncio.sleep(0)  # the connections end in the loop's next turn

    # -- for the connections

    def receive(self, peer: str, frame: bytes) -> None:
        """Pass a frame in."""
        assert self._receiver is not None
        self._receiver.receive(peer, frame)

    def refuse(self, peer: str, reason: str, error: Exception) -> None:
        """Pass on what was wrong."""
        if self._receiver is not None:
            self._receiver.refuse(peer, reason, error)

    def drop(self, address: str, frames: int, why: str) -> None:
        """Count frames that are lost."""
        if frames:
            self.dropped += frames
            _LOG.info("%d frame%s for %s dropped: %s", frames, "" if frames == 1 else "s", address, why)

    def forget(self, peer: Outgoing) -> None:
        """The next frame for this peer makes a new connection."""
        if self._outgoing.get(peer.address) is peer:
            del self._outgoing[peer.address]

    # -- connecting

    def _call(self, address: str) -> Outgoing | None:
        try:
            split_address(address)
        except TransportError as error:
            self.refuse(address, "unreachable", error)
            self.drop(address, 1, "it is no address")
            return None
        if len(self._outgoing) >= self.limits.connections:
            self.drop(address, 1, f"{len(self._outgoing)} peers are connected")
            return None
        peer = self._outgoing[address] = Outgoing(self, address)
        task = self.loop.create_task(peer.connect())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return peer

    async def _flush(self) -> None:
        deadline = self.loop.time() + _FLUSH_S
        while self.loop.time() < deadline and not all(peer.settled for peer in self._outgoing.values()):
            await asyncio.sleep(0.005)
