"""kill -9 at any moment: nothing acknowledged is lost, nothing half done is seen."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bloompy import Node
from bloompy.errors import CallTimeout
from tests.runtime.programs import KeyValue, Protocol

CLIENTS = 4

SERVER = """
import sys
from bloompy import Node
from tests.runtime.programs import KeyValue
Node(KeyValue(), listen=sys.argv[1], store=sys.argv[2]).run(lambda node: print(node.address, flush=True))
"""


def start(listen: str, store: Path) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, listen, store],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    assert address, "the server did not come up"
    return process, address


class Client:
    """Writes as fast as it is answered; notes for each key what was last acknowledged and what has been tried since."""

    def __init__(self, node: Node[Protocol], address: str, number: int) -> None:
        self.node, self.address, self.name, self.number = node, address, f"client {number}", number
        self.acknowledged, self.tried = -1, -1
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self.stop.is_set():
            self.tried += 1
            number = self.tried * CLIENTS + self.number  # the clients share a node: the key of a request must be its own
            row = (self.address, self.node.address, number, self.name, self.tried)
            try:
                reply = self.node.call_sync("put", row, reply="stored", timeout_s=0.5)
            except CallTimeout:
                continue
            assert reply.value == self.tried
            self.acknowledged = self.tried


def crash(store: Path, kills: int, seed: int) -> int:
    """Kill a server again and again while clients write; returns how many writes were acknowledged."""
    pauses = random.Random(seed)
    process, address = start("127.0.0.1:0", store)
    total = 0
    try:
        for _ in range(kills):
            with Node(Protocol(), listen="127.0.0.1:0") as node:
                clients = [Client(node, address, number) for number in range(CLIENTS)]
                for client in clients:
                    client.thread.start()
                threading.Event().wait(pauses.uniform(0.05, 0.3))
                process.send_signal(signal.SIGKILL)
                process.wait()
                for client in clients:
                    client.stop.set()
                for client in clients:
                    client.thread.join()
            with Node(KeyValue(), store=store) as restored:
                data = {row.key: row.value for row in restored.program.data}
                copy = {row.key: row.value for row in restored.program.copy}
            assert data == copy, "half a tick"
            for client in clients:
                held = data.get(client.name, -1)
                # Acknowledged is there; what is there was tried (a request without reply may have been served).
                assert client.acknowledged <= held <= client.tried
                total += client.acknowledged + 1
            with sqlite3.connect(store) as fresh:  # each round counts from 0 again
                fresh.execute("DELETE FROM rows")
            fresh.close()
            process, address = start(address, store)
    finally:
        process.kill()
        process.wait()
    return total


def test_kill_9(tmp_path: Path) -> None:
    assert crash(tmp_path / "state.db", kills=3, seed=1) > 0


@pytest.mark.slow
def test_kill_9_many_times(tmp_path: Path) -> None:
    assert crash(tmp_path / "state.db", kills=60, seed=2) > 0
