"""The demo's cluster: a NameNode, DataNodes, a JobTracker and TaskTrackers, as processes or as threads of this one."""

from __future__ import annotations

import secrets
import tempfile
from contextlib import AbstractContextManager, ExitStack
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from bloompy.tools.demo.processes import Server

DATANODES = 3
TASKTRACKERS = 2
HEARTBEAT_S = 0.2
NAMENODE_SECONDS = {"retention_s": 1.5, "sweep_s": 0.25, "repair_s": 0.25, "propagation_s": 0.5, "safe_timeout_s": 10.0}
"""A dead DataNode is given up, and its chunks are copied, within seconds: the demo's network is one machine."""


class Cluster(Protocol):
    """A running cluster.

    Attributes:
        namenode, jobtracker: their addresses.
        secret: shared by all.
        about: what it consists of, in words.
    """

    namenode: str
    jobtracker: str
    secret: str
    about: str

    def kill_datanode(self, host: str) -> str:
        """End the DataNode of a host without a word to anybody; says in words how."""

    def check(self) -> None:
        """Raises click.ClickException if a server has ended that should run."""

    def logs(self) -> str:
        """The ends of the servers' logs."""


def host_of(number: int) -> str:
    """The name of a machine of the cluster. All are this one; the names show that tasks go to where data is."""
    return f"host{number}"


class Processes:
    """Every server is a process of its own and talks over TCP."""

    namenode = ""
    jobtracker = ""
    about = f"NameNode, {DATANODES} DataNodes, JobTracker, {TASKTRACKERS} TaskTrackers: {2 + DATANODES + TASKTRACKERS} processes"

    def __init__(self) -> None:
        self.secret = secrets.token_hex(32)
        self._servers: list[Server] = []
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
        store, seconds = self._directory / "namenode.db", [f"--set={name}={value}" for name, value in NAMENODE_SECONDS.items()]
        namenode = self._server("namenode", "fs", "namenode", "--listen=127.0.0.1:0", f"--store={store}", *seconds)
        jobtracker = self._server("jobtracker", "mr", "jobtracker", "--listen=127.0.0.1:0")
        self.namenode, self.jobtracker = namenode.wait_until_listening(), jobtracker.wait_until_listening()
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

    def check(self) -> None:
        for server in self._servers:
            server.check()

    def logs(self) -> str:
        return "\n".join(filter(None, (server.tail() for server in self._servers)))


class InProcess:
    """Every server is a thread of this process, for notebooks; they talk over TCP all the same. Tasks run in worker processes."""

    namenode = ""
    jobtracker = ""
    about = f"NameNode, {DATANODES} DataNodes, JobTracker, {TASKTRACKERS} TaskTrackers in this process"

    def __init__(self) -> None:
        self.secret = secrets.token_hex(32)
        self._datanodes: dict[str, ExitStack] = {}

    def __enter__(self) -> Self:
        from anyio.from_thread import start_blocking_portal

        fs, mr, tracker = (import_module(name) for name in ("bloompy_fs.servers", "bloompy_mr.jobtracker", "bloompy_mr.tasktracker"))
        node = import_module("bloompy").Node
        with ExitStack() as stack:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bloompy-demo-", ignore_cleanup_errors=True)))
            portal = stack.enter_context(start_blocking_portal())

            def enter(server: AbstractContextManager[Any]) -> Any:
                return stack.enter_context(server)

            store, secret = directory / "namenode.db", self.secret.encode()
            self.namenode = enter(fs.namenode_server("127.0.0.1:0", store, secret, **NAMENODE_SECONDS)).address
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

    def kill_datanode(self, host: str) -> str:
        self._datanodes.pop(host).close()
        return f"DataNode of {host}, by closing its sockets"

    def check(self) -> None:
        """Threads of this process cannot die alone."""

    def logs(self) -> str:
        return ""
