"""What it costs that the NameNode is three that are one: the same load on one NameNode and on three, none of which fails.

All servers are processes on this machine, with their stores on its disk. Metadata: files are made, renamed, looked up and removed, by
so many clients at once, each of which waits for one answer after the other. Small files: so many at once are written and read back
with all their bytes, one replica of each. The rounds of both contestants take turns; what counts is the median of the ratios.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from benchmarks.measure import Figure, WrongResult, command
from bloompy_fs import AsyncClient
from bloompy_fs.cluster import LocalCluster

METADATA_CLIENTS, WRITERS = 16, 4
FILE_BYTES = 10_000
MOST_EXTRA = 1.10
ONE, THREE = "one NameNode", "three NameNodes"
OPERATIONS = 6
"""Of each metadata client for one file."""


async def metadata(fs: AsyncClient, round_: str, files: int) -> None:
    """Make, look up, rename, look up, list and remove files in a directory."""
    await fs.mkdir(f"/{round_}")

    async def client(number: int) -> None:
        for i in range(files // METADATA_CLIENTS):
            path = f"/{round_}/{number}-{i}"
            await fs.create(path)
            await fs.stat(path)
            await fs.mv(path, path + "-moved", into=False)
            if not await fs.exists(path + "-moved") or await fs.exists(path):
                raise WrongResult(f"{path} was not renamed")
            await fs.rm(path + "-moved")

    await asyncio.gather(*map(client, range(METADATA_CLIENTS)))


async def small_files(fs: AsyncClient, round_: str, files: int) -> None:
    """Write files and read them back."""
    await fs.mkdir(f"/{round_}")
    data = bytes(range(250)) * (FILE_BYTES // 250)

    async def writer(number: int) -> None:
        for i in range(files // WRITERS):
            path = f"/{round_}/{number}-{i}"
            await fs.put(data, path)
            if await fs.read(path) != data:
                raise WrongResult(f"{path} holds other bytes")

    await asyncio.gather(*map(writer, range(WRITERS)))


Work = Callable[[AsyncClient, str, int], Awaitable[None]]


def seconds(cluster: LocalCluster, work: Work, round_: str, files: int) -> float:
    """How long a client of its own takes."""

    async def run() -> float:
        async with AsyncClient(cluster.namenode, cluster.secret, replication=1) as fs:
            await fs.exists("/")
            began = time.perf_counter()
            await work(fs, round_, files)
            return time.perf_counter() - began

    return asyncio.run(run())


def figures(small: bool) -> list[Figure]:
    """Both loads on both clusters."""
    rounds, loads = (1, {"metadata": (metadata, 64, OPERATIONS), "small files": (small_files, 16, 1)}) if small else (
        5, {"metadata": (metadata, 160, OPERATIONS), "small files": (small_files, 40, 1)})  # fmt: skip
    found: list[Figure] = []
    with (
        tempfile.TemporaryDirectory() as directory,
        LocalCluster(2, Path(directory, "one"), processes=True, heartbeat_s=1.0) as one,
        LocalCluster(2, Path(directory, "three"), processes=True, heartbeat_s=1.0, namenodes=3) as three,
    ):
        for load, (work, files, operations) in loads.items():
            took: dict[str, list[float]] = {ONE: [], THREE: []}
            for number in range(rounds + 1):
                for name, cluster in ((ONE, one), (THREE, three)):
                    took[name].append(seconds(cluster, work, f"{load.replace(' ', '-')}-{number}", files))
            what = f"{load}, {files} files, {METADATA_CLIENTS if load == 'metadata' else WRITERS} at once"
            for name, all_s in took.items():
                rate = files * operations / statistics.median(all_s[1:])  # the first round warms up
                found.append(Figure(f"{what}: {name}", rate, "operations/s" if operations > 1 else "files/s", rate=True))
            ratios = [many / single for single, many in zip(took[ONE][1:], took[THREE][1:], strict=True)]
            found.append(Figure(f"{what}: time with three over time with one", statistics.median(ratios), "×", MOST_EXTRA))
    return found


if __name__ == "__main__":
    command(__doc__, figures)
