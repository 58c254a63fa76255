"""The properties of a model, and the invariants of its classes over the whole cluster, asked of states."""

from __future__ import annotations

from bloompy.program import Bloom
from bloompy.sim.exploring.model import Model
from bloompy.sim.exploring.process import Process
from bloompy.sim.exploring.properties import Property
from bloompy.sim.exploring.space import Space, State
from bloompy.sim.exploring.view import View
from bloompy.sim.exploring.watch import Watch


class Checks:
    """See the module.

    Attributes:
        lasting: the properties that only the graph of all states can tell.
    """

    def __init__(self, model: Model, space: Space) -> None:
        kinds: dict[str, list[Property]] = {"always": [], "sometimes": [], "at_end": [], "leads_to": []}
        for one in model.properties:
            kinds[one.kind].append(one)
        self._always, self._sometimes, self._at_end, self.lasting = kinds.values()
        running: dict[type[Bloom], list[Process]] = {}
        for member, process in zip(model.members, space.processes, strict=True):
            running.setdefault(type(member.make()), []).append(process)
        self._watches = [Watch(model.members[of[0].number].make(), of) for kind, of in running.items() if kind.cluster_ir.rules]

    def wrong(self, view: View, space: Space, state: State) -> str | None:
        """What is wrong with a state that was just found, if anything; on the way, note what holds sometimes."""
        for one in self._always:
            if not _holds(one, view, space, state):
                return f"{one.name}: it does not hold"
        for watch in self._watches:
            if (wrong := watch.wrong(state)) is not None:
                return wrong
        if self._sometimes:
            self._sometimes = [one for one in self._sometimes if not _holds(one, view, space, state)]
        return None

    def wrong_end(self, space: Space, state: State) -> str | None:
        """What is wrong with a state that nothing leads away from."""
        for one in self._at_end:
            if not _holds(one, View(space, state), space, state):
                return f"{one.name}: it does not hold, and nothing more can happen"
        return None

    def missed(self) -> tuple[str, ...]:
        """What should hold sometimes and held in no state so far."""
        return tuple(one.name for one in self._sometimes)


def _holds(one: Property, view: View, space: Space, state: State) -> bool:
    return bool(one.holds(view if one.reads is None else View(space, state, one.reads)))
