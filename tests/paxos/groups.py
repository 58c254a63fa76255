# ruff: noqa: B015
# mypy: disable-error-code="operator"
# fmt: off
"""Replicas of a key-value store in a simulation, and customers who ask them as clients do: again under the same number, elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from bloompy import rule, table
from bloompy.errors import NodeStopped
from bloompy.sim import Simulation
from bloompy.sim.tasks import Answer
from bloompy_paxos.kvs import ReplicatedKeyValueStore
from bloompy_paxos.protocol import Service

ABC = ("a", "b", "c")
RETRY_S = 0.3


class Store(ReplicatedKeyValueStore, state=("journal",)):
    """The replicated store with small batches, and a journal: which commands took effect, in order."""

    journal = table("index: int -> session: str, number: int, command", durable=True)

    @rule
    def journalling(self) -> None:
        self.journal <+ ((e.index, e.session, e.number, e.command) for e in self.entry)


class Customer:
    """A client at a node of its own: one request at a time, repeated until it is answered.

    Args:
        sim: the simulation.
        name: its address and its session.
        replicas: whom it asks.

    Attributes:
        answered: how often each request was answered, by number.
    """

    def __init__(self, sim: Simulation, name: str, replicas: Iterable[str] = ABC) -> None:
        self.sim, self.name, self.replicas = sim, name, list(replicas)
        self.number = 0
        self._waiting: dict[int, Answer] = {}
        self.node = sim.add(Service, name, setup=self._listen)

    def _listen(self, node: Any) -> None:
        node.program.reply.on_insert(self._take)

    def _take(self, row: Any) -> None:
        if (waiting := self._waiting.get(row.number)) is not None:
            waiting.set_result(row)

    def send(self, replica: str, kind: str, command: Any, number: int | None = None, acked: int | None = None) -> Answer:
        """Send a request once, of a new number or a given one; the answer is the reply row."""
        if number is None:
            self.number += 1
            number = self.number
        answer = self._waiting.get(number)
        if answer is None or answer.done():
            answer = self._waiting[number] = Answer()
        row = (replica, self.name, self.name, number, number if acked is None else acked, kind, command)
        self.node.driver.outbox.add("request", (row,))
        self.node.driver.wake()
        return answer

    def now(self, replica: str, kind: str, command: Any, within_s: float = 1.0) -> Any:
        """Send a request once and run until the reply is there. Returns its result; None if there is none in time."""
        answer = self.send(replica, kind, command)
        try:
            self.sim.run_until(answer.done, limit_s=within_s)
        except Exception:  # noqa: BLE001
            return None
        return answer.result().result

    async def ask(self, kind: str, command: Any, limit_s: float = float("inf")) -> Any:
        """Ask until there is an answer; returns the reply row, or None if there is none in time."""
        end = self.sim.now + limit_s
        self.number += 1
        number = self.number
        while self.sim.now < end:
            answer = self.send(self.sim.choose(self.replicas), kind, command, number)
            wake = Answer()
            timer = self.sim.agenda.at(self.sim.now + RETRY_S, lambda wake=wake: wake.set_result(None))
            answer.then(lambda wake=wake: wake.set_result(None))
            await wake
            timer.cancel()
            if answer.done():
                return answer.result()
        return None


def group(sim: Simulation, members: Iterable[str] = ABC, program: Any = Store, **parameters: Any) -> list[Any]:
    """The replicas of a group, started."""
    names = tuple(members)
    return [sim.add(program, name, members=names, **parameters) for name in names]


def leaders(nodes: Iterable[Any]) -> list[Any]:
    """Those that lead, as far as they know."""
    return [node for node in nodes if node.up and len(node.program.log.leads)]


def leader(sim: Simulation, nodes: Iterable[Any], limit_s: float = 3.0) -> Any:
    """The one that leads, once there is just one."""
    found = list(nodes)
    sim.run_until(lambda: len(leaders(found)) == 1, limit_s=limit_s)
    return leaders(found)[0]


def one(collection: Any) -> Any:
    """The row of a collection of one."""
    [row] = collection
    return row


def applied(node: Any) -> int:
    """The last slot that a node has applied, -1 before there is any."""
    rows = list(node.program.log.applied)
    return int(rows[0].slot) if rows else -1


def ballots(nodes: Iterable[Any]) -> set[Any]:
    """The ballots that the nodes have promised."""
    return {row.ballot for node in nodes if node.up for row in node.program.log.promised}


def eventually(sim: Simulation, condition: Callable[[], object], within_s: float, what: str) -> None:
    """Run until a condition holds. Raises AssertionError if it does not in time."""
    end = sim.now + within_s
    while not _holds(condition):
        assert sim.now < end, f"not within {within_s:g} s: {what}"
        sim.run(for_s=0.01)


def _holds(condition: Callable[[], object]) -> bool:
    try:
        return bool(condition())
    except NodeStopped:
        return False
