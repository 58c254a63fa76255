"""What the properties of a model see: the rows that all nodes hold in one state, and the messages on their way."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Protocol

from bloompy.engine.tick import PlainRow
from bloompy.errors import UsageError
from bloompy.ir.nodes import Program
from bloompy.schema import Key, Schema
from bloompy.sim.exploring.stimuli import Message
from bloompy.sim.trace import shown


class Held:
    """The rows of one collection at one node: iterated with named columns; `in`, `[]`, `get` by key, as on a program."""

    __slots__ = ("_by_key", "_lattice", "_rows", "_schema")

    def __init__(self, schema: Schema, rows: Iterable[PlainRow], lattice: bool = False) -> None:
        self._schema, self._rows, self._lattice = schema, schema.row.make_all(_ordered(rows)), lattice
        self._by_key: dict[Key, PlainRow] | None = None

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: Key) -> bool:
        return key in self._keyed

    def __getitem__(self, key: Key) -> Any:
        return self._keyed[key]

    def get(self, key: Key, default: Any = None) -> Any:
        """The row of a key, or the default."""
        return self._keyed.get(key, default)

    def rows(self) -> frozenset[Any]:
        """All rows."""
        return frozenset(self._rows)

    @property
    def value(self) -> Any:
        """Of a lattice, its value."""
        if not self._lattice:
            raise UsageError("only a lattice has a value", hint="iterate the rows")
        return self._rows[0][0] if self._rows else None

    @property
    def _keyed(self) -> dict[Key, PlainRow]:
        if self._by_key is None:
            self._by_key = {self._schema.key_of(row): row for row in self._rows}
        return self._by_key

    def __repr__(self) -> str:
        return f"{{{', '.join(map(repr, self._rows))}}}"


class NodeView:
    """What one node holds; its collections are attributes.

    Attributes:
        up: whether it runs. Of a node that is down one sees its durable tables.
    """

    def __init__(
        self, address: str, program: Program, up: bool, rows: Mapping[str, Collection[PlainRow]], allowed: frozenset[str] | None = None
    ) -> None:
        self.address, self.up = address, up
        self._program, self._rows, self._allowed = program, rows, allowed
        self._known: dict[str, Held] = {}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = self._held(name)
        self.__dict__[name] = found
        return found

    def content(self) -> Iterator[tuple[str, frozenset[PlainRow]]]:
        """The rows of every collection that can be seen, where it has any."""
        return ((name, frozenset(rows)) for name, rows in self._rows.items() if rows)

    def __getitem__(self, name: str) -> Held:
        """A collection by its full name, as those of inner modules have ("kvs.stored")."""
        known = self._known.get(name)
        if known is not None:
            return known
        found = self._held(name)
        if not isinstance(found, Held):
            raise UsageError(f"{name!r} is a module of {self._program.name}", hint=f"name a collection of it: {name}.…")
        self._known[name] = found
        return found

    def _held(self, name: str) -> Held | _Inner:
        declared = self._program.by_name.get(name)
        if declared is None:
            if any(each.startswith(f"{name}.") for each in self._program.by_name):
                return _Inner(self, name)
            raise UsageError(f"{self._program.name} has no collection {name!r}", hint=f"it has {', '.join(self._program.by_name)}")
        if self._allowed is not None and name not in self._allowed:
            raise UsageError(f"the property reads {name!r}, which is not among its reads", hint=f"reads=(…, {name!r})")
        if name not in self._rows:
            if not self.up:
                return Held(declared.schema, (), declared.lattice)
            raise UsageError(
                f"{self._program.name}.{name} may hold rows for the time of a tick only, and states are between ticks",
                hint=f"keep what is to be seen in a table, or name it: Model(…, observe=({name!r},))",
            )
        return Held(declared.schema, self._rows[name], declared.lattice)

    def __repr__(self) -> str:
        return f"<{self._program.name} {self.address}{'' if self.up else ', down'}>"


class _Inner:
    """An inner module of a node."""

    def __init__(self, node: NodeView, name: str) -> None:
        self._node, self._name = node, name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._node._held(f"{self._name}.{name}")


class States(Protocol):
    """What a view looks into.

    Attributes:
        addresses: the number of each node.
    """

    addresses: Mapping[str, int]

    def node(self, number: int, state: Any, allowed: frozenset[str] | None) -> NodeView:
        """What a node holds in a state."""

    def having(self, collection: str) -> Iterable[tuple[str, int]]:
        """The nodes whose programs have a collection, with their numbers."""

    def sent(self, state: Any) -> Iterable[Message]:
        """The messages on their way."""


class View(Mapping[str, NodeView]):
    """One state: nodes by address, in the order in which they were added."""

    __slots__ = ("_allowed", "_state", "_states")

    def __init__(self, states: States, state: Any, allowed: frozenset[str] | None = None) -> None:
        self._states, self._state, self._allowed = states, state, allowed

    def __getitem__(self, address: str) -> NodeView:
        return self._states.node(self._states.addresses[address], self._state, self._allowed)

    def __iter__(self) -> Iterator[str]:
        return iter(self._states.addresses)

    def __len__(self) -> int:
        return len(self._states.addresses)

    def all(self, collection: str) -> list[tuple[str, Any]]:
        """The rows of a collection at every node that has it, with the node's address."""
        nodes = self._states.having(collection)
        if not nodes:
            raise UsageError(f"no node has a collection {collection!r}", hint="look at the classes of the model")
        look, state, allowed = self._states.node, self._state, self._allowed
        return [(address, row) for address, number in nodes for row in look(number, state, allowed)[collection]]

    def content(self) -> tuple[Any, ...]:
        """All of it as one value: address, whether it is up, and rows of each node, and the messages; equal where the states are."""
        nodes = tuple((address, node.up, frozenset(node.content())) for address, node in self.items())
        messages: dict[tuple[str, PlainRow], int] = {}
        for message in self._states.sent(self._state):
            messages[message.channel, message.row] = messages.get((message.channel, message.row), 0) + 1
        return nodes, frozenset(messages.items())

    def sent(self, channel: str) -> list[Any]:
        """The rows of a channel on their way; where messages stay, all that were ever sent."""
        if self._allowed is not None and channel not in self._allowed:
            raise UsageError(f"the property reads {channel!r}, which is not among its reads", hint=f"reads=(…, {channel!r})")
        return [message.shown for message in self._states.sent(self._state) if message.channel == channel]


def _ordered(rows: Iterable[PlainRow]) -> list[PlainRow]:
    """Rows in an order that does not depend on how they came."""
    found = list(rows)
    if len(found) < 2:
        return found
    try:
        return sorted(found)
    except TypeError:  # values of types that have no order among them
        return sorted(found, key=shown)
