"""Imperative: a whole file system on this machine, in this process or as processes of its own; for demos, notebooks, tests."""

from __future__ import annotations

import os
import re
import secrets as random_secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from anyio.from_thread import BlockingPortal, start_blocking_portal

from bloompy_fs.blocking import Client
from bloompy_fs.servers import DataNodeServer, namenode_server

QUICK: dict[str, float] = {
    "retention_s": 1.5,
    "sweep_s": 0.2,
    "repair_s": 0.2,
    "propagation_s": 0.3,
    "order_timeout_s": 5.0,
    "safe_timeout_s": 10.0,
}
"""NameNode parameters with which a demo or a test sees repairs within seconds."""
QUICK_HEARTBEAT_S = 0.2

_LISTENING = re.compile(r"listening on (\S+)")
_START_S = 60.0


class LocalCluster:
    """A NameNode and DataNodes on loopback; use it by `with`.

    Args:
        datanodes: how many are started.
        directory: for the NameNode's store and the chunks; None: a temporary one, removed at the end.
        processes: whether each server is a process of its own; else each is a Node in a thread of this process.
        heartbeat_s: of the DataNodes.
        **parameters: of the NameNode; by default those of `QUICK`.
    """

    def __init__(
        self,
        datanodes: int = 3,
        directory: str | os.PathLike[str] | None = None,
        *,
        processes: bool = False,
        heartbeat_s: float = QUICK_HEARTBEAT_S,
        **parameters: Any,
    ) -> None:
        self.secret = random_secrets.token_hex(16)
        self.namenode = ""
        self.datanodes: dict[str, Server] = {}
        self._count, self._processes, self._heartbeat_s = datanodes, processes, heartbeat_s
        self._parameters = {**QUICK, **parameters}
        self._given = directory
        self._stack = ExitStack()
        self._server: Server | None = None

    def __enter__(self) -> Self:
        try:
            self.directory = Path(self._given or self._stack.enter_context(_temporary()))
            self.directory.mkdir(parents=True, exist_ok=True)
            self.start_namenode()
            for i in range(self._count):
                self.start_datanode(f"datanode{i}")
            for server in self.datanodes.values():
                server.wait_until_listening()
            self.wait_for(lambda: self._joined() >= self._count, "the DataNodes to join")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        for name in list(self.datanodes):
            self.stop_datanode(name)
        self.stop_namenode()
        self._stack.close()

    def client(self, **options: Any) -> Client:
        """A client of this cluster."""
        return Client(self.namenode, self.secret, **options)

    def start_namenode(self) -> None:
        """Start the NameNode, or start it again at the address it had, with what it stored."""
        listen, store = self.namenode or "127.0.0.1:0", self.directory / "namenode.db"
        if self._processes:
            options = [text for name, value in self._parameters.items() for text in ("--set", f"{name}={value}")]
            arguments = ["namenode", "--listen", listen, "--store", str(store), *options]
            server: Server = ProcessServer(arguments, self.secret, "namenode", self.directory)
        else:
            server = ThreadServer(lambda: namenode_server(listen, store, self.secret, **self._parameters))
        self._server, self.namenode = server, server.wait_until_listening()

    def stop_namenode(self) -> None:
        """End the NameNode; its store stays."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def kill_namenode(self) -> None:
        """End the NameNode without notice (kill -9, where it is a process)."""
        if self._server is not None:
            self._server.kill()
            self._server = None

    def start_datanode(self, name: str) -> None:
        """Start a DataNode whose chunks are in the directory of this name."""
        directory = self.directory / name
        if self._processes:
            arguments = ["datanode", "--namenode", self.namenode, "--data-dir", str(directory), "--heartbeat", str(self._heartbeat_s)]
            self.datanodes[name] = ProcessServer(arguments, self.secret, name, self.directory)
        else:
            self.datanodes[name] = ThreadServer(
                lambda: DataNodeServer(self.namenode, directory, secret=self.secret, heartbeat_s=self._heartbeat_s)
            )

    def stop_datanode(self, name: str) -> None:
        """End a DataNode in order."""
        self.datanodes.pop(name).stop()

    def kill_datanode(self, name: str) -> None:
        """End a DataNode without notice (kill -9, where it is a process)."""
        self.datanodes.pop(name).kill()

    def wait_for(self, condition: Callable[[], bool], what: str, timeout_s: float = 30.0) -> None:
        """Wait until a condition holds. Raises TimeoutError, naming what was waited for."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {timeout_s:g} s for {what}")
            time.sleep(0.02)

    def _joined(self) -> int:
        with self.client() as fs:
            return len(fs.datanodes())


class ThreadServer:
    """A server in a thread of this process."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._stack = ExitStack()
        self._portal: BlockingPortal = self._stack.enter_context(start_blocking_portal())
        try:
            self.served = self._stack.enter_context(self._portal.wrap_async_context_manager(_made(make)))
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


class _made:
    """A context manager that is made in the event loop that runs it."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    async def __aenter__(self) -> Any:
        self._context = self._make()
        return await self._context.__aenter__()

    async def __aexit__(self, *exception: Any) -> Any:
        return await self._context.__aexit__(*exception)


class ProcessServer:
    """A server as a process: `python -m bloompy_fs …`, its output in a log file of the directory."""

    def __init__(self, arguments: list[str], secret: str, name: str, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.log = directory / f"{name}.log"
        with self.log.open("ab") as log:
            self._start = log.tell()
            self.process = subprocess.Popen(
                [sys.executable, "-m", "bloompy_fs", *arguments],
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

    def stop(self) -> None:
        """End it in order, and by force after some seconds."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it without notice."""
        self.process.kill()
        self.process.wait()


Server = ThreadServer | ProcessServer


class _temporary:
    def __enter__(self) -> str:
        self.path = tempfile.mkdtemp(prefix="bloompy-fs-")
        return self.path

    def __exit__(self, *exception: object) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
