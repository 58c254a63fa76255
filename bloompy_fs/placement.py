"""Where replicas go, chunks are at home, and names belong. Pure functions, fit for rules."""

from __future__ import annotations

from zlib import crc32

from bloompy.std.hashing import stable_hash

COORDINATOR = 0
"""The partition that carries out what concerns several."""


def spread(what: object, node: str) -> int:
    """A number that orders nodes differently for each chunk (or request), equally in every process (rendezvous hashing).

    The nodes least in this order hold a chunk: load is even without counting it, and few chunks move when a node comes.
    """
    return crc32(f"{what} {node}".encode("utf-8", "surrogatepass"))


def partition_of(fid: int, partitions: int) -> int:
    """The partition with the files of a directory, from its number; this one function for servers and clients."""
    return stable_hash(fid) % partitions


def home_of(chunk: int, partitions: int) -> int:
    """The partition that gave a chunk its number, of so many."""
    return chunk % partitions


def registration(epoch: int, step: int) -> str:
    """Names one registration of a DataNode: the NameNode's start and the tick in it."""
    return f"{epoch}.{step}"
