"""What a node sends: rows gathered by destination, one frame for each in a tick."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bloompy.engine.tick import PlainRow
from bloompy.errors import UsageError
from bloompy.ir.nodes import Program
from bloompy.runtime.counters import Counters
from bloompy.runtime.interfaces import Transport
from bloompy.transports.frames import FrameCodec, Unsendable


class Outbox:
    """Gathers rows of channels and sends them.

    Args:
        program: whose channels and loopbacks they are.
        me: the node's own address; rows for it never leave.
        transport, codec: for all others.
        counters: of the node.
        to_self: takes (channel, rows) for the node itself.
        unsendable: takes (channel, row, error) for a row that cannot be sent.
    """

    def __init__(
        self,
        program: Program,
        me: str,
        transport: Transport,
        codec: FrameCodec,
        counters: Counters,
        to_self: Callable[[str, list[PlainRow]], None],
        unsendable: Unsendable,
    ) -> None:
        self._address = {one.name: one.schema.address for one in program.collections if one.kind in ("channel", "loopback")}
        self._me, self._transport, self._codec, self._counters = me, transport, codec, counters
        self._to_self, self._unsendable = to_self, unsendable
        self._letters: dict[str, dict[str, list[PlainRow]]] = {}

    def add(self, channel: str, rows: Sequence[PlainRow]) -> None:
        """Gather rows of a channel or loopback."""
        index = self._address[channel]
        if index is None:
            self._to_self(channel, list(rows))
            return
        own: list[PlainRow] = []
        for row in rows:
            address = row[index]
            if address == self._me:
                own.append(row)
            elif type(address) is str:
                self._letters.setdefault(address, {}).setdefault(channel, []).append(row)
            else:
                error = UsageError(f"{channel}: {address!r:.200} is no address", hint='an address is a str, "host:port"')
                self._unsendable(channel, row, error)
        if own:
            self._to_self(channel, own)

    def flush(self) -> None:
        """Send what was gathered."""
        letters, self._letters = self._letters, {}
        for address, channels in letters.items():
            for frame in self._codec.encode(channels, self._transport.frame_bytes, self._unsendable):
                self._transport.send(address, frame)
                self._counters.frames_sent += 1
            self._counters.rows_sent += sum(map(len, channels.values()))
