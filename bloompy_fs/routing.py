"""Imperative: a client's conversation with all partitions. Which of them a request belongs to is guessed, and learnt from the answers."""

from __future__ import annotations

import errno
from contextlib import AsyncExitStack
from typing import Any, Self

import anyio

from bloompy_fs.addresses import Groups
from bloompy_fs.errors import FsError, FsTimeout, error_of
from bloompy_fs.metadata import Metadata
from bloompy_fs.namespace import ROOT
from bloompy_fs.operations import WRITES
from bloompy_fs.paths import join, parent_of
from bloompy_fs.placement import COORDINATOR, partition_of
from bloompy_fs.protocol import REMOTE

KNOWN_LIMIT = 10_000
HOPS = 20
"""A request is sent on from partition to partition at most so often. Each time its directory may just have been renamed."""
PROBE_S = 1.0
"""How long partitions have to show that they are there, when one of them has kept a request waiting."""


class Routing:
    """Requests to a NameNode, in one partition or several; each is applied once, wherever it belongs.

    Each partition knows the client as a session of its own. One that a request does not belong to says so, applies nothing under
    its number, and says where else to ask. Where the files of a directory are is remembered; that it was so only saves a question.

    Args:
        groups: addresses of the members of each partition, in the order of their numbers.
        secret: shared by the cluster, or None.
        timeout_s: for a request to one partition with all its retries.
    """

    def __init__(self, groups: Groups, secret: bytes | None, timeout_s: float) -> None:
        every = [address for group in groups for address in group]
        self._partitions = [Metadata(group, secret, timeout_s, every) for group in groups]
        self._named = {address: number for number, group in enumerate(groups) for address in group}
        self._known: dict[str, int] = {}

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            for partition in self._partitions:
                await stack.enter_async_context(partition)
            self._stack = stack.pop_all()
        self._learn("/", ROOT)
        return self

    async def __aexit__(self, *exception: Any) -> None:
        await self._stack.aclose()

    async def ask(self, op: str, path: str, *args: Any) -> Any:
        """One operation, applied once however often, and to how many partitions, it has to be sent.

        Returns:
            the result, as the operation defines it.

        Raises:
            FsError: what the NameNode answered, FsTimeout, or EREMOTE: the NameNodes are others than those that were named.
        """
        if op == "health":
            return await self._health()
        code, result = await self._answer(op, path, args)
        if code:
            raise error_of(code, path, args[0] if op == "rename" else None)
        self._learn_from(op, path, result)
        return result

    async def _answer(self, op: str, path: str, args: tuple[Any, ...]) -> tuple[str, Any]:
        where = self._guess(op, path, args)
        for _ in range(HOPS):
            code, result = await self._answer_of(where, op, path, args)
            if code != REMOTE:
                return code, result
            asked, (where, directory) = where, result
            if where == asked or where >= len(self._partitions):
                raise self._misnamed(asked, where, path)
            if directory:
                self._remember(directory, where)
        raise FsError(errno.EREMOTE, f"the partitions sent it on {HOPS} times, and none took it; are they of one file system?", path)

    async def _answer_of(self, where: int, op: str, path: str, args: tuple[Any, ...]) -> tuple[str, Any]:
        """The answer of one partition. Where it fails because of another one, that is named."""
        partition = self._partitions[where]
        try:
            code, result = await partition.answer(op, path, args)
        except FsTimeout as error:
            if silent := await self._silent():
                done = "; it may or may not have been done" if op in WRITES else ""
                raise FsTimeout(errno.ETIMEDOUT, f"{silent}{done}", path) from error
            raise
        if code == "EHOSTDOWN" and (silent := await self._silent()):
            raise FsError(errno.EHOSTDOWN, f"{silent}, which has to take part; nothing was done", path)
        if self._named.get(partition.answered_by, where) != where:
            raise self._divided(where, partition.answered_by, path, op in WRITES and not code)
        return code, result

    async def _health(self) -> tuple[int, int, int, bool]:
        """That of all partitions together: chunks, those short of replicas, those lost, whether one is in safe mode."""
        found = []
        for where in range(len(self._partitions)):
            code, result = await self._answer_of(where, "health", "/", ())
            if code:
                raise error_of(code, "/")
            found.append(result)
        return (*(sum(one[i] for one in found) for i in range(3)), any(one[3] for one in found))

    # -- what is wrong

    async def _silent(self) -> str:
        """That some of several partitions do not answer, and which; "" if all do."""
        if len(self._partitions) == 1:
            return ""
        silent: list[int] = []

        async def probe(number: int) -> None:
            try:
                await self._partitions[number].answer("exists", "/", (), PROBE_S)
            except FsError:
                silent.append(number)

        async with anyio.create_task_group() as group:
            for number in range(len(self._partitions)):
                group.start_soon(probe, number)
        named = ", ".join(f"partition {number} ({self._addresses(number)})" for number in sorted(silent))
        return f"nothing is heard from {named}" if named else ""

    def _misnamed(self, asked: int, where: int, path: str) -> FsError:
        """A partition says that a request belongs where there is none, or to the partition that was taken for it."""
        count = len(self._partitions)
        if where >= count or count == 1:
            message = (
                f"the file system has {max(where, count) + 1} partitions or more, and {count} {'was' if count == 1 else 'were'} named; "
                "name the NameNodes of all, with ';' between partitions and ',' between replicas"
            )
        else:
            message = (
                f"{self._addresses(asked)} was named as partition {asked}, and is another; "
                "name all partitions, in the order in which the NameNodes were given them (--members)"
            )
        return FsError(errno.EREMOTE, message, path)

    def _divided(self, where: int, by: str, path: str, done: bool) -> FsError:
        """A NameNode of one partition has answered for another: they are replicas of one."""
        message = (
            f"{by}, which was named as partition {self._named[by]}, answered for {self._addresses(where)}, named as partition {where}; "
            "write ',' between replicas, and ';' only between partitions" + ("; the request was carried out" if done else "")
        )
        return FsError(errno.EREMOTE, message, path)

    def _addresses(self, number: int) -> str:
        return ",".join(self._partitions[number].replicas)

    # -- where things are

    def _guess(self, op: str, path: str, args: tuple[Any, ...]) -> int:
        """Where a request may belong."""
        if op == "mkdir" or (op in ("rm", "rename") and path in self._known):
            return COORDINATOR
        home = self._home(path if op == "ls" else parent_of(path))
        if op == "rename" and home != self._home(args[0] if args[1] and args[0] in self._known else parent_of(args[0])):
            return COORDINATOR
        return home

    def _home(self, directory: str) -> int:
        """Where its files are, if that is known; else where those of the nearest directory above it are."""
        while directory not in self._known and directory != "/":
            directory = parent_of(directory)
        return self._known.get(directory, COORDINATOR)

    def _learn_from(self, op: str, path: str, result: Any) -> None:
        """Note the numbers of directories in a result."""
        if op == "mkdir" or (op == "stat" and result[1]):
            self._learn(path, result[0])
        elif op == "ls":
            for name, fid, is_dir, *_ in result:
                if is_dir:
                    self._learn(join(path, name), fid)
        elif op == "rm":
            self._known.pop(path, None)
        elif op == "rename" and path in self._known:
            self._remember(result[0], self._known.pop(path))

    def _learn(self, directory: str, fid: int) -> None:
        self._remember(directory, partition_of(fid, len(self._partitions)))

    def _remember(self, directory: str, where: int) -> None:
        self._known.pop(directory, None)
        self._known[directory] = where
        while len(self._known) > KNOWN_LIMIT:
            del self._known[next(iter(self._known))]
