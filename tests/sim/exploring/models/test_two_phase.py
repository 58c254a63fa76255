"""Two-phase commit: the counts that are published for TLA+ and stateright, and a manager that is too hasty."""

from __future__ import annotations

import pytest

from bloompy.errors import CounterexampleFound
from tests.sim.exploring.models.two_phase import Hasty, two_phase

State = tuple[tuple[str, ...], str, frozenset[str], frozenset[str]]


def by_hand(resources: int) -> int:
    """The number of states of the TLA+ specification, read off line by line."""
    names = [f"rm{i}" for i in range(resources)]
    first: State = (("working",) * resources, "init", frozenset(), frozenset())
    seen, todo = {first}, [first]
    while todo:
        rms, manager, ready, messages = todo.pop()
        found: list[State] = []
        if manager == "init":
            if len(ready) == resources:
                found.append((rms, "committed", ready, messages | {"commit"}))
            found.append((rms, "aborted", ready, messages | {"abort"}))
        for i, name in enumerate(names):
            if manager == "init" and name in messages:
                found.append((rms, manager, ready | {name}, messages))
            changes = {"prepared": messages | {name}, "aborted": messages} if rms[i] == "working" else {}
            changes |= {f"{what}ed" if what == "abort" else "committed": messages for what in ("commit", "abort") if what in messages}
            found += [((*rms[:i], what, *rms[i + 1 :]), manager, ready, after) for what, after in changes.items()]
        for state in found:
            if state not in seen:
                seen.add(state)
                todo.append(state)
    return len(seen)


@pytest.mark.parametrize(("resources", "states"), [(1, 12), (2, 56), (3, 288), (4, 1_568), (5, 8_832)])
def test_the_states_are_those_that_were_published(resources: int, states: int) -> None:
    found = two_phase(resources).explore()
    found.raise_if_failed()
    assert (found.states, found.complete) == (states, True)
    assert by_hand(resources) == states


@pytest.mark.slow  # a minute
def test_the_states_of_seven_are_those_found_by_hand() -> None:
    found = two_phase(7).explore()
    found.raise_if_failed()
    assert (found.states, by_hand(7)) == (296_448, 296_448)


def test_the_reference_evaluator_finds_the_same() -> None:
    found = two_phase(3, evaluator="naive").explore()
    assert (found.states, found.transitions, found.depth, found.ends) == (288, 3_528, 10, 28)
    again = two_phase(3).explore()
    assert (again.states, again.transitions, again.depth, again.ends) == (288, 3_528, 10, 28)


def test_a_manager_that_commits_too_early_is_caught_by_the_shortest_way() -> None:
    found = two_phase(3, Hasty).explore()
    with pytest.raises(CounterexampleFound, match=r"(?s)consistent: it does not hold.*1\. .*5\. "):
        found.raise_if_failed()
    assert found.counterexample is not None
    assert len(found.counterexample) == 5
    texts = [step.text for step in found.counterexample.steps]
    assert sum("commit (True,)" in text for text in texts) == 1
