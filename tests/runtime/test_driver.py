"""The life of a node in virtual time: no event loop, no socket, no file."""
# ruff: noqa: B015
# mypy: disable-error-code="operator"
# fmt: off

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

import pytest

from bloompy import Bloom, channel, interface, invariant, loopback, rule, table
from bloompy.engine.tick import Durable
from bloompy.errors import StoreError
from bloompy.program import machine_of
from bloompy.runtime.counters import Counters
from bloompy.runtime.driver import Driver
from bloompy.runtime.interfaces import Receiver
from bloompy.runtime.limits import Limits
from bloompy.stores.memory import MemoryStore
from bloompy.transports.frames import FrameCodec
from tests.runtime.programs import Beat, Inverse, KeyValue


class Call:
    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback, self.cancelled = callback, False

    def cancel(self) -> None:
        self.cancelled = True


class VirtualClock:
    """Time that passes only when told to."""

    def __init__(self) -> None:
        self.time = 1000.0
        self._calls: list[tuple[float, int, Call]] = []
        self._number = 0

    def now(self) -> float:
        return self.time

    def call_soon(self, callback: Callable[[], None]) -> Call:
        return self.call_at(self.time, callback)

    def call_at(self, when: float, callback: Callable[[], None]) -> Call:
        call = Call(callback)
        self._number += 1
        heapq.heappush(self._calls, (when, self._number, call))
        return call

    def run(self, until: float = 0) -> None:
        """Make all calls that are due until a time."""
        until = max(until, self.time)
        while self._calls and self._calls[0][0] <= until:
            self.time, _, call = heapq.heappop(self._calls)
            if not call.cancelled:
                call.callback()
        self.time = until


class Wires:
    """A transport that only notes what it should send."""

    frame_bytes = 10_000
    dropped = 0

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes]] = []
        self.pauses: list[str] = []

    async def open(self) -> str:
        return "me"

    async def start(self, receiver: Receiver) -> None:
        pass

    def send(self, address: str, frame: bytes) -> None:
        self.sent.append((address, frame))

    def pause(self) -> None:
        self.pauses.append("pause")

    def resume(self) -> None:
        self.pauses.append("resume")

    async def close(self) -> None:
        pass


class Rig:
    """A driver with everything virtual."""

    def __init__(self, program: Bloom, limits: Limits | None = None, store: Any = None) -> None:
        self.program, self.clock, self.wires, self.counters = program, VirtualClock(), Wires(), Counters()
        self.codec = FrameCodec(program.program_ir, 1000)
        self.failures: list[BaseException] = []
        machine = machine_of(program)
        machine.move("me")
        if store is not None:
            store.open({one.name: one.schema for one in program.program_ir.collections if one.durable})
            machine.restore(store.load())
        self.driver = Driver(
            machine, self.codec, self.clock, self.wires, store, limits or Limits(), self.counters, self.failures.append
        )
        machine.on_stage = self.driver.wake
        self.driver.wake()

    def receive(self, channel: str, *rows: Any) -> None:
        for frame in self.codec.encode({channel: list(rows)}, 10_000, lambda *_: None):
            self.driver.receive("peer", frame)

    def sent(self) -> list[tuple[str, str, list[Any]]]:
        found = []
        for address, frame in self.wires.sent:
            found += [(address, channel, rows) for channel, rows in self.codec.decode(frame, lambda *_: None)]
        self.wires.sent.clear()
        return found


# --- ticks ------------------------------------------------------------------------------------------------------


def test_an_idle_node_does_not_tick() -> None:
    rig = Rig(KeyValue())
    rig.clock.run(until=5000)
    rig.driver.wake()  # as a request to another node does, or a timer that comes early
    rig.clock.run()
    assert rig.counters.ticks == 1  # the first tick of every start
    rig.receive("put", ("me", "c", 1, "k", "v"))
    rig.clock.run()
    rig.clock.run(until=9000)
    assert rig.counters.ticks == 3  # the message, and its `<+-` that changes the tables
    rig.receive("put", ("me", "c", 2, "k", "v"))
    rig.clock.run()
    assert rig.counters.ticks == 4  # `<+-` of the same row changes nothing


