"""States that differ only in which of some interchangeable nodes is which (symmetry reduction: Ip and Dill, 1996).

Of all states that renaming turns into each other one is explored, the first that is found. A state's key is the least of what the
renamings make of it; rows are renamed wherever an address stands in them, and each local state once for each renaming.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations, product
from typing import Any

from bloompy.errors import UsageError
from bloompy.sim.exploring.networks import FifoNetwork, Net
from bloompy.sim.exploring.space import Space, State
from bloompy.sim.exploring.stimuli import Firing, Input

MOST = 1_000
"""How many renamings are tried at most: more cost more than they save."""


class Renaming:
    """One way to rename nodes.

    Attributes:
        nodes: by number, the number of the node whose place each takes.
    """

    def __init__(self, space: Space, nodes: Mapping[int, int]) -> None:
        self._space = space
        self.nodes = [nodes.get(number, number) for number in range(space.count)]
        self._addresses = {space.processes[one].address: space.processes[other].address for one, other in nodes.items()}
        self._locals: dict[tuple[int, int], int] = {}
        self._messages: dict[int, int] = {}
        self._nets: dict[Net, Net] = {}

    def row(self, value: Any) -> Any:
        """A value with the addresses in it renamed."""
        if isinstance(value, str):
            return self._addresses.get(value, value)
        if isinstance(value, tuple):
            return tuple(map(self.row, value))
        if isinstance(value, frozenset):
            return frozenset(map(self.row, value))
        return value

    def state(self, state: State, contents: dict[Any, int]) -> tuple[Any, ...]:
        """A state renamed, local states by the numbers of their contents."""
        found: list[Any] = [0] * len(self.nodes)
        for node, other in enumerate(self.nodes):
            known = self._locals.get((node, state[node]))
            if known is None:
                process = self._space.processes[node]
                content = id(process.program), self.row(process.locals[state[node]].key)
                known = self._locals[node, state[node]] = contents.setdefault(content, len(contents))
            found[other] = known
        net = state[-2]
        if net not in self._nets:
            self._nets[net] = self._net(net)
        return (*found, self._nets[net], state[-1])

    def _net(self, net: Net) -> Net:
        network = self._space.network
        if not isinstance(network, FifoNetwork):
            return network.sent(0, [self._message(no) for no in network.held(net)])
        links = [(network.ends(link), tuple(map(self._message, queue))) for link, queue in net]
        return tuple(sorted((tuple(map(self._node, ends)), queue) for ends, queue in links))

    def _node(self, number: int) -> int:
        return self.nodes[number] if number < len(self.nodes) else number

    def _message(self, no: int) -> int:
        known = self._messages.get(no)
        if known is None:
            message = self._space.messages[no]
            make = type(message.shown).make
            known = self._space.messages.of(self._node(message.node), message.channel, self.row(message.row), make).no
            self._messages[no] = known
        return known


class Symmetry:
    """The interchangeable nodes of a model.

    Raises:
        UsageError: for nodes that cannot be interchangeable: of different classes, with different inputs, or that begin differently.
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        self._contents: dict[Any, int] = {}
        self._keys: dict[State, tuple[Any, ...]] = {}
        groups = [[list(each) for each in permutations(group)] for group in space.model.groups]
        self._renamings = []
        for chosen in product(*groups):
            nodes: dict[int, int] = {}
            for group, order in zip(space.model.groups, chosen, strict=True):
                nodes |= dict(zip(group, order, strict=True))
            self._renamings.append(Renaming(space, nodes))
            if len(self._renamings) > MOST:
                raise UsageError(f"there are more than {MOST:,} ways to rename these nodes", hint="name fewer as interchangeable")
        for renaming in self._renamings:
            self._check_inputs(renaming)

    def key(self, state: State) -> tuple[Any, ...]:
        """The same for states that renaming turns into each other."""
        known = self._keys.get(state)
        if known is None:
            contents = self._contents
            known = self._keys[state] = min(renaming.state(state, contents) for renaming in self._renamings)
        return known

    def check_beginning(self, states: list[State]) -> None:
        """Renaming must turn what a model begins with into what it begins with."""
        whole = {renaming.state(state, self._contents) for state in states for renaming in self._renamings}
        if len(whole) > len(states):
            what = "nodes that are said to be interchangeable begin differently"
            raise UsageError(what, hint="look at their parameters, and at what others know of them")

    def _check_inputs(self, renaming: Renaming) -> None:
        model = self._space.model
        for node, other in enumerate(renaming.nodes):
            mine, theirs = model.members[node], model.members[other]
            same = type(mine.make()) is type(theirs.make()) and (mine.late, mine.restarts) == (theirs.late, theirs.restarts)
            if not same or [_said(one, renaming) for one in mine.inputs] != [_said(one, None) for one in theirs.inputs]:
                what = "they are not of one class, or not the same may happen to them"
                raise UsageError(
                    f"{mine.address} and {theirs.address} are not interchangeable: {what}",
                    hint="give both the same inputs and timers, in the same order",
                )
        for crashes in model.crashes:
            if {renaming.nodes[node] for node in crashes.nodes} != crashes.nodes:
                raise UsageError("of nodes that are interchangeable some may crash and others not", hint="crash all or none of them")


def _said(one: Input | Firing, renaming: Renaming | None) -> tuple[Any, ...]:
    if isinstance(one, Firing):
        return one.collection, one.times
    return one.collection, one.operation, one.rows if renaming is None else renaming.row(one.rows), one.times, one.when
