"""Ticks that share one synchronisation: what leaves the node, what readers see and what a crash leaves."""
# ruff: noqa: B015
# mypy: disable-error-code="operator"
# fmt: off

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from bloompy import Bloom, Node, channel, interface, rule, table
from bloompy.engine.tick import Durable
from bloompy.errors import StoreError
from bloompy.runtime.limits import Limits
from bloompy.stores.embedded import EmbeddedStore
from bloompy.stores.memory import MemoryStore
from tests.runtime.programs import KeyValue, Protocol, Stages
from tests.runtime.test_driver import Rig


class Counting(EmbeddedStore):
    """Counts the changes that were written and the synchronisations, before each of which something can be done."""

    def __init__(self, path: Path, before: Callable[[], object] = lambda: None) -> None:
        super().__init__(path)
        self.writes, self.syncs, self.before = 0, 0, before

    def write(self, change: Durable) -> None:
        self.writes += 1
        super().write(change)

    def sync(self) -> None:
        self.syncs += 1
        self.before()
        super().sync()


@pytest.fixture
def store(tmp_path: Path) -> Counting:
    return Counting(tmp_path / "state.db")


def put(rig: Rig, *values: object, key: str = "k") -> None:
    rig.receive("put", *[("me", "c", number, key, value) for number, value in enumerate(values)])


def replies(rig: Rig) -> list[object]:
    return [row[3] for _, channel, rows in rig.sent() if channel == "stored" for row in rows]


# --- how many ---------------------------------------------------------------------------------------------------


def test_ticks_that_follow_from_a_request_share_its_synchronisation(store: Counting) -> None:
    rig = Rig(Stages(), store=store)
    rig.clock.run()
    put(rig, "v")
    rig.clock.run()
    assert (store.writes, store.syncs) == (3, 1)
    assert replies(rig) == ["v"]
    store.close()


def test_messages_that_cannot_share_a_tick_share_a_synchronisation(store: Counting) -> None:
    rig = Rig(KeyValue(), store=store)
    put(rig, *range(32))
    rig.clock.run()
    assert (store.writes, store.syncs) == (32, 1)
    assert rig.counters.ticks >= 32
    assert replies(rig) == list(range(32))
    assert store.load()["data"] == [("k", 31)]
    store.close()


def test_a_limit_of_one_tick_gives_each_its_own(store: Counting) -> None:
    rig = Rig(Stages(), Limits(sync_ticks=1), store)
    put(rig, "v")
    rig.clock.run()
    assert (store.writes, store.syncs) == (3, 3)
    put(rig, *range(8))
    rig.clock.run()
    assert (store.writes, store.syncs) == (3 + 3 * 8, 3 + 3 * 8)
    store.close()


def test_ticks_that_change_nothing_durable_cost_no_synchronisation(store: Counting) -> None:
    rig = Rig(KeyValue(), store=store)
    put(rig, "v")
    rig.clock.run()
    put(rig, "v")
    rig.clock.run()
    assert store.syncs == 1
    assert replies(rig) == ["v", "v"]
    store.close()


class Counter(Bloom):
    """Never idle; answers what it is asked."""

    count = table("-> n: int", durable=True)
    ask = channel("@server: str, client: str")
    told = channel("@client: str, n: int")

    @rule
    def go_on(self):
        self.count <+- ((c.n + 1,) for c in self.count if c.n < 1000)
        self.told <~ ((a.client, c.n) for a in self.ask for c in self.count)


def test_a_node_that_is_never_idle_synchronises_and_answers(store: Counting) -> None:
    rig = Rig(Counter(), Limits(sync_ticks=10), store)
    rig.program.count.insert((0,))
    rig.receive("ask", ("me", "c"))
    rig.driver.turn()
    assert (rig.counters.ticks, store.syncs) == (10, 1)
    assert rig.sent() == [("c", "told", [("c", 0)])]
    rig.driver.turn()
    assert (rig.counters.ticks, store.syncs) == (20, 2)
    store.close()


