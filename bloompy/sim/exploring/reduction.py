"""Partial-order reduction: where a message, or an input, commutes with all else that can happen to its node, let it arrive now only.

The single step is a persistent set (Godefroid, 1996): whatever other nodes do meanwhile does not touch this one, and whatever
happens to this one commutes with it (`commuting`). So every end is still reached. Since the step is also taken only where no
property can see it, and where it leads to a state that is new (so that nothing is put off for ever: the condition on cycles for
breadth-first search, Bošnački and Holzmann 2005), every verdict on `always` and `sometimes` stays what it is.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

from bloompy.analysis.dependencies import references
from bloompy.ir.nodes import Program
from bloompy.sim.exploring.commuting import commuting
from bloompy.sim.exploring.model import Model
from bloompy.sim.exploring.process import Local, Process
from bloompy.sim.exploring.space import DUPLICATION, LOSS, Space, State, Step
from bloompy.sim.exploring.stimuli import Input, Stimuli


class Reduction:
    """See the module.

    Args:
        space: what is explored.
        kept: nodes where nothing is left out.
    """

    def __init__(self, space: Space, kept: frozenset[int] = frozenset()) -> None:
        self.space = space
        self._free = {
            process.number: found
            for process in space.processes
            if process.number not in kept and (found := free(process, space.model))
        }
        self._used: set[int] = set()

    def step(self, state: State, is_new: Callable[[State], bool]) -> list[Step]:
        """The one step that is enough from a state; none where every step is to be taken."""
        space, net, rest = self.space, state[-2], state[-1]
        if rest[LOSS] or rest[DUPLICATION]:
            return []
        for node, channels in self._free.items():
            process = space.processes[node]
            local = process.locals[state[node]]
            if not local.up or local.busy or space.may_crash(node, rest):
                continue
            for token, stimuli in chain(self._inputs(process, local, channels), space.network.arrivals(net, node)):
                if token is not None and space.messages[stimuli[0]].channel not in channels:
                    continue
                outcomes = process.outcomes(local, stimuli)
                if len(outcomes) == 1 and outcomes[0].error is None:
                    outcome = outcomes[0]
                    taken = space.network.put(net if token is None else space.network.take(net, token), outcome.sent)
                    after = (*state[:node], outcome.local, *state[node + 1 : -2], taken, rest)
                    if is_new(after):
                        space.steps += 1
                        self._used.add(node)
                        return [(outcome, after)]
        return []

    @staticmethod
    def _inputs(process: Process, local: Local, channels: frozenset[str]) -> list[tuple[None, Stimuli]]:
        """The inputs that may as well come now."""
        found: list[tuple[None, Stimuli]] = []
        for stimuli in process.own(local):
            one = process.inputs[-1 - stimuli[0]]
            if isinstance(one, Input) and one.when is None and one.collection in channels:
                found.append((None, stimuli))
        return found

    def doubtful(self) -> frozenset[int]:
        """Nodes where a message was preferred and that turned out to send to themselves, which shares a tick with what comes next."""
        if self.space.model.atomic:
            return frozenset()
        return frozenset(node for node in self._used if any(local.inbox for local in self.space.processes[node].locals))


def free(process: Process, model: Model) -> frozenset[str]:
    """The channels and inputs of a node whose rows may as well come at any time, and change nothing that a property sees."""
    program = process.program
    seen = visible(model, program)
    if seen is None or model.batch > 1 or process.irregular:
        return frozenset()
    found = commuting(program, process.staged, model.atomic)
    return frozenset(name for name, affected in found.items() if not seen & (affected | {name}))


def visible(model: Model, program: Program) -> frozenset[str] | None:
    """The collections that properties look at; None where that may be any."""
    found: set[str] = set()
    for one in model.properties:
        if one.kind in ("always", "sometimes"):
            if one.reads is None:
                return None
            found |= one.reads
    for cluster in model.clusters():
        found |= {collection.name for collection in cluster.collections}
    invariants = [rule for rule in program.rules if rule.kind == "invariant"]
    found |= {one.collection for rule in invariants for one in references(rule, program.schemas)}
    return frozenset(found)
