"""Commits of a replicated key-value store: bloompy_paxos and etcd, three processes each, on this disk and in memory.

Values of 100 bytes under a thousand keys, so many outstanding at any time from one client process. etcd gets a client that costs next
to nothing (`benchmarks.etcd`), at its leader; bloompy its own. Where grpcio is installed, etcd is also measured as a Python
program uses it. Goals are ratios to etcd in the same round. All members have their default settings.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from attrs import define, field

from benchmarks import etcd
from benchmarks.measure import Figure, WrongResult, command
from benchmarks.replica import synchronisations
from bloompy.tools.servers import ProcessServer
from bloompy_paxos.client import AsyncClient
from bloompy_paxos.cluster import LocalCluster

OUTSTANDING = (1, 32, 128)
GOALS = {"disk": {1: 1.0, 32: 2.0, 128: 3.0}, "memory": {1: 1.0, 32: 1.0, 128: None}}
FAILOVER_S = 0.4
KEYS = [f"key{number}" for number in range(1000)]
VALUE = "x" * 100
MEMORY = Path("/dev/shm")
WARM_UP_S = 0.5


@define
class Load:
    """What one run of a load measured.

    Attributes:
        commits: acknowledged in the measured time.
        took_s: that time.
        client_s: CPU seconds of the client's process in it.
        syncs: synchronisations of all members in it; None where they are not counted.
    """

    commits: int
    took_s: float
    client_s: float
    syncs: float | None = None

    @property
    def rate(self) -> float:
        """Commits a second."""
        return self.commits / self.took_s


@define
class Meter:
    """Counts commits between a start and an end."""

    seconds: float
    commits: int = 0
    _counting: bool = field(default=False, init=False)

    def done(self, commits: int = 1) -> None:
        """So many more were acknowledged."""
        if self._counting:
            self.commits += commits

    async def run(self) -> Load:
        """Let the load settle, then count for the seconds."""
        await asyncio.sleep(WARM_UP_S)
        self._counting, began, cpu = True, time.perf_counter(), time.process_time()
        await asyncio.sleep(self.seconds)
        self._counting = False
        return Load(self.commits, time.perf_counter() - began, time.process_time() - cpu)


# --- etcd -------------------------------------------------------------------------------------------------------


async def etcd_load(port: int, outstanding: int, seconds: float) -> Load:
    """Puts at one member, on a connection for each 32 of them: the fastest of 1 to 64 connections, where it was tried."""
    requests = [etcd.put_request(key.encode(), VALUE.encode()) for key in KEYS]
    meter, connections, given, running = Meter(seconds), list[etcd.PutConnection](), 0, True

    def more(connection: int, count: int) -> None:
        nonlocal given
        meter.done(count)
        if running:
            connections[connection].put(*(requests[(given + i) % len(requests)] for i in range(count)))
            given += count

    for number in range(max(1, outstanding // 32)):
        connections.append(await etcd.connect(port, lambda count, number=number: more(number, count)))  # type: ignore[misc]
    for number in range(len(connections)):
        more(number, outstanding // len(connections))
    meter.commits = 0
    found = await meter.run()
    running = False
    await asyncio.sleep(0.2)
    for connection in connections:
        if connection.refused:
            raise WrongResult(f"etcd refused {connection.refused} puts")
        connection.close()
    return found


def etcd_loads(members: list[etcd.Member], seconds: float) -> dict[int, Load]:
    """The loads, one after the other, at the leader; first one that does not count."""
    asyncio.run(etcd_load(members[0].port, 32, seconds / 2))
    found = {}
    for outstanding in OUTSTANDING:
        before = _fsyncs(members)
        began = time.perf_counter()
        load = found[outstanding] = asyncio.run(etcd_load(members[0].port, outstanding, seconds))
        load.syncs = (_fsyncs(members) - before) / (time.perf_counter() - began) * load.took_s
    return found


def _fsyncs(members: list[etcd.Member]) -> float:
    return sum(member.metrics()["etcd_disk_wal_fsync_duration_seconds_count"] for member in members)


async def grpcio_load(port: int, outstanding: int, seconds: float) -> Load:
    """The same by grpcio, as a Python program would; the messages are still made by hand."""
    import grpc.aio

    meter, running = Meter(seconds), True
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        put = channel.unary_unary("/etcdserverpb.KV/Put")

        async def work(number: int) -> None:
            while running:
                await put(etcd.put_message(KEYS[number % len(KEYS)].encode(), VALUE.encode()))
                number += outstanding
                meter.done()

        tasks = [asyncio.create_task(work(number)) for number in range(outstanding)]
        found = await meter.run()
        running = False
        await asyncio.gather(*tasks)
    return found


async def etcd_failover(members: list[etcd.Member]) -> float:
    """Seconds from the leader's end to the first commit of a put begun after it; both others are asked all the time."""
    request, done = etcd.put_request(b"key", VALUE.encode()), asyncio.Event()
    connections = [await etcd.connect(member.port, lambda count: done.set()) for member in members[1:]]
    await asyncio.sleep(0.1)
    began = time.perf_counter()
    members[0].kill()
    while not done.is_set():
        for connection in connections:
            connection.put(request)
        await asyncio.sleep(0.005)
    took = time.perf_counter() - began
    for connection in connections:
        connection.close()
    return took


