"""A few programs stepped by hand, with a network and disks that a test moves itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from bloompy import Bloom, Tick
from bloompy.program import machine_of
from bloompy.stores.memory import MemoryStore

Message = tuple[str, str, tuple[Any, ...]]
"""Sender, channel and row."""


class Stepped:
    """Nodes by address, the time they share, and the messages that are under way.

    Args:
        make: address to program.
        addresses: of the nodes to start.
        step_s: how far time moves with each round.
    """

    def __init__(self, make: Callable[[str], Bloom], addresses: Iterable[str], step_s: float = 0.1) -> None:
        self._make, self._step_s = make, step_s
        self.now = 100.0
        self.nodes: dict[str, Any] = {}
        self.disks: dict[str, MemoryStore] = {}
        self.under_way: list[Message] = []
        self.lost: Callable[[Message], bool] = lambda message: False
        self.outputs: list[tuple[str, str, Any]] = []
        self.sent: Counter[str] = Counter()
        for address in addresses:
            self.start(address)

    def __getitem__(self, address: str) -> Any:
        return self.nodes[address]

    def start(self, address: str) -> None:
        """Start a node, with what its disk holds."""
        program = self._make(address)
        machine = machine_of(program)
        disk = self.disks.setdefault(address, MemoryStore())
        disk.open({each.name: each.schema for each in machine.program.collections if each.durable})
        machine.restore(disk.load())
        self.nodes[address] = program

    def crash(self, address: str) -> None:
        """End a node; its disk stays."""
        del self.nodes[address]
        self.disks[address].close()

    def tick(self, address: str) -> Tick:
        """One tick of one node; what it sends is under way."""
        program = self.nodes[address]
        machine, disk = machine_of(program), self.disks[address]

        def commit(change: Any) -> None:
            disk.write(change)
            disk.sync()

        tick = machine.run(machine.take(self.now), commit)
        for channel, rows in tick.sent.items():
            self.under_way += [(address, channel, row) for row in rows]
        self.sent.update({channel: len(rows) for channel, rows in tick.sent.items()})
        for collection in machine.program.collections:
            if collection.kind == "output":
                self.outputs += [(address, collection.name, row) for row in tick.inserted.get(collection.name, ())]
        return tick

    def deliver(self) -> None:
        """Hand over what is under way, except what is lost."""
        under_way, self.under_way = self.under_way, []
        for message in under_way:
            _, channel, row = message
            if not self.lost(message):
                for address, program in self.nodes.items():
                    collection = machine_of(program).program.by_name.get(channel)
                    if collection is not None and row[collection.schema.address] == address:
                        machine_of(program).deliver(channel, row)

    def round(self) -> None:
        """Time moves on, messages arrive, every node ticks."""
        self.now += self._step_s
        self.deliver()
        for address in list(self.nodes):
            self.tick(address)

    def run(self, seconds: float) -> None:
        """Rounds for so long."""
        end = self.now + seconds
        while self.now < end - 1e-9:
            self.round()

    def out(self, name: str, address: str | None = None) -> list[Any]:
        """All rows of an output so far, in order."""
        return [row for node, output, row in self.outputs if output == name and address in (None, node)]

    def lose(self, *channels: str) -> None:
        """From now on lose every message of these channels, or none."""
        self.lost = lambda message: message[1] in channels

    def cut(self, *addresses: str) -> None:
        """From now on lose every message between these nodes and the others."""
        self.lost = lambda message: (message[0] in addresses) != (message[2][0] in addresses)


def duplicates(found: Iterable[Any]) -> Iterator[Any]:
    """What comes more than once."""
    return (value for value, times in Counter(found).items() if times > 1)
