"""A reduce task: fetch the runs of all maps, merge them, reduce key by key (OSDI'04 §3.1)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from bloompy_mr.job import Job, Pair
from bloompy_mr.runs import Source, grouped, merged, narrowed, read_run
from bloompy_mr.worker.gauge import Gauge

IN_MEMORY_BYTES = 32 << 20
"""Up to this much encoded input a reduce task works in memory."""


class Shuffled:
    """The fetched runs of one reduce task: in memory while they are small, else in files.

    Attributes:
        size: bytes fetched.
    """

    def __init__(self, directory: Path) -> None:
        self.directory, self.size = directory, 0
        self._sources: list[Source] = []

    def add(self, data: bytes) -> None:
        """Keep a fetched run."""
        if self.size + len(data) <= IN_MEMORY_BYTES:
            self._sources.append(lambda: io.BytesIO(data))
        else:
            path = self.directory / f"run-{len(self._sources)}"
            path.write_bytes(data)
            self._sources.append(lambda: path.open("rb"))
        self.size += len(data)

    def add_source(self, source: Source, length: int) -> None:
        """Use a run that lies on this machine already."""
        self._sources.append(source)
        self.size += length

    def groups(self) -> Iterator[tuple[Any, Iterator[Any]]]:
        """Each key in ascending order with its values."""
        if self.size <= IN_MEMORY_BYTES:
            return grouped(read_run(source()) for source in self._sources)
        return merged([read_run(source()) for source in narrowed(self._sources, self.directory)])


def reduced(job: Job, groups: Iterator[tuple[Any, Iterator[Any]]], gauge: Gauge) -> Iterator[Pair]:
    """What the reduce function makes of the groups.

    Args:
        job: the functions.
        groups: keys with their values.
        gauge: told how far it is.
    """
    reduce = job.reduce
    assert reduce is not None
    for number, (key, values) in enumerate(groups):
        try:
            yield from reduce(key, values)
        except Exception as error:
            error.add_note(f"key: {key!r:.300}")
            raise
        if not number % 1024:  # how many groups there are is not known: the last third of the progress only nears its end
            gauge.set(2 / 3 + number / (number + 10_000) / 3, "REDUCE")


def write_pairs(job: Job, pairs: Iterator[Pair], out: BinaryIO) -> int:
    """Write pairs in the job's output format, a line each; returns how many."""
    text, number, lines = job.output_format, 0, []
    for key, value in pairs:
        lines.append(text(key, value))
        if len(lines) == 4096:
            number += _write_lines(lines, out)
            lines = []
    return number + _write_lines(lines, out)


def _write_lines(lines: list[str], out: BinaryIO) -> int:
    if lines:
        out.write(("\n".join(lines) + "\n").encode("utf-8", "surrogatepass"))
    return len(lines)
