"""Imperative: a client's conversation with a NameNode, or with those that are replicas of one."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import Any

from anyio.from_thread import start_blocking_portal

from bloompy_fs.errors import FsError, FsTimeout, error_of
from bloompy_fs.operations import WRITES
from bloompy_fs.protocol import Protocol
from bloompy_paxos.conversation import Conversation, Patience, Request

PATIENCE = Patience(silent_s=0.2, search_s=0.1, searches=20, slow_search_s=0.5, repeat_s=0.5, longest_repeat_s=4.0, watch_s=0.025)


class Metadata(Conversation[Protocol]):
    """Requests to a NameNode; use it by `async with`.

    Args:
        namenodes: addresses, "host:port".
        secret: shared by the cluster, or None.
        timeout_s: for a request with all its retries.
        others: NameNodes of other partitions. That none of its own has a known host ends a client only where this is so of them, too.

    Attributes:
        answered_by: who answered last, even where it is none of `namenodes`; "" before the first answer.
    """

    def __init__(self, namenodes: Sequence[str], secret: bytes | None, timeout_s: float, others: Sequence[str] = ()) -> None:
        super().__init__(Protocol(), "response", namenodes, secret, timeout_s, PATIENCE, others)
        self.answered_by = ""

    async def ask(self, op: str, path: str, *args: Any) -> Any:
        """One operation, applied once however often it has to be sent.

        Returns:
            the result, as the operation defines it.

        Raises:
            FsError: what the NameNode answered, FsTimeout, or EACCES: no NameNode has the secret of this client.
        """
        code, result = await self.answer(op, path, args)
        if code:
            raise error_of(code, path)
        return result

    async def answer(self, op: str, path: str, args: tuple[Any, ...], timeout_s: float | None = None) -> tuple[str, Any]:
        """As `ask`, but an error that the NameNode answered is returned: its code, or "", and the result."""
        answer = await self.converse((op, path, args), timeout_s=timeout_s)
        return answer.code, answer.result

    # -- what the conversation asks for

    def content_of(self, request: Request, acked: int) -> tuple[Any, ...]:
        """Of the channel `request`."""
        return acked, *request.content

    def met(self, replica: str) -> None:
        """One of another partition may have answered."""
        self.answered_by = replica
        super().met(replica)

    def unanswered(self, request: Request) -> Exception:
        """No answer, of which a write says what that means."""
        op, path, _ = request.content
        done = "; it may or may not have been done" if op in WRITES else ""
        message = f"the NameNode at {self._named()} did not answer in {self.timeout_s:g} s{done}; does it run there, with the same secret?"
        return FsTimeout(errno.ETIMEDOUT, message, path)

    def unsendable(self, request: Request, error: str) -> Exception:
        """It has left this client nowhere."""
        return FsError(errno.EINVAL, f"no message can hold this request: {error}", request.content[1])

    def without_secret(self, request: Request) -> Exception:
        """All NameNodes have another secret, or one of the two sides has none: to ask them again does not help."""
        message = f"the NameNode at {self._named()} does not have the secret of this client; give both the same"
        return FsError(errno.EACCES, message, request.content[1])

    def _named(self) -> str:
        return " or ".join(self.replicas)


def leader_of(namenodes: Sequence[str], secret: bytes | None, timeout_s: float = 30.0) -> str:
    """Who of some replicas leads; blocks until one answers. Raises FsTimeout if none does."""

    async def ask() -> str:
        async with Metadata(namenodes, secret, timeout_s) as metadata:
            await metadata.ask("health", "/")
            return metadata.target

    with start_blocking_portal() as portal:
        return portal.call(ask)
