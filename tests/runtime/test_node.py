"""Nodes as their users see them."""
# ruff: noqa: B015
# mypy: disable-error-code="operator"
# fmt: off

from __future__ import annotations

import asyncio
import io
import logging
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from bloompy import Bloom, Node, channel, interface, invariant, rule, stdio, table
from bloompy.errors import CallTimeout, NodeStopped, RowError, StoreError, UsageError
from bloompy.stores.memory import MemoryStore
from bloompy.transports.memory import MemoryNetwork
from tests.runtime.programs import Beat, Inverse, KeyValue, Protocol
from tests.runtime.waiting import until, until_sync

pytestmark = pytest.mark.anyio


# --- call -------------------------------------------------------------------------------------------------------


async def test_a_call_into_an_input_is_answered_by_an_output() -> None:
    async with Node(Inverse()) as node:
        answer = await node.call("ask", (1, 4), reply="answer")
        assert (answer.number, answer.quotient) == (1, 25)


async def test_many_calls_at_once_get_their_own_replies() -> None:
    async with Node(KeyValue(), listen="127.0.0.1:0") as server, Node(Protocol(), listen="127.0.0.1:0") as client:
        calls = [client.call("put", (server.address, client.address, i, f"k{i}", i), reply="stored") for i in range(500)]
        assert [reply.value for reply in await asyncio.gather(*calls)] == list(range(500))
        assert not any(client._running().calls._waiting.values())


async def test_a_call_to_oneself() -> None:
    async with Node(KeyValue(), listen="127.0.0.1:0") as node:
        reply = await node.call("put", (node.address, node.address, 1, "k", "v"), reply="stored")
        assert reply.value == "v"
        assert node.counters.frames_sent == 0


async def test_a_call_without_reply_times_out() -> None:
    async with Node(Protocol(), listen="127.0.0.1:0") as node:
        with pytest.raises(CallTimeout, match=r"no row came in 'stored' within 0\.05 s for 'put'") as caught:
            await node.call("put", (node.address, node.address, 1, "k", "v"), reply="stored", timeout_s=0.05)
        assert isinstance(caught.value, TimeoutError)
        assert "same key" in str(caught.value.hint)
        assert not any(node._running().calls._waiting.values())


async def test_a_call_whose_tick_fails_raises_what_failed() -> None:
    async with Node(Inverse()) as node:
        with pytest.raises(ZeroDivisionError):
            await node.call("ask", (1, 0), reply="answer")
        assert (await node.call("ask", (2, 5), reply="answer")).quotient == 20


async def test_a_cancelled_call_leaves_nothing() -> None:
    async with Node(Protocol(), listen="127.0.0.1:0") as node:
        task = asyncio.create_task(node.call("put", (node.address, node.address, 1, "k", "v"), reply="stored"))
        await until(lambda: node._running().calls._waiting)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert not any(node._running().calls._waiting.values())


@pytest.mark.parametrize(
    ("request_", "reply", "match"),
    [
        ("put", "dead_letter", r"'dead_letter' .* has no key column of 'put'"),
        ("nothing", "stored", "no collection 'nothing'"),
        ("put", "nothing", "no collection 'nothing'"),
    ],
)
async def test_a_call_that_cannot_be_correlated(request_: str, reply: str, match: str) -> None:
    async with Node(Protocol()) as node:
        with pytest.raises(UsageError, match=match):
            await node.call(request_, ("a", "b", 1, "k", "v"), reply=reply)


async def test_a_call_with_a_row_that_does_not_fit() -> None:
    async with Node(Protocol()) as node:
        with pytest.raises(RowError, match=r"put\.number: '1' is not of type int"):
            await node.call("put", ("a", "b", "1", "k", "v"), reply="stored")


async def test_rows_of_a_channel_are_sent_from_outside() -> None:
    async with Node(KeyValue(), listen="127.0.0.1:0") as server, Node(Protocol(), listen="127.0.0.1:0") as client:
        found: list[Any] = []
        client.program.stored.on_insert(found.append)
        client.send("put", *((server.address, client.address, number, "k", "v") for number in range(3)))
        await until(lambda: len(found) == 3)
        assert {row.number for row in found} == {0, 1, 2}
        with pytest.raises(RowError):
            client.send("put", (server.address,))
        with pytest.raises(UsageError, match="no collection 'nothing'"):
            client.send("nothing", ())
        with pytest.raises(UsageError, match="'data' is a table, and only rows of channels are sent"):
            server.send("data", ("k", "v"))
        with pytest.raises(UsageError, match="belongs to the event loop of its node"):
            await asyncio.to_thread(client.send, "put", (server.address, client.address, 4, "k", "v"))


