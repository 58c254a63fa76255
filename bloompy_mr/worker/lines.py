"""Reading a split line by line: a line belongs to the split in which it begins."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate, count
from operator import add
from typing import BinaryIO

from attrs import frozen

CHUNK_BYTES = 1 << 18


@frozen
class Chunk:
    """Some whole lines.

    Attributes:
        start: offset of the first in its file, in bytes.
        data: the lines with their ends.
    """

    start: int
    data: bytes

    def records(self) -> tuple[Iterator[int], list[str]]:
        """Offset in the file of each line, in bytes, and the lines without their ends (LF or CR LF).

        Bytes that are no UTF-8 become U+FFFD.
        """
        text = self.data.decode("utf-8", "replace")
        lines = text.split("\n")
        lengths = list(map(len, lines if text.isascii() else self.data.split(b"\n")))
        offsets = map(add, accumulate(lengths, initial=self.start), count())  # count(): one more line end before each
        if not lines[-1]:
            del lines[-1]
        if "\r" in text:
            lines = [line[:-1] if line.endswith("\r") else line for line in lines]
        return offsets, lines


def chunks_of(source: BinaryIO, start: int, length: int, chunk_bytes: int = CHUNK_BYTES) -> Iterator[Chunk]:
    """The lines that begin in `length` bytes from `start`, some at a time."""
    position, end = start, start + length
    if start:
        source.seek(start - 1)  # a line that begins exactly at `start` is ours: the byte before is its predecessor's end
        position += len(source.readline()) - 1
    while position < end:
        data = source.read(min(chunk_bytes, end - position))
        if not data:
            return
        if not data.endswith(b"\n"):
            data += source.readline()
        yield Chunk(position, data)
        position += len(data)
