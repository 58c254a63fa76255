"""Clients of a simulation whose operations are recorded, so that a history checker can judge what the nodes did.

    clients = Clients(sim, Protocol, 3)
    clients.work(30, draw, ask)
    sim.settle()
    assert linearizable(clients.history(), models.key_value())

`draw(number)` gives the function and the argument of an operation, drawn from the simulation (`sim.choose(…)`, `sim.integer(…)`), so
that a failure shrinks; `ask(client, number, function, argument)` says how it is asked of the nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import frozen

from bloompy.errors import CallTimeout, NodeStopped, UsageError
from bloompy.program import Bloom
from bloompy.testing.histories.history import History
from bloompy.testing.histories.recorder import Recorder, Recording

if TYPE_CHECKING:
    from bloompy.sim.node import SimNode
    from bloompy.sim.simulation import Simulation

_LOOK_AGAIN_S = 0.1


@frozen
class Refused:
    """What `result` of an `Ask` returns for a reply that says that the operation did not happen and never will.

    Attributes:
        why: in words.
    """

    why: str = ""


def _nothing(row: Any) -> Any:
    return None


@frozen
class Ask:
    """How an operation is asked of the nodes.

    Attributes:
        request: the channel, or input of the client's own program.
        row: what is sent.
        reply: the collection that gets the reply. It is correlated by the key columns of the request, as by `node.call`.
        result: the result of the operation, from the reply row, or `Refused(…)`. By default there is none.
    """

    request: str
    row: tuple[Any, ...]
    reply: str
    result: Callable[[Any], Any] = _nothing


Draw: TypeAlias = "Callable[[int], tuple[str, Any]]"
"""The number of an operation gives its function and argument."""

Asking: TypeAlias = "Callable[[str, int, str, Any], Ask]"
"""Address of the client, a number that no other request has, function and argument give how it is asked."""


class Clients:
    """Clients in virtual time, each a node of its own, and the history of their operations.

    Args:
        sim: the simulation.
        program: what the clients run: the collections by which they ask and get replies.
        count: how many there are: "client1", "client2", …
        **parameters: of the program.

    Attributes:
        names: their addresses; for `Faults(spare=…)` if they are not to crash.
        recorder: what notes their operations. Clients of your own may use it too.
    """

    def __init__(self, sim: Simulation, program: type[Bloom], count: int, **parameters: Any) -> None:
        if count < 1:
            raise UsageError(f"{count} clients", hint="have at least one")
        self.sim = sim
        self.names = tuple(f"client{i}" for i in range(1, count + 1))
        self.nodes: tuple[SimNode, ...] = tuple(sim.add(program, name, **parameters) for name in self.names)
        self.recorder = Recorder(lambda: sim.now)
        self._numbers = 0

    def work(self, operations: int, draw: Draw, ask: Asking, *, timeout_s: float = 1.0, pause_s: float = 0.01) -> None:
        """Have the clients do operations from now on, each one after the other, as fast as they are answered.

        An operation whose reply does not come in time, or whose client crashes, is `info`: nobody knows whether it happened. Its
        client goes on with the next. A client that is down waits until it is up.

        Args:
            operations: how many, all clients together. Shrinking leaves some out.
            draw: what to do.
            ask: how.
            timeout_s: how long to wait for a reply.
            pause_s: the most that a client waits before an operation; how long is drawn.
        """
        todo = self.sim.operations(operations, draw)
        for node in self.nodes:
            self.sim.spawn(self._client(node, todo, ask, timeout_s, pause_s))

    def history(self) -> History:
        """What was done until now; what is under way is `info`."""
        return self.recorder.history()

    async def _client(self, node: SimNode, todo: Iterator[tuple[str, Any]], ask: Asking, timeout_s: float, pause_s: float) -> None:
        while True:
            await self.sim.sleep(self.sim.integer(0, 1000) / 1000 * pause_s)
            while not node.up:
                await self.sim.sleep(_LOOK_AGAIN_S)
            operation = next(todo, None)
            if operation is None:
                return
            self._numbers += 1
            await self._do(node, ask(node.address, self._numbers, *operation), operation, timeout_s)

    async def _do(self, node: SimNode, asked: Ask, operation: tuple[str, Any], timeout_s: float) -> None:
        with self.recorder.operation(node.address, *operation) as recording:
            try:
                row = await node.call(asked.request, asked.row, reply=asked.reply, timeout_s=timeout_s)
            except (CallTimeout, NodeStopped) as error:
                recording.info(error.message)
            else:
                _note(recording, asked.result(row))


def _note(recording: Recording, result: Any) -> None:
    if isinstance(result, Refused):
        recording.fail(result.why)
    else:
        recording.ok(result)
