"""Imperative: the replicated key-value store as a Python program uses it, asynchronously and blocking."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from bloompy.runtime.blocking import Blocking
from bloompy.transports.addresses import split_address
from bloompy_paxos.errors import NoAnswer, WrongMember
from bloompy_paxos.requests import Requests
from bloompy_paxos.status import Status, status_of

STATUS_S = 1.0
CANDIDATE_S = 5.0
"""What is to be a member may have been started just before."""
_SETTLING_S = 0.05


class AsyncClient:
    """A client of a replicated key-value store; use it by `async with`. Many operations may be under way at once.

    Args:
        replicas: addresses of replicas, "host:port"; one that answers is enough, the more the better.
        secret: shared by the cluster.
        timeout_s: for each operation with all its retries.

    Every operation raises NoAnswer if it took longer, RequestRefused for what the replicas answer. Keys and values are what rows
    may hold: None, numbers, str, bytes, and tuples of these.
    """

    def __init__(self, replicas: Sequence[str], secret: str | bytes | None = None, *, timeout_s: float = 30.0) -> None:
        self._requests = Requests(replicas, secret, timeout_s)

    async def __aenter__(self) -> Self:
        await self._requests.__aenter__()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._requests.__aexit__(kind, error, trace)

    @property
    def replicas(self) -> tuple[str, ...]:
        """The replicas that are asked: those given, and those learned of since."""
        return tuple(self._requests.replicas)

    async def put(self, key: Any, value: Any) -> None:
        """Store a value for a key. When it returns, a majority of the replicas has it on disk."""
        await self._requests.ask("write", ("put", key, value))

    async def delete(self, key: Any) -> None:
        """Have no value for a key any more."""
        await self._requests.ask("write", ("delete", key))

    async def get(self, key: Any, *, stale: bool = False) -> Any:
        """The value of a key, None where there is none.

        Args:
            key: of the value.
            stale: False: linearizable; every put that returned before is seen. True: what some replica has applied, which may be
                old, and older than what was read before; it asks one replica only, and works without a majority.
        """
        return await self._requests.ask("stale" if stale else "read", ("get", key))

    async def add_member(self, address: str) -> None:
        """Have one more replica, which runs already, take part; returns when the others have decided so.

        Raises:
            TransportError: for what is no address.
            WrongMember: if no replica is to be seen there, or one of another group.
            RequestRefused: "EAGAIN" if it did not catch up in time, or too few of the members to come were there.
        """
        split_address(address)
        members, [candidate] = await self._members(), await self.status(CANDIDATE_S, [address])
        if candidate.role == "silent":
            hint = "start it, to be added to a group, by the address that you name here, and with the same secret"
            raise WrongMember(f"no replica answers at {address}", hint=hint)
        if candidate.members and members and members.isdisjoint(candidate.members):
            message = f"the replica at {address} is a member of another group: {', '.join(candidate.members)}"
            raise WrongMember(message, hint="start one, to be added to a group, with a directory of its own")
        await self._requests.ask("member", ("add-member", address))
        self._learn([*self._requests.replicas, address])

    async def remove_member(self, address: str) -> None:
        """Have a replica take part no more; it falls silent. When this returns, it counts in no slot any more, and may be gone for good.

        Raises:
            WrongMember: if it is none, or the last one.
            RequestRefused: "EAGAIN" if too few of the other members were there.
        """
        members = await self._members()
        if members and (address not in members or len(members) == 1):
            what = "is the last member" if address in members else "is no member"
            raise WrongMember(f"{address} {what}", hint=f"the members are {', '.join(sorted(members))}")
        await self._requests.ask("member", ("remove-member", address))
        end = asyncio.get_running_loop().time() + self._requests.timeout_s
        while not _without(address, await self.status()):
            if asyncio.get_running_loop().time() > end:
                hint = "start replicas until a majority of those before the change runs, and remove it again"
                raise NoAnswer(f"{address} is removed, but still counts in the slots that are under way", hint=hint)
            await asyncio.sleep(_SETTLING_S)
        self._learn([one for one in self._requests.replicas if one != address])

    async def _members(self) -> set[str]:
        """The members as the leader has them; none if nobody leads."""
        return {member for one in await self.status() if one.role == "leader" for member in one.members}

    async def status(self, timeout_s: float = STATUS_S, only: Sequence[str] | None = None) -> list[Status]:
        """What each replica says of itself, by address.

        Args:
            timeout_s: after which a replica counts as silent.
            only: ask these; None: all that this client knows, and those that it learns of by asking.
        """
        found: dict[str, Status] = {}
        while missing := [address for address in (only or self._requests.replicas) if address not in found]:
            answers = await self._requests.ask_each(missing, "status_request", "status", timeout_s)
            found |= {address: status_of(address, row) for address, row in answers.items()}
            if only is None:  # one that was named may be of another group
                self._learn([*self._requests.replicas, *(member for one in found.values() for member in one.members)])
        return [found[address] for address in sorted(found)]

    def _learn(self, replicas: Sequence[str]) -> None:
        self._requests.replicas = list(dict.fromkeys(replicas)) or self._requests.replicas


def _without(address: str, found: Sequence[Status]) -> bool:
    """Whether a majority of the members has heard that this one counts no more."""
    leaders = [one for one in found if one.role == "leader" and address not in one.members]
    heard = {one.address for one in found if one.role != "silent" and address not in one.members}
    return any(2 * len(heard.intersection(leader.members)) > len(leader.members) for leader in leaders)


class Client(Blocking[AsyncClient]):
    """A client of a replicated key-value store; takes the arguments of `AsyncClient`, and runs it in a thread of its own.

    It connects when it is first used; `close()` it, or use it by `with`. Several threads may use one client.

        with Client(["127.0.0.1:4001", "127.0.0.1:4002", "127.0.0.1:4003"]) as store:
            store.put("x", 1)
            print(store.get("x"))
    """

    def __init__(self, replicas: Sequence[str], secret: str | bytes | None = None, *, timeout_s: float = 30.0) -> None:
        super().__init__(AsyncClient(replicas, secret, timeout_s=timeout_s))

    @property
    def replicas(self) -> tuple[str, ...]:
        """The replicas that are asked: those given, and those learned of since."""
        return self._client.replicas

    def put(self, key: Any, value: Any) -> None:
        """Store a value for a key; see `AsyncClient.put`."""
        self._run(self._client.put, key, value)

    def delete(self, key: Any) -> None:
        """Have no value for a key any more."""
        self._run(self._client.delete, key)

    def get(self, key: Any, *, stale: bool = False) -> Any:
        """The value of a key, None where there is none; see `AsyncClient.get`."""
        return self._run(lambda: self._client.get(key, stale=stale))

    def add_member(self, address: str) -> None:
        """Have one more replica take part; see `AsyncClient.add_member`."""
        self._run(self._client.add_member, address)

    def remove_member(self, address: str) -> None:
        """Have a replica take part no more; see `AsyncClient.remove_member`."""
        self._run(self._client.remove_member, address)

    def status(self, timeout_s: float = STATUS_S, only: Sequence[str] | None = None) -> list[Status]:
        """What each replica says of itself; see `AsyncClient.status`."""
        return self._run(self._client.status, timeout_s, only)
