"""Delayed tables: ticks that change no others need no synchronisation, and a crash leaves both kinds as of one tick."""
# ruff: noqa: B015
# mypy: disable-error-code="operator"
# fmt: off

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bloompy import Bloom, Node, lattice, table
from bloompy.errors import DeclarationError, StoreError
from bloompy.runtime.limits import Limits
from bloompy.stores.embedded import EmbeddedStore
from bloompy.stores.memory import MemoryStore
from tests.runtime.programs import Counter, Ledger, Protocol
from tests.runtime.test_driver import Rig

TABLES = {one.name: one.schema for one in Ledger.program_ir.collections if one.durable}


class Counting(MemoryStore):
    """Counts synchronisations, and fails those that it is told to."""

    syncs = 0
    failing = False

    def sync(self) -> None:
        if self.failing:
            raise StoreError("the disk is gone")
        self.syncs += 1
        super().sync()


@pytest.fixture
def store() -> Counting:
    return Counting()


def started(store: Any, limits: Limits | None = None) -> Rig:
    rig = Rig(Ledger(), limits, store)
    rig.clock.run()
    return rig


def put(rig: Rig, *numbers: int, key: str = "later", value: object = "v") -> list[int]:
    """Send requests; returns the numbers of those answered."""
    rig.receive("put", *[("me", "c", number, key, value) for number in numbers])
    rig.clock.run()
    return [row[2] for _, _, rows in rig.sent() for row in rows]


def numbers(rows: Any) -> list[int]:
    return sorted(row[0] for row in rows)


# --- when there is a synchronisation ----------------------------------------------------------------------------


def test_a_tick_that_changes_only_delayed_tables_answers_without_one(store: Counting) -> None:
    rig = started(store)
    assert put(rig, 1, 2) == [1, 2]
    assert numbers(rig.program.noted) == [1, 2]
    assert (store.syncs, store.load()) == (0, {"noted": [], "kept": []})


def test_one_synchronisation_makes_both_kinds_safe(store: Counting) -> None:
    rig = started(store)
    put(rig, 1)
    assert put(rig, 2, key="prompt") == [2]
    assert store.syncs == 1
    assert (numbers(store.load()["noted"]), numbers(store.load()["kept"])) == ([1, 2], [2])


def test_deletions_of_delayed_tables_wait_and_others_do_not(store: Counting) -> None:
    rig = started(store)
    put(rig, 1, key="prompt")
    rig.program.noted.delete((1,))
    rig.clock.run()
    assert (store.syncs, numbers(store.load()["noted"])) == (1, [1])
    rig.program.kept.delete((1,))
    rig.clock.run()
    assert (store.syncs, store.load()) == (2, {"noted": [], "kept": []})


def test_ticks_of_one_group_share_the_synchronisation_of_its_prompt_one(store: Counting) -> None:
    rig = started(store)
    rig.receive("put", ("me", "c", 1, "prompt", "v"))
    rig.receive("put", ("me", "c", 1, "later", "w"))  # conflicts with the first: the batch is split into two ticks
    rig.clock.run()
    assert rig.counters.ticks >= 3
    assert store.syncs == 1
    assert store.load()["noted"] == [(1, "w")]


# --- how long they wait -----------------------------------------------------------------------------------------


def test_delayed_changes_are_synchronised_in_time_without_a_tick(store: Counting) -> None:
    rig = started(store, Limits(delay_s=2.0))
    start, ticks = rig.clock.time, rig.counters.ticks
    put(rig, 1)
    ticks = rig.counters.ticks
    rig.clock.run(until=start + 1.9)
    assert store.syncs == 0
    rig.clock.run(until=start + 2.1)
    assert (store.syncs, numbers(store.load()["noted"])) == (1, [1])
    assert rig.counters.ticks == ticks
    rig.clock.run(until=start + 50)
    assert store.syncs == 1


def test_each_waits_for_its_own_time(store: Counting) -> None:
    rig = started(store)
    start = rig.clock.time
    put(rig, 1)
    rig.clock.run(until=start + 0.5)
    put(rig, 2, key="prompt")
    rig.clock.run(until=start + 0.8)
    put(rig, 3)
    rig.clock.run(until=start + 1.7)
    assert (store.syncs, numbers(store.load()["noted"])) == (1, [1, 2])
    rig.clock.run(until=start + 1.9)
    assert (store.syncs, numbers(store.load()["noted"])) == (2, [1, 2, 3])


def test_they_do_not_wait_longer_when_the_clock_is_set_back(store: Counting) -> None:
    rig = started(store)
    put(rig, 1)
    rig.clock.time -= 500
    rig.driver._delay_over()  # as where timers run by another clock than that of the node
    rig.clock.run(until=rig.clock.time + 1.1)
    assert store.syncs == 1


def test_a_stop_makes_them_safe(store: Counting) -> None:
    rig = started(store)
    put(rig, 1)
    rig.program.noted.insert((2, "staged"))
    rig.driver.stop()
    assert (store.syncs, numbers(store.load()["noted"])) == (1, [1, 2])
    rig.clock.run(until=5000)
    assert (store.syncs, rig.failures) == (1, [])


