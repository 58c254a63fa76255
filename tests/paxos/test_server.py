"""Replicas as processes, with clients over TCP: what is acknowledged stays, whoever is killed."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from bloompy.errors import AuthenticationError, UsageError
from bloompy.testing.histories import Recorder, linearizable, models
from bloompy.tools.servers import free_addresses
from bloompy_paxos.client import AsyncClient
from bloompy_paxos.cluster import LocalCluster
from bloompy_paxos.errors import NoAnswer
from bloompy_paxos.server import LostStore, WrongIdentity, replica_server

pytestmark = pytest.mark.anyio
CALM: dict[str, float] = {"election_s": 1.0}
"""For threads, which keep each other waiting: elections would be called for no reason."""
WAYS = [pytest.param(False, CALM, id="threads"), pytest.param(True, {}, id="processes", marks=pytest.mark.slow)]
KEYS = [f"key {number}" for number in range(8)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Work:
    """Clients that put numbers and get them, and record that, until `end`; then all that was recorded is looked at."""

    def __init__(self, cluster: LocalCluster, clients: int = 4) -> None:
        self.cluster, self.recorder, self.running = cluster, Recorder(), True
        self.numbers = iter(range(1_000_000))
        self.tasks = [asyncio.create_task(self.client(f"client {number}")) for number in range(clients)]

    async def client(self, name: str) -> None:
        draw = random.Random(name)
        async with AsyncClient(self.cluster.addresses, self.cluster.secret, timeout_s=20) as store:
            while self.running:
                key = draw.choice(KEYS)
                with suppress(NoAnswer):
                    await (self.put(store, name, key) if draw.random() < 0.5 else self.get(store, name, key))

    async def put(self, store: AsyncClient, name: str, key: str) -> None:
        value = next(self.numbers)
        with self.recorder.operation(name, "put", (key, value)) as operation:
            await store.put(key, value)
            operation.ok()

    async def get(self, store: AsyncClient, name: str, key: str) -> None:
        with self.recorder.operation(name, "get", key) as operation:
            operation.ok(await store.get(key))

    async def end(self) -> None:
        """What was recorded is linearizable, with what every key has at the end."""
        self.running = False
        await asyncio.gather(*self.tasks)
        async with AsyncClient(self.cluster.addresses, self.cluster.secret) as store:
            for key in KEYS:
                await self.get(store, "afterwards", key)
        history = self.recorder.history()
        assert sum(operation.status == "ok" for operation in history) > 50
        linearizable(history, models.key_value()).require()


async def leader_of(cluster: LocalCluster) -> str:
    return await asyncio.to_thread(cluster.leader)


async def test_a_leader_killed_while_clients_write_costs_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    with LocalCluster(3, tmp_path, processes=True) as cluster:
        work = Work(cluster)
        await asyncio.sleep(0.5)
        first = await leader_of(cluster)
        cluster.kill(first)
        second = await leader_of(cluster)
        assert second != first
        await asyncio.to_thread(cluster.start, first)
        await asyncio.sleep(0.3)
        cluster.kill(second)
        assert await leader_of(cluster) != second
        await asyncio.sleep(0.3)
        await work.end()


@pytest.mark.parametrize(("processes", "settings"), WAYS)
async def test_all_killed_and_started_again_have_what_they_had(tmp_path: Path, processes: bool, settings: dict[str, float]) -> None:
    with LocalCluster(3, tmp_path, processes=processes, **settings) as cluster:
        addresses = list(cluster.addresses)
        async with AsyncClient(cluster.addresses, cluster.secret) as store:
            await asyncio.gather(*(store.put(f"key {number}", number) for number in range(200)))
            await store.delete("key 7")
        for address in addresses:
            cluster.kill(address)
    with LocalCluster(3, tmp_path, processes=processes, **settings) as cluster:
        assert cluster.addresses == addresses
        async with AsyncClient(cluster.addresses, cluster.secret) as store:
            found = await asyncio.gather(*(store.get(f"key {number}") for number in range(200)))
        assert found == [None if number == 7 else number for number in range(200)]


@pytest.mark.parametrize(("processes", "settings"), WAYS)
async def test_members_come_and_go_while_clients_write(tmp_path: Path, processes: bool, settings: dict[str, float]) -> None:
    with LocalCluster(3, tmp_path, processes=processes, **settings) as cluster:
        work = Work(cluster, clients=2)
        await asyncio.sleep(0.3)
        first = await leader_of(cluster)
        added = await asyncio.to_thread(cluster.add)
        await asyncio.to_thread(cluster.remove, first)
        assert first not in cluster.addresses
        await leader_of(cluster)
        await asyncio.sleep(0.3)
        await work.end()
        async with AsyncClient([added], cluster.secret) as store:
            while set((await store.status(only=[added]))[0].members) != set(cluster.addresses):
                await asyncio.sleep(0.05)


@pytest.mark.slow
async def test_five_replicas_of_which_two_at_a_time_are_down(tmp_path: Path) -> None:
    draw = random.Random(5)
    with LocalCluster(5, tmp_path, processes=True) as cluster:
        work = Work(cluster)
        for _ in range(8):
            down = draw.sample(cluster.addresses, 2)
            for address in down:
                cluster.kill(address)
            await leader_of(cluster)
            await asyncio.sleep(0.5)
            for address in down:
                await asyncio.to_thread(cluster.start, address)
            await asyncio.sleep(0.5)
        await work.end()


IDLE_S = float(os.environ.get("BLOOMPY_IDLE_S", "600"))


@pytest.mark.slow
async def test_ten_idle_minutes_pass_without_an_election(tmp_path: Path) -> None:
    """At default settings; BLOOMPY_IDLE_S makes it another time."""
    with LocalCluster(3, tmp_path, processes=True) as cluster:
        leader = await leader_of(cluster)
        async with AsyncClient(cluster.addresses, cluster.secret) as store:
            await store.put("key", 1)
            before = await store.status()
            await asyncio.sleep(IDLE_S)
            after = await store.status()
        assert {one.leader for one in after} == {leader}
        assert [one.ballot for one in after] == [one.ballot for one in before]


# --- one replica ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("listen", "members", "match"),
    [
        (None, ["127.0.0.1:4001"], "first start needs its address and the members"),
        ("127.0.0.1:4001", None, "first start needs its address and the members"),
        ("127.0.0.1:4001", ["127.0.0.1:4002"], "127.0.0.1:4001 is not among the members 127.0.0.1:4002"),
        ("127.0.0.1:4001", ["127.0.0.1:4001", "127.0.0.1:4001"], "named twice"),
        ("127.0.0.1:0", [], "keeps its address for good"),
    ],
)
def test_a_first_start_that_cannot_be_says_why(tmp_path: Path, listen: str | None, members: list[str] | None, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        replica_server(tmp_path / "replica", listen, members)
    assert not (tmp_path / "replica").exists()


async def test_a_directory_belongs_to_one_address(tmp_path: Path) -> None:
    replica_server(tmp_path, "127.0.0.1:4001", ["127.0.0.1:4001"])  # never entered: it leaves nothing
    (address,) = free_addresses(1)
    async with replica_server(tmp_path, address, [address]):
        pass
    with pytest.raises(WrongIdentity, match=f"belongs to the replica at {address}, not at 127.0.0.1:4002"):
        replica_server(tmp_path, "127.0.0.1:4002", ["127.0.0.1:4002"])
    again = replica_server(tmp_path)
    assert again.program.members == (address,)
    (tmp_path / "replica.json").write_text("{}")
    with pytest.raises(UsageError, match="does not say which replica this is: 'address'"):
        replica_server(tmp_path)


def test_a_local_replica_whose_directory_is_lost_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    with LocalCluster(3, tmp_path, **CALM) as cluster:
        lost = cluster.addresses[0]
    shutil.rmtree(tmp_path / f"replica-{lost.rpartition(':')[2]}")
    with pytest.raises(UsageError, match="first start needs its address"), LocalCluster(3, tmp_path, **CALM):
        pass


async def test_a_replica_that_lost_its_store_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    (address,) = free_addresses(1)
    async with replica_server(tmp_path, address, [address]):
        pass
    (tmp_path / "replica.db").unlink()
    with pytest.raises(LostStore, match=f"with it is lost what {address} promised and voted"):
        async with replica_server(tmp_path):
            pass
    assert not (tmp_path / "replica.db").exists()


async def test_a_replica_that_others_can_reach_needs_a_secret(tmp_path: Path) -> None:
    with pytest.raises(AuthenticationError, match="anybody could send to it"):
        async with replica_server(tmp_path, "0.0.0.0:4001", ["0.0.0.0:4001"]):
            pass
    assert list(tmp_path.iterdir()) == []


async def test_one_replica_alone_is_a_group(tmp_path: Path) -> None:
    with LocalCluster(1, tmp_path) as cluster:
        async with AsyncClient(cluster.addresses, cluster.secret) as store:
            await store.put("x", 1)
            assert await store.get("x") == 1
            assert await store.get("x", stale=True) == 1
