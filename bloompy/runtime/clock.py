"""The clock of a node in production: the program's own clock for times, the event loop for calls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class LoopClock:
    """A `Clock` on the running asyncio loop.

    Args:
        seconds: the node's clock, such as `time.time`.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self.now = seconds
        self._loop = asyncio.get_running_loop()

    def call_soon(self, callback: Callable[[], None]) -> asyncio.Handle:
        """Have a callback called in the loop's next turn: what all sockets held ready in this one is then in the mailbox."""
        return self._loop.call_soon(callback)

    def call_at(self, when: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """Have a callback called at a time of the node's clock, early where that clock is set back."""
        return self._loop.call_later(max(0.0, when - self.now()), callback)
