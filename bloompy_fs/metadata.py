"""Imperative: a client's conversation with a NameNode. A request is repeated under its number until it is answered.

Of several NameNodes that are replicas of one, the client asks the one that answered last. While that one is silent it goes round them
with the oldest of its requests, and sends the others when that is answered (as `bloompy_paxos.requests` does, which says another
protocol). A request stays open however often it is sent: an answer counts whoever it comes from, and however late.
"""

from __future__ import annotations

import asyncio
import errno
import secrets
from collections.abc import Iterable, Sequence
from typing import Any, Self

from anyio.from_thread import start_blocking_portal
from attrs import define, field

from bloompy.errors import NodeStopped
from bloompy.runtime.counters import Counters
from bloompy.runtime.node import Node
from bloompy.transports.addresses import join_address, own_host
from bloompy_fs.errors import FsError, FsTimeout, error_of
from bloompy_fs.operations import WRITES
from bloompy_fs.protocol import Protocol

SILENT_S = 0.2
"""A NameNode that has said nothing for so long is given up for the next one, at first."""
SEARCH_S, SEARCHES, SLOW_SEARCH_S = 0.1, 20, 0.5
"""The next ones have less time, so that a new leader is found soon; after so many of them the search slows down, and no further:
however long all were silent, a client is served soon after they are back. The only NameNode is asked as in a slow search."""
REPEAT_S, LONGEST_REPEAT_S = 0.5, 4.0
"""A request of a NameNode that answers others is repeated after the first, then after twice as long each time up to the second."""
_WATCH_S = 0.025


@define(eq=False)
class _Request:
    row: tuple[Any, ...]
    answer: asyncio.Future[Any]
    ends: float
    patience_s: float
    sent: float = 0.0


@define
class _Strangers(Counters):
    """Counters that know which peers do not have the secret."""

    addresses: set[str] = field(factory=set)

    def refuse(self, peer: str, reason: str, error: Exception) -> None:
        super().refuse(peer, reason, error)
        if reason == "unauthenticated":
            self.addresses.add(peer)


