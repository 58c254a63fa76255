"""Request and reply between two processes over TCP: one at a time, and pipelined."""
# ruff: noqa: B015
# fmt: off

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import msgspec

from benchmarks.measure import Figure, WrongResult, command
from bloompy import Bloom, Node, channel, interface, rule, table

PAYLOAD = "x" * 100
WINDOW = 1000
"""Rows staged at once by the pipelining client."""


class Protocol(Bloom):
    """What both sides speak."""

    request = channel("@server: str, client: str, number: int -> payload: str")
    response = channel("@client: str, server: str, number: int -> payload: str")


class Server(Protocol):
    """Answers each request with its payload."""

    @rule
    def answer(self):
        self.response <~ ((r.client, r.server, r.number, r.payload) for r in self.request)


class Client(Protocol):
    """Sends what is put into `todo`, and counts the answers."""

    server = table("-> address")
    todo = interface.input("number -> payload")

    @rule
    def ask(self):
        self.request <~ ((s.address, self.me, t.number, t.payload) for t in self.todo for s in self.server)


# --- the other process ------------------------------------------------------------------------------------------


async def serve_bloompy() -> None:
    async with Node(Server(), listen="127.0.0.1:0") as node:
        print(node.address, flush=True)
        await asyncio.to_thread(sys.stdin.read)


async def serve_by_hand() -> None:
    """Length-prefixed msgpack frames of rows, answered frame by frame."""
    encode, decode = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(list[tuple[int, str]]).decode

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                frame = await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big"))
                body = encode(decode(frame))
                writer.write(len(body).to_bytes(4, "big") + body)
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    print(f"{host}:{port}", flush=True)
    await asyncio.to_thread(sys.stdin.read)


@contextmanager
def other_process(kind: str) -> Iterator[str]:
    """A server in a process of its own; gives its address."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.requests", kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()


# --- this process -----------------------------------------------------------------------------------------------


async def bloompy_one_at_a_time(address: str, requests: int) -> float:
    async with Node(Client(), listen="127.0.0.1:0") as node:
        for number in range(100):
            await node.call("request", (address, node.address, -1 - number, PAYLOAD), reply="response", timeout_s=10)
        start = time.perf_counter()
        for number in range(requests):
            reply = await node.call("request", (address, node.address, number, PAYLOAD), reply="response", timeout_s=10)
            if reply[2] != number:
                raise WrongResult(f"reply {reply!r} to request {number}")
        return time.perf_counter() - start


async def bloompy_pipelined(address: str, requests: int) -> float:
    program = Client()
    async with Node(program, listen="127.0.0.1:0"):
        program.server.insert((address,))
        answered: set[int] = set()
        progress = asyncio.Event()
        loop = asyncio.get_running_loop()

        def note(row: object) -> None:
            answered.add(row.number)  # type: ignore[attr-defined]
            if len(answered) % WINDOW == 0:
                loop.call_soon_threadsafe(progress.set)

        program.response.on_insert(note)
        await asyncio.sleep(0.2)  # let the address be known and the connection settle before the clock starts
        start = time.perf_counter()
        for first in range(0, requests, WINDOW):
            program.todo.insert(*((number, PAYLOAD) for number in range(first, first + WINDOW)))
            while len(answered) < first - WINDOW:
                progress.clear()
                await asyncio.wait_for(progress.wait(), 30)
        while len(answered) < requests:
            progress.clear()
            await asyncio.wait_for(progress.wait(), 30)
        took = time.perf_counter() - start
        if answered != set(range(requests)):
            raise WrongResult("other requests were answered than were made")
        return took


async def by_hand(address: str, requests: int, window: int) -> float:
    encode, decode = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(list[tuple[int, str]]).decode
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    frames = [encode([(number, PAYLOAD) for number in range(first, first + window)]) for first in range(0, requests, window)]

    async def write() -> None:
        for frame in frames:
            writer.write(len(frame).to_bytes(4, "big") + frame)
            await writer.drain()

    start = time.perf_counter()
    answered = 0
    task = asyncio.create_task(write()) if window > 1 else None
    for frame in frames:
        if task is None:
            writer.write(len(frame).to_bytes(4, "big") + frame)
        answered += len(decode(await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big"))))
    took = time.perf_counter() - start
    if task is not None:
        await task
    writer.close()
    if answered != requests:
        raise WrongResult(f"{answered} answers")
    return took


def figures(small: bool = False) -> list[Figure]:
    singles, rows, rounds = (200, 2 * WINDOW, 1) if small else (5000, 100 * WINDOW, 3)
    measured: dict[str, list[float]] = {}

    def note(name: str, count: int, run: Callable[[], Awaitable[float]]) -> None:
        measured.setdefault(name, []).append(count / asyncio.run(run()))  # type: ignore[arg-type]

    with other_process("bloompy") as ours, other_process("by_hand") as theirs:
        for _ in range(rounds):
            note("one at a time, bloompy", singles, lambda: bloompy_one_at_a_time(ours, singles))
            note("one at a time, asyncio streams and msgspec by hand", singles, lambda: by_hand(theirs, singles, 1))
            note("pipelined, bloompy", rows, lambda: bloompy_pipelined(ours, rows))
            note(f"pipelined, by hand in frames of {WINDOW}", rows, lambda: by_hand(theirs, rows, WINDOW))
    goals = {"one at a time, bloompy": 4000, "pipelined, bloompy": 50_000}
    return [
        Figure(name, statistics.median(rates), "requests/s" if "one" in name else "rows/s", goals.get(name), rate=True)
        for name, rates in measured.items()
    ]


if __name__ == "__main__":
    servers = {"bloompy": serve_bloompy, "by_hand": serve_by_hand}
    if sys.argv[1:] and sys.argv[1] in servers:
        asyncio.run(servers[sys.argv[1]]())
    else:
        command(__doc__, figures)