def test_timers_fire_by_the_clock() -> None:
    rig = Rig(Beat())
    rig.clock.run(until=1035)
    assert list(rig.program.beats) == [(1, 1010.0), (2, 1020.0), (3, 1030.0)]
    assert rig.counters.ticks == 4


def test_messages_that_wait_share_a_tick_and_replies_a_frame() -> None:
    rig = Rig(KeyValue())
    rig.clock.run()
    for number in range(5):
        rig.receive("put", ("me", "c", number, f"k{number}", 0))
    rig.receive("put", ("me", "d", 9, "k9", 0))
    rig.clock.run()
    assert [(to, len(rows)) for to, _, rows in rig.sent()] == [("c", 5), ("d", 1)]
    assert rig.counters.ticks == 3


def test_a_tick_takes_no_more_messages_than_it_may() -> None:
    rig = Rig(KeyValue(), Limits(tick_rows=4, mailbox_rows=8))
    rig.receive("put", *[("me", "c", number, f"k{number}", 0) for number in range(10)])
    assert rig.wires.pauses == ["pause"]
    rig.clock.run()
    assert [len(rows) for _, _, rows in rig.sent()] == [4, 4, 2]
    assert rig.wires.pauses == ["pause", "resume"]


class Echo(Bloom):
    ping = channel("@to: str, n: int")
    again = loopback("n: int")
    start = interface.input("n: int")
    seen = table("what: str, n: int")

    @rule
    def pass_on(self):
        self.ping <~ ((self.me, s.n) for s in self.start)
        self.again <~ ((p.n + 1,) for p in self.ping)
        self.seen <= (("ping", p.n) for p in self.ping)
        self.seen <= (("again", a.n) for a in self.again)


def test_messages_to_oneself_never_leave() -> None:
    rig = Rig(Echo())
    rig.program.start.insert((1,))
    rig.clock.run()
    assert set(rig.program.seen) == {("ping", 1), ("again", 2)}
    assert rig.wires.sent == []
    assert rig.counters.ticks == 3


class Anywhere(Bloom):
    message = channel("@to, n")
    start = interface.input("to, n")

    @rule
    def send(self):
        self.message <~ self.start


def test_what_is_no_address_is_set_aside_and_the_rest_is_sent() -> None:
    rig = Rig(Anywhere())
    rig.program.start.insert((5, 1), ("you", 2), (None, 3), ("you", object()))
    rig.clock.run()
    assert rig.sent() == [("you", "message", [("you", 2)])]
    assert [(letter.channel, letter.error.split(":")[0]) for letter in rig.program.dead_letter] == [
        ("message", "UsageError"), ("message", "UsageError"), ("message", "WireError")
    ]


# --- splitting --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [{0}, {6}, {3, 4}, {0, 2, 5}, set(range(7))])
def test_bad_messages_are_set_aside_and_all_others_processed(bad: set[int]) -> None:
    rig = Rig(Inverse())
    rig.receive("request", *[("me", "c", n, 0 if n in bad else 1) for n in range(7)])
    rig.clock.run()
    replies = [row for _, _, rows in rig.sent() for row in rows]
    assert replies == [("c", n, 100) for n in range(7) if n not in bad]
    assert {row[0] for row in rig.program.seen} == set(range(7)) - bad
    letters = sorted(rig.program.dead_letter)
    assert [(letter.channel, letter.row) for letter in letters] == [("request", ("me", "c", n, 0)) for n in sorted(bad)]
    assert all(letter.error.startswith("ZeroDivisionError") for letter in letters)
    assert rig.counters.dead_letters == len(bad)
    assert rig.failures == []


