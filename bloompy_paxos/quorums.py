"""Ballots and quorums: pure functions of the rules."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TypeAlias

Ballot: TypeAlias = tuple[int, str]
"""(round, node): ordered, and no two nodes ever have one in common."""

LOWEST: Ballot = (0, "")
"""Below every ballot."""


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


def both(members: tuple[str, ...], coming: tuple[str, ...]) -> tuple[str, ...]:
    """Those who are members, now or in slots to come."""
    return tuple(dict.fromkeys((*members, *coming)))


def changed(members: tuple[str, ...], change: tuple[str, str]) -> tuple[str, ...]:
    """The members after a change ("add" or "remove", address)."""
    kind, address = change
    others = tuple(member for member in members if member != address)
    return (*others, address) if kind == "add" else others
