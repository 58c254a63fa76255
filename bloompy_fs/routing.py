"""Imperative: a client's conversation with all partitions. Which of them a request belongs to is guessed, and learnt from the answers."""

from __future__ import annotations

import errno
from contextlib import AsyncExitStack
from typing import Any, Self

import anyio

from bloompy_fs.addresses import Groups
from bloompy_fs.errors import FsTimeout, error_of
from bloompy_fs.metadata import Metadata
from bloompy_fs.namespace import ROOT
from bloompy_fs.paths import join, parent_of
from bloompy_fs.placement import COORDINATOR, partition_of
from bloompy_fs.protocol import REMOTE

KNOWN_LIMIT = 10_000


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
        self._partitions = [Metadata(group, secret, timeout_s) for group in groups]
        self._timeout_s = timeout_s
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
            FsError: what the NameNode answered, or FsTimeout.
        """
        if op == "health":
            return await self._health()
        code, result = await self._answer(op, path, args)
        if code:
            raise error_of(code, path)
        self._learn_from(op, path, result)
        return result

    async def _answer(self, op: str, path: str, args: tuple[Any, ...]) -> tuple[str, Any]:
        end, where = anyio.current_time() + self._timeout_s, self._guess(op, path, args)
        while True:
            code, result = await self._partitions[where].answer(op, path, args)
            if code != REMOTE:
                return code, result
            where, directory = result
            if directory:
                self._remember(directory, where)
            if anyio.current_time() > end:
                raise FsTimeout(errno.ETIMEDOUT, f"no partition would take it in {self._timeout_s:g} s", path)

    async def _health(self) -> tuple[int, int, int, bool]:
        """That of all partitions together: chunks, those short of replicas, those lost, whether one is in safe mode."""
        found = [await partition.ask("health", "/") for partition in self._partitions]
        return (*(sum(one[i] for one in found) for i in range(3)), any(one[3] for one in found))

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