def test_a_staged_row_that_fails_is_set_aside() -> None:
    rig = Rig(Inverse())
    rig.program.ask.insert((1, 0), (2, 4))
    rig.clock.run()
    assert {row[0] for row in rig.program.seen} == {2}
    assert [(letter.channel, letter.row) for letter in rig.program.dead_letter] == [("ask", (1, 0))]


def test_a_staged_change_of_a_table_that_fails_is_set_aside() -> None:
    rig = Rig(KeyValue())
    rig.program.data.insert(("a", 1), ("b", 1))
    rig.clock.run()
    rig.program.data.insert(("a", 2), ("c", 1))
    rig.clock.run()
    assert set(rig.program.data) == {("a", 1), ("b", 1), ("c", 1)}
    ((_, channel, row, error, _),) = rig.program.dead_letter
    assert (channel, row) == ("data", ("a", 2))
    assert error.startswith("KeyConflict")


class FailingBeat(Beat):
    @rule
    def fail(self):
        self.beats <= ((1000 * b.no // (b.no - 2), 0.0) for b in self.beat)


def test_a_timer_row_that_fails_is_set_aside() -> None:
    rig = Rig(FailingBeat())
    rig.clock.run(until=1035)
    assert [(letter.channel, letter.row) for letter in rig.program.dead_letter] == [("beat", (2, 1020.0))]
    assert {1, 3} <= {row.no for row in rig.program.beats}


class Doomed(Bloom):
    limit = table("-> n: int")
    quotient = table("-> n")
    ask = interface.input("number: int")
    seen = table("number: int")

    @rule
    def divide(self):
        self.limit <+- ((n.n - 1,) for n in self.limit)
        self.quotient <+- ((1 // n.n,) for n in self.limit)
        self.seen <= self.ask


def test_a_tick_that_fails_without_input_ends_the_node_and_blames_no_message() -> None:
    rig = Rig(Doomed())
    rig.clock.run()
    rig.program.limit.insert((2,))
    rig.clock.run()
    (error,) = rig.failures
    assert isinstance(error, ZeroDivisionError)
    assert rig.driver.stopped
    assert list(rig.program.limit) == [(1,)]


def test_a_message_beside_such_a_tick_is_not_set_aside() -> None:
    rig = Rig(Doomed())
    rig.clock.run()
    rig.program.limit.insert((1,))
    rig.driver.turn()
    rig.program.ask.insert((7,))
    rig.clock.run()
    assert [type(error) for error in rig.failures] == [ZeroDivisionError]
    assert rig.counters.dead_letters == 0


class Watched(Bloom):
    ask = channel("@to: str, n: int")
    kept = table("n: int")

    @rule
    def keep(self):
        self.kept <= ((a.n,) for a in self.ask)

    @invariant
    def small(self):
        (k for k in self.kept if k.n > 10)


def test_a_message_that_would_violate_an_invariant_is_set_aside() -> None:
    rig = Rig(Watched())
    rig.receive("ask", ("me", 5), ("me", 50), ("me", 6))
    rig.clock.run()
    assert set(rig.program.kept) == {(5,), (6,)}
    (letter,) = rig.program.dead_letter
    assert letter.error.startswith("InvariantViolation")


def test_dead_letters_do_not_grow_for_ever() -> None:
    rig = Rig(Inverse())
    for start in range(0, 1100, 100):
        rig.receive("request", *[("me", "c", start + n, 0) for n in range(100)])
        rig.clock.run()
    assert len(rig.program.dead_letter) == 1000
    assert min(letter.no for letter in rig.program.dead_letter) == 101


# --- commit, send, call back ------------------------------------------------------------------------------------


class Watching(MemoryStore):
    """Notes the order of things."""

    def __init__(self, events: list[str]) -> None:
        super().__init__()
        self.events = events

    def write(self, change: Durable) -> None:
        self.events.append(f"write {sorted(change.upserted)}")
        super().write(change)

    def sync(self) -> None:
        self.events.append("sync")
        super().sync()


def test_commit_comes_before_sending_and_that_before_callbacks() -> None:
    events: list[str] = []
    rig = Rig(KeyValue(), store=Watching(events))
    rig.wires.send = lambda address, frame: events.append(f"send to {address}")  # type: ignore[method-assign]
    rig.program.put.on_insert(lambda row: events.append("callback"))
    rig.receive("put", ("me", "c", 1, "k", "v"))
    rig.clock.run()
    assert events == ["write ['copy', 'data']", "sync", "send to c", "callback"]


class Failing(MemoryStore):
    def sync(self) -> None:
        raise StoreError("the disk is gone")


def test_an_error_of_the_store_ends_the_node_at_once() -> None:
    rig = Rig(KeyValue(), store=Failing())
    rig.receive("put", ("me", "c", 1, "k", "v"), ("me", "c", 2, "l", "v"))
    rig.clock.run()
    rig.receive("put", ("me", "c", 3, "k", "v"))
    rig.clock.run()
    assert [type(error) for error in rig.failures] == [StoreError]
    assert rig.sent() == []
    assert rig.counters.dead_letters == 0


def test_a_value_that_cannot_be_stored_is_set_aside_with_its_message() -> None:
    store = MemoryStore()
    rig = Rig(KeyValue(), store=store)
    rig.program.data.insert(("a", 1))
    rig.clock.run()
    assert store.load()["data"] == [("a", 1)]
    assert rig.failures == []


def test_keyboard_interrupt_is_no_dead_letter() -> None:
    rig = Rig(Inverse())

    def interrupt(row: object) -> None:
        raise KeyboardInterrupt

    rig.program.request.on_insert(interrupt)
    rig.receive("request", ("me", "c", 1, 1))
    with pytest.raises(KeyboardInterrupt):
        rig.clock.run()
    assert rig.counters.dead_letters == 0


def test_a_callback_that_raises_does_not_end_the_node(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig(Inverse())

    def fail(row: object) -> None:
        raise ValueError("no good")

    rig.program.request.on_insert(fail)
    rig.receive("request", ("me", "c", 1, 1))
    rig.clock.run()
    assert rig.counters.callback_errors == 1
    assert "no good" in caplog.text
    assert [rows for _, _, rows in rig.sent()] == [[("c", 1, 100)]]
    assert rig.failures == []


def test_what_was_staged_before_the_stop_still_takes_part() -> None:
    rig = Rig(KeyValue())
    rig.clock.run()
    rig.program.data.insert(("a", 1))
    rig.driver.stop()
    assert set(rig.program.data) == {("a", 1)}
    rig.program.data.insert(("b", 1))
    rig.clock.run()
    assert set(rig.program.data) == {("a", 1)}


def test_a_batch_that_is_split_when_the_node_stops_is_done_to_the_end() -> None:
    rig = Rig(Inverse())
    rig.clock.run()
    rig.program.ask.insert(*[(number, number % 4) for number in range(16)])
    rig.driver.stop()
    assert {row[0] for row in rig.program.seen} == {number for number in range(16) if number % 4}


def test_tables_are_there_after_a_restart() -> None:
    store = MemoryStore()
    rig = Rig(KeyValue(), store=store)
    rig.receive("put", ("me", "c", 1, "k", "v"))
    rig.clock.run()
    store.close()
    again = Rig(KeyValue(), store=store)
    again.clock.run()
    assert set(again.program.data) == {("k", "v")}


def test_conflicting_messages_are_split_apart() -> None:
    rig = Rig(KeyValue())
    rig.receive("put", ("me", "c", 1, "k", "old"), ("me", "c", 2, "k", "new"))
    rig.clock.run()
    assert set(rig.program.data) == {("k", "new")}
    assert rig.counters.dead_letters == 0
    assert [row[3] for _, _, rows in rig.sent() for row in rows] == ["old", "new"]
