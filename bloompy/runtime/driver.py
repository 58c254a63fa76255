"""The life of a node: mailbox -> ticks -> synchronisation -> send -> callbacks.

A `Driver` knows no event loop, socket or file: it stands on a Clock, a Transport and a Store, so a simulation can drive it
in virtual time. Everything in it runs in one thread; `Machine.lock` keeps readers of other threads to ticks that are safe.

Ticks that are ready one after the other share one synchronisation of the store (group commit: DeWitt et al., "Implementation
techniques for main memory database systems", SIGMOD 1984, section 5.2). What they tell each other by loopbacks needs not wait
for it: the store holds the changes in the order of the ticks, so whatever is lost with a tick is all that came after it.

A tick for nothing but what the last one left pending waits until that is safe and sent, unless the last such tick had the store
written to again: mostly it does not, as the store holds pending changes already, and then it would only keep the messages waiting.

Ticks that change no durable tables but delayed ones need no synchronisation: their changes wait in the store, in the same order, for
the next one, for `Limits.delay_s` at most.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from bloompy.engine.machine import Machine
from bloompy.engine.tick import Batch, Durable, PlainRow, Tick
from bloompy.runtime.calls import Calls
from bloompy.runtime.counters import Counters
from bloompy.runtime.interfaces import Clock, Store, Timer, Transport
from bloompy.runtime.limits import Limits
from bloompy.runtime.mailbox import Mailbox
from bloompy.runtime.outbox import Outbox
from bloompy.runtime.splitting import Part, batch_of, letters, units
from bloompy.transports.frames import FrameCodec

_LOG = logging.getLogger("bloompy.node")


class Driver:
    """Runs the ticks of one machine. An idle one does not tick: only messages, staged rows, timers and pending changes wake it.

    Args:
        machine: the program's instance, its address set.
        codec: of its channels.
        clock, transport, store: what the node stands on, opened.
        limits: bounds.
        counters: kept up to date.
        on_failure: called once with the error that ended the node.
    """

    def __init__(
        self,
        machine: Machine,
        codec: FrameCodec,
        clock: Clock,
        transport: Transport,
        store: Store | None,
        limits: Limits,
        counters: Counters,
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self.machine, self.counters = machine, counters
        self.mailbox, self.calls = Mailbox(), Calls(machine.program)
        self.outbox = Outbox(machine.program, machine.me, transport, codec, counters, self.mailbox.put, self.set_aside)
        self._codec, self._clock, self._transport, self._store, self._limits = codec, clock, transport, store, limits
        self._on_failure = on_failure
        self._commit = self._write if store is not None else None
        self._parts: list[Part] = []
        self._done: list[Tick] = []
        self._unsafe = self._wrote = False
        self._consequential = True  # ticks for what is pending alone change more durable tables than those before them: the last did
        self._prompt = frozenset(one.name for one in machine.program.collections if one.durable and not one.delayed)
        self._delayed_since: float | None = None  # changes of delayed tables wait in the store
        self._delay: Timer | None = None
        self._stdio = {one.name for one in machine.program.collections if one.kind == "stdio"}
        self._timer: Timer | None = None
        self._first = True
        self._scheduled = self._paused = self.stopped = False

    # -- the transport's receiver

    def receive(self, peer: str, frame: bytes) -> None:
        """Take in a frame: its rows wait in the mailbox."""
        if self.stopped:
            return
        self.counters.frames_received += 1
        try:
            found = self._codec.decode(frame, lambda reason, error: self.refuse(peer, reason, error))
        except Exception as error:  # nothing that a peer can send may end the loop, not even by a fault of ours
            self.refuse(peer, "malformed", error)
            return
        for channel, rows in found:
            self.counters.rows_received += len(rows)
            self.mailbox.put(channel, rows)
        if self.mailbox.size:
            self.wake()
            if self.mailbox.size >= self._limits.mailbox_rows and not self._paused:
                self._paused = True
                self._transport.pause()

    def refuse(self, peer: str, reason: str, error: Exception) -> None:
        """Count and log what was not taken in."""
        self.counters.refuse(peer, reason, error)

    # -- turns

    def wake(self) -> None:
        """Have a turn soon, in the node's own thread."""
        if not self._scheduled and not self.stopped:
            self._scheduled = True
            self._clock.call_soon(self.turn)

    def turn(self) -> None:
        """Run the tick that is due, if any, and plan the next turn. What it raises ends the node."""
        self._scheduled = False
        if not self.stopped:
            self._attempt(self._take_turn)

    def _take_turn(self) -> None:
        self._run_ready()
        self.outbox.flush()
        self._plan()

    def _attempt(self, work: Callable[[], None]) -> None:
        """Do something; what it raises ends the node."""
        try:
            work()
        except BaseException as error:
            self.stopped = True
            self._on_failure(error)
            if not isinstance(error, Exception):
                raise

    def _run_ready(self) -> None:
        """Run the tick that is due, and while something waits for the store also those that follow at once; make them safe."""
        if self._store is None:
            self._run_due()
            return
        try:
            with self.machine.lock:  # readers wait: nobody sees a tick that could still be lost
                try:
                    while self._run_due() and self._unsafe and len(self._done) < self._limits.sync_ticks:
                        pass
                finally:  # a tick that ends the node does not take back those before it
                    self._sync()
        finally:
            self._release()

    def _run_due(self) -> bool:
        """Run a tick if one is due; returns whether there was one."""
        machine = self.machine
        if self._parts:
            self._run(batch_of(machine, self._parts.pop()))
            return True
        now = self._clock.now()
        machine.shorten_timers(now)
        asked = self._first or self.mailbox.size or machine.has_input() or _is_due(machine.next_timer(), now)
        if not asked and (self._unsafe and not self._consequential or not machine.pending()):
            return False
        batch = machine.take(now)
        if self.mailbox.size:
            batch = _with_messages(batch, self.mailbox.take(self._limits.tick_rows))
            if self._paused and self.mailbox.size <= self._limits.mailbox_rows // 2:
                self._paused = False
                self._transport.resume()
        self._first = self._wrote = False
        self._run(batch)
        if not asked:
            self._consequential = self._wrote
        return True

    def _plan(self) -> None:
        machine = self.machine
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._parts or self.mailbox.size or machine.has_input() or machine.pending():
            self.wake()
        elif (due := machine.next_timer()) is not None:
            self._timer = self._clock.call_at(due, self.turn)

    def stop(self) -> None:
        """No turn after this one, in which what was staged before still takes part, and what is delayed becomes safe."""
        if not self.stopped and self.machine.has_input():
            self.turn()
        while not self.stopped and self._parts:
            self.turn()
        if not self.stopped:
            self._attempt(self._sync_delayed)
        self.stopped = True
        for timer in (self._timer, self._delay):
            if timer is not None:
                timer.cancel()

    # -- ticks

    def _run(self, batch: Batch) -> None:
        try:
            tick = self.machine.run(batch, self._commit)
        except Exception as error:
            self._split(batch, error)
        else:
            self._finish(tick)

    def _finish(self, tick: Tick) -> None:
        """Gather what the tick sends; without a store it leaves at once."""
        self.counters.ticks += 1
        for channel, rows in tick.sent.items():
            if channel not in self._stdio:
                self.outbox.add(channel, rows)
        self._done.append(tick)
        if self._store is None:
            self._release()

    def _write(self, change: Durable) -> None:
        if change.empty:
            return
        assert self._store is not None
        self._store.write(change)
        if self._prompt.isdisjoint(change.upserted) and self._prompt.isdisjoint(change.deleted):
            self._wait()
        else:
            self._unsafe = self._wrote = True

    def _sync(self) -> None:
        if self._unsafe:
            self._synchronise()

    def _synchronise(self) -> None:
        """Make safe all that was written. An error leaves nobody knowing what is."""
        assert self._store is not None
        try:
            self._store.sync()
        except BaseException as error:
            self._done.clear()
            self.machine.lose(error)
            raise
        self._unsafe, self._delayed_since = False, None

    # -- changes of delayed tables

    def _wait(self) -> None:
        """Have what was written become safe in time. The timer is left alone when that happens before: most often it does."""
        if self._delayed_since is None:
            self._delayed_since = self._clock.now()
            if self._delay is None:
                self._delay = self._clock.call_at(self._delayed_since + self._limits.delay_s, self._delay_over)

    def _delay_over(self) -> None:
        """The timer fired, perhaps for changes that are safe already, or before the time of those that wait now."""
        self._delay = None
        since, now = self._delayed_since, self._clock.now()
        if self.stopped or since is None:
            return
        self._delayed_since = min(since, now)  # the clock may have been set back
        due = self._delayed_since + self._limits.delay_s
        if due > now:
            self._delay = self._clock.call_at(due, self._delay_over)
        else:
            self._attempt(self._sync_delayed)

    def _sync_delayed(self) -> None:
        if self._delayed_since is not None:
            with self.machine.lock:  # a reader comes before it or after it, and after a failed one finds nothing
                self._synchronise()

    def _release(self) -> None:
        """Send, then call back: the ticks done are safe, and nothing of them can be taken back."""
        done, self._done = self._done, []
        if done:
            self.safe()
        for tick in done:
            for channel, rows in tick.sent.items():
                if channel in self._stdio:
                    self.show(rows)
        if done:
            self.outbox.flush()
        for tick in done:
            self.calls.resolve(tick)
            try:
                self.machine.notify(tick)
            except Exception:
                self.counters.callback_errors += 1
                _LOG.exception("a callback of on_insert raised; the tick stays")

    def safe(self) -> None:
        """Called when ticks are safe, before anything of them leaves. For those who watch."""

    def show(self, rows: list[PlainRow]) -> None:
        """Print the lines of a `stdio`."""
        try:
            for row in rows:
                print(row[0], flush=True)
        except (OSError, ValueError) as error:  # the reader of a pipe has gone, or the terminal does not have the characters
            _LOG.warning("not printed: %s", error)

    # -- splitting (design §3.6)

    def _split(self, batch: Batch, error: Exception) -> None:
        """Have the units of a failed batch run in halves, setting aside those that fail alone.

        Raises:
            error: if the tick fails without any input, so that no input is to blame.
        """
        found = units(batch)
        if not found:
            raise error
        if len(found) > 1:
            middle = len(found) // 2
            self._parts.append(Part(found[middle:], {}, batch.now))
            self._parts.append(Part(found[:middle], letters(batch), batch.now))  # taken first
            return
        # A tick without the unit: if that fails too, the node cannot go on, and no message is to be blamed for it.
        self._finish(self.machine.run(batch_of(self.machine, Part([], letters(batch), batch.now)), self._commit))
        try:
            tick = self.machine.run(batch_of(self.machine, Part(found, {}, batch.now)), self._commit)
        except Exception as again:
            self.set_aside(found[0].collection, found[0].row, again)
        else:
            self._finish(tick)

    def set_aside(self, channel: str, row: PlainRow, error: Exception) -> None:
        """Put a row into `dead_letter`, with what was wrong; who made a call of it is told at once."""
        self.counters.set_aside(channel, error)
        self.machine.dead_letter(channel, row, error)
        self.calls.fail(channel, row, error)


def _is_due(due: float | None, now: float) -> bool:
    return due is not None and due <= now


def _with_messages(batch: Batch, messages: dict[str, list[PlainRow]]) -> Batch:
    events = dict(batch.events)
    for channel, rows in messages.items():
        events[channel] = (*events[channel], *rows) if channel in events else tuple(rows)
    return Batch(batch.step, batch.now, batch.rand, batch.changes, events)
