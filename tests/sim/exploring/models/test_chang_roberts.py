# ruff: noqa: B015
# fmt: off
"""Election of a leader on a ring (Chang and Roberts, CACM 1979), as in the TLA+ examples: TLC finds 137 states for 3 nodes."""

from __future__ import annotations

from itertools import product

import pytest

from bloompy import Bloom, bootstrap, channel, param, rule, table
from bloompy.errors import CounterexampleFound
from bloompy.sim.exploring import Model, View


class Ring(Bloom):
    """Passes on every number smaller than its own; whose comes back has won."""

    number = param(0)
    next = param("")
    runs = param(True)
    state = table("-> what: str")
    begun = table("number: int")
    election = channel("@node, number: int")

    @bootstrap
    def begin(self):
        self.state <= ("candidate" if runs else "lost" for runs in (self.runs,))
        self.begun <= (self.number for runs in (self.runs,) if runs)

    @rule
    def elect(self):
        self.election <~ ((self.next, b.number) for b in self.begun)
        self.election <~ ((self.next, e.number) for e in self.election for s in self.state
                          if s.what == "lost" or e.number < self.number)
        self.state <+- ("lost" for e in self.election for s in self.state if s.what != "lost" and e.number < self.number)
        self.state <+- ("won" for e in self.election for s in self.state if s.what != "lost" and e.number == self.number)


class Greedy(Ring):
    """Thinks that it has won when a greater number comes."""

    @rule
    def elect(self):
        self.election <~ ((self.next, b.number) for b in self.begun)
        self.election <~ ((self.next, e.number) for e in self.election for s in self.state
                          if s.what == "lost" or e.number < self.number)
        self.state <+- ("lost" for e in self.election for s in self.state if s.what != "lost" and e.number < self.number)
        self.state <+- ("won" for e in self.election for s in self.state if s.what != "lost" and e.number >= self.number)


def ring(runs: tuple[bool, ...], program: type[Ring] = Ring) -> Model:
    size = len(runs)
    model = Model(network="bag", atomic=True)
    for i, each in enumerate(runs, 1):
        model.add(program, f"n{i}", number=i, next=f"n{i % size + 1}", runs=each)
    model.starts_late(*(f"n{i}" for i in range(1, size + 1)))

    def right(view: View) -> bool:
        won = [address for address, row in view.all("state") if row.what == "won"]
        least = f"n{runs.index(True) + 1}" if any(runs) else ""
        others = {row.what for address, row in view.all("state") if address != least}
        return not won or (won == [least] and others <= {"lost"})

    model.always("the least has won and all others know", right)
    model.at_end("there is a leader", lambda view: not any(runs) or not all(view[node].up for node in view) or any(
        row.what == "won" for _, row in view.all("state")))
    return model


@pytest.mark.parametrize(("size", "states"), [(2, 25), (3, 137), (4, 823)])
def test_all_ways_to_begin_together_have_as_many_states_as_tlc_finds(size: int, states: int) -> None:
    found = [ring(runs).explore() for runs in product([False, True], repeat=size)]
    for each in found:
        each.raise_if_failed()
    assert sum(each.states for each in found) == states


def test_a_node_that_believes_too_soon_is_caught() -> None:
    found = ring((True, True, True), Greedy).explore()
    with pytest.raises(CounterexampleFound, match="the least has won"):
        found.raise_if_failed()
    assert found.counterexample is not None
    assert [step.text.split(";")[0] for step in found.counterexample.steps] == [
        "n1 starts", "n3 starts", "n1 gets election ('n1', 3)",
    ]
