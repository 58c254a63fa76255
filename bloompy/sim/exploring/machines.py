"""Instances of a program, each brought to a state in which a tick is to be tried.

A machine is brought there by the inputs that led there, replayed: nothing but ticks ever changes one, so a replayed machine is
what it was. Those used last are kept, since a state that was just found is often the next to be left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from attrs import frozen

from bloompy.engine.machine import Machine
from bloompy.engine.tick import Batch, PlainRow
from bloompy.program import Bloom, machine_of

KEPT = 64
"""How many machines of one node are kept."""


@frozen
class Origin:
    """How a local state came about.

    Attributes:
        parent: the local state before; None: a start of the program, with what was on disk.
        batches: the input of each tick since.
        restored: durable tables of a start.
    """

    parent: int | None
    batches: tuple[Batch, ...]
    restored: Mapping[str, Sequence[PlainRow]]


class Machines:
    """Machines of one node by local state.

    Args:
        make: makes a new instance.
        origin: how a local state came about.
    """

    def __init__(self, make: Callable[[], Bloom], origin: Callable[[int], Origin]) -> None:
        self._make, self._origin = make, origin
        self._kept: dict[int, Machine] = {}

    def take(self, local: int) -> Machine:
        """A machine in a local state, the caller's from now on. O(ticks since the start), or O(1) if one was kept."""
        found = self._kept.pop(local, None)
        return found if found is not None else self._replayed(local)

    def keep(self, local: int, machine: Machine) -> None:
        """Give back a machine, in the local state where it is now."""
        self._kept.pop(local, None)
        self._kept[local] = machine
        if len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]

    def started(self, restored: Mapping[str, Sequence[PlainRow]]) -> Machine:
        """A new one that has not ticked."""
        machine = machine_of(self._make())
        if restored:
            machine.restore({name: list(rows) for name, rows in restored.items()})
        return machine

    def _replayed(self, local: int) -> Machine:
        chain = []
        at: int | None = local
        while at is not None:
            origin = self._origin(at)
            chain.append(origin)
            at = origin.parent
        machine = self.started(chain[-1].restored)
        for origin in reversed(chain):
            for batch in origin.batches:
                machine.run(batch)
        return machine
