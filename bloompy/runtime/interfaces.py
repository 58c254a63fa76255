"""What a node stands on: clock, transport, store. Production and simulation differ only in what stands behind these."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from bloompy.engine.tick import Durable, PlainRow
from bloompy.schema import Schema


class Timer(Protocol):
    """A call that was asked for."""

    def cancel(self) -> None:
        """Do not make it."""


class Clock(Protocol):
    """Time, and calls in time, all in the node's own thread."""

    def now(self) -> float:
        """Seconds of the node's clock, by which its timers fire."""

    def call_soon(self, callback: Callable[[], None]) -> object:
        """Have a callback called as soon as what has already arrived was taken in."""

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Have a callback called at a time of this clock. It may come early where the clock was set."""


class Receiver(Protocol):
    """The node's side of a transport. Neither call raises."""

    def receive(self, peer: str, frame: bytes) -> None:
        """Take in a frame; `peer` names who sent it as far as the transport knows."""

    def refuse(self, peer: str, reason: str, error: Exception) -> None:
        """Count and log what was not taken in."""


class Transport(Protocol):
    """Carries frames between nodes. Frames may be lost, repeated, delayed and reordered.

    Attributes:
        frame_bytes: most bytes of a frame.
        dropped: number of frames given up because a queue was full or the peer could not be reached.
    """

    frame_bytes: int
    dropped: int

    async def open(self) -> str:
        """Take the address that peers reach this node by, and return it; "" if it cannot be reached.

        Raises:
            TransportError: if that cannot be done.
            AuthenticationError: if it would be open to anybody.
        """

    async def start(self, receiver: Receiver) -> None:
        """Begin to pass frames in."""

    def send(self, address: str, frame: bytes) -> None:
        """Send a frame, or drop it if the queue for its destination is full. Never waits, never raises."""

    def pause(self) -> None:
        """Let peers wait: the node has as much as it can hold."""

    def resume(self) -> None:
        """End of the pause."""

    async def close(self) -> None:
        """Send what is queued for peers that can be reached, for a moment, then let go of everything."""


class Store(Protocol):
    """Keeps the durable tables of one node. After an error it is not used again: what was written last is unknown."""

    def open(self, tables: Mapping[str, Schema]) -> None:
        """Open or make the store for these tables, and keep others out.

        Raises:
            StoreError: if it cannot be opened, is in use, is damaged, or holds a table of another schema.
            UsageError: for a column whose type cannot be stored.
        """

    def load(self) -> dict[str, list[PlainRow]]:
        """All rows by table.

        Raises:
            StoreError: if they cannot be read.
        """

    def write(self, change: Durable) -> None:
        """Take in the change of one tick, for the next `sync`. Before that nothing of it need be safe.

        Raises:
            WireError: for a value that cannot be stored; nothing of the change was taken in and the store stays usable.
        """

    def sync(self) -> None:
        """Make safe what was written, all of it or nothing, before this returns. Called only if something was.

        Raises:
            StoreError: if that cannot be done.
        """

    def close(self) -> None:
        """Let go of the store; what was written and not synchronised may be lost."""