# --- bloompy ----------------------------------------------------------------------------------------------------


class Cluster(LocalCluster):
    """Replicas that count their synchronisations."""

    MODULE = "benchmarks.replica"

    def synchronisations(self) -> int:
        """Of all replicas so far."""
        return sum(synchronisations(server) for server in self.servers.values() if isinstance(server, ProcessServer))


async def bloompy_load(cluster: Cluster, outstanding: int, seconds: float) -> Load:
    """Puts by one client."""
    meter, running = Meter(seconds), True
    async with AsyncClient(cluster.addresses, cluster.secret) as client:

        async def work(number: int) -> None:
            while running:
                await client.put(KEYS[number % len(KEYS)], VALUE)
                number += outstanding
                meter.done()

        tasks = [asyncio.create_task(work(number)) for number in range(outstanding)]
        found = await meter.run()
        running = False
        await asyncio.gather(*tasks)
    return found


def bloompy_loads(cluster: Cluster, seconds: float) -> dict[int, Load]:
    """The loads, one after the other; first one that does not count, as plans of rules are made when they are needed."""
    asyncio.run(bloompy_load(cluster, 32, seconds / 2))
    found = {}
    for outstanding in OUTSTANDING:
        before = cluster.synchronisations()
        began = time.perf_counter()
        load = found[outstanding] = asyncio.run(bloompy_load(cluster, outstanding, seconds))
        load.syncs = (cluster.synchronisations() - before) / (time.perf_counter() - began) * load.took_s
    return found


async def bloompy_failover(cluster: Cluster) -> float:
    """Seconds from the leader's end to the first commit of a put begun after it; one put after the other."""
    async with AsyncClient(cluster.addresses, cluster.secret) as client:
        for number in range(20):
            await client.put(f"key{number}", VALUE)
        leader = next(one.address for one in await client.status() if one.role == "leader")
        began = time.perf_counter()
        cluster.kill(leader)
        await client.put("key", VALUE)
        took = time.perf_counter() - began
        if not any(one.role == "leader" for one in await client.status(0.2)):
            raise WrongResult("the put was answered though nobody leads")
        return took


# --- together ---------------------------------------------------------------------------------------------------


@contextmanager
def bloompy_cluster(directory: Path) -> Iterator[Cluster]:
    """Three replicas that have elected a leader."""
    with Cluster(3, directory, processes=True) as cluster:
        cluster.leader()
        yield cluster


