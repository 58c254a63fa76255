"""NameNode and DataNodes over a bad network: whatever died, was lost, repeated or damaged, in the end all is as it should be.

Both sides are the real rules; network, disks and copying are simulated here.
"""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bloompy_fs.datanode import DataNode
from bloompy_fs.namenode import NameNode

NODES = 4
LENGTH = 10
DURABLE = ("inode", "fchunk", "reached", "waiting", "epoch", "cluster", "answered", "session")
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("create"), st.integers(1, 3)),
        st.tuples(st.just("create"), st.integers(1, 3)),
        st.tuples(st.just("remove"), st.integers(0, 5)),
        st.tuples(st.just("kill"), st.integers(0, NODES - 1)),
        st.tuples(st.just("start"), st.integers(0, NODES - 1)),
        st.tuples(st.just("wipe"), st.integers(0, NODES - 1)),
        st.tuples(st.just("damage"), st.integers(0, 20)),
        st.tuples(st.just("restart"), st.just(0)),
        st.tuples(st.just("wait"), st.integers(1, 12)),
    ),
    max_size=14,
)
# A report repeated by the network arrives after the one that took it back: after them, chunk 8 was for ever whole to the NameNode.
OVERTAKEN = (("damage", 7), ("wipe", 2), ("wait", 3), ("damage", 9), ("remove", 1), ("create", 3), ("create", 1), ("remove", 5), ("wait", 10))
FOUR_FILES = (("create", 1), ("create", 3), ("create", 2), ("create", 1))