async def test_a_call_ends_with_its_node() -> None:
    async with Node(Protocol(), listen="127.0.0.1:0") as node:
        task = asyncio.create_task(node.call("put", (node.address, node.address, 1, "k", "v"), reply="stored"))
        await until(lambda: node._running().calls._waiting)
    with pytest.raises(NodeStopped, match="the node was stopped"):
        await task
    with pytest.raises(NodeStopped, match="not running"):
        await node.call("put", ("a", "b", 1, "k", "v"), reply="stored")


# --- start and stop ---------------------------------------------------------------------------------------------


async def test_a_node_runs_once_and_a_program_in_one_node() -> None:
    program = Protocol()
    node = Node(program)
    async with node:
        with pytest.raises(UsageError, match="run by another node"):
            async with Node(program):
                pass
    with pytest.raises(UsageError, match="a node runs once"):
        async with node:
            pass


async def test_a_program_that_a_node_runs_is_not_stepped_by_hand() -> None:
    async with Node(Protocol()) as node:
        with pytest.raises(UsageError, match="ticks by itself"):
            node.program.tick()


async def test_a_program_that_was_read_before_still_gets_its_address() -> None:
    program = KeyValue()
    assert len(program.data) == 0
    async with Node(program, listen="127.0.0.1:0") as node:
        assert program.me == node.address


async def test_a_program_that_has_ticked_keeps_its_address() -> None:
    program = KeyValue()
    program.tick()
    with pytest.raises(UsageError, match="cannot get another address"):
        async with Node(program, listen="127.0.0.1:0"):
            pass


async def test_an_exception_of_the_body_comes_out_as_it_is() -> None:
    error = ValueError("mine")
    with pytest.raises(ValueError, match="mine") as caught:
        async with Node(KeyValue(), listen="127.0.0.1:0"):
            raise error
    assert caught.value is error


async def test_the_port_is_free_after_the_node() -> None:
    async with Node(KeyValue(), listen="127.0.0.1:0") as node:
        address = node.address
    async with Node(KeyValue(), listen=address) as again:
        assert again.address == address


async def test_what_cannot_be_opened_lets_go_of_the_rest(tmp_path: Path) -> None:
    async with Node(KeyValue(), listen="127.0.0.1:0") as first:
        with pytest.raises(Exception, match="cannot listen"):
            async with Node(KeyValue(), listen=first.address, store=tmp_path / "a.db"):
                pass
        async with Node(KeyValue(), listen="127.0.0.1:0", store=tmp_path / "a.db") as second:
            address = second.address
            with pytest.raises(StoreError, match="in use by another node"):
                async with Node(KeyValue(), listen="127.0.0.1:0", store=tmp_path / "a.db"):
                    pass
    async with Node(KeyValue(), listen=address, store=tmp_path / "a.db"):
        pass


class Failing(MemoryStore):
    def sync(self) -> None:
        raise StoreError("the disk is gone")


async def test_a_store_that_fails_ends_the_node_and_its_body() -> None:
    with pytest.raises(StoreError, match="the disk is gone"):
        async with Node(KeyValue(), listen="127.0.0.1:0", store=Failing()) as node:
            node.program.data.insert(("a", 1))
            await asyncio.sleep(60)


async def test_wait_raises_what_ended_the_node() -> None:
    with pytest.raises(StoreError, match="the disk is gone"):
        async with Node(KeyValue(), store=Failing()) as node:
            node.program.data.insert(("a", 1))
            await node.wait()


async def test_a_call_at_a_node_whose_store_fails() -> None:
    with pytest.raises(StoreError, match="the disk is gone"):
        async with Node(KeyValue(), listen="127.0.0.1:0", store=Failing()) as node:
            try:
                await node.call("put", (node.address, node.address, 1, "k", "v"), reply="stored")
            except NodeStopped as error:
                assert "the disk is gone" in str(error)
                raise
            finally:
                await asyncio.sleep(0)


async def test_durable_tables_without_a_store_are_told(caplog: pytest.LogCaptureFixture) -> None:
    async with Node(KeyValue()):
        assert "data, copy would be durable" in caplog.text


async def test_a_program_that_has_ticked_takes_nothing_from_a_store() -> None:
    program = KeyValue()
    program.tick()
    with pytest.raises(UsageError, match="cannot take its durable tables from a store"):
        async with Node(program, store=MemoryStore()):
            pass


async def test_tables_survive_in_a_file(tmp_path: Path) -> None:
    for number in range(3):
        async with Node(KeyValue(), listen="127.0.0.1:0", store=tmp_path / "a.db") as node:
            assert len(node.program.data) == number
            await node.call("put", (node.address, node.address, number, f"k{number}", (number,)), reply="stored")
    async with Node(KeyValue(), store=tmp_path / "a.db") as node:
        assert node.program.data.rows() == {("k0", (0,)), ("k1", (1,)), ("k2", (2,))}