def test_a_tick_that_only_follows_up_waits_until_what_it_follows_is_sent(store: Counting) -> None:
    rig = Rig(KeyValue(), store=store)
    before: list[int] = []
    store.before = lambda: before.append(rig.counters.ticks)
    for number in range(3):
        put(rig, number)
        rig.clock.run()
    assert rig.counters.ticks == 6  # each request, and its `<+-`
    assert before == [2, 3, 5]  # the first time nobody knows that it changes nothing that is not on the disk already
    assert store.syncs == 3
    store.close()


def test_one_that_changes_durable_tables_anew_shares_the_synchronisation_the_next_time(store: Counting) -> None:
    rig = Rig(Both(), Limits(sync_ticks=100), store)
    rig.clock.run()
    rig.program.once.insert((1,))
    rig.clock.run()
    rig.program.once.insert((2,))  # this one's follow-up changes nothing anew, so later ones wait
    rig.clock.run()
    syncs = store.syncs
    rig.program.count.upsert((10,))
    rig.clock.run()
    assert list(rig.program.count) == [(0,)]
    assert store.syncs - syncs == 2  # its own, with what followed up alone and was found to change more, and then all others
    store.close()


class Both(Bloom):
    """Counts down, a tick a number; or keeps what is put in."""

    once = interface.input("n: int")
    kept = table("n: int", durable=True)
    count = table("-> n: int", durable=True)

    @rule
    def rules(self):
        self.kept <+ self.once
        self.count <+- ((c.n - 1,) for c in self.count if c.n > 0)


def test_keys_changed_several_times_are_written_as_they_are_at_last(store: Counting) -> None:
    store.open({one.name: one.schema for one in KeyValue.program_ir.collections if one.durable})
    store.write(Durable(upserted={"data": [("gone", 1), ("kept", 1)], "copy": [("gone", 1)]}))
    store.write(Durable(deleted={"data": ["gone", "kept"]}))
    store.write(Durable(deleted={"data": ["back"]}, upserted={"data": [("kept", 2), ("back", 2)]}))
    assert store.load() == {"data": [], "copy": []}
    store.sync()
    assert store.load() == {"data": [("back", 2), ("kept", 2)], "copy": [("gone", 1)]}
    store.close()


# --- what leaves the node, and when -----------------------------------------------------------------------------


def test_nothing_leaves_before_the_change_of_its_tick_is_safe(store: Counting) -> None:
    rig = Rig(Stages(), store=store)
    rig.clock.run()
    seen: list[object] = []
    rig.program.stages.on_insert(seen.append)
    before: list[tuple[int, int]] = []
    store.before = lambda: before.append((len(rig.wires.sent), len(seen)))
    put(rig, "v", "w")
    rig.clock.run()
    assert before == [(0, 0)]
    assert replies(rig) == ["v", "w"]
    assert [row[0] for row in seen] == [1, 1, 2, 2, 3, 3]  # type: ignore[index]
    store.close()


class Failing(MemoryStore):
    """Its synchronisation fails."""

    tried = 0

    def sync(self) -> None:
        self.tried += 1
        raise StoreError("the disk is gone")


def test_after_a_failed_synchronisation_nothing_is_sent_tried_again_or_shown() -> None:
    store, seen = Failing(), list[object]()
    rig = Rig(Stages(), store=store)
    rig.program.stages.on_insert(seen.append)
    rig.clock.run()
    put(rig, "v", "w")
    rig.clock.run()
    put(rig, "x")
    rig.program.stages.insert((1, "a", "b"))
    rig.clock.run()
    rig.driver.stop()
    assert (store.tried, replies(rig), seen) == (1, [], [])
    assert [type(error) for error in rig.failures] == [StoreError]
    store.close()
    assert store.load() == {"stages": [], "copy": []}
    with pytest.raises(StoreError, match="nobody knows which of its last ticks are safe") as caught:
        len(rig.program.stages)
    assert caught.value.__cause__ is rig.failures[0]


