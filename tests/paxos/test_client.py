"""The client, against replicas that do what a test tells them to."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from attrs import evolve

from bloompy.errors import NodeStopped, TransportError, UsageError
from bloompy_paxos import client as client_module
from bloompy_paxos import requests
from bloompy_paxos.client import AsyncClient, Client, _without
from bloompy_paxos.errors import CommandNotSendable, NoAnswer, RequestRefused, WrongMember, WrongSecret
from bloompy_paxos.status import Peer, Status
from tests.paxos.fakes import SECRET, FakeReplica

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_what_is_put_is_read_until_it_is_deleted() -> None:
    async with FakeReplica() as replica, AsyncClient([replica.address], SECRET) as client:
        assert await client.get("x") is None
        await client.put("x", (1, "one", b"\x01", None))
        assert await client.get("x") == (1, "one", b"\x01", None)
        assert await client.get("x", stale=True) == (1, "one", b"\x01", None)
        await client.delete("x")
        assert await client.get("x") is None
        assert [row.kind for row in replica.asked] == ["read", "write", "read", "stale", "write", "read"]
        assert len({row.session for row in replica.asked}) == 1
        assert [row.number for row in replica.asked] == [1, 2, 3, 4, 5, 6]


async def test_whoever_answers_is_asked_next() -> None:
    async with (
        FakeReplica() as leader,
        FakeReplica(leader) as one,
        FakeReplica(leader) as two,
        AsyncClient([one.address, two.address], SECRET) as client,
    ):
        await client.put("x", 1)
        before = len(one.asked) + len(two.asked)
        await client.put("x", 2)
        assert (before, len(one.asked) + len(two.asked), len(leader.asked)) == (1, 1, 2)


async def test_stale_reads_go_to_any_replica_and_say_nothing_of_the_leader() -> None:
    async with FakeReplica() as leader, FakeReplica() as other, AsyncClient([leader.address], SECRET) as client:
        await client.put("x", 1)
        client._requests.replicas.append(other.address)
        for _ in range(20):
            await client.get("x", stale=True)
        assert len(other.asked) > 0
        asked = len(other.asked)
        await client.put("x", 2)
        assert (len(other.asked), leader.store) == (asked, {"x": 2})


async def test_a_silent_replica_is_given_up_for_the_next_one_which_gets_all_that_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "PATIENCE", evolve(requests.PATIENCE, repeat_s=3_600.0))
    async with FakeReplica() as leader, FakeReplica(leader) as silent, AsyncClient([silent.address, leader.address], SECRET) as client:
        client._requests.target = silent.address
        silent.mute = True
        start = time.monotonic()
        await asyncio.gather(*(client.put(number, number) for number in range(50)))
        assert time.monotonic() - start < 1.0
        assert leader.store == {number: number for number in range(50)}
        assert client._requests.target == leader.address


async def test_a_write_whose_reply_is_lost_is_repeated_under_its_number_and_applied_once() -> None:
    async with FakeReplica() as replica, AsyncClient([replica.address], SECRET) as client:
        replica.lose = 3
        await client.put("x", 1)
        assert len(replica.asked) >= 4
        assert {row.number for row in replica.asked} == {1}
        assert replica.applied == [("put", "x", 1)]


async def test_one_request_that_is_lost_is_repeated_though_others_are_answered() -> None:
    async with FakeReplica() as replica, AsyncClient([replica.address], SECRET, timeout_s=5) as client:
        await client.put("w", 0)
        replica.drop = 1
        lost = asyncio.create_task(client.put("x", 1))
        await asyncio.sleep(0)
        while not lost.done():
            await client.put("y", 2)
        assert replica.store == {"w": 0, "x": 1, "y": 2}


async def test_replicas_hear_which_answers_the_client_still_waits_for() -> None:
    async with FakeReplica() as replica, AsyncClient([replica.address], SECRET, timeout_s=5) as client:
        await client.put("w", 0)
        replica.drop = 1
        lost = asyncio.create_task(client.put("x", 1))
        await asyncio.sleep(0)
        await client.put("y", 2)
        assert (replica.asked[-1].number, replica.asked[-1].acked) == (3, 2)
        await lost
        await client.put("z", 3)
        assert (replica.asked[-1].number, replica.asked[-1].acked) == (4, 4)


async def test_nobody_who_answers_is_an_error_that_says_what_is_known() -> None:
    async with FakeReplica() as replica, AsyncClient([replica.address], SECRET, timeout_s=0.3) as client:
        replica.mute = True
        with pytest.raises(NoAnswer, match=rf"write \('put', 'x', 1\): none of {replica.address} answered in 0.3 s; it may or may not"):
            await client.put("x", 1)
        with pytest.raises(TimeoutError, match=r"answered in 0.3 s\n") as raised:
            await client.get("x")
        assert "with the same secret" in str(raised.value.__notes__)
        replica.mute = False
        await client.put("x", 2)
        assert replica.asked[-1].acked == replica.asked[-1].number


async def test_a_client_without_the_secret_is_told_so_at_once() -> None:
    async with FakeReplica() as replica, AsyncClient([replica.address], "another") as client:
        start = time.monotonic()
        with pytest.raises(WrongSecret, match=f"{replica.address} do not have the secret of this client"):
            await client.get("x")
        assert time.monotonic() - start < 5
        assert replica.asked == []


async def test_what_replicas_refuse_is_raised() -> None:
    async with FakeReplica() as replica, AsyncClient([replica.address], SECRET) as client:
        replica.refuse = "ESTALE"
        with pytest.raises(RequestRefused, match=r"write \('put', 'x', 1\): the replicas have forgotten this client") as raised:
            await client.put("x", 1)
        assert (raised.value.reason, raised.value.hint) == ("ESTALE", "make a new client")
        replica.refuse = "EWHATEVER"
        with pytest.raises(RequestRefused, match="EWHATEVER"):
            await client.get("x")


async def test_what_no_message_can_hold_is_refused_at_once() -> None:
    deep: tuple[Any, ...] = ()
    for _ in range(100):
        deep = (deep,)
    async with FakeReplica() as replica, AsyncClient([replica.address], SECRET) as client:
        for value in (deep, "\ud800"):
            with pytest.raises(CommandNotSendable, match=r"write \('put', 'x'"):
                await client.put("x", value)
        assert replica.asked == []
        await client.put("x", 1)


async def test_a_reply_to_another_client_is_none_to_this_one() -> None:
    async with FakeReplica() as replica, AsyncClient([replica.address], SECRET) as client:
        replica.mute = True
        task = asyncio.create_task(client.get("x"))
        while not replica.asked:
            await asyncio.sleep(0.01)
        row = replica.asked[0]
        replica.node.send("reply", (row.client, replica.address, "of a client that was at this address", row.number, "", "wrong"))
        await asyncio.sleep(0.05)
        replica.mute = False
        assert await task is None


async def test_a_cancelled_request_is_waited_for_no_more() -> None:
    async with FakeReplica() as replica, AsyncClient([replica.address], SECRET) as client:
        replica.mute = True
        task = asyncio.create_task(client.put("x", 1))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert client._requests._waiting == {}
        replica.mute = False
        await client.put("y", 2)
        assert replica.asked[-1].acked == 2


async def test_a_client_serves_from_its_opening_to_its_closing_which_ends_what_waits() -> None:
    async with FakeReplica() as replica:
        replica.mute = True
        client = AsyncClient([replica.address], SECRET)
        with pytest.raises(NodeStopped, match="the client is not running"):
            await client.get("x")
        async with client:
            task = asyncio.create_task(client.put("x", 1))
            await asyncio.sleep(0.05)
        with pytest.raises(NodeStopped, match="the client was closed before an answer came"):
            await task
        with pytest.raises(NodeStopped, match="not running"):
            await client.get("x")


async def test_status_of_all_replicas_also_of_those_that_are_silent_or_not_known() -> None:
    async with (
        FakeReplica() as leader,
        FakeReplica(leader) as follower,
        FakeReplica(leader) as silent,
        AsyncClient([follower.address, silent.address], SECRET) as client,
    ):
        silent.mute = True
        found = {one.address: one for one in await client.status(timeout_s=0.3)}
        assert found[silent.address] == Status(silent.address)
        members = tuple(sorted((leader.address, follower.address)))
        assert found[follower.address] == Status(follower.address, "follower", leader.address, (3, leader.address), 9, 8, 2, members)
        assert found[leader.address].role == "leader"
        assert found[leader.address].peers == (Peer(leader.address, 7, 0.5),)
        assert set(client.replicas) == {leader.address, follower.address, silent.address}


async def test_members_are_asked_for_by_commands_and_then_known() -> None:
    async with FakeReplica() as replica, FakeReplica(replica) as fresh, AsyncClient([replica.address], SECRET) as client:
        fresh.members = ()
        await client.add_member(fresh.address)
        assert set(client.replicas) == {replica.address, fresh.address}
        await client.remove_member(fresh.address)
        assert client.replicas == (replica.address,)
        assert [(row.kind, row.command) for row in replica.asked] == [
            ("member", ("add-member", fresh.address)), ("member", ("remove-member", fresh.address))
        ]  # fmt: skip


async def test_only_a_replica_that_is_there_and_of_no_other_group_is_asked_to_be_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "CANDIDATE_S", 0.5)
    async with FakeReplica() as replica, FakeReplica() as stranger, AsyncClient([replica.address], SECRET) as client:
        with pytest.raises(WrongMember, match="no replica answers at 127.0.0.1:9"):
            await client.add_member("127.0.0.1:9")
        with pytest.raises(WrongMember, match=f"a member of another group: {stranger.address}"):
            await client.add_member(stranger.address)
        assert replica.asked == stranger.asked == []
        assert client.replicas == (replica.address,)


async def test_only_a_member_is_asked_to_be_removed_and_not_the_last_one() -> None:
    async with FakeReplica() as replica, AsyncClient([replica.address], SECRET) as client:
        with pytest.raises(WrongMember, match=r"127.0.0.1:9 is no member") as raised:
            await client.remove_member("127.0.0.1:9")
        assert raised.value.hint == f"the members are {replica.address}"
        with pytest.raises(WrongMember, match="is the last member"):
            await client.remove_member(replica.address)
        assert replica.asked == []


def test_a_member_is_gone_when_a_majority_of_the_others_has_heard_of_it() -> None:
    before, after = tuple("abcd"), tuple("abc")
    leader, heard, unheard = Status("a", "leader", members=after), Status("b", "follower", members=after), Status("b", members=before)
    assert not _without("d", [Status("a", "leader", members=before), heard])
    assert not _without("d", [leader, unheard, Status("c")])
    assert not _without("d", [leader, evolve(unheard, role="follower"), Status("d", "learner", members=after)])
    assert _without("d", [leader, heard, Status("c")])


def test_addresses_are_looked_at_at_once() -> None:
    with pytest.raises(TransportError, match="'nowhere' is no address"):
        Client(["127.0.0.1:1", "nowhere"])
    with pytest.raises(UsageError, match="replicas='127.0.0.1:1'"):
        Client("127.0.0.1:1")
    with pytest.raises(UsageError, match=r"replicas=\[\]"):
        Client([])
    for timeout_s in (0, -1, float("nan")):
        with pytest.raises(UsageError, match="timeout_s="):
            Client(["127.0.0.1:1"], timeout_s=timeout_s)


async def test_the_blocking_client_in_several_threads() -> None:
    async with FakeReplica() as replica:

        def work(number: int) -> None:
            for i in range(10):
                client.put((number, i), i)
            assert client.get((number, 9)) == 9

        with Client([replica.address], SECRET) as client:
            await asyncio.gather(*(asyncio.to_thread(work, number) for number in range(4)))
            status = await asyncio.to_thread(client.status)
        assert [one.role for one in status] == ["leader"]
        assert len(replica.store) == 40
        with pytest.raises(ValueError, match="the client is closed"):
            await asyncio.to_thread(client.get, "x")


async def test_what_is_no_address_is_no_member() -> None:
    async with AsyncClient(["127.0.0.1:1"]) as client:
        with pytest.raises(TransportError, match="'nonsense' is no address"):
            await client.add_member("nonsense")
