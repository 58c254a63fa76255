"""Runs written by hand, for pictures of them."""

from __future__ import annotations

from typing import Any

from bloompy.engine.tick import Tick
from bloompy.sim.trace import Event


class Run:
    """Notes events one by one."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def event(self, time: float, kind: Any, node: str = "", peer: str = "", **fields: Any) -> Run:
        """One more event."""
        self.events.append(Event(len(self.events) + 1, time, kind, node, peer, **fields))
        return self

    def tick(self, time: float, node: str, step: int, new: dict[str, list[Any]] | None = None, **fields: Any) -> Run:
        """A tick that brings new rows."""
        done = Tick(step, time, {}, 0, lambda: (new or {}, {}))
        return self.event(time, "tick", node, step=step, incarnation=fields.pop("incarnation", 1), tick=done, **fields)

    def message(self, number: int, source: str, target: str, sent: float, arrives: float | None, rows: dict[str, list[Any]]) -> Run:
        """A frame that arrives, or is lost at once."""
        self.event(sent, "send", source, target, frame=number, rows=rows)
        if arrives is None:
            return self.event(sent, "drop", source, target, frame=number, rows=rows, text="lost")
        return self.event(arrives, "deliver", target, source, frame=number, rows=rows)


def broadcast() -> Run:
    """a sends to b, where it arrives twice, and to c, where it does not; b crashes and comes back; c finds something wrong."""
    run = Run()
    for node in "abc":
        run.event(0.0, "start", node, incarnation=1)
    run.tick(0.001, "a", 1, {"stored": [("m",)]})
    run.event(0.001, "send", "a", "b", frame=1, rows={"told": [("b", "m", 7)]})
    run.event(0.001, "send", "a", "c", frame=2, rows={"told": [("c", "m", 7)]})
    run.event(0.001, "drop", "a", "c", frame=2, rows={"told": [("c", "m", 7)]}, text="lost")
    run.event(0.001, "duplicate", "a", "b", frame=1)
    run.event(0.002, "deliver", "b", "a", frame=1, rows={"told": [("b", "m", 7)]})
    run.tick(0.002, "b", 1, {"stored": [("m",)]})
    run.event(0.0025, "deliver", "b", "a", frame=1, rows={"told": [("b", "m", 7)]})
    run.tick(0.0025, "b", 2)
    run.event(0.003, "crash", "b", incarnation=1, text="power loss")
    run.event(2.0, "restart", "b", incarnation=2)
    run.tick(2.0, "b", 1, incarnation=2)
    run.event(2.5, "fault", "c", rows={"failure": [("InvariantViolation",)]}, text="invariant Broadcast.all_or_none is violated by ('m',)")
    return run


def long_run(messages: int) -> Run:
    """A client's request goes round three servers again and again; one message of them all is lost, and that is what fails."""
    run = Run()
    for number in range(1, messages + 1):
        at = number / 10
        source, target = f"n{number % 3}", f"n{(number + 1) % 3}"
        run.tick(at, source, number, {"seen": [(number,)]})
        lost = number == messages // 2
        run.message(number, source, target, at, None if lost else at + 0.001, {"ping": [(target, number)]})
        if not lost:
            run.tick(at + 0.001, target, number, {"seen": [(number,)]})
    return run
