"""Runs on which something that must come does not: ends and fair cycles without it.

A fair run is one that leaves out no step for ever that could always be taken (weak fairness, or justice: Manna and Pnueli). In a
finite graph such a run ends up in one strongly connected part of the states that the goal does not hold in; and it can stay there
if each fair step that is possible in all of the part also leads from one of its states to another.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence

from bloompy.analysis.strata import strongly_connected
from bloompy.sim.exploring.properties import Property, beginning
from bloompy.sim.exploring.space import Space, State, Taken
from bloompy.sim.exploring.stimuli import Input
from bloompy.sim.exploring.view import View

Found = tuple[list[int], int]
"""States from the beginning on, and how many steps come before those that repeat."""


def unfulfilled(goal: Property, space: Space, states: Sequence[State], index: Mapping[State, int], parents: array[int]) -> Found | None:
    """A fair run on which a goal does not come, after its cause has; None where there is none.

    Args:
        goal: of the kind "leads_to".
        states, index, parents: all that can be reached.
    """
    assert goal.cause is not None
    open_: set[int] = set()
    causes: list[int] = []
    for number, state in enumerate(states):
        view = View(space, state, goal.reads)
        if not goal.holds(view):
            open_.add(number)
            if goal.cause(view) and (goal.cause is not beginning or parents[number] < 0):
                causes.append(number)
    graph = _Graph(space, states, index, open_)
    came = graph.reach(causes)
    for part in graph.parts(came):
        if graph.fair(part):
            return _run(graph, part, came, parents)
    return None


class _Graph:
    """The steps among the states in which the goal does not hold."""

    def __init__(self, space: Space, states: Sequence[State], index: Mapping[State, int], inside: set[int]) -> None:
        self.space, self.states, self.index, self.inside = space, states, index, inside
        self._steps: dict[int, list[tuple[Taken, int]]] = {}

    def steps(self, number: int) -> list[tuple[Taken, int]]:
        """Every step from a state."""
        known = self._steps.get(number)
        if known is None:
            found = self.space.successors(self.states[number], whole=True)
            known = self._steps[number] = [(action, self.index[state]) for action, state in found if state is not None]
        return known

    def after(self, number: int) -> list[int]:
        """Where the steps lead among the states."""
        return [to for _, to in self.steps(number) if to in self.inside]

    def reach(self, starts: Sequence[int]) -> dict[int, int]:
        """All that can be reached from some states, each with the state before it, or -1."""
        came = dict.fromkeys(starts, -1)
        queue = list(came)
        for number in queue:
            for to in self.after(number):
                if to not in came:
                    came[to] = number
                    queue.append(to)
        return came

    def parts(self, among: Mapping[int, int]) -> list[list[int]]:
        """The strongly connected parts, those nearest the beginning first."""
        return sorted(map(sorted, strongly_connected({number: list(self.after(number)) for number in among})))

    def fair(self, part: Sequence[int]) -> bool:
        """Whether a fair run can stay in a part for ever."""
        members = set(part)
        always: set[tuple[int, ...]] | None = None
        taken: set[tuple[int, ...]] = set()
        for number in part:
            possible = set()
            for action, to in self.steps(number):
                name = self._fairly(action)
                if name is not None:
                    possible.add(name)
                    if to in members:
                        taken.add(name)
            always = possible if always is None else always & possible
        return not (always or set()) - taken

    def _fairly(self, action: Taken) -> tuple[int, ...] | None:
        """The name of a step that is not left out for ever where it always could be taken; None for others."""
        if action.kind == "start":
            return (action.node,) if self.space.model.members[action.node].restarts else None
        if action.kind != "tick" or len(action.stimuli) > 1:
            return None
        inputs = self.space.processes[action.node].inputs
        if action.stimuli and action.stimuli[0] < 0 and isinstance(inputs[-1 - action.stimuli[0]], Input):
            return None
        return action.node, -len(action.stimuli), *action.stimuli


def _run(graph: _Graph, part: Sequence[int], came: Mapping[int, int], parents: array[int]) -> Found:
    """From the beginning to the cause, on to a part, and once through it."""
    number = part[0]
    inside = [number]
    while came[inside[-1]] >= 0:
        inside.append(came[inside[-1]])
    path = inside[::-1]
    before = []
    at = parents[path[0]]
    while at >= 0:
        before.append(at)
        at = parents[at]
    path = before[::-1] + path
    loop = len(path) - 1
    return path + _round(graph, part), loop


def _round(graph: _Graph, part: Sequence[int]) -> list[int]:
    """A way through all states of a part and back to its first; empty for a single state."""
    members, at, found = set(part), part[0], list[int]()
    for target in [*part[1:], part[0]]:
        if target == at or (target in found and target != part[0]):
            continue
        came = {at: -1}
        queue = [at]
        for number in queue:
            for to in graph.after(number):
                if to in members and to not in came:
                    came[to] = number
                    queue.append(to)
        leg = [target]
        while came[leg[-1]] >= 0:
            leg.append(came[leg[-1]])
        found += leg[-2::-1]
        at = target
    return found