class Metadata:
    """Requests to one NameNode, or to the replicas of one.

    Args:
        namenodes: addresses, "host:port".
        secret: shared by the cluster, or None.
        timeout_s: for a request with all its retries.
        others: NameNodes of other partitions. That none of its own has a known host ends a client only where this is so of them, too.

    Attributes:
        leader: who answered last.
        answered_by: the same, even where it is none of `namenodes`; "" before the first answer.
    """

    def __init__(self, namenodes: Sequence[str], secret: bytes | None, timeout_s: float, others: Sequence[str] = ()) -> None:
        self.namenodes, self._timeout_s = tuple(namenodes), timeout_s
        self.leader, self.answered_by = self.namenodes[0], ""
        self._node = Node(Protocol(), listen=join_address(own_host([*namenodes, *others]), 0), secret=secret)
        self._node.counters = self._strangers = _Strangers()
        self._session = secrets.token_hex(16)
        self._next = 1
        self._waiting: dict[int, _Request] = {}
        self._asked: float | None = None
        self._searches = 0
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        await self._node.__aenter__()
        self._loop = asyncio.get_running_loop()
        self._node.program.response.on_insert(self._answered)
        self._node.program.dead_letter.on_insert(self._set_aside)
        return self

    async def __aexit__(self, *exception: Any) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._end(NodeStopped("the client was closed before an answer came"))
        await self._node.__aexit__(*exception)

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
        if not self._node.address:
            raise NodeStopped("the client is not running", hint="enter it by `async with`")
        number, self._next = self._next, self._next + 1
        if not self._waiting:
            self._asked = None
        row = (self._session, number, next(iter(self._waiting), number), op, path, args)
        ends = self._loop.time() + (self._timeout_s if timeout_s is None else timeout_s)
        request = self._waiting[number] = _Request(row, self._loop.create_future(), ends, REPEAT_S)
        try:
            self._send([request])
            if self._timer is None:
                self._timer = self._loop.call_later(_WATCH_S, self._watch)
            answer = await request.answer
        finally:
            self._waiting.pop(number, None)
        return answer.code, answer.result

    # -- sending

    def _send(self, requests: Iterable[_Request]) -> None:
        now = self._loop.time()
        for one in requests:
            one.sent = now
            self._node.send("request", (self.leader, self._node.address, *one.row))
            if self._asked is None:
                self._asked = now

    def _answered(self, row: Any) -> None:
        request = self._waiting.pop(row.reqid, None) if row.session == self._session else None
        if request is None:
            return
        self.answered_by = row.by
        self._strangers.addresses.discard(row.by)
        if row.by in self.namenodes:
            self.leader = row.by
        searched, self._searches = self._searches > 0, 0
        self._asked = self._loop.time() if self._waiting else None
        if searched:
            self._send(self._waiting.values())
        if not request.answer.done():
            request.answer.set_result(row)

    def _set_aside(self, letter: Any) -> None:
        """What cannot leave this node is not repeated."""
        if letter.channel != "request":
            return
        _, _, _, number, _, _, path, _ = letter.row
        if number in self._waiting:
            self._fail(number, FsError(errno.EINVAL, f"no message can hold this request: {letter.error}", path))

    # -- repeating

    def _watch(self) -> None:
        """Look now and then, as long as something waits, for what has waited too long."""
        self._timer = None
        try:
            self._look()
        except NodeStopped as error:
            self._end(error)
        if self._waiting:
            self._timer = self._loop.call_later(_WATCH_S, self._watch)

    def _look(self) -> None:
        now = self._loop.time()
        if self._strangers.addresses.issuperset(self.namenodes):
            self._refuse()
        for number, one in list(self._waiting.items()):
            if now >= one.ends:
                self._fail(number, self._timeout(one))
        if self._asked is not None and now - self._asked >= self._patience_s():
            self._search()
        else:
            self._repeat(now)

    def _patience_s(self) -> float:
        if len(self.namenodes) == 1 or self._searches >= SEARCHES:
            return SLOW_SEARCH_S
        return SEARCH_S if self._searches else SILENT_S

    def _search(self) -> None:
        """Ask the next NameNode."""
        self.leader = self.namenodes[(self.namenodes.index(self.leader) + 1) % len(self.namenodes)]
        self._asked = None
        self._searches += 1
        self._send(list(self._waiting.values())[:1])

    def _repeat(self, now: float) -> None:
        for one in self._waiting.values():
            if now - one.sent >= one.patience_s:
                one.patience_s = min(2 * one.patience_s, LONGEST_REPEAT_S)
                self._send([one])

    # -- giving up

    def _end(self, error: Exception) -> None:
        for number in list(self._waiting):
            self._fail(number, error)

    def _fail(self, number: int, error: Exception) -> None:
        request = self._waiting.pop(number)
        if not request.answer.done():
            request.answer.set_exception(error)

    def _refuse(self) -> None:
        """All NameNodes have another secret, or one of the two sides has none: to ask them again does not help."""
        self._strangers.addresses.clear()  # so that a later request asks anew
        for number, one in list(self._waiting.items()):
            message = f"the NameNode at {self._named()} does not have the secret of this client; give both the same"
            self._fail(number, FsError(errno.EACCES, message, one.row[4]))

    def _timeout(self, request: _Request) -> FsTimeout:
        _, _, _, op, path, _ = request.row
        done = "; it may or may not have been done" if op in WRITES else ""
        message = f"the NameNode at {self._named()} did not answer in {self._timeout_s:g} s{done}; does it run there, with the same secret?"
        return FsTimeout(errno.ETIMEDOUT, message, path)

    def _named(self) -> str:
        return " or ".join(self.namenodes)


def leader_of(namenodes: Sequence[str], secret: bytes | None, timeout_s: float = 30.0) -> str:
    """Who of some replicas leads; blocks until one answers. Raises FsTimeout if none does."""

    async def ask() -> str:
        async with Metadata(namenodes, secret, timeout_s) as metadata:
            await metadata.ask("health", "/")
            return metadata.leader

    with start_blocking_portal() as portal:
        return portal.call(ask)
