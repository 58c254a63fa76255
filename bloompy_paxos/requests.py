"""Imperative: requests to a replicated state machine. A replica that does not lead passes them on, or drops them if it knows no leader."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

from bloompy.errors import UsageError
from bloompy.transports.addresses import split_address
from bloompy_paxos.conversation import Conversation, Patience, Request
from bloompy_paxos.errors import CommandNotSendable, NoAnswer, RequestRefused, WrongSecret
from bloompy_paxos.protocol import Service

Kind: TypeAlias = Literal["write", "member", "read", "stale"]

PATIENCE = Patience(
    silent_s=0.1, search_s=0.025, searches=80, slow_search_s=0.5, repeat_s=0.25, longest_repeat_s=4.0, watch_s=0.0125
)  # fmt: skip


class Requests(Conversation[Service]):
    """Requests to the replicas of one state machine; use it by `async with`.

    Args:
        replicas: addresses of replicas, "host:port"; one that answers is enough.
        secret: shared by the cluster, or None.
        timeout_s: for a request with all its retries.
    """

    def __init__(self, replicas: Sequence[str], secret: str | bytes | None, timeout_s: float) -> None:
        if isinstance(replicas, str) or not replicas:
            raise UsageError(f"replicas={replicas!r}", hint='give a sequence of addresses, for example ["127.0.0.1:4001"]')
        for address in replicas:
            split_address(address)
        if not timeout_s > 0:
            raise UsageError(f"timeout_s={timeout_s}", hint="give seconds, more than 0")
        super().__init__(Service(), "reply", replicas, secret, timeout_s, PATIENCE)
        self.target = random.choice(self.replicas)

    async def ask(self, kind: Kind, command: Any) -> Any:
        """One request. A write is applied once, however often it has to be sent.

        Returns:
            the result, as the state machine defines it.

        Raises:
            NoAnswer: in time.
            RequestRefused: with the error that the replicas answered.
            CommandNotSendable: if no message can hold the command.
            WrongSecret: if no replica has the secret of this client.
            NodeStopped: if this client is closed, or was not entered.
        """
        row = await self.converse((kind, command), led=kind != "stale")
        if row.code:
            raise RequestRefused(row.code, _shown(kind, command))
        return row.result

    async def ask_each(self, replicas: Sequence[str], request: str, reply: str, timeout_s: float) -> dict[str, Any]:
        """A question to each of some replicas by itself: by address, the reply, or None where none came."""
        number, self._next = self._next, self._next + 1

        async def ask(replica: str) -> Any:
            try:
                return await self._node.call(request, (replica, self._node.address, number), reply=reply, timeout_s=timeout_s)
            except TimeoutError:
                return None

        return dict(zip(replicas, await asyncio.gather(*map(ask, replicas)), strict=True))

    # -- what the conversation asks for

    def content_of(self, request: Request, acked: int) -> tuple[Any, ...]:
        """Of the channel `request`."""
        return acked, *request.content

    def target_of(self, request: Request) -> str:
        """The leader, but for stale reads anybody."""
        return self.target if request.led else random.choice(self.replicas)

    def met(self, replica: str) -> None:
        """Also one that was not named: it was added since."""
        self.target = replica

    def unanswered(self, request: Request) -> Exception:
        """No answer, of which a write says what that means."""
        kind, command = request.content
        done = "" if kind in ("read", "stale") else "; it may or may not have been applied"
        hint = "do they run there, a majority of them, with the same secret?"
        return NoAnswer(f"{_shown(kind, command)}: none of {self._named()} answered in {self.timeout_s:g} s{done}", hint=hint)

    def unsendable(self, request: Request, error: str) -> Exception:
        """It has left this client nowhere."""
        return CommandNotSendable(f"{_shown(*request.content)}: {error}")

    def without_secret(self, request: Request) -> Exception:
        """To ask them again does not help."""
        message = f"{self._named()} do not have the secret of this client"
        return WrongSecret(message, hint="give the secret that the replicas share (or BLOOMPY_SECRET)")

    def _named(self) -> str:
        return ", ".join(self.replicas)


def _shown(kind: str, command: Any) -> str:
    try:
        return f"{kind} {command!r:.200}"
    except ValueError:  # Python prints no integer of more than 4,300 digits
        return kind
