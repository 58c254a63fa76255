"""What a node has done, and what it has refused."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable

from attrs import define, field

_LOG = logging.getLogger("bloompy.node")
_LOG_EVERY_S = 1.0


@define
class Counters:
    """Counts since the node was made.

    Attributes:
        ticks: committed ticks.
        frames_received, rows_received: messages from other nodes, rows only where they fit.
        frames_sent, rows_sent: messages to other nodes, whether or not they arrived.
        dead_letters: rows set aside because their tick failed or no frame could hold them.
        callback_errors: exceptions of callbacks given to `on_insert`.
        refused: what was not taken in, by reason: "malformed", "oversized", "undeclared", "unfit" (for the schema),
            "unauthenticated", "overloaded", "unreachable".
        clock: seconds, by which the log is kept short.
    """

    ticks: int = 0
    frames_received: int = 0
    rows_received: int = 0
    frames_sent: int = 0
    rows_sent: int = 0
    dead_letters: int = 0
    callback_errors: int = 0
    refused: Counter[str] = field(factory=Counter)
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)
    _logged: dict[str, float] = field(factory=dict, repr=False)

    def refuse(self, peer: str, reason: str, error: Exception) -> None:
        """Count and log what was not taken in."""
        self.refused[reason] += 1
        if self._may_log(reason):
            _LOG.warning("refused from %r: %s: %s (%d so far)", peer, reason, _plain(error), self.refused[reason])

    def set_aside(self, channel: str, error: Exception) -> None:
        """Count and log a dead letter."""
        self.dead_letters += 1
        if self._may_log(channel):
            _LOG.warning("set aside: a row of %r: %s: %s (%d so far)", channel, type(error).__name__, _plain(error), self.dead_letters)

    def _may_log(self, about: str) -> bool:
        """At most one line a second about the same, so that nobody can fill the log."""
        now = self.clock()
        if now - self._logged.get(about, -_LOG_EVERY_S) < _LOG_EVERY_S:
            return False
        self._logged[about] = now
        return True


def _plain(error: Exception) -> str:
    """The message without anything that a terminal would act on: a peer had a say in it."""
    return "".join(character if character.isprintable() else "?" for character in str(error)[:500])