def test_the_end_of_a_node_makes_them_safe(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with Node(Ledger(), listen="127.0.0.1:0", store=path) as server, Node(Protocol(), listen="127.0.0.1:0") as client:
        client.call_sync("put", (server.address, client.address, 1, "later", "v"), reply="stored")
    with Node(Ledger(), store=path) as again:
        assert numbers(again.program.noted) == [1]


@pytest.mark.parametrize("end", [lambda rig: rig.clock.run(until=rig.clock.time + 5), lambda rig: rig.driver.stop()])
def test_an_error_of_the_store_ends_the_node(store: Counting, end: Callable[[Rig], None]) -> None:
    rig = started(store)
    put(rig, 1)
    store.failing = True
    end(rig)
    assert [type(error) for error in rig.failures] == [StoreError]
    with pytest.raises(StoreError, match="nobody knows which of its last ticks are safe"):
        len(rig.program.noted)
    store.failing = False
    rig.clock.run(until=rig.clock.time + 50)
    assert store.syncs == 0


# --- what a crash leaves ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["memory", "embedded"])
@pytest.mark.parametrize("seed", range(10))
def test_a_crash_leaves_both_kinds_as_of_the_last_synchronisation(tmp_path: Path, kind: str, seed: int) -> None:
    """Every request notes its number; the tables as they were at each synchronisation are what the store has to hold."""
    draws = random.Random(seed)
    store: Any = MemoryStore() if kind == "memory" else EmbeddedStore(tmp_path / "state.db")
    rig = started(store)
    held = safe = {"noted": {}, "kept": {}}
    for number in range(30):
        key = draws.choice(["later", "later", "prompt"])
        if draws.random() < 0.2:
            rig.clock.run(until=rig.clock.time + 1.5)  # time enough for what was delayed
            safe = held
        again = draws.randrange(10)
        put(rig, again, key=key, value=number)
        held = {name: {**rows, **({again: number} if name == "noted" or key == "prompt" else {})} for name, rows in held.items()}
        if key == "prompt":
            safe = held
        assert {name: dict(rows) for name, rows in store.load().items()} == safe
    store.close()


SERVER = """
import sys
from bloompy import Node
from bloompy.runtime.limits import Limits
from tests.runtime.programs import Counter
Node(Counter(), store=sys.argv[1], limits=Limits(delay_s=0.02, sync_ticks=3)).run()
"""


def kill(store: Path, pause_s: float) -> int:
    """Let a counter run for a while and kill it; returns the last number that it printed."""
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, store],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    threading.Event().wait(pause_s)
    process.send_signal(signal.SIGKILL)
    printed = [line for line in (first + process.stdout.read()).splitlines(keepends=True) if line.endswith("\n")]
    process.wait()
    process.stdout.close()
    return int(printed[-1])


def check_killed(path: Path, kills: int, seed: int) -> None:
    pauses, before = random.Random(seed), -1
    for _ in range(kills):
        printed = kill(path, pauses.uniform(0.02, 0.2))
        left = EmbeddedStore(path)
        left.open({one.name: one.schema for one in Counter.program_ir.collections if one.durable})
        tables = left.load()
        left.close()
        ((count,),), ((seventh,),) = tables["count"], tables["seventh"]
        assert seventh == count - count % 7, "the two tables are not of one tick"
        assert seventh >= printed > before, "what was printed had been made safe"
        before = seventh - 7


def test_kill_9(tmp_path: Path) -> None:
    check_killed(tmp_path / "state.db", 3, 1)


@pytest.mark.slow
def test_kill_9_many_times(tmp_path: Path) -> None:
    check_killed(tmp_path / "state.db", 60, 2)


# --- declarations -----------------------------------------------------------------------------------------------


def test_what_durable_may_be() -> None:
    for declare in (lambda: table("a", durable="late"), lambda: table("a", durable=1), lambda: LateLattice()):  # type: ignore[call-overload, arg-type]
        with pytest.raises(DeclarationError, match="durable=") as caught:
            declare()
        assert '"delayed"' in caught.value.__notes__[0]


def LateLattice() -> type[Bloom]:
    class Late(Bloom):
        most = lattice.lmax(durable="late")  # type: ignore[arg-type]

    return Late


class Same(Bloom):
    most = lattice.lmax(durable="delayed")
    rows = table("a -> b", durable="delayed")


def test_a_delayed_table_is_durable_and_says_what_it_is() -> None:
    found = {one.name: (one.durable, one.delayed) for one in Same.program_ir.collections}
    assert found == {"dead_letter": (False, False), "most": (True, True), "rows": (True, True)}
    program = Same()
    program.rows.insert((1, 2))
    program.tick()
    assert "rows (a -> b): delayed durable table, 1 row" in str(program.explain())


def test_declarations_that_differ_in_this_are_different() -> None:
    from bloompy.errors import InheritanceConflict

    with pytest.raises(InheritanceConflict, match="different declarations named 'rows'"):

        class Other(Same):
            rows = table("a -> b", durable=True)
