"""Imperative: the NameNode and DataNodes as servers: rules in a Node, and for a DataNode its disk and data port."""

from __future__ import annotations

import fcntl
import logging
import os
import secrets as random_secrets
import socket
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

import anyio
from anyio import to_thread
from anyio.abc import SocketAttribute
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from bloompy.errors import BloomError, UsageError
from bloompy.runtime.limits import Limits
from bloompy.runtime.node import Node
from bloompy.std.hashing import stable_hash
from bloompy.transports.addresses import is_loopback, is_unspecified, join_address, split_address
from bloompy_fs.addresses import Groups, groups
from bloompy_fs.chunkstore import ChunkStore, Identity
from bloompy_fs.datanode import DataNode
from bloompy_fs.dataplane import DataPlane, Events
from bloompy_fs.namenode import NameNode
from bloompy_fs.owners import OwnedStore, Owner, members_text
from bloompy_fs.parameters import LOG_DEFAULTS, check_settings
from bloompy_fs.replicated import ReplicatedNameNode
from bloompy_paxos.parameters import check_parameters
from bloompy_paxos.snapshots import SNAPSHOT_BYTES

log = logging.getLogger(__name__)
_ORDERS = 10_000
_WORKERS = 4
_USAGE_S = 10.0


class ClusterMismatch(BloomError):
    """A data directory that belongs to another cluster than the NameNode's."""

    code = "BLM513"


def namenode_server(
    listen: str,
    store: str | os.PathLike[str] | None,
    secret: str | bytes | None = None,
    *,
    address: str | None = None,
    members: str | Sequence[str] | Sequence[Sequence[str]] = (),
    **parameters: Any,
) -> Node[Any]:
    """A NameNode, a replica or a partition of one, ready to be entered or run.

    Args:
        listen: "host:port".
        store: path of its durable tables; None keeps nothing over a restart, and is refused for a replica: what it has promised
            must not be forgotten. It belongs to the NameNode that made it, a replica's to its address and members, for good.
        secret: shared by the cluster; compulsory for any host but loopback.
        address: "host:port" by which all others reach it, for a replica for good; None: `listen`, which then has to be one that can be
            called, not "0.0.0.0:8001".
        members: addresses of all replicas, this one too, the same at each of them; none: there is one NameNode. Of several partitions
            the members of each, in the order that all are given, partition 0 first; or as one text, as `addresses.groups` takes it.
        **parameters: of the program: `NameNode`, `ReplicatedNameNode`, `PartitionedNameNode` or `ReplicatedPartition`.

    Raises:
        UsageError: for a replica or partition without a store, or that is not among the members.
        ParameterError: for a parameter that there is not, or a value with which it could not work.
        WrongStore: for the store of another NameNode. StoreGone: for a store that is not where it was.
    """
    check_settings(parameters)
    if address is not None:
        split_address(address)
        parameters["me"] = address
    if not members:
        parameters.setdefault("cluster_id", random_secrets.token_hex(8))
        owned = None if store is None else OwnedStore(store, Owner())
        return Node(NameNode(**parameters), listen=listen, store=owned, secret=secret)
    own = address or listen
    if store is None:
        raise UsageError(f"the replica at {own} has no store", hint="give it one: it must not forget what it has promised")
    check_parameters(parameters, LOG_DEFAULTS)
    every = groups(members if isinstance(members, str) or not isinstance(members[0], str) else [members])  # type: ignore[list-item]
    number = _partition(own, every)
    if len(every[number]) == 2:
        log.warning("of the two replicas %s both are needed: neither may fail; of three, one may", " and ".join(every[number]))
    limits, owned = Limits(outgoing_bytes=SNAPSHOT_BYTES), OwnedStore(store, Owner(own, every))
    return Node(_member(every, number, parameters), listen=listen, store=owned, secret=secret, limits=limits)


