"""Versions of a value by dotted version vectors, as a lattice.

A write is named by a dot: the node that took it and that node's number for it. What the writer had read is its context, a vector
clock; the write replaces exactly the versions that its context covers. From "Dotted Version Vectors: Efficient Causality Tracking
for Distributed Key-Value Stores" (Preguiça, Baquero, Almeida, Fonte, Gonçalves; 2010/2012). With a plain vector clock for each
version two writes of one context, taken by one node, would look as if the second had seen the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from bloompy.lattices import Lattice, Map
from bloompy.std.clocks import merged

Version = tuple[str, int, Any]
"""Node and number of the dot, and the value."""

Versions = tuple[tuple[tuple[str, int], ...], frozenset[Version]]
"""What has been replaced, as the sorted pairs of a vector clock, and the versions that have not."""


class lversions(Lattice):
    """The versions of one key: merged, those of both that neither knows to be replaced.

    It stands on this: who has a dot, or knows it to be replaced, has or so knows all dots of smaller numbers of that node. So
    states travel whole.
    """

    bottom: ClassVar[Versions] = ((), frozenset())

    @classmethod
    def lift(cls, value: Any) -> Any:
        if not (type(value) is tuple and len(value) == 2 and type(value[0]) is tuple and type(value[1]) is frozenset):
            raise TypeError("write written(…): a pair of the clock's sorted pairs and a frozenset of versions")
        return value

    @staticmethod
    def merge(a: Any, b: Any) -> Any:
        if a == b:
            return a
        past = merged(dict(a[0]), dict(b[0]))
        live = frozenset(one for one in a[1] | b[1] if one[1] > past.get(one[0], 0))
        return a if (pairs := tuple(past.items())) == a[0] and live == a[1] else (pairs, live)


def written(node: str, number: int, value: Any, context: Mapping[str, int]) -> Versions:
    """The state that a write adds: its version, and that what its context covers is replaced.

    Args:
        node, number: its dot, greater than all numbers that the node has given for this key.
        context: the clock that came with what the writer had read; empty if it had read nothing.
    """
    return tuple(merged(context, {}).items()), frozenset(((node, number, value),))


def values_of(versions: Versions) -> tuple[Any, ...]:
    """The values of concurrent writes, in the order of their dots."""
    return tuple(value for _, _, value in sorted(versions[1], key=lambda version: version[:2]))


def context_of(versions: Versions) -> Map:
    """The clock that covers all these versions and what they replaced: what a reader has seen."""
    clock: Mapping[str, int] = dict(versions[0])
    for node, number, _ in versions[1]:
        clock = merged(clock, {node: number})
    return merged(clock, {})


def greatest(versions: Versions, node: str) -> int:
    """The greatest number of a node among these versions and those that they replaced; 0 for none."""
    number: int = context_of(versions).get(node, 0)
    return number


def has(versions: Versions, node: str, number: int) -> bool:
    """Whether a write is among these versions, or known to be replaced."""
    return greatest(versions, node) >= number
