"""Servers for whoever runs a whole cluster on this machine: as processes, or as threads of this one."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal

from bloompy.transports.addresses import split_address

_LISTENING = re.compile(r"listening on (\S+)")
_HOST, _PORTS = "127.0.0.1", (20_000, 32_000)
_START_S = 60.0
_STOP_S = 10.0


class ThreadServer:
    """A server in a thread of this process."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._stack = ExitStack()
        self._portal: BlockingPortal = self._stack.enter_context(start_blocking_portal())
        try:
            self.served = self._stack.enter_context(self._portal.wrap_async_context_manager(_Made(make)))
        except BaseException:
            self._stack.close()
            raise

    def wait_until_listening(self) -> str:
        """The address of its rules."""
        return str(self.served.address)

    def stop(self) -> None:
        """End it."""
        self._stack.close()

    kill = stop


class _Made:
    """A context manager that is made in the event loop that runs it."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    async def __aenter__(self) -> Any:
        self._context = self._make()
        return await self._context.__aenter__()

    async def __aexit__(self, *exception: Any) -> Any:
        return await self._context.__aexit__(*exception)


class ProcessServer:
    """A server as a process, which says "listening on ADDRESS" when it does.

    It stands in a process group of its own, so that Ctrl-C reaches only whoever started it, who then ends it in order.

    Args:
        module: run as `python -m MODULE …`.
        arguments: of it.
        secret: of the cluster; it goes in the environment.
        name: of its log file.
        directory: where that is.
    """

    def __init__(self, module: str, arguments: list[str], secret: str, name: str, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.log = directory / f"{name}.log"
        with self.log.open("ab") as log:
            self._start = log.tell()
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "BLOOMPY_SECRET": secret, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,
            )

    def wait_until_listening(self) -> str:
        """The address of its rules. Raises RuntimeError with its output if it ends, TimeoutError if it takes too long."""
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            said = self.log.read_bytes()[self._start :].decode(errors="replace")
            if found := _LISTENING.search(said):
                return found[1].rstrip(",")
            if self.process.poll() is not None:
                raise RuntimeError(f"a server ended with exit status {self.process.returncode}:\n{said}")
            time.sleep(0.02)
        self.kill()
        raise TimeoutError(f"a server did not begin to listen within {_START_S:g} s:\n{said}")

    def terminate(self) -> None:
        """Have it end in order, and do not wait for that."""
        self.process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        """End it in order, and by force after some seconds."""
        self.terminate()
        try:
            self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it without notice."""
        self.process.kill()
        self.process.wait()


Server = ThreadServer | ProcessServer


def free_addresses(count: int) -> list[str]:
    """Addresses whose ports nobody uses, and that the system gives to no client while a server of them is down."""
    found: list[str] = []
    while len(found) < count:
        address = f"{_HOST}:{random.randrange(*_PORTS)}"
        with suppress(OSError), socket.create_server(split_address(address)):
            if address not in found:
                found.append(address)
    return found


@contextmanager
def temporary_directory(prefix: str) -> Iterator[str]:
    """A directory that is removed at the end, whatever servers still write there."""
    path = tempfile.mkdtemp(prefix=prefix)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def wait_for(condition: Callable[[], bool], what: str, timeout_s: float = 30.0) -> None:
    """Wait until a condition holds. Raises TimeoutError, naming what was waited for."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout_s:g} s for {what}")
        time.sleep(0.02)
