"""Imperative: a client's conversation with replicas, of which one leads. A request is repeated under its number until it is answered.

The client asks the replica that answered last. While that one is silent it goes round the replicas with the oldest of its requests, and
sends the others when that is answered: however many wait, a search costs little. A request stays open however often it is sent: an
answer counts whoever it comes from, and however late.
"""

from __future__ import annotations

import asyncio
import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, Generic, Self, TypeVar

from attrs import define, field, frozen

from bloompy.errors import NodeStopped
from bloompy.program import Bloom
from bloompy.runtime.counters import Counters
from bloompy.runtime.node import Node
from bloompy.transports.addresses import join_address, own_host

P = TypeVar("P", bound=Bloom)


@frozen
class Patience:
    """When a client asks again.

    Attributes:
        silent_s: a replica that has said nothing for so long is given up for the next one, at first.
        search_s: the next ones have less time, so that a new leader is found soon.
        searches: after so many of them the search slows down.
        slow_search_s: and no further: however long all were silent, a client is served soon after they are back. An only replica is asked
            as in a slow search.
        repeat_s, longest_repeat_s: a request of a replica that answers others is repeated after the first, then after twice as long each
            time up to the second.
        watch_s: how often it is looked for what has waited too long.
    """

    silent_s: float
    search_s: float
    searches: int
    slow_search_s: float
    repeat_s: float
    longest_repeat_s: float
    watch_s: float


@define(eq=False)
class Request:
    """A request that waits.

    Attributes:
        number: in the session of its client.
        content: what is asked.
        led: whether it is for the leader; else any replica will do.
        answer: the row of the reply.
        ends: when it is given up, by the clock of the event loop.
        patience_s: after which it is sent again.
        sent: when it was sent last.
    """

    number: int
    content: Any
    led: bool
    answer: asyncio.Future[Any]
    ends: float
    patience_s: float
    sent: float = 0.0


@define
class Strangers(Counters):
    """Counters that know which peers do not have the secret."""

    addresses: set[str] = field(factory=set)

    def refuse(self, peer: str, reason: str, error: Exception) -> None:
        """Count, log, and remember the peer."""
        super().refuse(peer, reason, error)
        if reason == "unauthenticated":
            self.addresses.add(peer)


