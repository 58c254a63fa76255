"""Single-decree Paxos, compared with the same model by hand, with Lamport's specification, and with two wrong ones."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, permutations
from typing import Any

import pytest

from bloompy.errors import CounterexampleFound
from bloompy.sim.exploring import View
from tests.sim.exploring.models.paxos import ACCEPTORS, VALUES, Forgetful, paxos

Votes = tuple[tuple[int, int, Any], ...]
"""Of each acceptor the highest ballot, and ballot and value of its vote."""


class ByHand:
    """The model of `paxos`: a state is (acceptors, what proposers know, messages)."""

    def __init__(self, ballots: int) -> None:
        self.ballots = range(ballots)

    def count(self) -> int:
        """Number of states."""
        first = (((-1, -1, None),) * 3, tuple((False, frozenset(), None) for _ in self.ballots), frozenset())
        seen, todo = {first}, [first]
        while todo:
            for state in self.after(todo.pop()):
                if state not in seen:
                    seen.add(state)
                    todo.append(state)
        return len(seen)

    def after(self, state: Any) -> Iterator[Any]:
        acceptors, proposers, messages = state
        for b in self.ballots:
            begun, promises, proposed = proposers[b]
            known = lambda *new, b=b: (*proposers[:b], new, *proposers[b + 1 :])
            yield acceptors, known(True, promises, proposed), messages | {("1a", b)}
            for kind, *rest in messages:
                if kind == "1b" and rest[1] == b:
                    yield acceptors, known(begun, promises | {(rest[0], *rest[2:])}, proposed), messages
            if len(promises) >= 2 and proposed is None:
                for value in free(promises):
                    yield acceptors, known(begun, promises, value), messages | {("2a", b, value)}
        for votes, more in heeded(acceptors, messages):
            yield votes, proposers, messages | more


def free(promises: frozenset[Any]) -> set[str]:
    """The values that may be proposed."""
    newest = max((voted for _, voted, _ in promises), default=-1)
    return set(VALUES) if newest < 0 else {value for _, voted, value in promises if voted == newest}


def heeded(acceptors: Votes, messages: frozenset[Any]) -> Iterator[tuple[Votes, set[Any]]]:
    """What acceptors make of messages."""
    for i, name in enumerate(ACCEPTORS):
        highest, voted, value = acceptors[i]
        for kind, *rest in messages:
            if kind == "1a" and rest[0] > highest:
                yield (*acceptors[:i], (rest[0], voted, value), *acceptors[i + 1 :]), {("1b", name, rest[0], voted, value)}
            if kind == "2a" and rest[0] >= highest:
                yield (*acceptors[:i], (rest[0], *rest), *acceptors[i + 1 :]), {("2b", name, *rest)}


def specified(ballots: int) -> int:
    """The number of states of Lamport's specification, in which proposers read the messages themselves."""
    first = (((-1, -1, None),) * 3, frozenset())
    seen, todo = {first}, [first]
    while todo:
        acceptors, messages = todo.pop()
        found = [(votes, messages | more) for votes, more in heeded(acceptors, messages)]
        for b in range(ballots):
            found.append((acceptors, messages | {("1a", b)}))
            for two in combinations(ACCEPTORS, 2) if not any(kind == "2a" and rest[0] == b for kind, *rest in messages) else ():
                promises = frozenset((rest[0], *rest[2:]) for kind, *rest in messages if kind == "1b" and rest[1] == b and rest[0] in two)
                if len(promises) == 2:
                    found += [(acceptors, messages | {("2a", b, value)}) for value in free(promises)]
        for state in found:
            if state not in seen:
                seen.add(state)
                todo.append(state)
    return len(seen)


def of_specification(view: View) -> tuple[Votes, frozenset[Any]]:
    """What the specification sees of a state."""
    votes = tuple((view[name].highest[()].ballot, *view[name].vote[()]) for name in ACCEPTORS)
    messages = {("1a", row.ballot) for row in view.sent("prepare")} | {("1b", *row[1:]) for row in view.sent("promise")}
    messages |= {("2a", *row[1:]) for row in view.sent("propose")} | {("2b", *row[1:]) for row in view.sent("accepted")}
    return votes, frozenset(messages)


def renamed(state: tuple[Votes, frozenset[Any]]) -> str:
    """The same for states that differ in which acceptor is which only."""
    votes, messages = state
    found = []
    for order in permutations(range(3)):
        names = {name: ACCEPTORS[i] for name, i in zip(ACCEPTORS, order, strict=True)}
        moved = [votes[order.index(i)] for i in range(3)]
        found.append(f"{moved} {sorted(repr([names.get(part, part) for part in one]) for one in messages)}")
    return min(found)


@pytest.mark.parametrize(("ballots", "states", "seen"), [(1, 140, 73), (2, 15_120, 3_921)])
def test_the_states_are_those_found_by_hand_and_those_of_the_specification(ballots: int, states: int, seen: int) -> None:
    found = paxos(ballots).explore()
    found.raise_if_failed()
    assert (found.states, ByHand(ballots).count()) == (states, states)
    assert (len(set(map(of_specification, found.views()))), specified(ballots)) == (seen, seen)


def test_with_acceptors_that_are_interchangeable_the_states_are_those_published() -> None:
    """TLC finds 25 for `MCPaxos` of the TLA+ examples."""
    found = paxos(1).explore()
    assert len({renamed(of_specification(view)) for view in found.views()}) == 25


def test_a_quorum_that_is_too_small_is_caught_by_a_shortest_way() -> None:
    caught(12, quorum=1)


@pytest.mark.slow  # 109,438 states
def test_a_promise_that_is_forgotten_is_caught_by_a_shortest_way() -> None:
    caught(16, acceptor=Forgetful)


def caught(steps: int, **options: Any) -> None:
    found = paxos(2, **options).explore()
    with pytest.raises(CounterexampleFound, match="agreement: it does not hold"):
        found.raise_if_failed()
    assert found.counterexample is not None
    assert len(found.counterexample) == steps
