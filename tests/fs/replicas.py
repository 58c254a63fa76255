"""Three NameNodes as one in simulation, clients that go round them, and what must hold of their states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bloompy.errors import CallTimeout
from bloompy.sim import SimNode, Simulation
from bloompy_fs.protocol import Protocol
from bloompy_fs.replicated import ReplicatedNameNode

from .test_namespace_random import shown
from .ticks import Watched

MEMBERS = ("n0", "n1", "n2")
STATE = ("inode", "fchunk", "answered", "session", "cluster", "reached")
TRY_S = 0.15


class Replica(ReplicatedNameNode, Watched):
    """A replica with what must always hold of it."""


def start(sim: Simulation, clients: int, **options: Any) -> None:
    """Replicas "n0" to "n2" that have not all heard of the same DataNodes, and clients "c0", "c1", …."""
    keep = sim.choose((1_000, 3))  # with few, who lags gets a snapshot
    for i, member in enumerate(MEMBERS):
        sim.add(Replica, member, setup=_knowing(i), members=MEMBERS, safe_share=0.0, keep=keep, **options)
    for i in range(clients):
        sim.add(Protocol, f"c{i}")
    sim.always(SameStates(sim))


def _knowing(i: int) -> Any:
    def setup(node: SimNode) -> None:
        for name in (f"d{i}", f"d{i + 1}"):
            node.datanode.insert((name, f"{name}:1", f"{name}:2", name, 1, "r"))
            node.heard.insert((name, 1e12, 10**9, 0, ()))

    return setup


def state(node: Any) -> dict[str, frozenset[Any]]:
    """What all replicas must have alike when they have applied the same decrees."""
    return {name: getattr(node, name).rows() for name in STATE}


class SameStates:
    """Replicas that have applied the same number of decrees are in the same state, now and at any other time."""

    def __init__(self, sim: Simulation) -> None:
        self._sim = sim
        self._seen: dict[int, tuple[str, dict[str, frozenset[Any]]]] = {}
        self._at: dict[str, tuple[int, int]] = {}

    def __call__(self) -> list[str]:
        return [difference for member in MEMBERS if (difference := self._check(self._sim[member]))]

    def _check(self, node: SimNode) -> str:
        if not node.up or self._at.get(node.address) == (node.incarnation, node.step):
            return ""
        self._at[node.address] = (node.incarnation, node.step)
        if len(node.waiting):
            return ""
        mine = state(node)
        index = max((row.index for row in mine["reached"]), default=0)
        other, theirs = self._seen.setdefault(index, (node.address, mine))
        wrong = [name for name in STATE if mine[name] != theirs[name]]
        told = {name: (sorted(mine[name] - theirs[name]), sorted(theirs[name] - mine[name])) for name in wrong}
        return f"{node.address} and {other} differ after decree {index}: {told}" if wrong else ""


async def ask(
    node: SimNode, members: Sequence[str], reqid: int, op: str, path: str, *args: Any, whole: bool = False
) -> tuple[str, Any]:
    """Send a request to one NameNode after the other until it is answered.

    Returns its code, and the result: as far as a model knows it, or whole.
    """
    turn = reqid
    while True:
        row = (members[turn % len(members)], node.address, f"session of {node.address}", reqid, reqid, op, path, args)
        try:
            answer = await node.call("request", row, reply="response", timeout_s=TRY_S)
        except CallTimeout:
            turn += 1
            continue
        if whole:
            return answer.code, answer.result
        return answer.code, shown(op, answer.result) if not answer.code else None
