"""Ballots, quorums and batches: the pure functions of the rules."""

from __future__ import annotations

import pickle
from collections.abc import Collection, Iterable
from typing import Any, TypeAlias

Ballot: TypeAlias = tuple[int, str]
"""(round, node): ordered, and no two nodes ever have one in common."""

LOWEST: Ballot = (0, "")
"""Below every ballot."""

NO_OP: tuple[float, tuple[Any, ...], tuple[Any, ...]] = (0.0, (), ())
"""The value that fills a hole: no commands, no change of members."""


def is_majority(nodes: Collection[str], members: Collection[str]) -> bool:
    """Whether these nodes are a quorum of the members, of which there has to be one at least."""
    return 2 * sum(member in nodes for member in members) > len(members)


def reached(numbers: Iterable[tuple[str, float]], members: Collection[str]) -> float:
    """The greatest number that a majority of the members has reached.

    Args:
        numbers: (node, number), one for each node; who is not among them has reached minus infinity.
        members: those that count.
    """
    known = dict(numbers)
    return sorted((known.get(member, float("-inf")) for member in members), reverse=True)[len(members) // 2] if members else float("-inf")


def both_reached(numbers: Collection[tuple[str, float]], members: Collection[str], coming: Collection[str]) -> float:
    """The greatest number that majorities of the members of now and of those to come have reached."""
    return min(reached(numbers, members), reached(numbers, coming))


def batch_of(commands: tuple[Any, ...], most: int, most_bytes: int) -> tuple[Any, ...]:
    """The first commands that fit into one decree: at most so many, and about so many bytes, but one at least."""
    batch = commands[:most]
    while len(batch) > 1 and len(pickle.dumps(batch)) > most_bytes:  # only measured: nothing is ever read from it
        batch = batch[: len(batch) // 2]
    return batch


def changed(members: tuple[str, ...], change: tuple[str, str]) -> tuple[str, ...]:
    """The members after a change ("add" or "remove", address)."""
    kind, address = change
    others = tuple(member for member in members if member != address)
    return (*others, address) if kind == "add" else others
