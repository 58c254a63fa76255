# ruff: noqa: B015
# fmt: off
"""Dining philosophers (Dijkstra, 1971): forks lent by nodes of their own; whoever takes the left fork first may starve with all others."""

from __future__ import annotations

import pytest

from bloompy import Bloom, channel, interface, param, rule, table
from bloompy.errors import CounterexampleFound
from bloompy.sim.exploring import Model, View


class Fork(Bloom):
    """Lent to one at a time; who asks meanwhile waits."""

    holder = table("-> philosopher")
    waiting = table("philosopher")
    take = channel("@fork, philosopher")
    give = channel("@fork, philosopher")
    granted = channel("@philosopher, fork")

    @rule
    def lend(self):
        self.waiting <+ (t.philosopher for t in self.take)
        self.holder <+ (w.philosopher for w in self.waiting if not any(True for _ in self.holder)
                        and not any(other.philosopher < w.philosopher for other in self.waiting))
        self.waiting <- (h.philosopher for h in self.holder)
        self.granted <~ ((h.philosopher, self.me) for h in self.holder)
        self.holder <- (g.philosopher for g in self.give for h in self.holder if h.philosopher == g.philosopher)


class Philosopher(Bloom):
    """Takes one fork, then the other, eats, and gives both back."""

    first = param("")
    second = param("")
    hungry = interface.input("now: bool")
    asked = table("fork")
    held = table("fork")
    eaten = table("-> times: int")
    granted = channel("@philosopher, fork")
    take = channel("@fork, philosopher")
    give = channel("@fork, philosopher")

    @rule
    def dine(self):
        self.asked <+ (self.first for _ in self.hungry)
        self.held <+ (g.fork for g in self.granted)
        self.asked <+ (self.second for h in self.held if h.fork == self.first)
        self.take <~ ((a.fork, self.me) for a in self.asked)
        self.eaten <+ (1 for one in self.held for other in self.held if one.fork == self.first and other.fork == self.second)
        self.give <~ ((a.fork, self.me) for a in self.asked for _ in self.eaten)


def table_of(size: int, left_handed: int = 0) -> Model:
    """So many philosophers, of which some take the other fork first."""
    model = Model(network="bag", atomic=True)
    for i in range(size):
        forks = [f"f{i}", f"f{(i + 1) % size}"]
        first, second = forks[::-1] if i < left_handed else forks
        model.add(Philosopher, f"p{i}", first=first, second=second)
        model.add(Fork, f"f{i}")
        model.input(f"p{i}", "hungry", (True,))
    model.always("a fork is in one hand", one_hand)
    model.at_end("all have eaten", lambda view: len(view.all("eaten")) == size)
    return model


def one_hand(view: View) -> bool:
    held = [row.fork for address, row in view.all("held") if not view[address].eaten]
    return len(held) == len(set(held))


@pytest.mark.parametrize(("size", "steps"), [(2, 8), (3, 12)])
def test_who_all_take_the_same_hand_first_get_stuck(size: int, steps: int) -> None:
    found = table_of(size).explore()
    with pytest.raises(CounterexampleFound, match="all have eaten: it does not hold, and nothing more can happen"):
        found.raise_if_failed()
    assert found.counterexample is not None
    assert len(found.counterexample) == steps


@pytest.mark.parametrize(("size", "states"), [(2, 61), (3, 520)])
def test_one_who_takes_the_other_first_saves_them(size: int, states: int) -> None:
    found = table_of(size, left_handed=1).explore()
    found.raise_if_failed()
    assert found.states == states
