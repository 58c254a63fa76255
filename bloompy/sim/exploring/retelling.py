"""A counterexample as the trace of a run: the same steps, run again by new instances, for pictures of space and time."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define

from bloompy.engine.machine import Machine
from bloompy.engine.tick import Batch
from bloompy.errors import NotDeterministic
from bloompy.sim.exploring.process import Outcome, Process
from bloompy.sim.exploring.space import Space, State, Taken
from bloompy.sim.trace import Event, EventKind, Trace


@define
class Sent:
    """A message that was sent: its frame has this one row.

    Attributes:
        frame: number of the frame.
        ordinal: of the frame on its link.
        arrived: whether a copy has arrived.
    """

    frame: int
    ordinal: int
    sender: int
    arrived: bool = False


def retold(space: Space, states: Sequence[State], steps: Sequence[Taken], what: str) -> Trace:
    """Run steps again.

    Args:
        states: the state before each step.
        steps: they.
        what: what is wrong at the end.
    """
    telling = _Retelling(space)
    telling.begin(states[0] if states else None)
    for number, (state, step) in enumerate(zip(states, steps, strict=True), 1):
        telling.now = float(number)
        telling.step(state, step)
    telling.note("fault", -1, text=what, failure=what.partition(":")[0])
    return telling.trace


class _Retelling:
    def __init__(self, space: Space) -> None:
        self.space, self.trace, self.now = space, Trace(), 0.0
        self.machines: dict[int, Machine] = {}
        self.incarnations = [0] * space.count
        self.sent: dict[int, list[Sent]] = {}
        self.frames = 0
        self.ordinals: dict[tuple[int, int], int] = {}
        for process in space.processes:
            self.trace.programs[process.address] = process.program

    def begin(self, state: State | None) -> None:
        """The first tick of every node that is there from the beginning."""
        for process in self.space.processes:
            if self.space.model.members[process.number].late:
                continue
            outcomes = process.started(process.unstarted())
            for outcome in outcomes:
                if state is None or outcome.local == state[process.number]:
                    self.start(process, process.unstarted(), outcome)
                    break

    def start(self, process: Process, local: int, outcome: Outcome) -> None:
        """A start, with what is on disk."""
        node = process.number
        self.incarnations[node] += 1
        self.machines[node] = process.fresh(local)
        self.note("start" if self.incarnations[node] == 1 else "restart", node)
        self.tick(process, local, outcome)

    def step(self, state: State, step: Taken) -> None:
        """One step."""
        node, process = step.node, self.space.processes[step.node]
        local = state[node]
        if step.kind == "start":
            assert step.outcome is not None
            self.start(process, local, step.outcome)
        elif step.kind in ("drop", "lost"):
            self.arrive(step, "drop", "" if step.kind == "drop" else f"{process.address} is down")
        else:
            self.arrive(step, "deliver")
            if step.outcome is not None:
                self.tick(process, local, step.outcome, leaves=step.kind != "crash")
            if step.kind == "crash":
                self.note("crash", node)

    def tick(self, process: Process, local: int, outcome: Outcome, leaves: bool = True) -> None:
        """The ticks of a step, and what they send."""
        node, machine = process.number, self.machines[process.number]
        batch = process.batch(process.locals[local], outcome.stimuli, machine.step + 1, outcome.draw)
        if outcome.error is not None:
            try:
                list(process.chain(machine, batch))
            except Exception as error:
                self.note("fault", node, text=f"{type(error).__name__}: {error}", batch=batch)
                return
            raise NotDeterministic(f"{process.address}: a tick that raised does not raise again", hint="look for a function with a memory")
        for each, tick, _ in process.chain(machine, batch):
            event = self.note("tick", node, batch=each)
            event.tick = tick
        if leaves:
            for no in outcome.messages:
                self.send(node, no)

    def send(self, node: int, no: int) -> None:
        """A message leaves."""
        self.frames += 1
        link = node, self.space.messages[no].node
        self.ordinals[link] = self.ordinals.get(link, 0) + 1
        one = Sent(self.frames, self.ordinals[link], node)
        known = self.sent.setdefault(no, [])
        if not (known and self.space.network.keeps):
            known.append(one)
        self.about("send", no, one)

    def arrive(self, step: Taken, kind: EventKind, text: str = "") -> None:
        """The messages of a step arrive, or are lost."""
        for no in step.stimuli:
            if no >= 0:
                known = self.sent[no]
                stays = self.space.network.keeps or step.kind == "duplicate"
                one = known[0] if stays else known.pop(0)
                if one.arrived:
                    self.about("duplicate", no, one)
                one.arrived = True
                self.about(kind, no, one, text)

    def about(self, kind: EventKind, no: int, one: Sent, text: str = "") -> None:
        """Something happens to a message."""
        message = self.space.messages[no]
        sender = self.space.processes[one.sender].address
        receiver = self.space.name(message.node)
        here, there = (receiver, sender) if kind == "deliver" else (sender, receiver)
        event = self.note(kind, message.node if kind == "deliver" else one.sender, text=text)
        event.node, event.peer, event.frame, event.ordinal = here, there, one.frame, one.ordinal
        event.rows = {message.channel: [message.row]}

    def note(self, kind: EventKind, node: int, text: str = "", batch: Batch | None = None, failure: str = "") -> Event:
        """An event of the trace."""
        event = Event(len(self.trace) + 1, self.now, kind, text=text, batch=batch)
        if 0 <= node < self.space.count:
            event.node, event.incarnation = self.space.processes[node].address, self.incarnations[node]
            machine = self.machines.get(node)
            event.step = batch.step if batch is not None else machine.step if machine is not None else 0
        if failure:
            event.rows = {"failure": [(failure,)]}
        self.trace.events.append(event)
        return event
