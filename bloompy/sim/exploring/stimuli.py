"""What can make a node of a model tick: a message that arrives, an input from outside, a timer.

Each has a number by which states and memories name it: messages count from 0 upwards, in the order in which they were first sent;
inputs and timers of a node from -1 downwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import frozen

from bloompy.engine.tick import PlainRow

if TYPE_CHECKING:
    from bloompy.sim.exploring.view import NodeView

Stimuli: TypeAlias = tuple[int, ...]
"""The numbers of what takes part in a tick, in ascending order; none: only what the node itself asked for."""


@frozen
class Message:
    """A row on its way. Who sent it is no part of it: a receiver cannot tell.

    Attributes:
        no: its number.
        node: number of the receiver.
        shown: the row with named columns.
    """

    no: int
    node: int
    channel: str
    row: PlainRow
    shown: Any


@frozen
class Input:
    """Something from outside that may happen.

    Attributes:
        no: its number, below 0.
        node: number of the node.
        operation: "insert", "delete" or "upsert".
        rows: what comes, all in one tick.
        times: how often at most; None: any number of times.
        when: whether it may happen now, of what the node holds.
    """

    no: int
    node: int
    collection: str
    operation: str
    rows: tuple[Any, ...]
    times: int | None
    when: Callable[[NodeView], bool] | None


@frozen
class Firing:
    """A timer that may fire at any time.

    Attributes:
        times: how often at most; None: any number of times.
    """

    no: int
    node: int
    collection: str
    times: int | None


class Messages:
    """All messages that were ever sent, numbered."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str, PlainRow], Message] = {}
        self._all: list[Message] = []

    def __len__(self) -> int:
        return len(self._all)

    def __getitem__(self, no: int) -> Message:
        return self._all[no]

    def __iter__(self) -> Iterator[Message]:
        return iter(self._all)

    def of(self, node: int, channel: str, row: PlainRow, make: Callable[[PlainRow], Any]) -> Message:
        """The message with this content; `make` names the columns of its row. Amortized O(1)."""
        found = self._known.get((node, channel, row))
        if found is None:
            found = self._known[node, channel, row] = Message(len(self._all), node, channel, row, make(row))
            self._all.append(found)
        return found
