"""Sorted runs of (key, values) pairs on disk and in memory, and their merge.

A run is a sequence of blocks: length and CRC-32 of the payload (4 bytes each, big-endian), then the payload, a MessagePack
array of [key, [value, …]] in ascending order of keys. Written by map tasks, served to reduce tasks, merged there.
"""

from __future__ import annotations

import heapq
import io
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias
from zlib import crc32

import msgspec

from bloompy_mr.errors import DataError

Entry: TypeAlias = tuple[Any, list[Any]]
Source: TypeAlias = Callable[[], BinaryIO]
"""Opens a run at its beginning; the file ends where the run ends."""

BLOCK_BYTES = 1 << 16
MERGE_FAN_IN = 64

_HEAD = struct.Struct(">II")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[tuple[Any, list[Any]]]).decode
_Scalar: TypeAlias = str | int | float | bool | None
_decode_scalars = msgspec.msgpack.Decoder(list[tuple[_Scalar, list[_Scalar]]]).decode
_key = itemgetter(0)


def write_run(out: BinaryIO, entries: Iterable[Entry]) -> int:
    """Write entries that are sorted by key; returns the number of bytes.

    Raises:
        DataError: a key or value of a type that cannot be stored.
    """
    written, count, rest = 0, 16, iter(entries)
    while some := list(islice(rest, count)):
        try:
            payload = _encode(some)
        except (TypeError, OverflowError, ValueError) as error:
            raise DataError(
                f"a pair of the keys {some[0][0]!r} to {some[-1][0]!r} cannot be stored: {error}",
                hint="emit None, bool, int (64 bits), float, str, bytes, or tuples, lists and dicts of these",
            ) from None
        out.write(_HEAD.pack(len(payload), crc32(payload)) + payload)
        written += _HEAD.size + len(payload)
        count = min(max(count * BLOCK_BYTES // len(payload), 1), 2 * count)  # blocks of about BLOCK_BYTES
    return written


def read_run(source: BinaryIO) -> Iterator[Entry]:
    """The entries of a run, block by block; closes the file at its end.

    Raises:
        DataError: the run is damaged or cut off.
    """
    with source:
        while head := source.read(_HEAD.size):
            if len(head) < _HEAD.size:
                raise DataError("a run ends within the head of a block")
            length, checksum = _HEAD.unpack(head)
            payload = source.read(length)
            if len(payload) < length or crc32(payload) != checksum:
                raise DataError("a block of a run is cut off or damaged")
            try:
                yield from _decode_scalars(payload)
            except msgspec.ValidationError:  # something else in it, such as tuples
                for key, values in _decode(payload):
                    yield frozen_value(key), [frozen_value(value) for value in values]


def frozen_value(value: Any) -> Any:
    """The value with every list as a tuple: MessagePack knows one kind of sequence only."""
    if type(value) is list:
        return tuple(frozen_value(item) for item in value)
    if type(value) is dict:
        return {key: frozen_value(item) for key, item in value.items()}
    return value


def ordered(keys: Iterable[Any]) -> list[Any]:
    """Keys in ascending order.

    Raises:
        DataError: two of them have no order.
    """
    try:
        return sorted(keys)
    except TypeError as error:
        raise DataError(f"keys of one job must have an order: {error}", hint="emit keys of one type") from None


def merged(runs: Sequence[Iterator[Entry]]) -> Iterator[tuple[Any, Iterator[Any]]]:
    """Each key once, in ascending order, with the values of all runs: those of an earlier run first."""
    try:
        for key, group in groupby(heapq.merge(*runs, key=_key), key=_key):
            yield key, chain.from_iterable(values for _, values in group)
    except TypeError as error:
        raise DataError(f"keys of one job must have an order: {error}", hint="emit keys of one type") from error


def grouped(runs: Iterable[Iterator[Entry]]) -> Iterator[tuple[Any, Iterator[Any]]]:
    """As `merged`, by a dictionary in memory: several times as fast for little data."""
    groups: dict[Any, list[Any]] = {}
    for run in runs:
        for key, values in run:
            held = groups.setdefault(key, values)
            if held is not values:
                held += values
    for key in ordered(groups):
        yield key, iter(groups.pop(key))


def narrowed(sources: Sequence[Source], directory: Path) -> list[Source]:
    """As many sources as can be open at once: merges groups of them into new runs in the directory until they are few."""
    waiting, number = list(sources), 0
    while len(waiting) > MERGE_FAN_IN:
        first, waiting = waiting[:MERGE_FAN_IN], waiting[MERGE_FAN_IN:]
        path = directory / f"merge-{number}"
        number += 1
        with path.open("wb") as out:
            write_run(out, _pieces(merged([read_run(source()) for source in first])))
        waiting.append(lambda path=path: path.open("rb"))  # type: ignore[misc]
    return waiting


def _pieces(groups: Iterable[tuple[Any, Iterator[Any]]]) -> Iterator[Entry]:
    """Groups as entries of bounded length."""
    for key, values in groups:
        while piece := list(islice(values, 100_000)):
            yield key, piece


class Segment(io.RawIOBase):
    """A stretch of a file as a file of its own, which it closes with itself."""

    def __init__(self, path: Path, offset: int, length: int) -> None:
        self._file = path.open("rb", buffering=0)
        self._file.seek(offset)
        self._left = length

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)[: self._left]
        found = self._file.readinto(view) if len(view) else 0
        self._left -= found or 0
        return found or 0

    def close(self) -> None:
        self._file.close()
        super().close()


def segment(path: Path, offset: int, length: int) -> BinaryIO:
    """Open a stretch of a file for buffered reading."""
    return io.BufferedReader(Segment(path, offset, length), BLOCK_BYTES)