def synchronisation_s(directory: Path, times: int = 200) -> float:
    """What it costs to append 200 bytes to a file and have them on the disk."""
    file = os.open(directory / "appended", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    try:
        took = []
        for _ in range(times):
            began = time.perf_counter()
            os.write(file, b"x" * 200)
            os.fdatasync(file)
            took.append(time.perf_counter() - began)
        return statistics.median(took)
    finally:
        os.close(file)


def rounds(place: Path, count: int, seconds: float) -> dict[str, list[dict[int, Load]]]:
    """Loads of all contestants in turn, each on members just started."""
    found: dict[str, list[dict[int, Load]]] = {"bloompy": [], "etcd": [], "etcd by grpcio": []}
    for _ in range(count):
        with tempfile.TemporaryDirectory(dir=place) as directory, bloompy_cluster(Path(directory)) as cluster:
            found["bloompy"].append(bloompy_loads(cluster, seconds))
        with tempfile.TemporaryDirectory(dir=place) as directory, etcd.cluster(Path(directory)) as members:
            found["etcd"].append(etcd_loads(members, seconds))
            if find_spec("grpc"):
                port = members[0].port
                found["etcd by grpcio"].append({n: asyncio.run(grpcio_load(port, n, seconds)) for n in OUTSTANDING})
    return {name: loads for name, loads in found.items() if loads}


def rate_figures(medium: str, loads: Mapping[str, list[dict[int, Load]]]) -> list[Figure]:
    """Medians, and medians of the rounds' ratios."""
    found = []
    for outstanding in OUTSTANDING:
        where = f"{medium}, {outstanding} outstanding"
        for name, runs in loads.items():
            of = [run[outstanding] for run in runs]
            found.append(Figure(f"{where}: {name}", statistics.median(one.rate for one in of), "commits/s", rate=True))
            found.append(Figure(f"{where}: {name}, its client", statistics.median(one.client_s / one.took_s for one in of), "cores"))
            if of[0].syncs is not None:
                syncs = statistics.median((one.syncs or 0) / max(one.commits, 1) for one in of)
                found.append(Figure(f"{where}: {name}", syncs, "syncs a commit, of all three"))
        for other in loads:
            if other != "bloompy":
                pairs = zip(loads["bloompy"], loads[other], strict=True)
                ratios = [ours[outstanding].rate / max(theirs[outstanding].rate, 1.0) for ours, theirs in pairs]
                goal = GOALS[medium][outstanding]
                found.append(Figure(f"{where}: bloompy / {other}", statistics.median(ratios), "times", goal, rate=True))
    return found


def failovers(place: Path, count: int) -> list[Figure]:
    """Times without a leader, of members just started."""
    ours, theirs = [], []
    for _ in range(count):
        with tempfile.TemporaryDirectory(dir=place) as directory, bloompy_cluster(Path(directory)) as cluster:
            ours.append(asyncio.run(bloompy_failover(cluster)))
        with tempfile.TemporaryDirectory(dir=place) as directory, etcd.cluster(Path(directory)) as members:
            theirs.append(asyncio.run(etcd_failover(members)))
    return [
        Figure("leader killed to next commit, bloompy, median", statistics.median(ours), "s", FAILOVER_S),
        Figure("leader killed to next commit, bloompy, worst", max(ours), "s"),
        Figure("leader killed to next commit, etcd, median", statistics.median(theirs), "s"),
        Figure("leader killed to next commit, etcd, worst", max(theirs), "s"),
    ]


def figures(small: bool = False) -> list[Figure]:
    if etcd.installed() is None:
        print("etcd is not installed: there is nothing to compare with (Debian: apt-get install etcd-server)", file=sys.stderr)
        return []
    print(f"etcd {etcd.version()}" + ("" if find_spec("grpc") else "; grpcio is not installed: etcd is not measured by it"))
    count, seconds, kills = (1, 0.5, 1) if small else (3, 4.0, 7)
    disk = Path(tempfile.gettempdir())
    found = [Figure("disk: append 200 bytes and synchronise", synchronisation_s(disk) * 1e3, "ms")]
    found += rate_figures("disk", rounds(disk, count, seconds))
    if MEMORY.is_dir():
        found += rate_figures("memory", rounds(MEMORY, count, seconds))
    return found + failovers(disk, kills)


if __name__ == "__main__":
    command(__doc__, figures)
