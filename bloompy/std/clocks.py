# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""Logical clocks: numbers for events that agree with what could have caused what.

Lamport clocks are from "Time, Clocks, and the Ordering of Events in a Distributed System" (Lamport, CACM 21(7), 1978); vector
clocks from "Timestamps in Message-Passing Systems That Preserve the Partial Ordering" (Fidge, 1988) and "Virtual Time and Global
States of Distributed Systems" (Mattern, 1989). A vector clock is a `lattice.Map` from nodes to numbers, and what a node has seen is
the merge of all of them: an `lmap` of `lmax`.
"""

from collections.abc import Mapping
from typing import Any

from bloompy import Bloom, agg, interface, lattice, rule, scratch
from bloompy.lattices import Map


class LamportClock(Bloom):
    """Gives every event of this node a number greater than those of all events that happened before it.

    Inputs:
        event: something happens here: a message is sent, for example. Events of one tick are numbered in order.
        witnessed: a time that a message brought; events of the same tick come after it.

    Outputs:
        stamped: the time of each event. (time, address) is a total order of all events of all nodes.
    """

    event = interface.input("event")
    witnessed = interface.input("time: int")
    stamped = interface.output("event -> time")

    clock = lattice.lmax(durable=True)
    turn = scratch("event -> place")
    number = scratch("event -> time")

    @rule
    def stamp(self) -> None:
        # clock(max<T>) :- witnessed(T).
        self.clock <= (w.time for w in self.witnessed)
        # number(E, clock + 1 + rank<E>) :- event(E).                     (the clock is 0 at first)
        self.turn <= ((e.event, agg.rank(e.event)) for e in self.event)
        self.number <= ((t.event, max(self.clock.value, 0) + 1 + t.place) for t in self.turn)
        # clock(T) @next :- number(_, T).
        self.clock <+ (n.time for n in self.number)
        # stamped(E, T) :- number(E, T).
        self.stamped <= self.number


class VectorClock(Bloom):
    """Gives every event of this node a clock from which one can tell whether another event happened before it.

    Inputs:
        event: something happens here. Events of one tick are numbered in order, each after those before it.
        witnessed: a clock that a message brought; events of the same tick come after it.

    Outputs:
        stamped: the clock of each event; `happened_before` and `concurrent` compare two.
    """

    event = interface.input("event")
    witnessed = interface.input("clock")
    stamped = interface.output("event -> clock")

    clock = lattice.lmap(lattice.lmax, durable=True)
    turn = scratch("event -> place")
    number = scratch("event -> number")

    @rule
    def stamp(self) -> None:
        # clock(C) :- witnessed(C).
        self.clock <= (w.clock for w in self.witnessed)
        # number(E, clock(me) + 1 + rank<E>) :- event(E).                 (a clock is 0 where it has no number)
        self.turn <= ((e.event, agg.rank(e.event)) for e in self.event)
        self.number <= ((t.event, max(self.clock.value.at(self.me), 0) + 1 + t.place) for t in self.turn)
        # stamped(E, clock + (me: N)) :- number(E, N).
        self.stamped <= ((n.event, merged(self.clock.value, {self.me: n.number})) for n in self.number)
        # clock(me: N) @next :- number(_, N).
        self.clock <+ (Map({self.me: n.number}) for n in self.number)


_CLOCKS = lattice.lmap(lattice.lmax).lattice


def merged(one: Mapping[Any, int], other: Mapping[Any, int]) -> Map:
    """The least clock that is at least both."""
    found: Map = _CLOCKS.merge(_CLOCKS.lift(one), _CLOCKS.lift(other))
    return found


def covers(clock: Mapping[Any, int], other: Mapping[Any, int]) -> bool:
    """Whether whoever has the first clock has seen all that the second one has."""
    return all(clock.get(node, 0) >= number for node, number in other.items())


def happened_before(one: Mapping[Any, int], other: Mapping[Any, int]) -> bool:
    """Whether the event of the first clock happened before that of the second, and so may have caused it."""
    return covers(other, one) and not covers(one, other)


def concurrent(one: Mapping[Any, int], other: Mapping[Any, int]) -> bool:
    """Whether neither of two different events happened before the other."""
    return not covers(one, other) and not covers(other, one)
