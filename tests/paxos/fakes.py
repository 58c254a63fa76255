"""Replicas that only pretend: they answer by the dictionary of one of them, and do what a test tells them to."""

from __future__ import annotations

from typing import Any, Self

from bloompy import Node
from bloompy_paxos.protocol import Service

SECRET = "of the test"


class FakeReplica:
    """A replica with a dictionary.

    Args:
        leader: another replica, to which requests are passed on; None: this one answers.

    Attributes:
        mute: whether it answers nothing.
        drop: how many requests it drops before it answers the next one.
        lose: how many replies are lost after the request was applied.
        refuse: an error code to answer, or "".
        asked: the request rows that came.
        applied: the writes in the order in which they were applied.
        members: that it tells; None: itself and its leader.
    """

    def __init__(self, leader: FakeReplica | None = None) -> None:
        self.leader, self.mute, self.drop, self.lose, self.refuse = leader, False, 0, 0, ""
        self.asked: list[Any] = []
        self.applied: list[Any] = []
        self.members: tuple[str, ...] | None = None
        self.store: dict[Any, Any] = {}
        self._results: dict[tuple[str, int], Any] = {}

    async def __aenter__(self) -> Self:
        self.node = Node(Service(), listen="127.0.0.1:0", secret=SECRET)
        await self.node.__aenter__()
        self.node.program.request.on_insert(self._take)
        self.node.program.status_request.on_insert(self._tell)
        return self

    async def __aexit__(self, *exception: Any) -> None:
        await self.node.__aexit__(*exception)

    @property
    def address(self) -> str:
        return self.node.address

    def _take(self, row: Any) -> None:
        self.asked.append(row)
        if self.mute:
            return
        if self.drop:
            self.drop -= 1
        elif self.leader is not None:
            self.node.send("request", (self.leader.address, *row[1:]))
        else:
            result = self._result(row)
            if self.lose:
                self.lose -= 1
            else:
                self.node.send("reply", (row.client, self.address, row.session, row.number, self.refuse, result))

    def _result(self, row: Any) -> Any:
        name, (op, key, *rest) = (row.session, row.number), row.command
        if row.kind in ("read", "stale"):
            return self.store.get(key)
        if name not in self._results:
            self._results[name] = None
            self.applied.append(row.command)
            if op == "put":
                self.store[key] = rest[0]
            elif row.kind == "member":
                others = {*self._members()} - {key}
                self.members = tuple(sorted({*others, key} if op == "add-member" else others))
            else:
                self.store.pop(key, None)
        return self._results[name]

    def _members(self) -> tuple[str, ...]:
        return tuple(sorted({self.address, (self.leader or self).address})) if self.members is None else self.members

    def _tell(self, row: Any) -> None:
        if not self.mute:
            leads, leader = self.leader is None, (self.leader or self).address
            peers = ((self.address, 7, 0.5),) if leads else ()
            rest = ("leader" if leads else "follower", leader, (3, leader), 9, 8, 2, self._members(), peers)
            self.node.send("status", (row.client, self.address, row.no, *rest))
