"""A replica that counts the synchronisations of its store; asked by SIGUSR1, it says on standard output how many they were."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path
from typing import Any

from bloompy.stores.embedded import EmbeddedStore
from bloompy.tools.servers import ProcessServer
from bloompy_paxos.commands import paxos

_ANSWER_S = 5.0


def synchronisations(server: ProcessServer) -> int:
    """How many a replica has made so far."""
    before = _said(server.log)
    server.process.send_signal(signal.SIGUSR1)
    deadline = time.monotonic() + _ANSWER_S
    while len(said := _said(server.log)) == len(before):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{server.log.name}: the replica did not say how often it synchronised")
        time.sleep(0.005)
    return said[-1]


def _said(log: Path) -> list[int]:
    return [int(number) for number in re.findall(r"^synchronisations (\d+)$", log.read_text(errors="replace"), re.MULTILINE)]


def _count() -> None:
    synchronise, made = EmbeddedStore.sync, 0

    def sync(store: EmbeddedStore) -> None:
        nonlocal made
        made += 1
        synchronise(store)

    def say(*_: Any) -> None:
        print(f"synchronisations {made}\n", end="", flush=True)

    EmbeddedStore.sync = sync  # type: ignore[method-assign]
    signal.signal(signal.SIGUSR1, say)


if __name__ == "__main__":
    _count()
    paxos(prog_name="bloompy paxos")
