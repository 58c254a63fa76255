"""etcd as a contestant: three members on loopback, and a client of theirs that costs next to nothing.

The client speaks gRPC: HTTP/2 frames made beforehand, their headers in the connection's table after the first (RFC 7541), so that
neither it nor etcd has more to do than it must. The gateway of etcd for JSON costs it another request to itself for each of them.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from attrs import define

_START_S = 30.0
_HOST = "127.0.0.1"


def installed() -> str | None:
    """The path of etcd's server; None where it is not installed."""
    return shutil.which("etcd")


def version() -> str:
    """What etcd says of itself."""
    said = subprocess.run(["etcd", "--version"], check=True, capture_output=True, text=True).stdout
    return said.splitlines()[0].removeprefix("etcd Version: ")


# --- members ----------------------------------------------------------------------------------------------------


@define
class Member:
    """One member.

    Attributes:
        name: of the member.
        port: for clients.
        process: that runs it.
    """

    name: str
    port: int
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        """End it without notice."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def metrics(self) -> dict[str, float]:
        """Its counters, by name and labels."""
        with urllib.request.urlopen(f"http://{_HOST}:{self.port}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))}

    def leads(self) -> bool:
        """Whether it knows itself to lead; not, if it does not answer."""
        with suppress(OSError):
            return self.metrics().get("etcd_server_is_leader") == 1.0
        return False


@contextmanager
def cluster(directory: Path, count: int = 3) -> Iterator[list[Member]]:
    """Members with default settings, their data under a directory; the one that leads comes first."""
    peers, clients = _free_ports(count), _free_ports(count)
    names = [f"member{number}" for number in range(count)]
    together = ",".join(f"{name}=http://{_HOST}:{port}" for name, port in zip(names, peers, strict=True))
    members: list[Member] = []
    try:
        for name, peer, client in zip(names, peers, clients, strict=True):
            command = [
                "etcd", "--name", name, "--data-dir", str(directory / name),
                "--listen-peer-urls", f"http://{_HOST}:{peer}", "--initial-advertise-peer-urls", f"http://{_HOST}:{peer}",
                "--listen-client-urls", f"http://{_HOST}:{client}", "--advertise-client-urls", f"http://{_HOST}:{client}",
                "--initial-cluster", together, "--initial-cluster-state", "new", "--logger", "zap", "--log-level", "error",
            ]  # fmt: skip
            with (directory / f"{name}.log").open("wb") as log:
                process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            members.append(Member(name, client, process))
        _wait_for_leader(members)
        yield sorted(members, key=lambda member: not member.leads())
    finally:
        for member in members:
            member.kill()


def _wait_for_leader(members: list[Member]) -> None:
    deadline = time.monotonic() + _START_S
    while not any(member.leads() for member in members):
        if time.monotonic() > deadline:
            raise TimeoutError(f"etcd had no leader within {_START_S:g} s")
        time.sleep(0.05)


def _free_ports(count: int) -> list[int]:
    held = [socket.create_server((_HOST, 0)) for _ in range(count)]
    try:
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()


# --- gRPC by hand -----------------------------------------------------------------------------------------------

_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _AWAY, _WINDOW = 0, 1, 3, 4, 6, 7, 8
_ACK, _END_STREAM, _END_HEADERS = 1, 1, 4
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_ALL = 2**31 - 1
_AT_FIRST = 65_535


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def _text(text: str) -> bytes:
    return bytes((len(text),)) + text.encode()


# Literals that the table of the connection keeps: ":path", ":authority", "content-type", "te"; then it has them as 65 … 62.
_FIRST_HEADERS = (
    b"\x83\x86\x44" + _text("/etcdserverpb.KV/Put") + b"\x41" + _text(_HOST) + b"\x5f" + _text("application/grpc")
    + b"\x40" + _text("te") + _text("trailers")
)  # fmt: skip
_HEADERS_AGAIN = b"\x83\x86\xc1\xc0\xbf\xbe"


def put_message(key: bytes, value: bytes) -> bytes:
    """A PutRequest (field 1: key, field 2: value), both shorter than 128 bytes."""
    return b"\x0a" + bytes((len(key),)) + key + b"\x12" + bytes((len(value),)) + value


def put_request(key: bytes, value: bytes) -> bytes:
    """The DATA of a put: the message behind gRPC's five bytes."""
    message = put_message(key, value)
    return b"\0" + len(message).to_bytes(4, "big") + message


class PutConnection(asyncio.Protocol):
    """One connection that puts.

    Args:
        done: called with the number of puts that were answered since.

    Attributes:
        lost: resolved when the connection ends, by an error if the peer ended it.
        refused: puts that were answered with an error.
    """

    def __init__(self, done: Callable[[int], None]) -> None:
        self._done = done
        self._buffer = b""
        self._stream = 1
        self._room = _AT_FIRST
        self._answered: set[int] = set()
        self.refused = 0
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def put(self, *requests: bytes) -> None:
        """Send puts, made by `put_request`."""
        frames = []
        for request in requests:
            headers = _FIRST_HEADERS if self._stream == 1 else _HEADERS_AGAIN
            frames.append(_frame(_HEADERS, _END_HEADERS, self._stream, headers) + _frame(_DATA, _END_STREAM, self._stream, request))
            self._stream += 2
            self._room -= len(request)
        if self._room < 0:
            raise RuntimeError("more bytes are outstanding than etcd takes in at once")
        self._transport.write(b"".join(frames))

    def close(self) -> None:
        """End the connection."""
        self._transport.close()

    # -- called by asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say hello, and that any amount of answers may come."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(_PREFACE + _frame(_SETTINGS, 0, 0, b"") + _frame(_WINDOW, 0, 0, (_ALL - _AT_FIRST).to_bytes(4, "big")))

    def connection_lost(self, error: Exception | None) -> None:
        """The other side went."""
        if not self.lost.done():
            self.lost.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Count the answers."""
        buffer, at, answers = self._buffer + data, 0, 0
        while len(buffer) - at >= 9:
            length = int.from_bytes(buffer[at : at + 3], "big")
            if len(buffer) - at < 9 + length:
                break
            kind, flags = buffer[at + 3], buffer[at + 4]
            answers += self._take(kind, flags, int.from_bytes(buffer[at + 5 : at + 9], "big"), buffer[at + 9 : at + 9 + length])
            at += 9 + length
        self._buffer = buffer[at:]
        if answers:
            self._done(answers)

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> int:
        """Take a frame in; returns how many puts it completes."""
        if kind == _DATA:
            self._answered.add(stream)  # a put that fails has no message, only headers
        elif kind == _HEADERS and flags & _END_STREAM:
            if stream in self._answered:
                self._answered.remove(stream)
                return 1
            self.refused += 1
        elif kind == _SETTINGS and not flags & _ACK:
            self._transport.write(_frame(_SETTINGS, _ACK, 0, b""))
        elif kind == _PING and not flags & _ACK:
            self._transport.write(_frame(_PING, _ACK, 0, payload))
        elif kind == _WINDOW and stream == 0:
            self._room += int.from_bytes(payload, "big")
        elif kind in (_RESET, _AWAY):
            self.refused += 1
        return 0


async def connect(port: int, done: Callable[[int], None]) -> PutConnection:
    """A connection to a member."""
    _, protocol = await asyncio.get_running_loop().create_connection(lambda: PutConnection(done), _HOST, port)
    return protocol
