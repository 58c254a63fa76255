"""A map task: records -> map -> combine -> partition -> sorted runs on the local disk (OSDI'04 §3.1, §4.3)."""

from __future__ import annotations

import operator
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from sys import getsizeof
from typing import Any, BinaryIO

import msgspec

from bloompy_mr.errors import DataError
from bloompy_mr.files import Files
from bloompy_mr.job import Job, Pair
from bloompy_mr.jobfile import Split
from bloompy_mr.runs import Entry, merged, ordered, read_run, segment, write_run
from bloompy_mr.worker.gauge import Gauge
from bloompy_mr.worker.lines import CHUNK_BYTES, chunks_of

BUFFERED_VALUES = 4_000_000
BUFFERED_BYTES = 128 << 20

Index = list[tuple[int, int]]
"""Offset and length of the run of each reduce task in a map output file."""


def records_of(job: Job, files: Files, split: Split) -> Iterator[tuple[int, Iterable[Any], list[Any]]]:
    """Batches of records: bytes read so far, keys, values."""
    with files.open(split.path) as source:
        if job.input_format == "files":
            yield split.length, [split.path], [source.read().decode("utf-8", "replace")]
            return
        for chunk in chunks_of(source, split.start, split.length):
            offsets, lines = chunk.records()
            yield chunk.start + len(chunk.data) - split.start, offsets, lines


def pairs_of(job: Job, files: Files, split: Split, gauge: Gauge) -> Iterator[Pair]:
    """What the map makes of a split, for jobs without reduce tasks."""
    before = 0
    for done, keys, values in records_of(job, files, split):
        rest = iter(values)
        gauge.within(before / max(split.length, 1), done / max(split.length, 1), values, rest)
        before = done
        try:
            for key, value in zip(keys, rest, strict=False):
                yield from job.map(key, value)
        except Exception as error:
            _name_record(error, split, values, rest)
            raise


def run_map(job: Job, files: Files, split: Split, reduces: int, path: Path, gauge: Gauge) -> Index:
    """Run a map task whose output goes to reduce tasks.

    Args:
        job: the functions.
        files: where the split is.
        split: the input.
        reduces: number of reduce tasks, at least 1.
        path: the output file; its index is written beside it, last, as `path` + ".index".
        gauge: told what part of the work is done.
    """
    output, before = MapOutput(job, reduces, path), 0
    for done, keys, values in records_of(job, files, split):
        rest = iter(values)
        gauge.within(0.9 * before / max(split.length, 1), 0.9 * done / max(split.length, 1), values, rest)
        before = done
        try:
            output.add(keys, rest)
        except Exception as error:
            _name_record(error, split, values, rest)
            raise
        output.tidy(done)
    return output.finish()


def _name_record(error: Exception, split: Split, values: list[Any], rest: Iterator[Any]) -> None:
    """Note on a user's exception which record it was."""
    at = len(values) - operator.length_hint(rest) - 1
    if 0 <= at < len(values):
        error.add_note(f"record: {values[at]!r:.300} (in {split.path}, from byte {split.start})")