class Conversation(ABC, Generic[P]):
    """Requests to replicas; use it by `async with`.

    Args:
        program: of the client's node: its channel `request` begins with the address of a replica, the client's, its session and the
            number.
        reply: the channel of answers, which begins with the client's address, the replica's, session and number.
        replicas: addresses, "host:port"; one that answers is enough.
        secret: shared by the cluster, or None.
        timeout_s: for a request with all its retries.
        patience: when to ask again.
        others: further addresses. That no replica has a known host is an error only where this is so of them, too.

    Attributes:
        target: who is asked: whoever answered last.
    """

    def __init__(
        self,
        program: P,
        reply: str,
        replicas: Sequence[str],
        secret: str | bytes | None,
        timeout_s: float,
        patience: Patience,
        others: Sequence[str] = (),
    ) -> None:
        self.replicas, self.timeout_s = list(dict.fromkeys(replicas)), timeout_s
        self.target = self.replicas[0]
        self._node = Node(program, listen=join_address(own_host([*replicas, *others]), 0), secret=secret)
        self._node.counters = self._strangers = Strangers()
        self._reply, self._patience = reply, patience
        self._session, self._next = secrets.token_hex(16), 1
        self._waiting: dict[int, Request] = {}
        self._asked: float | None = None
        self._searches = 0
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        await self._node.__aenter__()
        self._loop = asyncio.get_running_loop()
        getattr(self._node.program, self._reply).on_insert(self._answered)
        self._node.program.dead_letter.on_insert(self._set_aside)
        return self

    async def __aexit__(self, *exception: Any) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._end(NodeStopped("the client was closed before an answer came"))
        await self._node.__aexit__(*exception)

    # -- what a service says

    @abstractmethod
    def content_of(self, request: Request, acked: int) -> tuple[Any, ...]:
        """The columns of a request's row after its number; `acked` is the lowest number whose answer is waited for."""

    @abstractmethod
    def unanswered(self, request: Request) -> Exception:
        """The error of a request that nobody answered in time."""

    @abstractmethod
    def unsendable(self, request: Request, error: str) -> Exception:
        """The error of a request that no message can hold."""

    @abstractmethod
    def without_secret(self, request: Request) -> Exception:
        """The error of a request to replicas that all have another secret, or none where this client has one."""

    def target_of(self, request: Request) -> str:
        """The replica to which a request is sent next."""
        return self.target

    def met(self, replica: str) -> None:
        """A replica has answered as the leader."""
        if replica in self.replicas:
            self.target = replica

    # -- asking

    async def converse(self, content: Any, *, led: bool = True, timeout_s: float | None = None) -> Any:
        """One request, applied once however often it has to be sent.

        Returns:
            the row of the reply.

        Raises:
            NodeStopped: if this client is closed, or was not entered; or an error that the service says.
        """
        if not self._node.address:
            raise NodeStopped("the client is not running", hint="enter it by `async with`")
        if not self._waiting:
            self._asked = None
        number, self._next = self._next, self._next + 1
        ends = self._loop.time() + (self.timeout_s if timeout_s is None else timeout_s)
        request = Request(number, content, led, self._loop.create_future(), ends, self._patience.repeat_s)
        self._waiting[number] = request
        try:
            self._send([request])
            if self._timer is None:
                self._timer = self._loop.call_later(self._patience.watch_s, self._watch)
            return await request.answer
        finally:
            self._waiting.pop(number, None)

    def _send(self, requests: Iterable[Request]) -> None:
        now, acked, rows = self._loop.time(), next(iter(self._waiting), 0), []
        for one in requests:
            one.sent = now
            rows.append((self.target_of(one), self._node.address, self._session, one.number, *self.content_of(one, acked)))
            if one.led and self._asked is None:
                self._asked = now
        if rows:
            self._node.send("request", *rows)

    def _answered(self, row: Any) -> None:
        _, replica, session, number, *_ = row
        request = self._waiting.pop(number, None) if session == self._session else None
        if request is None:
            return
        self._strangers.addresses.discard(replica)
        if request.led:
            self.met(replica)
            searched, self._searches = self._searches > 0, 0
            self._asked = self._loop.time() if self._waiting else None
            if searched:
                self._send(self._led())
        if not request.answer.done():
            request.answer.set_result(row)

    def _set_aside(self, letter: Any) -> None:
        """What cannot leave this node is not repeated."""
        if letter.channel == "request":
            _, _, _, number, *_ = letter.row
            if (request := self._waiting.get(number)) is not None:
                self._fail(request, self.unsendable(request, letter.error))

    def _led(self) -> list[Request]:
        """What waits for the leader, the oldest first."""
        return [one for one in self._waiting.values() if one.led]

    # -- repeating

    def _watch(self) -> None:
        """Look now and then, as long as something waits, for what has waited too long."""
        self._timer = None
        try:
            self._look()
        except NodeStopped as error:
            self._end(error)
        if self._waiting:
            self._timer = self._loop.call_later(self._patience.watch_s, self._watch)

    def _look(self) -> None:
        now = self._loop.time()
        if self._strangers.addresses.issuperset(self.replicas):
            self._strangers.addresses.clear()  # a later request asks anew
            self._fail_each(self.without_secret, list(self._waiting.values()))
        self._fail_each(self.unanswered, [one for one in self._waiting.values() if now >= one.ends])
        if self._asked is not None and now - self._asked >= self._silence_s():
            self._search()
        else:
            self._repeat(now)

    def _silence_s(self) -> float:
        if len(self.replicas) == 1 or self._searches >= self._patience.searches:
            return self._patience.slow_search_s
        return self._patience.search_s if self._searches else self._patience.silent_s

    def _search(self) -> None:
        """Ask the next replica."""
        at = self.replicas.index(self.target) + 1 if self.target in self.replicas else 0
        self.target, self._asked = self.replicas[at % len(self.replicas)], None
        self._searches += 1
        self._send(self._led()[:1])

    def _repeat(self, now: float) -> None:
        overdue = [one for one in self._waiting.values() if now - one.sent >= one.patience_s]
        for one in overdue:
            one.patience_s = min(2 * one.patience_s, self._patience.longest_repeat_s)
        self._send(overdue)

    # -- giving up

    def _end(self, error: Exception) -> None:
        self._fail_each(lambda request: error, list(self._waiting.values()))

    def _fail_each(self, why: Any, requests: Iterable[Request]) -> None:
        for request in requests:
            self._fail(request, why(request))

    def _fail(self, request: Request, error: Exception) -> None:
        del self._waiting[request.number]
        if not request.answer.done():
            request.answer.set_exception(error)
