"""The demo's cluster: NameNodes, DataNodes, a JobTracker and TaskTrackers, as processes or as threads of this one."""

from __future__ import annotations

import secrets
import tempfile
from contextlib import AbstractContextManager, ExitStack
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from bloompy.tools.demo.processes import Server
from bloompy.tools.servers import free_addresses

REPLICAS = 3
"""NameNodes of a replicated cluster: one of them may die."""
DATANODES = 3
TASKTRACKERS = 2
HEARTBEAT_S = 0.2
NAMENODE_SECONDS = {"retention_s": 1.5, "sweep_s": 0.25, "repair_s": 0.25, "propagation_s": 0.5, "safe_timeout_s": 10.0}
"""A dead DataNode is given up, and its chunks are copied, within seconds: the demo's network is one machine."""


class Cluster(Protocol):
    """A running cluster.

    Attributes:
        namenode: the address of the NameNode, or all of them with commas. jobtracker: its address.
        secret: shared by all.
        about: what it consists of, in words.
    """

    namenode: str
    jobtracker: str
    secret: str
    about: str

    def kill_datanode(self, host: str) -> str:
        """End the DataNode of a host without a word to anybody; says in words how."""

    def kill_namenode(self, address: str) -> str:
        """End the NameNode of an address without a word to anybody; says in words how."""

    def start_namenode(self, address: str) -> None:
        """Start the NameNode of an address again, with what it stored."""

    def check(self) -> None:
        """Raises click.ClickException if a server has ended that should run."""

    def logs(self) -> str:
        """The ends of the servers' logs."""


def host_of(number: int) -> str:
    """The name of a machine of the cluster. All are this one; the names show that tasks go to where data is."""
    return f"host{number}"


def _about(namenodes: int) -> str:
    masters = "NameNode" if namenodes == 1 else f"{namenodes} NameNodes that are one"
    return f"{masters}, {DATANODES} DataNodes, JobTracker, {TASKTRACKERS} TaskTrackers"


class Processes:
    """Every server is a process of its own and talks over TCP.

    Args:
        replicated: whether the NameNode is three that are one.
    """

    namenode = ""
    jobtracker = ""

    def __init__(self, replicated: bool = False) -> None:
        self.secret = secrets.token_hex(32)
        self._members = free_addresses(REPLICAS) if replicated else []
        namenodes = len(self._members) or 1
        self.about = f"{_about(namenodes)}: {1 + namenodes + DATANODES + TASKTRACKERS} processes"
        self._servers: list[Server] = []
        self._namenodes: dict[str, Server] = {}
        self._datanodes: dict[str, Server] = {}

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bloompy-demo-", ignore_cleanup_errors=True)))
            stack.callback(self._stop)
            self._start()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    def _start(self) -> None:
        namenodes = [self._namenode(address) for address in self._members or ["127.0.0.1:0"]]
        jobtracker = self._server("jobtracker", "mr", "jobtracker", "--listen=127.0.0.1:0")
        self.namenode = ",".join(namenode.wait_until_listening() for namenode in namenodes)
        self.jobtracker = jobtracker.wait_until_listening()
        for number in range(1, DATANODES + 1):
            directory = self._directory / f"datanode-{number}"
            self._datanodes[host_of(number)] = self._server(
                f"datanode-{number}", "fs", "datanode", f"--namenode={self.namenode}", "--listen=127.0.0.1:0",
                f"--data-dir={directory}", f"--host={host_of(number)}", f"--heartbeat={HEARTBEAT_S}",
            )  # fmt: skip
        for number in range(1, TASKTRACKERS + 1):
            self._server(
                f"tasktracker-{number}", "mr", "tasktracker", f"--jobtracker={self.jobtracker}", f"--host={host_of(number)}",
                f"--directory={self._directory / f'tasktracker-{number}'}", "--map-slots=1", "--reduce-slots=1",
                f"--heartbeat-s={HEARTBEAT_S}",
            )  # fmt: skip
        for server in self._servers:
            server.wait_until_listening()

    def _namenode(self, address: str) -> Server:
        name = f"namenode-{self._members.index(address) + 1}" if self._members else "namenode"
        options = [f"--set={parameter}={value}" for parameter, value in NAMENODE_SECONDS.items()]
        options += [f"--members={','.join(self._members)}"] if self._members else []
        store = self._directory / f"{name}.db"
        server = self._namenodes[address] = self._server(name, "fs", "namenode", f"--listen={address}", f"--store={store}", *options)
        return server

    def _server(self, name: str, *command: str) -> Server:
        server = Server(name, list(command), self._directory, {"BLOOMPY_SECRET": self.secret})
        self._servers.append(server)
        return server

    def _stop(self) -> None:
        for server in self._servers:
            server.terminate()
        for server in self._servers:
            server.stop()

    def kill_datanode(self, host: str) -> str:
        server = self._datanodes.pop(host)
        self._servers.remove(server)
        server.kill()
        return f"DataNode of {host} (process {server.pid}) by SIGKILL"

    def kill_namenode(self, address: str) -> str:
        server = self._namenodes.pop(address)
        self._servers.remove(server)
        server.kill()
        return f"the leading NameNode, {address} (process {server.pid}), by SIGKILL"

    def start_namenode(self, address: str) -> None:
        self._namenode(address).wait_until_listening()

    def check(self) -> None:
        for server in self._servers:
            server.check()

    def logs(self) -> str:
        return "\n".join(filter(None, (server.tail() for server in self._servers)))