class World:
    """Everything: the programs that run, the disks, the messages under way."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now, self.incarnation, self.reqid, self.loss = 1_000.0, 0, 0, 0.3
        self.disks: list[dict[int, str]] = [{} for _ in range(NODES)]
        self.files: dict[str, tuple[int, int]] = {}  # path -> chunk, replication
        self.under_way: list[tuple[float, str, str, tuple[Any, ...]]] = []
        self.answers: dict[int, tuple[Any, ...]] = {}
        self.datanodes: dict[int, DataNode] = {}
        self.start_namenode({})
        for i in range(NODES):
            self.start(i)

    # -- servers

    def start_namenode(self, tables: dict[str, list[Any]]) -> None:
        self.namenode = NameNode(
            "nn", retention_s=4.0, sweep_s=1.0, repair_s=1.0, propagation_s=1.5, order_timeout_s=3.0, safe_timeout_s=5.0
        )
        for name, rows in tables.items():
            getattr(self.namenode, name).insert(*rows)

    def start(self, i: int) -> None:
        if i not in self.datanodes:
            self.incarnation += 1
            node = DataNode(f"d{i}", namenodes=(("nn",),), node=f"d{i}", incarnation=self.incarnation, data=f"d{i}", host="h", heartbeat_s=1.0)
            node.usage.upsert((10**9, 0))
            node.local.insert(*((chunk, LENGTH, state) for chunk, state in self.disks[i].items()))
            self.datanodes[i] = node

    def store(self, i: int, chunk: int) -> None:
        if i in self.datanodes:
            self.disks[i][chunk] = "ok"
            self.datanodes[i].local.upsert((chunk, LENGTH, "ok"))
            self.datanodes[i].nudge.insert(("stored",))

    # -- time

    def seconds(self, count: float) -> None:
        for _ in range(int(count * 4)):
            self.now += 0.25
            arriving = [message for message in self.under_way if message[0] <= self.now]
            self.under_way = [message for message in self.under_way if message[0] > self.now]
            for _, address, channel, row in arriving:
                self.arrive(address, channel, row)
            for address, program in [("nn", self.namenode), *((f"d{i}", node) for i, node in self.datanodes.items())]:
                tick = program.tick(self.now)
                for channel, rows in tick.sent.items():
                    for row in rows:
                        self.send(address, channel, row)
                for order in tick.inserted.get("order", ()):
                    self.obey(int(address[1:]), *order)

    def send(self, sender: str, channel: str, row: tuple[Any, ...]) -> None:
        if channel == "response":
            self.answers[row[3]] = row[4:]
        elif self.random.random() >= self.loss:
            for _ in range(2 if self.random.random() < self.loss / 2 else 1):
                self.under_way.append((self.now + self.random.choice([0.0, 0.25, 0.5, 2.0 * self.loss]), row[0], channel, row))

    def arrive(self, address: str, channel: str, row: tuple[Any, ...]) -> None:
        if address == "nn":
            getattr(self.namenode, channel).insert(row)
        elif (i := int(address[1:])) in self.datanodes:
            getattr(self.datanodes[i], channel).insert(row)

    def obey(self, i: int, kind: str, chunk: int, target: str) -> None:
        if kind == "copy" and self.disks[i].get(chunk) == "ok":
            self.store(int(target[1:]), chunk)
        elif kind == "delete":
            self.disks[i].pop(chunk, None)
            self.datanodes[i].local.delete(chunk)
            self.datanodes[i].vanished.insert((chunk,))
            self.datanodes[i].nudge.insert(("gone",))
        self.datanodes[i].done.insert((kind, chunk, target))

    # -- what happens

    def ask(self, op: str, path: str, *args: Any) -> tuple[Any, ...]:
        self.reqid += 1
        self.namenode.request.insert(("nn", "c", "s", self.reqid, self.reqid, op, path, args))
        while self.reqid not in self.answers:
            self.seconds(0.25)
        return self.answers[self.reqid]

    def create(self, replication: int) -> None:
        path = f"/{self.reqid}"
        self.ask("create", path, replication)
        code, result = self.ask("addchunk", path, "h", ())
        if code:
            return
        stored = [node for node, _ in result[1] if int(node[1:]) in self.datanodes and self.random.random() > 0.2]
        for node in stored:
            self.store(int(node[1:]), result[0])
        if stored:
            self.ask("commit", path, result[0], LENGTH, tuple(stored))
            self.files[path] = (result[0], replication)

    def remove(self, which: int) -> None:
        if self.files:
            path = sorted(self.files)[which % len(self.files)]
            del self.files[path]
            assert self.ask("rm", path, False) == ("", ())

    def kill(self, i: int) -> None:
        self.datanodes.pop(i, None)

    def wipe(self, i: int) -> None:
        self.kill(i)
        self.disks[i].clear()

    def damage(self, which: int) -> None:
        replicas = [(i, chunk) for i in self.datanodes for chunk in sorted(self.disks[i])]
        if replicas:
            i, chunk = replicas[which % len(replicas)]
            self.disks[i][chunk] = "corrupt"
            self.datanodes[i].local.upsert((chunk, LENGTH, "corrupt"))

    def restart(self, _: int) -> None:
        self.namenode.tick(self.now)  # its store has what the last tick said for the next one; what this one sends is lost
        self.start_namenode({name: list(getattr(self.namenode, name)) for name in DURABLE})

    def wait(self, count: int) -> None:
        self.seconds(count)


@settings(max_examples=15, deadline=None)
@given(EVENTS, st.integers(0, 1_000))
@example([*FOUR_FILES, ("kill", 0), *OVERTAKEN], 34)
@example([*FOUR_FILES, ("wipe", 0), *OVERTAKEN], 34)
def test_in_the_end_every_chunk_has_its_replicas_and_nothing_else_is_kept(events: list[tuple[str, int]], seed: int) -> None:
    check(events, seed)


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(EVENTS, st.integers(0, 1_000_000))
def test_so_it_is_in_many_runs(events: list[tuple[str, int]], seed: int) -> None:
    check(events, seed)


def check(events: list[tuple[str, int]], seed: int) -> None:
    world = World(seed)
    world.seconds(5)
    for event, argument in events:
        getattr(world, event)(argument)
    world.loss = 0.0
    for i in range(NODES):
        world.start(i)
    whole_somewhere = {chunk for disk in world.disks for chunk, state in disk.items() if state == "ok"}
    world.seconds(45)
    wanted = dict(world.files.values())
    for chunk, replication in wanted.items():
        states = [disk[chunk] for disk in world.disks if chunk in disk]
        if chunk in whole_somewhere:
            assert states == ["ok"] * replication, (chunk, world.disks)
        else:
            assert "ok" not in states
            assert world.namenode.lost.rows() >= {(chunk,)}
    assert {chunk for disk in world.disks for chunk in disk} <= set(wanted), "garbage is left"
    known = {(row.node, row.chunk): row.state for row in world.namenode.hb_chunk}
    assert known == {(f"d{i}", chunk): state for i, disk in enumerate(world.disks) for chunk, state in disk.items()}
    assert not len(world.namenode.inflight)
    assert not len(world.namenode.condemned)
    assert not len(world.namenode.held)
