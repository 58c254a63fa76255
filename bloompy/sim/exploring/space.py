"""The states of a model, and what leads from one to the next.

A state is a tuple of small numbers: the local state of each node, what is on its way, and what may still go wrong. So it costs
little to keep and to compare, and a step costs a lookup once the tick behind it is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations
from typing import Any, TypeAlias

from attrs import frozen

from bloompy.errors import UsageError
from bloompy.sim.exploring.model import Model
from bloompy.sim.exploring.networks import Net, network_of
from bloompy.sim.exploring.process import Local, Outcome, Process, Setting
from bloompy.sim.exploring.stimuli import Message, Messages, Stimuli
from bloompy.sim.exploring.view import NodeView

State: TypeAlias = tuple[Any, ...]
"""Numbers of local states, then the net, then how many losses, duplications and crashes may still come."""


@frozen
class Action:
    """A step other than a tick, which is an `Outcome`.

    Attributes:
        kind: "duplicate": a tick whose message stays; "drop": a message is lost; "lost": it arrives at a node that is down;
            "start"; "crash": after the tick with these stimuli, before it sends, or between ticks where the outcome is None.
        node: its number.
        outcome: of that tick.
    """

    kind: str
    node: int
    stimuli: Stimuli = ()
    outcome: Outcome | None = None


Taken: TypeAlias = Action | Outcome
"""What a step is."""

Step: TypeAlias = tuple[Taken, "State | None"]
"""A step and where it leads; None where its tick raises."""

FAULTS = frozenset({"drop", "duplicate", "crash"})
"""Kinds of steps that need not come: a run may end where only they are possible."""

LOSS, DUPLICATION, CRASHES = 0, 1, 2
"""Places in what may still go wrong."""


class Space:
    """See the module.

    Attributes:
        steps: how many steps were looked at.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.messages = Messages()
        self.network = network_of(model.network, self.messages, len(model.members) + len(model.addresses_outside))
        self.addresses: Mapping[str, int] = {member.address: number for number, member in enumerate(model.members)}
        outside = {address: len(self.addresses) + i if seen else -1 for i, (address, seen) in enumerate(model.addresses_outside.items())}
        setting = Setting(
            {**outside, **self.addresses}, model.atomic, model.draws, model.observe, self.messages, self.network
        )
        self.processes = [
            Process(number, member.address, member.make, member.inputs, setting) for number, member in enumerate(model.members)
        ]
        self.count = len(self.processes)
        self._check_names("observe", model.observe)
        for one in model.properties:
            self._check_names(f"{one.name!r} reads", one.reads or ())
        self.steps = 0
        self._late = [member.late for member in model.members]
        self._restarts = [member.restarts for member in model.members]
        self._crashes = [
            [CRASHES + k for k, crashes in enumerate(model.crashes) if node in crashes.nodes] for node in range(self.count)
        ]
        self._rest = (model.loss, model.duplication, *(crashes.times for crashes in model.crashes))
        self._tries = any(self._rest) or model.batch > 1
        self._having: dict[str, list[tuple[str, int]]] = {}

    def _check_names(self, where: str, names: Iterable[str]) -> None:
        known = {name for process in self.processes for name in process.program.by_name}
        for name in names:
            if name not in known:
                raise UsageError(f"{where} {name!r}, and no node has such a collection", hint=f"there are {', '.join(sorted(known))}")

    # -- where it begins

    def initial(self) -> list[Step]:
        """The first states: every node but the late ones has had its first tick. Several where rules draw."""
        states: list[State] = [(*(process.unstarted() for process in self.processes), self.network.empty, self._rest)]
        steps: list[Step] = []
        for node, process in enumerate(self.processes):
            if self._late[node]:
                continue
            after = []
            for state in states:
                for outcome in process.started(state[node]):
                    action = Action("start", node, (), outcome)
                    if outcome.error is not None:
                        return [(action, None)]
                    after.append(self._moved(state, node, outcome.local, self.network.put(state[-2], outcome.sent)))
            states = list(dict.fromkeys(after))
        steps += [(Action("start", -1), state) for state in states]
        return steps

    @staticmethod
    def _moved(state: State, node: int, local: int, net: Net) -> State:
        return (*state[:node], local, *state[node + 1 : -2], net, state[-1])

    # -- steps

    def successors(self, state: State, whole: bool = False) -> list[Step]:
        """Every step from a state.

        Args:
            whole: also steps that change nothing, of messages that stay.
        """
        found: list[Step] = []
        for node in range(self.count):
            process = self.processes[node]
            local = process.locals[state[node]]
            if local.up:
                if local.busy:
                    self._tick(found, state, node, local, (), state[-2])
                for stimuli in local.own if local.own is not None else process.own(local):
                    self._tick(found, state, node, local, stimuli, state[-2])
                self._arrive(found, state, node, local, whole)
                if self._tries:
                    self._try(found, state, node, local)
            else:
                self._wait(found, state, node, local)
        return found

    def _tick(self, found: list[Step], state: State, node: int, local: Local, stimuli: Stimuli, net: Net) -> None:
        """A tick of a node, where `net` is on its way still when it begins."""
        outcomes = local.outcomes.get(stimuli)
        if outcomes is None:
            outcomes = self.processes[node].outcomes(local, stimuli)
        before, behind, rest, number = state[:node], state[node + 1 : -2], state[-1], local.no
        for outcome in outcomes:
            self.steps += 1
            if outcome.error is not None:
                found.append(self._raised(outcome, state, net))
            elif outcome.local != number or outcome.messages or net is not state[-2]:
                found.append((outcome, (*before, outcome.local, *behind, self.network.put(net, outcome.sent), rest)))
            else:
                found.append((outcome, state))

    def _raised(self, outcome: Outcome, state: State, net: Net) -> Step:
        """A tick that raises: what came from outside or from others is set aside."""
        return outcome, ((*state[:-2], net, state[-1]) if self.model.drops_letters and outcome.stimuli else None)

    def _arrive(self, found: list[Step], state: State, node: int, local: Local, whole: bool) -> None:
        """Every message that may arrive, alone."""
        network, known, number = self.network, local.outcomes, local.no
        net = state[-2]
        before, behind, rest = state[:node], state[node + 1 : -2], state[-1]
        for token, stimuli in network.arrivals(net, node):
            outcomes = known.get(stimuli)
            if outcomes is None:
                outcomes = self.processes[node].outcomes(local, stimuli)
            for outcome in outcomes:
                self.steps += 1
                if outcome.error is not None:
                    found.append(self._raised(outcome, state, network.take(net, token)))
                elif whole or not network.keeps or outcome.local != number or outcome.messages:
                    taken = network.put(network.take(net, token), outcome.sent)
                    found.append((outcome, (*before, outcome.local, *behind, taken, rest)))

    def _wait(self, found: list[Step], state: State, node: int, local: Local) -> None:
        """A node that is down may start; what arrives meanwhile may be lost."""
        if self._restarts[node] or not local.accepts:
            for outcome in self.processes[node].started(local.no):
                self.steps += 1
                after = None
                if outcome.error is None:
                    after = self._moved(state, node, outcome.local, self.network.put(state[-2], outcome.sent))
                found.append((Action("start", node, (), outcome), after))
        if local.accepts and not self.network.keeps:
            for token, stimuli in self.network.arrivals(state[-2], node):
                self.steps += 1
                found.append((Action("lost", node, stimuli), (*state[:-2], self.network.take(state[-2], token), state[-1])))

    # -- what may go wrong, and several at a time

    def _try(self, found: list[Step], state: State, node: int, local: Local) -> None:
        net, rest = state[-2], state[-1]
        arrivals = self.network.arrivals(net, node)
        if self.model.batch > 1:
            self._batches(found, state, node, local)
        if rest[LOSS]:
            for token, stimuli in arrivals:
                self.steps += 1
                found.append((Action("drop", node, stimuli), (*state[:-2], self.network.take(net, token), _less(rest, LOSS))))
        if rest[DUPLICATION]:
            self._duplicates(found, state, node, local)
        for place in self._crashes[node]:
            if rest[place]:
                self._crash(found, state, node, local, place)

    def _batches(self, found: list[Step], state: State, node: int, local: Local) -> None:
        """Ticks that take several."""
        own = [(None, stimuli) for stimuli in self.processes[node].own(local)]
        single = [*own, *self.network.arrivals(state[-2], node)]
        for size in range(2, self.model.batch + 1):
            for chosen in combinations(single, size):
                net = state[-2]
                for token, _ in chosen:
                    net = net if token is None else self.network.take(net, token)
                stimuli = tuple(sorted({no for _, stimuli in chosen for no in stimuli}))
                if len(stimuli) == size:
                    self._tick(found, state, node, local, stimuli, net)

    def _duplicates(self, found: list[Step], state: State, node: int, local: Local) -> None:
        """Messages that arrive and are on their way still."""
        rest = _less(state[-1], DUPLICATION)
        for _, stimuli in self.network.arrivals(state[-2], node):
            for outcome in self.processes[node].outcomes(local, stimuli):
                if outcome.error is None:
                    self.steps += 1
                    after = self._moved(state, node, outcome.local, self.network.put(state[-2], outcome.sent))
                    found.append((Action("duplicate", node, stimuli, outcome), (*after[:-1], rest)))

    def _crash(self, found: list[Step], state: State, node: int, local: Local, place: int) -> None:
        """A crash between ticks, and after each tick that has something to send."""
        process, rest = self.processes[node], _less(state[-1], place)
        self.steps += 1
        found.append((Action("crash", node), (*self._moved(state, node, process.crashed(local.no), state[-2])[:-1], rest)))
        alone: list[tuple[int | None, Stimuli]] = [(None, stimuli) for stimuli in process.own(local)]
        if local.busy:
            alone.append((None, ()))
        for token, stimuli in [*alone, *self.network.arrivals(state[-2], node)]:
            for outcome in process.outcomes(local, stimuli):
                if outcome.error is None and outcome.messages:
                    self.steps += 1
                    net = state[-2] if token is None else self.network.take(state[-2], token)
                    after = (*self._moved(state, node, process.crashed(outcome.local), net)[:-1], rest)
                    found.append((Action("crash", node, stimuli, outcome), after))

    def may_crash(self, node: int, rest: tuple[int, ...]) -> bool:
        """Whether a node may crash still."""
        return any(rest[place] for place in self._crashes[node])

    # -- what properties see

    def node(self, number: int, state: State, allowed: frozenset[str] | None) -> NodeView:
        """What a node holds in a state."""
        local = self.processes[number].locals[state[number]]
        if allowed is None:
            return local.view
        known = local.views.get(allowed)
        if known is None:
            process = self.processes[number]
            known = local.views[allowed] = NodeView(process.address, process.program, local.up, local.rows, allowed)
        return known

    def name(self, number: int) -> str:
        """The address of a node, or of what is outside."""
        return [*self.addresses, *self.model.addresses_outside][number]

    def having(self, collection: str) -> list[tuple[str, int]]:
        """The nodes whose programs have a collection, with their numbers."""
        known = self._having.get(collection)
        if known is None:
            known = [(process.address, process.number) for process in self.processes if collection in process.program.by_name]
            self._having[collection] = known
        return known

    def sent(self, state: State) -> Iterator[Message]:
        """The messages on their way."""
        return (self.messages[no] for no in self.network.held(state[-2]))


def _less(rest: tuple[int, ...], place: int) -> tuple[int, ...]:
    return (*rest[:place], rest[place] - 1, *rest[place + 1 :])
