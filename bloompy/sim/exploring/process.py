"""One node of a model: the local states that it can be in, and what each stimulus makes of them.

A tick is a function of the node's own state and of its input (design §3): so each is run once, by the evaluator that runs
programs everywhere, and then remembered. Two local states are one if their tables hold the same rows and the same changes wait
for the next tick, for nothing else passes from tick to tick.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, cast

from attrs import define, field, frozen

from bloompy.engine.machine import Machine
from bloompy.engine.tick import Batch, PlainRow, Telling, Tick
from bloompy.errors import NotDeterministic, UsageError
from bloompy.ir.nodes import Collection, Program
from bloompy.program import Bloom, machine_of
from bloompy.schema import Key
from bloompy.sim.exploring.machines import Machines, Origin
from bloompy.sim.exploring.networks import Network, Sent
from bloompy.sim.exploring.standing import reads, transient
from bloompy.sim.exploring.stimuli import Firing, Input, Messages, Stimuli
from bloompy.sim.exploring.view import NodeView


class Misuse(UsageError):
    """What makes the model, not the program, wrong."""


REST_TICKS = 1_000
"""Ticks in a row after which a node that should come to rest is taken not to."""

Event = tuple[str, PlainRow]
"""A row, and the collection in which it arrives."""


@frozen
class Outcome:
    """What a tick makes of a local state.

    Attributes:
        node: number of the node.
        stimuli: what the tick takes.
        local: number of the local state after it.
        sent: what it sends to other nodes, as the network writes it.
        messages: the same as numbers of messages.
        error: what it raised; then nothing has happened.
        draw: what `self.rand` was; of draws that make no difference the first.
    """

    node: int
    stimuli: Stimuli
    local: int
    sent: Sent
    messages: tuple[int, ...] = ()
    error: Exception | None = None
    draw: float = field(default=0.5, eq=False)

    kind: ClassVar[str] = "tick"

    @property
    def outcome(self) -> Outcome:
        """Itself: a tick is a step like others."""
        return self


@define(eq=False)
class Local:
    """A local state.

    Attributes:
        no: its number.
        up: whether the node runs.
        accepts: whether messages arrive: not at a node that has not been started.
        rows: of every collection that can be seen between ticks.
        inbox: rows that it sent to itself, which the next tick takes.
        busy: it will tick by itself, for such rows or for pending changes.
        left: how often each limited input and timer may still happen.
        used: scratches that rules fill, and that were filled from outside as well.
        step: ticks so far, where rules read it.
        durable: what is on disk.
        origin: how it came about.
        own: inputs and timers that may happen, each as `Stimuli`; None until they are asked for.
        outcomes: by stimuli, what is known already.
        view: of `rows`.
        key: what tells it from others.
    """

    no: int
    up: bool
    accepts: bool
    rows: Mapping[str, frozenset[PlainRow]]
    inbox: tuple[Event, ...]
    busy: bool
    left: tuple[int, ...]
    used: frozenset[str]
    step: int
    durable: Mapping[str, tuple[PlainRow, ...]]
    origin: Origin
    view: NodeView
    key: Any
    own: tuple[Stimuli, ...] | None = None
    outcomes: dict[Stimuli, tuple[Outcome, ...]] = field(factory=dict)
    views: dict[frozenset[str], NodeView] = field(factory=dict)
    crashed: int = -1


@frozen
class Setting:
    """What all nodes of a model share.

    Attributes:
        addresses: number of each node, and of what is outside; -1 for what is not even looked at.
        atomic: run a node until it is at rest.
        draws: what `self.rand` may be.
        observe: collections whose rows of the last tick are part of the state.
    """

    addresses: Mapping[str, int]
    atomic: bool
    draws: tuple[float, ...]
    observe: frozenset[str]
    messages: Messages
    network: Network


class Process:
    """See the module.

    Args:
        number, address: the node's.
        make: makes a new instance of its program.
        inputs: its inputs and timers, the one with number -1 first.
        setting: what it shares with the others.

    Attributes:
        program: the rules.
        locals: local states by number.
        staged: collections that are filled from outside.
        seen: collections that can be seen between ticks.
        irregular: more than tables and pending changes makes its state, so that no two ticks of it commute.
    """

    def __init__(
        self, number: int, address: str, make: Callable[[], Bloom], inputs: Sequence[Input | Firing], setting: Setting
    ) -> None:
        self.number, self.address, self.inputs, self.setting = number, address, tuple(inputs), setting
        self._make = make
        self._stager = machine_of(make())
        self.program: Program = self._stager.program
        self.locals: list[Local] = []
        self._known: dict[Any, int] = {}
        self._machines = Machines(make, lambda local: self.locals[local].origin)
        self._limited = [one.no for one in self.inputs if one.times is not None]
        self._clocked = bool(self._limited) and all(one.times is not None for one in self.inputs if isinstance(one, Firing))
        self._timers = [one.no for one in self.inputs if isinstance(one, Firing)]
        self._times = tuple(one.times for one in self.inputs if one.times is not None)
        self._effects: dict[Stimuli, Batch] = {}
        self.staged = frozenset(one.collection for one in self.inputs)
        self._counts_steps = reads(self.program, "step")
        self._draws = setting.draws if reads(self.program, "rand") else setting.draws[:1]
        tables = [one.name for one in self.program.collections if one.kind == "table"]
        self._tables = tables
        self._staged_tables = self.staged.intersection(tables)
        self._durable = [one.name for one in self.program.collections if one.durable]
        filled = {rule.head for rule in self.program.rules if rule.operator in ("<=", "=")}
        self._mixed = self.staged.intersection(filled) - self._staged_tables
        passing = transient(self.program, self._mixed)
        self.seen = [
            one.name
            for one in self.program.collections
            if one.kind != "temporary" and (one.name not in passing or one.name in setting.observe)
        ]
        self.irregular = self._counts_steps or bool(self._mixed) or bool(setting.observe.intersection(self.seen))

    # -- starts, ends

    def unstarted(self) -> int:
        """The local state before the first start."""
        return self._down({}, self._times, accepts=False)

    def started(self, local: int) -> tuple[Outcome, ...]:
        """What a start makes of a node that is down."""
        before = self.locals[local]


        def start(draw: float) -> Outcome:
            machine = self._machines.started(before.durable)
            return self._run(before, (), machine, Batch(1, self._clock(before.left), draw), None, before.left)

        return self._each_draw(before, (), start)

    def fresh(self, local: int) -> Machine:
        """A machine about to start where a node is down."""
        return self._machines.started(self.locals[local].durable)

    def crashed(self, local: int) -> int:
        """What a crash makes of a node that is up."""
        before = self.locals[local]
        if before.crashed < 0:
            before.crashed = self._down(before.durable, before.left, accepts=True)
        return before.crashed

    def _down(self, durable: Mapping[str, tuple[PlainRow, ...]], left: tuple[int, ...], accepts: bool) -> int:
        rows = {name: frozenset(each) for name, each in durable.items()}
        key = "down", accepts, left, tuple(rows.values())
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = len(self.locals)
            view = NodeView(self.address, self.program, False, rows)
            origin = Origin(None, (), durable)
            self.locals.append(Local(known, False, accepts, rows, (), False, left, frozenset(), 0, durable, origin, view, key, own=()))
        return known

    # -- ticks

    def own(self, local: Local) -> tuple[Stimuli, ...]:
        """The inputs and timers that may happen in a local state."""
        if local.own is None:
            left = dict(zip(self._limited, local.left, strict=True))
            local.own = tuple(
                (one.no,)
                for one in self.inputs
                if left.get(one.no, 1) and (isinstance(one, Firing) or one.when is None or one.when(local.view))
            )
        return local.own

    def outcomes(self, local: Local, stimuli: Stimuli) -> tuple[Outcome, ...]:
        """What a tick that takes some stimuli can make of a local state: one for each draw, where rules draw.

        With several stimuli a tick that raises is none: a node would split them, and each alone is tried anyway.
        """
        known = local.outcomes.get(stimuli)
        if known is None:
            known = self._each_draw(local, stimuli, lambda draw: self._tick(local, stimuli, draw))
            if len(stimuli) > 1:
                known = local.outcomes[stimuli] = tuple(one for one in known if one.error is None)
        return known

    def _each_draw(self, local: Local, at: Stimuli, tick: Callable[[float], Outcome]) -> tuple[Outcome, ...]:
        known = local.outcomes.get(at)
        if known is None:
            known = local.outcomes[at] = tuple(dict.fromkeys(map(tick, self._draws)))
        return known

    def _tick(self, local: Local, stimuli: Stimuli, draw: float) -> Outcome:
        left = self._left_after(local.left, stimuli)
        machine = self._machines.take(local.no)
        batch = self.batch(local, stimuli, machine.step + 1, draw)
        return self._run(local, stimuli, machine, batch, local.no, left)

    def batch(self, local: Local, stimuli: Stimuli, step: int, draw: float) -> Batch:
        """The input of the tick."""
        effect = self._effect(stimuli)
        events: dict[str, tuple[PlainRow, ...]] = dict(effect.events)
        for name, row in local.inbox:
            events[name] = (*events.get(name, ()), row)
        now = self._clock(self._left_after(local.left, stimuli))
        left = dict(zip(self._limited, local.left, strict=True))
        for no in stimuli:
            if no < 0 and isinstance(one := self.inputs[-1 - no], Firing):
                fired = 1 if one.times is None else one.times - left[no] + 1
                events[one.collection] = ((fired, now),)
        return Batch(step, now, draw, effect.changes, events)

    def _effect(self, stimuli: Stimuli) -> Batch:
        """What stimuli other than timers put into a batch."""
        known = self._effects.get(stimuli)
        if known is None:
            for no in stimuli:
                if no >= 0:
                    message = self.setting.messages[no]
                    self._stager.deliver(message.channel, message.row)
                elif isinstance(one := self.inputs[-1 - no], Input):
                    self._stager.stage(one.collection, one.operation, one.rows)
            known = self._effects[stimuli] = self._stager.take(0.0)
        return known

    def _left_after(self, left: tuple[int, ...], stimuli: Stimuli) -> tuple[int, ...]:
        if not self._limited or not stimuli or stimuli[0] >= 0:
            return left
        return tuple(count - (no in stimuli) for no, count in zip(self._limited, left, strict=True))

    def _clock(self, left: tuple[int, ...]) -> float:
        """The time in seconds: how often timers have fired, where that has a limit."""
        if not self._clocked:
            return 0.0
        counts = zip(self._limited, self._times, left, strict=True)
        return float(sum(times - count for no, times, count in counts if no in self._timers))

    def _run(
        self, before: Local, stimuli: Stimuli, machine: Machine, batch: Batch, parent: int | None, left: tuple[int, ...]
    ) -> Outcome:
        """Run a tick, and those that follow where nodes run until they are at rest."""
        batches: list[Batch] = []
        messages: list[int] = []
        inbox: tuple[Event, ...] = ()
        try:
            for each, tick, own in self.chain(machine, batch):
                batches.append(each)
                inbox = own
                self._number(tick.sent, messages)
        except Exception as error:
            if not batches and parent is not None:
                self._machines.keep(parent, machine)
            if isinstance(error, Misuse):
                raise
            return Outcome(self.number, stimuli, before.no, None, (), error, batch.rand)
        used = before.used.union(name for each in batches for name in each.events if name in self._mixed)
        restored = before.durable if parent is None else {}
        no = self._reached(machine, inbox, left, used, Origin(parent, tuple(batches), restored))
        self._machines.keep(no, machine)
        sent = tuple(dict.fromkeys(messages)) if self.setting.network.keeps else tuple(messages)
        return Outcome(self.number, stimuli, no, self.setting.network.sent(self.number, sent), sent, None, batch.rand)

    def chain(self, machine: Machine, batch: Batch) -> Iterator[tuple[Batch, Tick, tuple[Event, ...]]]:
        """Run a tick, and those that follow where nodes run until they are at rest; each with its input, and what the node sends itself."""
        for _ in range(REST_TICKS):
            tick = machine.run(batch)
            inbox = self._to_itself(tick.sent)
            yield batch, tick, inbox
            if not self.setting.atomic or not (inbox or machine.pending()):
                return
            events: dict[str, tuple[PlainRow, ...]] = {}
            for name, row in inbox:
                events[name] = (*events.get(name, ()), row)
            batch = Batch(machine.step + 1, batch.now, batch.rand, {}, events)
        raise Misuse(
            f"{self.address} has pending changes, or messages to itself, after {REST_TICKS:,} ticks in a row",
            hint="explore it with atomic=False",
        )

    def _receiver(self, declared: Collection, row: PlainRow) -> Any:
        address = declared.schema.address
        return self.address if address is None else row[address]

    def _to_itself(self, sent: Mapping[str, Sequence[PlainRow]]) -> tuple[Event, ...]:
        """What goes to the node itself."""
        found: dict[Event, None] = {}
        for name, rows in sent.items():
            declared = self.program.by_name[name]
            if declared.kind != "stdio":
                found |= {(name, row): None for row in rows if self._receiver(declared, row) == self.address}
        return tuple(found)

    def _number(self, sent: Mapping[str, Sequence[PlainRow]], messages: list[int]) -> None:
        """Number what goes to others."""
        for name, rows in sent.items():
            declared = self.program.by_name[name]
            for row in rows if declared.kind != "stdio" else ():
                receiver = self._receiver(declared, row)
                if receiver != self.address:
                    number = self.setting.addresses.get(receiver)
                    if number is None:
                        raise Misuse(
                            f"{self.address} sends {name} {row!r} to {receiver!r}, which is no node of the model",
                            hint=f"add it, or say model.outside({receiver!r})",
                        )
                    if number >= 0:
                        messages.append(self.setting.messages.of(number, name, row, declared.schema.row.make).no)

    # -- local states

    def _reached(self, machine: Machine, inbox: tuple[Event, ...], left: tuple[int, ...], used: frozenset[str], origin: Origin) -> int:
        evaluator = cast(Telling, machine.evaluator)
        tables = {name: frozenset(evaluator.read(name).values()) for name in self._tables}
        waiting = evaluator.waiting()
        pending = frozenset((name, self._said(name, each)) for name, each in waiting.items())
        pending = frozenset((name, said) for name, said in pending if said)
        observed = tuple(frozenset(evaluator.read(name).values()) for name in self.seen if name in self.setting.observe)
        step = machine.step if self._counts_steps else 0
        key = tuple(tables.values()), pending, frozenset(inbox), left, used, step, observed
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = len(self.locals)
            rows = {name: tables[name] if name in tables else frozenset(evaluator.read(name).values()) for name in self.seen}
            busy = bool(inbox) or machine.pending()
            durable = {name: _after(evaluator.read(name), waiting.get(name, {})) for name in self._durable}
            view = NodeView(self.address, self.program, True, rows)
            self.locals.append(Local(known, True, True, rows, inbox, busy, left, used, step, durable, origin, view, key))
        return known

    def _said(self, name: str, waiting: Mapping[Key, Any]) -> frozenset[Any]:
        """What waits for one collection, as far as it can make a difference."""
        if name in self._staged_tables:  # what is staged may meet it
            return frozenset((key, one.row, one.upsert, one.deleted and frozenset(one.deleted)) for key, one in waiting.items())
        return frozenset((key, one.after) for key, one in waiting.items() if one.after != one.held)

    def replayed(self, local: int) -> Machine:
        """A machine in a local state; for tests, and to run a counterexample again.

        Raises:
            NotDeterministic: where the same input now leads elsewhere.
        """
        machine = self._machines.take(local)
        known = self.locals[local]
        found = self._reached(machine, known.inbox, known.left, known.used, known.origin)
        if found != local:
            raise NotDeterministic(
                f"{self.address}: the same input leads to another state when it is replayed",
                hint="look for a function in its rules that depends on more than its arguments",
            )
        return machine


def _after(held: Mapping[Key, PlainRow], waiting: Mapping[Key, Any]) -> tuple[PlainRow, ...]:
    """A table with the pending changes applied: what is on disk."""
    rows = dict(held)
    for key, one in waiting.items():
        if one.after is None:
            rows.pop(key, None)
        else:
            rows[key] = one.after
    return tuple(rows.values())
