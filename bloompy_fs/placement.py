"""Where replicas go. Pure functions, fit for rules."""

from __future__ import annotations

from zlib import crc32


def spread(what: object, node: str) -> int:
    """A number that orders nodes differently for each chunk (or request), equally in every process (rendezvous hashing).

    The nodes least in this order hold a chunk: load is even without counting it, and few chunks move when a node comes.
    """
    return crc32(f"{what} {node}".encode("utf-8", "surrogatepass"))


def home_of(chunk: int, partitions: int) -> int:
    """The partition that gave a chunk its number, of so many."""
    return chunk % partitions


def registration(epoch: int, step: int) -> str:
    """Names one registration of a DataNode: the NameNode's start and the tick in it."""
    return f"{epoch}.{step}"