class Fraction(Bloom):
    """A message can fail its tick; the tick after 7 fails by itself."""

    request = channel("@server: str, client: str, number: int -> divisor: int")
    reply = channel("@client: str, number: int")
    seen = table("number: int", durable=True)
    doomed = interface.input("n: int")
    last = table("n: int")
    quotient = table("n: int")

    @rule
    def divide(self):
        self.reply <~ ((r.client, r.number) for r in self.request)
        self.seen <= ((r.number,) for r in self.request if r.number // r.divisor >= 0)
        self.last <+ ((r.number,) for r in self.request if r.number == 7)
        self.quotient <= ((1 // (n.n - 7),) for n in self.last)


def test_a_tick_that_fails_in_a_group_is_rolled_back_alone(store: Counting) -> None:
    rig = Rig(Fraction(), store=store)
    rig.receive("request", *[("me", "c", number, number % 3) for number in range(1, 7)])
    rig.clock.run()
    assert store.syncs == 1
    assert store.load()["seen"] == [(1,), (2,), (4,), (5,)]
    assert set(rig.program.seen) == {(1,), (2,), (4,), (5,)}
    assert [row.row[2] for row in rig.program.dead_letter] == [3, 6]
    assert sorted(row for _, _, rows in rig.sent() for row in rows) == [("c", number) for number in (1, 2, 4, 5)]
    store.close()


def test_a_tick_that_ends_the_node_does_not_take_back_those_before_it(store: Counting) -> None:
    rig = Rig(Fraction(), store=store)
    rig.receive("request", ("me", "c", 7, 1))
    rig.clock.run()
    assert [type(error) for error in rig.failures] == [ZeroDivisionError]
    assert store.syncs == 1
    assert store.load()["seen"] == [(7,)]
    assert rig.sent() == [("c", "reply", [("c", 7)])]
    assert list(rig.program.seen) == [(7,)]
    store.close()


# --- what readers see -------------------------------------------------------------------------------------------


def test_readers_wait_until_what_they_read_is_safe(store: Counting) -> None:
    under_way, disk, found = threading.Event(), threading.Event(), list[object]()
    with Node(KeyValue(), store=store) as node:
        store.before = lambda: (under_way.set(), disk.wait(10))
        node.program.data.insert(("k", 1))
        assert under_way.wait(10)
        reader = threading.Thread(target=lambda: found.append(node.program.data["k"].value))
        reader.start()
        reader.join(0.1)
        assert reader.is_alive()
        disk.set()
        reader.join(10)
        assert found == [1]


# --- what a crash leaves ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("sync_ticks", [1, 4, 100])
def test_a_crash_at_any_moment_leaves_the_first_ticks_whole(tmp_path: Path, sync_ticks: int) -> None:
    """The files as they are when a synchronisation begins and when the next change is written are what a crash would leave."""
    path, copies = tmp_path / "state.db", list[Path]()
    sent: list[int] = []

    def copy() -> None:
        copies.append(tmp_path / f"crash{len(copies)}.db")
        for end in ("", "-wal"):
            shutil.copy(f"{path}{end}", f"{copies[-1]}{end}")
        sent.append(len(replies(rig)) + (sent[-1] if sent else 0))

    store = Counting(path, copy)
    rig = Rig(Stages(), Limits(sync_ticks=sync_ticks), store)
    for value in range(10):
        put(rig, 2 * value, 2 * value + 1)
        rig.clock.run()
    copy()
    store.close()
    for crashed, acknowledged in zip(copies, sent, strict=True):
        left = EmbeddedStore(crashed)
        left.open({one.name: one.schema for one in Stages.program_ir.collections if one.durable})
        tables = left.load()
        left.close()
        assert tables["stages"] == tables["copy"], "half a tick"
        values = {stage: int(str(value)) for stage, _, value in tables["stages"]}
        first, second, third = (values.get(stage, -1) for stage in (1, 2, 3))
        assert first >= second >= third, "a tick without one before it"
        assert third + 1 >= acknowledged, "an answer without its cause"
    assert sent[-1] == 20


def test_tables_are_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with Node(Stages(), listen="127.0.0.1:0", store=path) as server, Node(Protocol(), listen="127.0.0.1:0") as client:
        for number in range(20):
            client.call_sync("put", (server.address, client.address, number, "k", number), reply="stored")
    with Node(Stages(), store=path) as again:
        assert set(again.program.stages) == {(stage, "k", 19) for stage in (1, 2, 3)}
