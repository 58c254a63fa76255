"""Several partitions of the NameNode in simulation, and clients that find their way among them."""

from __future__ import annotations

from itertools import cycle
from typing import Any

from bloompy.errors import CallTimeout
from bloompy.sim import SimNode, Simulation
from bloompy_fs.partitioned import PartitionedNameNode, ReplicatedPartition
from bloompy_fs.protocol import REMOTE, Protocol

from .model import Fault, Model
from .test_namespace_random import shown

DATANODES = 2
TRY_S = 0.2
STATE = ("inode", "fchunk", "answered", "transaction", "share", "decision", "prepared", "horizon", "lent", "returning", "waiting")
"""Tables behind the log of a partition."""


def addresses(partitions: int, members: int = 1) -> tuple[tuple[str, ...], ...]:
    """ "p0", "p1", … of one node each, or "p0a", "p0b", …."""
    return tuple(tuple(f"p{i}{letter}" for letter in "abcde"[:members]) if members > 1 else (f"p{i}",) for i in range(partitions))


def start(sim: Simulation, partitions: int, clients: int = 1, members: int = 1, setup: Any = None, **options: Any) -> None:
    """Partitions, of one node or of several replicas each, where DataNodes have joined, and clients "c0", "c1", …."""
    groups = addresses(partitions, members)
    for i, group in enumerate(groups):
        for address in group:
            kind: Any = ReplicatedPartition if members > 1 else PartitionedNameNode
            more = {"members": group} if members > 1 else {}
            sim.add(kind, address, setup=setup or join, partition=i, partitions=groups, safe_share=0.0, retry_s=0.1, **more, **options)
    for i in range(clients):
        sim.add(Protocol, f"c{i}")


def join(node: SimNode) -> None:
    """Let DataNodes be known, as if they had sent heartbeats."""
    for i in range(DATANODES):
        node.datanode.insert((f"d{i}", f"d{i}:1", f"d{i}:2", f"d{i}", 1, "r"))
        node.heard.insert((f"d{i}", 1e12, 10**9, 0, ()))


class Session:
    """One client: its requests one after the other, each sent until it is answered, at the partition that it belongs to."""

    def __init__(self, node: SimNode, partitions: int, members: int = 1) -> None:
        self.node, self.groups = node, addresses(partitions, members)
        self.number = 0
        self.hops = 0

    async def ask(self, op: str, path: str, *args: Any) -> tuple[str, Any]:
        """Code and result of a request."""
        where = 0
        while True:
            code, result = await self._answer(where, op, path, args)
            if code != REMOTE:
                return code, result
            where, _ = result
            self.hops += 1

    async def _answer(self, where: int, op: str, path: str, args: tuple[Any, ...]) -> tuple[str, Any]:
        self.number += 1
        row = (self.node.address, f"session of {self.node.address}", self.number, self.number, op, path, args)
        for member in cycle(self.groups[where]):
            try:
                answer = await self.node.call("request", (member, *row), reply="response", timeout_s=TRY_S)
            except CallTimeout:
                continue
            return answer.code, answer.result
        raise AssertionError("a group without members")


async def compare_one(session: Session, model: Model, request: tuple[Any, ...]) -> Any:
    """Ask for one thing; the answer must be that of a plain Python file system. Returns the result, None for an error."""
    op, path, *args = request
    code, result = await session.ask(op, path, *args)
    new_id = result[0] if not code and op == "addchunk" else 0
    try:
        expected = "", model.apply(op, path, tuple(args), new_id)
    except Fault as fault:
        expected = str(fault), None
    assert (code, shown(op, result) if not code else None) == expected, f"{request}: {code} {result}, and not {expected}"
    return None if code else result


def tree(sim: Simulation) -> dict[str, Any]:
    """Every path with what the partitions say of it together, as `Model.tree`; asserts that they agree on directories."""
    nodes = members_of(sim)
    for one in nodes:
        for other in nodes:
            if one.program.partition == other.program.partition:
                assert [set(getattr(one, name)) for name in STATE] == [set(getattr(other, name)) for name in STATE], (one, other)
    nodes = [next(one for one in nodes if one.program.partition == i) for i in range(len(nodes[0].program.partitions))]
    directories = [{(row.path, row.fid) for row in node.fqpath if row.is_dir} for node in nodes]
    assert all(one == directories[0] for one in directories), directories
    found: dict[str, Any] = {}
    for node in nodes:
        inodes = {row.fid: row for row in node.inode}
        chunks: dict[int, list[tuple[int, int]]] = {}
        for row in sorted(node.fchunk):
            chunks.setdefault(row.fid, []).append((row.chunk, row.length))
        for row in node.fqpath:
            assert row.is_dir or row.path not in found, f"{row.path} is twice"
            found[row.path] = (row.is_dir, inodes[row.fid].replication if row.fid else 0, tuple(chunks.get(row.fid, ())))
    return found


def at_rest(sim: Simulation) -> bool:
    """Whether no transaction is under way and nothing waits."""
    names = ("transaction", "decision", "share", "prepared", "waiting", "returning", "delayed")
    reached = {(node.program.partition, tuple(node.reached)) for node in members_of(sim) if node.up}
    return len(reached) == len(members_of(sim)[0].program.partitions) and all(
        node.up and len(node.fqpath) and not any(len(getattr(node, name)) for name in names) for node in members_of(sim)
    )


def members_of(sim: Simulation) -> list[SimNode]:
    """All nodes of all partitions."""
    return [node for node in sim if node.address.startswith("p")]
