"""Imperative: a whole file system on this machine, in this process or as processes of its own; for demos, notebooks, tests."""

from __future__ import annotations

import os
import secrets as random_secrets
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from bloompy.tools.servers import ProcessServer, Server, ThreadServer, temporary_directory, wait_for
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
            self.directory = Path(self._given or self._stack.enter_context(temporary_directory("bloompy-fs-")))
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
            server: Server = ProcessServer("bloompy_fs", arguments, self.secret, "namenode", self.directory)
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
            self.datanodes[name] = ProcessServer("bloompy_fs", arguments, self.secret, name, self.directory)
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
        wait_for(condition, what, timeout_s)

    def _joined(self) -> int:
        with self.client() as fs:
            return len(fs.datanodes())