class MapOutput:
    """Groups of values by key, of bounded size: what grows too large is combined, and spilled if that is not enough.

    Attributes:
        groups: key -> values not yet spilled.
        spills: index and file of what was spilled.
    """

    def __init__(self, job: Job, reduces: int, path: Path) -> None:
        self.job, self.reduces, self.path = job, reduces, path
        self.groups: defaultdict[Any, list[Any]] = defaultdict(list)
        self.spills: list[tuple[Path, Index]] = []
        self._next_look, self._last_look, self._kept = CHUNK_BYTES, 0, 0

    def add(self, keys: Iterable[Any], values: Iterable[Any]) -> None:
        """Map some records. This loop is where a job's time goes, so nothing is counted in it."""
        mapper, groups = self.job.map, self.groups
        for key, value in zip(keys, values, strict=False):
            for out_key, out_value in mapper(key, value):
                groups[out_key].append(out_value)

    def tidy(self, read_bytes: int) -> None:
        """Look at the size of the groups now and then: about when they have become as large as they may be."""
        if read_bytes < self._next_look:
            return
        limit, held = self._limit(), self._held()
        pace = max(held - self._kept, 1) / max(read_bytes - self._last_look, 1)  # values that a byte of input brings
        if held > limit // 2 and self.job.combine is not None:
            self.combine()
            held = self._held()
        if held > limit // 2:
            self.spill()
            held = 0
        self._kept, self._last_look = held, read_bytes
        self._next_look = read_bytes + min(max(int((limit - held) / pace / 2), CHUNK_BYTES), 64 * CHUNK_BYTES)

    def _held(self) -> int:
        return sum(map(len, self.groups.values()))

    def _limit(self) -> int:
        """How many values may be held, by the size of a few of them."""
        sizes = [getsizeof(values[-1]) + getsizeof(key) // len(values) for key, values in _first(self.groups, 64) if values]
        return int(min(BUFFERED_VALUES, BUFFERED_BYTES / (16 + sum(sizes) / len(sizes)))) if sizes else BUFFERED_VALUES

    def combine(self) -> None:
        """Run the combine function over every key that has several values."""
        combine = self.job.combine
        assert combine is not None
        groups = self.groups
        for key, values in groups.items():
            if len(values) > 1:
                groups[key] = _combined(combine, key, iter(values))

    def spill(self) -> None:
        """Write the groups as one sorted run for each reduce task."""
        path = self.path.with_name(f"{self.path.name}.spill{len(self.spills)}")
        with path.open("wb") as out:
            self.spills.append((path, [write_at(out, entries) for entries in self._partitions()]))
        self.groups.clear()

    def finish(self) -> Index:
        """Write the output file and its index; several spills are merged and combined once more."""
        if self.job.combine is not None:
            self.combine()
        partial = self.path.with_name(self.path.name + ".partial")
        if self.spills and self.groups:
            self.spill()
        with partial.open("wb") as out:
            if self.spills:
                index = [write_at(out, self._merged(number)) for number in range(self.reduces)]
            else:
                index = [write_at(out, entries) for entries in self._partitions()]
        os.replace(partial, self.path)
        for path, _ in self.spills:
            path.unlink()
        write_index(self.path, index)
        return index

    def _merged(self, number: int) -> Iterator[Entry]:
        runs = [read_run(segment(path, *index[number])) for path, index in self.spills]
        for key, values in merged(runs):
            yield key, list(values) if self.job.combine is None else _combined(self.job.combine, key, values)

    def _partitions(self) -> Iterator[Iterable[Entry]]:
        """For each reduce task the entries in order of keys."""
        parts: list[list[Any]] = [[] for _ in range(self.reduces)]
        partition, reduces, groups = self.job.partition, self.reduces, self.groups
        for key in groups:
            number = partition(key, reduces)
            if not 0 <= number < reduces:
                raise DataError(f"the partition function gave {number!r} for {key!r}", hint=f"it must give 0 to {reduces - 1}")
            parts[number].append(key)
        for keys in parts:
            keys = ordered(keys)
            yield zip(keys, map(groups.__getitem__, keys), strict=True)


def _first(groups: dict[Any, list[Any]], count: int) -> Iterator[tuple[Any, list[Any]]]:
    return (item for item, _ in zip(groups.items(), range(count), strict=False))


def _combined(combine: Callable[[Any, Iterator[Any]], Iterable[Pair]], key: Any, values: Iterator[Any]) -> list[Any]:
    found = []
    for out_key, value in combine(key, values):
        if out_key != key:
            raise DataError(f"combine was called for key {key!r} and emitted {out_key!r}", hint="a combine function keeps its key")
        found.append(value)
    return found


def write_at(out: BinaryIO, entries: Iterable[Entry]) -> tuple[int, int]:
    """Append a run; returns its offset and length."""
    return out.tell(), write_run(out, entries)


def write_index(path: Path, index: Index) -> None:
    """Write the index beside a map output file: it marks the output as complete."""
    partial = path.with_name(path.name + ".index.partial")
    partial.write_bytes(msgspec.msgpack.encode(index))
    os.replace(partial, index_path(path))


def index_path(path: Path) -> Path:
    """Where the index of a map output file is."""
    return path.with_name(path.name + ".index")


def read_index(path: Path) -> Index:
    """The index of a map output file; OSError if the output is not there."""
    return msgspec.msgpack.decode(index_path(path).read_bytes(), type=Index)
