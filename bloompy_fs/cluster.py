"""Imperative: a whole file system on this machine, in this process or as processes of its own; for demos, notebooks, tests."""

from __future__ import annotations

import os
import secrets as random_secrets
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from bloompy.tools.servers import ProcessServer, Server, ThreadServer, free_addresses, temporary_directory, wait_for
from bloompy_fs.blocking import Client
from bloompy_fs.metadata import leader_of
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
    """A NameNode, or replicas or partitions of one, and DataNodes on loopback; use it by `with`.

    Args:
        datanodes: how many are started.
        directory: for the NameNode's store and the chunks; None: a temporary one, removed at the end.
        processes: whether each server is a process of its own; else each is a Node in a thread of this process.
        heartbeat_s: of the DataNodes.
        namenodes: how many replicas there are of the NameNode, or of each partition; 3 go on without one of them.
        partitions: how many there are of its names.
        **parameters: of the NameNode; by default those of `QUICK`.

    Attributes:
        namenode: what clients are given: the address of the NameNode, or all of them, ";" between partitions, "," between replicas.
        namenodes: the NameNodes that run, by address. datanodes: the DataNodes that run, by name.
        secret: shared by all.
    """

    def __init__(
        self,
        datanodes: int = 3,
        directory: str | os.PathLike[str] | None = None,
        *,
        processes: bool = False,
        heartbeat_s: float = QUICK_HEARTBEAT_S,
        namenodes: int = 1,
        partitions: int = 1,
        **parameters: Any,
    ) -> None:
        self.secret = random_secrets.token_hex(16)
        self.namenode = ""
        self.namenodes: dict[str, Server] = {}
        self.datanodes: dict[str, Server] = {}
        addresses = free_addresses(namenodes * partitions) if namenodes * partitions > 1 else []
        self._groups = [addresses[i : i + namenodes] for i in range(0, len(addresses), namenodes)]
        self._count, self._processes, self._heartbeat_s = datanodes, processes, heartbeat_s
        self._parameters = {**QUICK, **parameters}
        self._given = directory
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        try:
            self.directory = Path(self._given or self._stack.enter_context(temporary_directory("bloompy-fs-")))
            self.directory.mkdir(parents=True, exist_ok=True)
            self._start_namenodes()
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
        for server in self.namenodes.values():
            if isinstance(server, ProcessServer):
                server.terminate()  # all at once, then wait for each
        for address in list(self.namenodes):
            self.stop_namenode(address)
        self._stack.close()

    def client(self, **options: Any) -> Client:
        """A client of this cluster."""
        return Client(self.namenode, self.secret, **options)

    def _start_namenodes(self) -> None:
        for group in self._groups or [["127.0.0.1:0"]]:
            for address in group:
                self._launch_namenode(address)
        self.namenodes = {server.wait_until_listening(): server for server in self.namenodes.values()}
        self.namenode = ";".join(map(",".join, self._groups or [list(self.namenodes)]))

    def start_namenode(self, address: str = "") -> None:
        """Start the NameNode, or the replica of an address, again, with what it stored."""
        address = address or self.namenode
        self._launch_namenode(address)
        self.namenodes[address].wait_until_listening()

    def _launch_namenode(self, address: str) -> None:
        name = f"namenode-{address.rpartition(':')[2]}" if self._groups else "namenode"
        store, members = self.directory / f"{name}.db", ";".join(map(",".join, self._groups))
        if self._processes:
            options = [text for parameter, value in self._parameters.items() for text in ("--set", f"{parameter}={value}")]
            options += ["--members", members] if members else []
            arguments = ["namenode", "--listen", address, "--store", str(store), *options]
            self.namenodes[address] = ProcessServer("bloompy_fs", arguments, self.secret, name, self.directory)
        else:
            self.namenodes[address] = ThreadServer(
                lambda: namenode_server(address, store, self.secret, members=members, **self._parameters)
            )

    def stop_namenode(self, address: str = "") -> None:
        """End the NameNode, or the replica of an address; its store stays."""
        self.namenodes.pop(address or self.namenode).stop()

    def kill_namenode(self, address: str = "") -> None:
        """End the NameNode, or the replica of an address, without notice (kill -9, where it is a process)."""
        self.namenodes.pop(address or self.namenode).kill()

    def leader(self, partition: int = 0) -> str:
        """The address of the NameNode that leads, of a partition: who answers. Raises FsTimeout if none does."""
        return leader_of(self.namenode.split(";")[partition].split(","), self.secret.encode())

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
