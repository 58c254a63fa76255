"""Imperative: a client's conversation with a NameNode. A request is repeated under its number until it is answered.

Of several NameNodes that are replicas of one, the client asks the one that answered last, and goes round when it is silent.
"""

from __future__ import annotations

import errno
import secrets
from collections.abc import Iterator, Sequence
from typing import Any, Self

import anyio
from anyio.from_thread import start_blocking_portal

from bloompy.errors import CallTimeout
from bloompy.runtime.node import Node
from bloompy.transports.addresses import join_address, own_host
from bloompy_fs.errors import FsTimeout, error_of
from bloompy_fs.protocol import Protocol

FIRST_TRY_S = 1.0
"""How long the only NameNode is waited for before it is asked again; then twice as long each time."""
SILENT_S, SEARCH_S, SEARCHES = 0.2, 0.1, 20
"""How long the NameNode that answered last is waited for before another one is asked, and those then, so many times; then twice
as long each time."""


class Metadata:
    """Requests to one NameNode, or to the replicas of one.

    Args:
        namenodes: addresses, "host:port".
        secret: shared by the cluster, or None.
        timeout_s: for a request with all its retries.

    Attributes:
        leader: who answered last.
    """

    def __init__(self, namenodes: Sequence[str], secret: bytes | None, timeout_s: float) -> None:
        self.namenodes, self._timeout_s = tuple(namenodes), timeout_s
        self.leader = self.namenodes[0]
        self._node = Node(Protocol(), listen=join_address(own_host(self.leader), 0), secret=secret)
        self._session = secrets.token_hex(16)
        self._next = 1
        self._waiting: set[int] = set()

    async def __aenter__(self) -> Self:
        await self._node.__aenter__()
        return self

    async def __aexit__(self, *exception: Any) -> None:
        await self._node.__aexit__(*exception)

    async def ask(self, op: str, path: str, *args: Any) -> Any:
        """One operation, applied once however often it has to be sent.

        Returns:
            the result, as the operation defines it.

        Raises:
            FsError: what the NameNode answered, or FsTimeout.
        """
        code, result = await self.answer(op, path, args)
        if code:
            raise error_of(code, path)
        return result

    async def answer(self, op: str, path: str, args: tuple[Any, ...]) -> tuple[str, Any]:
        """As `ask`, but an error that the NameNode answered is returned: its code, or "", and the result."""
        reqid, self._next = self._next, self._next + 1
        self._waiting.add(reqid)
        try:
            return await self._answer(reqid, (min(self._waiting), op, path, args))
        finally:
            self._waiting.discard(reqid)

    async def _answer(self, reqid: int, rest: tuple[Any, ...]) -> tuple[str, Any]:
        end, tries = anyio.current_time() + self._timeout_s, self._tries()
        while (left_s := end - anyio.current_time()) > 0:
            asked = self.leader
            row = (asked, self._node.address, self._session, reqid, *rest)
            try:
                answer = await self._node.call("request", row, reply="response", timeout_s=min(next(tries), left_s))
            except CallTimeout:
                if self.leader == asked:  # no other request has found out by now
                    self.leader = self.namenodes[(self.namenodes.index(asked) + 1) % len(self.namenodes)]
                continue
            if answer.by in self.namenodes:
                self.leader = answer.by
            return answer.code, answer.result
        where = " or ".join(self.namenodes)
        message = f"the NameNode at {where} did not answer in {self._timeout_s:g} s; does it run there, with the same secret?"
        raise FsTimeout(errno.ETIMEDOUT, message, rest[2])

    def _tries(self) -> Iterator[float]:
        """How long each try may take."""
        longer_s = FIRST_TRY_S
        if len(self.namenodes) > 1:
            yield SILENT_S
            yield from [SEARCH_S] * SEARCHES
            longer_s = 2 * SILENT_S
        while True:
            yield longer_s
            longer_s *= 2


def leader_of(namenodes: Sequence[str], secret: bytes | None, timeout_s: float = 30.0) -> str:
    """Who of some replicas leads; blocks until one answers. Raises FsTimeout if none does."""

    async def ask() -> str:
        async with Metadata(namenodes, secret, timeout_s) as metadata:
            await metadata.ask("health", "/")
            return metadata.leader

    with start_blocking_portal() as portal:
        return portal.call(ask)
