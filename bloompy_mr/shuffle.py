"""The data port of a TaskTracker: serves runs of map output to reduce tasks. Plain Python, not rules.

A connection begins with a nonce from the server. Each request is the numbers of job, map task, its attempt and the reduce task
(8 bytes each, big-endian) with an HMAC-SHA256 of nonce and numbers by the cluster's secret; the answer is the length of the run
(8 bytes; 2^64 - 1: not here) and the run. Paths are made of these numbers alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import secrets
import socket
import socketserver
import struct
import threading
from pathlib import Path

from bloompy_mr.errors import FetchFailed
from bloompy_mr.worker.mapping import read_index

NONCE_BYTES = 16
_REQUEST = struct.Struct(">4Q")
_LENGTH = struct.Struct(">Q")
_ABSENT = 2**64 - 1
_NOTHING = b"no such run"  # compared by identity
IDLE_TIMEOUT_S = 5.0
"""A connection that asks for nothing for so long is closed, so that idle and foreign ones do not keep others out."""
MAX_CONNECTIONS = 64


def map_output_path(directory: Path, jobid: int, taskid: int, n: int) -> Path:
    """Where the output of an attempt of a map task is."""
    return directory / f"job-{jobid}" / f"map-{taskid}-{n}"


def _seal(secret: bytes, nonce: bytes, request: bytes) -> bytes:
    return hmac.digest(secret, b"bloompy_mr fetch\0" + nonce + request, hashlib.sha256)


class ShuffleServer:
    """Serves the map output below a directory, from a thread of its own.

    Args:
        directory: the tracker's work directory.
        secret: the cluster's secret.
        host: address to listen at; the port is free.
    """

    def __init__(self, directory: Path, secret: bytes, host: str = "127.0.0.1") -> None:
        self.directory, self.secret = directory, secret
        self.slots = threading.BoundedSemaphore(MAX_CONNECTIONS)
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                outer._serve(self.request)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            request_queue_size = 128
            address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

        self._server = Server((host, 0), Handler)
        self.port: int = self._server.server_address[1]
        self.host = host
        threading.Thread(target=self._server.serve_forever, args=(0.2,), name="shuffle", daemon=True).start()

    @property
    def address(self) -> str:
        """host:port."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, connection: socket.socket) -> None:
        with self.slots, contextlib.suppress(OSError, EOFError):
            connection.settimeout(IDLE_TIMEOUT_S)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else each small run waits for a delayed ACK
            nonce = secrets.token_bytes(NONCE_BYTES)
            connection.sendall(nonce)
            while True:
                request = _receive(connection, _REQUEST.size)
                if not hmac.compare_digest(_receive(connection, 32), _seal(self.secret, nonce, request)):
                    return
                self._answer(connection, *_REQUEST.unpack(request))

    def _answer(self, connection: socket.socket, jobid: int, taskid: int, n: int, reduce: int) -> None:
        path = map_output_path(self.directory, jobid, taskid, n)
        try:
            offset, length = read_index(path)[reduce]
            source = path.open("rb")
        except (OSError, IndexError):
            connection.sendall(_LENGTH.pack(_ABSENT))
            return
        with source:
            connection.sendall(_LENGTH.pack(length))
            if length:
                connection.sendfile(source, offset, length)


class Fetcher:
    """The other side: fetches runs, keeping a connection to each tracker.

    Args:
        secret: the cluster's secret.
        timeout_s: seconds to wait for a tracker.
    """

    def __init__(self, secret: bytes, timeout_s: float = 20.0) -> None:
        self.secret, self.timeout_s = secret, timeout_s
        self._open: dict[str, tuple[socket.socket, bytes]] = {}

    def fetch(self, address: str, jobid: int, taskid: int, n: int, reduce: int) -> bytes:
        """The run of a reduce task in the output of a map attempt.

        Raises:
            FetchFailed: the tracker cannot be reached or does not have it.
        """
        request = _REQUEST.pack(jobid, taskid, n, reduce)
        try:
            found = self._again(address, request) if address in self._open else None
            if found is None:
                found = self._ask(address, request, self._connect(address))
        except (OSError, EOFError) as error:
            self._drop(address)
            raise FetchFailed(f"map output {taskid}.{n} of job {jobid} cannot be fetched from {address}: {error}") from error
        if found is _NOTHING:
            raise FetchFailed(f"{address} has no output of map {taskid}.{n} of job {jobid}")
        return found

    def _again(self, address: str, request: bytes) -> bytes | None:
        """Ask over the connection that is open; None if the tracker has closed it meanwhile, as it does with idle ones."""
        try:
            return self._ask(address, request, self._open[address])
        except (OSError, EOFError):
            self._drop(address)
            return None

    def _ask(self, address: str, request: bytes, held: tuple[socket.socket, bytes]) -> bytes:
        connection, nonce = held
        connection.sendall(request + _seal(self.secret, nonce, request))
        (length,) = _LENGTH.unpack(_receive(connection, _LENGTH.size))
        return _NOTHING if length == _ABSENT else _receive(connection, length)

    def _drop(self, address: str) -> None:
        if held := self._open.pop(address, None):
            held[0].close()

    def _connect(self, address: str) -> tuple[socket.socket, bytes]:
        host, _, port = address.rpartition(":")
        connection = socket.create_connection((host.strip("[]"), int(port)), self.timeout_s)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        held = self._open[address] = (connection, _receive(connection, NONCE_BYTES))
        return held

    def close(self) -> None:
        """Close all connections."""
        for connection, _ in self._open.values():
            connection.close()
        self._open.clear()


def _receive(connection: socket.socket, size: int) -> bytes:
    parts = []
    while size:
        part = connection.recv(min(size, 1 << 20))
        if not part:
            raise EOFError("the connection was closed")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
