"""`Simulation`: many nodes in one process, in virtual time, under faults, the same from the same seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from inspect import iscoroutine
from random import Random
from typing import Any, Literal, TypeAlias, TypeVar

from bloompy.engine.tick import Batch, PlainRow, Tick
from bloompy.errors import ClusterViolation, InvariantViolation, SimulationError, StoreError, UsageError
from bloompy.program import Bloom
from bloompy.runtime.limits import Limits
from bloompy.sim.clock import Agenda, Call
from bloompy.sim.cluster import Watchdog
from bloompy.sim.faults import Faults
from bloompy.sim.mishaps import Mishaps
from bloompy.sim.network import Frame, Hold, Link, Network, Partition
from bloompy.sim.node import Crashed, SimNode
from bloompy.sim.notes import Notes
from bloompy.sim.pool import EvaluatorPool
from bloompy.sim.schedule import Decisions, Schedule
from bloompy.sim.tasks import Answer, Task
from bloompy.sim.trace import EventKind, Trace

T = TypeVar("T")

Where: TypeAlias = str | SimNode
"""A node, or its address."""

_MOST_AT_ONCE = 50_000


class Simulation:
    """Nodes, a network, disks and clocks in virtual time. The programs, and the runtime that drives them, are those of production.

        sim = Simulation(seed=7, faults=Faults.mix())
        a, b = (sim.add(Store, name) for name in "ab")
        a.put.insert(("k", 1))
        sim.run(until=10)

    A run is a function of what is done with the simulation, its seed and its schedule: `sim.schedule` is all that went otherwise
    than by default, and `Simulation(seed, schedule=…)` repeats exactly that. An invariant that is violated at any node, one of the
    cluster, a message that made its tick fail, and a node that ends by an error are raised out of `run`.

    Args:
        seed: of everything that is drawn.
        faults: what goes wrong at random; nothing by default.
        schedule: what goes wrong, exactly, or the word of that; then nothing is drawn.
        latency_s: seconds that a frame takes.
        order: "latency": frames arrive as late as links and delays have it. "pct": links differ widely, and `depth - 1` frames
            arrive very late, which finds rare orders (Ozkan et al., OOPSLA 2018).
        depth, frames: for "pct", the number of ordered events that a fault is thought to need, and of frames in a run.
        trace: keep what happens, for pictures and provenance.
        dead_letters: "fail", or "allow" messages that make their tick fail.
        limits: bounds of every node.
        pool: evaluators to be used again, for campaigns: see `close`.
        start_s: time at which it begins.

    Attributes:
        counts: faults that were injected, by kind.
        reached: how often each `sometimes` was reached; 0 for those only declared.
        operation_count: operations of the test so far, those left out included.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        faults: Faults | None = None,
        schedule: Schedule | str | None = None,
        latency_s: float = 0.001,
        order: Literal["latency", "pct"] = "latency",
        depth: int = 3,
        frames: int = 100,
        trace: bool = True,
        dead_letters: Literal["fail", "allow"] = "fail",
        limits: Limits | None = None,
        pool: EvaluatorPool | None = None,
        start_s: float = 0.0,
    ) -> None:
        if order not in ("latency", "pct"):
            raise UsageError(f"order={order!r}", hint='"latency" or "pct"')
        if faults is not None and not isinstance(faults, Faults):
            raise UsageError(f"faults={faults!r:.80}", hint="give a mix, such as Faults(drop=0.1, crashes=1) or Faults.mix()")
        if isinstance(schedule, str):
            schedule = Schedule.decode(schedule)
        if dead_letters not in ("fail", "allow"):
            raise UsageError(f"dead_letters={dead_letters!r}", hint='"fail" or "allow"')
        self.seed, self.order, self.dead_letters, self.limits = seed, order, dead_letters, limits or Limits()
        self.pool = pool
        self.agenda = Agenda(start_s)
        self.counts: Counter[str] = Counter()
        self.reached: Counter[str] = Counter()
        self.trace = Trace()
        self.nodes: dict[str, SimNode] = {}
        self.faults = faults or Faults()
        self._decisions = Decisions(schedule, Random(f"{seed} faults"))
        draws = self._decisions.draws
        mix = self.faults.swarm(draws) if draws is not None else Faults()
        self.notes = Notes(self.trace, self.agenda, self.nodes, trace)
        self.mishaps = Mishaps(self.agenda, self._decisions, mix, self.counts)
        self.network = Network(
            self.agenda,
            self._decisions,
            mix,
            latency_s,
            order,
            (depth, frames),
            self._deliver,
            self.notes.frame,
            self.counts,
            lambda: self.nodes,
        )
        self.trace.partitions = self.network.history
        self._failure: BaseException | None = None
        self._always: list[tuple[str, Callable[[], object]]] = []
        self._watchdogs: dict[type[Bloom], Watchdog] = {}
        self.operation_count = self._drawn = self._at_once = 0
        self._tasks: list[Task] = []

    def __repr__(self) -> str:
        up = sum(node.up for node in self.nodes.values())
        return f"<Simulation of {len(self.nodes)} nodes, {up} up, at {self.now:.6g} s, seed {self.seed}, {len(self.schedule)} decisions>"

    def _repr_html_(self) -> str:
        return self.trace._repr_html_()

    # -- nodes

    def add(
        self,
        program: type[Bloom] | Callable[..., Bloom],
        address: str,
        *,
        store: bool | None = None,
        setup: Callable[[SimNode], object] | None = None,
        **parameters: Any,
    ) -> SimNode:
        """Start a node, now.

        Args:
            program: the class; or a function of `me`, `seed` and `clock` (by name) that makes the instance. Each restart makes one.
            address: unique, as rules know it.
            store: whether durable tables have a disk; by default if there are any.
            setup: called with the node at each of its starts, for input that is not durable.
            **parameters: for the class: params, and options such as evaluator="naive".

        Raises:
            UsageError: for an address in use, and an instance in place of a class.
        """
        if not isinstance(address, str) or not address or not address.isprintable():
            raise UsageError(f"a node with the address {address!r:.80}", hint="an address is a str of printable characters")
        if address in self.nodes:
            raise UsageError(f"there is a node {address!r} already", hint="give each node an address of its own")
        if isinstance(program, Bloom) or not callable(program):
            raise UsageError(f"{program!r} is no class of programs", hint="give the class, since a restart needs a new instance")

        def make(**options: Any) -> Bloom:
            return program(**options, **parameters)

        declared = getattr(program, "program_ir", None)
        durable = declared is not None and any(one.durable for one in declared.collections)
        node = SimNode(self, address, make, durable if store is None else store, setup)
        self.nodes[address] = node
        self.mishaps.set_clock(node)
        self.mishaps.set_pauses(node)
        node.begin()
        return node

    def __getitem__(self, address: str) -> SimNode:
        return self.nodes[self._address(address)]

    def __iter__(self) -> Iterator[SimNode]:
        return iter(self.nodes.values())

    @property
    def up(self) -> list[SimNode]:
        """The nodes that run."""
        return [node for node in self.nodes.values() if node.up]

    def close(self) -> None:
        """Give the evaluators back to the pool, if there is one: the nodes can no longer be looked at; the trace can."""
        if self.pool is not None:
            for node in self.up:
                node.let_go("is in a simulation that was closed")
            for watchdog in self._watchdogs.values():
                watchdog.close()

    # -- time

    @property
    def now(self) -> float:
        """Seconds of virtual time."""
        return self.agenda.now

    def run(self, until: float | None = None, *, for_s: float | None = None) -> None:
        """Run until a time, or for some seconds.

        Raises:
            whatever fails: see the class.
        """
        end = until if until is not None else self.now + (for_s or 0.0)
        if (until is None) == (for_s is None) or end < self.now:
            raise UsageError(f"run({until!r}, for_s={for_s!r}) at {self.now:g} s", hint="give a time to come, or for_s=seconds")
        self._run(end, lambda: False)
        self.agenda.now = max(self.now, end)

    def run_until(self, condition: Callable[[], object], limit_s: float = 60.0) -> None:
        """Run until a condition holds, asked after every event.

        Raises:
            SimulationError: if it does not within the limit.
        """
        end = self.now + limit_s
        if not self._run(end, condition):
            self.agenda.now = end
            raise SimulationError(f"the condition did not hold within {limit_s:g} s", hint=self._state())

    def settle(self, limit_s: float = 60.0) -> None:
        """Run until nothing is under way: no frame, no pending tick, no restart, no client; only timers of nodes are left.

        Raises:
            SimulationError: if that is not so within the limit.
        """
        end = self.now + limit_s
        if not self._run(end, lambda: self.agenda.busy == 0):
            raise SimulationError(f"there was still something under way after {limit_s:g} s", hint=self._state())

    def step(self) -> bool:
        """Let the next thing happen; returns whether there was any."""
        if self.agenda.next() is None:
            return False
        self._make(self.agenda.pop())
        self._check()
        return True

    def at(self, when: float, callback: Callable[[], object]) -> Call:
        """Have a callback called at a time; `.cancel()` what is returned to have it not. Raises UsageError for a time that has passed."""
        if not when >= self.now:
            raise UsageError(f"at({when!r:.80}) at {self.now:g} s", hint="give a time to come")
        return self.agenda.at(when, lambda: _called(callback))

    def sleep(self, seconds: float) -> Answer:
        """For coroutines of `spawn`: `await sim.sleep(0.5)`."""
        answer = Answer()
        self.agenda.at(self.now + seconds, lambda: answer.set_result(None))
        return answer

    def spawn(self, work: Any, *arguments: Any) -> Task:
        """Run a client: a coroutine, or a coroutine function with its arguments. An error in it that nobody awaits fails the run."""
        coroutine = work if iscoroutine(work) else work(*arguments)
        if not iscoroutine(coroutine):
            raise UsageError(f"{work!r} is no coroutine", hint="give an `async def`, and await sim.sleep(…) and node.call(…) in it")
        task = Task(coroutine, lambda callback: self.agenda.at(self.now, callback), lambda error: self.fail(error, None))
        self._tasks.append(task)
        return task

    # -- faults by hand

    def link(self, source: Where, destination: Where) -> Link:
        """One direction between two nodes, given themselves or by address, whose latency and faults can be set.

        Before the first node is added, any address may be given.

        Raises:
            UsageError: for a node that there is not; this goes for `hold` and `partition` as well.
        """
        return self.network.link(self._address(source, early=True), self._address(destination, early=True))

    def partition(
        self,
        group: Collection[Where] | Where,
        other: Collection[Where] | Where | None = None,
        *,
        one_way: bool = False,
        for_s: float | None = None,
    ) -> Partition:
        """Let two groups of nodes hear nothing of each other.

        Args:
            group: nodes or addresses, or one.
            other: those on the other side; by default all others.
            one_way: only frames from the first group to the other are lost.
            for_s: seconds; by default until `heal`.
        """
        first = self._group(group)
        second = set(self.nodes) - first if other is None else self._group(other)
        found = self.network.partition(first, second, one_way, for_s)
        arrow = "->" if one_way else "|"
        self.note_fault(f"partition: {', '.join(sorted(first))} {arrow} {', '.join(sorted(second))}")
        return found

    def heal(self) -> None:
        """End all partitions and holds."""
        self.network.heal()
        self.note_fault("all partitions end")

    def hold(self, source: Where | None = None, destination: Where | None = None) -> Hold:
        """Hold frames back from now on, on one link, or on all of a source, of a destination, or of all nodes known now."""
        names = list(self.nodes)
        sources = names if source is None else [self._address(source)]
        destinations = names if destination is None else [self._address(destination)]
        return Hold(self.network, [self.link(one, other) for one in sources for other in destinations if one != other])

    def calm(self, *, restart: Sequence[str] | None = None) -> None:
        """End all faults: partitions heal, nothing goes wrong any more, and nodes that are down restart.

        A pause that has begun goes on to its end, and clocks stay as wrong as they are.

        Args:
            restart: only these; by default all but those whose disk is damaged.
        """
        self._decisions.calm()
        self.mishaps.calm()
        self.network.calm()
        for node in self.nodes.values():
            node.pauses = [(start, end) for start, end in node.pauses if start <= self.now]
            if not node.up and (node.address in restart if restart is not None else not isinstance(node.ended_by, StoreError)):
                node.begin()
        self.note_fault("the faults end")

    # -- what the test draws

    def integer(self, low: int, high: int) -> int:
        """A whole number, both ends included; shrinks to the lowest."""
        offset = self._draw(lambda random: int(random.random() * (high - low + 1)))
        return low + max(0, min(int(offset), high - low))

    def chance(self, share: float) -> bool:
        """True with a probability; shrinks to False."""
        return bool(self._draw(lambda random: int(random.random() < share)))

    def choose(self, options: Sequence[T]) -> T:
        """One of a sequence; shrinks to the first."""
        return options[self.integer(0, len(options) - 1)]

    def operations(self, count: int, make: Callable[[int], T]) -> Iterator[T]:
        """`make(0)` to `make(count - 1)`; shrinking leaves some out."""
        for number in range(count):
            self.operation_count += 1
            if self._decisions.decide("skip", (self.operation_count,)) is None:
                yield make(number)

    def _draw(self, draw: Callable[[Random], int]) -> int:
        self._drawn += 1
        found = self._decisions.decide("draw", (self._drawn,), lambda random: draw(random) or None)
        return 0 if found is None else int(found)

    # -- what must hold, and what should happen

    def always(self, check: Callable[[], object], name: str | None = None) -> Callable[[], object]:
        """Have something hold over the whole cluster after every tick of any node.

        Args:
            check: returns False or rows that must not be there to fail; None, True, or nothing in it to pass. It may raise.
            name: for the failure; by default that of the function.
        """
        self._always.append((name or str(getattr(check, "__name__", "the check")), check))
        return check

    def sometimes(self, name: str, condition: object = True) -> bool:
        """Count that an interesting state was reached; a campaign in which no run reached it fails. Returns whether it was.

        Args:
            name: of the state.
            condition: whether it is reached now; a function is called.
        """
        reached = bool(condition() if callable(condition) else condition)
        self.reached[name] += reached
        return reached

    def must(
        self,
        goal: Callable[[], object],
        *,
        within_s: float,
        name: str | None = None,
        restart: Literal["all", "majority", "none"] | Sequence[str] = "all",
    ) -> float:
        """End all faults, and have a goal be reached in time: `bloompy.sim.search.liveness.must`."""
        from bloompy.sim.search.liveness import must  # stands on simulations

        return must(self, goal, within_s=within_s, name=name, restart=restart)

    @property
    def schedule(self) -> Schedule:
        """All that went otherwise than by default so far."""
        return self._decisions.taken()

    # -- provenance

    def why(self, node: str, collection: str, row: Any, **options: Any) -> Any:
        """Why a row holds, or held, at a node: its derivation across ticks and nodes (see `bloompy.sim.provenance`)."""
        from bloompy.sim.provenance import why  # asked for by few

        return why(self, node, collection, row, **options)

    def why_not(self, node: str, collection: str, row: Any, **options: Any) -> Any:
        """Why a row does not hold at a node: which rule came nearest, and what was missing."""
        from bloompy.sim.provenance import why_not

        return why_not(self, node, collection, row, **options)

    # -- told by nodes and network

    def fail(self, error: BaseException, node: SimNode | None) -> None:
        """Have the run end by an error; the first counts."""
        if self._failure is None:
            if node is not None:
                error.add_note(f"at {node.address}, {self.now:.6g} s")
            self._failure = error

    def started(self, node: SimNode) -> None:
        """A node begins an incarnation."""
        if Watchdog.applies(node.program) and type(node.program) not in self._watchdogs:
            self._watchdogs[type(node.program)] = Watchdog(node.program, self.pool)
        self.trace.programs[node.address] = node.program.program_ir
        self.notes.node("start" if node.incarnation == 1 else "restart", node)

    def restored(self, node: SimNode, tables: Mapping[str, list[PlainRow]]) -> None:
        """A node found rows on its disk."""
        watchdog = self._watchdogs.get(type(node.program))
        if watchdog is not None:
            watchdog.restored(node.address, tables)

    def ended(self, node: SimNode, kind: EventKind, text: str) -> None:
        """A node went down."""
        watchdog = self._watchdogs.get(type(node.program))
        if watchdog is not None:
            watchdog.crashed(node.address)
            if watchdog.delayed and (rows := node.on_disk()) is not None:
                watchdog.restored(node.address, rows)
        self.notes.node(kind, node, text)

    def ticked(self, node: SimNode, batch: Batch, tick: Tick) -> None:
        """A tick of a node is safe."""
        self.notes.node("tick", node, batch=batch, tick=tick)
        watchdog = self._watchdogs.get(type(node.program))
        if watchdog is not None:
            try:
                watchdog.ticked(node.address, tick, self.now)
            except InvariantViolation as violation:
                self.fail(violation, node)
        for name, check in self._always:
            self._ask(name, check, node)
        self.mishaps.after_tick(node)

    def note_fault(self, text: str, node: str = "") -> None:
        """A fault by hand."""
        self.counts["by hand"] += 1
        self.notes.fault(text, node)

    # -- inside

    def _run(self, end: float, enough: Callable[[], object]) -> bool:
        """Let things happen until a time or a condition; returns whether the condition holds."""
        agenda = self.agenda
        while True:
            self._check()
            if enough():
                return True
            due = agenda.next()
            if due is None or due > end:
                return False
            if due > agenda.now:
                self._at_once = 0
            elif self._at_once >= _MOST_AT_ONCE:
                raise SimulationError(f"more than {_MOST_AT_ONCE:,} events at {self.now:g} s: does it go on without end?")
            self._make(agenda.pop())

    def _make(self, call: Call) -> None:
        """Make a call, unless its node stands still; and let the node crash in it."""
        node = call.owner
        self._at_once += 1
        if not isinstance(node, SimNode):
            call.callback()
            return
        end = node.paused_until(self.now)
        if end is not None:
            self.agenda.defer(call, end)
            return
        before = node.tick_count
        try:
            call.callback()
            if self.mishaps.crashes:
                for number in range(before + 1, node.tick_count + 1):
                    node.crash_point("tick", number)
        except Crashed as crashed:
            node.crashed(crashed.down)
        if node.failed_store():
            node.stop_failed()

    def _address(self, node: Where, early: bool = False) -> str:
        found = node.address if isinstance(node, SimNode) else node
        if found not in self.nodes and not (early and not self.nodes and isinstance(found, str)):
            raise UsageError(f"there is no node {found!r:.80}", hint=f"there are {', '.join(self.nodes) or 'none yet'}")
        return found

    def _group(self, nodes: Collection[Where] | Where) -> set[str]:
        several: Collection[Where] = [nodes] if isinstance(nodes, SimNode | str) else nodes
        return {self._address(one) for one in several}

    def _check(self) -> None:
        if self._failure is not None:
            failure, self._failure = self._failure, None
            self.notes.failure(failure)
            raise failure

    def _ask(self, name: str, check: Callable[[], object], node: SimNode) -> None:
        found = check()
        if found is False or (found is not None and found is not True and bool(found)):
            self.fail(ClusterViolation(name, found), node)

    def _deliver(self, frame: Frame) -> None:
        node = self.nodes.get(frame.destination)
        if node is None:
            self.network.lose(frame, "there is no such node")
        else:
            node.take_frame(frame)

    def _state(self) -> str:
        down = [node.address for node in self.nodes.values() if not node.up]
        waiting = sum(not task.done() for task in self._tasks)
        return f"at {self.now:.6g} s: {self.agenda.busy} calls under way, {waiting} clients waiting" + (
            f", down: {', '.join(down)}" if down else ""
        )


def _called(callback: Callable[[], object]) -> None:
    callback()
