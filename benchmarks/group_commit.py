"""Ticks that share a synchronisation of the store, against one synchronisation for each tick.

Each request is served in four ticks, three of which change durable tables. The disk is the one under the temporary directory,
and one whose synchronisation takes 2 ms more.
"""
# ruff: noqa: B015
# fmt: off

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from attrs import frozen

from benchmarks.measure import Figure, WrongResult, command
from bloompy import Bloom, Node, channel, loopback, rule, table
from bloompy.runtime import Limits
from bloompy.stores import EmbeddedStore
from bloompy.transports import MemoryNetwork


class Protocol(Bloom):
    """Requests and answers."""

    put = channel("@server: str, client: str, number: int -> key: str, value: int")
    stored = channel("@client: str, server: str, number: int -> value: int")


class Stages(Protocol):
    """Takes each request through three stages, one a tick; two requests for one key cannot be in one stage together."""

    stages = table("stage: int, key: str -> value: int", durable=True)
    stage = loopback("no: int, client: str, server: str, number: int -> key: str, value: int")

    @rule
    def serve(self):
        self.stage <~ ((1, p.client, p.server, p.number, p.key, p.value) for p in self.put)
        self.stage <~ ((s.no + 1, s.client, s.server, s.number, s.key, s.value) for s in self.stage if s.no < 3)
        self.stages <+- ((s.no, s.key, s.value) for s in self.stage)
        self.stored <~ ((s.client, s.server, s.number, s.value) for s in self.stage if s.no == 3)


class Slow(EmbeddedStore):
    """A file on a disk whose synchronisation takes longer.

    Args:
        path: of the file.
        more_s: how much longer.
    """

    def __init__(self, path: Path, more_s: float) -> None:
        super().__init__(path)
        self.more_s, self.syncs = more_s, 0

    def sync(self) -> None:
        """Count, wait and synchronise."""
        self.syncs += 1
        if self.more_s:
            time.sleep(self.more_s)
        super().sync()


@frozen
class Rates:
    """What one run reached: requests and ticks a second, and ticks for each synchronisation."""

    requests: float
    ticks: float
    shared: float


async def run(sync_ticks: int, more_s: float, outstanding: int, requests: int, keys: int, directory: str) -> Rates:
    """Serve some requests, so many of them outstanding at any time."""
    network = MemoryNetwork()
    store = Slow(Path(directory) / f"{time.perf_counter_ns()}.db", more_s)
    server = Node(Stages(), transport=network.join("server"), store=store, limits=Limits(sync_ticks=sync_ticks))
    async with server, Node(Protocol(), transport=network.join("client")) as client:

        async def ask(first: int) -> None:
            for number in range(first, requests, outstanding):
                row = ("server", "client", number, f"key {number % keys}", number)
                reply = await client.call("put", row, reply="stored", timeout_s=60)
                if reply.value != number:
                    raise WrongResult(f"{reply!r} to request {number}")

        await ask(requests - 1)
        ticks, syncs, start = server.counters.ticks, store.syncs, time.perf_counter()
        await asyncio.gather(*(ask(first) for first in range(outstanding)))
        took = time.perf_counter() - start
        ticks, syncs = server.counters.ticks - ticks, store.syncs - syncs
        return Rates(requests / took, ticks / took, ticks / syncs)


CASES = {"1 outstanding": (1, 64), "32 outstanding": (32, 64), "32 outstanding for one key": (32, 1)}
"""Requests outstanding, and keys that they are for."""


def figures(small: bool = False) -> list[Figure]:
    rounds, requests = (1, 64) if small else (3, 640)
    found = []
    with tempfile.TemporaryDirectory() as directory:
        for disk, more_s, goal in (("this disk", 0.0, None), ("2 ms more", 0.002, 2.0)):
            for case, (outstanding, keys) in CASES.items():
                alone, shared = [], []
                for _ in range(rounds):
                    alone.append(asyncio.run(run(1, more_s, outstanding, requests, keys, directory)))
                    shared.append(asyncio.run(run(100, more_s, outstanding, requests, keys, directory)))
                name = f"{disk}, {case}"
                faster = statistics.median(one.requests / other.requests for one, other in zip(shared, alone, strict=True))
                found += [
                    Figure(f"{name}: shared", statistics.median(one.ticks for one in shared), "ticks/s", rate=True),
                    Figure(f"{name}: each tick its own", statistics.median(one.ticks for one in alone), "ticks/s", rate=True),
                    Figure(f"{name}: shared", statistics.median(one.shared for one in shared), "ticks a sync", rate=True),
                    Figure(f"{name}: requests served, ratio", faster, "times", goal, rate=True),
                ]
    return found


if __name__ == "__main__":
    command(__doc__, figures)
