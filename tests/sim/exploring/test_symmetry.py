"""Interchangeable nodes: as many states are explored as there are up to renaming, counted by hand from all of them."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from bloompy.errors import UsageError
from bloompy.sim.exploring import Model
from tests.sim.exploring.models.paxos import ACCEPTORS, paxos
from tests.sim.exploring.models.test_counter import counters
from tests.sim.exploring.models.two_phase import Hasty, two_phase
from tests.sim.exploring.test_models import Durable, Heard, Last, Named, Sender, Two


def orbits(model: Model, names: tuple[str, ...]) -> int:
    """The number of states up to renaming, of all that there are."""
    found = set()
    for view in model.explore().views():
        nodes, messages = view.content()
        renamed = []
        for order in permutations(names):
            other = dict(zip(names, order, strict=True))
            renamed.append((frozenset(rename(nodes, other)), rename(messages, other)))
        found.add(min(map(told, renamed)))
    return len(found)


def rename(value: Any, other: dict[str, str]) -> Any:
    if isinstance(value, str):
        return other.get(value, value)
    if isinstance(value, tuple | frozenset):
        kind = tuple if isinstance(value, tuple) else frozenset
        return kind(rename(one, other) for one in value)
    return value


def told(value: Any) -> str:
    if isinstance(value, frozenset):
        return f"{{{sorted(map(told, value))}}}"
    return f"({', '.join(map(told, value))})" if isinstance(value, tuple) else repr(value)


@pytest.mark.parametrize(("resources", "states"), [(2, 34), (3, 80)])
def test_resource_managers_are_interchangeable(resources: int, states: int) -> None:
    names = tuple(f"rm{i}" for i in range(1, resources + 1))
    model = two_phase(resources)
    model.interchangeable(*names)
    found = model.explore()
    found.raise_if_failed()
    assert (found.states, orbits(two_phase(resources), names)) == (states, states)
    assert "up to renaming" in str(found)


def test_acceptors_are_interchangeable() -> None:
    model = paxos(1)
    model.interchangeable(*ACCEPTORS)
    found = model.explore()
    found.raise_if_failed()
    assert (found.states, orbits(paxos(1), ACCEPTORS)) == (43, 43)


def test_a_counterexample_is_as_short_and_real() -> None:
    model = two_phase(3, Hasty)
    model.interchangeable("rm1", "rm2", "rm3")
    found = model.explore()
    assert found.counterexample is not None
    assert len(found.counterexample) == 5
    assert "consistent: it does not hold" in str(found.counterexample.trace())


@pytest.mark.parametrize("network", ["bag", "fifo"])
def test_receivers_of_other_networks_are_interchangeable(network: Any) -> None:
    def model() -> Model:
        made = Model(network, atomic=True)
        made.add(Two, "a")
        made.add(Last, "b")
        made.add(Sender, "c")
        made.add(Sender, "d")
        made.input("a", "go", (True,))
        for name in "cd":
            made.input(name, "go", ("x",))
        return made

    whole, reduced = model(), model()
    reduced.interchangeable("c", "d")
    found = reduced.explore()
    assert found.states < whole.explore().states
    if network == "bag":
        assert found.states == orbits_with_inputs(whole)


def orbits_with_inputs(model: Model) -> int:
    """As `orbits`, where c and d hold nothing but what may still happen."""
    found = set()
    for state in model.explore()._all:
        a, b, c, d, net, rest = state
        found.add((a, b, *sorted((c, d)), net, rest))
    return len(found)


def test_nodes_that_are_not_interchangeable_are_refused() -> None:
    model = counters(2)
    model.interchangeable("c0", "c1")
    with pytest.raises(UsageError, match="c0 and c1 are not interchangeable"):
        model.explore()
    with pytest.raises(UsageError, match="interchangeable"):
        model.interchangeable("c0", "c1")
    other = Model()
    other.add(Durable, "a")
    other.add(Heard, "b")
    other.interchangeable("a", "b")
    with pytest.raises(UsageError, match="a and b are not interchangeable"):
        other.explore()
    begun = Model()
    for name in "ab":
        begun.add(Named, name, name="x" if name == "a" else "y")
    begun.interchangeable("a", "b")
    with pytest.raises(UsageError, match="begin differently"):
        begun.explore()
    crashing = two_phase(2)
    crashing.interchangeable("rm1", "rm2")
    crashing.crash("rm1")
    with pytest.raises(UsageError, match="rm1 and rm2 are not interchangeable"):
        crashing.explore()
    crashing.crash("rm2")
    with pytest.raises(UsageError, match="some may crash and others not"):
        crashing.explore()
    lasting = two_phase(2)
    lasting.interchangeable("rm1", "rm2")
    lasting.eventually("done", lambda view: True)
    with pytest.raises(UsageError, match="no `eventually`"):
        lasting.explore()
