"""Imperative: a client's conversation with a replicated state machine. A request is repeated under its number until it is answered.

The client asks one replica, the leader if it can: whoever answers a read or write leads. While that one is silent it goes round the
replicas with the oldest of its requests, and sends the others when that is answered: however many wait, a search costs little.
A replica that does not lead passes requests on, or drops them if it knows no leader.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Sequence
from typing import Any, Literal, Self, TypeAlias

from attrs import define

from bloompy.errors import NodeStopped, UsageError
from bloompy.runtime.node import Node
from bloompy.transports.addresses import join_address, own_host, split_address
from bloompy_paxos.errors import CommandNotSendable, NoAnswer, RequestRefused
from bloompy_paxos.protocol import Service

Kind: TypeAlias = Literal["write", "member", "read", "stale"]

SILENT_S = 0.1
"""A replica that has said nothing for so long is given up for the next one, at first."""
SEARCH_S, SEARCHES, SLOW_SEARCH_S = 0.025, 80, 0.5
"""The next ones have less time, so that a new leader is found soon; after so many of them the search slows down."""
REPEAT_S, LONGEST_REPEAT_S = 0.25, 4.0
"""A request of a replica that answers others is repeated after the first, then after twice as long each time up to the second."""
_WATCH_S = 0.0125


@define(eq=False)
class _Request:
    kind: Kind
    command: Any
    answer: asyncio.Future[Any]
    ends: float
    patience_s: float
    replica: str = ""
    sent: float = 0.0


class Requests:
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
        self.replicas, self.timeout_s = list(dict.fromkeys(replicas)), timeout_s
        self._node = Node(Service(), listen=join_address(own_host(self.replicas), 0), secret=secret)
        self._session, self._next = secrets.token_hex(16), 1
        self._waiting: dict[int, _Request] = {}
        self._target = random.choice(self.replicas)
        self._asked: float | None = None
        self._searches = 0
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        await self._node.__aenter__()
        self._loop = asyncio.get_running_loop()
        self._node.program.reply.on_insert(self._answered)
        self._node.program.dead_letter.on_insert(self._set_aside)
        return self

    async def __aexit__(self, *exception: Any) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for request in self._waiting.values():
            if not request.answer.done():
                request.answer.set_exception(NodeStopped("the client was closed before an answer came"))
        await self._node.__aexit__(*exception)

    async def ask(self, kind: Kind, command: Any) -> Any:
        """One request. A write is applied once, however often it has to be sent.

        Returns:
            the result, as the state machine defines it.

        Raises:
            NoAnswer: in time.
            RequestRefused: with the error that the replicas answered.
            CommandNotSendable: if no message can hold the command.
            NodeStopped: if this client is closed, or was not entered.
        """
        if not self._node.address:
            raise NodeStopped("the client is not running", hint="enter it by `async with`")
        number, self._next = self._next, self._next + 1
        request = _Request(kind, command, self._loop.create_future(), self._loop.time() + self.timeout_s, REPEAT_S)
        self._waiting[number] = request
        try:
            self._send([(number, request)])
            if self._timer is None:
                self._watch()
            return await request.answer
        finally:
            self._waiting.pop(number, None)

    async def ask_each(self, replicas: Sequence[str], request: str, reply: str, timeout_s: float) -> dict[str, Any]:
        """A question to each of some replicas by itself: by address, the reply, or None where none came."""
        number, self._next = self._next, self._next + 1

        async def ask(replica: str) -> Any:
            try:
                return await self._node.call(request, (replica, self._node.address, number), reply=reply, timeout_s=timeout_s)
            except TimeoutError:
                return None

        return dict(zip(replicas, await asyncio.gather(*map(ask, replicas)), strict=True))

    # -- sending

    def _send(self, requests: Sequence[tuple[int, _Request]]) -> None:
        if not requests:
            return
        now, acked = self._loop.time(), next(iter(self._waiting))
        rows = []
        for number, one in requests:
            one.sent, one.replica = now, self._target if one.kind != "stale" else random.choice(self.replicas)
            rows.append((one.replica, self._node.address, self._session, number, acked, one.kind, one.command))
            if self._asked is None and one.kind != "stale":
                self._asked = now
        self._node.send("request", *rows)

    def _answered(self, row: Any) -> None:
        request = self._waiting.pop(row.number, None) if row.session == self._session else None
        if request is None:
            return
        if request.kind != "stale":
            self._target, searched, self._searches = row.replica, self._searches > 0, 0
            self._asked = self._loop.time() if self._waiting else None
            if searched:
                self._send(self._led())
        if request.answer.done():
            return
        if row.code:
            request.answer.set_exception(RequestRefused(row.code, _shown(request)))
        else:
            request.answer.set_result(row.result)

    def _set_aside(self, letter: Any) -> None:
        """What cannot leave this node is not repeated."""
        if letter.channel != "request":
            return
        _, _, _, number, *_ = letter.row
        request = self._waiting.pop(number, None)
        if request is not None and not request.answer.done():
            request.answer.set_exception(CommandNotSendable(f"{_shown(request)}: {letter.error}"))

    # -- repeating

    def _watch(self) -> None:
        """Look now and then, as long as something waits, for what has waited too long."""
        self._timer = None
        now = self._loop.time()
        for number, one in list(self._waiting.items()):
            if now >= one.ends:
                self._give_up(number, one)
        if self._asked is not None and now - self._asked >= self._patience_s():
            self._search()
        else:
            self._repeat(now)
        if self._waiting:
            self._timer = self._loop.call_later(_WATCH_S, self._watch)

    def _patience_s(self) -> float:
        if self._searches == 0:
            return SILENT_S
        return SEARCH_S if self._searches < SEARCHES else SLOW_SEARCH_S

    def _search(self) -> None:
        """Ask the next replica."""
        at = self.replicas.index(self._target) + 1 if self._target in self.replicas else 0
        self._target, self._asked = self.replicas[at % len(self.replicas)], None
        self._searches += 1
        self._send(self._led()[:1])

    def _led(self) -> list[tuple[int, _Request]]:
        """What waits for the leader, the oldest first."""
        return [(number, one) for number, one in self._waiting.items() if one.kind != "stale"]

    def _repeat(self, now: float) -> None:
        if overdue := [(number, one) for number, one in self._waiting.items() if now - one.sent >= one.patience_s]:
            for _, one in overdue:
                one.patience_s = min(2 * one.patience_s, LONGEST_REPEAT_S)
            self._send(overdue)

    def _give_up(self, number: int, request: _Request) -> None:
        del self._waiting[number]
        if not request.answer.done():
            asked = ", ".join(self.replicas)
            done = "" if request.kind in ("read", "stale") else "; it may or may not have been applied"
            hint = "do they run there, a majority of them, with the same secret?"
            error = NoAnswer(f"{_shown(request)}: none of {asked} answered in {self.timeout_s:g} s{done}", hint=hint)
            request.answer.set_exception(error)


def _shown(request: _Request) -> str:
    try:
        return f"{request.kind} {request.command!r:.200}"
    except ValueError:  # Python prints no integer of more than 4,300 digits
        return request.kind
