"""What happened in a simulated run, event by event."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from attrs import define, field

from bloompy.engine.tick import Batch, PlainRow, Tick
from bloompy.ir.nodes import Program

EventKind: TypeAlias = Literal[
    "start", "tick", "send", "deliver", "drop", "duplicate", "hold", "release", "refuse", "crash", "restart", "stop", "fault", "operation"
]

Rows: TypeAlias = Mapping[str, Sequence[PlainRow]]
"""Rows by channel."""


@define
class Event:
    """One thing that happened. Not to be changed.

    Attributes:
        no: number, from 1.
        time: seconds of the simulation.
        kind: "start" of a node, its "tick", "send" of a frame, its arrival ("deliver"), its loss ("drop"), its "refuse" as damaged, …
        node: where: the sender for "send" and "drop", the receiver for "deliver"; "" for all.
        peer: the other end of a frame.
        incarnation: of the node, from 1; one more at each restart.
        step: number of the node's last tick in this incarnation.
        frame: what a frame and its copies have in common; 0 where there is none.
        ordinal: of the frame on its link, from 1.
        rows: what the frame holds.
        text: what else is to be said.
        batch, tick: of a tick, its input and what it did.
        stored: of a crash or stop, the number of the node's last tick whose durable changes are on its disk.
    """

    no: int
    time: float
    kind: EventKind
    node: str = ""
    peer: str = ""
    incarnation: int = 0
    step: int = 0
    frame: int = 0
    ordinal: int = 0
    rows: Rows = field(factory=dict)
    text: str = ""
    batch: Batch | None = None
    tick: Tick | None = None
    stored: int = 0

    def __str__(self) -> str:
        return line(self)


class Trace:
    """The events of a run, in their order.

    Attributes:
        events: they.
        programs: by address, what the nodes run.
        partitions: with their times (`bloompy.sim.network.Partition`).
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.programs: dict[str, Program] = {}
        self.partitions: Sequence[Any] = []

    def __len__(self) -> int:
        return len(self.events)

    def __iter__(self) -> Iterator[Event]:
        return iter(self.events)

    def __str__(self) -> str:
        return "\n".join(map(line, self.events))

    def __repr__(self) -> str:
        end = self.events[-1].time if self.events else 0.0
        return f"<Trace of {len(self.events):,} events in {end:.6g} s>"

    @property
    def digest(self) -> str:
        """Of the whole text: equal runs have equal ones, in any process."""
        found = hashlib.sha256()
        for event in self.events:
            found.update(line(event).encode("utf-8", "surrogatepass") + b"\n")
        return found.hexdigest()

    def difference(self, other: Trace) -> tuple[str, str] | None:
        """The first lines in which two runs differ; None where they are the same."""
        for mine, theirs in zip(self.events, other.events, strict=False):
            if line(mine) != line(theirs):
                return line(mine), line(theirs)
        if len(self) == len(other):
            return None
        longer, at = (self, len(other)) if len(self) > len(other) else (other, len(self))
        more = line(longer.events[at])
        return (more, "(nothing)") if longer is self else ("(nothing)", more)

    def _repr_html_(self) -> str:
        from bloompy.pictures.spacetime import spacetime_html  # a picture is asked for by few

        return spacetime_html(self)

    def _repr_svg_(self) -> str:
        from bloompy.pictures.spacetime import spacetime_svg

        return spacetime_svg(self)


def line(event: Event) -> str:
    """An event as one line, the same in every process: what has no order of its own is sorted."""
    parts = [f"{event.time:.9f}", event.kind]
    if event.node:
        parts.append(f"{event.node}#{event.incarnation}" if event.incarnation else event.node)
    if event.peer:
        parts.append(("-> " if event.kind in ("send", "drop", "duplicate", "hold", "release") else "<- ") + event.peer)
    if event.frame:
        parts.append(f"frame {event.frame} (no. {event.ordinal})")
    if event.tick is not None and event.batch is not None:
        parts.append(f"{event.step} at {event.batch.now:.9f}{_input(event.batch)}{_output(event.tick)}")
    parts += [f"{channel}: {shown(rows)}" for channel, rows in event.rows.items()]
    if event.text:
        parts.append(event.text)
    return " ".join(_plain(part) for part in parts)


def _input(batch: Batch) -> str:
    changes = [
        f" {operation} {table}{shown(row if row is not None else key)}"
        for table, by_key in batch.changes.items()
        for key, change in by_key.items()
        for operation, row in change.operations
    ]
    return "".join([*changes, *(f" {name}: {shown(rows)}" for name, rows in batch.events.items())])


def _output(tick: Tick) -> str:
    return "".join(f" +{name} {shown(rows)}" for name, rows in tick.inserted.items() if rows) + "".join(
        f" -{name} {shown(rows)}" for name, rows in tick.deleted.items() if rows
    )


def shown(value: Any) -> str:
    """A value as text that does not depend on hash seeds, nor on what is held in memory where."""
    if isinstance(value, frozenset | set):
        return "{" + ", ".join(sorted(map(shown, value))) + "}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(sorted(f"{shown(key)}: {shown(one)}" for key, one in value.items())) + "}"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(shown, value)) + ("," if len(value) == 1 else "") + ")"
    if isinstance(value, list):
        return "[" + ", ".join(map(shown, value)) + "]"
    return repr(value)


def _plain(text: str) -> str:
    return "".join(one if one.isprintable() else one.encode("unicode_escape", "surrogatepass").decode() for one in text)