class Watched(Bloom):
    kept = table("n: int")

    @invariant
    def small(self):
        (k for k in self.kept if k.n > 10)


@pytest.mark.parametrize("mode", ["raise", "log"])
async def test_a_violated_invariant(mode: Any, caplog: pytest.LogCaptureFixture) -> None:
    async with Node(Watched(), on_invariant=mode) as node:
        node.program.kept.insert((5,), (50,))
        await until(lambda: (5,) in node.program.kept.rows())
    assert node.program.kept.rows() == ({(5,)} if mode == "raise" else {(5,), (50,)})
    assert "Watched.small" in caplog.text


def test_unknown_ways_with_invariants() -> None:
    with pytest.raises(UsageError, match="on_invariant='ignore'"):
        Node(Watched(), on_invariant="ignore")  # type: ignore[arg-type]


def test_channels_that_cannot_be_sent_are_named_when_the_node_is_made() -> None:
    class Wrong(Bloom):
        message = channel("@to: str, what: list")

    with pytest.raises(UsageError, match="column 'what' of 'message' has type list"):
        Node(Wrong())


async def test_a_timer_of_the_real_clock() -> None:
    class Fast(Bloom):
        from bloompy import periodic

        beat = periodic(0.005)
        beats = table("no: int")

        @rule
        def count(self):
            self.beats <= ((b.no,) for b in self.beat)

    async with Node(Fast()) as node:
        await until(lambda: len(node.program.beats) >= 3)
    async with Node(Beat()) as slow:
        await asyncio.sleep(0.02)
        assert slow.counters.ticks == 1


# --- plain form -------------------------------------------------------------------------------------------------


def test_a_node_in_a_thread_of_its_own() -> None:
    with Node(KeyValue(), listen="127.0.0.1:0") as server, Node(Protocol(), listen="127.0.0.1:0") as client:
        reply = client.call_sync("put", (server.address, client.address, 1, "k", "v"), reply="stored")
        assert reply.value == "v"
        until_sync(lambda: server.program.data.get("k") == ("k", "v"))
    with pytest.raises(NodeStopped, match="not running"):
        client.call_sync("put", ("a", "b", 1, "k", "v"), reply="stored")
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("bloompy node")]


def test_inserts_from_many_threads_all_arrive() -> None:
    with Node(KeyValue()) as node:

        def insert(start: int) -> None:
            for i in range(start, start + 200):
                node.program.data.insert((f"k{i}", i))

        threads = [threading.Thread(target=insert, args=(start,)) for start in range(0, 1000, 200)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(node.program.data) == 1000


def test_reads_are_whole_ticks() -> None:
    """`copy` and `data` change in one tick: no reader may see one without the other."""
    torn: list[int] = []
    with Node(KeyValue(), listen="127.0.0.1:0") as node:
        stop = threading.Event()

        def read() -> None:
            machine = node._machine
            while not stop.is_set():
                with machine.lock:
                    if node.program.data.rows() != node.program.copy.rows():
                        torn.append(machine.step)

        reader = threading.Thread(target=read)
        reader.start()
        for i in range(100):
            node.call_sync("put", (node.address, node.address, i, f"k{i % 7}", i), reply="stored")
        stop.set()
        reader.join()
    assert not torn


def test_errors_of_the_start_come_out_of_with() -> None:
    with pytest.raises(Exception, match="is no address"), Node(KeyValue(), listen="nonsense"):
        pass


def test_the_error_that_ended_a_node_comes_out_of_with() -> None:
    with pytest.raises(StoreError, match="the disk is gone"), Node(KeyValue(), store=Failing()) as node:
        node.program.data.insert(("a", 1))
        until_sync(lambda: node._error)


def test_an_exception_of_a_plain_body_comes_out_as_it_is() -> None:
    with pytest.raises(ValueError, match="mine"), Node(KeyValue()):
        raise ValueError("mine")


def test_call_sync_from_a_callback_would_wait_for_itself() -> None:
    caught: list[BaseException] = []
    with Node(KeyValue(), listen="127.0.0.1:0") as node:

        def call(row: object) -> None:
            try:
                node.call_sync("put", ("a", "b", 1, "k", "v"), reply="stored")
            except UsageError as error:
                caught.append(error)

        node.program.put.on_insert(call)
        node.call_sync("put", (node.address, node.address, 1, "k", "v"), reply="stored")
        until_sync(lambda: caught)
    assert "would block the node" in str(caught[0])


async def test_call_from_another_loop_is_named() -> None:
    def make() -> Node[Any]:
        return Node(KeyValue(), listen="127.0.0.1:0")

    node = make()
    node.__enter__()
    try:
        with pytest.raises(UsageError, match="belongs to the event loop of its node"):
            await node.call("put", (node.address, node.address, 1, "k", "v"), reply="stored")
    finally:
        node.__exit__(None, None, None)


# --- the terminal, Ctrl-C ---------------------------------------------------------------------------------------


class Talk(Bloom):
    terminal = stdio()
    line = table("text: str")

    @rule
    def answer(self):
        self.line <= ((t.line,) for t in self.terminal)
        self.terminal <~ ((t.line.upper(),) for t in self.terminal)


async def test_lines_typed_arrive_and_lines_sent_are_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("hello\nworld\n"))
    async with Node(Talk()) as node:
        await until(lambda: len(node.program.line) == 2)
    assert sorted(capsys.readouterr().out.split()) == ["HELLO", "WORLD"]


