"""Cutting the input into map tasks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import frozen

from bloompy_mr.errors import JobError
from bloompy_mr.files import Block, files_of
from bloompy_mr.jobfile import Split

SPLIT_BYTES = 32 << 20
SPLIT_SLACK = 1.1
"""A rest up to this much longer than a split is not cut again (Hadoop's FileInputFormat)."""


@frozen
class PlacedSplit:
    """A split and the hosts that hold its bytes."""

    split: Split
    hosts: tuple[str, ...] = ()


def splits_of(
    inputs: Sequence[str], *, secret: bytes = b"", split_bytes: int = SPLIT_BYTES, whole_files: bool = False
) -> list[PlacedSplit]:
    """The splits of some files, directories and globs.

    Args:
        inputs: what the user named.
        secret: of the file systems.
        split_bytes: how long a split is at most, nearly; it never spans two blocks of a distributed file.
        whole_files: one split a file, for input that cannot be cut.

    Raises:
        JobError: no input, or no file there.
    """
    if not inputs:
        raise JobError("the job has no input", hint="name files, directories or globs")
    if split_bytes < 1:
        raise JobError(f"split_bytes is {split_bytes!r}", hint="give a number of bytes above 0")
    found = []
    for pattern in inputs:
        files = files_of(pattern, secret)
        for path in files.expand(pattern):
            blocks = files.blocks(path)
            if whole_files:
                blocks = [Block(0, sum(block.length for block in blocks), blocks[0].hosts if blocks else ())]
            found += [_placed(path, piece) for block in blocks for piece in _cut(block, block.length or 1 if whole_files else split_bytes)]
    return found


def _placed(path: str, piece: Block) -> PlacedSplit:
    return PlacedSplit(Split(path, piece.start, piece.length), piece.hosts)


def _cut(block: Block, split_bytes: int) -> Iterator[Block]:
    start, left = block.start, block.length
    while left > split_bytes * SPLIT_SLACK:
        yield Block(start, split_bytes, block.hosts)
        start, left = start + split_bytes, left - split_bytes
    if left:
        yield Block(start, left, block.hosts)