def _partition(own: str, every: Groups) -> int:
    """That which an address is a member of."""
    for number, group in enumerate(every):
        if own in group:
            return number
    (host, port), all_members = split_address(own), [member for group in every for member in group]
    alike = [member for member in all_members if split_address(member)[1] == port and _may_be_one(host, split_address(member)[0])]
    meant = f"write it as the members have it, {alike[0]}" if alike else "name all replicas, this one too, as all others spell them"
    hint = f"{meant}; to listen elsewhere, as on 0.0.0.0:{port}, say by --address which of the members it is"
    raise UsageError(f"{own} is not among the members {members_text(every)}", hint=hint)


def _may_be_one(host: str, other: str) -> bool:
    """Whether two hosts may be the same machine, spelt in two ways."""
    return host.lower() == other.lower() or (is_loopback(host) and is_loopback(other))


def _member(every: Groups, number: int, parameters: dict[str, Any]) -> NameNode:
    """The program of a member of a group."""
    group = every[number]
    if len(every) == 1:
        parameters.setdefault("cluster_id", random_secrets.token_hex(8))
        return ReplicatedNameNode(members=group, **parameters)
    from bloompy_fs.partitioned import PartitionedNameNode, ReplicatedPartition  # few need these rules, which take time to compile

    parameters.setdefault("cluster_id", f"{stable_hash(every):016x}")  # the same for all
    if len(group) == 1:
        return PartitionedNameNode(partition=number, partitions=every, **parameters)
    return ReplicatedPartition(members=group, partition=number, partitions=every, **parameters)


