"""What a good outcome relies on, as a formula over things that faults can take away; and the fault sets that take enough of it away.

A `Formula` is monotone: it is true while no fault happens, and faults only make more of it false. `Support` is hash-consed AND and OR over
two kinds of leaves: a message that was sent, and a node that still ran at a time. Fault sets that make a formula false are the hitting
sets of its proofs; they are enumerated smallest first by taking a proof that still stands and cutting it in each possible way
(Reiter, "A theory of diagnosis from first principles", AIJ 1987; here with proofs made when they are needed, as in Alvaro et al. 2015).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TypeAlias

from attrs import field, frozen


@frozen
class Omission:
    """All messages from one node to another that are sent at a time are lost."""

    source: str
    target: str
    time: float

    def __str__(self) -> str:
        return f"what {self.source} sends to {self.target} at {self.time:.6g} s is lost"


@frozen
class Crash:
    """A node stops for ever after what it does at a time."""

    node: str
    time: float

    def __str__(self) -> str:
        return f"{self.node} crashes after {self.time:.6g} s"


Fault: TypeAlias = Omission | Crash
Faults: TypeAlias = frozenset[Fault]


@frozen
class Sent:
    """A leaf: a message that must get through."""

    source: str
    target: str
    time: float

    def stands(self, faults: Faults) -> bool:
        """Whether it holds under some faults."""
        return Omission(self.source, self.target, self.time) not in faults


@frozen
class Ran:
    """A leaf: a node that must still run at a time."""

    node: str
    time: float

    def stands(self, faults: Faults) -> bool:
        """Whether it holds under some faults."""
        return not any(isinstance(one, Crash) and one.node == self.node and one.time < self.time for one in faults)


Leaf: TypeAlias = Sent | Ran


class Formula:
    """AND or OR of other formulas, or a leaf. Made by `Formulas`, which gives equal ones one identity.

    Args:
        every: whether it is an AND; an AND of nothing is true, an OR of nothing is false.
        parts: of it.
        leaf: of a leaf.
    """

    def __init__(self, every: bool, parts: tuple[Formula, ...] = (), leaf: Leaf | None = None) -> None:
        self.every, self.parts, self.leaf = every, parts, leaf
        self._proofs: dict[Faults, frozenset[Leaf] | None] = {}

    @cached_property
    def order(self) -> tuple[Formula, ...]:
        """It and all below it, parts before wholes."""
        found: dict[int, Formula] = {}
        stack: list[tuple[Formula, bool]] = [(self, False)]
        while stack:
            one, ready = stack.pop()
            if ready:
                found[id(one)] = one
            elif id(one) not in found:
                stack.append((one, True))
                stack += [(part, False) for part in one.parts if id(part) not in found]
        return tuple(found.values())

    @cached_property
    def _touched(self) -> frozenset[Fault | str]:
        """The omissions that matter to it, and the nodes whose crashes do."""
        return frozenset(Omission(leaf.source, leaf.target, leaf.time) if isinstance(leaf, Sent) else leaf.node for leaf in self.leaves)

    def proof(self, faults: Faults) -> frozenset[Leaf] | None:
        """The leaves of a small proof that stands under some faults; None if it is false under them.

        O(size · proof) the first time that it is asked under just those of the faults that matter to it.
        """
        touched = self._touched
        mine = frozenset([one for one in faults if (one.node if isinstance(one, Crash) else one) in touched])
        if mine not in self._proofs:
            self._proofs[mine] = self._found(mine)
        return self._proofs[mine]

    def _found(self, faults: Faults) -> frozenset[Leaf] | None:
        proofs: dict[int, frozenset[Leaf] | None] = {}
        for one in self.order:
            proofs[id(one)] = _proof(one, proofs, faults)
        return proofs[id(self)]

    def stands(self, faults: Faults) -> bool:
        """Whether it is true under some faults."""
        held: dict[int, bool] = {}
        for one in self.order:
            if one.leaf is not None:
                held[id(one)] = one.leaf.stands(faults)
            else:
                values = [held[id(part)] for part in one.parts]
                held[id(one)] = all(values) if one.every else any(values)
        return held[id(self)]

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """All that it speaks of."""
        return tuple(one.leaf for one in self.order if one.leaf is not None)

    def __str__(self) -> str:
        if self.leaf is not None:
            return str(self.leaf)
        return f"({(' and ' if self.every else ' or ').join(map(str, self.parts))})" if self.parts else str(self.every).lower()


def _proof(one: Formula, proofs: Mapping[int, frozenset[Leaf] | None], faults: Faults) -> frozenset[Leaf] | None:
    if one.leaf is not None:
        return frozenset([one.leaf]) if one.leaf.stands(faults) else None
    below = [proofs[id(part)] for part in one.parts]
    if one.every:
        found: set[Leaf] = set()
        for part in below:
            if part is None:
                return None
            found |= part
        return frozenset(found)
    return min((part for part in below if part is not None), key=len, default=None)


class Formulas:
    """Makes formulas, simple ones where it can."""

    def __init__(self) -> None:
        self._known: dict[object, Formula] = {}
        self.true = Formula(True)
        self.false = Formula(False)

    def leaf(self, leaf: Leaf) -> Formula:
        """One leaf."""
        return self._known.setdefault(leaf, Formula(True, (), leaf))

    def every(self, parts: Iterable[Formula]) -> Formula:
        """AND."""
        return self._make(True, parts)

    def some(self, parts: Iterable[Formula]) -> Formula:
        """OR."""
        return self._make(False, parts)

    def _make(self, every: bool, parts: Iterable[Formula]) -> Formula:
        neutral, final = (self.true, self.false) if every else (self.false, self.true)
        flat: dict[int, Formula] = {}
        for part in parts:
            if part is final:
                return final
            inner = part.parts if part.leaf is None and part.every == every else (part,)
            flat.update((id(one), one) for one in inner if one is not neutral)
        found = _latest(list(flat.values())) if every else list(flat.values())
        if len(found) < 2:
            return found[0] if found else neutral
        key = every, frozenset(map(id, found))
        return self._known.setdefault(key, Formula(every, tuple(found)))


def _latest(parts: list[Formula]) -> list[Formula]:
    """Of the times at which one node must run, only the last."""
    last: dict[str, float] = {}
    for one in parts:
        if isinstance(one.leaf, Ran):
            last[one.leaf.node] = max(one.leaf.time, last.get(one.leaf.node, one.leaf.time))
    return [one for one in parts if not isinstance(one.leaf, Ran) or one.leaf.time == last[one.leaf.node]]


@frozen
class Bounds:
    """Which faults may happen.

    Attributes:
        end_s: of finite failures: all faults are before it.
        crashes: at most so many nodes.
        omissions: whether messages may be lost.
        points: by node, the times after which it may crash.
    """

    end_s: float
    crashes: int
    omissions: bool
    points: Mapping[str, Sequence[float]] = field(factory=dict)

    def cuttable(self, leaf: Leaf) -> bool:
        """Whether any fault could take it away."""
        if isinstance(leaf, Sent):
            return self.omissions and leaf.time < self.end_s
        return self.crashes > 0

    def cuts(self, leaf: Leaf, faults: Faults) -> Iterator[Fault]:
        """The faults that take it away, and may happen beside others."""
        if isinstance(leaf, Sent):
            if self.cuttable(leaf):
                yield Omission(leaf.source, leaf.target, leaf.time)
            return
        crashed = {one.node for one in faults if isinstance(one, Crash)}
        if leaf.node not in crashed and len(crashed) < self.crashes:
            for time in sorted(self.points.get(leaf.node, ()), reverse=True):
                if time < leaf.time and time < self.end_s:
                    yield Crash(leaf.node, time)


class Breaking:
    """Enumerates fault sets that make all of some formulas false.

    Args:
        formulas: each is a reason, known from some run, why an outcome is good.
        bounds: of the faults.
        spared: fault sets than which no wanted one is harder.
        bases: fault sets that each wanted one contains one of: the formulas are known to matter only under these.

    Attributes:
        cut_short: whether a larger size could find more.
    """

    def __init__(
        self, formulas: Sequence[Formula], bounds: Bounds, spared: Iterable[Faults] = (), bases: Iterable[Faults] = (frozenset(),)
    ) -> None:
        self.formulas, self.bounds, self.spared, self.bases = formulas, bounds, list(spared), list(bases)
        self.cut_short = False
        self._seen: set[Faults] = set()

    def of_size(self, size: int) -> Iterator[Faults]:
        """Those with at most so many faults besides a base, each of which cuts a proof that stood, in a fixed order."""
        self._seen.clear()
        self.cut_short = False
        for base in self.bases:
            yield from self._search(base, size)

    def _search(self, faults: Faults, left: int) -> Iterator[Faults]:
        if faults in self._seen or any(is_harder(faults, one) for one in self.spared):
            return
        self._seen.add(faults)
        proof = next((proof for one in self.formulas if (proof := one.proof(faults)) is not None), None)
        if proof is None:
            yield faults
            return
        cuts = [cut for leaf in sorted(proof, key=_late_first) for cut in self.bounds.cuts(leaf, faults)]
        if left == 0:
            self.cut_short = self.cut_short or bool(cuts)
            return
        for cut in dict.fromkeys(cuts):
            yield from self._search(faults | {cut}, left - 1)


def is_harder(faults: Faults, other: Faults) -> bool:
    """Whether the faults have all of the other ones, crashes as early or earlier."""
    crashes = {one.node: one.time for one in faults if isinstance(one, Crash)}
    return all(
        crashes.get(one.node, math.inf) <= one.time if isinstance(one, Crash) else one in faults for one in other
    )


def _late_first(leaf: Leaf) -> tuple[float, str]:
    """What is nearest to the outcome first: what is lost there, nobody has the time to make up for."""
    return -leaf.time, str(leaf)
