"""A connection that this node made to a peer: frames go out by it."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from typing import TYPE_CHECKING, cast

from bloompy.errors import AuthenticationError, BloomError, WireError
from bloompy.transports.addresses import split_address
from bloompy.transports.authentication import ACCEPTED, HELLO_BYTES, Caller, Seal
from bloompy.transports.framing import FrameReader, prefixed, set_up

if TYPE_CHECKING:
    from bloompy.transports.tcp import TcpTransport

_LOG = logging.getLogger("bloompy.transports")
_FIRST_DELAY_S, _LONGEST_DELAY_S = 0.02, 1.0


class Outgoing(asyncio.Protocol):
    """Connects, proves itself, then writes frames. What cannot be sent in time is dropped: messages may be lost.

    Args:
        owner: the transport.
        address: of the peer.
    """

    def __init__(self, owner: TcpTransport, address: str) -> None:
        self._owner, self.address = owner, address
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = self._failures = 0
        self._seal: Seal | None = None
        self._begin_session()

    # -- sending

    def send(self, frame: bytes) -> None:
        """Write a frame, keep it until there is a connection, or drop it."""
        transport = self._transport
        held = self._waiting_bytes if self._seal is None or transport is None else transport.get_write_buffer_size()
        if held and held + len(frame) > self._owner.limits.outgoing_bytes:
            self._owner.drop(self.address, 1, "its queue is full")
        elif self._seal is None or transport is None:
            self._waiting.append(frame)
            self._waiting_bytes += len(frame)
        elif not transport.is_closing():
            transport.write(prefixed(self._seal.close(frame)))
        else:
            self._owner.drop(self.address, 1, "the connection ended")

    # -- connecting

    async def connect(self) -> None:
        """Try until the peer has accepted this node or the time for it is over; then what waits is dropped."""
        loop, limits = self._owner.loop, self._owner.limits
        give_up = loop.time() + limits.reach_s
        delay_s = _FIRST_DELAY_S
        while True:
            try:
                await self._connect_once()
                return
            except BloomError as error:
                reason = "unauthenticated" if isinstance(error, AuthenticationError) else "malformed"
                self._owner.refuse(self.address, reason, error)
            except (OSError, ValueError) as error:  # ValueError: a name that TLS or the look-up of hosts cannot take
                _LOG.debug("%s cannot be reached: %s", self.address, error)
            self._failures += 1
            if loop.time() + delay_s > give_up:
                self._owner.forget(self)
                self._owner.drop(self.address, len(self._waiting), "it cannot be reached")
                return
            await asyncio.sleep(delay_s * random.uniform(0.5, 1.0))  # so that the nodes of a cluster do not come all at once
            delay_s = min(2 * delay_s, _LONGEST_DELAY_S)

    async def _connect_once(self) -> None:
        host, port = split_address(self.address)
        self._begin_session()
        tls = self._owner.tls
        try:
            async with asyncio.timeout(self._owner.limits.handshake_s):
                await self._owner.loop.create_connection(
                    lambda: self, host, port, ssl=tls.client if tls else None, server_hostname=host if tls else None
                )
                await self._opened
        except BaseException:
            if self._transport is not None:
                self._transport.abort()
            raise

    def _begin_session(self) -> None:
        self._caller = Caller(self._owner.secret, self._owner.address)
        self._reader = FrameReader(HELLO_BYTES)
        self._proved: Seal | None = None
        self._opened: asyncio.Future[None] = self._owner.loop.create_future()

    # -- called by asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say hello."""
        self._transport = transport = cast(asyncio.Transport, transport)  # uvloop's are like it, and of a class of their own
        set_up(transport)
        transport.write(prefixed(self._caller.hello))

    def data_received(self, data: bytes) -> None:
        """Answer the welcome; after that the peer has nothing to say on this connection."""
        try:
            for frame in self._reader.feed(data):
                if self._proved is None:
                    proof, self._proved = self._caller.answer(frame)
                    self._write(proof)
                elif frame == ACCEPTED and self._seal is None:
                    self._open(self._proved)
                else:
                    raise WireError("the peer that was called sends what nobody asked for")
        except BloomError as error:
            self._fail(error)
            assert self._transport is not None
            self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        """The peer went: the next frame for it makes a new connection."""
        self._transport = None
        if self._seal is not None:
            self._owner.forget(self)
            _LOG.debug("the connection to %s ended: %s", self.address, error)
        self._fail(error or ConnectionResetError("the peer ended the connection"))

    def _open(self, seal: Seal) -> None:
        self._seal = seal
        for frame in self._waiting:
            self._write(seal.close(frame))
        self._waiting.clear()
        self._waiting_bytes = 0
        if not self._opened.done():
            self._opened.set_result(None)

    def _write(self, frame: bytes) -> None:
        assert self._transport is not None
        self._transport.write(prefixed(frame))

    def _fail(self, error: Exception) -> None:
        if not self._opened.done():
            self._opened.set_exception(error)
            self._opened.exception()  # somebody may not be waiting any more

    # -- closing

    @property
    def settled(self) -> bool:
        """Whether all that was sent has gone to the operating system, or the peer does not seem to be there."""
        if self._seal is None or self._transport is None:
            return not self._waiting or self._failures > 0
        return self._transport.get_write_buffer_size() == 0

    def close(self) -> None:
        """End the connection after what is written."""
        if self._transport is not None:
            self._transport.close()