class DataNodeServer:
    """A DataNode; use it by `async with`.

    Args:
        namenode: "host:port" of the NameNode; "," stands between those of replicas, ";" between partitions.
        directory: where chunks are kept, made if it is not there. It belongs to one DataNode of one cluster.
        listen: "host:port" for rules and, at any free port, data.
        secret: shared by the cluster; compulsory for any host but loopback.
        host: name of the machine, by which clients and tasks find data near them.
        heartbeat_s: period in seconds.
        scrub_s: pause between two rounds of checking all chunks, in seconds; None: they are checked only when they are read.
        timeout_s: for each frame of data.

    Entering it raises UsageError for a directory in use, and what Node raises; ClusterMismatch ends it.
    """

    def __init__(
        self,
        namenode: str,
        directory: str | os.PathLike[str],
        listen: str = "127.0.0.1:0",
        secret: str | bytes | None = None,
        *,
        host: str | None = None,
        heartbeat_s: float = 3.0,
        scrub_s: float | None = 7 * 24 * 3_600.0,
        timeout_s: float = 30.0,
    ) -> None:
        self._namenodes = groups(namenode)
        self.namenode, self.directory, self.listen = namenode, Path(directory), listen
        self.host = host or socket.gethostname()
        self._secret, self._heartbeat_s, self._scrub_s, self._timeout_s = secret, heartbeat_s, scrub_s, timeout_s
        self.program: DataNode
        self.node: Node[DataNode]
        self.data = ""

    async def __aenter__(self) -> Self:
        self._stack = AsyncExitStack()
        try:
            await self._open()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *exception: Any) -> bool | None:
        self._group.cancel_scope.cancel()
        return await self._stack.__aexit__(*exception)

    @property
    def address(self) -> str:
        """Where its rules are reached; that of its data port is `data`."""
        return self.node.address

    async def wait(self) -> None:
        """Wait until the server ends by an error, which is then raised."""
        await self.node.wait()

    async def _open(self) -> None:
        self._lock_directory()
        self.store = ChunkStore(self.directory)
        self._stack.callback(self.store.close)
        await to_thread.run_sync(self.store.clean)
        self.identity = self.store.identity(Identity(f"dn-{random_secrets.token_hex(6)}"))
        host, _ = split_address(self.listen)
        if is_unspecified(host):
            raise UsageError(f"a DataNode cannot listen on {self.listen!r}: nobody could call it", hint="name an address of this machine")
        listener = await anyio.create_tcp_listener(local_host=host)
        self._stack.push_async_callback(listener.aclose)
        self.data = join_address(host, listener.extra(SocketAttribute.local_port))
        await self._start_rules()
        self._group = await self._stack.enter_async_context(anyio.create_task_group())
        plane = DataPlane(self.identity.node, self.store, self._events(), _bytes(self._secret), self._timeout_s)
        self._group.start_soon(listener.serve, plane.serve)
        for _ in range(_WORKERS):
            self._group.start_soon(self._obey, plane, self._orders.clone())
        self._group.start_soon(self._measure)
        self._group.start_soon(self._check_cluster)
        if self._scrub_s is not None:
            self._group.start_soon(plane.scrub, self._scrub_s)
        self.program.nudge.insert(("started",))

    def _lock_directory(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        file = self._stack.enter_context((self.directory / "lock").open("w"))
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(f"{self.directory} is in use by another DataNode", hint="give each DataNode a directory of its own") from None

    async def _start_rules(self) -> None:
        self.program = DataNode(
            namenodes=self._namenodes,
            node=self.identity.node,
            incarnation=time.time_ns(),
            data=self.data,
            host=self.host,
            heartbeat_s=self._heartbeat_s,
        )
        self.program.local.insert(*((chunk, length, "ok") for chunk, length in (await to_thread.run_sync(self.store.chunks)).items()))
        self.program.usage.upsert(self.store.usage())
        if self.identity.cluster:
            self.program.cluster.insert((self.identity.cluster,))
        self._order, self._orders = anyio.create_memory_object_stream[Any](_ORDERS)
        self._mismatch = anyio.Event()
        self.program.order.on_insert(self._ordered)
        self.program.heartbeat_ack.on_insert(self._acknowledged)
        self.node = await self._stack.enter_async_context(Node(self.program, listen=self.listen, secret=self._secret))

    # -- between rules and data

    def _events(self) -> Events:
        program = self.program

        def stored(chunk: int, length: int) -> None:
            program.local.upsert((chunk, length, "ok"))
            program.nudge.insert(("stored",))

        def checked(chunk: int, length: int) -> None:
            program.local.upsert((chunk, length, "ok"))

        def gone(chunk: int) -> None:
            program.local.delete(chunk)
            program.vanished.insert((chunk,))
            program.nudge.insert(("gone",))

        def damaged(chunk: int, length: int) -> None:
            program.local.upsert((chunk, length, "corrupt"))
            program.nudge.insert(("corrupt",))

        return Events(stored, checked, gone, damaged)

    def _ordered(self, order: Any) -> None:
        try:
            self._order.send_nowait(tuple(order))
        except anyio.WouldBlock:
            self.program.done.insert(tuple(order))
            log.warning("DataNode %s has too many orders; the NameNode will give this one again", self.identity.node)

    async def _obey(self, plane: DataPlane, orders: MemoryObjectReceiveStream[tuple[str, int, str]]) -> None:
        async with orders:
            async for kind, chunk, target in orders:
                try:
                    await plane.obey(kind, chunk, target)
                except Exception:  # the NameNode orders again
                    log.exception("DataNode %s failed to %s chunk %d", self.identity.node, kind, chunk)
                finally:
                    self.program.done.insert((kind, chunk, target))

    def _acknowledged(self, ack: Any) -> None:
        if not ack.registration:
            self._mismatch.set()
        elif not self.identity.cluster:
            self.identity = Identity(self.identity.node, ack.cluster)
            self.store.set_identity(self.identity)

    async def _check_cluster(self) -> None:
        await self._mismatch.wait()
        raise ClusterMismatch(
            f"{self.directory} belongs to cluster {self.identity.cluster!r}, the NameNode at {self.namenode} to another",
            hint="start the NameNode with its own store, or give the DataNode an empty directory",
        )

    async def _measure(self) -> None:
        while True:
            await anyio.sleep(_USAGE_S)
            self.program.usage.upsert(await to_thread.run_sync(self.store.usage))

    _group: anyio.abc.TaskGroup
    _order: MemoryObjectSendStream[tuple[str, int, str]]
    _orders: MemoryObjectReceiveStream[tuple[str, int, str]]


def _bytes(secret: str | bytes | None) -> bytes | None:
    return secret.encode() if isinstance(secret, str) else secret
