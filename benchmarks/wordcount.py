"""The words of 100 MB of text through bloompy_mr on two workers, in MB for a second of CPU time."""

from __future__ import annotations

import multiprocessing
import os
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.inputs import text
from benchmarks.measure import Figure, WrongResult, command
from bloompy_mr import Job, LocalCluster

WORKERS = 2


def split_words(key: int, line: str) -> Iterator[tuple[str, int]]:
    """The generator mapper."""
    for word in line.split():
        yield word, 1


def add(word: str, counts: Iterator[int]) -> Iterator[tuple[str, int]]:
    """Combiner and reducer."""
    yield word, sum(counts)


def through_mapreduce(path: Path, directory: Path) -> Counter[str]:
    """A job of 16 MiB splits and two reduces; two trackers with one worker for each kind of task."""
    output = directory / "output"
    with LocalCluster(WORKERS, map_slots=1, reduce_slots=1) as cluster:
        cluster.client.run(Job(map=split_words, combine=add, reduce=add, reduces=2), str(path), str(output), split_bytes=16 << 20)
    counts: Counter[str] = Counter()
    for part in sorted(output.glob("part-*")):
        for line in part.read_text().splitlines():
            word, number = line.split("\t")
            counts[word] = int(number)
    return counts


def by_counter(path: Path, directory: Path) -> Counter[str]:
    """One loop over the lines."""
    counts: Counter[str] = Counter()
    with path.open() as file:
        for line in file:
            counts.update(line.split())
    return counts


def by_mapreduce_by_hand(path: Path, directory: Path) -> Counter[str]:
    """The same generator mapper and combiner in one process, with nothing around them."""
    counts: dict[str, int] = {}
    with path.open() as file:
        for number, line in enumerate(file):
            for word, one in split_words(number, line):
                counts[word] = counts.get(word, 0) + one
    return Counter(counts)


def count_block(task: tuple[str, int, int]) -> Counter[str]:
    """The words of the lines of one block."""
    path, start, length = task
    with open(path, "rb") as file:
        file.seek(start)
        return Counter(file.read(length).decode().split())


def by_pool(path: Path, directory: Path) -> Counter[str]:
    """multiprocessing.Pool with a Counter for each block of whole lines."""
    data = path.stat().st_size
    ends = [data * i // 8 for i in range(1, 8)]
    with path.open("rb") as file:
        for i, end in enumerate(ends):
            file.seek(end)
            ends[i] = end + len(file.readline())
    bounds = [0, *ends, data]
    tasks = [(str(path), start, end - start) for start, end in zip(bounds, bounds[1:], strict=False)]
    with multiprocessing.get_context("spawn").Pool(WORKERS) as pool:
        counts = sum(pool.map(count_block, tasks), Counter())
        pool.close()
        pool.join()
    return counts


def repeated(path: Path, times: int) -> Counter[str]:
    """What is expected of a text that is its first part repeated."""
    with path.open() as file:
        block = Counter(re.findall(r"\S+", file.read(path.stat().st_size // times)))
    return Counter({word: count * times for word, count in block.items()})


def cpu_seconds() -> float:
    """Of this process and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def figures(small: bool = False) -> list[Figure]:
    megabytes = 1 if small else 100
    contestants: dict[str, Callable[[Path, Path], Counter[str]]] = {
        "bloompy_mr": through_mapreduce,
        "generator mapper by hand": by_mapreduce_by_hand,
        "Counter by hand": by_counter,
        "multiprocessing.Pool": by_pool,
    }
    found = []
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "text"
        size = text(path, megabytes) / 1e6
        expected = repeated(path, megabytes)
        for contestant, count in contestants.items():
            before, started = cpu_seconds(), os.times().elapsed
            counts = count(path, Path(name))
            elapsed = os.times().elapsed - started
            time.sleep(0.5)  # until the last killed worker is waited for, and its time counted
            took = cpu_seconds() - before
            if counts != expected:
                raise WrongResult(f"{contestant} counted other words")
            goal = 8.0 if contestant == "bloompy_mr" else None
            found.append(Figure(f"wordcount, {contestant}", size / took, "MB/s of CPU", goal, rate=True))
            found.append(Figure(f"wordcount, {contestant}, wall", size / elapsed, "MB/s", rate=True))
    return found


if __name__ == "__main__":
    command(__doc__, figures)
