"""A simulated node: the program, its runtime as in production, and its disk; it can be crashed and restarted."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from bloompy.engine.tick import Batch, PlainRow, Tick
from bloompy.errors import CallTimeout, DeadLetter, InvariantViolation, NodeStopped, StoreError, UsageError, WireError
from bloompy.program import Bloom, machine_of
from bloompy.runtime.counters import Counters
from bloompy.runtime.driver import Driver
from bloompy.runtime.interfaces import Receiver
from bloompy.runtime.limits import Limits
from bloompy.schema import Schema
from bloompy.sim.clock import NodeClock
from bloompy.sim.disk import Disk, DiskStore
from bloompy.sim.network import Frame
from bloompy.sim.tasks import Answer
from bloompy.sim.trace import shown
from bloompy.transports.frames import FrameCodec

if TYPE_CHECKING:
    from bloompy.sim.simulation import Simulation

Make = Callable[..., Bloom]
"""Makes an instance, given `me`, `seed` and `clock`."""

_FRAMES: WeakKeyDictionary[type[Bloom], FrameCodec] = WeakKeyDictionary()


class Crashed(BaseException):
    """Ends a node in the middle of what it does. No `Exception`: nothing in a program or runtime may catch it."""

    def __init__(self, down: Any) -> None:
        super().__init__("crashed by the simulation")
        self.down = down


class SimNode:
    """One node of a simulation, made by `Simulation.add`.

    Collections of its program are attributes: `node.kv.insert(…)`, `("k",) in node.kv`; after a restart they are those of the new
    incarnation. Asking for them while the node is down raises NodeStopped. A collection with a name that stands below is reached
    by `node.program.NAME`.

    Attributes:
        address: its own.
        program: the present incarnation, or the last.
        incarnation: number of starts.
        up: whether it runs.
        disk: of its durable tables; None without a store.
        own_clock: which may be wrong.
        ended_by: what ended it, where that was no crash.
        safe_step: number of the last tick of this incarnation whose messages may leave. Nothing takes it back, but a crash where it
            changed nothing durable but delayed tables.
        stored_step: number of the last tick of this incarnation whose durable changes are on the disk, with all before it.
        tick_count, sync_count, send_count: how many there were, in all incarnations: the points at which it can be made to crash.
    """

    def __init__(self, sim: Simulation, address: str, make: Make, store: bool, setup: Callable[[Any], object] | None) -> None:
        self.sim, self.address, self._make, self._setup = sim, address, make, setup
        self.disk = Disk() if store else None
        self.own_clock = NodeClock(sim.agenda, self)
        self.incarnation = self.tick_count = self.sync_count = self.send_count = 0
        self.up = False
        self.ended_by: BaseException | None = None
        self.pauses: list[tuple[float, float]] = []
        self._unsafe: list[tuple[Batch, Tick]] = []
        self.safe_step = self.stored_step = 0

    def __repr__(self) -> str:
        state = "up" if self.up else f"ended by {type(self.ended_by).__name__}" if self.ended_by is not None else "down"
        return f"<SimNode {type(self.program).__name__} {self.address}, {state}, start {self.incarnation}, {self.tick_count:,} ticks>"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or "program" not in self.__dict__:
            raise AttributeError(name)
        if not self.__dict__["up"]:
            raise NodeStopped(f"{self.address} is down", hint="restart() it first, or ask only nodes that are `up`")
        return getattr(self.__dict__["program"], name)

    # -- life

    def begin(self) -> None:
        """Begin an incarnation: a new instance, with the durable tables of the disk."""
        if self.up:
            raise UsageError(f"{self.address} is up", hint="crash it first")
        self.incarnation += 1
        self.ended_by = None
        seed = self.sim.seed * 1_000 + self.incarnation
        self.program = self._make(me=self.address, seed=seed, clock=self.own_clock.now)
        self.machine = machine = machine_of(self.program)
        if machine.me != self.address:
            raise UsageError(f"the program of {self.address!r} has the address {machine.me!r}", hint="make it with the address it is given")
        if self.sim.pool is not None:
            self.sim.pool.serve(machine)
        machine.evaluator.on_violation = self._violated
        machine.on_tick = self._ticked
        self.up = True
        self.sim.started(self)
        store = self._open()
        if self.ended_by is not None:
            return
        limits = self.sim.limits
        counters = Counters(clock=self.own_clock.now)
        transport = _SimTransport(self, limits)
        codec = _codec(self.program, limits)
        self.driver = _SimDriver(self, machine, codec, self.own_clock, transport, store, limits, counters, self._failed)
        transport.receiver = self.driver
        self.transport, self.runtime_counters = transport, counters
        machine.on_stage = self.driver.wake
        self.driver.wake()
        if self._setup is not None:
            self._setup(self)

    def crash(self, *, power_loss: bool = False, down_s: float | None = None) -> None:
        """Stop at once, as a process does that is killed: what was not synchronised is gone, nothing more is sent.

        Args:
            power_loss: what the operating system had not written is gone too.
            down_s: restart after so many seconds; None to stay down until `restart`.
        """
        self._check_up()
        self._end("crash", "power loss" if power_loss else "")
        if down_s is not None:
            self.sim.agenda.at(self.sim.now + down_s, self._start_again)

    def restart(self) -> None:
        """Start again, crashing first if it is up."""
        if self.up:
            self.crash()
        self.begin()

    def power_loss(self, down_s: float | None = None) -> None:
        """Crash so that also what the operating system had not written is gone."""
        self.crash(power_loss=True, down_s=down_s)

    def wipe(self) -> None:
        """Lose the disk; the node, if it is up, is crashed first."""
        if self.up:
            self.crash()
        if self.disk is None:
            raise UsageError(f"{self.address} has no disk", hint="declare a table durable, or add the node with store=True")
        self.disk.wipe()
        self.sim.note_fault(f"the disk of {self.address} is lost", self.address)

    def pause(self, seconds: float) -> None:
        """Stand still for a time, as in a long garbage collection: what arrives waits."""
        self.pauses.append((self.sim.now, self.sim.now + seconds))
        self.sim.note_fault(f"{self.address} stands still for {seconds:g} s", self.address)

    def skew(self, seconds: float) -> None:
        """Move its clock forward, or back if negative, from now on."""
        self.own_clock.set(skew_s=seconds)
        self._replan()
        self.sim.note_fault(f"the clock of {self.address} jumps by {seconds:g} s", self.address)

    def drift(self, rate: float) -> None:
        """Have its clock run `rate` times as fast from now on."""
        if not rate > 0:
            raise UsageError(f"drift({rate!r})", hint="give a rate such as 1.01, for one second more in a hundred")
        self.own_clock.set(rate=rate)
        self._replan()
        self.sim.note_fault(f"the clock of {self.address} runs {rate:g} times as fast", self.address)

    def paused_until(self, now: float) -> float | None:
        """The end of the pause that it is in at a time, if any."""
        return max((end for start, end in self.pauses if start <= now < end), default=None) if self.pauses else None

    # -- requests

    def call(self, request: str, row: Any, *, reply: str, timeout_s: float = 10.0) -> Answer:
        """Send or stage a request row; its reply, as `Node.call` finds it, is the answer.

        Returns:
            an answer to be awaited by a coroutine of `Simulation.spawn`, or read after the simulation ran on. It fails with
            CallTimeout or NodeStopped.
        """
        self._check_up()
        calls = self.driver.calls
        declared = calls.collection(request)
        plain = declared.schema.check(request, row)
        answer = Answer()
        call = calls.expect(request, plain, reply, answer)
        self.sim.notes.node("operation", self, f"{request}{shown(plain)}")
        if declared.kind == "channel":
            self.driver.outbox.add(request, (plain,))
            self.driver.wake()
        else:
            self.machine.stage(request, "insert", (plain,))
        timer = self.sim.agenda.at(self.sim.now + timeout_s, lambda: answer.set_exception(_no_reply(request, plain, reply, timeout_s)))

        def forget() -> None:
            timer.cancel()
            calls.forget(call)
            self.sim.notes.node("operation", self, f"{request}{shown(plain)} -> {answer.text}")

        answer.then(forget)
        return answer

    # -- what the network does with it

    def take_frame(self, frame: Frame) -> None:
        """Take a frame in."""
        if not self.up:
            self.sim.network.lose(frame, "the node is down")
        elif frame.whole:
            self.sim.notes.frame("deliver", frame, "")
            self.transport.take(frame)
        else:
            self.sim.notes.frame("refuse", frame, "damaged on the way")
            self.driver.refuse(frame.source, "malformed", WireError("the frame does not have its checksum"))

    def crash_point(self, point: str, number: int) -> None:
        """Crash here, if that was decided. Raises Crashed."""
        down = self.sim.mishaps.crash(self, point, number)
        if down is not None:
            raise Crashed(down)

    def crashed(self, down: Any) -> None:
        """Go down as was decided: for how long, and how."""
        seconds, how = down
        self.sim.counts["crash"] += 1
        self._end("crash", {"power": "power loss", "wipe": "and the disk is lost"}.get(how, ""))
        if how == "wipe" and self.disk is not None:
            self.disk.wipe()
        if seconds is not None:
            self.sim.agenda.at(self.sim.now + float(seconds), self._start_again)

    def tell_ticks(self) -> None:
        """Have the simulation see the ticks that are safe now."""
        done, self._unsafe = self._unsafe, []
        for batch, tick in done:
            self.tick_count += 1
            self.safe_step = batch.step
            self.sim.ticked(self, batch, tick)

    def on_disk(self) -> dict[str, list[PlainRow]] | None:
        """The durable rows that a restart would find; None where it would find the disk damaged, or none."""
        if self.disk is None:
            return None
        store = DiskStore(self.disk, type(self.program), lambda point, record: None)
        try:
            store.open(self._durable_tables())
            return store.load()
        except StoreError:
            return None

    # -- inside

    def _durable_tables(self) -> dict[str, Schema]:
        return {one.name: one.schema for one in self.machine.program.collections if one.durable}

    def _open(self) -> DiskStore | None:
        """The store on the disk, its rows restored; the node ends here if the disk is damaged."""
        self.safe_step = self.stored_step = 0
        if self.disk is None:
            return None
        store = DiskStore(self.disk, type(self.program), self._sync_point)
        self.sim.mishaps.rot(self)
        try:
            store.open(self._durable_tables())
            rows = store.load()
        except StoreError as error:
            self._failed(error)
            self._end("stop", f"{type(error).__name__}: {error.message}")
            return None
        self.machine.restore(rows)
        self.sim.restored(self, rows)
        return store

    def _sync_point(self, point: str, record: bytes) -> None:
        if point == "before_sync":
            self.sync_count += 1
            self.crash_point("before_sync", self.sync_count)
            if (error := self.sim.mishaps.disk_error(self, self.sync_count)) is not None:
                raise error
            self._crash_in_sync(record)
            return
        self.stored_step = self.machine.step
        if (down := self.sim.mishaps.crash(self, "after_sync", self.sync_count)) is not None:
            self.tell_ticks()
            raise Crashed(down)

    def _crash_in_sync(self, record: bytes) -> None:
        """Crash while a transaction is written: it is torn where the power fails, and whole where only the process dies."""
        down = self.sim.mishaps.crash(self, "in_sync", self.sync_count)
        if down is None:
            return
        assert self.disk is not None
        if down[1] == "power":
            self.disk.tear(record)
        else:
            self.disk.append(record)
            self.stored_step = self.machine.step
            self.tell_ticks()
        raise Crashed(down)

    def _ticked(self, batch: Batch, tick: Tick) -> None:
        self._unsafe.append((batch, tick))

    def _violated(self, violation: InvariantViolation) -> None:
        self.sim.fail(violation, self)

    def set_aside(self, channel: str, row: PlainRow, error: Exception) -> None:
        """A message made its tick fail."""
        if self.sim.dead_letters == "fail":
            failure = DeadLetter(f"{self.address} set aside {row!r:.300} of {channel!r}: {type(error).__name__}: {error}")
            error.__context__ = None  # the same error, of the batch that it was in
            failure.__cause__ = error
            self.sim.fail(failure, self)

    def _failed(self, error: BaseException) -> None:
        if isinstance(error, Crashed):
            return
        self.ended_by = error
        if not isinstance(error, StoreError):
            self.sim.fail(error, self)

    def failed_store(self) -> bool:
        """Whether its store ended it and it has not been taken down yet."""
        return self.up and self.ended_by is not None

    def stop_failed(self) -> None:
        """Take a node down whose store failed."""
        error = self.ended_by
        self._end("stop", f"{type(error).__name__}: {getattr(error, 'message', error)}")

    def _end(self, kind: Any, text: str) -> None:
        self.up = False
        self._unsafe.clear()
        if "driver" in self.__dict__:
            self.driver.stopped = True
            self.machine.on_stage = None
            self.driver.calls.close(NodeStopped(f"{self.address} went down"))
        self.sim.ended(self, kind, text)
        self.let_go("is down")

    def let_go(self, state: str) -> None:
        """Let others have what the incarnation was evaluated with, where evaluators are used again."""
        if self.sim.pool is not None:
            self.sim.pool.take_back(self.machine, f"{self.address} {state}")

    def _start_again(self) -> None:
        if not self.up:
            self.begin()

    def _replan(self) -> None:
        if self.up:
            self.driver.wake()

    def _check_up(self) -> None:
        if not self.up:
            raise NodeStopped(f"{self.address} is down", hint="restart() it first")


def _no_reply(request: str, row: PlainRow, reply: str, timeout_s: float) -> CallTimeout:
    return CallTimeout(
        f"no row came in {reply!r} within {timeout_s:g} s for {request!r} {row!r:.200}",
        hint="the request may or may not have been served; a retry should carry the same key",
    )


def _codec(program: Bloom, limits: Limits) -> FrameCodec:
    found = _FRAMES.get(type(program))
    if found is None:
        found = _FRAMES[type(program)] = FrameCodec(program.program_ir, int(limits.frame_rows))
    return found


class _SimDriver(Driver):
    """A driver whose ticks and dead letters the simulation sees."""

    def __init__(self, node: SimNode, *arguments: Any) -> None:
        self._node = node
        super().__init__(*arguments)

    def safe(self) -> None:
        """The ticks go into the trace, and invariants of the cluster are checked, before anything leaves."""
        self._node.tell_ticks()

    def set_aside(self, channel: str, row: PlainRow, error: Exception) -> None:
        """As in production; the simulation is told."""
        self._node.set_aside(channel, row, error)
        super().set_aside(channel, row, error)

    def decoded(self, frame: bytes) -> list[tuple[str, list[PlainRow]]]:
        """What a frame of this program's channels holds."""
        return self._codec.decode(frame, lambda reason, error: None)

    def show(self, rows: list[PlainRow]) -> None:
        """Lines go into the trace."""
        for row in rows:
            self._node.sim.notes.node("operation", self._node, f"prints {str(row[0])!r}")


