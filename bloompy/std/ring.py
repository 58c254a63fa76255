# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""Consistent hashing: who owns a key, and what moves when nodes come and go.

From "Consistent Hashing and Random Trees" (Karger, Lehman, Leighton, Panigrahy, Levine, Lewin; STOC 1997, section 4); points as
"virtual nodes" and the list of owners from "Dynamo: Amazon's Highly Available Key-value Store" (SOSP 2007, sections 4.2 and 4.3).
"""

from bisect import bisect_left
from typing import Any

from bloompy import Bloom, agg, interface, param, rule, scratch, table
from bloompy.std.hashing import stable_hash


class HashRing(Bloom):
    """Nodes have points on a ring of hashes; a key is owned by the node of the first point from its own hash on.

    When a node joins, only keys that it now owns move, about their n-th part; when it leaves, only its own do.

    Params:
        points: points of a node of weight 1. More are fairer: shares differ by about 1 / sqrt(points).
        copies: how many different nodes own a key, the first of them first.

    Inputs:
        join: a node with its weight; from the next tick on. Again with another weight: it has that one.
        leave: a node is no member from the next tick on.
        hold, drop: a key whose owners this node follows from the next tick on, or no more.
        locate: a question.

    Outputs:
        located: the owners of the key asked for, at most `copies`; none while the ring is empty.
        moved: followed keys whose owners are others than in the tick before: those that gain it, and those that lose it.
    """

    points = param(64)
    copies = param(1)

    join = interface.input("node: str -> weight: int")
    leave = interface.input("node: str")
    hold = interface.input("key")
    drop = interface.input("key")
    locate = interface.input("request -> key")
    located = interface.output("request -> owners")
    moved = interface.output("key -> gained, lost")

    member = table("node: str -> weight: int", durable=True)
    held = table("key", durable=True)
    before = table("key -> owners", durable=True)
    point = scratch("position, node")
    ring = scratch("-> points")
    owner = scratch("key -> owners")

    @rule
    def membership(self) -> None:
        # member(N, W) @next :- join(N, W).
        self.member <+- self.join
        # del member(N) @next :- leave(N).
        self.member <- ((gone.node,) for gone in self.leave)
        # held(K) @next :- hold(K).
        self.held <+ self.hold
        # del held(K) @next :- drop(K).
        self.held <- self.drop

    @rule
    def positions(self) -> None:
        # point(hash(N, I), N) :- member(N, W), 0 <= I < Points * W.
        self.point <= ((stable_hash((m.node, i)), m.node) for m in self.member for i in range(self.points * m.weight))
        # ring(collect<P, N>) :- point(P, N).                             (in order of the positions)
        self.ring <= (agg.collect((p.position, p.node)) for p in self.point)

    @rule
    def ownership(self) -> None:
        # located(R, owners(Ring, K)) :- locate(R, K), ring(Ring).
        self.located <= ((x.request, owners(r.points, x.key, self.copies)) for x in self.locate for r in self.ring)
        self.located <= ((x.request, ()) for x in self.locate if not any(r for r in self.ring))
        # owner(K, owners(Ring, K)) :- held(K), ring(Ring).
        self.owner <= ((h.key, owners(r.points, h.key, self.copies)) for h in self.held for r in self.ring)

    @rule
    def movement(self) -> None:
        # moved(K, New - Old, Old - New) :- owner(K, New), before(K, Old), New != Old as sets.
        self.moved <= ((o.key, without(o.owners, b.owners), without(b.owners, o.owners)) for o in self.owner for b in self.before
                       if b.key == o.key and set(o.owners) != set(b.owners))
        # before(K, O) @next :- owner(K, O).
        self.before <+- self.owner
        # del before(K) @next :- before(K), not held(K).
        self.before <- ((b.key,) for b in self.before if b.key not in self.held)


def owners(ring: tuple[tuple[int, str], ...], key: Any, copies: int) -> tuple[str, ...]:
    """The different nodes of the first points from the key's hash on, at most so many, the first first. O(log points) for one copy."""
    start = bisect_left(ring, (stable_hash(key), ""))
    found: dict[str, None] = {}
    for i in range(len(ring)):
        if len(found) == copies:
            break
        found[ring[(start + i) % len(ring)][1]] = None
    return tuple(found)


def without(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    """The elements of the first that are not in the second, in order."""
    return tuple(node for node in one if node not in other)