class InProcess:
    """Every server is a thread of this process, for notebooks; they talk over TCP all the same. Tasks run in worker processes.

    Args:
        replicated: whether the NameNode is three that are one.
    """

    namenode = ""
    jobtracker = ""

    def __init__(self, replicated: bool = False) -> None:
        self.secret = secrets.token_hex(32)
        self._members = free_addresses(REPLICAS) if replicated else []
        self.about = f"{_about(len(self._members) or 1)} in this process"
        self._namenodes: dict[str, ExitStack] = {}
        self._datanodes: dict[str, ExitStack] = {}

    def __enter__(self) -> Self:
        from anyio.from_thread import start_blocking_portal

        fs, mr, tracker = (import_module(name) for name in ("bloompy_fs.servers", "bloompy_mr.jobtracker", "bloompy_mr.tasktracker"))
        node = import_module("bloompy").Node
        with ExitStack() as stack:
            self._directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bloompy-demo-", ignore_cleanup_errors=True)))
            portal = stack.enter_context(start_blocking_portal())
            stack.callback(self._stop_namenodes)

            def enter(server: AbstractContextManager[Any]) -> Any:
                return stack.enter_context(server)

            directory, secret = self._directory, self.secret.encode()
            self.namenode = ",".join([self._namenode(address) for address in self._members or ["127.0.0.1:0"]])
            self.jobtracker = enter(node(mr.JobTracker(secret=secret), listen="127.0.0.1:0", secret=secret)).address
            for number in range(1, DATANODES + 1):
                server = fs.DataNodeServer(
                    self.namenode, directory / f"datanode-{number}", secret=secret, host=host_of(number), heartbeat_s=HEARTBEAT_S
                )
                own = self._datanodes[host_of(number)] = enter(ExitStack())
                own.enter_context(portal.wrap_async_context_manager(server))
            for number in range(1, TASKTRACKERS + 1):
                enter(tracker.TaskTracker(
                    self.jobtracker, secret=secret, host=host_of(number), map_slots=1, reduce_slots=1, heartbeat_s=HEARTBEAT_S
                ))  # fmt: skip
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    def _namenode(self, address: str) -> str:
        """Start a NameNode; returns the address that it listens on."""
        servers, stack = import_module("bloompy_fs.servers"), ExitStack()
        store = self._directory / f"namenode-{address.rpartition(':')[2]}.db"
        node = servers.namenode_server(address, store, self.secret.encode(), members=self._members, **NAMENODE_SECONDS)
        listening = str(stack.enter_context(node).address)
        self._namenodes[listening] = stack
        return listening

    def _stop_namenodes(self) -> None:
        for stack in self._namenodes.values():
            stack.close()

    def kill_datanode(self, host: str) -> str:
        self._datanodes.pop(host).close()
        return f"DataNode of {host}, by closing its sockets"

    def kill_namenode(self, address: str) -> str:
        self._namenodes.pop(address).close()
        return f"the leading NameNode, {address}, by closing its sockets"

    def start_namenode(self, address: str) -> None:
        self._namenode(address)

    def check(self) -> None:
        """Threads of this process cannot die alone."""

    def logs(self) -> str:
        return ""