class _SimTransport:
    """The `Transport` of one incarnation."""

    def __init__(self, node: SimNode, limits: Limits) -> None:
        self.frame_bytes, self.dropped = limits.frame_bytes, 0
        self.receiver: Receiver | None = None
        self._node, self._paused = node, False
        self._waiting: list[Frame] = []

    async def open(self) -> str:
        """Nothing to be taken."""
        return self._node.address

    async def start(self, receiver: Receiver) -> None:
        """Pass frames in."""
        self.receiver = receiver

    def send(self, address: str, frame: bytes) -> None:
        """Give a frame to the network."""
        node = self._node
        if node.transport is not self or not node.up:
            return  # it was crashed by a callback, in the middle of its turn
        node.send_count += 1
        node.crash_point("send", node.send_count)
        node.sim.network.send(node.address, address, frame)

    def take(self, frame: Frame) -> None:
        """Pass a frame in, or keep it while paused."""
        if self._paused:
            self._waiting.append(frame)
        elif self.receiver is not None:
            self.receiver.receive(frame.source, frame.data)

    def pause(self) -> None:
        """Keep frames."""
        self._paused = True

    def resume(self) -> None:
        """Pass on what was kept."""
        self._paused = False
        waiting, self._waiting = self._waiting, []
        for frame in waiting:
            self.take(frame)

    async def close(self) -> None:
        """Nothing to let go of."""
