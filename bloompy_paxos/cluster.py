"""Imperative: all replicas of a key-value store on this machine, in this process or as processes; for demos, notebooks, tests."""

from __future__ import annotations

import os
import secrets as random_secrets
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from bloompy.tools.servers import ProcessServer, Server, ThreadServer, free_addresses, temporary_directory, wait_for
from bloompy_paxos.client import Client
from bloompy_paxos.directory import Group, load
from bloompy_paxos.server import Identity, replica_server

_ASK_S = 0.5


class LocalCluster:
    """Replicas on loopback; use it by `with`.

        with LocalCluster(3) as cluster, cluster.client() as store:
            store.put("x", 1)
            cluster.kill(cluster.leader())
            assert store.get("x") == 1

    Args:
        replicas: how many are started at first; where the directory has a group, that is started again.
        directory: for their data; None: a temporary one, removed at the end.
        processes: whether each is a process of its own; else each is a Node in a thread of this process.
        **parameters: of `ReplicatedKeyValueStore`.

    Attributes:
        addresses: of all replicas, by the order in which they came.
        servers: those that run, by address.
        secret: shared by all.
        MODULE: what is run as `python -m MODULE serve …` for a replica that is a process.
    """

    MODULE = "bloompy_paxos"

    def __init__(
        self, replicas: int = 3, directory: str | os.PathLike[str] | None = None, *, processes: bool = False, **parameters: Any
    ) -> None:
        self.addresses: list[str] = []
        self.servers: dict[str, Server] = {}
        self.secret = ""
        self._count, self._given, self._processes, self._parameters = replicas, directory, processes, parameters
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        try:
            self.directory = Path(self._given or self._stack.enter_context(temporary_directory("bloompy-paxos-")))
            self.directory.mkdir(parents=True, exist_ok=True)
            group = load(self.directory) or self._new_group()
            self.addresses, self.secret = list(group.replicas), group.secret or ""
            for address in self.addresses:
                self._launch(address)
            for server in self.servers.values():
                server.wait_until_listening()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        for server in self.servers.values():
            if isinstance(server, ProcessServer):
                server.terminate()  # all at once, then wait for each
        for address in list(self.servers):
            self.stop(address)
        self._stack.close()

    def client(self, **options: Any) -> Client:
        """A client of this cluster."""
        return Client(self.addresses, self.secret, **options)

    # -- replicas

    def start(self, address: str) -> None:
        """Start a replica again that was stopped or killed, with what it stored."""
        self._launch(address)
        self.servers[address].wait_until_listening()

    def stop(self, address: str) -> None:
        """End a replica in order."""
        self.servers.pop(address).stop()

    def kill(self, address: str) -> None:
        """End a replica without notice (kill -9, where it is a process)."""
        self.servers.pop(address).kill()

    def add(self) -> str:
        """Start another replica, and have it take part; returns its address."""
        (address,) = free_addresses(1)
        Identity(address, ()).save(self._directory_of(address))
        self._launch(address)
        self.servers[address].wait_until_listening()
        with self.client() as client:
            client.add_member(address)
        self.addresses.append(address)
        self._save()
        return address

    def remove(self, address: str) -> None:
        """Have a replica take part no more, and end it."""
        with self.client() as client:
            client.remove_member(address)
        self.addresses.remove(address)
        self._save()
        if address in self.servers:
            self.stop(address)

    def leader(self, timeout_s: float = 30.0) -> str:
        """The address of the replica that leads, and that a majority follows; waits until there is one."""
        found: list[str] = []

        def led() -> bool:
            following = [one.leader for one in client.status(_ASK_S, list(self.servers)) if one.leader in self.servers]
            found[:] = [leader for leader in set(following) if 2 * following.count(leader) > len(self.addresses)]
            return bool(found)

        with self.client() as client:
            wait_for(led, "a leader", timeout_s)
        return found[0]

    # -- starting

    def _new_group(self) -> Group:
        """A group whose replicas know who they are: one that loses its directory later is not taken for a new one."""
        group = Group(tuple(free_addresses(self._count)), random_secrets.token_hex(16))
        for address in group.replicas:
            Identity(address, group.replicas).save(self._directory_of(address))
        group.save(self.directory)
        return group

    def _directory_of(self, address: str) -> Path:
        return self.directory / f"replica-{address.rpartition(':')[2]}"

    def _launch(self, address: str) -> None:
        directory = self._directory_of(address)
        if not self._processes:
            self.servers[address] = ThreadServer(lambda: replica_server(directory, secret=self.secret, **self._parameters))
            return
        settings = [text for name, value in self._parameters.items() for text in ("--set", f"{name}={value}")]
        arguments = ["serve", str(directory), *settings]
        self.servers[address] = ProcessServer(self.MODULE, arguments, self.secret, directory.name, self.directory)

    def _save(self) -> None:
        Group(tuple(self.addresses), self.secret).save(self.directory)
