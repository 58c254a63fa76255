"""Frames in a stream of bytes: four bytes of length, big-endian, then the frame; and how a stream is set up for them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import suppress

from bloompy.errors import WireError

_PREFIX = 4
_SILENCE_S = 15


def set_up(transport: asyncio.Transport) -> None:
    """Have a connection end when the peer's machine has not answered for a while: it may have vanished without a word.

    asyncio itself has set TCP_NODELAY.
    """
    connection = transport.get_extra_info("socket")
    options = {"TCP_KEEPIDLE": _SILENCE_S // 3, "TCP_KEEPINTVL": _SILENCE_S // 3, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": _SILENCE_S * 1000}
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in options.items():
            if hasattr(socket, name):  # not all systems have all of them
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def prefixed(frame: bytes) -> bytes:
    """A frame with its length before it."""
    return len(frame).to_bytes(_PREFIX, "big") + frame


class FrameReader:
    """Cuts what arrives into frames, however it was split on the way.

    Attributes:
        limit: most bytes of a frame; may be changed between two frames.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._rest = bytearray()
        self._needed = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The frames that are complete with this data. To be exhausted before the next call.

        Raises:
            WireError: for a frame over the limit, before any of it is held.
        """
        if self._rest:
            self._rest += data
            if len(self._rest) < self._needed:
                return
            data = bytes(self._rest)
            self._rest.clear()
        start, end = 0, len(data)
        self._needed = _PREFIX
        while end - start >= _PREFIX:
            length = int.from_bytes(data[start : start + _PREFIX], "big")
            if length > self.limit:
                raise WireError(f"a frame of {length:,} bytes, at most {self.limit:,} are taken")
            after = start + _PREFIX + length
            if after > end:
                self._needed = _PREFIX + length
                break
            yield data[start + _PREFIX : after]
            start = after
        self._rest += data[start:]
