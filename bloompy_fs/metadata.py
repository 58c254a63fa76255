"""Imperative: a client's conversation with the NameNode. A request is repeated under its number until it is answered."""

from __future__ import annotations

import errno
import secrets
from typing import Any

import anyio

from bloompy.errors import CallTimeout
from bloompy.runtime.node import Node
from bloompy.transports.addresses import join_address, own_host, split_address
from bloompy_fs.errors import FsTimeout, error_of
from bloompy_fs.protocol import Protocol

FIRST_TRY_S = 1.0


class Metadata:
    """Requests to one NameNode.

    Args:
        namenode: its address.
        secret: shared by the cluster, or None.
        timeout_s: for a request with all its retries.
    """

    def __init__(self, namenode: str, secret: bytes | None, timeout_s: float) -> None:
        split_address(namenode)
        self.namenode, self._timeout_s = namenode, timeout_s
        self._node = Node(Protocol(), listen=join_address(own_host(namenode), 0), secret=secret)
        self._session = secrets.token_hex(16)
        self._next = 1
        self._waiting: set[int] = set()

    async def __aenter__(self) -> Metadata:
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
        reqid, self._next = self._next, self._next + 1
        self._waiting.add(reqid)
        try:
            code, result = await self._answer(reqid, (min(self._waiting), op, path, args))
        finally:
            self._waiting.discard(reqid)
        if code:
            raise error_of(code, path)
        return result

    async def _answer(self, reqid: int, rest: tuple[Any, ...]) -> tuple[str, Any]:
        end, try_s = anyio.current_time() + self._timeout_s, FIRST_TRY_S
        row = (self.namenode, self._node.address, self._session, reqid, *rest)
        while (left_s := end - anyio.current_time()) > 0:
            try:
                answer = await self._node.call("request", row, reply="response", timeout_s=min(try_s, left_s))
            except CallTimeout:
                try_s *= 2
                continue
            return answer.code, answer.result
        message = f"the NameNode at {self.namenode} did not answer in {self._timeout_s:g} s; does it run there, with the same secret?"
        raise FsTimeout(errno.ETIMEDOUT, message, rest[2])
