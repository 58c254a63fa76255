"""Three NameNodes as one and DataNodes over a bad network: no change of leaders costs a replica that is needed.

All rules are the real ones; disks and copying are simulated here. Writers store one replica too many, so that there is always something
to condemn while leaders come and go. No disk fails, so no chunk of a file may ever be without a replica.
"""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any

import pytest

from bloompy.sim import Faults, SimNode, Simulation
from bloompy.sim.search.campaign import campaign
from bloompy_fs.datanode import DataNode
from bloompy_fs.protocol import Protocol

from .replicas import MEMBERS, Replica, ask

DATANODES = ("d0", "d1", "d2", "d3")
LENGTH = 10
FAULTY_S = 6.0
FAULTS = Faults.mix(
    drop=0.05, crashes=3, power_loss=0.3, partitions=3, pauses=2, pause_s=(0.1, 1.5), spare=frozenset({"c"}), until_s=FAULTY_S
)
SECONDS = {
    "retention_s": 1.5, "sweep_s": 0.3, "repair_s": 0.2, "propagation_s": 0.4, "order_timeout_s": 1.5, "safe_timeout_s": 2.0, "claim_s": 1.0,
}  # fmt: skip


class World:
    """The servers, the disks of the DataNodes, and what the client knows to be written."""

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        self.disks: dict[str, set[int]] = {name: set() for name in DATANODES}
        self.files: dict[int, int] = {}  # chunk -> replication
        self.deleted = 0
        starts = itertools.count(1)
        for member in MEMBERS:
            sim.add(Replica, member, members=MEMBERS, **SECONDS)
        for name in DATANODES:
            sim.add(lambda me, seed, clock: self._datanode(me, seed, clock, next(starts)), name, setup=self._start)
        sim.add(Protocol, "c")
        self.fill()
        sim.always(lambda: [chunk for chunk in self.files if not any(chunk in disk for disk in self.disks.values())])

    @staticmethod
    def _datanode(me: str, seed: int, clock: Any, incarnation: int) -> DataNode:
        options: dict[str, Any] = {"node": me, "data": me, "host": me, "heartbeat_s": 0.2, "forget_s": 3.0}
        return DataNode(me, seed=seed, clock=clock, namenodes=(MEMBERS,), incarnation=1_000 * incarnation, **options)

    def _start(self, node: SimNode) -> None:
        node.usage.insert((10**9, 0))
        node.local.insert(*((chunk, LENGTH, "ok") for chunk in self.disks[node.address]))
        incarnation = node.incarnation
        node.order.on_insert(lambda order: self.sim.at(self.sim.now + slowness_s(order), lambda: self._obey(node, incarnation, tuple(order))))

    def _obey(self, node: SimNode, incarnation: int, order: tuple[str, int, str]) -> None:
        if not node.up or node.incarnation != incarnation:
            return
        kind, chunk, target = order
        if kind == "copy" and chunk in self.disks[node.address]:
            self.store(target, chunk)
        if kind == "delete" and chunk in self.disks[node.address]:
            self.deleted += 1
            self.disks[node.address].discard(chunk)
            node.local.delete(chunk)
            node.vanished.insert((chunk,))
            node.nudge.insert(("gone",))
        node.done.insert(order)

    def fill(self) -> None:
        """Other programs use the disks, too: leaders that decide at different times find different ones the fullest."""
        for i, name in enumerate(DATANODES):
            if self.sim[name].up:
                self.sim[name].usage.upsert((10**9, int(self.sim.now * 10 + 3 * i) * 7 % 11))
        self.sim.at(self.sim.now + 0.1, self.fill)

    def store(self, name: str, chunk: int) -> bool:
        """Put a chunk on a disk, if its DataNode is up."""
        node = self.sim[name]
        if not node.up:
            return False
        self.disks[name].add(chunk)
        node.local.upsert((chunk, LENGTH, "ok"))
        node.nudge.insert(("stored",))
        return True

    async def write(self, files: list[tuple[int, str]], done: list[str]) -> None:
        """Write files of one chunk, each with a replica too many, and remove some."""
        numbers, client = itertools.count(1), self.sim["c"]

        async def say(op: str, path: str, *args: Any) -> Any:
            return await ask(client, MEMBERS, next(numbers), op, path, *args, whole=True)

        for number, (replication, extra) in enumerate(files):
            path = f"/{number}"
            await say("create", path, replication)
            code, result = await say("addchunk", path, "h", ())
            if code:
                continue
            chunk, chain = result
            stored = [name for name in dict.fromkeys([*(node for node, _ in chain), extra]) if self.store(name, chunk)]
            if not stored:
                continue
            assert await say("commit", path, chunk, LENGTH, tuple(stored)) == ("", ())
            self.files[chunk] = replication
            if number % 4 == 3:
                del self.files[chunk]
                assert await say("rm", path, False) == ("", ())
            await self.sim.sleep(0.3)
        done.append("c")

    def is_in_order(self) -> bool:
        """Whether each chunk has its replicas, and nothing else is kept."""
        copies = [chunk for disk in self.disks.values() for chunk in disk]
        return sorted(copies) == sorted(chunk for chunk, replication in self.files.items() for _ in range(replication))


def slowness_s(order: Any) -> float:
    """How long a DataNode takes for an order: some disks are slow with some chunks."""
    return 0.7 if order.chunk % 2 else 0.02


def topple(sim: Simulation, by_pause: bool) -> None:
    """End the time of whoever leads: it crashes, or stands still, and does not know later that others went on."""
    for node in (sim[member] for member in MEMBERS):
        if node.up and len(node.log.leading):
            if by_pause:
                node.pause(1.0)
            else:
                node.crash(down_s=0.5)


def no_replica_is_lost(sim: Simulation) -> None:
    """A client writes while everything else fails; in the end every chunk has as many replicas as its file asks for."""
    world, done = World(sim), []
    files = [(sim.choose((1, 2)), sim.choose(DATANODES)) for _ in sim.operations(14, int)]
    for number in range(3):
        sim.at(2.0 + 1.3 * number, partial(topple, sim, sim.chance(0.6)))
    sim.run(for_s=1.0)
    sim.spawn(world.write(files, done))
    sim.run(until=FAULTY_S)
    sim.must(lambda: bool(done), within_s=30)
    sim.must(world.is_in_order, within_s=60)
    sim.sometimes("a replica was deleted", world.deleted > 0)
    sim.sometimes("leaders changed", max(row.ballot[0] for member in MEMBERS for row in sim[member].log.promised) > 1)


def test_no_change_of_leaders_costs_a_replica() -> None:
    campaign(no_replica_is_lost, runs=5, faults=FAULTS, first_seed=1).check(every_kind=False)


@pytest.mark.slow
def test_no_change_of_leaders_costs_a_replica_in_many_runs() -> None:
    campaign(no_replica_is_lost, runs=300, faults=FAULTS, first_seed=1_000).check(every_kind=False)
