"""The messages that are on their way, as a value: part of the state of a model, so small and quick to compare.

A network never delivers by itself. It says what may arrive, and what remains when something has arrived; loss and duplication
are steps of the exploration that leave more or less behind.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, Protocol, TypeAlias

from bloompy.errors import UsageError
from bloompy.sim.exploring.stimuli import Messages, Stimuli

NetworkKind: TypeAlias = Literal["set", "bag", "fifo"]

Net: TypeAlias = Any
"""What is on its way, as one network writes it."""

Sent: TypeAlias = Any
"""What a tick sends, as one network writes it."""

Arrival: TypeAlias = tuple[int, Stimuli]
"""What may arrive: a token that the network knows it by, and the message as a stimulus."""


class Network(Protocol):
    """See the module.

    Attributes:
        empty: nothing on its way.
        keeps: whether a message that has arrived stays, to arrive again at any time.
    """

    empty: Net
    keeps: bool

    def sent(self, sender: int, messages: Sequence[int]) -> Sent:
        """Messages that a node sends in one tick."""

    def put(self, net: Net, sent: Sent) -> Net:
        """What is on its way when more has been sent."""

    def take(self, net: Net, token: int) -> Net:
        """What is on its way when a message has arrived."""

    def arrivals(self, net: Net, node: int) -> tuple[Arrival, ...]:
        """What may arrive at a node next, in order of the tokens."""

    def held(self, net: Net) -> Iterator[int]:
        """The number of every message on its way, as often as it is."""


class _Masks:
    """Messages as bits, or groups of bits, of one integer."""

    empty: Net = 0
    width = 1

    def __init__(self, messages: Messages) -> None:
        self._messages = messages
        self._inbox: dict[int, int] = {}
        self._counted = 0
        self._arrivals: dict[tuple[int, int], tuple[Arrival, ...]] = {}

    def arrivals(self, net: int, node: int) -> tuple[Arrival, ...]:
        """What may arrive at a node next."""
        if self._counted != len(self._messages):
            self._count()
        mine = net & self._inbox.get(node, 0)
        if not mine:
            return ()
        found = self._arrivals.get((node, mine))
        if found is None:
            found = self._arrivals[node, mine] = tuple((no, (no,)) for no in _places(mine, self.width))
        return found

    def _count(self) -> None:
        ones = (1 << self.width) - 1
        for no in range(self._counted, len(self._messages)):
            node = self._messages[no].node
            self._inbox[node] = self._inbox.get(node, 0) | ones << no * self.width
        self._counted = len(self._messages)


class SetNetwork(_Masks):
    """Messages are a set and stay in it: each may arrive at any time, any number of times, or never (as usual in TLA+)."""

    keeps = True

    def sent(self, sender: int, messages: Sequence[int]) -> int:
        """Messages that a node sends in one tick."""
        found = 0
        for no in messages:
            found |= 1 << no
        return found

    def put(self, net: int, sent: int) -> int:
        """What is on its way when more has been sent."""
        return net | sent

    def take(self, net: int, token: int) -> int:
        """The same: a message stays."""
        return net

    def held(self, net: int) -> Iterator[int]:
        """The number of every message."""
        return _places(net, 1)


class BagNetwork(_Masks):
    """Each message arrives once, in any order; copies of one message count."""

    keeps = False
    width = 16

    def sent(self, sender: int, messages: Sequence[int]) -> int:
        """Messages that a node sends in one tick."""
        return sum(1 << no * self.width for no in messages)

    def put(self, net: int, sent: int) -> int:
        """What is on its way when more has been sent."""
        return net + sent

    def take(self, net: int, token: int) -> int:
        """One copy less."""
        return net - (1 << token * self.width)

    def held(self, net: int) -> Iterator[int]:
        """The number of every message, as often as it is there."""
        ones = (1 << self.width) - 1
        for no in _places(net, self.width):
            for _ in range(net >> no * self.width & ones):
                yield no


_LINKS = 20
"""Bits of a token of the fifo network that name the link."""

Queues: TypeAlias = tuple[tuple[int, tuple[int, ...]], ...]
"""Messages by link, oldest first, in order of the links; links without messages are left out."""


class FifoNetwork:
    """Messages of one node to another arrive in the order in which they were sent."""

    empty: Net = ()
    keeps = False

    def __init__(self, messages: Messages, nodes: int) -> None:
        self._messages, self._nodes = messages, nodes

    def sent(self, sender: int, messages: Sequence[int]) -> Queues:
        """Messages that a node sends in one tick."""
        queues: dict[int, list[int]] = {}
        for no in messages:
            queues.setdefault(sender * self._nodes + self._messages[no].node, []).append(no)
        return tuple((link, tuple(queue)) for link, queue in sorted(queues.items()))

    def put(self, net: Queues, sent: Queues) -> Queues:
        """What is on its way when more has been sent."""
        if not sent:
            return net
        queues = dict(net)
        for link, queue in sent:
            queues[link] = queues.get(link, ()) + queue
        return tuple(sorted(queues.items()))

    def take(self, net: Queues, token: int) -> Queues:
        """Without the first of a link."""
        link = token & (1 << _LINKS) - 1
        return tuple((each, queue[1:] if each == link else queue) for each, queue in net if each != link or len(queue) > 1)

    def ends(self, link: int) -> tuple[int, int]:
        """Sender and receiver of a link."""
        return divmod(link, self._nodes)

    def arrivals(self, net: Queues, node: int) -> tuple[Arrival, ...]:
        """The first message of each link to a node."""
        return tuple((queue[0] << _LINKS | link, (queue[0],)) for link, queue in net if link % self._nodes == node)

    def held(self, net: Queues) -> Iterator[int]:
        """The number of every message."""
        return (no for _, queue in net for no in queue)


def network_of(kind: str, messages: Messages, nodes: int) -> Network:
    """A network by its name.

    Raises:
        UsageError: for another name.
    """
    if kind == "set":
        return SetNetwork(messages)
    if kind == "bag":
        return BagNetwork(messages)
    if kind == "fifo":
        return FifoNetwork(messages, nodes)
    raise UsageError(f"there is no network {kind!r}", hint='"set", "bag" or "fifo"')


def _places(mask: int, width: int) -> Iterator[int]:
    """The numbers of the groups of bits that are not all 0, ascending."""
    ones = (1 << width) - 1
    while mask:
        no = ((mask & -mask).bit_length() - 1) // width
        yield no
        mask &= ~(ones << no * width)
