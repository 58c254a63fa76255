"""Exploration by hand, as slow and plain as can be: a state is what a list of steps leads to, all of it done again for every state.

It shares nothing with `bloompy.sim.exploring` but the model's description: programs are stepped by `tick`, messages are kept in
lists, and two states are one if tables, what an idle tick would make of them, and messages are the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from attrs import define, field

from bloompy.engine.tick import Tick
from bloompy.program import Bloom, machine_of
from bloompy.sim.exploring import Model

Step = tuple[Any, ...]


@define
class World:
    """A cluster after some steps."""

    model: Model
    programs: list[Bloom] = field(init=False)
    messages: list[tuple[int, int, str, Any]] = field(factory=list)
    inputs: Counter[tuple[int, int]] = field(factory=Counter)

    def __attrs_post_init__(self) -> None:
        self.programs = [member.make() for member in self.model.members]
        for number in range(len(self.programs)):
            self.tick(number)

    def tick(self, number: int) -> None:
        program = self.programs[number]
        self.send(number, program.tick(now=0.0))

    def send(self, number: int, tick: Tick) -> None:
        addresses = [member.address for member in self.model.members]
        for channel, rows in tick.sent.items():
            declared = machine_of(self.programs[number]).program.by_name[channel]
            for row in rows:
                address = declared.schema.address
                if address is not None and row[address] != addresses[number]:
                    message = number, addresses.index(row[address]), channel, row
                    if self.model.network != "set" or message[1:] not in [one[1:] for one in self.messages]:
                        self.messages.append(message)

    def steps(self) -> Iterator[Step]:
        """All that may happen."""
        for number, member in enumerate(self.model.members):
            if self.busy(number):
                yield "idle", number
            for i, one in enumerate(member.inputs):
                if one.times is None or self.inputs[number, i] < one.times:
                    yield "input", number, i
        seen = []
        for sender, receiver, channel, row in self.messages:
            if (at := (sender, receiver) if self.model.network == "fifo" else (receiver, channel, row)) not in seen:
                seen.append(at)
                yield "message", sender, receiver, channel, row

    def busy(self, number: int) -> bool:
        machine = machine_of(self.programs[number])
        return machine.has_input() or machine.pending()

    def do(self, step: Step) -> None:
        kind, number = step[:2]
        if kind == "input":
            one = self.model.members[number].inputs[step[2]]
            self.inputs[number, step[2]] += one.times is not None
            getattr(self.programs[number], one.collection).insert(*one.rows)
        elif kind == "message":
            _, sender, number, channel, row = step
            machine_of(self.programs[number]).deliver(channel, row)
            if self.model.network != "set":
                known = [(*one[:2], *one[2:]) for one in self.messages if self.model.network == "fifo" or one[1:] == (number, channel, row)]
                self.messages.remove(next(one for one in known if one[1:] == (number, channel, row) and one[0] in (sender, known[0][0])))
        self.tick(number)

    def content(self) -> Any:
        """Tables and messages, and what waits at each node."""
        messages: Any = Counter((channel, row) for _, _, channel, row in self.messages).items()
        if self.model.network == "fifo":
            links: dict[Any, list[Any]] = {}
            for sender, receiver, channel, row in self.messages:
                links.setdefault((sender, receiver), []).append((channel, row))
            messages = [(link, tuple(queue)) for link, queue in links.items()]
        nodes = [frozenset((name, row) for name in self.tables(i) for row in getattr(p, name)) for i, p in enumerate(self.programs)]
        return tuple(nodes), frozenset(messages)

    def tables(self, number: int) -> list[str]:
        return [one.name for one in machine_of(self.programs[number]).program.collections if one.kind == "table" and one.name != "dead_letter"]

    def waiting(self) -> Any:
        """What each node would hold after a tick without input; the world is used up."""
        found = []
        for program in self.programs:
            tick = program.tick(now=0.0)
            names = [one.name for one in machine_of(program).program.collections if one.kind not in ("temporary",)]
            rows = frozenset((name, row) for name in names for row in getattr(program, name))
            found.append((rows, frozenset((name, row) for name, sent in tick.sent.items() for row in sent)))
        return tuple(found)


def after(model: Model, steps: tuple[Step, ...]) -> World:
    world = World(model)
    for step in steps:
        world.do(step)
    return world


def explored(model: Model, limit: int) -> tuple[int, set[Any]] | str | None:
    """The number of states and the contents of those that nothing leads away from; "error" where a tick raises; None beyond the limit."""
    known: dict[Any, tuple[Step, ...]] = {key(model, ()): ()}
    ends = set()
    queue = [()]
    for steps in queue:
        here, leads_away = key(model, steps), False
        for step in list(after(model, steps).steps()):
            try:
                at = key(model, (*steps, step))
            except Exception:
                return "error"
            leads_away |= at != here
            if at not in known:
                known[at] = (*steps, step)
                queue.append((*steps, step))
                if len(known) > limit:
                    return None
        if not leads_away:
            ends.add(after(model, steps).content())
    return len(known), ends


def key(model: Model, steps: tuple[Step, ...]) -> Any:
    world = after(model, steps)
    left = tuple(sorted(world.inputs.items()))
    return world.content(), left, tuple(map(world.busy, range(len(world.programs)))), world.waiting()
