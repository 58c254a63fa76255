"""Frames in a stream of bytes: four bytes of length, big-endian, then the frame."""

from __future__ import annotations

from collections.abc import Iterator

from bloompy.errors import WireError

_PREFIX = 4


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
