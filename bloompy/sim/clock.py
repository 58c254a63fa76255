"""Virtual time: the calls that are to be made, and the clocks of the nodes, which may be wrong."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable


class Call:
    """A call to be made at a time.

    Attributes:
        callback: it.
        owner: the node whose turn it is, or None.
        idle: it is a timer of a node: a simulation with nothing else to do counts as settled.
    """

    __slots__ = ("_agenda", "callback", "cancelled", "idle", "owner")

    def __init__(self, agenda: Agenda, callback: Callable[[], None], owner: object, idle: bool) -> None:
        self._agenda, self.callback, self.owner, self.idle, self.cancelled = agenda, callback, owner, idle, False

    def cancel(self) -> None:
        """Do not make it."""
        if not self.cancelled:
            self.cancelled = True
            if not self.idle:
                self._agenda.busy -= 1


class Agenda:
    """All calls to be made, by time, and in the order in which they were asked for.

    Attributes:
        now: seconds.
        busy: calls waiting that are not idle.
    """

    def __init__(self, start_s: float) -> None:
        self.now, self.busy = start_s, 0
        self._heap: list[tuple[float, int, Call]] = []
        self._number = 0

    def at(self, when: float, callback: Callable[[], None], owner: object = None, idle: bool = False) -> Call:
        """Have a call made, not before now."""
        call = Call(self, callback, owner, idle)
        self._number += 1
        heapq.heappush(self._heap, (when if when > self.now else self.now, self._number, call))
        if not idle:
            self.busy += 1
        return call

    def next(self) -> float | None:
        """When the next call is due; None without any."""
        heap = self._heap
        while heap and heap[0][2].cancelled:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def pop(self) -> Call:
        """Take the next call out; its time is now. There must be one."""
        self.now, _, call = heapq.heappop(self._heap)
        if not call.idle:
            self.busy -= 1
        call.cancelled = True  # made: cancelling it changes nothing any more
        return call

    def defer(self, call: Call, when: float) -> None:
        """Have a call that was taken out be made later."""
        call.cancelled = False
        self._number += 1
        heapq.heappush(self._heap, (when, self._number, call))
        if not call.idle:
            self.busy += 1


class NodeClock:
    """The `Clock` of one node: virtual time, moved by its skew and stretched by its drift.

    Args:
        agenda: virtual time.
        owner: the node.
    """

    def __init__(self, agenda: Agenda, owner: object) -> None:
        self._agenda, self._owner = agenda, owner
        self._local = self._since = agenda.now
        self.rate = 1.0

    def now(self) -> float:
        """Seconds of the node's clock."""
        return self._at(self._agenda.now)

    def set(self, skew_s: float = 0.0, rate: float | None = None) -> None:
        """Move the clock by some seconds from now on, and have it run at another rate."""
        self._local, self._since = self.now() + skew_s, self._agenda.now
        if rate is not None:
            self.rate = rate

    def call_soon(self, callback: Callable[[], None]) -> Call:
        """Have a callback called now, after what was to be done now already."""
        return self._agenda.at(self._agenda.now, callback, self._owner)

    def call_at(self, when: float, callback: Callable[[], None]) -> Call:
        """Have a callback called at a time of this clock."""
        due = self._since + (when - self._local) / self.rate
        while self._at(due) < when:  # by a rounding error: it would be early, and be asked for again without end
            due = math.nextafter(due, math.inf)
        return self._agenda.at(due, callback, self._owner, idle=True)

    def _at(self, now: float) -> float:
        return self._local + (now - self._since) * self.rate
