"""Keeps the trace of a simulation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bloompy.engine.tick import Batch, PlainRow, Tick
from bloompy.sim.clock import Agenda
from bloompy.sim.network import Frame
from bloompy.sim.trace import Event, EventKind, Rows, Trace

if TYPE_CHECKING:
    from bloompy.sim.node import SimNode


class Notes:
    """Writes down what happens.

    Args:
        trace: where.
        agenda: virtual time.
        nodes: by address.
        keep: whether anything is written.
    """

    def __init__(self, trace: Trace, agenda: Agenda, nodes: Mapping[str, SimNode], keep: bool) -> None:
        self._events, self._agenda, self._nodes, self._keep = trace.events, agenda, nodes, keep
        self._last: tuple[int, Rows] = (0, {})

    def node(self, kind: EventKind, node: SimNode, text: str = "", batch: Batch | None = None, tick: Tick | None = None) -> None:
        """Something happened at a node."""
        if self._keep:
            event = self._event(kind, node.address, text)
            event.incarnation, event.step, event.batch, event.tick = node.incarnation, node.safe_step, batch, tick
            event.stored = node.stored_step

    def frame(self, kind: EventKind, frame: Frame, text: str) -> None:
        """Something happened to a frame."""
        if not self._keep:
            return
        here, there = (frame.source, frame.destination) if kind not in ("deliver", "refuse") else (frame.destination, frame.source)
        event = self._event(kind, here, text)
        event.peer, event.frame, event.ordinal, event.rows = there, frame.number, frame.ordinal, self._rows(frame)
        if (node := self._nodes.get(here)) is not None:
            event.incarnation, event.step = node.incarnation, node.safe_step

    def fault(self, text: str, node: str = "") -> None:
        """Somebody did some harm by hand."""
        if self._keep:
            self._event("fault", node, text)

    def failure(self, error: BaseException) -> None:
        """The run ends by an error."""
        if self._keep:
            name = type(error).__name__
            event = self._event("fault", "", f"{name}: {getattr(error, 'message', error)}")
            event.rows = {"failure": [(name,)]}

    def _event(self, kind: EventKind, node: str, text: str) -> Event:
        event = Event(len(self._events) + 1, self._agenda.now, kind, node, text=text)
        self._events.append(event)
        return event

    def _rows(self, frame: Frame) -> Rows:
        """What a frame holds, as its sender means it."""
        number, rows = self._last
        if number == frame.number:
            return rows
        found: dict[str, list[PlainRow]] = {}
        node = self._nodes.get(frame.source)
        if node is not None and frame.whole:
            for channel, more in node.driver.decoded(frame.data):
                found.setdefault(channel, []).extend(more)
        self._last = frame.number, found
        return found