SERVER = """
import sys
from bloompy import Node
from tests.runtime.programs import KeyValue
if sys.argv[1] == "run":
    Node(KeyValue(), listen="127.0.0.1:0", store=sys.argv[2]).run(lambda node: print(node.address, flush=True))
elif sys.argv[1] == "async with":
    import asyncio
    async def main():
        async with Node(KeyValue(), listen="127.0.0.1:0", store=sys.argv[2]) as node:
            print(node.address, flush=True)
            await node.wait()
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
else:
    import time
    try:
        with Node(KeyValue(), listen="127.0.0.1:0", store=sys.argv[2]) as node:
            print(node.address, flush=True)
            time.sleep(60)
    except KeyboardInterrupt:
        pass
print("ended in order", flush=True)
"""


@pytest.mark.parametrize(
    ("form", "number"), [("run", signal.SIGINT), ("run", signal.SIGTERM), ("with", signal.SIGINT), ("async with", signal.SIGINT)]
)
def test_ctrl_c_ends_a_server_in_order(form: str, number: signal.Signals, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, form, tmp_path / "a.db"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, cwd=Path(__file__).parents[2],
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        with Node(Protocol(), listen="127.0.0.1:0") as client:
            client.call_sync("put", (address, client.address, 1, "k", "v"), reply="stored")
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
    assert (out.strip(), err.strip(), process.returncode) == ("ended in order", "", 0)
    with Node(KeyValue(), store=tmp_path / "a.db") as node:
        assert node.program.data.rows() == {("k", "v")}


async def test_refusals_are_logged_once_a_second_and_without_control_characters(caplog: pytest.LogCaptureFixture) -> None:
    async with Node(KeyValue(), listen="127.0.0.1:0") as node:
        caplog.set_level(logging.WARNING)
        for _ in range(100):
            node._running().refuse("peer", "malformed", ValueError("a\x1b[31m"))
        assert node.counters.refused["malformed"] == 100
        assert caplog.text.count("refused from") == 1
        assert "\x1b" not in caplog.text


async def test_dead_letters_are_logged_once_a_second(caplog: pytest.LogCaptureFixture) -> None:
    async with Node(KeyValue(), listen="127.0.0.1:0") as node:
        caplog.set_level(logging.WARNING)
        for number in range(100):
            node._running().set_aside("put", (node.address, node.address, number, "k", "v"), ValueError("a\x1b[31m"))
        assert node.counters.dead_letters == 100
        assert caplog.text.count("set aside: a row of 'put': ValueError: a?[31m (1 so far)") == caplog.text.count("set aside") == 1


async def test_inputs_may_be_filled_from_memory_networks() -> None:
    class Quiet(Bloom):
        given = interface.input("n: int")
        kept = table("n: int")

        @rule
        def keep(self):
            self.kept <= self.given

    async with Node(Quiet(), transport=MemoryNetwork().join("a")) as node:
        node.program.given.insert((1,))
        await until(lambda: len(node.program.kept) == 1)


@pytest.mark.parametrize("evaluator", ["codegen", "naive"])
async def test_both_evaluators_run_in_nodes(evaluator: str, tmp_path: Path) -> None:
    for number in range(2):
        async with Node(KeyValue(evaluator=evaluator), listen="127.0.0.1:0", store=tmp_path / "a.db") as node:
            await node.call("put", (node.address, node.address, number, f"k{number}", number), reply="stored")
    async with Node(Inverse(evaluator=evaluator)) as node:
        with pytest.raises(ZeroDivisionError):
            await node.call("ask", (1, 0), reply="answer")
    async with Node(KeyValue(evaluator=evaluator), store=tmp_path / "a.db") as again:
        assert again.program.copy.rows() == {("k0", 0), ("k1", 1)}
