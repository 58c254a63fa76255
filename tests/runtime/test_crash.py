"""kill -9 at any moment: nothing acknowledged is lost, nothing half done is seen."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from bloompy import Node
from bloompy.errors import CallTimeout
from tests.runtime.programs import KeyValue, Protocol, Stages

CLIENTS = 4

SERVER = """
import sys
from bloompy import Node
from tests.runtime.programs import {program}
Node({program}(), listen=sys.argv[1], store=sys.argv[2]).run(lambda node: print(node.address, flush=True))
"""


def start(program: str, listen: str, store: Path) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER.replace("{program}", program), listen, store],
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


def check_key_value(store: Path) -> Mapping[str, int]:
    """What is held of each client, after a look for anything half done."""
    with Node(KeyValue(), store=store) as restored:
        data = {row.key: row.value for row in restored.program.data}
        copy = {row.key: row.value for row in restored.program.copy}
    assert data == copy, "half a tick"
    return data


def check_stages(store: Path) -> Mapping[str, int]:
    """As `check_key_value`, for ticks that share synchronisations: each is there with all before it."""
    with Node(Stages(), store=store) as restored:
        stages = {(row.stage, row.key): row.value for row in restored.program.stages}
        copy = {(row.stage, row.key): row.value for row in restored.program.copy}
    assert stages == copy, "half a tick"
    last = {key: value for (stage, key), value in stages.items() if stage == 3}
    for key, value in last.items():
        assert stages[1, key] >= stages[2, key] >= value, "a tick without one before it"
    return last


def crash(store: Path, kills: int, seed: int, check: Callable[[Path], Mapping[str, int]] = check_key_value) -> int:
    """Kill a server again and again while clients write; returns how many writes were acknowledged."""
    pauses = random.Random(seed)
    program = "KeyValue" if check is check_key_value else "Stages"
    process, address = start(program, "127.0.0.1:0", store)
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
            data = check(store)
            for client in clients:
                held = data.get(client.name, -1)
                # Acknowledged is there; what is there was tried (a request without reply may have been served).
                assert client.acknowledged <= held <= client.tried
                total += client.acknowledged + 1
            with sqlite3.connect(store) as fresh:  # each round counts from 0 again
                fresh.execute("DELETE FROM rows")
            fresh.close()
            process, address = start(program, address, store)
    finally:
        process.kill()
        process.wait()
    return total


@pytest.mark.parametrize("check", [check_key_value, check_stages])
def test_kill_9(tmp_path: Path, check: Callable[[Path], Mapping[str, int]]) -> None:
    assert crash(tmp_path / "state.db", 3, 1, check) > 0


@pytest.mark.slow
@pytest.mark.parametrize("check", [check_key_value, check_stages])
def test_kill_9_many_times(tmp_path: Path, check: Callable[[Path], Mapping[str, int]]) -> None:
    assert crash(tmp_path / "state.db", 60, 2, check) > 0
