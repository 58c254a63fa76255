"""Frames: what one node sends another in one tick, as a list of (channel, rows)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias

import msgspec
from msgspec.msgpack import Decoder

from bloompy.engine.tick import PlainRow
from bloompy.errors import WireError
from bloompy.ir.nodes import Program
from bloompy.transports.rows import RowCodec
from bloompy.transports.values import ENCODER

Letters: TypeAlias = Mapping[str, list[PlainRow]]
"""Rows by channel, for one destination."""

Refuse: TypeAlias = Callable[[str, Exception], None]
"""Told (reason, error) for everything of a frame that was left out."""

Unsendable: TypeAlias = Callable[[str, PlainRow, Exception], None]
"""Told (channel, row, error) for a row that no frame can hold."""


class FrameCodec:
    """Encodes and decodes the frames of a program's channels.

    Args:
        program: whose channels may be sent and received, and no others.
        rows: most rows in one frame.

    Raises:
        UsageError: for a channel with a column whose type cannot be sent.
    """

    def __init__(self, program: Program, rows: int) -> None:
        self._codecs = {one.name: RowCodec(one.name, one.schema) for one in program.collections if one.kind == "channel"}
        self._rows = rows
        self._pairs: Decoder[list[tuple[str, msgspec.Raw]]] = Decoder(list[tuple[str, msgspec.Raw]])

    def encode(self, letters: Letters, frame_bytes: int, unsendable: Unsendable) -> Iterator[bytes]:
        """Frames of at most so many bytes each that hold the rows, in order: one, unless there is too much for it."""
        bodies = [(channel, body) for channel, rows in letters.items() for body in self._bodies(channel, rows, frame_bytes, unsendable)]
        if len(bodies) == 1 or sum(len(body) + len(channel) + 16 for channel, body in bodies) <= frame_bytes:
            groups: Iterable[list[tuple[str, bytes]]] = [bodies] if bodies else []
        else:
            groups = ([pair] for pair in bodies)
        for group in groups:
            yield ENCODER.encode([(channel, msgspec.Raw(body)) for channel, body in group])

    def _bodies(self, channel: str, rows: list[PlainRow], frame_bytes: int, unsendable: Unsendable) -> Iterator[bytes]:
        """The rows as arrays that each fit in a frame; halves them until they do."""
        room = frame_bytes - len(channel.encode()) - 16
        error: WireError | None = None
        if len(rows) <= self._rows:
            try:
                body = self._codecs[channel].encode(rows)
            except WireError as caught:
                error = caught
            else:
                if len(body) <= room:
                    yield body
                    return
        if len(rows) == 1:
            if error is None:
                error = WireError(
                    f"a row of {channel!r} takes {len(body):,} bytes, a frame holds {room:,}",
                    hint="send it in parts, raise the frame limit on both sides, or take TCP instead of UDP",
                )
            unsendable(channel, rows[0], error)
            return
        middle = len(rows) // 2
        yield from self._bodies(channel, rows[:middle], frame_bytes, unsendable)
        yield from self._bodies(channel, rows[middle:], frame_bytes, unsendable)

    def decode(self, frame: bytes, refuse: Refuse) -> list[tuple[str, list[PlainRow]]]:
        """The rows of a frame that fit their channels; everything else is refused, never raised."""
        try:
            pairs = self._pairs.decode(frame)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            refuse("malformed", WireError(f"malformed frame: {error}"))
            return []
        if sum(_length(body) for _, body in pairs) > self._rows:
            refuse("oversized", WireError(f"a frame of more than {self._rows:,} rows"))
            return []
        found = []
        for channel, body in pairs:
            codec = self._codecs.get(channel)
            if codec is None:
                refuse("undeclared", WireError(f"this program has no channel {channel!r:.200}"))
                continue
            if rows := codec.decode(body, lambda error: refuse("unfit", error)):
                found.append((channel, rows))
        return found


def _length(body: msgspec.Raw) -> int:
    """The number of rows that a MessagePack array announces, known before anything is decoded."""
    head = bytes(memoryview(body)[:5])
    if head[0] & 0xF0 == 0x90:
        return head[0] & 0x0F
    if head[0] == 0xDC:
        return int.from_bytes(head[1:3], "big")
    return int.from_bytes(head[1:5], "big") if head[0] == 0xDD else 0
