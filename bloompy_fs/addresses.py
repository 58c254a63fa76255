"""Where the NameNodes of a file system are: partitions of its names, each a group of replicas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from bloompy.errors import UsageError
from bloompy.transports.addresses import split_address

Groups: TypeAlias = tuple[tuple[str, ...], ...]
"""Addresses "host:port" of the members of each partition, partition 0 first."""


def groups(namenode: str | Sequence[Sequence[str]]) -> Groups:
    """The NameNodes that a user named.

    Args:
        namenode: "a:1", of one NameNode; "a:1,b:1,c:1", of the replicas of one; "a:1,b:1,c:1;d:1,e:1,f:1", of two partitions
            with three replicas each; or the same as a sequence of groups.

    Raises:
        UsageError: for what is no address, an empty group, or one address twice.
    """
    split = [group.split(",") for group in namenode.split(";")] if isinstance(namenode, str) else namenode
    found = tuple(tuple(address.strip() for address in group) for group in split)
    every = [address for group in found for address in group]
    if not all(every) or not all(found) or not found or len(set(every)) < len(every):
        raise UsageError(
            f"{namenode!r} does not say where the NameNodes are",
            hint='write "host:port", with "," between the replicas of one and ";" between partitions, each once',
        )
    for address in every:
        split_address(address)
    return found
