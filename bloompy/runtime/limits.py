"""How much a node takes in, holds and sends."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen, validators


def _at_least_one(default: float) -> Any:
    return field(default=default, validator=validators.ge(1))


@frozen
class Limits:
    """Bounds of one node. What is beyond them is refused or made to wait, and counted.

    Attributes:
        frame_bytes: most bytes of a frame, in and out.
        frame_rows: most rows of a frame, in and out.
        frames_per_s: frames taken from one peer in a second, over a burst of as many; a faster peer waits.
        connections: peers connected at once, in and out each; for one more that comes in, the oldest without proof has to go.
        mailbox_rows: messages waiting for a tick; beyond it no peer is read from until half of them are gone.
        tick_rows: messages in one tick.
        sync_ticks: ticks that may share one synchronisation of the store; with 1 each has its own.
        delay_s: seconds after which changes of delayed tables are synchronised, if no other change was before.
        outgoing_bytes: waiting for one peer; beyond it frames for it are dropped.
        handshake_s: seconds in which a new connection must have proved itself.
        reach_s: seconds for which a peer that cannot be reached is tried, with what waits for it.
    """

    frame_bytes: int = _at_least_one(16 * 1024 * 1024)
    frame_rows: int = _at_least_one(100_000)
    frames_per_s: float = _at_least_one(20_000)
    connections: int = _at_least_one(1_000)
    mailbox_rows: int = _at_least_one(100_000)
    tick_rows: int = _at_least_one(20_000)
    sync_ticks: int = _at_least_one(100)
    delay_s: float = field(default=1.0, validator=validators.gt(0))
    outgoing_bytes: int = _at_least_one(64 * 1024 * 1024)
    handshake_s: float = field(default=5.0, validator=validators.gt(0))
    reach_s: float = field(default=10.0, validator=validators.gt(0))
