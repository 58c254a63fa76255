"""Imperative: how the NameNodes stand: which answer, who leads, how far each is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from bloompy.runtime.node import Node
from bloompy.transports.addresses import join_address, own_host
from bloompy_fs.addresses import Groups
from bloompy_fs.protocol import Protocol
from bloompy_fs.sessions import ALONE
from bloompy_paxos.status import Status, status_of

SILENT_S = 2.0
"""A NameNode that has said nothing for so long counts as silent."""


async def standing(groups: Groups, secret: str | bytes | None, timeout_s: float = SILENT_S) -> list[list[Status]]:
    """What each NameNode says of itself, those of each partition in the order that they are named.

    Args:
        groups: addresses of the members of each partition.
        secret: shared by the cluster, or None.
        timeout_s: after which a NameNode counts as silent.
    """
    everyone = [address for group in groups for address in group]
    async with Node(Protocol(), listen=join_address(own_host(everyone), 0), secret=secret) as node:

        async def ask(address: str) -> Status:
            try:
                row = await node.call("status_request", (address, node.address, 0), reply="status", timeout_s=timeout_s)
            except TimeoutError:
                row = None
            return status_of(address, row)

        found = iter(await asyncio.gather(*map(ask, everyone)))
    return [[next(found) for _ in group] for group in groups]


def leader_among(found: Sequence[Status]) -> str | None:
    """Who leads a partition: the one that is alone, or that says so, and that a majority follows."""
    for one in found:
        followers = sum(other.leader == one.leader for other in found)
        if one.role == ALONE or (one.role == "leader" and 2 * followers > len(found)):
            return one.address
    return None


def standing_rows(partitions: Sequence[Sequence[Status]]) -> Iterator[tuple[str, ...]]:
    """The same as lines of a table, with a heading."""
    numbered = len(partitions) > 1
    yield (*(["partition"] if numbered else []), "NameNode", "role", "follows", "applied", "lag")
    for number, found in enumerate(partitions):
        newest = max(one.decided for one in found)
        for one in found:
            told = ("-",) * 3 if one.role == "silent" else (one.leader or "-", str(one.applied), str(newest - one.applied))
            yield (*([str(number)] if numbered else []), one.address, one.role, *told)
