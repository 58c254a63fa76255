"""A connection that a peer made to this node: frames come in by it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from bloompy.errors import AuthenticationError, BloomError
from bloompy.transports.authentication import ACCEPTED, HELLO_BYTES, TAG_BYTES, Listener, Seal
from bloompy.transports.framing import FrameReader, prefixed, set_up

if TYPE_CHECKING:
    from bloompy.transports.tcp import TcpTransport


class Incoming(asyncio.Protocol):
    """Reads hello and proof, then frames. Whatever is wrong with them ends this connection and nothing else.

    Args:
        owner: the transport.
    """

    def __init__(self, owner: TcpTransport) -> None:
        self._owner = owner
        self._listener = Listener(owner.secret, owner.address)
        self._reader = FrameReader(HELLO_BYTES)
        self._seal: Seal | None = None
        self._welcomed = False
        self._held = self._slow = False
        self._tokens, self._refilled = owner.limits.frames_per_s, owner.loop.time()
        self.peer = "?"

    # -- called by asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for the hello."""
        self._transport = transport = cast(asyncio.Transport, transport)  # uvloop's are like it, and of a class of their own
        set_up(transport)
        host, port, *_ = transport.get_extra_info("peername") or ("?", 0)
        self.peer = f"{host}:{port}"
        self._deadline = self._owner.loop.call_later(self._owner.limits.handshake_s, self._too_slow)
        self._owner.incoming[self] = None
        if len(self._owner.incoming) > self._owner.limits.connections:
            self._make_room()
        if self._owner.paused:
            self.hold(True)

    def data_received(self, data: bytes) -> None:
        """Take in what has come."""
        try:
            for frame in self._reader.feed(data):
                if self._seal is not None:
                    self._take(self._seal.open(frame))
                elif self._welcomed:
                    self._accept(frame)
                else:
                    self._welcome(frame)
                if self._transport.is_closing():
                    return
        except AuthenticationError as error:
            self._end("unauthenticated", error)
        except BloomError as error:
            self._end("malformed" if self._seal is None else "oversized", error)

    def connection_lost(self, error: Exception | None) -> None:
        """The peer went, or was sent away."""
        self._deadline.cancel()
        self._owner.incoming.pop(self, None)

    # -- handshake

    def _welcome(self, hello: bytes) -> None:
        welcome, address = self._listener.welcome(hello)
        self.peer = f"{address} ({self.peer})" if address else self.peer
        self._welcomed = True
        self._transport.write(prefixed(welcome))

    def _accept(self, proof: bytes) -> None:
        self._seal = self._listener.accept(proof)
        self._reader.limit = self._owner.limits.frame_bytes + TAG_BYTES
        self._deadline.cancel()
        self._transport.write(prefixed(ACCEPTED))

    def _make_room(self) -> None:
        """End the oldest connection without proof, this one if it is alone: so strangers cannot keep peers out by connecting."""
        strangers = (one for one in self._owner.incoming if one._seal is None and not one._transport.is_closing())
        next(strangers)._end("overloaded", BloomError(f"more than {self._owner.limits.connections} peers are connected"))

    def _too_slow(self) -> None:
        self._end("unauthenticated", AuthenticationError(f"no proof within {self._owner.limits.handshake_s:g} s"))

    # -- frames

    def _take(self, frame: bytes) -> None:
        self._tokens -= 1
        if self._tokens < 0 and not self._slow:
            self._refill()
        self._owner.receive(self.peer, frame)

    def _refill(self) -> None:
        """A bucket of one second's frames; when it is empty the peer waits until a tenth of it is there again."""
        rate, now = self._owner.limits.frames_per_s, self._owner.loop.time()
        self._tokens = min(rate, self._tokens + rate * (now - self._refilled))
        self._refilled = now
        self._slow = self._tokens < 0
        if self._slow:
            self._owner.slowed += 1
            self._owner.loop.call_later((rate / 10 - self._tokens) / rate, self._refill)
        self._apply()

    def hold(self, held: bool) -> None:
        """Stop reading, or go on: the peer's data then waits in the network."""
        self._held = held
        self._apply()

    def _apply(self) -> None:
        if self._transport.is_closing():
            return
        if self._held or self._slow:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def close(self) -> None:
        """Let go of the peer."""
        self._transport.abort()

    def _end(self, reason: str, error: Exception) -> None:
        if not self._transport.is_closing():
            self._owner.refuse(self.peer, reason, error)
            self._transport.abort()
